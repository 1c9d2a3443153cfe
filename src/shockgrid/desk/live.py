"""The live state behind a desk: a plan, its model values, and every regime's figures, kept up to date.

A change of the market is worked out for the portfolio groups it touches, and for the margin groups that hold
something in them; everything else keeps its bytes. Each figure is that of ``margin()`` on the same book and
market, because the same functions sum the same numbers in the same order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.columns import joined_rejects
from shockgrid.desk.changes import Change, watched
from shockgrid.desk.holders import View
from shockgrid.desk.resized import resized, rows_of
from shockgrid.desk.side import Side
from shockgrid.desk.spans import account_starts
from shockgrid.desk.worth import Worth
from shockgrid.engine import ClassGroup, Plan, model_values, plan, prepare
from shockgrid.market import Market
from shockgrid.market_series import series
from shockgrid.requirement.assemble import Terms, account_columns, terms_of
from shockgrid.requirement.margin import assignments, named_regimes, notes_of
from shockgrid.requirement.programs import programs_of
from shockgrid.requirement.regime import Program
from shockgrid.requirement.reliability import doubtful, reliability, statuses
from shockgrid.requirement.result import MarginResult, Run
from shockgrid.requirement.totals import total
from shockgrid.requirement.unpriced import unpriced_charges
from shockgrid.states import UNMOVED

VIEW_ROWS_KEPT = 4_000_000  #: positions in the views that are remembered between ticks: some 600 MB


class Live:
    """Book, market and every figure of the accounts frame, column by column."""

    def __init__(self, book: Book, market: Market, programs: Mapping[str, Program], backend: Backend) -> None:
        self.programs, self.backend = programs, backend
        self.sides: list[Side] = []
        self.columns: dict[str, Any] = {}
        self.binding: Codes = np.zeros(0, np.intp)
        self.plan: Plan
        self.values: Floats = np.zeros(0)
        self.rebuild(book, market, None)

    @property
    def book(self) -> Book:
        """Who holds what by now."""
        return self.plan.book

    @property
    def market(self) -> Market:
        """What it costs by now."""
        return self.plan.market

    @property
    def terms(self) -> Terms:
        """What is known of each margin group before anything is priced."""
        return self._terms

    def rebuild(self, book: Book, market: Market, redone: Collection[str] | None) -> None:
        """Lay the book over the market anew; only the portfolio groups in ``redone`` are priced again, all
        for None."""
        whole = plan(book, market)
        values = model_values(whole, self.backend) if redone is None else self.values
        chosen, strays = programs_of(whole, self.programs)
        assigned = assignments(whole, chosen or list(self.programs.values()))
        kept = {id(side.regime): side for side in self.sides} if redone is not None else {}
        if redone is not None:
            values = values.copy()
            self._value(whole, values, redone)
        sides = []
        for regime, names in assigned:
            part = whole if names is None else plan(book.select(names), market)
            members = np.searchsorted(whole.margin_groups, part.margin_groups)
            side = Side(part, members, regime, self.backend, values)
            if redone is None:
                prepare(part, side.evaluator.states, self.backend)
            side.build(kept.get(id(regime)), redone or ())
            sides.append(side)
        self.plan, self.values, self.sides, self._strays = whole, values, sides, strays
        self._terms: Terms = terms_of(whole, chosen, [regime for regime, _ in assigned])
        self._worth, self.starts = Worth(whole, values), account_starts(book)
        self.accounts_index = pd.Index(book.accounts["account"].to_numpy(object), dtype=object)
        self._doubts: tuple[Mask, Mask] = doubtful(market)
        self._views: dict[frozenset[str], View] = {}
        self._lay_out()
        self.columns, self.binding = self._figures(self._view_of(np.arange(len(whole.margin_groups))))

    def _lay_out(self) -> None:
        """Which positions, class groups and margin groups belong to each portfolio group."""
        self._groups: dict[str, tuple[ClassGroup, ...]] = {}
        self._positions: dict[str, slice] = {}
        self._holders: dict[str, Codes] = {}
        for groups in self.plan.portfolios:
            name = groups[0].portfolio_group
            self._groups[name] = groups
            self._positions[name] = slice(groups[0].positions.start, groups[-1].positions.stop)
            self._holders[name] = np.unique(np.concatenate([group.leaves for group in groups]))
        lost = self.plan.book.accounts["account"].isin(set(self.plan.unpriced["account"])).to_numpy(bool)
        #: what cannot be priced is charged by its underlying's spot, held or not
        self._always = np.unique(self.plan.account_groups[lost])

    def move(self, market: Market, underlyings: Codes, *, doubts: bool) -> Change:
        """Another market in which these underlyings, their quotes or their vols have changed.

        ``doubts`` says whether the market's rejects have changed too.
        """
        names = market.underlyings.portfolio_groups
        touched = {str(name) for name in names[underlyings]}
        self.plan = replace(self.plan, market=market)
        values = self.values.copy()
        self._value(self.plan, values, touched)
        self.values = values
        for side in self.sides:
            changed = side.move(replace(side.plan, market=market), values)
            touched |= {str(name) for name in names[changed]}
        if doubts:
            self._doubts = doubtful(market)
        return self._redo(touched)

    def _redo(self, touched: Collection[str]) -> Change:
        """Work out these portfolio groups and their holders again."""
        held = frozenset(name for name in touched if name in self._groups)
        for name in held:
            self._worth.value(self.plan, self.values, self._positions[name])
        for side in self.sides:
            side.redo(held)
        if held not in self._views:
            codes = [self._always, *(self._holders[name] for name in held)]
            self._views[held] = self._view_of(np.unique(np.concatenate(codes)))
            self._forget()
        return self._store(self._views[held])

    def _forget(self) -> None:
        """Let go of the oldest views beyond what may be kept, but for the last."""
        rows = [len(view.plan.positions.instruments) for view in self._views.values()]
        while sum(rows) > VIEW_ROWS_KEPT and len(rows) > 1:
            del self._views[next(iter(self._views))], rows[0]

    def pay(self, book: Book, accounts: Codes) -> Change:
        """Another book that differs in the cash of these accounts (rows) alone."""
        self.plan = replace(self.plan, book=book)
        for side in self.sides:
            side.pay(self.plan)
        return self._settle(accounts)

    def resize(self, book: Book, accounts: Texts, symbols: Texts) -> Change | None:
        """Another book that differs in cash and in positions of these accounts in these symbols alone.

        None, and nothing done, where a position is new to the plan: then it has to be laid out anew.
        """
        rows = rows_of(self.plan, accounts, symbols)
        if (rows < 0).any():
            return None
        held, names = self.plan.positions, self.market.underlyings.portfolio_groups
        owners = self.market.instruments.underlyings[held.instruments[rows]]
        touched = {str(name) for name in names[owners]}
        self.plan = resized(self.plan, book, rows, self.starts)
        for side in self.sides:
            side.resize(self.plan, accounts, symbols)
            if side.redo_resized(touched):
                self._views.clear()
        return self._settle(held.accounts[rows], touched)

    def _settle(self, accounts: Codes, touched: Collection[str] = ()) -> Change:
        """Put the margin groups of these accounts together again: their money, and the worth of what they
        hold in these portfolio groups, has changed."""
        self._worth.hold(self.plan)
        for name in touched:
            self._worth.value(self.plan, self.values, self._positions[name])
        codes = np.unique(self.plan.account_groups[accounts])
        self._views = {
            held: view for held, view in self._views.items() if not np.isin(codes, view.codes).any()
        }
        return self._store(self._view_of(codes))

    def _view_of(self, codes: Codes) -> View:
        return View(self.plan, self.starts, self.sides, codes)

    def _value(self, whole: Plan, values: Floats, names: Collection[str]) -> None:
        """Put the model values of everything held in these portfolio groups into ``values`` [N]."""
        for groups in whole.portfolios:
            if groups[0].portfolio_group not in names:
                continue
            for group in groups:
                for _, rows in group.sections:
                    held = group.instruments[rows]
                    priced = self.backend.price(series(whole.market, held), UNMOVED)
                    values[held] = self.backend.get(priced)[0]

    def _store(self, view: View) -> Change:
        before = watched(self.columns, view.rows)
        columns, binding = self._figures(view)
        for name, values in columns.items():
            self.columns[name][view.rows] = values
        self.binding[view.rows] = binding
        return Change(view.codes, before)

    def _figures(self, view: View) -> tuple[dict[str, Any], Codes]:
        terms, market = self._terms.take(view.rows), self.market
        found = [part.figures(market, terms.rates[part.places]) for part in view.parts]
        charges, status = self._reliability(view)
        return account_columns(terms, found, self._worth.of(view.codes), charges, status)

    def _reliability(self, view: View) -> tuple[Floats, Texts]:
        """Charges for what cannot be priced, base currency, and the reliability of a view's margin groups."""
        if len(view.plan.unpriced) == 0 and view.judged_by is self._doubts:
            return np.zeros(len(view.codes)), view.status
        part = replace(view.plan, market=self.market)
        lost = unpriced_charges(part)
        charges = part.by_margin_group(lost.charges, lost.margin_groups)
        without_spot = lost.margin_groups[lost.without_spot]
        view.status = statuses(part, self._doubts, without_spot, self._strays["key"])
        view.judged_by = self._doubts
        return charges, view.status

    def call_profiles(self) -> dict[str, str]:
        """Margin group -> the call profile of its program."""
        chosen, _ = programs_of(self.plan, self.programs)
        profiles = [program.call_profile for program in chosen]
        return dict(zip(self.plan.margin_groups, profiles, strict=True))

    def accounts(self) -> pd.DataFrame:
        """The accounts frame of ``margin()``."""
        return pd.DataFrame({name: values.copy() for name, values in self.columns.items()})

    def result(self) -> MarginResult:
        """Everything that ``margin()`` would return."""
        runs = []
        for side in self.sides:
            rows, rates = side.joint_rows(np.arange(len(side.members))), self._terms.rates[side.members]
            found = total(side.evaluator, list(side.results.values()), rows, self.values, rates)
            runs.append(Run(side.evaluator, found, self.values, rates))
        lost = unpriced_charges(self.plan)
        groups = lost.margin_groups[lost.without_spot]
        _, unheld = reliability(self.plan, groups, self._strays["key"])
        return MarginResult(
            accounts=self.accounts(),
            rejects=joined_rejects([self.book.rejects, self.market.rejects, self._strays, unheld]),
            regimes=named_regimes(self.programs),
            backend=self.backend.name,
            notes=notes_of(self.plan, runs),
            timings={},
            runs=tuple(runs),
            binding_runs=dict(zip(self.plan.margin_groups, self.binding.tolist(), strict=True)),
        )

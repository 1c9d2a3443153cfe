"""The live state behind a desk: a plan, its model values, and every regime's figures, kept up to date.

A change of the market is worked out for the portfolio groups it touches, and for the margin groups that hold
something in them; everything else keeps its bytes. Each figure is that of ``margin()`` on the same book and
market, because the same functions sum the same numbers in the same order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.columns import joined_rejects
from shockgrid.desk.account_columns import AccountColumns, Now
from shockgrid.desk.changes import Change
from shockgrid.desk.holders import View, restricted
from shockgrid.desk.kept_views import KeptViews
from shockgrid.desk.resized import resized, rows_of
from shockgrid.desk.runs import Runs
from shockgrid.desk.side import Side, sides_over
from shockgrid.desk.spans import account_starts
from shockgrid.desk.worth import Worth
from shockgrid.engine import Plan, model_values, plan
from shockgrid.market import Market
from shockgrid.requirement.assemble import Terms, terms_of
from shockgrid.requirement.grouped import Grouped
from shockgrid.requirement.margin import assignments, named_regimes, notes_of
from shockgrid.requirement.programs import programs_of
from shockgrid.requirement.regime import Program
from shockgrid.requirement.reliability import doubtful, reliability
from shockgrid.requirement.result import MarginResult
from shockgrid.requirement.unpriced import unpriced_charges


class Live:
    """Book, market and every figure of the accounts frame, column by column."""

    def __init__(
        self,
        book: Book,
        market: Market,
        programs: Mapping[str, Program],
        backend: Backend,
        executor: Executor | None = None,
    ) -> None:
        self.programs, self.backend, self._executor = programs, backend, executor
        self.sides: list[Side] = []
        self.plan: Plan
        self.values: Floats = np.zeros(0)
        self._holders: dict[str, Codes] = {}
        self._views = KeptViews(lambda view: self._accounts.dropped(view))
        self.rebuild(book, market, None)

    @property
    def market(self) -> Market:
        """What it costs by now."""
        return self.plan.market

    @property
    def terms(self) -> Terms:
        """What is known of each margin group before anything is priced."""
        return self._accounts.terms

    @property
    def columns(self) -> Mapping[str, Any]:
        """Columns of the accounts frame, of which those of ``requirement.assemble.BRIEF`` are up to date."""
        return self._accounts.columns

    def rebuild(self, book: Book, market: Market, redone: set[str] | None) -> None:
        """Lay the book over the market anew; only the portfolio groups in ``redone``, and those that
        scenarios now treat in another way, are priced again, all for None."""
        whole = plan(book, market)
        runs, values = Runs(whole), self.values.copy()
        if redone is None:
            values = model_values(whole, self.backend)
        else:
            self._value(runs, market, values, redone)
        chosen, strays = programs_of(whole, self.programs)
        self._assigned = assignments(whole, chosen or list(self.programs.values()))
        sides = self._sides_over(whole, values, runs, redone)
        self._take_over(whole, values, runs, sides)
        self._strays = strays
        regimes = [regime for regime, _ in self._assigned]
        own = any(regime.initial is not None or regime.formula is not None for regime in regimes)
        self._accounts = AccountColumns(terms_of(whole, chosen, regimes), strays["key"], whole=own)
        self.accounts_index = pd.Index(book.accounts["account"].to_numpy(object), dtype=object)
        self._doubts: tuple[Mask, Mask] = doubtful(market)
        self._lay_out(runs.names)
        self._accounts.fill(self._view_of(np.arange(len(whole.margin_groups))), self._now)

    def reopen(self, book: Book, accounts: Codes, redone: set[str]) -> Change:
        """Another book in which these accounts (rows) hold something new in the portfolio groups ``redone``,
        or are in doubt, and all else is as it was."""
        whole, market = plan(book, self.market), self.market
        runs, values = Runs(whole), self.values.copy()
        self._value(runs, market, values, redone)
        self._take_over(whole, values, runs, self._sides_over(whole, values, runs, redone))
        self._lay_out(redone)
        return self._store(np.unique(whole.account_groups[accounts]))

    def _sides_over(self, whole: Plan, values: Floats, runs: Runs, redone: set[str] | None) -> list[Side]:
        kept = None if redone is None else {id(side.regime): side for side in self.sides}
        laid = whole, values, runs, self.backend, self._executor
        return sides_over(self._assigned, laid, kept, redone or set())

    def _take_over(self, whole: Plan, values: Floats, runs: Runs, sides: list[Side]) -> None:
        self.plan, self.values, self.sides, self._runs = whole, values, sides, runs
        self._worth, self.starts = Worth(whole, values, runs.every, self.backend), account_starts(whole.book)
        self._owned = Grouped(whole.positions.margin_groups, len(whole.margin_groups))
        self._views.clear()

    def _lay_out(self, names: Collection[str]) -> None:
        """Which margin groups hold something in each of these portfolio groups."""
        parts = {groups[0].portfolio_group: groups for groups in self.plan.portfolios}
        for name in parts.keys() & set(names):
            self._holders[name] = np.unique(np.concatenate([group.leaves for group in parts[name]]))
        self._holders = {name: self._holders[name] for name in parts}
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
        self._value(self._runs, market, values, touched)
        self.values = values
        for side in self.sides:
            changed = side.move(replace(side.plan, market=market), values)
            touched |= {str(name) for name in names[changed]}
        if doubts:
            self._doubts = doubtful(market)
        return self._redo(touched)

    def _redo(self, touched: Collection[str]) -> Change:
        """Work out these portfolio groups and their holders again."""
        held = frozenset(touched).intersection(self._holders)
        for run in self._runs.of(held):
            self._worth.value(self.plan, self.values, run)
        for side in self.sides:
            side.redo(held, resized=False)
        view = self._views.find(held, lambda: self._view_of(self._holding(held)))
        return self._accounts.store(view, self._now, kept=True)

    def _holding(self, names: Collection[str]) -> Codes:
        """The margin groups that have something in these portfolio groups."""
        return np.unique(np.concatenate([self._always, *(self._holders[name] for name in names)]))

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
        self._runs = Runs(self.plan)
        for side in self.sides:
            side.resize(self.plan, accounts, symbols, self._runs)
            if side.redo(touched, resized=True):
                self._views.clear()
        return self._settle(held.accounts[rows], touched)

    def _settle(self, accounts: Codes, touched: Collection[str] = ()) -> Change:
        """Put the margin groups of these accounts together again: their money, and the worth of what they
        hold in these portfolio groups, has changed."""
        self._worth.hold(self.plan)
        for run in self._runs.of(touched):
            self._worth.value(self.plan, self.values, run)
        codes = np.unique(self.plan.account_groups[accounts])
        self._views.drop_holding(codes)
        return self._store(codes)

    def _store(self, codes: Codes) -> Change:
        return self._accounts.store(self._view_of(codes), self._now, kept=False)

    def _view_of(self, codes: Codes) -> View:
        own = restricted(self.plan, codes, self.starts, self._owned)
        return View(own, self.sides, codes, self._worth.holdings(codes))

    def _value(self, runs: Runs, market: Market, values: Floats, names: Collection[str]) -> None:
        """Put the model values of everything held in these portfolio groups into ``values`` [N]."""
        for run in runs.of(names):
            values[run.layout.instruments] = run.values(market, self.backend)

    @property
    def _now(self) -> Now:
        return Now(self.market, self._worth, self._doubts)

    def _settled(self) -> AccountColumns:
        """All columns up to date."""
        found, loose = self._accounts, self._accounts.loose()
        found.settle(self._view_of(loose) if len(loose) else None, self._now)
        return found

    def call_profiles(self) -> dict[str, str]:
        """Margin group -> the call profile of its program."""
        chosen, _ = programs_of(self.plan, self.programs)
        profiles = [program.call_profile for program in chosen]
        return dict(zip(self.plan.margin_groups, profiles, strict=True))

    def accounts(self) -> pd.DataFrame:
        """The accounts frame of ``margin()``."""
        return pd.DataFrame({name: values.copy() for name, values in self._settled().columns.items()})

    def result(self) -> MarginResult:
        """Everything that ``margin()`` would return."""
        runs = [side.run(self.values, self.terms.rates[side.members]) for side in self.sides]
        lost = unpriced_charges(self.plan)
        _, unheld = reliability(self.plan, lost.margin_groups[lost.without_spot], self._strays["key"])
        return MarginResult(
            accounts=self.accounts(),
            rejects=joined_rejects([self.plan.book.rejects, self.market.rejects, self._strays, unheld]),
            regimes=named_regimes(self.programs),
            backend=self.backend.name,
            notes=notes_of(self.plan, runs),
            timings={},
            runs=tuple(runs),
            binding_runs=dict(zip(self.plan.margin_groups, self._accounts.binding.tolist(), strict=True)),
        )

"""Copies of margin groups, each under a name of its own, and what they come to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Texts
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.desk.spans import rows_of_accounts
from shockgrid.engine import Plan, model_values, plan
from shockgrid.market import Market
from shockgrid.requirement.assemble import Figures, account_columns, group_rates, terms_of
from shockgrid.requirement.equity import equity
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.margin import assignments, programs_by_name
from shockgrid.requirement.programs import programs_of
from shockgrid.requirement.regime import HasPrograms, Regime
from shockgrid.requirement.result import Run
from shockgrid.requirement.totals import total
from shockgrid.requirement.unpriced import unpriced_charges

CUT = "\x1f"  #: between case and account: no text of a table holds it


class Came(NamedTuple):
    """What a book comes to."""

    plan: Plan
    columns: dict[str, Any]  #: of the accounts frame, but for its reliability
    rates: Floats  #: [M] value of each margin group's currency in the base currency


def copied(book: Book, starts: Codes, owners: Codes, cases: Texts, wanted: Codes) -> Book:
    """A book with a copy of a margin group for each of ``cases`` [Q], every name led by the case.

    ``starts`` are the ``account_starts`` of the book, ``owners`` [A] the margin group of each account,
    ``wanted`` [Q] the one of each case.
    """
    rows, pair_of = _accounts_of(owners, wanted)
    texts = book.accounts["account"].to_numpy(object)[rows]
    names = cases[pair_of] + CUT + texts
    order = np.argsort(names, kind="stable")
    rows, pair_of, names, texts = rows[order], pair_of[order], names[order], texts[order]
    accounts = book.accounts.iloc[rows].reset_index(drop=True)
    kinds = accounts[["account", "margin_group"]].dtypes
    groups = cases[pair_of] + CUT + accounts["margin_group"].to_numpy(object)
    held = book.positions.iloc[rows_of_accounts(starts, rows)].reset_index(drop=True)
    repeated = np.repeat(names, starts[rows + 1] - starts[rows])
    unread = book.unread
    if len(unread):
        renamed = pd.DataFrame({"account": texts, "name": names}).merge(unread, on="account")
        unread = renamed.assign(account=renamed["name"])[list(unread.columns)]
    return replace(
        book,
        accounts=accounts.assign(
            account=pd.Series(names, dtype=kinds["account"]),
            margin_group=pd.Series(groups, dtype=kinds["margin_group"]),
        ),
        account_lines=np.zeros(len(names), np.int64),
        positions=held.assign(account=pd.Series(repeated, dtype=held["account"].dtype)),
        unread=unread,
        partial=frozenset(names[pd.Index(texts).isin(book.partial)]) if book.partial else book.partial,
    )


def _accounts_of(owners: Codes, wanted: Codes) -> tuple[Codes, Codes]:
    """The accounts of each wanted margin group, one group after another, and the place of each's group."""
    inside = np.zeros(int(owners.max(initial=-1)) + 1, np.bool_)
    inside[wanted] = True
    rows = np.flatnonzero(inside[owners])
    rows = rows[np.argsort(owners[rows], kind="stable")]
    firsts, lasts = (np.searchsorted(owners[rows], wanted, side) for side in ("left", "right"))
    starts = np.append(firsts, len(rows))
    lengths = lasts - firsts
    places = np.repeat(starts[:-1] - np.append(0, np.cumsum(lengths)[:-1]), lengths)
    return rows[places + np.arange(len(places))], np.repeat(np.arange(len(wanted)), lengths)


def figured(book: Book, market: Market, regime_or_policy: Regime | HasPrograms, backend: Backend) -> Came:
    """The accounts frame of ``margin()`` over a calibrated market, without the frames around it."""
    whole = plan(book, market)
    values, programs = model_values(whole, backend), programs_by_name(regime_or_policy)
    chosen, _ = programs_of(whole, programs)
    assigned = assignments(whole, chosen or list(programs.values()))
    runs = [_evaluated(whole, values, regime, names, backend) for regime, names in assigned]
    found = [Figures.of(run, whole) for run in runs]
    lost = unpriced_charges(whole)
    charges = whole.by_margin_group(lost.charges, lost.margin_groups)
    terms = terms_of(whole, chosen, [regime for regime, _ in assigned])
    status = np.full(len(whole.margin_groups), "", object)
    columns, _ = account_columns(terms, found, equity(whole, values), charges, status)
    return Came(whole, columns, terms.rates)


def _evaluated(whole: Plan, values: Floats, regime: Regime, names: Texts | None, backend: Backend) -> Run:
    """A regime over the copies ``names``, all of them for None. Its own functions see the true names."""
    part = whole if names is None else plan(whole.book.select(names), whole.market)
    accounts = part.book.accounts
    true = {column: accounts[column].str.rsplit(CUT, n=1).str[-1] for column in ("account", "margin_group")}
    part = replace(part, book=replace(part.book, accounts=accounts.assign(**true)))
    evaluator, rates = Evaluator(part, regime, backend, values), group_rates(part)
    return Run(evaluator, total(evaluator, *evaluator.run(None, None), values, rates), values, rates)

"""A plan after fills in positions that it has already: other quantities in the same places."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from shockgrid.arrays import Codes, Texts
from shockgrid.book import Book
from shockgrid.desk.spans import rows_of_accounts
from shockgrid.engine import ClassGroup, Plan


def rows_of(plan: Plan, accounts: Texts, symbols: Texts) -> Codes:
    """Row of the plan's positions of each (account, symbol), -1 where it has none or the account is another
    plan's."""
    owners = _places(plan.book.accounts["account"], accounts)
    instruments = _places(plan.market.instruments.symbols, symbols)
    held, count = plan.positions, len(plan.market.instruments.symbols)
    near = np.flatnonzero(np.isin(held.accounts, owners) & np.isin(held.instruments, instruments))
    index = pd.Index(held.accounts[near] * count + held.instruments[near])
    found = index.get_indexer(pd.Index(np.where(owners >= 0, owners * count + instruments, -1)))
    return np.where(found >= 0, np.append(near, -1)[found], -1)


def _places(texts: Any, wanted: Any) -> Codes:
    index = pd.Index(texts, dtype=object)
    return np.asarray(index.get_indexer(pd.Index(wanted, dtype=object)), np.intp)


def resized(plan: Plan, book: Book, rows: Codes, starts: Codes) -> Plan:
    """The plan over a book that differs in the quantity and price paid of these positions, and in cash.

    ``starts`` are the ``account_starts`` of either book.
    """
    held, table = plan.positions, plan.market.instruments
    own, accounts = held.instruments[rows], np.unique(held.accounts[rows])
    known, count = rows_of_accounts(starts, accounts), len(table.symbols)
    instruments = _places(table.symbols, book.positions["symbol"].iloc[known])
    owners = np.repeat(accounts, starts[accounts + 1] - starts[accounts])
    known, keys = known[instruments >= 0], (owners * count + instruments)[instruments >= 0]
    told = known[pd.Index(keys).get_indexer(pd.Index(held.accounts[rows] * count + own))]
    quantities, paid, weights = (held.quantities.copy(), held.prices_paid.copy(), held.weights.copy())
    quantities[rows] = book.positions["quantity"].to_numpy(np.float64)[told]
    paid[rows] = book.positions["price_paid"].to_numpy(np.float64)[told]
    weights[rows] = quantities[rows] * table.multipliers[own] * table.fx_rates[own]
    positions = replace(held, quantities=quantities, prices_paid=paid, weights=weights)

    def again(group: ClassGroup) -> ClassGroup:
        place = group.positions
        if not ((rows >= place.start) & (rows < place.stop)).any():
            return group
        parts = (weights[place], group.position_columns, group.weights.indptr)
        return replace(group, weights=sparse.csr_matrix(parts, shape=group.weights.shape))

    portfolios = tuple(tuple(again(group) for group in groups) for groups in plan.portfolios)
    layout = replace(plan.layout, weights=weights)
    return replace(plan, book=book, positions=positions, portfolios=portfolios, layout=layout)

"""A plan after fills in positions that it has already: other quantities in the same places."""

from __future__ import annotations

from dataclasses import replace

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
    owners = pd.Index(plan.book.accounts["account"]).get_indexer(pd.Index(accounts))
    instruments = pd.Index(plan.market.instruments.symbols).get_indexer(pd.Index(symbols))
    held = plan.positions
    near = np.flatnonzero(np.isin(held.accounts, owners) & np.isin(held.instruments, instruments))
    index = pd.MultiIndex.from_arrays([held.accounts[near], held.instruments[near]])
    found = index.get_indexer(pd.MultiIndex.from_arrays([owners, instruments]))
    return np.where(found >= 0, np.append(near, -1)[found], -1)


def resized(plan: Plan, book: Book, rows: Codes, starts: Codes) -> Plan:
    """The plan over a book that differs in the quantity and price paid of these positions, and in cash.

    ``starts`` are the ``account_starts`` of either book.
    """
    held, table = plan.positions, plan.market.instruments
    accounts = book.accounts["account"].to_numpy(object)[held.accounts[rows]]
    keys = pd.MultiIndex.from_arrays([accounts, table.symbols[held.instruments[rows]]])
    known = book.positions.iloc[rows_of_accounts(starts, np.unique(held.accounts[rows]))]
    told = known.set_index(["account", "symbol"]).loc[keys]
    quantities, paid, weights = (held.quantities.copy(), held.prices_paid.copy(), held.weights.copy())
    quantities[rows], paid[rows] = (
        told["quantity"].to_numpy(np.float64),
        told["price_paid"].to_numpy(np.float64),
    )
    own = held.instruments[rows]
    weights[rows] = quantities[rows] * table.multipliers[own] * table.fx_rates[own]
    positions = replace(held, quantities=quantities, prices_paid=paid, weights=weights)

    def again(group: ClassGroup) -> ClassGroup:
        place = group.positions
        if not ((rows >= place.start) & (rows < place.stop)).any():
            return group
        parts = (weights[place], group.position_columns, group.weights.indptr)
        return replace(group, weights=sparse.csr_matrix(parts, shape=group.weights.shape))

    portfolios = tuple(tuple(again(group) for group in groups) for groups in plan.portfolios)
    return replace(plan, book=book, positions=positions, portfolios=portfolios)

"""A book after orders that were planned: positions and cash, at the prices and costs of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from shockgrid.book import Book
from shockgrid.columns import joined_rejects
from shockgrid.desk.fills import Fills, booked
from shockgrid.desk.spans import account_starts
from shockgrid.market import Market

COSTS = ("half_spread", "fees", "impact")


def with_orders(book: Book, market: Market, steps: pd.DataFrame, currencies: Mapping[str, str]) -> Book:
    """The book with the legs of a plan (``LiquidationPlan.steps``, ``Cures.steps``) filled at their price.

    Costs, in the currency of their margin group (``currencies``), come out of the leg's account.
    """
    accounts, instruments = (
        pd.Index(known, dtype=object).get_indexer(pd.Index(steps[column], dtype=object))
        for known, column in ((book.accounts["account"], "account"), (market.instruments.symbols, "symbol"))
    )
    quantities, prices = (steps[name].to_numpy(np.float64, copy=True) for name in ("quantity", "price"))
    table, fx = market.instruments, {**market.fx, "": 1.0}
    turned = (table.inverse & ~table.is_option)[instruments]  # a plan shows what one is worth in coin
    prices[turned] = 1.0 / prices[turned]
    fills = Fills(
        accounts, instruments, quantities, prices, frozenset(), joined_rejects([]), np.arange(len(prices))
    )
    after = booked(book, market, fills, account_starts(book))
    costs = steps[list(COSTS)].sum(axis=1) * steps["margin_group"].map(currencies).map(fx)
    rates = book.accounts["currency"].astype(object).map(fx).fillna(1.0).to_numpy(np.float64)
    spent = np.bincount(accounts, costs.to_numpy(np.float64), len(book.accounts)) / rates
    return replace(after, accounts=after.accounts.assign(cash=after.accounts["cash"] - spent))

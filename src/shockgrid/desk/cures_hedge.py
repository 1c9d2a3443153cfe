"""Hedges: every listed option on what a margin group holds, ready to be bought."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.book import Book
from shockgrid.desk.liquidation import position_costs, tradable_instruments
from shockgrid.desk.liquidation_actions import Actions
from shockgrid.desk.liquidation_costs import TradingCosts
from shockgrid.desk.liquidation_ground import Ground
from shockgrid.desk.liquidation_menu import Menu
from shockgrid.desk.liquidation_search import Search, started
from shockgrid.engine import plan
from shockgrid.market import Market
from shockgrid.vol_rules import DAYS_PER_YEAR

MOST_CONTRACTS = 100_000  #: of one series


def hedge_book(book: Book, market: Market, least_days: float = 0.0) -> Book:
    """The book with a row at quantity 0 for every listed option on the underlyings of each margin group.

    Options with less than ``least_days`` to live are left out. The row stands in the first account by name.
    """
    held, table = plan(book, market), market.instruments
    live = held.positions.quantities != 0.0
    names = pd.DataFrame(
        {
            "group": held.positions.margin_groups[live],
            "underlying": table.underlyings[held.positions.instruments[live]],
        }
    ).drop_duplicates()
    options = np.flatnonzero(table.is_option & (table.years > max(least_days, 0.0) / DAYS_PER_YEAR))
    listed = pd.DataFrame({"underlying": table.underlyings[options], "symbol": table.symbols[options]})
    firsts = book.accounts.groupby("margin_group")["account"].min()
    rows = names.merge(listed, on="underlying")
    rows["account"] = firsts.reindex(held.margin_groups[rows["group"].to_numpy(np.intp)]).to_numpy(object)
    fresh = rows[["account", "symbol"]].assign(quantity=0.0, price_paid=np.nan, line=0)
    every = pd.concat([book.positions, fresh]).drop_duplicates(["account", "symbol"])
    return replace(book, positions=every.sort_values(["account", "symbol"], ignore_index=True))


def hedge_search(ground: Ground, costs: TradingCosts, buffer: float, halted: frozenset[str]) -> Search:
    """A search whose actions buy options; the premium is what it goes by."""
    market, held = ground.plan.market, ground.plan.positions
    own, _ = position_costs(ground, costs)
    tradable = tradable_instruments(market, halted)[held.instruments]
    buyable = tradable & market.instruments.is_option[held.instruments]
    sizes = _sizes(ground)
    provider = partial(_purchases, ground, buyable=buyable, sizes=sizes)
    start = started(ground)
    return Search(
        ground,
        own,
        np.zeros(len(held.quantities)),
        buffer * start.requirements,
        "per_dollar_traded",
        buyable,
        provider,
        None if ground.standing is None else Menu(ground.standing, provider),
        start,
        closing=False,
    )


def _purchases(ground: Ground, quantities: Floats, rows: Codes, buyable: Mask, sizes: Floats) -> Actions:
    """Buying each of these series, up to what would deliver all that is held of its underlying."""
    groups = ground.plan.positions.margin_groups
    rows = rows[buyable[rows] & (quantities[rows] >= 0.0)]
    return Actions(groups[rows], np.arange(len(rows) + 1), rows, sizes[rows], sizes[rows].astype(np.intp))


def _sizes(ground: Ground) -> Floats:
    """Contracts [P] that deliver what the margin group holds of the underlying, long and short added."""
    held, table = ground.plan.positions, ground.plan.market.instruments
    units = np.abs(held.quantities) * table.units_per_contract[held.instruments]
    keys = (
        held.margin_groups * len(ground.plan.market.underlyings.names) + table.underlyings[held.instruments]
    )
    sums = np.bincount(keys, units)[keys]
    sizes = np.ceil(sums / table.units_per_contract[held.instruments])
    most: Floats = np.clip(sizes, 1.0, MOST_CONTRACTS)
    return most

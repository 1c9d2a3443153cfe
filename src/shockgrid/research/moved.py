"""The same market after a shock, or some days later with nothing else changed; and what expires meanwhile."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats, Mask
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.carry import NANOSECONDS_PER_YEAR, Dividends
from shockgrid.engine import plan
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.market_series import series
from shockgrid.requirement.equity import account_rates
from shockgrid.states import UNMOVED


def shocked(
    market: Market, price: float, vol: float = 0.0, class_groups: Collection[str] | None = None
) -> Market:
    """The market after prices x (1 + price x leverage) and vols x (1 + vol), of some class groups or of all.

    Marks are gone: everything is worth its model value. Raises InputError for a shock of -100 % or below.
    """
    if not (price > -1.0 and vol >= -1.0 and np.isfinite([price, vol]).all()):
        problem = "expected a price shock above -1 and a vol shock of at least -1, both finite"
        raise InputError(problem, column="price", value=(price, vol))
    names, table = market.underlyings, market.instruments
    moves: Mask = np.ones(len(names.names), np.bool_)
    if class_groups is not None:
        moves = np.isin(names.class_groups.astype(str), [str(name) for name in class_groups])
    factors = np.where(moves, np.maximum(1.0 + price * names.leverages, 1e-6), 1.0)
    vols = np.where(moves[table.underlyings] & table.is_option, table.vols * (1.0 + vol), table.vols)
    return replace(
        market,
        underlyings=replace(names, spots=names.spots * factors),
        instruments=replace(table, vols=vols, marks=np.full(len(vols), np.nan)),
    )


def rolled(market: Market, instant: datetime) -> Market:
    """The market at a later instant: spots, vols, rates and yields per year as they are, less time left.

    What has expired stays, with no time left. Dividends that have gone ex no longer lower a forward; the spot
    is held where it is. Raises InputError for an instant before the market's own.
    """
    passed = (instant - market.as_of).total_seconds() * 1e9 / NANOSECONDS_PER_YEAR
    if passed < 0.0:
        problem = "expected an instant at or after the market's as_of"
        raise InputError(problem, column="instant", value=str(instant))
    table = market.instruments
    live = table.years > 0.0
    years = np.where(live, np.maximum(table.years - passed, 0.0), 0.0)
    share = years / np.where(live, table.years, 1.0)
    option = table.is_option & live
    units = np.where(table.is_option, table.units_per_contract / table.multipliers, 1.0)
    growths = np.where(live, table.slopes / units, 1.0)
    factors = np.where(option, table.discount_factors**share, table.discount_factors)
    rates = np.where(option, -np.log(table.discount_factors) / np.where(live, table.years, 1.0), 0.0)
    fixed = table.intercepts + units * growths * table.dividends  # cash in the deliverable
    moved = np.where(live, units * growths**share, table.slopes)
    owed = np.maximum(table.dividends - _present_values(market, passed, rates), 0.0) * np.exp(rates * passed)
    owed = np.where(table.dividends > 0.0, np.where(years > 0.0, owed, 0.0), 0.0)
    aged = replace(
        table,
        years=years,
        slopes=moved,
        intercepts=np.where(live, fixed - moved * owed, table.intercepts) + 0.0,
        discount_factors=factors,
        dividends=owed,
        marks=np.full(len(years), np.nan),
    )
    ahead = market.dividends.years > passed
    paid = market.dividends
    left = Dividends(paid.underlyings[ahead], paid.years[ahead] - passed, paid.amounts[ahead])
    return replace(market, as_of=instant, instruments=aged, dividends=left)


def rates_moved(market: Market, shift: float) -> Market:
    """The market with every zero rate higher by ``shift`` (0.01 is one point), spots and vols as they are.

    Forwards grow with their carry, cash dividends are worth less today. Coin-settled contracts stay: their
    carry is that of the coin. Marks are gone. Raises InputError for a shift that is not finite.
    """
    if not np.isfinite(shift):
        problem = "expected a finite shift of rates"
        raise InputError(problem, column="rate_shift", value=shift)
    table = market.instruments
    moves = (table.years > 0.0) & ~table.inverse
    growth = np.where(moves, np.exp(shift * table.years), 1.0)
    option = table.is_option & moves
    factors = np.where(option, table.discount_factors / growth, table.discount_factors)
    rates = np.where(option, -np.log(table.discount_factors) / np.where(moves, table.years, 1.0), 0.0)
    slopes = table.slopes * growth
    owed = table.dividends + np.where(moves, _present_values(market, np.inf, rates, shift), 0.0)
    fixed = table.intercepts + table.slopes * table.dividends
    moved = replace(
        table,
        slopes=slopes,
        intercepts=np.where(moves, fixed - slopes * owed, table.intercepts) + 0.0,
        discount_factors=factors,
        dividends=owed,
        marks=np.full(len(slopes), np.nan),
    )
    return replace(market, instruments=moved)


def _present_values(market: Market, until: float, rates: Floats, shift: float | None = None) -> Floats:
    """Present value, per unit of the underlying, of dividends that go ex within so many years; [N].

    With a ``shift`` of the rates, how much that value changes.
    """
    table, paid = market.instruments, market.dividends
    found = np.zeros(len(table.years))
    for row in np.flatnonzero(paid.years <= until):
        own = (table.underlyings == paid.underlyings[row]) & (paid.years[row] <= table.years)
        change = 1.0 if shift is None else np.expm1(-shift * paid.years[row])
        found[own] += paid.amounts[row] * np.exp(-rates[own] * paid.years[row]) * change
    return found


class Settled(NamedTuple):
    """A book without its expired options."""

    book: Book
    expired: pd.DataFrame  #: account, symbol, quantity, cash


def settled(book: Book, market: Market, backend: Backend) -> Settled:
    """Take options without time left out of the book, and pay their intrinsic value in cash.

    Delivered shares are not carried: exercise for shares pays the same value in cash.
    """
    table = market.instruments
    rows = pd.Index(table.symbols).get_indexer(pd.Index(book.positions["symbol"]))
    over = (rows >= 0) & np.append(table.is_option & (table.years <= 0.0), False)[rows]
    if not over.any():
        return Settled(
            book, book.positions.iloc[:0].assign(cash=0.0)[["account", "symbol", "quantity", "cash"]]
        )
    gone = rows[over]
    values = np.asarray(backend.get(backend.price(series(market, gone), UNMOVED)))[0]
    money = book.positions["quantity"].to_numpy(np.float64)[over]
    money = money * values * table.multipliers[gone] * table.fx_rates[gone]
    expired = book.positions[over][["account", "symbol", "quantity"]].assign(cash=money)
    received = expired.groupby("account")["cash"].sum()
    rates = account_rates(plan(book, market))
    accounts = book.accounts.copy()
    added = accounts["account"].map(received).fillna(0.0).to_numpy(np.float64) / rates
    accounts["cash"] = accounts["cash"] + np.nan_to_num(added)
    kept = book.positions[~over].reset_index(drop=True)
    return Settled(replace(book, positions=kept, accounts=accounts), expired.reset_index(drop=True))

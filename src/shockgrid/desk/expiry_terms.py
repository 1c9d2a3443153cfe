"""Which positions expire, and on what terms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Texts
from shockgrid.book import Book
from shockgrid.carry import NANOSECONDS_PER_YEAR
from shockgrid.desk.calls_calendar import instant_of
from shockgrid.desk.expiry_settle import Expiring
from shockgrid.engine import bought_for_nothing
from shockgrid.market import Market

ROUNDING = 1e-9  #: of the strike: a difference of two prices is exact to this


def expiring(
    book: Book,
    market: Market,
    prices: Mapping[str, float],
    *,
    kind: str,
    until: datetime | None,
    threshold: float,
    pin_band: float,
) -> Expiring:
    """The positions of a kind, ``option`` or ``future``, that expire at or before ``until``."""
    table, names = market.instruments, market.underlyings
    expired = (table.types == kind) & (table.years <= _years_until(market, until))
    rows = pd.Index(table.symbols).get_indexer(pd.Index(book.positions["symbol"]))
    mine = (rows >= 0) & np.append(expired, False)[rows] & ~bought_for_nothing(book, market, rows)
    rows, held = rows[mine], book.positions[mine]
    owners = table.underlyings[rows]
    frame = held[["account", "symbol", "quantity", "line"]].reset_index(drop=True)
    spot = _settlements(frame["symbol"], names.names[owners], names.spots[owners], prices)
    terms = _terms(market, rows, spot)
    terms |= _option_terms(market, rows) if kind == "option" else _future_terms(market, rows, held, spot)
    worth = (terms["units"] * spot + terms["extra_cash"]) / terms["multiplier"] - terms["strike"]
    inside = np.where(terms["is_call"], worth, -worth)
    least = np.where(terms["inverse"], 0.0, threshold) - ROUNDING * terms["strike"]
    near = (np.abs(inside) <= pin_band * terms["strike"]) & terms["is_physical"] & ~terms["is_future"]
    groups = book.accounts.set_index("account")["margin_group"]
    return Expiring(
        frame.assign(
            **terms,
            margin_group=frame["account"].map(groups).to_numpy(object),
            underlying=names.names[owners],
            in_the_money=np.where(terms["is_future"], 0.0, np.round(inside, 9)),
            by_rule=terms["is_future"] | ((inside >= least) & (inside > 0.0)),
            pinned=near & (frame["quantity"] < 0.0).to_numpy(bool),
        )
    )


def _terms(market: Market, rows: Codes, spot: Floats) -> dict[str, Any]:
    """What options and futures [n] have alike, and what they settle on."""
    table = market.instruments
    return {
        "spot": spot,
        "units": table.units_per_contract[rows],
        "extra_cash": table.cash_per_contract[rows],
        "multiplier": table.multipliers[rows],
        "is_physical": table.is_physical[rows] & ~table.inverse[rows],
        "inverse": table.inverse[rows],
        "fx_rate": table.fx_rates[rows],
        "currency": table.currencies[rows],
    }


def _option_terms(market: Market, rows: Codes) -> dict[str, Any]:
    """Strike and right; and whether exercise delivers a future, and how much of the underlying that is."""
    table = market.instruments
    contracts = _contracts(market)[table.underlyings[rows]]
    into_future = table.is_physical[rows] & ~np.isnan(contracts)
    return {
        "is_future": np.zeros(len(rows), bool),
        "strike": table.strikes[rows],
        "is_call": table.is_call[rows],
        "into_future": into_future,
        "contract": np.where(into_future, contracts, 1.0),
        "variation": np.zeros(len(rows)),
    }


def _future_terms(market: Market, rows: Codes, held: pd.DataFrame, spot: Floats) -> dict[str, Any]:
    """A future as a call at its settlement price, and what it is paid since ``price_paid``."""
    table = market.instruments
    paid = table.coin_values(held["price_paid"].to_numpy(np.float64), rows)
    moved = held["quantity"].to_numpy(np.float64) * (table.coin_values(spot, rows) - paid)
    return {
        "is_future": np.ones(len(rows), bool),
        "strike": spot,
        "is_call": np.ones(len(rows), bool),
        "into_future": np.zeros(len(rows), bool),
        "contract": np.ones(len(rows)),
        "variation": np.where(np.isnan(moved), 0.0, moved * table.multipliers[rows]),
    }


def _settlements(symbols: pd.Series, owners: Texts, spots: Floats, prices: Mapping[str, float]) -> Floats:
    """What each settles on: the price of its own symbol, else of its underlying, else the spot."""
    own, by_name = (
        pd.Series(keys, dtype=object).map(prices).to_numpy(np.float64)
        for keys in (symbols.to_numpy(object), owners)
    )
    return np.where(np.isnan(own), np.where(np.isnan(by_name), spots, by_name), own)


def _contracts(market: Market) -> Floats:
    """Units in one contract of the future of each underlying's own name, [U]; NaN where there is none."""
    table, names = market.instruments, market.underlyings.names
    future = np.flatnonzero((table.types == "future") & ~table.inverse)
    own = future[names[table.underlyings[future]] == table.symbols[future]]
    sizes = np.full(len(names), np.nan)
    sizes[table.underlyings[own]] = table.multipliers[own]
    return sizes


def _years_until(market: Market, until: datetime | None) -> float:
    start = pd.Timestamp(market.as_of)
    if until is None:
        end = start.tz_convert("America/New_York").normalize() + pd.DateOffset(days=1)
    else:
        end = instant_of(until, "until")
    elapsed = (end - start).value
    return float((elapsed + 0.5) / NANOSECONDS_PER_YEAR)

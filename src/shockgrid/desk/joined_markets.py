"""Markets between two markets: one's spots in the other, and both their listings together."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.contract import Backend
from shockgrid.carry import Dividends
from shockgrid.desk.moves import Moves, coins, moved, own_underlyings, with_coin_rates
from shockgrid.market import Instruments, Market, Underlyings
from shockgrid.market_series import series
from shockgrid.states import UNMOVED


def with_listings_of(market: Market, other: Market) -> Market:
    """The market with whatever only the other one lists, underlyings and instruments, as they are there."""
    names = market.underlyings
    fresh = np.flatnonzero(names.codes(other.underlyings.names) < 0)
    joined = _stacked(names, other.underlyings, fresh)
    order = np.argsort(joined.names.astype(str), kind="stable")
    underlyings = Underlyings(*(getattr(joined, column.name)[order] for column in fields(joined)))
    own, others = (underlyings.codes(part.names) for part in (names, other.underlyings))
    table = replace(market.instruments, underlyings=own[market.instruments.underlyings])
    unlisted = np.flatnonzero(_rows(market, other.instruments.symbols) < 0)
    foreign = replace(other.instruments, underlyings=others[other.instruments.underlyings])
    both = _stacked(table, foreign, unlisted)
    order = np.lexsort((both.symbols.astype(str), both.years, both.underlyings))
    paid, more = market.dividends, other.dividends
    kept = np.isin(more.underlyings, fresh)
    owners = np.append(own[paid.underlyings], others[more.underlyings[kept]])
    years, amounts = np.append(paid.years, more.years[kept]), np.append(paid.amounts, more.amounts[kept])
    dates = np.lexsort((years, owners))
    return replace(
        market,
        underlyings=underlyings,
        instruments=Instruments(*(getattr(both, column.name)[order] for column in fields(both))),
        dividends=Dividends(owners[dates], years[dates], amounts[dates]),
        fx={**other.fx, **market.fx},
    )


def with_spots_of(market: Market, other: Market) -> Market:
    """The market with the other's spots where both list an underlying; forwards and coins move with them."""
    place = other.underlyings.codes(market.underlyings.names)
    rows = np.flatnonzero(place >= 0)
    spots, none = other.underlyings.spots[place[rows]], np.zeros(0)
    undated = np.full(len(rows), np.datetime64("NaT", "ns"))
    moves = Moves(rows, spots, undated, none.astype(np.intp), none, none, undated[:0])
    return with_coin_rates(moved(market, moves, own_underlyings(market)), coins(market))


def with_vols_of(market: Market, other: Market) -> Market:
    """The market with the other's vols where both list an instrument."""
    place, table = _rows(other, market.instruments.symbols), market.instruments
    vols = np.where(place >= 0, np.append(other.instruments.vols, np.nan)[place], table.vols)
    return replace(market, instruments=replace(table, vols=vols))


def with_marks_shifted(market: Market, before: Market, backend: Backend) -> Market:
    """The market with the marks of ``before``, moved by as much as the model values have moved since."""
    place, table = _rows(before, market.instruments.symbols), market.instruments
    both = np.flatnonzero(place >= 0)
    old = table.coin_values(before.instruments.marks[place[both]], both)
    shift = _values(market, both, backend) - _values(before, place[both], backend)
    marks = table.marks.copy()
    marks[both] = table.coin_values(old + shift, both)
    return replace(market, instruments=replace(table, marks=marks))


def _values(market: Market, rows: Codes, backend: Backend) -> Floats:
    values: Floats = backend.get(backend.price(series(market, rows), UNMOVED))[0]
    return values


def _rows(market: Market, symbols: Any) -> Codes:
    return np.asarray(pd.Index(market.instruments.symbols).get_indexer(pd.Index(symbols)), np.intp)


def _stacked(first: Any, second: Any, rows: Codes) -> Any:
    """The columns of the first, with these rows of the second below them."""
    columns = (
        np.concatenate([getattr(first, column.name), getattr(second, column.name)[rows]])
        for column in fields(first)
    )
    return type(first)(*columns)

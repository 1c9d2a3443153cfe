"""The door for ticks: rows of new spots, quotes and vols, the bad ones turned away by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Mask
from shockgrid.backends.contract import Backend
from shockgrid.columns import LARGEST_PRICE, REJECT_COLUMNS, Door, joined_rejects
from shockgrid.desk.instants import stamp
from shockgrid.desk.moves import Moves
from shockgrid.desk.plain_ticks import PRICES, Directory, PlainTicks, as_frame, plain_ticks, tick_frame
from shockgrid.market import Market
from shockgrid.market_series import series
from shockgrid.quote_table import LARGEST_VOL
from shockgrid.symbols import canonical

OPTIONAL = ("symbol", "underlying", "spot", *PRICES, "quote_utc")
_NO_REJECTS = joined_rejects([])


class Ticks(NamedTuple):
    """The rows of one update that may be used."""

    moves: Moves
    rejects: pd.DataFrame
    late: int  #: rows older than what is known of their name, left out


def read_ticks(
    source: Any,
    market: Market,
    now: datetime,
    last: datetime | None = None,
    directory: Directory | None = None,
) -> Ticks:
    """Check the rows of an update against a market; of several rows of one name the last counts.

    A row names an ``underlying`` and its ``spot``, or a ``symbol`` and any of bid, ask, mark and vol (a spot
    beside it is that of its underlying). ``mark`` is the row's own, else the middle of bid and ask. ``now``
    is the market time of rows without a ``quote_utc``; a row later than ``last`` is turned away (E_AHEAD).
    ``source`` is a frame, or a mapping of columns of one length. ``directory`` is one that outlives the call.

    Raises
    ------
    InputError : a column is unknown, columns differ in length, one is a single value or an iterator, or text
        stands where a column of numbers is expected throughout.
    """
    source = tick_frame(source)
    plain = plain_ticks(source, market, directory or Directory())
    if plain is None or (last is not None and (plain.times > stamp(last, "at")).any()):
        return _checked(as_frame(source), market, now, last)
    every = np.ones(len(plain.owners), np.bool_)
    return _latest(plain, every, market, now, _NO_REJECTS)


def _checked(source: Any, market: Market, now: datetime, last: datetime | None) -> Ticks:
    """``read_ticks`` row by row, each fault by its name."""
    door = Door("ticks", source, required=(), optional=OPTIONAL, key=_key(source))
    given = door.instant("quote_utc")
    if last is not None:
        ahead = given > stamp(last, "at")
        door.reject(ahead, "quote_utc", "E_AHEAD", "expected no later than the update it came with")
    spots = door.number("spot", above=0.0, high=LARGEST_PRICE)
    bids, asks, marks = (door.number(name, low=0.0, high=LARGEST_PRICE) for name in PRICES[:3])
    vols = door.number("vol", low=0.0, high=LARGEST_VOL)
    owners, quoted = _named(door, market)
    vols = np.where(np.append(market.instruments.is_option, False)[quoted], vols, np.nan)
    two_sided = (asks >= bids) & (asks > 0.0)
    door.reject(bids > asks, "bid", "E_CROSSED", "bid above ask")
    door.flag(two_sided & (bids == 0.0) & np.isnan(marks), "bid", "W_NO_BID", "half the ask is the mark")
    marks = np.where(np.isnan(marks) & two_sided, 0.5 * (bids + asks), marks)
    own = ~np.isnan(marks) | ~np.isnan(vols)
    door.reject(own & (quoted < 0), "symbol", "E_INSTRUMENT", "expected a symbol of the market")
    door.reject(
        ~own & np.isnan(spots), "spot", "E_NONFINITE", "expected a finite spot, mark or vol, found none"
    )
    worthless = own & (quoted >= 0) & (marks == 0.0) & _coin_futures(market)[quoted]
    door.reject(worthless, "mark", "E_RANGE", "the price of an inverse future must be > 0")
    rows = PlainTicks(owners, quoted, spots, marks, vols, given)
    return _latest(rows, ~door.bad, market, now, door.rejects())


def _latest(rows: PlainTicks, known: Mask, market: Market, now: datetime, rejects: pd.DataFrame) -> Ticks:
    """The rows that may be used, of each name the last."""
    times = np.where(np.isnat(rows.times), stamp(now, "time"), rows.times)
    own = ~np.isnan(rows.marks) | ~np.isnan(rows.vols)
    spot_rows, spot_late = _last(
        known & ~np.isnan(rows.spots), rows.owners, rows.times, market.underlyings.spot_times
    )
    quotes, late = _last(known & own, rows.quoted, rows.times, market.instruments.quote_times)
    moves = Moves(
        rows.owners[spot_rows],
        rows.spots[spot_rows],
        times[spot_rows],
        rows.quoted[quotes],
        rows.marks[quotes],
        rows.vols[quotes],
        times[quotes],
    )
    return Ticks(moves, rejects, spot_late + late)


def implied(moves: Moves, market: Market, backend: Backend) -> tuple[Moves, NDArray[np.str_]]:
    """The moves with the vols of options that come with a mark alone, implied in ``market`` (the moved one).

    Beside them the reason where a mark has no vol, "" elsewhere: such an option keeps its last vol.
    """
    table = market.instruments
    reasons = np.full(len(moves.instruments), "", "U15")
    if not len(reasons):
        return moves, reasons
    blank = np.isnan(moves.vols) & ~np.isnan(moves.marks)
    wanted = np.flatnonzero(
        blank & table.is_option[moves.instruments] & (table.years[moves.instruments] > 0.0)
    )
    if len(wanted) == 0:
        return moves, reasons
    rows = moves.instruments[wanted]
    found, why = (backend.get(part) for part in backend.implied(series(market, rows), table.marks[rows]))
    vols = moves.vols.copy()
    vols[wanted] = np.where(why == "", found, np.nan)
    reasons[wanted] = why
    return replace(moves, vols=vols), reasons


def kept_vols(moves: Moves, reasons: NDArray[np.str_], market: Market) -> pd.DataFrame:
    """A flag (W_VOL_KEPT) for every mark without a vol."""
    rows = np.flatnonzero(reasons != "")
    columns = {
        "table": "ticks",
        "line": 0,
        "key": market.instruments.symbols[moves.instruments[rows]],
        "column": "mark",
        "value": [f"{mark:.17g}" for mark in market.instruments.marks[moves.instruments[rows]]],
        "code": "W_VOL_KEPT",
        "message": [f"{reason}: its last vol is kept" for reason in reasons[rows]],
    }
    return pd.DataFrame(columns, columns=list(REJECT_COLUMNS))


def latest(moves: Moves) -> datetime | None:
    """The latest time of any row, None where none has one."""
    times = np.concatenate([moves.spot_times, moves.quote_times])
    times = times[~np.isnat(times)]
    return times.max().astype("datetime64[us]").item().replace(tzinfo=UTC) if len(times) else None


def _key(source: Any) -> str:
    return "underlying" if "symbol" not in getattr(source, "columns", ()) else "symbol"


def _named(door: Door, market: Market) -> tuple[Codes, Codes]:
    """The underlying and the instrument each row names, -1 for none."""
    names, symbols = door.text("underlying"), door.text("symbol")
    owners, quoted = market.underlyings.codes(names), np.full(len(door), -1, np.intp)
    if door.has("symbol"):
        symbols = canonical(symbols)
        quoted = np.asarray(pd.Index(market.instruments.symbols).get_indexer(pd.Index(symbols)), np.intp)
    door.reject((names != "") & (owners < 0), "underlying", "E_UNDERLYING", "expected a name of the market")
    door.reject((symbols != "") & (quoted < 0), "symbol", "E_INSTRUMENT", "expected a symbol of the market")
    nobody = (names == "") & (symbols == "")
    door.reject(nobody, "symbol", "E_MISSING", "expected a symbol or an underlying, found neither")
    if len(market.instruments.symbols):
        owners = np.where((owners < 0) & (quoted >= 0), market.instruments.underlyings[quoted], owners)
    return owners, quoted


def _last(
    good: Mask, codes: Codes, times: NDArray[np.datetime64], known: NDArray[np.datetime64]
) -> tuple[Codes, int]:
    """The last good row of each code that is no older than what is known of it, and how many are older."""
    rows = np.flatnonzero(good)
    if not len(rows):
        return rows, 0
    late = times[rows] < known[codes[rows]]  # NaT is neither
    rows = rows[~late]
    if len(rows) < 2:
        return rows, int(late.sum())
    _, last = np.unique(codes[rows][::-1], return_index=True)
    return rows[::-1][last], int(late.sum())


def _coin_futures(market: Market) -> Mask:
    table = market.instruments
    return np.append(table.inverse & ~table.is_option, False)

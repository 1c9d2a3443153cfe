"""The quotes table: bids, asks, marks and vols as they stand there, and the times of quotes and spots."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Floats
from shockgrid.columns import LARGEST_PRICE, Door
from shockgrid.symbols import canonical

LARGEST_PLAUSIBLE_VOL = 5.0  #: a column of vols with a median above 500 % is a column of per cents
LARGEST_VOL = 1e6  #: beyond it a shocked vol could overflow
PLAUSIBLE_VOLS = (0.01, 5.0)  #: a single vol outside is flagged, never turned away
CROSSED = "bid above ask, the mid is not used"
_COLUMNS = ("bid", "ask", "mark", "vol", "quote_utc", "open_interest", "volume")


def read_quotes(source: Any, as_of: np.datetime64, max_age: timedelta | None) -> tuple[pd.DataFrame, Door]:
    """The good rows with their symbol, mark, vol, quote_time, price_fault and quote_line, and the door.

    ``mark`` is the row's own, else the middle of bid and ask. ``price_fault`` says why there is none:
    ``crossed`` (bid above ask) or ``no_quote`` (not both sides, or an ask of 0); "" where there is one. Such
    a row is no fault of its instrument: it keeps its vol, or gets one from the nearest series.
    """
    door = Door("quotes", source, required=("symbol",), optional=_COLUMNS, key="symbol")
    symbols = canonical_symbols(door).to_numpy(object)
    bids, asks, marks = (door.number(name, low=0.0, high=LARGEST_PRICE) for name in ("bid", "ask", "mark"))
    vols = door.number("vol", low=0.0, high=LARGEST_VOL)
    for column in ("open_interest", "volume"):
        door.number(column, low=0.0)
    times = door.instant("quote_utc")
    door.refuse_per_cent("vol", vols, LARGEST_PLAUSIBLE_VOL)
    flag_vols(door, vols)
    crossed = bids > asks
    door.flag(crossed, "bid", "W_CROSSED", CROSSED)
    flag_age(door, "quote_utc", times, as_of, max_age)
    door.unique(symbols, "symbol")
    two_sided = (asks >= bids) & (asks > 0.0)
    empty = np.isnan(marks) & np.isnan(vols)
    message = "nobody bids, the middle of 0 and the ask is used"
    door.flag(two_sided & (bids == 0.0) & empty, "bid", "W_NO_BID", message)
    marks = np.where(np.isnan(marks) & two_sided, 0.5 * (bids + asks), marks)
    faults = np.select([~np.isnan(marks), crossed], ["", "crossed"], "no_quote").astype(object)
    table = {"symbol": symbols, "mark": marks, "vol": vols, "quote_time": times, "price_fault": faults}
    return pd.DataFrame({**table, "quote_line": door.lines})[~door.bad], door


def canonical_symbols(door: Door) -> pd.Series:
    """The canonical symbol of every row."""
    return pd.Series(canonical(door.text("symbol")), dtype=object)


def flag_vols(door: Door, vols: Floats) -> None:
    """Flag vols [rows of the door] outside ``PLAUSIBLE_VOLS`` (W_VOL); they are used as they are."""
    low, high = PLAUSIBLE_VOLS
    odd = np.isfinite(vols) & ((vols < low) | (vols > high))
    door.flag(odd, "vol", "W_VOL", f"outside {low * 100:g} % .. {high * 100:g} %, used as it is")


def flag_age(
    door: Door,
    column: str,
    times: NDArray[np.datetime64],
    as_of: np.datetime64,
    max_age: timedelta | None,
) -> None:
    """Flag times (UTC, [rows of the door]) further than ``max_age`` from ``as_of``, before or after it, as
    W_STALE, and other times after it as W_AHEAD. NaT, and any time where ``max_age`` is None, passes."""
    if max_age is None:
        return
    limit, minutes = max_age / timedelta(minutes=1), minutes_between(times, as_of)
    stale = np.abs(minutes) > limit
    door.flag(stale, column, "W_STALE", f"expected within {limit:g} minutes of as_of; used as last known")
    door.flag((minutes < 0.0) & ~stale, column, "W_AHEAD", "expected no later than as_of; used as it is")


def minutes_between(start: Any, end: Any) -> Floats:
    """Minutes from ``start`` to ``end`` (datetime64, broadcast); NaN for NaT."""
    return np.asarray((end - start) / np.timedelta64(1, "m"), np.float64)

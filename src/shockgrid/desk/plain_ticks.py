"""The usual tick: rows with nothing odd about them, read as a few columns without going through the door."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray

from shockgrid.arrays import Codes, Floats, Texts
from shockgrid.cells import instants
from shockgrid.columns import LARGEST_PRICE, frame_of
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.quote_table import LARGEST_VOL

PRICES = ("bid", "ask", "mark", "vol")
NAMES = ("underlying", "symbol")
TIME = "quote_utc"
#: Of each column of numbers the largest, and whether 0 is one of them.
LIMITS = {
    "spot": (LARGEST_PRICE, False),
    **dict.fromkeys(PRICES[:3], (LARGEST_PRICE, True)),
    "vol": (LARGEST_VOL, True),
}


class PlainTicks(NamedTuple):
    """Good rows alone; what a row has not is NaN."""

    owners: Codes  #: underlying of each row
    quoted: Codes  #: instrument of each row, -1 where it names an underlying
    spots: Floats
    marks: Floats
    vols: Floats
    times: NDArray[np.datetime64]  #: UTC, NaT where it has none


class Directory:
    """Where names stand among those of a market, looked up again and again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Texts, dict[Any, int]]] = {}

    def find(self, kind: str, names: Texts, wanted: list[Any]) -> Codes:
        """Place of each among ``names``, -1 where it is not there; TypeError for what no name can be."""
        known = self._known.get(kind)
        if known is None or known[0] is not names:
            known = self._known[kind] = names, dict(zip(names.tolist(), range(len(names)), strict=True))
        return np.fromiter(map(known[1].get, wanted, repeat(-1)), np.intp, len(wanted))


def tick_frame(source: Any) -> Any:
    """Rows of ticks as a DataFrame; a mapping of columns, each as long as the others, stays what it is."""
    return source if isinstance(source, Mapping) else frame_of(source, "ticks")


def as_frame(source: Any) -> Any:
    """The same as a DataFrame, row by row whatever labels a column has.

    Raises InputError where columns are not of one length, or one is no column.
    """
    if not isinstance(source, Mapping):
        return source
    columns = {}
    for name, column in source.items():
        if not _is_column(column):
            problem = "expected columns of one length"
            raise InputError(problem, table="ticks", column=str(name), value=repr(column)[:60])
        columns[name] = column.array if isinstance(column, pd.Series) else column
    try:
        return pd.DataFrame(columns)
    except ValueError as error:
        problem = f"expected columns of one length: {error}"
        raise InputError(problem, table="ticks") from error


def plain_ticks(source: Any, market: Market, directory: Directory) -> PlainTicks | None:
    """The rows of an update that are all good and say nothing unusual, else None: then ``read_ticks`` looks.

    Usual are rows that all name an underlying and its spot, or all name a symbol with bid and ask, mark or
    vol, and perhaps their times: finite numbers in their ranges, names as the market spells them.
    """
    pairs = list(source.items())
    columns = dict(pairs)
    times = columns.pop(TIME, None)
    named = [name for name in columns if name in NAMES]
    if len(named) != 1 or len(columns) < 2 or len(columns) + (times is not None) < len(pairs):
        return None
    if not _is_column(columns[named[0]]):
        return None
    numbers = dict[str, Floats]()
    for name, column in pairs:
        if name in LIMITS:
            values = _number(column, *LIMITS[name])
            if values is not None:
                numbers[name] = values
    wanted = list(columns[named[0]])
    read = np.full(len(wanted), np.datetime64("NaT", "ns")) if times is None else _times(times)
    if read is None:
        return None
    lengths = {len(wanted), len(read), *(len(values) for values in numbers.values())}
    if len(numbers) < len(columns) - 1 or len(lengths) > 1 or not wanted:
        return None
    names = market.underlyings.names if named[0] == "underlying" else market.instruments.symbols
    try:
        places = directory.find(named[0], names, wanted)
    except TypeError:
        return None
    if (places < 0).any():
        return None
    if named[0] == "symbol":
        return _quotes(places, numbers, read, market)
    if numbers.keys() != {"spot"}:
        return None
    blank = np.full(len(wanted), np.nan)
    return PlainTicks(places, np.full(len(wanted), -1, np.intp), numbers["spot"], blank, blank, read)


def _is_column(column: Any) -> bool:
    return isinstance(column, Sized) and not isinstance(column, str)


def _quotes(
    places: Codes, numbers: Mapping[str, Floats], times: NDArray[np.datetime64], market: Market
) -> PlainTicks | None:
    table, blank = market.instruments, np.full(len(places), np.nan)
    marks, bids, asks = (numbers.get(name) for name in ("mark", "bid", "ask"))
    if (bids is None) != (asks is None):
        return None
    if bids is not None and asks is not None:
        if not ((bids <= asks) & (bids > 0.0)).all():
            return None
        marks = 0.5 * (bids + asks) if marks is None else marks
    options = table.is_option[places]
    if marks is None:
        if not options.all() or "vol" not in numbers:
            return None
        marks = blank
    elif (marks == 0.0).any():
        return None
    vols = np.where(options, numbers.get("vol", blank), np.nan)
    return PlainTicks(table.underlyings[places], places, numbers.get("spot", blank), marks, vols, times)


def _times(column: Any) -> NDArray[np.datetime64] | None:
    """A column of instants; None where one cannot be read."""
    values = column.array if isinstance(column, pd.Series | pd.Index) else column
    if not isinstance(values, list | tuple | np.ndarray | ExtensionArray) or getattr(values, "ndim", 1) != 1:
        return None
    times, _, garbled = instants(pd.Series(values))
    return None if garbled.any() else times


def _number(column: Any, most: float, zero: bool) -> Floats | None:
    """A column of numbers that are all finite and within their limits; None where one is not."""
    values = np.asanyarray(column)
    if isinstance(values, np.ma.MaskedArray) or values.ndim != 1 or values.dtype.kind not in "fiu":
        return None
    values = values.astype(np.float64, copy=False)
    inside = (values >= 0.0 if zero else values > 0.0) & (values <= most)  # NaN is not
    return values if inside.all() else None

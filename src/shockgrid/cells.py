"""Reading the cells of a column: each distinct value once, however often it stands there."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask, Texts

_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf|infinity)", re.IGNORECASE | re.ASCII
)
_GOOD, _BLANK, _GARBLED = range(3)
_PLAIN = (str, int, float, Decimal, date, type(None))
LONGEST_SHOWN = 200
LENGTH_OF_DATE = len("2026-02-20")
EARLIEST, LATEST = pd.Timestamp("1900-01-01", tz="UTC"), pd.Timestamp("2200-01-01", tz="UTC")


def texts(series: pd.Series) -> tuple[Texts, Mask]:
    """Stripped text of every row ("" where there is none), and which rows hold something else than text."""
    codes, found = _distinct(series)
    words = [value.strip() if _is_text(value) else "" for value in found]
    strange = [not _is_text(value) for value in found]
    return np.array([*words, ""], object)[codes], np.array([*strange, False], bool)[codes]


def numbers(series: pd.Series) -> tuple[Floats, Mask, Mask]:
    """Values, blank mask and garbled mask of a column of numbers or of text that holds numbers."""
    if pd.api.types.is_bool_dtype(series) or pd.api.types.is_complex_dtype(series):
        return np.full(len(series), np.nan), np.zeros(len(series), bool), np.ones(len(series), bool)
    if pd.api.types.is_numeric_dtype(series):
        values = series.to_numpy(np.float64, na_value=np.nan)
        return values, np.isnan(values), np.zeros(len(series), bool)
    codes, found = _distinct(series)
    read = [*(_number(value) for value in found), (np.nan, _BLANK)]
    states = np.array([state for _, state in read], np.int8)[codes]
    if not all(isinstance(value, str) for value in found):  # True is 1 to whoever counts distinct values
        states[series.map(lambda cell: isinstance(cell, bool)).to_numpy(bool)] = _GARBLED
    return np.array([value for value, _ in read], np.float64)[codes], states == _BLANK, states == _GARBLED


def instants(series: pd.Series) -> tuple[NDArray[np.datetime64], Mask, Mask]:
    """UTC datetime64[ns], blank mask and garbled mask; ISO 8601 from 1900 to 2199, UTC without a zone."""
    if pd.api.types.is_numeric_dtype(series):
        blank = series.isna().to_numpy(bool)
        return np.full(len(series), np.datetime64("NaT", "ns")), blank, ~blank
    if isinstance(series.dtype, np.dtype | pd.DatetimeTZDtype) and series.dtype.kind == "M":
        return _times(series)
    codes, found = _distinct(series)
    words = [str(value).strip() if _is_text(value) or isinstance(value, date) else "?" for value in found]
    read = pd.to_datetime(pd.Series(words, dtype=object), utc=True, errors="coerce", format="ISO8601")
    read = read.where((read >= EARLIEST) & (read < LATEST))
    stamps = np.append(read.dt.tz_convert(None).to_numpy("datetime64[ns]"), np.datetime64("NaT", "ns"))[codes]
    blank = np.array([*(word == "" for word in words), True], bool)[codes]
    return stamps, blank, np.isnat(stamps) & ~blank


def _times(series: pd.Series) -> tuple[NDArray[np.datetime64], Mask, Mask]:
    """``instants`` of a column of times, with a zone or in UTC."""
    zoned = series.dt.tz_localize("UTC") if series.dt.tz is None else series
    inside = ((zoned >= EARLIEST) & (zoned < LATEST)).to_numpy(bool)
    stamps = zoned.where(inside).dt.tz_convert(None).to_numpy("datetime64[ns]")
    blank = series.isna().to_numpy(bool)
    return stamps, blank, ~inside & ~blank


def without_time(series: pd.Series) -> Mask:
    """Which cells are a date alone, as text or as a date."""
    if pd.api.types.is_datetime64_any_dtype(series):
        return np.zeros(len(series), bool)
    codes, found = _distinct(series)
    bare = [
        1 <= len(value.strip()) <= LENGTH_OF_DATE
        if isinstance(value, str)
        else isinstance(value, date) and not isinstance(value, datetime)
        for value in found
    ]
    return np.array([*bare, False], bool)[codes]


def shown(value: object) -> str:
    """A cell as it is shown in a reject: its text, cut to a length one can read."""
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    huge = isinstance(value, int) and value.bit_length() > 4 * LONGEST_SHOWN
    text = hex(value) if huge and isinstance(value, int) else str(value)
    return text[:LONGEST_SHOWN].encode("utf-8", "backslashreplace").decode("utf-8")


def _distinct(series: pd.Series) -> tuple[Codes, list[Any]]:
    """Code of every row, -1 where nothing is there, and the distinct values."""
    try:
        codes, found = pd.factorize(series)
    except TypeError:  # a cell that cannot be hashed, such as a list
        codes, found = pd.factorize(series.map(lambda cell: cell if isinstance(cell, _PLAIN) else type(cell)))
    return codes, list(found)


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return value.isascii() or bool(value.encode("utf-8"))
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _number(value: object) -> tuple[float, int]:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return np.nan, _BLANK
        return (float(text), _GOOD) if _NUMBER.fullmatch(text) else (np.nan, _GARBLED)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | np.integer | np.floating):
        return np.nan, _GARBLED
    try:
        return float(value), _GOOD
    except OverflowError:
        return np.inf, _GOOD

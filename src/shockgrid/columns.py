"""The door: turns a frame of text or numbers into checked columns, and bad rows into rejects."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Floats, Mask, Texts
from shockgrid.cells import instants, numbers, shown, texts
from shockgrid.errors import InputError

Keys: TypeAlias = Texts | NDArray[np.int64]

REJECT_COLUMNS = ("table", "line", "key", "column", "value", "code", "message")
LINE_COLUMN = "_line"
LARGEST_PRICE, LARGEST_CASH = 1e12, 1e15  #: a cell beyond is a typing error, and sums of such could overflow
_NO_REJECTS = pd.DataFrame({column: pd.Series(dtype=object) for column in REJECT_COLUMNS}).astype(
    {"line": np.int64}
)
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no", "")


def frame_of(source: Any, table: str) -> pd.DataFrame:
    """A DataFrame as it is, or any object that speaks the Arrow PyCapsule stream, as a DataFrame."""
    if isinstance(source, pd.DataFrame):
        return source
    problem = "expected a DataFrame or a table with __arrow_c_stream__"
    if not hasattr(source, "__arrow_c_stream__"):
        raise InputError(problem, table=table, value=type(source).__name__)
    import pyarrow as pa  # type: ignore[import-untyped]

    try:
        frame: pd.DataFrame = pa.table(source).to_pandas()
    except (pa.ArrowException, TypeError, ValueError) as error:
        msg = f"{problem}: {error}"
        raise InputError(msg, table=table, value=type(source).__name__) from error
    return frame


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, read-only from now on."""
    array.setflags(write=False)
    return array


class Door:
    """Checks one table column by column and remembers every row it turns away.

    ``bad`` is the mask of rejected rows, ``codes`` their reasons; the arrays returned by the readers keep
    all rows, with a harmless value where the row is bad, so that masks stay aligned. A table-wide fault
    raises InputError.
    """

    def __init__(
        self, table: str, source: Any, *, required: Sequence[str], optional: Sequence[str] = (), key: str
    ) -> None:
        frame = frame_of(source, table)
        known = [*required, *optional, LINE_COLUMN]
        for column in frame.columns:
            if column not in known:
                near = difflib.get_close_matches(str(column), known, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                problem = f"unknown column, expected {', '.join(known[:-1])}{hint}"
                raise InputError(problem, table=table, column=str(column))
        for column in required:
            if column not in frame.columns:
                msg = "required column is missing"
                raise InputError(msg, table=table, column=column)
        if frame.columns.has_duplicates:
            msg = "a column name appears twice"
            raise InputError(msg, table=table)
        self.table, self.frame, self.required, self._key = table, frame, required, key
        rows = len(frame)
        self.lines: NDArray[np.int64] = (
            frame[LINE_COLUMN].to_numpy(np.int64) if LINE_COLUMN in frame.columns else np.arange(rows) + 2
        )
        self.bad: Mask = np.zeros(rows, bool)
        self.codes: Texts = np.full(rows, "", object)
        self._found: list[pd.DataFrame] = []

    def __len__(self) -> int:
        return len(self.frame)

    def has(self, column: str) -> bool:
        """Whether the table carries this optional column."""
        return column in self.frame.columns

    def _note(self, mask: Mask, column: str, code: str, message: str | Texts) -> None:
        rows = np.flatnonzero(mask)
        if len(rows) == 0:
            return
        values = self.frame[column].iloc[rows] if self.has(column) else [""] * len(rows)
        keys = self.frame[self._key].iloc[rows] if self.has(self._key) else [""] * len(rows)
        columns = {
            "table": self.table,
            "line": self.lines[rows],
            "key": [shown(key) for key in keys],
            "column": column,
            "value": [shown(value) for value in values],
            "code": code,
            "message": message if isinstance(message, str) else message[rows],
        }
        self._found.append(pd.DataFrame(columns, columns=list(REJECT_COLUMNS)))

    def reject(self, mask: Mask, column: str, code: str, message: str | Texts) -> None:
        """Turn rows away; a row already turned away keeps its first reason."""
        fresh = mask & ~self.bad
        self._note(fresh, column, code, message)
        self.bad |= fresh
        self.codes[fresh] = code

    def flag(self, mask: Mask, column: str, code: str, message: str) -> None:
        """Record a warning (code W_...) about rows that stay in use."""
        self._note(mask & ~self.bad, column, code, message)

    def refuse_per_cent(self, column: str, values: Floats, largest: float) -> None:
        """Refuse the table where the median size of the finite values is above ``largest``."""
        given = np.abs(values[np.isfinite(values)])
        if len(given) and float(np.median(given)) > largest:
            problem = "looks like per cent, expected decimals (0.25 is 25 %)"
            shown_median = f"median {np.median(given):g}"
            raise InputError(problem, table=self.table, column=column, value=shown_median)

    def text(self, column: str, default: str = "") -> Texts:
        """Stripped text; blank becomes ``default``, or a reject in a required column."""
        if not self.has(column):
            return np.full(len(self), default, object)
        series = self.frame[column]
        given = series.notna().to_numpy(bool)
        values, strange = texts(series)
        if given.any() and strange[given].all():
            problem = "expected text; a column of numbers has lost leading zeros"
            raise InputError(problem, table=self.table, column=column, value=shown(series[given].iloc[0]))
        self.reject(strange, column, "E_TYPE", "expected text; a number has lost leading zeros")
        blank = values == ""
        if column in self.required:
            self.reject(blank, column, "E_MISSING", "expected text, found nothing")
        return np.where(blank, default, values)

    def choice(self, column: str, choices: Sequence[str], default: str = "") -> Texts:
        """Text that must be one of ``choices`` (case folded); ``default`` where it is not."""
        codes, found = pd.factorize(self.text(column, default))
        folded = np.array([str(word).lower() for word in found], object)
        allowed = np.array([word in (*choices, default) for word in folded], bool)
        self.reject(~allowed[codes], column, "E_CHOICE", f"expected one of {', '.join(choices)}")
        return np.where(allowed, folded, default).astype(object)[codes]

    def boolean(self, column: str) -> Mask:
        """True or false; blank is false."""
        given = self.frame[column].convert_dtypes() if self.has(column) else None
        if given is not None and pd.api.types.is_bool_dtype(given):
            return given.fillna(False).to_numpy(bool)
        values = self.choice(column, [*_TRUE, *_FALSE[:-1]])
        return np.isin(values.astype(str), _TRUE)

    def number(
        self,
        column: str,
        *,
        default: float = np.nan,
        low: float = -np.inf,
        high: float = np.inf,
        above: float = -np.inf,
    ) -> Floats:
        """float64 in [low, high] and > above; blank becomes ``default``, or a reject if required."""
        if not self.has(column):
            return np.full(len(self), default)
        values, blank, garbled = numbers(self.frame[column])
        if column in self.required:
            numeric = pd.api.types.is_numeric_dtype(self.frame[column])
            code = "E_NONFINITE" if numeric else "E_MISSING"
            self.reject(blank, column, code, "expected a number, found nothing")
        self.reject(garbled, column, "E_TYPE", "expected a number")
        given = ~blank & ~garbled
        self.reject(given & ~np.isfinite(values), column, "E_NONFINITE", "expected a finite number")
        outside = given & ~((values >= low) & (values <= high) & (values > above))
        bounds = [f">= {low:g}"] * (low > -np.inf) + [f"> {above:g}"] * (above > -np.inf)
        bounds += [f"<= {high:g}"] * (high < np.inf)
        self.reject(outside, column, "E_RANGE", f"expected a number {' and '.join(bounds)}")
        unusable = blank | garbled | outside | ~np.isfinite(values)
        return np.where(unusable, default, values)

    def instant(self, column: str) -> NDArray[np.datetime64]:
        """ISO 8601 instants as UTC datetime64[ns]; an instant without a zone is UTC; blank is NaT."""
        if not self.has(column):
            return np.full(len(self), np.datetime64("NaT", "ns"))
        stamps, blank, garbled = instants(self.frame[column])
        self.reject(garbled, column, "E_TYPE", "expected an ISO 8601 instant between 1900 and 2199")
        if column in self.required:
            self.reject(blank, column, "E_MISSING", "expected an instant, found nothing")
        return stamps

    def unique(self, keys: Keys, column: str) -> None:
        """Reject every row whose key stood in an earlier good row, naming that row's line."""
        good = np.flatnonzero(~self.bad)
        kept = pd.Series(keys[good])
        repeated = kept.duplicated(keep="first").to_numpy()
        if not repeated.any():
            return
        first = pd.Series(self.lines[good][~repeated], index=kept[~repeated].to_numpy())
        messages = np.full(len(self), "", object)
        lines = first.loc[kept[repeated].to_numpy()].to_numpy()
        messages[good[repeated]] = [f"already given on line {line}" for line in lines]
        mask = np.zeros(len(self), bool)
        mask[good[repeated]] = True
        self.reject(mask, column, "E_DUPLICATE", messages)

    def rejects(self) -> pd.DataFrame:
        """All rejects and flags of this table, by line."""
        if not self._found:
            return joined_rejects([])
        return joined_rejects(self._found).sort_values("line", kind="stable", ignore_index=True)


def joined_rejects(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Reject frames one after another; an empty one with the right columns when there are none."""
    found = [frame for frame in frames if len(frame)]
    if found:
        return pd.concat(found, ignore_index=True)
    return _NO_REJECTS.copy()

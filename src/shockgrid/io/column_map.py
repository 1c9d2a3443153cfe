"""Column maps: a user's own file made canonical by a TOML file, before any row is checked.

One section per canonical table::

    [positions]
    file = "export.csv"                      # optional; default positions.csv or positions.parquet
    filter = { levelOfDetail = "SUMMARY" }   # keep the rows whose column holds exactly this text
    rename = { accountId = "account", position = "quantity" }
    scale = { price_paid = 0.01 }            # canonical column = cell x factor (cents, per cent, ...)
    constants = { currency = "USD" }         # a canonical column the file does not have

Filter and rename speak of the file's own columns, scale and constants of canonical ones. A column that
is not canonical after renaming is left out and named in the notes.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from shockgrid.errors import ParameterError
from shockgrid.io.refusal import refusal
from shockgrid.io.schema import TABLES

LINE = "_line"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


@dataclass(frozen=True)
class TableMap:
    """How one file becomes one canonical table."""

    file: str = ""
    filter: Mapping[str, str] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ColumnMap:
    """Table maps by canonical table name; ``path`` is the file they came from."""

    path: Path
    tables: Mapping[str, TableMap]

    @classmethod
    def from_toml(cls, path: Path) -> ColumnMap:
        """Read MAP.toml.

        Raises
        ------
        ParameterError : not TOML, or an entry of the wrong name or type; names its path in the file.
        """
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            problem = f"{path}: cannot be read: {error}"
            raise ParameterError(problem) from error
        return cls(path, {name: _table_map(path, name, entry) for name, entry in document.items()})

    def table_of(self, file: str) -> str:
        """The canonical table a file of this name holds, ``""`` when the map does not name the file."""
        return next((name for name, table in self.tables.items() if table.file == file), "")

    def apply(self, name: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """The canonical frame, and notes on what was left out; ``_line`` stays with each row."""
        if name not in self.tables:
            return frame, []
        table, notes = self.tables[name], list[str]()
        for column, wanted in table.filter.items():
            self._require(frame, name, "filter", column)
            kept = frame[frame[column].astype("str") == wanted]
            if len(kept) == 0 < len(frame):
                raise self._error(name, f"filter.{column}", f"no row has {wanted!r}")
            if len(kept) < len(frame):
                notes.append(f"{name}: {len(frame) - len(kept)} rows left out, {column} is not {wanted!r}")
            frame = kept.reset_index(drop=True)
        frame = self._renamed(name, table, frame)
        known = [*TABLES[name].names(), LINE]
        others = [str(column) for column in frame.columns if column not in known]
        if others:
            notes.append(f"{name}: columns not used: {', '.join(others)}")
        frame = frame[[column for column in frame.columns if column in known]].copy()
        for column, factor in table.scale.items():
            self._require(frame, name, "scale", column)
            frame[column] = _scaled(name, frame[column], factor)
        for column, text in table.constants.items():
            if column in frame.columns:
                raise self._error(name, f"constants.{column}", "the file already has this column")
            frame[column] = text
        return frame, notes

    def _renamed(self, name: str, table: TableMap, frame: pd.DataFrame) -> pd.DataFrame:
        for column in table.rename:
            self._require(frame, name, "rename", column)
        renamed = frame.rename(columns=dict(table.rename))
        for source, target in table.rename.items():
            if list(renamed.columns).count(target) > 1:
                raise self._error(name, f"rename.{source}", f"two columns would be called {target}")
        return renamed

    def _require(self, frame: pd.DataFrame, name: str, part: str, column: str) -> None:
        if column not in frame.columns:
            found = ", ".join(str(item) for item in frame.columns if item != LINE)
            raise self._error(name, f"{part}.{column}", f"no such column; the file has {found}")

    def _error(self, name: str, place: str, problem: str) -> ParameterError:
        return ParameterError(f"{self.path}: {name}.{place}: {problem}")


def _table_map(path: Path, name: str, entry: Any) -> TableMap:
    if name not in TABLES:
        problem = f"{path}: {name}: no canonical table; expected one of {', '.join(TABLES)}"
        raise ParameterError(problem)
    if not isinstance(entry, dict):
        problem = f"{path}: {name}: expected a table of file, filter, rename, scale, constants"
        raise ParameterError(problem)
    parts: dict[str, Any] = {}
    for part, value in entry.items():
        place = f"{path}: {name}.{part}"
        if part == "file":
            if not isinstance(value, str) or Path(value).name != value:
                problem = f"{place}: expected the name of a file beside the other tables (got {value!r})"
                raise ParameterError(problem)
            parts[part] = value
        elif part in ("filter", "rename", "scale", "constants") and isinstance(value, dict):
            parts[part] = {
                key: _entry(f"{place}.{key}", name, part, key, item) for key, item in value.items()
            }
        else:
            problem = f"{place}: expected file, or a table called filter, rename, scale or constants"
            raise ParameterError(problem)
    return TableMap(**parts)


def _entry(place: str, name: str, part: str, key: str, value: Any) -> str | float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    canonical = value if part == "rename" else key
    if part != "filter" and canonical not in TABLES[name].names():
        problem = f"{place}: {canonical!r} is no column of {name}; expected {', '.join(TABLES[name].names())}"
        raise ParameterError(problem)
    if part == "scale":
        if not number or not math.isfinite(value) or value == 0.0:
            problem = f"{place}: expected a finite number other than 0 (got {value!r})"
            raise ParameterError(problem)
        return float(value)
    if part == "constants" and number:
        return repr(value)
    if not isinstance(value, str):
        problem = f"{place}: expected text in quotes (got {value!r})"
        raise ParameterError(problem)
    return value


def _scaled(name: str, cells: pd.Series[Any], factor: float) -> pd.Series[Any]:
    """Cells times a factor; text that is no number stays as it is, for the door to turn away by its line."""
    if pd.api.types.is_numeric_dtype(cells):
        return cells * factor
    try:
        texts = pc.utf8_trim_whitespace(pa.array(cells, type=pa.string()))
    except pa.ArrowException as error:
        raise refusal(name, "expected numbers or text", column=str(cells.name)) from error
    numeric = pc.match_substring_regex(texts, _NUMBER)
    bare = pc.replace_substring_regex(pc.if_else(numeric, texts, None), r"^\+", "")
    scaled = pc.multiply(bare.cast(pa.float64()), factor).cast(pa.string())
    return pd.Series(pc.if_else(numeric, scaled, texts).to_pandas(), index=cells.index, name=cells.name)

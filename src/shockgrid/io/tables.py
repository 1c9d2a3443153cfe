"""Canonical tables in a folder, as CSV or Parquet, to frames, a Market or a Book."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from shockgrid.book import Book
from shockgrid.doors import refused, require_kind
from shockgrid.errors import InputError
from shockgrid.io.column_map import ColumnMap
from shockgrid.io.csv_files import read_csv
from shockgrid.io.parquet_files import read_parquet, write_parquet
from shockgrid.io.refusal import refusal
from shockgrid.io.schema import TABLES, tables_of
from shockgrid.market import Market

MARKET_TOML = "market.toml"
POLICY_TOML = "policy.toml"
SUFFIXES = (".csv", ".parquet")
MAX_AGE = "max_age_minutes"
LARGEST_MAX_AGE = 1e9  #: minutes; 1,900 years
_SETTINGS = ("as_of", "base_currency", MAX_AGE)


class MarketSettings(NamedTuple):
    """What market.toml says, as ``Market.from_frames`` takes it."""

    as_of: datetime  #: with its zone
    base_currency: str
    max_age: timedelta | None  #: ``max_age_minutes``, a number above 0; None where it is not given


@dataclass
class Sources:
    """What reading found: the files that were read, and notes on rows and columns a map left out."""

    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_file(path: Path) -> pd.DataFrame:
    """Read one table, CSV (all text, with ``_line``) or Parquet (typed), by its suffix."""
    if path.suffix not in SUFFIXES:
        raise refusal(path.name, "expected a name that ends in .csv or .parquet")
    if not path.is_file():
        raise refusal(str(path), "there is no such file")
    return read_csv(path) if path.suffix == ".csv" else read_parquet(path)


def find_table(folder: Path, name: str, column_map: ColumnMap | None = None) -> Path | None:
    """The file of a canonical table in a folder, None where there is none.

    Raises
    ------
    InputError : the table is there twice, or the map names a file that is not there.
    """
    table_map = column_map.tables.get(name) if column_map else None
    if table_map and table_map.file:
        path = folder / table_map.file
        if not path.is_file():
            raise refusal(name, f"the map names {table_map.file}, not found in {folder}")
        return path
    found = [path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").is_file()]
    if len(found) == 2:
        raise refusal(name, f"both {name}.csv and {name}.parquet are in {folder}; expected one of them")
    return found[0] if found else None


def folder_of(folder: object) -> Path:
    """A folder as a path. Raises InputError for what is no path."""
    if not isinstance(folder, str | Path):
        expected = "the path of a folder"
        raise refused(expected, "folder", folder)
    return Path(folder)


def read_tables(
    folder: Path, names: Iterable[str], *, column_map: ColumnMap | None = None, sources: Sources | None = None
) -> dict[str, pd.DataFrame]:
    """Read those of ``names`` that the folder has; a required one that is missing is an InputError."""
    if not folder.is_dir():
        raise refusal(str(folder), "there is no such folder")
    if column_map is not None:
        require_kind(column_map, ColumnMap, "column_map")
    if sources is not None:
        require_kind(sources, Sources, "sources")
    _require_no_strangers(folder, column_map)
    frames: dict[str, pd.DataFrame] = {}
    for name in names:
        path = find_table(folder, name, column_map)
        if path is None:
            if TABLES[name].required:
                problem = f"{folder} has neither {name}.csv nor {name}.parquet"
                raise InputError(problem, table=name)
            continue
        frame = read_file(path)
        if column_map:
            frame, notes = column_map.apply(name, frame)
            if sources is not None:
                sources.notes += notes
        frames[name] = frame
        if sources is not None:
            sources.files.append(path)
    return frames


def read_market(
    folder: Path | str, *, column_map: ColumnMap | None = None, sources: Sources | None = None
) -> Market:
    """Read market.toml and the market tables of a folder.

    Raises
    ------
    InputError : a table is missing, damaged or cannot be used; names the file and the line.
    """
    folder = folder_of(folder)
    settings = read_market_toml(folder / MARKET_TOML)
    frames = read_tables(folder, tables_of("market"), column_map=column_map, sources=sources)
    if sources is not None:
        sources.files.append(folder / MARKET_TOML)
    return build_market(frames, settings)


def build_market(frames: Mapping[str, pd.DataFrame], settings: MarketSettings) -> Market:
    """The market of its canonical tables by name and its market.toml."""
    tables: dict[str, Any] = dict(frames)
    return Market.from_frames(**tables, **settings._asdict())


def read_book(
    folder: Path | str,
    lots: bool = False,
    *,
    column_map: ColumnMap | None = None,
    sources: Sources | None = None,
) -> Book:
    """Read positions and accounts of a folder; ``lots`` sums rows that repeat an (account, symbol)."""
    frames = read_tables(folder_of(folder), tables_of("book"), column_map=column_map, sources=sources)
    return Book.from_frames(frames["positions"], frames["accounts"], lots=lots)


def read_market_toml(path: Path) -> MarketSettings:
    """The settings of a market.toml.

    Raises
    ------
    InputError : it cannot be read, or an entry is unknown, missing or cannot be used; names the entry.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise refusal(str(path), f"cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise refusal(str(path), f"cannot be read: {error}") from error
    for key in document:
        if key not in (*_SETTINGS, "origin"):
            raise refusal(path.name, f"unknown entry; expected {', '.join(_SETTINGS)}, [origin]", column=key)
    if "as_of" not in document:
        raise refusal(path.name, "expected an ISO instant with its zone", column="as_of")
    currency = document.get("base_currency", "USD")
    if not isinstance(currency, str) or not currency:
        raise refusal(path.name, "expected a currency code", column="base_currency", value=currency)
    max_age = _minutes(path.name, document[MAX_AGE]) if MAX_AGE in document else None
    return MarketSettings(_instant(path.name, document["as_of"]), currency, max_age)


def write_tables(frames: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write canonical tables as Parquet with checksums; ``folder`` is made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        write_parquet(frame, folder / f"{name}.parquet")


def write_market_toml(
    path: Path,
    as_of: str,
    base_currency: str = "USD",
    origin: str = "",
    max_age_minutes: float | None = None,
) -> None:
    """Write a market.toml; ``origin`` says where all tables come from."""
    lines = [f'as_of = "{as_of}"', f'base_currency = "{base_currency}"']
    if max_age_minutes is not None:
        lines.append(f"{MAX_AGE} = {max_age_minutes!r}")
    if origin:
        lines += ["", "[origin]", f'all = "{origin}"']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _instant(table: str, value: Any) -> datetime:
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        problem = "expected an ISO instant with its zone"
        raise InputError(problem, table=table, column="as_of", value=value) from error
    if instant.tzinfo is None:
        problem = "the instant has no zone; expected one such as 2026-11-20T16:00:00-05:00"
        raise InputError(problem, table=table, column="as_of", value=str(value))
    return instant


def _minutes(table: str, value: Any) -> timedelta:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0.0 < value <= LARGEST_MAX_AGE:
        problem = f"expected a number of minutes above 0 and at most {LARGEST_MAX_AGE:g}"
        raise refusal(table, problem, column=MAX_AGE, value=value)
    return timedelta(minutes=value)


def _require_no_strangers(folder: Path, column_map: ColumnMap | None) -> None:
    """A misspelt table would otherwise be left out without a word."""
    named = {table.file for table in column_map.tables.values()} if column_map else set()
    for path in sorted(folder.iterdir()):
        stranger = path.suffix.lower() in SUFFIXES and path.stem not in TABLES and path.name not in named
        if stranger and not path.name.startswith("."):
            problem = f"{folder} holds it, but it is no canonical table; expected {', '.join(TABLES)}"
            raise InputError(problem, table=path.name)

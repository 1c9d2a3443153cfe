"""Validating files through the doors, without computing anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from shockgrid.book import Book
from shockgrid.columns import joined_rejects
from shockgrid.io.column_map import ColumnMap
from shockgrid.io.refusal import refusal
from shockgrid.io.schema import TABLES, tables_of
from shockgrid.io.tables import (
    MARKET_TOML,
    SUFFIXES,
    build_market,
    find_table,
    read_file,
    read_market_toml,
)


@dataclass
class Checked:
    """What a check found: rows per table, all rejects, and notes on what could not be checked."""

    rows: dict[str, int] = field(default_factory=dict)
    rejects: pd.DataFrame = field(default_factory=lambda: joined_rejects([]))
    notes: list[str] = field(default_factory=list)

    @property
    def bad_rows(self) -> int:
        """Number of rejects whose row is not used."""
        return int(self.rejects["code"].str.startswith("E_").sum())


def check_files(paths: Iterable[Path], column_map: ColumnMap | None = None) -> Checked:
    """Read canonical tables (files by name, or all in a folder) and pass them through their doors.

    Positions without accounts and accounts without positions are checked alone. Market tables are checked
    together, so the four required ones and market.toml must be among the files or beside them.

    Raises
    ------
    InputError : a file cannot be used at all; names the line or column and what was expected.
    """
    found = _located(paths, column_map)
    checked, frames = Checked(), {}
    for name, path in found.items():
        frame, notes = _mapped(name, path, column_map)
        checked.notes += notes
        _require_columns(name, path, frame)
        frames[name] = frame
        checked.rows[name] = len(frame)
    rejects = [_book_rejects(frames, checked), _market_rejects(frames, found, checked, column_map)]
    checked.rejects = joined_rejects([frame[frame["table"].isin(list(frames))] for frame in rejects])
    return checked


def _located(paths: Iterable[Path], column_map: ColumnMap | None) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in _folders_opened(paths, column_map):
        if path.is_dir():
            inside = {name: file for name in TABLES if (file := find_table(path, name, column_map))}
            if not inside:
                raise refusal(str(path), f"holds no canonical table; expected {', '.join(TABLES)}")
        else:
            inside = {_table_name(path, column_map): path}
        for name, file in inside.items():
            if name in found:
                raise refusal(name, f"both {found[name]} and {file} are given; expected one of them")
            found[name] = file
    return found


def _folders_opened(paths: Iterable[Path], column_map: ColumnMap | None) -> list[Path]:
    """The paths, with ``market`` and ``book`` in place of a folder that holds those and no table itself."""
    opened: list[Path] = []
    for path in paths:
        bare = path.is_dir() and not any(find_table(path, name, column_map) for name in TABLES)
        parts = [path / name for name in ("market", "book") if (path / name).is_dir()] if bare else []
        opened += parts or [path]
    return opened


def _table_name(path: Path, column_map: ColumnMap | None) -> str:
    name = (column_map.table_of(path.name) if column_map else "") or path.stem
    if name not in TABLES or path.suffix not in SUFFIXES:
        expected = ", ".join(TABLES)
        problem = (
            f"no canonical table; expected one of {expected} as .csv or .parquet, or a map that names it"
        )
        raise refusal(path.name, problem)
    return name


def _require_columns(name: str, path: Path, frame: pd.DataFrame) -> None:
    missing = [column for column in TABLES[name].required_names() if column not in frame.columns]
    if missing:
        names = ", ".join(TABLES[name].names())
        raise refusal(path.name, f"a required column is missing; the table has {names}", column=missing[0])
    unknown = [column for column in frame.columns if column not in [*TABLES[name].names(), "_line"]]
    if unknown:
        names = ", ".join(TABLES[name].names())
        raise refusal(path.name, f"unknown column; expected {names}, or a map", column=str(unknown[0]))


def _book_rejects(frames: dict[str, pd.DataFrame], checked: Checked) -> pd.DataFrame:
    positions, accounts = frames.get("positions"), frames.get("accounts")
    if positions is None and accounts is None:
        return joined_rejects([])
    if positions is None:
        positions = pd.DataFrame(
            {name: pd.Series(dtype=object) for name in ("account", "symbol", "quantity")}
        )
    if accounts is None:
        checked.notes.append("without accounts, positions of unknown accounts are not looked for")
        known = positions["account"].drop_duplicates()
        known = known[known.astype(str).str.strip() != ""]
        accounts = pd.DataFrame({"account": known, "cash": 0.0}).reset_index(drop=True)
    return Book.from_frames(positions, accounts).rejects


def _mapped(name: str, path: Path, column_map: ColumnMap | None) -> tuple[pd.DataFrame, list[str]]:
    frame = read_file(path)
    return column_map.apply(name, frame) if column_map else (frame, [])


def _market_rejects(
    frames: dict[str, pd.DataFrame], found: dict[str, Path], checked: Checked, column_map: ColumnMap | None
) -> pd.DataFrame:
    given = {name: frames[name] for name in tables_of("market") if name in frames}
    if not given:
        return joined_rejects([])
    folder = found[next(iter(given))].parent
    for name in tables_of("market"):
        path = find_table(folder, name, column_map) if name not in given else None
        if path is not None:
            given[name] = _mapped(name, path, column_map)[0]
    missing = [name for name in tables_of("market") if TABLES[name].required and name not in given]
    if missing or not (folder / MARKET_TOML).is_file():
        absent = ", ".join(missing) or MARKET_TOML
        checked.notes.append(f"market tables: only the columns were checked, {absent} not found beside them")
        return joined_rejects([])
    return build_market(given, read_market_toml(folder / MARKET_TOML)).rejects

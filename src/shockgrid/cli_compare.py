"""``shockgrid compare``: one book of canonical tables under several regimes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from shockgrid.cli_common import compiled_libraries_on_stderr, counted
from shockgrid.cli_views import console, exit_status, money, percent
from shockgrid.comparison import Comparison, compare
from shockgrid.comparison.sides import sides_of
from shockgrid.io.column_map import ColumnMap
from shockgrid.io.csv_files import write_csv
from shockgrid.io.tables import read_book, read_market
from shockgrid.regimes import Policy


def compare_files(
    market: Path,
    book: Path,
    column_map: Path | None,
    regimes: list[str],
    policies: list[Path],
    *,
    out: Path | None,
    backend: str,
    lots: bool,
    as_json: bool,
) -> int:
    """Read, compare, print; write the margin groups as CSV where ``out`` says. The exit code of ``run``.

    A policy is a side by the path of its file.
    """
    columns = ColumnMap.from_toml(column_map) if column_map else None
    laid = read_market(market, column_map=columns), read_book(book, lots, column_map=columns)
    sides = sides_of(regimes) if regimes else {}
    sides |= {str(path): Policy.from_toml(path, laid[0].as_of) for path in policies}
    with compiled_libraries_on_stderr():
        found = compare(laid[1], laid[0], sides, backend=backend)
    if out is not None:
        write_csv(side_by_side(found), out)
    if as_json:
        typer.echo(json.dumps(_facts(found), sort_keys=True, allow_nan=False))
    else:
        _print(found, laid[0].base_currency)
    rejects = next(iter(found.results.values())).rejects
    code, reason = exit_status(found.accounts, rejects)
    if code and not as_json:
        typer.echo(f"exit {code}: {reason}")
    return code


def side_by_side(found: Comparison) -> pd.DataFrame:
    """One row per margin group: each side's requirement net and, in a column NAME_gross, gross."""
    gross = found.gross[list(found.results)].add_suffix("_gross")
    return pd.concat([found.accounts, gross], axis=1)


def _facts(found: Comparison) -> dict[str, Any]:
    frames = {"sides": found.firm, "freed": found.freed_firm, "uncovered": found.uncovered}
    rows = {name: frame.to_dict("records") for name, frame in frames.items()}
    plain = {name: [{str(key): _plain(value) for key, value in row.items()} for row in table]
             for name, table in rows.items()}  # fmt: skip
    return {**plain, "backend": found.backend, "notes": list(found.notes)}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _print(found: Comparison, currency: str) -> None:
    out = console()
    title = f"{counted(len(found.accounts), 'margin group')}, in {currency}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    table.add_column("side")
    amounts = ("net of option value", "gross", "initial", "deficits", "sum of deficits", "seconds")
    for name in ("margin groups", *amounts):
        table.add_column(name, justify="right")
    for row in found.firm.to_dict("records"):
        paid = [money(row[name]) for name in ("requirement", "requirement_gross", "initial_requirement")]
        rest = (f"{row['deficits']:,}", money(row["sum_deficit"]), f"{row['seconds']:.2f}")
        table.add_row(escape(row["side"]), f"{row['margin_groups']:,}", *paid, *rest)
    out.print(table)
    for row in found.freed_firm[found.freed_firm["margin_groups"] > 0].to_dict("records"):
        verb = "frees" if row["freed_capital"] >= 0.0 else "takes"
        size, share = abs(row["freed_capital"]), percent(abs(row["freed_share"])).lstrip("+")
        part = row["margin_groups"] < len(found.accounts)
        where = f", {counted(row['margin_groups'], 'margin group')} that both cover" if part else ""
        out.print(escape(f"{row['other']} instead of {row['one']} {verb} {money(size)} ({share}){where}"))
    for note in found.notes:
        out.print(escape(f"note: {note}"))
    out.print(f"backend: {found.backend}")

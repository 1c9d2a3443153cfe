"""``shockgrid explain`` of a strategy-based run: the lines, and the groups the holdings were paired into."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shockgrid.cli_views import money
from shockgrid.io.run_folder import verify_run
from shockgrid.minor_units import minor_digits

LINES = ("stand_alone_sum", "pairing_benefit", "unpriced")
BESIDE = (
    "initial_requirement",
    "maintenance_gross",
    "initial_gross",
    "proceeds",
    "capped_stock",
    "cash_call",
    "gap",
    "equity_at_marks",
    "excess",
)
COLUMNS = ("underlying", "group", "count", "legs", "requirement", "saved", "rule")


def print_pairing(out: Console, folder: Path, group: str, row: pd.Series[Any]) -> None:
    """Print one margin group's requirement; its pairing is found again from the inputs of the run."""
    told = f"{row['reliability']}, strategy-based margin, maintenance, in {row['currency']}"
    out.print(escape(f"margin group {group}: {told}"))
    shown = partial(money, digits=minor_digits(row["currency"]))
    out.print(_lines(row, shown))
    pairs = verify_run(folder).strategy(group).explain(group)
    table = Table(title=f"groups ({len(pairs)})", title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in ("count", "requirement", "saved") else "left")
    for pair in pairs.to_dict("records"):
        sizes = f"{pair['count']:,g}", shown(pair["requirement"]), shown(pair["saved"])
        words = [escape(str(pair[name])) for name in ("underlying", "group", "legs", "rule")]
        table.add_row(words[0], words[1], sizes[0], words[2], sizes[1], sizes[2], words[3])
    out.print(table)


def _lines(row: pd.Series[Any], money: Callable[[float], str]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    for name in LINES:
        table.add_row(name.replace("_", " "), money(row[name]))
    table.add_section()
    table.add_row("[bold]requirement[/bold]", f"[bold]{money(row['requirement'])}[/bold]")
    for name in BESIDE:
        table.add_row(name.replace("_", " "), money(row[name]))
    return table

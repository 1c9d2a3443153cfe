"""Rules and overrides of one margin group, as ``shockgrid explain`` prints them."""

from __future__ import annotations

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def print_rules(out: Console, rules: pd.DataFrame) -> None:
    """Print each rule with value, limit and distance to trigger, currencies and overrides; or nothing."""
    if len(rules) == 0:
        return
    table = Table(title="rules, currencies and overrides", title_justify="left")
    for name in ("rule", "about", "value", "limit", "distance", "", "words"):
        table.add_column(name, justify="right" if name in ("value", "limit", "distance") else "left")
    for row in rules.to_dict("records"):
        measured = row["level"] == "rule"
        verdict = ("pass" if row["passed"] else "FAIL") if measured else row["level"]
        value, limit, distance = (_figure(row[name]) for name in ("value", "limit", "distance"))
        table.add_row(
            escape(row["name"].replace("_", " ")),
            escape(row["subject"]),
            value,
            limit,
            distance if measured else "-",
            verdict,
            escape(row["words"]),
        )
    out.print(table)


def _figure(value: float) -> str:
    """Money with cents, a share or a number of days with four digits; a dash where there is nothing."""
    if pd.isna(value):
        return "-"
    return f"{value:,.2f}" if abs(value) >= 100.0 else f"{value:,.4g}"

"""A frame as a table on the screen: nothing cut off, quantities bare, prices to a hundredth of a cent."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shockgrid.cli_views import money
from shockgrid.minor_units import minor_digits

SHOWN = 20  #: rows of a table on the screen
LONG = 12  #: letters of a column's name on one line
QUANTITIES = ("quantity", "shares")
PRICES = ("spot", "in_the_money", "exercise_value", "held_value", "gain", "ex_dividend")


def print_frame(out: Console, frame: pd.DataFrame, title: str) -> None:
    """Print the first ``SHOWN`` rows and say how many more there are; long names go on below.

    Amounts have the digits of the row's currency, where it names one.
    """
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for name in frame.columns:
        numeric = pd.api.types.is_float_dtype(frame[name])
        table.add_column(
            _head(str(name)), justify="right" if numeric else "left", overflow="fold",
            no_wrap=name == "symbol" or numeric,
        )  # fmt: skip
    for row in frame.head(SHOWN).to_dict("records"):
        digits = minor_digits(row["currency"]) if row.get("currency") else 2
        table.add_row(*(_cell(str(name), value, digits) for name, value in row.items()))
    out.print(table)
    if len(frame) > SHOWN:
        out.print(f"... and {len(frame) - SHOWN:,} more")


def _head(name: str) -> str:
    """A long name on two lines."""
    return name.replace("_", "\n" if len(name) > LONG else " ", 1).replace("_", " ")


def _cell(name: str, value: Any, digits: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return escape(str(value))
    if name in QUANTITIES:
        return f"{value:,.15g}"
    return f"{value:,.4f}" if name in PRICES else money(value, digits)

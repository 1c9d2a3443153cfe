"""How a MarginResult shows itself: six headline numbers and the ten largest deficits."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from shockgrid.requirement.result import MarginResult

SHOWN = (
    "margin_group",
    "requirement",
    "equity_at_marks",
    "excess",
    "binding",
    "worst_price_shock",
    "reliability",
)


def headline(result: MarginResult) -> dict[str, str]:
    """Six numbers about a result."""
    accounts = result.accounts
    short, base = result.short(), result.runs[0].plan.market.base_currency
    regimes = ", ".join(dict.fromkeys(regime.name for regime in result.regimes.values()))
    return {
        "margin groups": f"{len(accounts):,}",
        f"requirement, {base}": f"{result.in_base('requirement').sum():,.2f}",
        "in deficit": f"{int(short.sum()):,}",
        f"total deficit, {base}": f"{-result.in_base('excess')[short].sum() + 0.0:,.2f}",
        "not reliable": f"{int(accounts['reliability'].isin(['PARTIAL', 'UNRELIABLE']).sum()):,}",
        "regimes, backend": f"{regimes}; {result.backend}",
    }


def least_excess(result: MarginResult, count: int = 10) -> pd.DataFrame:
    """The margin groups with the least excess (compared in the base currency), worst first."""
    first = result.in_base("excess").nsmallest(count).index
    return result.accounts.loc[first, list(SHOWN)].reset_index(drop=True)


def headline_text(result: MarginResult) -> str:
    """One line per headline number."""
    lines = [f"  {name}: {value}" for name, value in headline(result).items()]
    return "\n".join(["MarginResult", *lines])


def headline_html(result: MarginResult) -> str:
    """The headline and the least excess as HTML; every text is escaped."""
    cells = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in headline(result).items()
    )
    table = least_excess(result).to_html(index=False, escape=True, float_format="{:,.2f}".format)
    return f"<div><table>{cells}</table><p>Least excess</p>{table}</div>"


def headline_table(result: MarginResult) -> Any:
    """The headline and the least excess as a rich renderable."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    top = Table(show_header=False, title="Margin", title_justify="left")
    for name, value in headline(result).items():
        top.add_row(Text(name), Text(value, justify="right"))
    least = Table(title="Least excess", title_justify="left")
    for column in SHOWN:
        least.add_column(column.replace("_", " "), justify="left" if column == "margin_group" else "right")
    for row in least_excess(result).itertuples(index=False):
        least.add_row(*[Text(f"{cell:,.2f}" if isinstance(cell, float) else str(cell)) for cell in row])
    return Group(top, least)

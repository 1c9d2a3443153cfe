"""How a MarginResult shows itself: six headline numbers and the ten largest deficits."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from shockgrid.requirement.minor_amounts import deficits_of, digits_of

if TYPE_CHECKING:
    from shockgrid.requirement.result import MarginResult

SHOWN = (
    "margin_group",
    "currency",
    "requirement",
    "equity_at_marks",
    "excess",
    "binding",
    "worst_price_shock",
    "reliability",
)
MONEY = ("requirement", "equity_at_marks", "excess")


def headline(result: MarginResult) -> dict[str, str]:
    """Six numbers about a result."""
    accounts = result.accounts
    market, missing = result.runs[0].plan.market, deficits_of(accounts)
    base, rates = market.base_currency, accounts["currency"].map(market.fx).astype(np.float64)
    regimes = ", ".join(dict.fromkeys(regime.name for regime in result.regimes.values()))
    return {
        "margin groups": f"{len(accounts):,}",
        f"requirement, {base}": f"{result.in_base('requirement').sum():,.2f}",
        "in deficit": f"{int((missing > 0.0).sum()):,}",
        f"total deficit, {base}": f"{(missing * rates).sum():,.2f}",
        "not reliable": f"{int(accounts['reliability'].isin(['PARTIAL', 'UNRELIABLE']).sum()):,}",
        "regimes, backend": f"{regimes}; {result.backend}",
    }


def least_excess(result: MarginResult, count: int = 10) -> pd.DataFrame:
    """The margin groups with the least excess (compared in the base currency), worst first."""
    first = result.in_base("excess").nsmallest(count).index
    return result.accounts.loc[first, list(SHOWN)].reset_index(drop=True)


def least_excess_text(result: MarginResult) -> pd.DataFrame:
    """``least_excess`` as text: amounts with the digits of their currency, named where there are several."""
    found = least_excess(result).astype(object)
    digits = digits_of(found["currency"])
    for name in MONEY:
        found[name] = [f"{value:,.{most}f}" for value, most in zip(found[name], digits, strict=True)]
    found["worst_price_shock"] = [f"{shock:,.2f}" for shock in found["worst_price_shock"]]
    base = result.runs[0].plan.market.base_currency
    return found.drop(columns="currency") if (found["currency"] == base).all() else found


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
    table = least_excess_text(result).to_html(index=False, escape=True)
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
    rows = least_excess_text(result)
    for column in rows.columns:
        least.add_column(column.replace("_", " "), justify="left" if column == "margin_group" else "right")
    for row in rows.itertuples(index=False):
        least.add_row(*map(Text, row))
    return Group(top, least)

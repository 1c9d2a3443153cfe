"""One account, or the whole firm, as a single HTML page: no scripts, no links, every text escaped."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import Any, Final

import numpy as np
import pandas as pd

from shockgrid.book import Book
from shockgrid.market import Market
from shockgrid.requirement.result import MarginResult
from shockgrid.requirement.views import headline
from shockgrid.research.firm_loss import FirmLoss
from shockgrid.research.grids import Grid
from shockgrid.research.stress import distance_to_breach
from shockgrid.research.surface import margin_group_of, pnl_surface

#: of the account's page: fine enough for a picture, and few enough cells for American options
GRID: Final = Grid(np.linspace(-0.3, 0.3, 61), np.linspace(-0.3, 0.3, 13))
LADDER: Final = tuple(step / 100 for step in range(-50, 51, 10))
TOP, MOST_POSITIONS = 10, 50
WHOLE, SHOCKS = ("scenario", "quantity"), ("price_shock", "vol_shock")  #: columns that are no amounts
REDUCED = " (reduced)"  #: ends the level at which worst losses are taken
STYLE: Final = (
    "body{font:14px/1.45 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:.5rem 0}th,td{padding:.2rem .7rem;text-align:right;"
    "border-bottom:1px solid #ddd}th{font-weight:600}td:first-child,th:first-child{text-align:left}"
    "img{max-width:100%}figure{margin:1rem 0;break-inside:avoid}h2{break-after:avoid}"
)


def account_report(
    book: Book, market: Market, result: MarginResult, account: str, *, grid: Grid = GRID
) -> str:
    """HTML of one account: its figures, where the requirement comes from, its surface, distance to breach.

    ``result`` is margin of this book and market. Needs the extra ``plots``. Raises InputError for an account
    that is not there.
    """
    from shockgrid.research import plots

    own = margin_group_of(book, account)
    row = result.accounts[result.accounts["margin_group"] == own].iloc[0]
    surface = pnl_surface(book, market, grid, account=own)
    rungs = pnl_surface(book, market, (LADDER, (0.0,)), account=own)
    excess = float(row["excess"])
    names = ("requirement", "equity_at_marks", "excess", "binding", "reliability", "currency")
    table = result.positions[result.positions["margin_group"] == own]
    order = np.argsort(-table["euler"].abs().to_numpy(), kind="stable")[:MOST_POSITIONS]
    columns = ["symbol", "quantity", "price", "vol", "stand_alone_loss", "leave_one_out", "euler"]
    method = f"{surface.method}, worst cell exact; error elsewhere at most {surface.bound:,.2f}"
    parts = [
        _pairs({name.replace("_", " "): row[name] for name in names}),
        _heading("Where the requirement comes from"),
        _picture(plots.requirement_waterfall(result, own)),
        *_explanation(result.explain(own)),
        _heading("What moves it"),
        _picture(plots.heat_map(surface, excess=excess)),
        _paragraph(f"{surface.pnl.shape[0]} x {surface.pnl.shape[1]} cells, {method}."),
        _picture(plots.payoff_fan(surface)),
        _picture(plots.scenario_ladder(rungs, excess=excess)),
        _heading("Distance to breach"),
        _paragraph("Price shocks, vols and requirement held. The nearest first."),
        _table(distance_to_breach(book, market, result, own).head(TOP), digits=4),
        _heading("Positions"),
        _picture(plots.attribution_bars(result, own)),
        _table(table.iloc[order][columns]),
        _notes(result),
    ]
    return _page(f"Margin of {own}, {market.as_of:%Y-%m-%d %H:%M} UTC", parts)


def _explanation(explained: pd.DataFrame) -> list[str]:
    """The tree behind the requirement, a level that is reduced once, then its rules with their words."""
    reduced = [level.removesuffix(REDUCED) for level in explained["level"] if level.endswith(REDUCED)]
    explained = explained[~explained["level"].isin(reduced)]
    rules = (explained["level"] == "rule").to_numpy(bool)
    told = explained[rules].reindex(columns=["name", "amount", "limit", "distance", "passed", "words"])
    tree = explained[~rules].drop(columns=["limit", "distance", "passed", "words"], errors="ignore")
    return [_table(tree), *([_heading("Rules"), _table(told)] if len(told) else [])]


def firm_report(market: Market, result: MarginResult, loss: FirmLoss) -> str:
    """HTML of the whole firm: its figures, the map of accounts, the largest deficits, the firm's own loss.

    Needs the extra ``plots``.
    """
    from shockgrid.research import plots

    shown = ["margin_group", "requirement", "equity_at_marks", "excess", "binding", "reliability", "currency"]
    least = result.in_base("excess").nsmallest(TOP).index
    worst = loss.scenarios.nlargest(TOP, "firm_loss", keep="first")
    parts = [
        _pairs(headline(result)),
        _picture(plots.firm_map(result)),
        _heading("Least excess"),
        _table(result.accounts.loc[least, shown]),
        _heading("The firm's own loss"),
        _paragraph(
            f"What margin groups lose beyond their equity, {market.base_currency}, worst scenarios first."
        ),
        _table(worst),
        _heading("Who causes it"),
        _table(loss.accounts.head(TOP)),
        _heading("Through which names"),
        _table(loss.names.head(TOP)),
        _notes(result),
    ]
    return _page(f"The firm, {market.as_of:%Y-%m-%d %H:%M} UTC", parts)


def _page(title: str, parts: list[str]) -> str:
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def _heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _cell(value: object, digits: int = 2, name: str = "") -> str:
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return ""
        if name in WHOLE:
            return f"{value:,.10g}"
        return f"{value:+.1%}" if name in SHOCKS else f"{value:,.{digits}f}"
    return "" if value is None or value is pd.NA else escape(str(value))


def _pairs(values: dict[str, object] | dict[str, str]) -> str:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{_cell(value)}</td></tr>" for name, value in values.items()
    )
    return f"<table>{rows}</table>"


def _table(frame: pd.DataFrame, digits: int = 2) -> str:
    head = "".join(f"<th>{escape(str(name).replace('_', ' '))}</th>" for name in frame.columns)
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{_cell(value, digits, str(name))}</td>"
            for name, value in zip(frame.columns, row, strict=True)
        )
        + "</tr>"
        for row in frame.itertuples(index=False)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _notes(result: MarginResult) -> str:
    return "".join(_paragraph(note) for note in result.notes)


def _picture(axes: Any) -> str:
    from shockgrid.research.plots import as_png

    data = b64encode(as_png(axes)).decode("ascii")
    title = escape(axes.get_title().replace(r"\$", "$"))  # see ``plots.style.plain``
    return f'<figure><img alt="{title}" src="data:image/png;base64,{data}"></figure>'

"""Pictures and pages: each draws on the axes it is given, with units, from figures that can be checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, stock

import shockgrid as sg

mpl = pytest.importorskip("matplotlib")
mpl.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402

from shockgrid.research import plots  # noqa: E402
from shockgrid.research.firm_loss import firm_loss  # noqa: E402
from shockgrid.research.grids import Grid  # noqa: E402
from shockgrid.research.plots.style import GAIN, LOSS  # noqa: E402
from shockgrid.research.report import account_report, firm_report  # noqa: E402

NASTY = r"<b>&$\one$</b>"  #: HTML, and mathematics that matplotlib cannot read
GRID = Grid(np.linspace(-0.2, 0.2, 21), np.linspace(-0.3, 0.3, 7))


@pytest.fixture(scope="module")
def firm() -> tuple[sg.Book, sg.Market, sg.MarginResult]:
    rows = [stock("XYZ"), option("C", "XYZ", "C", 100.0, 30), option("P", "XYZ", "P", 90.0, 30)]
    spots = {"XYZ": {"spot": 95.0, "atm_vol_dec": 0.3}}
    priced = market(rows, spots, [{"symbol": "C", "vol": 0.3}, {"symbol": "P", "vol": 0.4}])
    accounts = [{"account": NASTY, "cash": 9_000.0}, {"account": "two", "cash": 0.0}]
    held = book([(NASTY, "C", -3.0), (NASTY, "P", -2.0), ("two", "XYZ", 100.0), ("two", "C", -1.0)], accounts)
    policy = sg.Policy({"default": sg.Program(sg.tims(), sg.house())})
    return held, priced, sg.margin(held, priced, policy)


@pytest.fixture
def axes() -> Iterator[Axes]:
    figure, found = plt.subplots()
    yield found
    plt.close(figure)


def drawn(axes: Axes) -> Axes:
    axes.get_figure().canvas.draw()  # every label and tick is laid out, every warning comes out
    return axes


def test_the_heat_map(firm: tuple[sg.Book, sg.Market, sg.MarginResult], axes: Axes) -> None:
    held, priced, result = firm
    surface = sg.pnl_surface(held, priced, GRID, account=NASTY)
    excess = float(result.accounts.set_index("margin_group").loc[NASTY, "excess"])
    assert drawn(plots.heat_map(surface, excess=excess, axes=axes)) is axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert any(label.startswith("worst:") for label in labels)
    assert "breach" in labels
    assert "equity gone" not in labels, "the equity outlasts this grid"
    (mark,) = [line for line in axes.lines if line.get_marker() == "X"]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == surface.worst_shocks
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("price shock", "vol shock, relative to the vol")
    assert axes.figure.axes[1].get_ylabel() == "P&L, USD"


def test_the_payoff_fan(firm: tuple[sg.Book, sg.Market, sg.MarginResult], axes: Axes) -> None:
    held, priced, _ = firm
    surface = sg.pnl_surface(held, priced, GRID, account="two")
    drawn(plots.payoff_fan(surface, points=[-0.15, 0.15], axes=axes))
    lines = [line for line in axes.lines if str(line.get_label()).startswith("vol")]
    assert len(lines) == 5
    assert lines[0].get_ydata() == pytest.approx(surface.pnl[:, 0])
    assert axes.get_ylabel() == "P&L, USD"


def test_the_waterfall_ends_at_the_requirement(
    firm: tuple[sg.Book, sg.Market, sg.MarginResult], axes: Axes
) -> None:
    result = firm[2]
    drawn(plots.requirement_waterfall(result, "two", axes=axes))
    heights = [bar.get_height() for bar in axes.patches]
    required = float(result.accounts.set_index("margin_group").loc["two", "requirement"])
    assert heights[-1] == pytest.approx(required)
    assert sum(heights[:-1]) == pytest.approx(required, abs=0.05)
    assert axes.patches[-2].get_y() + heights[-2] == pytest.approx(required, abs=0.05)


@pytest.mark.parametrize("column", ["euler", "leave_one_out", "stand_alone_loss"])
def test_attribution_bars(firm: tuple[sg.Book, sg.Market, sg.MarginResult], axes: Axes, column: str) -> None:
    result = firm[2]
    drawn(plots.attribution_bars(result, "two", column=column, axes=axes))
    own = result.positions[result.positions["margin_group"] == "two"][column]
    assert sum(bar.get_width() for bar in axes.patches) == pytest.approx(own.sum())
    assert axes.get_xlabel().endswith("USD")
    with pytest.raises(sg.InputError, match="euler"):
        plots.attribution_bars(result, "two", column="price")


def test_the_back_test_chart(axes: Axes) -> None:
    days = pd.date_range("2020-02-25", periods=40)
    margins = pd.DataFrame({"A": 100.0}, index=days)
    pnl = np.where(np.arange(40) % 20 == 3, -150.0, 10.0)[:, None]
    found = sg.backtest(margins, pnl, block=5)
    drawn(plots.backtest_chart(found, "A", axes=axes))
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "2 exceptions" in labels
    assert [text.get_text() for text in axes.texts] == ["March 2020"]
    assert axes.get_xlabel() == "day of the margin"


def test_the_firm_map(firm: tuple[sg.Book, sg.Market, sg.MarginResult], axes: Axes) -> None:
    result = firm[2]
    drawn(plots.firm_map(result, axes=axes))
    points = sum(len(found.get_offsets()) for found in axes.collections)
    assert points == int((result.accounts["requirement"] >= 1).sum())
    short = int(result.short().sum())
    assert f"{short} in deficit" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_scenario_ladder(firm: tuple[sg.Book, sg.Market, sg.MarginResult], axes: Axes) -> None:
    held, priced, _ = firm
    surface = sg.pnl_surface(held, priced, ([-0.1, 0.0, 0.1], [0.0]), account="two")
    drawn(plots.scenario_ladder(surface, axes=axes))
    assert [bar.get_height() for bar in axes.patches] == pytest.approx(surface.pnl[:, 0])
    colours = [to_hex(bar.get_facecolor()).upper() for bar in axes.patches]
    assert colours == [LOSS, GAIN, GAIN]
    with pytest.raises(sg.InputError, match="41 prices"):
        plots.scenario_ladder(sg.pnl_surface(held, priced, (np.linspace(-0.1, 0.1, 42), [0.0])))


@pytest.mark.parametrize("prices", [5, 13, 15, 41])
def test_no_label_of_the_ladder_meets_another(
    firm: tuple[sg.Book, sg.Market, sg.MarginResult], prices: int
) -> None:
    held, priced, _ = firm
    grid = (np.round(np.linspace(-0.3, 0.3, prices), 4), [0.0])
    axes = drawn(plots.scenario_ladder(sg.pnl_surface(held, priced, grid, account=NASTY)))
    boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert "0 %" in [label.get_text() for label in axes.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    frame = axes.get_window_extent()
    assert all(frame.y0 < text.get_window_extent().y0 < frame.y1 - 8 for text in axes.texts)
    plt.close(axes.get_figure())


def test_the_research_example_of_the_readme() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (shown,) = [block for block in blocks if "pnl_surface" in block]
    names: dict[str, object] = {}
    for block in (blocks[0], shown):
        exec(compile(block, "README.md", "exec"), names)
    assert "compressed" in repr(names["surface"])
    plt.close("all")


class Page(HTMLParser):
    """Tags that are open, and every attribute that could reach outside."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(page: str) -> Page:
    parser = Page()
    parser.feed(page)
    assert not parser.open
    assert all(source.startswith("data:image/png;base64,") for source in parser.sources)
    assert "<script" not in page
    assert NASTY not in page, "a name that is HTML must be escaped"
    return parser


def test_the_account_page(firm: tuple[sg.Book, sg.Market, sg.MarginResult]) -> None:
    held, priced, result = firm
    page = account_report(held, priced, result, NASTY, grid=GRID)
    assert len(checked(page).sources) == 5
    required = float(result.accounts.set_index("margin_group").loc[NASTY, "requirement"])
    assert f"{required:,.2f}" in page
    assert "Distance to breach" in page
    tree = page.split("What moves it")[0]
    worst = result.accounts.set_index("margin_group").loc[NASTY]
    cells = (
        f"{worst['worst_scenario']}",
        f"{worst['worst_price_shock']:+.1%}",
        f"{worst['worst_vol_shock']:+.1%}",
    )
    assert "".join(f"<td>{cell}</td>" for cell in cells) in tree, (
        "a scenario is a number, its shocks per cent"
    )
    assert "limit" not in tree.split("<h2>Rules")[0]
    assert page == account_report(held, priced, result, NASTY, grid=GRID), "the same bytes again"
    assert not plt.get_fignums(), "no figure is left open"
    with pytest.raises(sg.InputError, match="no such account"):
        account_report(held, priced, result, "three")


def test_the_firm_page(firm: tuple[sg.Book, sg.Market, sg.MarginResult]) -> None:
    held, priced, result = firm
    loss = firm_loss(held, priced, sg.ScenarioSet.grid([-0.5, 0.0, 0.5]), result)
    page = firm_report(priced, result, loss)
    assert len(checked(page).sources) == 1
    worst = float(loss.scenarios["firm_loss"].max())
    assert re.search(rf"{worst:,.2f}", page)

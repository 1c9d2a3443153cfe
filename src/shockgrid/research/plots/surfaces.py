"""Pictures of P&L surfaces."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.ticker import FuncFormatter

from shockgrid.arrays import Floats
from shockgrid.errors import InputError
from shockgrid.research.plots.style import (
    GAIN,
    LOSS,
    MOST_BARS,
    NOTE,
    POINTS,
    TOTAL,
    amount_label,
    axes_of,
    legend_above,
    money,
    money_axis,
    per_cent,
    plain,
    shock_axes,
)
from shockgrid.research.surface import Surface

MOST_RUNGS, MOST_TICKS = 41, 9


def heat_map(surface: Surface, *, excess: float | None = None, axes: Axes | None = None) -> Axes:
    """P&L by price and vol shock, the worst cell, and where the account breaches and loses its equity.

    ``excess`` is equity less requirement: the dashed line is where it is used up, the solid one where the
    equity is. Lines that do not cross the grid are not drawn.
    """
    axes = axes_of(axes)
    prices, vols, pnl = surface.grid.spots, surface.grid.vols, surface.pnl
    widest = max(float(np.abs(pnl).max()), 1e-9)
    norm = TwoSlopeNorm(0.0, -widest, widest)
    mesh = axes.pcolormesh(prices, vols, pnl.T, cmap="RdBu", norm=norm, shading="nearest", rasterized=True)
    bar = axes.figure.colorbar(mesh, ax=axes, pad=0.02)
    bar.set_label(f"P&L, {surface.currency}")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(amount_label))
    for loss, style, label in ((excess, "--", "breach"), (surface.equity, "-", "equity gone")):
        if loss is not None and np.isfinite(loss) and pnl.min() < -loss < pnl.max() and pnl.shape[1] > 1:
            axes.contour(prices, vols, pnl.T, [-loss], colors=NOTE, linestyles=style, linewidths=1.4)
            axes.plot([], [], NOTE, linestyle=style, label=label)
    price, vol = surface.worst_shocks
    text = f"worst: {money(-surface.worst_loss)} at {price:+.1%}, vol {vol:+.1%}"
    axes.plot(price, vol, "X", color=NOTE, markeredgecolor="white", markersize=11, clip_on=False, label=text)
    legend_above(axes)
    axes.set_title(f"P&L surface of {plain(surface.name)}", pad=26)
    return shock_axes(axes, surface)


def payoff_fan(
    surface: Surface, *, lines: int = 5, points: Sequence[float] = (), axes: Axes | None = None
) -> Axes:
    """P&L against the price shock, one line per vol shock; ``points`` are a regime's own price shocks."""
    axes = axes_of(axes)
    vols = surface.grid.vols
    columns = np.unique(np.linspace(0, len(vols) - 1, min(lines, len(vols))).round().astype(int))
    colours = mpl.colormaps["cividis"](np.linspace(0.0, 0.85, len(columns)))
    for column, colour in zip(columns, colours, strict=True):
        axes.plot(surface.grid.spots, surface.pnl[:, column], color=colour, label=f"vol {vols[column]:+.1%}")
    if len(points):
        middle = int(np.argmin(np.abs(vols)))
        values = np.interp(points, surface.grid.spots, surface.pnl[:, middle])
        axes.plot(points, values, "o", color=LOSS, markersize=5, label="points of the regime")
    axes.axhline(0.0, color=TOTAL, linewidth=0.8)
    axes.legend(frameon=False, fontsize="small")
    axes.set(
        title=f"Payoff of {plain(surface.name)}", xlabel="price shock", ylabel=f"P&L, {surface.currency}"
    )
    axes.xaxis.set_major_formatter(FuncFormatter(per_cent))
    return money_axis(axes)


def scenario_ladder(surface: Surface, *, excess: float | None = None, axes: Axes | None = None) -> Axes:
    """P&L at each price shock of a surface of few prices, vols held, with the levels of breach and no equity.

    Up to 41 prices; ``excess`` is equity less requirement.
    """
    prices = surface.grid.spots
    if len(prices) > MOST_RUNGS:
        wrong = f"expected a surface of at most {MOST_RUNGS} prices"
        raise InputError(wrong, table="grid", column="spots", value=len(prices))
    axes = axes_of(axes)
    pnl: Floats = surface.pnl[:, int(np.argmin(np.abs(surface.grid.vols)))]
    places = np.arange(len(prices))
    axes.bar(places, pnl, color=[GAIN if gain >= 0 else LOSS for gain in pnl], width=0.75)
    axes.axhline(0.0, color=TOTAL, linewidth=0.8)
    for loss, style, label in ((excess, "--", "breach"), (surface.equity, "-", "equity gone")):
        if loss is not None and np.isfinite(loss) and pnl.min() < -loss < pnl.max():
            axes.axhline(-loss, color=NOTE, linestyle=style, linewidth=1.2, label=label)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize="small")
    for place, gain in zip(places, pnl, strict=True):
        offset = (0, 3 if gain >= 0 else -11)
        if len(prices) <= MOST_BARS:
            axes.annotate(money(gain), (place, gain), offset, **POINTS, ha="center", fontsize=8)
    step = -(-len(prices) // MOST_TICKS)
    shown = places[int(np.argmin(np.abs(prices))) % step :: step]
    axes.set_xticks(shown, [per_cent(price) for price in prices[shown]])
    axes.use_sticky_edges = False  # room above and below the bars for their figures
    axes.margins(y=0.12)
    axes.set(
        title=f"Scenario ladder of {plain(surface.name)}",
        xlabel="price shock of every name",
        ylabel=f"P&L, {surface.currency}",
    )
    return money_axis(axes)

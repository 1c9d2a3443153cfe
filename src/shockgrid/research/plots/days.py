"""Pictures over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from shockgrid.research.backtest import WINDOWS, Backtest
from shockgrid.research.plots.style import (
    GAIN,
    HIGH_UP,
    LOSS,
    POINTS,
    axes_of,
    legend_above,
    money_axis,
    plain,
)

SECONDS_PER_DAY = 86_400.0  #: matplotlib counts days since 1970


def backtest_chart(
    backtest: Backtest,
    account: str,
    *,
    windows: Mapping[str, tuple[str, str]] = WINDOWS,
    axes: Axes | None = None,
) -> Axes:
    """Worst P&L of the days after each margin, the margin below it, and the days it was not enough."""
    axes = axes_of(axes)
    worst, margins = backtest.worst_pnl[account], backtest.margins[account]
    broken = backtest.exceptions[account].to_numpy()
    days: Any = worst.index
    ahead = "one day" if backtest.horizon == 1 else f"{backtest.horizon} days"
    axes.plot(days, worst, ".", color="#999999", markersize=3, label=f"worst P&L, {ahead} ahead")
    axes.plot(days, -margins, color=GAIN, linewidth=1.5, label="margin, as a loss")
    axes.plot(days[broken], worst[broken], "v", color=LOSS, markersize=7, label=f"{broken.sum()} exceptions")
    for name, (first, last) in windows.items():
        if len(worst.loc[first:last]):
            low, high = (pd.Timestamp(day).timestamp() / SECONDS_PER_DAY for day in (first, last))
            axes.axvspan(low, high, color="#F0E442", alpha=0.35, zorder=0)
            axes.annotate(plain(name), (high, 1.0), (3, -11), **POINTS, xycoords=HIGH_UP, fontsize="small")
    row = backtest.accounts.loc[account]
    verdict = f"coverage {row['coverage']:.2%}, asked {backtest.level:.0%}: {row['verdict']}"
    axes.set_title(f"{plain(account)}: {verdict}", pad=26)
    axes.set(xlabel="day of the margin", ylabel="P&L of frozen positions, money")
    legend_above(axes)
    return money_axis(axes)

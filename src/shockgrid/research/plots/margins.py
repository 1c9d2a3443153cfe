"""Pictures of requirements: one account's, and the firm's."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from shockgrid.errors import InputError
from shockgrid.requirement.result import MarginResult
from shockgrid.research.plots.style import (
    FAR_LEFT,
    GAIN,
    LOSS,
    MOST_BARS,
    POINTS,
    TOTAL,
    amount_label,
    axes_of,
    currency_of,
    money,
    money_axis,
    plain,
)

LARGEST_MULTIPLE: Final = 10.0  #: of requirement: equity beyond it is drawn at the edge of the firm map


def requirement_waterfall(result: MarginResult, account: str, *, axes: Axes | None = None) -> Axes:
    """How the lines of a requirement add up, from every position by itself to the whole."""
    axes = axes_of(axes)
    tree = result.explain(account)
    lines = tree[(tree["level"] == "line") & (tree["amount"].abs() >= 0.005)]
    names, amounts = list(lines["name"]), lines["amount"].to_numpy(np.float64)
    ends = np.cumsum(amounts)
    starts = np.concatenate([[0.0], ends[:-1]])[: len(amounts)]
    colours = [LOSS if amount > 0 else GAIN for amount in amounts]
    total = float(tree["amount"].iloc[0])
    axes.bar(range(len(amounts)), amounts, bottom=starts, color=colours, width=0.7)
    axes.bar(len(amounts), total, color=TOTAL, width=0.7)
    for place, end in enumerate(ends):
        axes.plot([place - 0.35, place + 1.35], [end, end], color=TOTAL, linewidth=0.8)
    tops = [*np.maximum(starts, ends), total]
    for place, (top, amount) in enumerate(zip(tops, [*amounts, total], strict=True)):
        axes.annotate(
            money(amount), (place, top), (0, 3), textcoords="offset points", ha="center", fontsize=8
        )
    labels = [plain(name).replace("_", "\n") for name in [*names, "requirement"]]
    axes.set_xticks(range(len(labels)), labels, fontsize="small")
    axes.set_ylim(min(0.0, *np.minimum(starts, ends)), 1.1 * max(tops))
    binding = tree["name"].iloc[0]
    title = f"Requirement of {plain(account)} ({binding} side)"
    axes.set(title=title, xlabel="", ylabel=f"amount, {currency_of(result, account)}")
    return money_axis(axes)


def attribution_bars(
    result: MarginResult, account: str, *, column: str = "euler", axes: Axes | None = None
) -> Axes:
    """What each position adds to the requirement (``euler``) or would free (``leave_one_out``), in order.

    Beyond fifteen positions the rest is one bar, save for leave_one_out, which does not add up.
    """
    if column not in ("euler", "leave_one_out", "stand_alone_loss"):
        wrong = "expected euler, leave_one_out or stand_alone_loss"
        raise InputError(wrong, column="column", value=column)
    axes = axes_of(axes)
    table = result.positions
    own = table[table["margin_group"] == result.margin_group_of(account)]
    ordered = own.iloc[np.argsort(-own[column].abs().to_numpy(), kind="stable")]
    labels = [f"{plain(row.symbol)}  x {row.quantity:,.0f}" for row in ordered[:MOST_BARS].itertuples()]
    values = list(ordered[column][:MOST_BARS])
    if len(ordered) > MOST_BARS and column != "leave_one_out":
        labels.append(f"{len(ordered) - MOST_BARS} others")
        values.append(float(ordered[column][MOST_BARS:].sum()))
    axes.barh(range(len(values)), values, color=[LOSS if value > 0 else GAIN for value in values])
    axes.set_yticks(range(len(values)), labels, fontsize="small")
    axes.invert_yaxis()
    axes.axvline(0.0, color=TOTAL, linewidth=0.8)
    words = {
        "euler": "share of the requirement",
        "leave_one_out": "fall of the requirement without it",
        "stand_alone_loss": "loss by itself",
    }[column]
    axes.set(title=f"Positions of {plain(account)}", xlabel=f"{words}, {currency_of(result, account)}")
    axes.xaxis.set_major_formatter(FuncFormatter(amount_label))
    return axes


def firm_map(result: MarginResult, *, name: int = 3, axes: Axes | None = None) -> Axes:
    """Every margin group by requirement and by how often its equity covers it; the largest deficits named.

    Base currency. Groups that need nothing are left out; cover beyond 10 either way is drawn at the edge.
    """
    axes = axes_of(axes)
    required = result.in_base("requirement").to_numpy(np.float64)
    equity = result.in_base("equity_at_marks").to_numpy(np.float64)
    names = result.accounts["margin_group"].to_numpy(object)
    kept = required >= 1.0
    required, equity, names = required[kept], equity[kept], names[kept]
    cover = np.clip(equity / required, -LARGEST_MULTIPLE, LARGEST_MULTIPLE)
    short = equity < required - 0.005
    rest = ~short
    axes.scatter(required[rest], cover[rest], s=12, color=GAIN, alpha=0.5, linewidths=0, label="in excess")
    label = f"{short.sum()} in deficit"
    axes.scatter(required[short], cover[short], s=28, color=LOSS, marker="v", label=label)
    axes.axhline(1.0, color=TOTAL, linewidth=1.0)
    axes.annotate("equity = requirement", (0.01, 1.0), (0, 3), **POINTS, xycoords=FAR_LEFT, fontsize="small")
    worst = np.argsort(equity - required, kind="stable")[:name]
    for rank, place in enumerate(worst[short[worst]]):
        text = f"{plain(names[place])} ({money(equity[place] - required[place])})"
        line = {"arrowstyle": "-", "color": LOSS, "linewidth": 0.6}
        spot = (required[place], cover[place])
        axes.annotate(text, spot, (20, -14 - 12 * rank), **POINTS, fontsize=8, arrowprops=line)
    axes.set_xscale("log")
    axes.set_ylim(min(0.0, cover.min(initial=0.0)) - 0.8, cover.max(initial=1.0) * 1.08)
    axes.xaxis.set_major_formatter(FuncFormatter(amount_label))
    currency = result.runs[0].plan.market.base_currency
    xlabel, ylabel = f"requirement, {currency} (log)", "equity over requirement, times"
    axes.set(title="The firm", xlabel=xlabel, ylabel=ylabel)
    axes.legend(frameon=False, fontsize="small", loc="upper right", scatterpoints=1)
    return axes

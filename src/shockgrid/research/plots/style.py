"""What all pictures share: colours, axes, ticks in per cent and in money."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from shockgrid.errors import InputError
from shockgrid.requirement.result import MarginResult
from shockgrid.research.surface import Surface

GAIN, LOSS, TOTAL, NOTE = "#0072B2", "#D55E00", "#4D4D4D", "#000000"
POINTS: Final[dict[str, Any]] = {"textcoords": "offset points"}
HIGH_UP, FAR_LEFT = ("data", "axes fraction"), ("axes fraction", "data")
MOST_BARS: Final = 15
DOTS: Final = 110  #: per inch, of a picture in a page
SHORT_UNITS: Final = ((1e9, "bn"), (1e6, "m"), (1e3, "k"))


def axes_of(axes: Axes | None) -> Axes:
    """The axes given, or new ones."""
    return plt.subplots(figsize=(7.5, 4.6), layout="constrained")[1] if axes is None else axes


def as_png(axes: Axes) -> bytes:
    """The picture as a file, the same bytes for the same picture; its figure is closed."""
    figure, buffer = axes.get_figure(root=True), BytesIO()
    if figure is None:
        wrong = "expected axes on a figure"
        raise InputError(wrong, value=axes.get_title())
    figure.savefig(buffer, format="png", dpi=DOTS, metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def plain(name: object) -> str:
    """A name as a label: matplotlib reads what stands between dollar signs as mathematics."""
    return str(name).replace("$", r"\$")


def legend_above(axes: Axes) -> None:
    """A legend between the title and the picture."""
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize="small")


def shock_axes(axes: Axes, surface: Surface) -> Axes:
    """Label the axes of a surface."""
    unit = "relative to the vol" if surface.grid.vol_mode == "relative" else "vol points"
    axes.set(xlabel="price shock", ylabel=f"vol shock, {unit}")
    axes.xaxis.set_major_formatter(FuncFormatter(per_cent))
    axes.yaxis.set_major_formatter(FuncFormatter(per_cent))
    return axes


def money_axis(axes: Axes) -> Axes:
    """Money on the vertical axis, no frame at the top and right."""
    axes.yaxis.set_major_formatter(FuncFormatter(amount_label))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes


def currency_of(result: MarginResult, account: str) -> str:
    """The currency of an account's margin group."""
    own = result.accounts["margin_group"] == result.margin_group_of(account)
    return str(result.accounts.loc[own, "currency"].iloc[0])


def per_cent(value: float, _: object = None) -> str:
    """A shock as a label."""
    return f"{100.0 * value:+.4g} %" if abs(value) > 1e-12 else "0 %"


def amount_label(value: float, _: object = None) -> str:
    """An amount as a label: 12.3k, 4.5m."""
    for size, unit in SHORT_UNITS:
        if abs(value) >= size:
            return f"{value / size:,.3g}{unit}"
    return f"{value:,.3g}"


def money(value: float) -> str:
    """An amount beside a bar."""
    return amount_label(value) if abs(value) >= 1e4 else f"{value:,.0f}"

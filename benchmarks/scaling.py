"""How a walk over a firm grows: ``python benchmarks/scaling.py FIGURES.json PICTURE.svg``.

Positions, series and scenarios grow tenfold twice, by backend and threads; see ``test_firm.GROWTH``.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from firms import drawn, grid, walked
from test_european import seconds_of
from test_firm import GROWTH

from shockgrid.backends import NativeBackend, NumpyBackend

RUNS = 3
#: What is drawn: its name, the backend, threads.
LINES = [("NumPy", NumpyBackend, 1), ("native", NativeBackend, 1), ("native, two threads", NativeBackend, 2)]
UNITS = {
    "positions": "positions, 300,000 series x 217",
    "series": "series x 217",
    "scenarios": "scenarios of 10,000 series",
}
COLOURS = ("#8a8a8a", "#1f6fb4", "#0b2f52")


def points_of(what: str) -> list[dict[str, Any]]:
    """The least seconds of each line at each size."""
    found = []
    for size, spots in GROWTH[what]:
        batch = drawn(size).batch(grid(np.linspace(-0.15, 0.15, spots)))
        counts = {"positions": len(batch.weights), "series": len(batch.series), "scenarios": batch.scenarios}
        for name, backend, threads in LINES:
            walk = partial(walked, backend(), batch, threads)
            walk()
            seconds = seconds_of(walk, RUNS)
            found.append({"line": name, **counts, "seconds": seconds})
    return found


def picture(figures: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """One panel for each thing that grows; a thin line is growth in proportion."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "shockgrid", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot as plt
    from matplotlib.ticker import NullFormatter

    figure, panels = plt.subplots(1, 3, figsize=(10, 3.2), sharey=True, layout="constrained")
    for panel, (what, points) in zip(panels, figures.items(), strict=True):
        for (name, _, _), colour in zip(LINES, COLOURS, strict=True):
            own = [(point[what], point["seconds"]) for point in points if point["line"] == name]
            counts, seconds = (np.array(column) for column in zip(*own, strict=True))
            panel.loglog(counts, seconds, "o-", color=colour, label=name, markersize=4)
            panel.loglog(
                counts, seconds[-1] * counts / counts[-1], color=colour, linewidth=0.5, linestyle=":"
            )
        panel.set_xlabel(UNITS[what])
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.grid(visible=True, which="major", color="#e4e4e4", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("seconds")
    panels[0].legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    figures = {what: points_of(what) for what in GROWTH}
    arguments.figures.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    picture(figures, arguments.picture)
    for what, points in figures.items():
        for point in points:
            print(f"{point['line']:20} {point[what]:>12,} {what:10} {point['seconds']:9.4f} s")


if __name__ == "__main__":
    main()

"""Random books on one name and dense grids, for the tests of surfaces."""

from __future__ import annotations

from typing import Any

import numpy as np
from books import book, market, option, stock

import shockgrid as sg
from shockgrid.research.grids import Grid

DAYS = (0.1, 1, 2, 7, 30, 90, 365, 900)


def random_book(rng: np.random.Generator, kind: int, american: bool) -> tuple[sg.Book, sg.Market]:
    """2 to 12 options on a spot of 100, some deep, and sometimes shares.

    ``kind`` 0 is mixed, 1 all long, 2 all short, 3 alternating long and short.
    """
    count = int(rng.integers(2, 13))
    rows: list[dict[str, Any]] = [stock("XYZ")]
    quotes, held = [], []
    for place in range(count):
        width = 0.5 if rng.random() < 0.5 else 0.1
        strike = float(np.round(100 * np.exp(rng.uniform(-width, width)), 2))
        style = "american" if american and rng.random() < 0.3 else "european"
        days = float(rng.choice((1, 30, 200) if american else DAYS))
        rows.append(option(f"X{place}", "XYZ", "CP"[rng.integers(2)], strike, days, style=style))
        quotes.append({"symbol": f"X{place}", "vol": float(rng.uniform(0.05, 1.2))})
        size = float(rng.integers(1, 21))
        sign = (float(rng.choice([-1.0, 1.0])), 1.0, -1.0, (-1.0) ** place)[kind]
        held.append(("A", f"X{place}", sign * size))
    if rng.random() < 0.3:
        held.append(("A", "XYZ", float(rng.integers(1, 2000))))
    return book(held), market(rows, {"XYZ": 100.0}, quotes, rate=float(rng.choice([0.0, 0.05, 0.1])))


def random_grid(rng: np.random.Generator, prices: int = 131, vols: int = 41) -> Grid:
    """6 to 45 % either side; relative or absolute vol shocks."""
    width, reach = float(rng.choice([0.06, 0.15, 0.3, 0.45])), float(rng.choice([0.2, 0.3, 0.5]))
    spots = np.linspace(-width, width, prices)
    if rng.random() < 0.3:
        return Grid(spots, np.linspace(-0.03, reach, vols), "absolute")
    return Grid(spots, np.linspace(-reach, reach, vols))

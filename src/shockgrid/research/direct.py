"""The worst cell of every row by pricing every cell: slow, obvious, and what faster ways must reproduce."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.contract import Backend
from shockgrid.research.grids import Grid
from shockgrid.research.parts import Part

CELLS_AT_ONCE: Final = 2**20  #: of [L, cells] held at a time


class Worst(NamedTuple):
    """The lowest P&L of each of L rows and where it is reached."""

    pnl: Floats  #: [L] money, gain > 0
    cells: Codes  #: [L] lowest index on a tie


def direct_pnl(part: Part, grid: Grid, backend: Backend) -> Floats:
    """P&L [L, P x V] in every cell."""
    return part.cells(grid, np.arange(grid.size), backend)


def direct_worst(part: Part, grid: Grid, backend: Backend) -> Worst:
    """The worst cell of each row, all cells priced, a block of them at a time."""
    count = part.weights.shape[0]
    lowest, cells = np.full(count, np.inf), np.zeros(count, np.intp)
    width = max(1, CELLS_AT_ONCE // max(1, count))
    for start in range(0, grid.size, width):
        pnl = part.cells(grid, np.arange(start, min(start + width, grid.size)), backend)
        places = np.argmin(pnl, axis=1)
        found = pnl[np.arange(count), places]
        better = found < lowest
        lowest[better], cells[better] = found[better], places[better] + start
    return Worst(lowest, cells)

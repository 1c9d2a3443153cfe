"""The exact worst cell of every row from its interpolated surface: bound, narrow down, price what is left."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends.contract import Backend
from shockgrid.research.compressed import Compression, bounds, holds_direct
from shockgrid.research.direct import direct_worst
from shockgrid.research.grids import Grid
from shockgrid.research.parts import Part
from shockgrid.research.resolution import Limits

ROWS_AT_ONCE: Final = 64  #: whose surfaces are searched together
COEFFICIENTS_AT_ONCE: Final = 2**23  #: float64 values held at a time
FEW: Final = 128  #: candidates up to which the cells of several rows are priced together
CANDIDATE_CAP: Final = 20_000  #: cells of one row beyond which all cells are priced


class Found(NamedTuple):
    """The exact worst cell of each of L rows, and what it took."""

    pnl: Floats  #: [L] money, gain > 0
    cells: Codes  #: [L] lowest index on a tie
    bounds: Floats  #: [L] of the interpolated surface; 0 where every cell was priced
    candidates: Codes  #: [L] cells priced exactly
    direct: Mask  #: [L] whether every cell was priced

    @classmethod
    def nothing(cls, count: int) -> Found:
        """Zeros to write into."""
        return cls(*(np.zeros(count, kind) for kind in (float, np.intp, float, np.intp, np.bool_)))


def exact_worst(
    part: Part, limits: Limits, compression: Compression, backend: Backend, cap: int = CANDIDATE_CAP
) -> Found:
    """The worst cell of each row, the same figure and cell as by pricing every cell.

    ``limits`` are those of its instruments. With U the interpolated surface and E its bound, a cell that is
    worst has U <= min U + 2 E. Those cells are priced exactly; a row with more than ``cap`` of them, or with
    instruments that are not interpolated, has every cell priced.
    """
    grid, count = compression.grid, part.weights.shape[0]
    resolved = compression.resolved(limits)
    result = Found.nothing(count)
    result.bounds[:], result.direct[:] = bounds(part, resolved), holds_direct(part, resolved)
    smooth = np.flatnonzero(~result.direct)
    height = max(ROWS_AT_ONCE, COEFFICIENTS_AT_ONCE // (resolved.vol_count * grid.shape[0]))
    for top in range(0, len(smooth), height):
        block = smooth[top : top + height]
        own = part if len(block) == count else Part(part.series, part.leverages, part.weights[block])
        coefficients = compression.coefficients(own, resolved, backend)
        values = compression.axes(resolved.vol_count).values
        for low in range(0, len(block), ROWS_AT_ONCE):
            rows = block[low : low + ROWS_AT_ONCE]
            left = candidates(coefficients[low : low + ROWS_AT_ONCE], values, result.bounds[rows])
            _price(part, grid, rows, left, cap, backend, result)
    dense = np.flatnonzero(result.direct)
    if len(dense):
        worst = direct_worst(part.of_rows(dense), grid, backend)
        result.pnl[dense], result.cells[dense] = worst.pnl, worst.cells
        result.bounds[dense], result.candidates[dense] = 0.0, grid.size
    return result


class Candidates(NamedTuple):
    """Cells that may be the worst of their row, sorted by row, then cell."""

    rows: Codes
    cells: Codes


def candidates(coefficients: Floats, values: Floats, errors: Floats) -> Candidates:
    """Cells within twice the error of the lowest of each surface, from coefficients [L, nv, P].

    At one price a surface is at least its first coefficient less the sizes of all others, which rules most
    prices out; ``values`` [V, nv] takes the rest to the vols.
    """
    floors = coefficients[:, 0] - np.abs(coefficients[:, 1:]).sum(axis=1)
    everyone = np.arange(len(floors))
    lowest = (coefficients[everyone, :, np.argmin(floors, axis=1)] @ values.T).min(axis=1)
    rows, prices = np.nonzero(floors <= (lowest + 2.0 * errors)[:, None])
    surface = coefficients[rows, :, prices] @ values.T
    starts = np.searchsorted(rows, everyone)
    lowest_of_row = surface.min(axis=1)
    levels = (np.minimum.reduceat(lowest_of_row, starts) + 2.0 * errors)[rows]
    kept = np.flatnonzero(lowest_of_row <= levels)
    places, vols = np.nonzero(surface[kept] <= levels[kept][:, None])
    return Candidates(rows[kept][places], prices[kept][places] * len(values) + vols)


def _price(
    part: Part,
    grid: Grid,
    rows: Codes,
    left: Candidates,
    cap: int,
    backend: Backend,
    result: Found,
) -> None:
    """Price the candidates of some rows of the part and write the lowest of each into ``result``."""
    counts = np.bincount(left.rows, minlength=len(rows))
    result.candidates[rows] = counts
    result.direct[rows[counts > cap]] = True
    few = counts <= FEW
    if few.any():
        kept = few[left.rows]
        own, places = np.unique(left.rows[kept], return_inverse=True)
        cells, columns = np.unique(left.cells[kept], return_inverse=True)
        pnl = part.of_rows(rows[own]).cells(grid, cells, backend)
        mine = np.full(pnl.shape, np.inf)
        mine[places, columns] = pnl[places, columns]
        best = np.argmin(mine, axis=1)
        result.pnl[rows[own]], result.cells[rows[own]] = pnl[np.arange(len(own)), best], cells[best]
    for row in np.flatnonzero(~few & (counts <= cap)):
        cells = left.cells[left.rows == row]
        pnl = part.of_rows(rows[[row]]).cells(grid, cells, backend)[0]
        best = int(np.argmin(pnl))
        result.pnl[rows[row]], result.cells[rows[row]] = pnl[best], cells[best]

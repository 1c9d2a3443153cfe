"""Interpolated surfaces of many leaves at once, and the exact worst cell of each on a dense grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends.contract import Series
from shockgrid.states import States


class PriceNodes(NamedTuple):
    """Nodes in the log price."""

    spot_factors: Floats  #: [n]
    transform: Floats  #: [n, n] from values (rows) to Chebyshev coefficients


class VolNodes(NamedTuple):
    """Nodes in the vol."""

    shocks: Floats  #: [nv]
    transform: Floats  #: [nv, nv] from values (columns) to Chebyshev coefficients
    values: Floats  #: [nv, V] the polynomials at the vols of the grid


@dataclass(frozen=True)
class Surfaces:
    """G class groups on a grid of P prices x V vols, one vol rule: H instruments, L leaves, N positions.

    Starts count as in ``Batch``. An instrument is priced at the nodes of its level and at the vol nodes of
    its class group. All underlyings move by the same spot factors.
    """

    series: Series  #: [H]
    grid: States  #: its prices and vols; the index is empty
    group_instruments: Codes  #: [G + 1]
    group_leaves: Codes  #: [G + 1]
    leaf_positions: Codes  #: [L + 1]
    columns: NDArray[np.int32]  #: [N] place of its instrument in its class group; ascending in a leaf
    weights: Floats  #: [N] signed quantity x multiplier x FX
    levels: NDArray[np.int32]  #: [H] into ``price_nodes``; beyond: every price; below 0: not interpolated
    errors: Floats  #: [H] bound of the error of one unit's interpolated value
    vol_sets: NDArray[np.int32]  #: [G] into ``vol_nodes``
    smooth: Mask  #: [L] whether all that the leaf holds is interpolated
    price_nodes: tuple[PriceNodes, ...]
    vol_nodes: tuple[VolNodes, ...]
    polynomials: Floats  #: [most price nodes, P] at the prices of the grid
    most_candidates: int  #: cells of one leaf beyond which it is left to the caller


class WorstCells(NamedTuple):
    """What the leaves come to; nothing where ``candidates`` is -1."""

    pnl: Floats  #: [L] the lowest, gain > 0
    cells: Codes  #: [L] price row x V + vol column, the lowest on a tie
    bounds: Floats  #: [L] no cell of the interpolated surface is further from the true one
    candidates: Codes  #: [L] cells priced; -1 where the leaf is not smooth or has too many


@runtime_checkable
class FindsWorstCells(Protocol):
    """A backend that searches surfaces itself; others are asked for the values at the nodes."""

    def worst_cells(self, surfaces: Surfaces) -> WorstCells:
        """The exact worst cell of every smooth leaf: what pricing every cell gives, bit for bit."""

"""P&L on a dense grid from few nodes: priced and summed there, then taken to every cell.

A value is a smooth function of the log price and of the vol. Series are priced at Chebyshev-Lobatto points of
ln(1 + shock) and Chebyshev points of the vol shock, the rows of weights summed at those nodes, and only the
sums are carried to the cells. Source: L. N. Trefethen, "Approximation Theory and Approximation Practice",
SIAM 2013, chapters 3, 5 and 8 (nodes, barycentric formula, geometric convergence).
"""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends.contract import Backend
from shockgrid.market import Market
from shockgrid.market_series import series
from shockgrid.research.grids import Grid, product
from shockgrid.research.interpolation_error import VOL_NODES
from shockgrid.research.parts import Part
from shockgrid.research.resolution import (
    DENSE,
    DIRECT,
    Axes,
    Limits,
    Resolved,
    axes,
    limits_of,
    resolved,
    vol_axes,
)


class Compression:
    """The nodes of one grid, laid out once for every number of vol nodes that comes up."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.possible = grid.spots[0] > -1.0 and len(grid.spots) > 1
        self._axes = {VOL_NODES[0]: axes(grid, VOL_NODES[0])} if self.possible else {}
        self.norms = self._axes[VOL_NODES[0]].norms if self.possible else np.ones(DENSE + 1)

    def axes(self, vol_count: int) -> Axes:
        """The nodes with so many vols, of a grid that has any (``possible``)."""
        if vol_count not in self._axes:
            vols, matrix, values = vol_axes(self.grid, vol_count)
            bare = self._axes[VOL_NODES[0]]
            self._axes[vol_count] = bare._replace(vols=vols, to_coefficients=matrix, values=values)
        return self._axes[vol_count]

    def limits(self, market: Market, instruments: Codes) -> Limits:
        """What interpolation costs these rows of Market.instruments; cheapest for all of them at once."""
        owners = market.instruments.underlyings[instruments]
        leverages = market.underlyings.leverages[owners] if len(owners) else np.zeros(0)
        return limits_of(series(market, instruments), leverages, self.grid)

    def resolved(self, limits: Limits) -> Resolved:
        """Level and error bound of every instrument of a part."""
        return resolved(limits, self.grid, self.norms)

    def coefficients(self, part: Part, found: Resolved, backend: Backend) -> Floats:
        """Chebyshev coefficients in the vol at every price of the grid, [L, nv, P]; direct ones left out."""
        nodes = self.axes(found.vol_count)
        present = [level for level in range(DENSE) if (found.levels == level).any()]
        total = self._at_nodes(part, found.levels, DENSE, nodes, backend)
        rows = None
        for level in range(present[0], present[-1] + 1) if present else ():
            if rows is not None:
                rows = rows @ nodes.nested[level - 1]
            if level in present:
                own = self._at_nodes(part, found.levels, level, nodes, backend)
                rows = own if rows is None or own is None else rows + own
        if rows is not None:
            count, matrix = part.weights.shape[0], nodes.lifts[present[-1]]
            flat = np.reshape(nodes.to_coefficients @ rows, (-1, len(matrix))) @ matrix
            lifted: Floats = flat.reshape(count, found.vol_count, -1)
            return lifted if total is None else lifted + nodes.to_coefficients @ total
        if total is None:
            return np.zeros((part.weights.shape[0], found.vol_count, len(self.grid.spots)))
        return np.asarray(nodes.to_coefficients @ total)

    def _at_nodes(
        self, part: Part, levels: Codes, level: int, nodes: Axes, backend: Backend
    ) -> Floats | None:
        """P&L [L, nv, nodes] of the instruments of one level at its nodes."""
        kept = levels == level
        if not kept.any():
            return None
        shocks, grid = nodes.shocks[level], self.grid
        index = product(len(nodes.vols), len(shocks))[:, ::-1]
        pnl = part.of_columns(kept).pnl(
            lambda leverage: grid.states(leverage, index, shocks, nodes.vols), len(index), backend
        )
        return pnl.reshape(len(pnl), len(nodes.vols), len(shocks))


def bounds(part: Part, found: Resolved) -> Floats:
    """[L] how far the interpolated P&L of each row can be from the true one."""
    return _by_row(part, np.abs(part.weights.data) * found.errors[part.weights.indices])


def holds_direct(part: Part, found: Resolved) -> Mask:
    """[L] whether a row holds instruments that are not interpolated."""
    return _by_row(part, (found.levels == DIRECT)[part.weights.indices].astype(np.float64)) > 0.0


def _by_row(part: Part, values: Floats) -> Floats:
    """Sum of one number per weight for each row, [L]."""
    count = part.weights.shape[0]
    owners = np.repeat(np.arange(count), np.diff(part.weights.indptr))
    return np.bincount(owners, values, count).astype(np.float64)

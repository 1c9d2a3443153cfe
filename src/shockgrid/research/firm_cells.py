"""The exact worst cell of every leaf of a firm: all at once where the backend can, else group by group."""

from __future__ import annotations

import numpy as np

from shockgrid.backends.contract import Backend
from shockgrid.backends.dense import FindsWorstCells, PriceNodes, Surfaces, VolNodes
from shockgrid.engine import Plan
from shockgrid.layout import Layout
from shockgrid.research.chebyshev import lobatto_coefficients, polynomials
from shockgrid.research.compressed import Compression
from shockgrid.research.direct import direct_worst
from shockgrid.research.grids import Grid
from shockgrid.research.interpolation_error import LEVELS, VOL_NODES
from shockgrid.research.parts import Part
from shockgrid.research.resolution import DIRECT, Limits, coarsest, errors_of, log_points, vol_nodes_of
from shockgrid.research.search import CANDIDATE_CAP, Found, exact_worst

NO_CELLS = np.zeros((0, 2), np.intp)


def direct_cells(whole: Plan, grid: Grid, backend: Backend) -> Found:
    """The worst cell of every leaf in the order of ``whole.layout``, every cell priced."""
    found = Found.nothing(len(whole.relaid().leaves))
    found.direct[:], found.candidates[:] = True, grid.size
    first = 0
    for group in whole.class_groups():
        part = Part.of(group, whole.market, group.weights)
        rows = slice(first, first + len(group.leaves))
        found.pnl[rows], found.cells[rows] = direct_worst(part, grid, backend)
        first = rows.stop
    return found


def worst_cells(whole: Plan, grid: Grid, backend: Backend) -> Found:
    """The worst cell of every leaf in the order of ``whole.layout``: the same, from surfaces."""
    layout, compression = whole.relaid(), Compression(grid)
    limits = compression.limits(whole.market, layout.instruments)
    found = Found.nothing(len(layout.leaves))
    left = np.ones(len(layout.leaves), np.bool_)
    if isinstance(backend, FindsWorstCells) and compression.possible and len(layout.leaves):
        cells = backend.worst_cells(surfaces(layout, limits.without_early(), compression))
        left = cells.candidates < 0
        for into, own in zip(found, cells, strict=False):
            into[~left] = own[~left]
    first = column = 0
    for group in whole.class_groups():
        rows, columns = first, slice(column, column + len(group.instruments))
        first, column = first + len(group.leaves), columns.stop
        wanted = np.flatnonzero(left[rows:first])
        if len(wanted):
            part = Part.of(group, whole.market, group.weights[wanted])
            priced = exact_worst(part, limits.take(columns), compression, backend)
            for into, column_of in zip(found, priced, strict=True):
                into[rows + wanted] = column_of
    return found


def surfaces(layout: Layout, limits: Limits, compression: Compression) -> Surfaces:
    """What a backend that searches surfaces itself is given: instruments by class group, then level.

    No option that may be worth exercising is interpolated there: ``Limits.without_early``.
    """
    grid, starts = compression.grid, layout.group_columns
    sizes = np.diff(starts)
    levels = coarsest(limits, len(grid.spots))
    sets = vol_nodes_of(limits, starts[:-1])
    errors = errors_of(limits, levels, compression.norms, sets.repeat(sizes))
    order = np.lexsort((levels, np.repeat(np.arange(len(sizes)), sizes)))
    places = np.empty(len(order), np.intp)
    places[order] = np.arange(len(order))
    held = layout.held_places
    rough = np.logical_or.reduceat((levels == DIRECT)[held], layout.leaf_positions[:-1])
    columns = places[held] - starts[:-1].repeat(np.diff(layout.leaf_positions[layout.group_leaves]))
    axes = [compression.axes(count) for count in VOL_NODES]
    return Surfaces(
        series=layout.series.take(order),
        grid=grid.states(1.0, NO_CELLS, grid.spots, grid.vols),
        group_instruments=starts,
        group_leaves=layout.group_leaves,
        leaf_positions=layout.leaf_positions,
        columns=columns.astype(np.int32),
        weights=layout.weights,
        levels=levels[order].astype(np.int32),
        errors=errors[order],
        vol_sets=sets.astype(np.int32),
        smooth=~rough,
        price_nodes=tuple(
            PriceNodes(1.0 + shocks, lobatto_coefficients(len(shocks))) for shocks in axes[0].shocks[:-1]
        ),
        vol_nodes=tuple(VolNodes(own.vols, own.to_coefficients, own.values.T) for own in axes),
        polynomials=polynomials(max(LEVELS), log_points(grid)[2]).T,
        most_candidates=CANDIDATE_CAP,
    )

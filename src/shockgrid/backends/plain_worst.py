"""The worst loss of every leaf of a batch by way of its rows: slow, obvious, and for every backend."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Backend
from shockgrid.errors import InputError


def require_fit(batch: Batch, reduced: int) -> None:
    """Raise InputError where a batch does not hang together; what adds it up trusts sizes.

    The sets of scenarios differ in size, ``reduced`` is not one of their numbers, or a position has no
    instrument in its class group.
    """
    if any(len(states.index) != batch.scenarios for states in batch.states):
        problem = "all sections must have the same number of scenarios"
        raise InputError(problem)
    if not len(batch):
        return
    if not 1 <= reduced <= batch.scenarios:
        problem = f"expected between 1 and {batch.scenarios} scenarios to reduce"
        raise InputError(problem, column="reduced", value=reduced)
    sizes = np.diff(batch.section_starts[batch.group_sections])
    edges = batch.leaf_positions[batch.group_leaves]
    some = np.flatnonzero(np.diff(edges))
    held = batch.columns[edges[0] : edges[-1]].view(np.uint32)  # one below 0 is beyond any size
    largest = np.maximum.reduceat(held, edges[some] - edges[0]) if len(some) else sizes[some]
    odd = np.flatnonzero(largest >= sizes[some])
    if len(odd):
        problem = f"a position has no instrument in class group {some[odd[0]]} of the batch"
        raise InputError(problem, column="columns", value=int(largest.view(np.int32)[odd[0]]))


def plain_worst(backend: Backend, batch: Batch, reduced: int, units: bool, tile_elements: int) -> Worst:
    """``Backend.worst`` by way of ``risk_arrays``, as one would write it; about so many P&L held at once.

    Neighbouring class groups are taken together as long as they fit, a large one is cut by scenarios.
    """
    require_fit(batch, reduced)
    found = [
        _worst_of(backend, batch.part(low, high), reduced, units, tile_elements)
        for low, high in _runs(batch, tile_elements)
    ]
    if found:
        return Worst(*(np.concatenate(column) for column in zip(*found, strict=True)))
    none = np.empty(0)
    return Worst(none, np.empty(0, np.intp), np.empty((0, max(batch.scenarios - reduced, 0))), none, none)


def _runs(batch: Batch, tile_elements: int) -> Iterator[tuple[int, int]]:
    """Class groups, from and to, whose instruments and leaves make tiles of about that size."""
    rows = batch.section_starts[batch.group_sections] + batch.group_leaves
    start, most = 0, max(1, tile_elements // max(1, batch.scenarios))
    while start < len(batch):
        stop = int(np.searchsorted(rows, rows[start] + most, side="right")) - 1
        stop = max(start + 1, stop)
        yield start, stop
        start = stop


def _worst_of(backend: Backend, batch: Batch, reduced: int, units: bool, tile_elements: int) -> Worst:
    """A few class groups, a run of scenarios at a time."""
    leaves, instruments = batch.leaves, batch.instruments
    weights, sections = batch.matrix(units=units), batch.sections()
    lowest, highest = np.full(weights.shape[0], np.inf), np.full(weights.shape[0], -np.inf)
    scenarios = np.zeros(weights.shape[0], np.intp)
    count = leaves.stop - leaves.start
    rest = np.empty((count, batch.scenarios - reduced))
    width = max(1, tile_elements // max(1, weights.shape[0]))
    cuts = np.unique([*range(0, batch.scenarios, width), reduced, batch.scenarios]).tolist()
    for start, stop in pairwise(cuts):
        part = [(series, states.block(start, stop)) for series, states in sections]
        pnl = backend.get(backend.risk_arrays(part, weights))
        if batch.scenario_weights is not None:
            pnl = pnl * _row_weights(batch, units)[:, start:stop]
        if start >= reduced:
            rest[:, start - reduced : stop - reduced] = pnl[:count]
            continue
        best = np.argmin(pnl, axis=1)
        values = pnl[np.arange(len(pnl)), best]
        better = values < lowest
        lowest[better], scenarios[better] = values[better], best[better] + start
        np.maximum(highest, pnl.max(axis=1), out=highest)
    losses, gains = np.maximum(-lowest, 0.0) + 0.0, np.maximum(highest, 0.0) + 0.0
    width = instruments.stop - instruments.start if units else 0
    return Worst(losses[:count], scenarios[:count], rest, losses[count : count + width], gains[count:])


def _row_weights(batch: Batch, units: bool) -> Floats:
    """Scenario weights [rows, S] of the rows of ``Batch.matrix``."""
    assert batch.scenario_weights is not None
    groups = np.arange(len(batch))
    owners = np.repeat(groups, np.diff(batch.group_leaves))
    if units:
        sizes = np.diff(batch.section_starts[batch.group_sections])
        owners = np.concatenate([owners, np.repeat(groups, sizes)])
    weights: Floats = batch.scenario_weights[owners]
    return weights

"""``Backend.worst`` in one call of the library: the Python side of ``kernels/native_worst.h``."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Mask
from shockgrid.backends._native_library import (
    DONE,
    EARLY_NUMBERS,
    SERIES_FLAGS,
    SERIES_NUMBERS,
    Columns,
    Library,
    Section,
    overflow,
    whole,
)
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Series
from shockgrid.backends.plain_worst import require_fit
from shockgrid.backends.vol_ranges import RANGES
from shockgrid.states import States

#: Columns of a section with an entry for each instrument, and the bytes of one.
BY_ROW = {
    **dict.fromkeys((*SERIES_NUMBERS, *EARLY_NUMBERS), 8),
    **dict.fromkeys(SERIES_FLAGS, 1),
    "tables": 4 * RANGES,
    "places": 4,
}
SECTION = np.dtype(Section)  #: read once: NumPy takes long over a structure of ctypes
#: How a run of neighbours with the same states, from this instrument on, is laid out for the library.
Lay: TypeAlias = Callable[[Series, States, int], Columns]


class Groups(ctypes.Structure):
    """``Groups`` of native_worst.h; what it points to must outlive it."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("count", "scenarios", "reduced")),
        *((name, ctypes.c_void_p) for name in ("sections", "sections_of", "leaves_of", "positions_of")),
        *((name, ctypes.c_void_p) for name in ("columns", "weights", "scenario_weights")),
    )


class Reduced(ctypes.Structure):
    """``Reduced`` of native_worst.h."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("losses", "scenarios", "rest")),
        *((name, ctypes.c_int64) for name in ("rest_row", "rest_column")),
        *((name, ctypes.c_void_p) for name in ("longs", "shorts", "rows")),
    )

    @classmethod
    def of(cls, found: Worst, *, units: bool = True, rows: NDArray[np.uint64] | None = None) -> Reduced:
        """Pointers to these arrays, of which all but ``rest`` are contiguous; scenarios are int64.

        ``rows`` are the addresses of one row for each leaf.
        """
        steps = [step // found.rest.itemsize for step in found.rest.strides]
        addresses = [array.ctypes.data if units or array.size else None for array in found]
        return cls(*addresses[:3], *steps, *addresses[3:], None if rows is None else rows.ctypes.data)


def native_worst(
    library: Library,
    batch: Batch,
    reduced: int,
    units: bool,
    tile_elements: int,
    lay: Lay,
    counts: ctypes.Structure | None = None,
) -> Worst:
    """See ``Backend.worst``; every instrument must be one that the kernels price.

    With ``counts``, which are added to, it is screened in float32 first: see ``_native_screen``.

    Raises InputError where a number is not finite, or a position has no instrument in its class group.
    """
    require_fit(batch, reduced)
    laid = LaidBatch(batch, lay)
    leaves, instruments = batch.leaves, batch.instruments
    count = leaves.stop - leaves.start
    held = instruments.stop - instruments.start if units else 0
    found = Worst(
        np.empty(count),
        np.empty(count, np.int64),
        np.empty((count, max(batch.scenarios - reduced, 0))),
        np.empty(held),
        np.empty(held),
    )
    into = Reduced.of(found, units=units)
    groups = laid.groups(reduced)
    arguments = [ctypes.byref(groups), whole(tile_elements), ctypes.byref(into)]
    if counts is None:
        status = library.call("worst", *arguments)
    else:
        status = library.call("screened_worst", *arguments, ctypes.byref(counts))
    if status != DONE:
        for error in (error for part in laid.columns for error in part.not_finite()):
            raise error
        raise overflow()
    return found._replace(scenarios=found.scenarios.astype(np.intp, copy=False))


def worst_in_parts(
    batch: Batch,
    given: Mask,
    most: int,
    whole_part: Callable[[Batch], Worst],
    by_rows: Callable[[Batch], Worst],
) -> Worst:
    """The result of neighbouring class groups together, as long as they have at most so many given values.

    ``given`` says which of the batch's own instruments have their values given to the library. A class group
    that has more of them by itself goes by its rows.
    """
    columns = batch.section_starts[batch.group_sections] - batch.instruments.start
    values = np.concatenate([[0], np.cumsum(given)])[columns] * batch.scenarios
    start, found = 0, []
    while start < len(batch):
        stop = int(np.searchsorted(values, values[start] + most, side="right")) - 1
        price = whole_part if stop > start else by_rows
        stop = max(stop, start + 1)
        found.append(price(batch.part(start, stop)))
        start = stop
    if len(found) < 2:
        return found[0] if found else whole_part(batch)
    return Worst(*(np.concatenate(column) for column in zip(*found, strict=True)))


class LaidBatch:
    """A batch as the library takes it; holds what it points to."""

    def __init__(self, batch: Batch, lay: Lay) -> None:
        self._batch = batch
        self.columns, first = list[Columns](), batch.instruments.start
        for series, states in batch.sections():
            self.columns.append(lay(series, states, first))
            first += len(series)
        self._sections = self._laid_sections()
        self._starts = [
            np.ascontiguousarray(starts, np.int64)
            for starts in (
                batch.group_sections - batch.group_sections[0],
                batch.group_leaves,
                batch.leaf_positions,
            )
        ]
        self._columns = np.ascontiguousarray(batch.columns, np.int32)
        self._weights = np.ascontiguousarray(batch.weights, np.float64)
        factors = batch.scenario_weights
        self._factors = None if factors is None else np.ascontiguousarray(factors, np.float64)

    def _laid_sections(self) -> NDArray[Any]:
        """A ``Section`` for each underlying: a part of the columns of its neighbours with the same states."""
        low, high = self._batch.group_sections[[0, -1]]
        starts = self._batch.section_starts[low : high + 1]
        sections = np.empty(len(starts) - 1, SECTION)
        first = 0
        for part in self.columns:
            whole_run = np.frombuffer(bytes(part.section), sections.dtype)[0]
            stop = int(np.searchsorted(starts, starts[first] + whole_run["count"], side="right")) - 1
            run, offsets = sections[first:stop], starts[first:stop] - starts[first]
            run[:] = whole_run
            run["count"] = np.diff(starts[first : stop + 1])
            for name, size in BY_ROW.items():
                if whole_run[name]:
                    run[name] += (size * offsets).astype(np.uint64)
            first = stop
        return sections

    def groups(self, reduced: int) -> Groups:
        """The batch as the library takes it."""
        pointed = (self._sections, *self._starts, self._columns, self._weights)
        factors = None if self._factors is None else self._factors.ctypes.data
        addresses = [array.ctypes.data for array in pointed]
        return Groups(len(self._batch), self._batch.scenarios, reduced, *addresses, factors)

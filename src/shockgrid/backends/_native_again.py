"""Columns laid out for the library once, of which spots and vols are written anew: see ``FindsAgain``."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.backends._native_library import (
    DONE,
    Columns,
    Library,
    overflow,
    pointer,
    require_numbers,
    whole,
)
from shockgrid.backends._native_worst import LaidBatch, Reduced
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Series
from shockgrid.backends.plain_worst import require_fit
from shockgrid.states import UNMOVED


def plain_terms(series: Series) -> bool:
    """Whether nothing of these instruments but their spots and vols is found in Python."""
    return not (series.is_american.any() or series.inverse.any())


class WorstAgain:
    """The worst losses of one batch, found into the same arrays each time."""

    def __init__(
        self,
        library: Library,
        batch: Batch,
        reduced: int,
        into: Worst,
        rows: NDArray[np.uint64] | None,
        tile_elements: int,
    ) -> None:
        require_fit(batch, reduced)
        self._library, self._tile, self._kept = library, whole(tile_elements), (into, rows)
        self._laid = LaidBatch(batch, lambda series, states, _: Columns(series, states))
        self._first = batch.instruments.start
        self._groups = self._laid.groups(reduced)
        self._into = Reduced.of(into, rows=rows)

    def __call__(self, series: Series) -> None:
        """Find them for these spots and vols. Raises InputError where a number is not finite."""
        first = self._first
        for columns in self._laid.columns:
            last = first + int(columns.section.count)
            columns.move(series.spots[first:last], series.vols[first:last])
            first = last
        status = self._library.call("worst", ctypes.byref(self._groups), self._tile, ctypes.byref(self._into))
        if status != DONE:
            for error in (error for part in self._laid.columns for error in part.not_finite()):
                raise error
            raise overflow()


class ValuesAgain:
    """The model values of some instruments."""

    def __init__(self, library: Library, series: Series) -> None:
        self._library, self._columns = library, Columns(series, UNMOVED)
        self._section, self._size = ctypes.byref(self._columns.section), len(series)

    def __call__(self, series: Series) -> Floats:
        """Those at these spots and vols, [n]. Raises InputError where a number is not finite."""
        self._columns.move(series.spots, series.vols)
        values = np.empty((self._size, 1))
        status = self._library.call("price", self._section, whole(1), pointer(values))
        require_numbers(status, [self._columns], values)
        return values[:, 0]


def leaf_worth(
    library: Library, starts: Codes, places: Codes, weights: Floats, paid: Floats, prices: Floats
) -> Floats:
    """See ``FindsAgain.leaf_worth``."""
    count = len(starts) - 1
    sums = np.empty((len(prices), count))
    numbers = [np.ascontiguousarray(column, np.float64) for column in (weights, paid, prices)]
    rows = [np.ascontiguousarray(column, np.int64) for column in (starts, places)]
    library.call(
        "leaf_worth",
        *(whole(size) for size in (count, len(prices), prices.shape[1])),
        *(pointer(column) for column in (*rows, *numbers, sums)),
    )
    return sums


def worst_of_sums(
    library: Library, starts: Codes, rows: NDArray[np.uint64], scenarios: int
) -> tuple[Floats, Codes]:
    """See ``FindsAgain.worst_of_sums``."""
    count = len(starts) - 1
    losses, places = np.empty(count), np.empty(count, np.int64)
    firsts = np.ascontiguousarray(starts, np.int64)
    arrays = (firsts, rows, losses, places)
    status = library.call("worst_of_sums", whole(count), whole(scenarios), *map(pointer, arrays))
    if status != DONE:
        raise overflow()
    return losses, places.astype(np.intp, copy=False)

"""``Backend.worst`` with a screen in float32: the Python side of ``kernels/native_screen.h``."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Floats
from shockgrid.backends._native_library import Columns, Library, pointer, require_numbers, whole
from shockgrid.backends._native_worst import Lay, native_worst
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Series
from shockgrid.states import States

#: ``SCREEN_NO_BOUND`` of screen.h: every scenario is kept.
NO_BOUND = 1e300


class Screening(NamedTuple):
    """What screening came to, in unit prices of European options."""

    screened: int  #: priced in float32
    again: int  #: of these, priced in float64 because they may be part of a worst loss
    given_up: int  #: of these, in tiles where too many may be, which were priced in float64 throughout


class _Counts(ctypes.Structure):
    """``ScreenCounts`` of native_screen.h."""

    _fields_ = tuple((name, ctypes.c_int64) for name in Screening._fields)


def screened_worst(
    library: Library, batch: Batch, reduced: int, units: bool, tile_elements: int, lay: Lay
) -> tuple[Worst, Screening]:
    """``native_worst`` to the byte, and what screening came to. Raises as that does."""
    counts = _Counts()
    found = native_worst(library, batch, reduced, units, tile_elements, lay, counts)
    return found, Screening(*(int(getattr(counts, name)) for name in Screening._fields))


def screened_units(library: Library, series: Series, states: States) -> tuple[NDArray[np.float32], Floats]:
    """Unit P&L of European options in float32 [n, S], and bounds of their errors [n], in currency.

    For whoever checks the bounds; ``NO_BOUND`` where an option cannot be screened. Raises InputError where
    a number is not finite.
    """
    columns, count = Columns(series, states), len(states.index)
    pnl, errors = np.empty((len(series), count), np.float32), np.empty(len(series))
    section = ctypes.byref(columns.section)
    status = library.call("screened_units", section, whole(count), pointer(pnl), pointer(errors))
    require_numbers(status, [columns], errors[:, None])
    return pnl, errors

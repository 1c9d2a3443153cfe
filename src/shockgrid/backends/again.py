"""What a backend may offer to who asks the same again and again while spots and vols alone move.

All of it is also found by the verbs every backend has; it takes less time, and gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Series

MOVING = ("spots", "vols")
_TERMS = tuple(field.name for field in fields(Series) if field.name not in MOVING)


def same_terms(series: Series, other: Series) -> bool:
    """Whether two series have the very same columns but for spots and vols."""
    return all(getattr(series, name) is getattr(other, name) for name in _TERMS)


@runtime_checkable
class FindsAgain(Protocol):
    """A backend that keeps what it has laid out."""

    def worst_again(
        self, batch: Batch, reduced: int, into: Worst, rows: NDArray[np.uint64] | None = None
    ) -> Callable[[Series], None] | None:
        """``Backend.worst`` with units, written into these arrays, to be called with the batch's series or
        one of the ``same_terms``; None where more than spots and vols has to be laid out anew each time.

        ``into`` are contiguous but for its rows ``rest``; after an error they hold anything. ``rows`` [L] are
        addresses of memory for the P&L of each leaf in the reduced scenarios, side by side.
        """

    def worst_of_sums(self, starts: Codes, rows: NDArray[np.uint64], scenarios: int) -> tuple[Floats, Codes]:
        """Losses and scenarios [n] that ``reducers.worst`` finds in the sums of each group's rows, added up
        one after another from 0.

        ``starts`` [n + 1] are the first row of each group and the number of all rows, ``rows`` their
        addresses; behind each row 2 kB more can be read.
        """

    def values_again(self, series: Series) -> Callable[[Series], Floats] | None:
        """The values [n] of ``Backend.price`` under ``UNMOVED``; otherwise the same."""

    def leaf_worth(
        self, starts: Codes, places: Codes, weights: Floats, paid: Floats, prices: Floats
    ) -> Floats:
        """Sums [k, L] of weights x (price - paid) over the positions [P] of each leaf, in their order from 0.

        ``starts`` [L + 1] are the first position of each leaf and P, ``places`` [P] the column of ``prices``
        [k, n] that each position takes; one with a ``paid`` of NaN counts nothing.
        """

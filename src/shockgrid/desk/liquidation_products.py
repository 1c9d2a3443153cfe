"""Sums of weighted rows of a table, a block of them at a time."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shockgrid.arrays import Codes, Floats
from shockgrid.desk.liquidation_changes import Changes

Short: TypeAlias = NDArray[np.int32]  #: places as a sparse matrix keeps them


class Products(NamedTuple):
    """K sums, one for each candidate."""

    table: Floats  #: [n, S]
    weights: Floats  #: [Z]
    places: Short  #: [Z] row of the table that each of them weighs
    starts: Short  #: [K + 1] where each sum starts

    @classmethod
    def of(
        cls, table: Floats, weights: Floats, places: Short, changes: Changes, added: Codes | None
    ) -> Products:
        """The changes of each candidate, weighed, and last of all a row ``added`` [K] as it is.

        In this order a sum is, to the last bit, that of the changes added to the row.
        """
        starts = np.searchsorted(changes.candidates, np.arange(len(changes.owners) + 1)).astype(np.int32)
        if added is None:
            return cls(table, weights, places, starts)
        starts += np.arange(len(starts), dtype=np.int32)
        at = np.arange(len(places)) + changes.candidates
        every, amounts = np.empty(starts[-1], np.int32), np.ones(starts[-1])
        every[at], every[starts[1:] - 1], amounts[at] = places, added, weights
        return cls(table, amounts, every, starts)

    def block(self, part: slice) -> Floats:
        """The sums of some candidates, [k, S]."""
        starts = self.starts[part.start : part.stop + 1]
        own = slice(int(starts[0]), int(starts[-1]))
        parts = (self.weights[own], self.places[own], starts - starts[0])
        matrix = sparse.csr_array(parts, shape=(len(starts) - 1, len(self.table)))
        return np.asarray(matrix @ self.table)

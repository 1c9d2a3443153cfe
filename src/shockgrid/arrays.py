"""Names for the columns everything is made of."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.intp]  #: rows of another table
Texts: TypeAlias = NDArray[np.object_]
Mask: TypeAlias = NDArray[np.bool_]


def row_sums(rows: Floats, weights: Floats) -> Floats:
    """Sum of each row of [n, S] times ``weights`` [S].

    A row's sum depends on that row alone, which a matrix product does not promise: BLAS adds up the last few
    of many rows in another order.
    """
    sums: Floats = np.einsum("ij,j->i", np.ascontiguousarray(rows), weights)
    return sums


def run_starts(column: NDArray[Any]) -> Mask:
    """Where a run of equal values starts.

    >>> run_starts(np.array([3, 3, 5, 3])).tolist()
    [True, False, True, True]
    """
    starts = np.ones(len(column), np.bool_)
    np.not_equal(column[1:], column[:-1], out=starts[1:])
    return starts

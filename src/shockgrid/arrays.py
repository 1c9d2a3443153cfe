"""Names for the columns everything is made of."""

from __future__ import annotations

from typing import TypeAlias

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

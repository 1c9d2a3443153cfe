"""The weights of leaves as kernels take them, which trust sizes and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scipy.sparse import csr_array

from shockgrid.backends.contract import Series
from shockgrid.errors import InputError
from shockgrid.states import States


def checked_weights(sections: Sequence[tuple[Series, States]], weights: Any) -> tuple[Any, int]:
    """The weights as CSR [L, n] with columns in order, and how many scenarios the sections have.

    Raises InputError where weights and sections do not fit.
    """
    rows = weights if getattr(weights, "format", "") == "csr" else csr_array(weights)
    if not rows.has_sorted_indices:
        rows = rows.sorted_indices()
    count = len(sections[0][1].index) if sections else 0
    held = sum(len(series) for series, _ in sections)
    if any(len(states.index) != count for _, states in sections):
        problem = "all sections must have the same number of scenarios"
        raise InputError(problem)
    if rows.shape[1] != held:
        problem = f"weights must have a column for each of {held} instruments"
        raise InputError(problem, value=rows.shape)
    if rows.nnz and not 0 <= rows.indices.min() <= rows.indices.max() < held:
        problem = "a weight stands in a column that is not there"
        raise InputError(problem, value=rows.shape)
    return rows, count

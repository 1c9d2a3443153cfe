"""A row's sum depends on that row alone: not on its neighbours, nor on how the rows lie in memory."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shockgrid.arrays import row_sums


@given(count=st.integers(1, 40), length=st.integers(1, 300), seed=st.integers(0, 99))
def test_a_row_by_itself_and_among_others(count: int, length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, weights = rng.normal(size=(count, length)), rng.normal(size=length)
    sums = row_sums(rows, weights)
    alone = np.concatenate([row_sums(row[None, :], weights) for row in rows])
    wide = np.hstack([rows, rows])[:, :length]
    for other in (alone, row_sums(np.asfortranarray(rows), weights), row_sums(wide, weights)):
        np.testing.assert_array_equal(sums, other)
    exact = [math.fsum(row * weights) for row in rows]
    np.testing.assert_allclose(sums, exact, atol=1e-11)  # 300 products of size 1

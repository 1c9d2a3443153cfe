"""Rows by group: the sums of ``np.bincount`` byte for byte, and the first of the largest found one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shockgrid.requirement.grouped import Grouped

ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.floats(0.0, 1e15) | st.sampled_from([0.0, 1.0]), st.booleans()),
    max_size=40,
)


@given(rows=ROWS, sign=st.sampled_from([1.0, -1.0]))
def test_sums_are_those_of_bincount(rows: list[tuple[int, float, bool]], sign: float) -> None:
    codes = np.array([code for code, _, _ in rows], np.intp)
    values = sign * np.array([value for _, value, _ in rows], np.float64)
    expected = np.bincount(codes, values, 6).astype(np.float64)
    assert Grouped(codes, 6).sums(values).tobytes() == expected.tobytes()


@given(rows=ROWS)
def test_the_first_of_the_largest(rows: list[tuple[int, float, bool]]) -> None:
    codes, values, eligible = (np.array(column) for column in zip(*rows, strict=True)) if rows else ([],) * 3
    found = Grouped(np.asarray(codes, np.intp), 6).first_largest(
        np.asarray(values, np.float64), np.asarray(eligible, np.bool_)
    )
    for group, winner in enumerate(found.tolist()):
        own = [place for place, (code, _, good) in enumerate(rows) if code == group and good]
        assert winner == max(own, key=lambda place: (rows[place][1], -place), default=-1)

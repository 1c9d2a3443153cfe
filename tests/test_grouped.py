"""Rows by group: sums added up one by one, byte for byte, and the first of the largest found one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shockgrid.requirement import grouped
from shockgrid.requirement.grouped import Grouped

ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.floats(0.0, 1e15) | st.sampled_from([0.0, 1.0]), st.booleans()),
    max_size=40,
)
#: rows that are summed without a matrix: none, as of a large firm, and all, as of a single account
FEW = pytest.mark.parametrize("few", [0, grouped.FEW])


def laid(rows: list[tuple[int, float, bool]], alone: bool) -> tuple[Grouped, list[int], list[float]]:
    """The rows by their own codes, or each in a group of its own."""
    codes = list(range(len(rows))) if alone else [code for code, _, _ in rows]
    layout = Grouped(np.array(codes, np.intp), len(rows) if alone else 6)
    return layout, codes, [value for _, value, _ in rows]


@FEW
@given(rows=ROWS, sign=st.sampled_from([1.0, -1.0]), alone=st.booleans())
def test_sums_are_added_up_in_order(
    few: int, rows: list[tuple[int, float, bool]], sign: float, alone: bool
) -> None:
    layout, codes, values = laid(rows, alone)
    expected = np.zeros(layout.size)
    for code, value in zip(codes, values, strict=True):
        expected[code] += sign * value
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(grouped, "FEW", few)
        found = layout.sums(sign * np.array(values, np.float64))
    assert found.tobytes() == expected.tobytes()


@given(rows=ROWS, alone=st.booleans())
def test_the_first_of_the_largest(rows: list[tuple[int, float, bool]], alone: bool) -> None:
    layout, codes, values = laid(rows, alone)
    eligible = [good for _, _, good in rows]
    found = layout.first_largest(np.array(values, np.float64), np.array(eligible, np.bool_))
    assert len(found) == layout.size
    for group, winner in enumerate(found.tolist()):
        own = [place for place, code in enumerate(codes) if code == group and eligible[place]]
        assert winner == max(own, key=lambda place: (values[place], -place), default=-1)

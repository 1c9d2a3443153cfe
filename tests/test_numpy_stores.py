"""The memories of the NumPy backend: what they keep, and when they forget."""

import numpy as np
import pytest
from test_numpy_american import options
from test_numpy_backend import grid

from shockgrid.backends import NumpyBackend, _numpy_grids


@pytest.fixture
def solved(monkeypatch):
    """How many lanes each call of the solver was asked for."""
    counts, solve = [], _numpy_grids.solve

    def counting(contracts, firsts, count):
        counts.append(len(firsts))
        return solve(contracts, firsts, count)

    monkeypatch.setattr(_numpy_grids, "solve", counting)
    return counts


def paying(strikes):
    count = len(strikes)
    ex_years, cash = np.full((count, 1), 0.3), np.full((count, 1), 2.0)
    return options(100.0, strikes, 0.5, 0.3, 0.04, 0.0, False, ex_years, cash)


def test_grids_at_hand_are_never_solved_again(monkeypatch, solved):
    """Also where those at hand and those asked for, counted twice, would be more than may be kept."""
    series, states, backend = paying(np.arange(80.0, 120.0)), grid(3, 3), NumpyBackend()
    values = backend.price(series, states)
    monkeypatch.setattr(_numpy_grids, "MOST_LANES", sum(solved))
    solved.clear()
    assert np.array_equal(backend.price(series, states), values)
    assert solved == []


def test_what_is_too_much_to_keep_is_forgotten_and_changes_no_bit(monkeypatch, solved):
    series, states = paying(np.arange(80.0, 120.0)), grid(3, 3)
    values = NumpyBackend().price(series, states)
    monkeypatch.setattr(_numpy_grids, "MOST_LANES", sum(solved) // 4)
    solved.clear()
    backend = NumpyBackend()
    for start in range(0, 40, 5):
        part = slice(start, start + 5)
        assert np.array_equal(backend.price(series.take(part), states), values[:, part])
    assert np.array_equal(backend.price(series, states), values)
    assert sum(solved) > len(series)

"""The memories of the NumPy backend: what they keep, and when they forget."""

import numpy as np
from test_numpy_american import options
from test_numpy_backend import grid

from shockgrid.backends import NumpyBackend, _numpy_grids
from shockgrid.backends._numpy_grid_solve import solve
from shockgrid.backends._numpy_premium import build


class Counting:
    """A solver that knows how many lanes it was asked for."""

    def __init__(self):
        self.lanes = 0

    def __call__(self, contracts, firsts, count):
        self.lanes += len(firsts) * count
        return solve(contracts, firsts, count)


def paying(strikes):
    count = len(strikes)
    ex_years, cash = np.full((count, 1), 0.3), np.full((count, 1), 2.0)
    return options(100.0, strikes, 0.5, 0.3, 0.04, 0.0, False, ex_years, cash)


def test_grids_at_hand_are_never_solved_again(monkeypatch):
    """Also where those at hand and those asked for, counted twice, would be more than may be kept."""
    solver, series, states = Counting(), paying(np.arange(80.0, 120.0)), grid(3, 3)
    backend = NumpyBackend(solver=solver)
    values = backend.price(series, states)
    asked = solver.lanes
    assert asked > len(series)
    monkeypatch.setattr(_numpy_grids, "MOST_LANES", asked)
    assert np.array_equal(backend.price(series, states), values)
    assert solver.lanes == asked


def test_what_is_too_much_to_keep_is_forgotten_and_changes_no_bit(monkeypatch):
    solver, series, states = Counting(), paying(np.arange(80.0, 120.0)), grid(3, 3)
    values = NumpyBackend(solver=solver).price(series, states)
    monkeypatch.setattr(_numpy_grids, "MOST_LANES", solver.lanes // 4)
    once, solver.lanes = solver.lanes, 0
    backend = NumpyBackend(solver=solver)
    for start in range(0, 40, 5):
        part = slice(start, start + 5)
        assert np.array_equal(backend.price(series.take(part), states), values[:, part])
    assert np.array_equal(backend.price(series, states), values)
    assert solver.lanes > once


def test_tables_at_hand_are_never_built_again():
    """``prepare`` builds all that pricing will read, each once; what it built gives the same bits."""
    asked = []

    def counting(years, *others):
        asked.append(len(years))
        return build(years, *others)

    strikes, states = np.arange(80.0, 120.0), grid(3, 3)
    names = [options(100.0, strikes, years, 0.3, 0.04, 0.01, False) for years in (0.2, 0.5, 0.9)]
    backend = NumpyBackend(builder=counting)
    backend.prepare([(series, states) for series in names])
    built = sum(asked)
    assert built >= len(names)
    for series in names:
        assert np.array_equal(backend.price(series, states), NumpyBackend().price(series, states))
    assert sum(asked) == built

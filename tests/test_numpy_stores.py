"""The memories of the NumPy backend: what they keep, when they forget, and that threads may share them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from test_numpy_american import options
from test_numpy_backend import grid

from shockgrid.backends import NumpyBackend, _numpy_grid_shelf, _numpy_grids, _numpy_store, memory
from shockgrid.backends._numpy_grid_frame import NODES
from shockgrid.backends._numpy_grid_shelf import Shelf, Wanted
from shockgrid.backends._numpy_grid_solve import solve
from shockgrid.backends._numpy_premium import build

THREADS = 4


class Counting:
    """A solver that knows how often it was asked for each lane."""

    def __init__(self):
        self.asked = []

    def __call__(self, contracts, firsts, count, into):
        assert count == 1
        self.asked += zip(contracts.strikes.tolist(), firsts.tolist(), strict=True)
        return solve(contracts, firsts, count, into)

    @property
    def lanes(self):
        return len(self.asked)


def paying(strikes):
    count = len(strikes)
    ex_years, cash = np.full((count, 1), 0.3), np.full((count, 1), 2.0)
    return options(100.0, strikes, 0.5, 0.3, 0.04, 0.0, False, ex_years, cash)


def test_grids_at_hand_are_never_solved_again():
    """Also where those at hand and those asked for, counted twice, would be more than may be kept."""
    solver, series, states = Counting(), paying(np.arange(80.0, 120.0)), grid(3, 3)
    backend = NumpyBackend(solver=solver)
    values = backend.price(series, states)
    asked = solver.lanes
    assert asked > len(series)
    backend.grids.most_lanes = asked
    assert np.array_equal(backend.price(series, states), values)
    assert solver.lanes == asked


def test_what_is_too_much_to_keep_is_forgotten_and_changes_no_bit():
    solver, series, states = Counting(), paying(np.arange(80.0, 120.0)), grid(3, 3)
    values = NumpyBackend(solver=solver).price(series, states)
    once, solver.asked = solver.lanes, []
    backend = NumpyBackend(solver=solver)
    backend.grids.most_lanes = once // 4
    for start in range(0, 40, 5):
        part = slice(start, start + 5)
        assert np.array_equal(backend.price(series.take(part), states), values[:, part])
    assert np.array_equal(backend.price(series, states), values)
    assert solver.lanes > once


def test_tables_at_hand_are_never_built_again():
    """``prepare`` builds all that pricing will read, each once; what it built gives the same bits."""
    asked = []

    def counting(puts, efforts, shape):
        asked.append(len(efforts) // shape.vols)
        return build(puts, efforts, shape)

    strikes, states = np.arange(80.0, 120.0), grid(3, 3)
    names = [options(100.0, strikes, years, 0.3, 0.04, 0.01, False) for years in (0.2, 0.5, 0.9)]
    backend = NumpyBackend(builder=counting)
    backend.prepare([(series, states) for series in names])
    built = sum(asked)
    assert built >= len(names)
    for series in names:
        assert np.array_equal(backend.price(series, states), NumpyBackend().price(series, states))
    assert sum(asked) == built


def test_the_oldest_is_forgotten_first():
    """Two shelves of two names each: a name asked for after every other one stays, the rest goes in turn."""
    solver, states = Counting(), grid(3, 3)
    backend = NumpyBackend(solver=solver)
    names = [paying(np.array([strike])) for strike in (80.0, 90.0, 100.0, 110.0, 120.0, 130.0)]
    backend.price(names[0], states)
    backend.grids.most_lanes = 2 * (solver.lanes + 1)  # a contract counts as one lane
    for series in names[1:]:
        backend.price(series, states)
        backend.price(names[0], states)
    assert set(Counter(solver.asked).values()) == {1}
    asked = solver.lanes
    backend.price(names[1], states)
    assert solver.lanes > asked


@pytest.mark.parametrize("forgetful", [False, True])
def test_threads_share_the_work_of_what_they_miss(monkeypatch, forgetful):
    """All ask for the same and for their own at once; without want of room no lane is solved twice."""
    monkeypatch.setattr(_numpy_grids, "CLAIM", 3)
    solver, states = Counting(), grid(3, 3)
    series = paying(np.arange(80.0, 120.0))
    whole = NumpyBackend().price(series, states)
    shared = NumpyBackend(solver=solver)
    if forgetful:
        shared.grids.most_lanes = 60
    start = Barrier(THREADS)

    def walk(thread):
        start.wait()
        order = np.random.default_rng(thread // 2).permutation(40)  # two threads go the same way
        for rows in (*np.split(order, 8), *np.split(order, 5), order):
            assert np.array_equal(shared.price(series.take(rows), states), whole[:, rows])

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(walk, range(THREADS)))
    most = Counter(solver.asked).most_common(1)[0][1]
    assert (most > 1) == forgetful


def test_threads_share_tables_while_they_are_forgotten(monkeypatch):
    series, states = options(100.0, 100.0, np.linspace(0.1, 0.9, 12), 0.3, 0.04, 0.01, False), grid(3, 3)
    whole, shared = NumpyBackend().price(series, states), NumpyBackend()
    monkeypatch.setattr(_numpy_store, "MOST_TABLES", 2)

    def walk(thread):
        for start in range(6):
            rows = np.arange(start + thread % 2, 12, 3)
            assert np.array_equal(shared.price(series.take(rows), states), whole[:, rows])

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(walk, range(THREADS)))


def test_a_solver_that_fails_leaves_its_work_to_others():
    asked = []

    def failing(contracts, firsts, count, into):
        asked.append(len(firsts))
        if len(asked) == 1:
            raise ArithmeticError
        return solve(contracts, firsts, count, into)

    backend, series, states = NumpyBackend(solver=failing), paying(np.arange(80.0, 84.0)), grid(3, 3)
    with pytest.raises(ArithmeticError):
        backend.price(series, states)
    assert np.array_equal(backend.price(series, states), NumpyBackend().price(series, states))


def test_lanes_are_written_where_they_stand(monkeypatch):
    """Also where a larger room has been made meanwhile, and where others were put there first."""
    monkeypatch.setattr(_numpy_grid_shelf, "FIRST_ROOM", 2)
    shelf = Shelf(0)
    names = [b"a", b"b", b"c"]
    wanted = Wanted.between(np.full(3, -5), np.full(3, -5))
    rows, columns = shelf.rows(names), wanted.columns[:, 0]
    first = shelf.reserved(2)
    lanes = shelf.lanes[first : first + 2]
    shelf.put(rows[1:], columns[1:], np.full((2, NODES), 7.0))
    lanes[:] = np.arange(2.0)[:, None] + 1.0
    shelf.put_reserved(rows[:2], columns[:2], first, lanes)
    missing, places = shelf.missing(rows, wanted)
    assert not missing.any()
    assert shelf.lanes[places[:, 0], 0].tolist() == [1.0, 7.0, 7.0]
    assert shelf.rows([b"d"]).tolist() == [3]
    assert shelf.missing(np.array([3]), wanted.only(np.array([0])))[0].all()


def test_memory_is_that_of_the_container(tmp_path, monkeypatch):
    limit, unlimited, absent = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    limit.write_text("1048576\n")
    unlimited.write_text("max\n")
    monkeypatch.setattr(memory, "CONTAINER_LIMITS", (unlimited, absent))
    assert memory.memory_bytes() > 1 << 20
    monkeypatch.setattr(memory, "CONTAINER_LIMITS", (unlimited, limit, absent))
    assert memory.memory_bytes() == 1 << 20
    assert NumpyBackend().grids.most_lanes == (1 << 20) // (8 * 8 * 145)  # an eighth, of 145 numbers a lane

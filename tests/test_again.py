"""What the native library keeps laid out for ticks: the bytes of the verbs that lay everything out anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from every_backend import MAKERS, option_rows, required_sets
from hypothesis import given, settings
from hypothesis import strategies as st
from test_worst import american, linear_batch, random_batch, same_bytes

from shockgrid.backends import NativeBackend
from shockgrid.backends.again import FindsAgain, same_terms
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Series
from shockgrid.errors import InputError
from shockgrid.requirement.equity import worth_of
from shockgrid.requirement.grouped import Grouped
from shockgrid.states import UNMOVED

SETS = required_sets()
few = settings(max_examples=10, deadline=None)


@pytest.fixture(scope="module", params=SETS)
def backend(request: pytest.FixtureRequest) -> NativeBackend:
    return NativeBackend(request.param)


def empty_worst(batch: Batch, reduced: int) -> Worst:
    """Arrays to write into, the rows of the rest column by column."""
    count, held = (own.stop - own.start for own in (batch.leaves, batch.instruments))
    rest = np.full((count, batch.scenarios - reduced), np.nan, order="F")
    return Worst(
        np.full(count, np.nan), np.full(count, -9), rest, np.full(held, np.nan), np.full(held, np.nan)
    )


def european(batch: Batch) -> Batch:
    series = batch.series
    no = np.zeros(len(series), np.bool_)
    return replace(batch, series=replace(series, is_american=no, inverse=no))


def moved(series: Series, seed: int) -> Series:
    rng = np.random.default_rng(seed)
    spots, vols = (column * rng.uniform(0.7, 1.3, len(column)) for column in (series.spots, series.vols))
    return replace(series, spots=spots, vols=vols)


def test_only_the_native_library_keeps_anything() -> None:
    for name, make in MAKERS.items():
        assert isinstance(make(), FindsAgain) == name.startswith("native")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduced", [1, 41, 60])
def test_worst_losses_after_moves(backend: NativeBackend, weighted: bool, reduced: int) -> None:
    batch = european(random_batch(weighted=weighted))
    into = empty_worst(batch, reduced)
    again = backend.worst_again(batch, reduced, into)
    assert again is not None
    for seed in range(3):
        series = moved(batch.series, seed)
        again(series)
        assert same_bytes(into, backend.worst(replace(batch, series=series), reduced, units=True))


def test_a_part_of_a_batch_moves_its_own_instruments(backend: NativeBackend) -> None:
    """Its columns are those of the whole, in which it does not stand first."""
    batch = european(random_batch()).part(3, 6)
    assert batch.instruments.start > 0
    into = empty_worst(batch, 41)
    again = backend.worst_again(batch, 41, into)
    assert again is not None
    series = moved(batch.series, 2)
    again(series)
    assert same_bytes(into, backend.worst(replace(batch, series=series), 41, units=True))


@few
@given(seed=st.integers(0, 2**31), groups=st.integers(1, 12))
def test_any_batch(seed: int, groups: int) -> None:
    backend = NativeBackend(SETS[0], tile_elements=1_000)
    batch = european(random_batch(groups, seed=seed))
    into = empty_worst(batch, 30)
    again = backend.worst_again(batch, 30, into)
    assert again is not None
    again(moved(batch.series, seed + 1))
    again(batch.series)
    assert same_bytes(into, backend.worst(batch, 30, units=True))


@few
@given(st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 3.0]), min_size=1, max_size=150))
def test_the_lowest_scenario_is_the_first_of_equals(slopes: list[float]) -> None:
    """One linear instrument; in scenario s its P&L is as chosen, so that ties stand anywhere."""
    batch = linear_batch([1.0], [[(0, 1.0)]], [1.0 + slope / 100.0 for slope in slopes])
    for name in SETS:
        found = NativeBackend(name).worst(batch, len(slopes), units=True)
        assert found.scenarios.tolist() == [int(np.argmin(slopes))]


def test_values_after_moves(backend: NativeBackend) -> None:
    series = european(random_batch()).series
    again = backend.values_again(series)
    assert again is not None
    for seed in range(3):
        other = moved(series, seed)
        np.testing.assert_array_equal(again(other), backend.price(other, UNMOVED)[0])


def test_what_is_found_in_python_is_not_kept(backend: NativeBackend) -> None:
    batch = american(european(random_batch()), [0])
    assert backend.worst_again(batch, 30, empty_worst(batch, 30)) is None
    assert backend.values_again(batch.series) is None
    coin = option_rows(2)
    assert backend.values_again(replace(coin, inverse=np.array([False, True]))) is None


def test_numbers_that_are_none_are_named(backend: NativeBackend) -> None:
    batch = european(random_batch())
    worst, values = backend.worst_again(batch, 30, empty_worst(batch, 30)), backend.values_again(batch.series)
    assert worst is not None
    assert values is not None
    spots = batch.series.spots.copy()
    spots[3] = np.nan
    for again in (worst, values):
        with pytest.raises(InputError, match="spots"):
            again(replace(batch.series, spots=spots))
    huge = replace(batch.series, spots=np.full(len(spots), 1e308))
    with pytest.raises(InputError, match="float64"):
        worst(huge)


def test_terms_are_the_same_or_not() -> None:
    series = option_rows(3)
    assert same_terms(series, moved(series, 1))
    assert not same_terms(series, replace(series, years=series.years.copy()))


@few
@given(seed=st.integers(0, 2**31), leaves=st.integers(0, 40))
def test_worth_of_leaves(seed: int, leaves: int) -> None:
    """Against the sums of ``requirement.equity``; some leaves are empty, some positions count nothing."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 12, leaves)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
    count = int(starts[-1])
    places, weights = rng.integers(0, 7, count), rng.normal(0.0, 1e4, count)
    paid = rng.choice([0.0, 90.0, np.nan], count)
    prices = rng.uniform(0.0, 200.0, (2, 7))
    by_leaf = Grouped(np.repeat(np.arange(leaves), sizes), leaves)
    expected = [by_leaf.sums(worth_of(weights, kind[places], paid)) for kind in prices]
    for name in SETS:
        found = NativeBackend(name).leaf_worth(starts, places, weights, paid, prices)
        np.testing.assert_array_equal(found, np.reshape(expected, (2, leaves)))

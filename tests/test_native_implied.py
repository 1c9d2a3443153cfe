"""Implied vols of the compiled kernels: those of ``pricing.implied`` and of NumPy, with their reasons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from every_backend import required_sets
from test_implied_vol import ULPS_OF_FORWARD, random_options
from test_native_american import dividend_options
from test_numpy_american import drawn, options
from test_numpy_backend import same_bytes

from shockgrid.backends import NativeBackend, NumpyBackend
from shockgrid.backends._native_library import SLOW
from shockgrid.backends._numpy_implied import LARGEST_JUMP
from shockgrid.errors import InputError
from shockgrid.pricing.european import black
from shockgrid.pricing.implied import implied_vol

WITH_DIGITS = 1e-290  #: amounts below it have few, and it is luck whether a vol gives them back
REPRICING = 1e-10  #: of the spot or forward: what both sides promise

SETS = required_sets()
BACKENDS = {name: NativeBackend(name) for name in SETS}
FASTEST = BACKENDS[SETS[0]]


@pytest.fixture(params=SETS)
def native(request: pytest.FixtureRequest) -> NativeBackend:
    return BACKENDS[request.param]


def test_vols_are_those_of_the_slow_method(native: NativeBackend) -> None:
    rows = slice(0, 500 if native.instruction_set == SLOW else 50_000)
    forwards, strikes, years, vols, discounts, calls = (column[rows] for column in random_options(50_000))
    prices = black(forwards, strikes, years, vols, discounts, calls)
    inputs = (prices, forwards, strikes, years, discounts, calls)
    (found, reasons), (expected, named) = native.implied_vol(*inputs), implied_vol(*inputs)
    assert (reasons == named).all()
    solved = reasons == ""
    assert (found[~solved] == 0.0).all()
    assert solved.mean() > 0.9
    distances = np.log(forwards / strikes) / (vols * np.sqrt(years)) + 0.5 * vols * np.sqrt(years)
    vegas = discounts * forwards * np.sqrt(years / (2 * np.pi)) * np.exp(-0.5 * distances**2)
    misses = np.abs(found - expected) * vegas
    assert (misses <= ULPS_OF_FORWARD * np.maximum(forwards, strikes))[solved].all()


def every_extreme() -> list[np.ndarray]:
    """Prices between, at and beyond their bounds; forwards, strikes and lives of all sizes and none."""
    sizes = np.array([1e-321, 1e-300, 1e-9, 0.5, 100.0, 100.0 * (1 + 1e-15), 101.0, 1e4, 1e290])
    forwards, strikes = np.append(sizes, [-10.0, 0.0]), np.append(sizes, 0.0)
    years, parts = [0.0, 1e-9, 0.01, 1.0, 200.0], [0.0, 1e-300, 1e-17, 1e-9, 0.3, 1 - 1e-12, 1.0, 1.5, -0.1]
    columns = np.meshgrid(forwards, strikes, years, parts, [0.9], [0.0, 1.0], indexing="ij")
    forward, strike, year, part, discount, call = (column.ravel() for column in columns)
    calls = call > 0
    exercise = discount * np.maximum(np.where(calls, forward - strike, strike - forward), 0.0)
    most = discount * np.maximum(np.minimum(forward, strike), 0.0)
    return [exercise + part * most, forward, strike, year, discount, calls]


def test_every_extreme_has_a_vol_that_reprices_or_a_reason(native: NativeBackend) -> None:
    inputs = every_extreme()
    rows = slice(None, None, 23 if native.instruction_set == SLOW else 1)
    prices, forwards, strikes, years, discounts, calls = (column[rows] for column in inputs)
    vols, reasons = native.implied_vol(prices, forwards, strikes, years, discounts, calls)
    assert np.isfinite(vols).all()
    assert (vols[reasons != ""] == 0.0).all()
    solved = (reasons == "") & (forwards > WITH_DIGITS)
    with np.errstate(divide="ignore", invalid="ignore"):  # in the slow method, where a forward is 1e-321
        again = black(forwards, strikes, years, vols, discounts, calls)
        named = implied_vol(prices, forwards, strikes, years, discounts, calls)[1]
    assert (np.abs(again - prices) <= 2.0 * REPRICING * forwards)[solved].all()
    assert (reasons == named)[np.minimum(np.abs(forwards), strikes) > WITH_DIGITS].all()
    other = reasons != named
    assert set(reasons[other]) | set(named[other]) <= {"", "not_reproduced"}


def test_the_same_bits_on_every_instruction_set_and_in_any_company() -> None:
    inputs = [column[::7] for column in every_extreme()]
    vols, reasons = FASTEST.implied_vol(*inputs)
    for backend in BACKENDS.values():
        found = backend.implied_vol(*(column[:900] for column in inputs))
        assert same_bytes(found[0], vols[:900])
        assert (found[1] == reasons[:900]).all()
    order = np.random.default_rng(2).permutation(len(vols))
    assert same_bytes(FASTEST.implied_vol(*(column[order] for column in inputs))[0], vols[order])
    for row in range(0, len(vols), 97):
        alone = FASTEST.implied_vol(*(column[row] for column in inputs))
        assert (alone[0].tobytes(), alone[1]) == (vols[row].tobytes(), reasons[row])


def test_broadcasts_and_names_what_is_not_finite(native: NativeBackend) -> None:
    table = native.implied_vol([[1.0], [2.0]], 100.0, [100.0, 105.0, 110.0], 1.0, 0.9, True)[0]
    assert table.shape == (2, 3)
    assert table[1, 2] == native.implied_vol(2.0, 100.0, 110.0, 1.0, 0.9, True)[0]
    assert native.implied_vol([], 100.0, 110.0, 1.0, 0.9, True)[1].shape == (0,)
    with pytest.raises(InputError, match="column strikes: expected a finite number"):
        native.implied_vol(1.0, 100.0, [90.0, np.inf], 1.0, 0.9, True)


@pytest.mark.parametrize(
    "terms",
    [
        {"vols": (0.1, 0.45)},
        {"years": (1 / 8760, 5 / 365)},
        {"vols": (0.002, 0.05)},
        {"vols": (1.0, 7.9)},
        {"years": (3.0, 10.0)},
        {"rates": (0.1, 0.3), "yields": (0.0, 0.3)},
        {"yields": (-0.05, -0.001)},
    ],
)
def test_american_vols_give_the_prices_back(terms: dict[str, tuple[float, float]]) -> None:
    series = drawn(300, seed=21, **terms)
    prices = FASTEST.base(series)
    vols, reasons = FASTEST.implied(series, prices)
    assert set(reasons) <= {"", "no_time_value"}
    solved = reasons == ""
    again = FASTEST.base(replace(series, vols=np.where(solved, vols, 0.2)))
    assert (np.abs(again - prices)[solved] <= REPRICING * series.spots[solved]).all()
    assert (reasons == NumpyBackend().implied(series, prices)[1]).all()


def test_american_reasons_and_company(native: NativeBackend) -> None:
    """The cases of test_numpy_american: below, at and above exercise, the strike, expired."""
    series = options([100.0] * 6, 120.0, [0.5] * 5 + [0.0], 0.3, 0.05, 0.0, False)
    prices = np.array([19.0, 20.0, 20.5, 120.0, 119.9999, 25.0])
    vols, reasons = native.implied(series, prices)
    assert (reasons == NumpyBackend().implied(series, prices)[1]).all()
    assert (vols[reasons != ""] == 0.0).all()
    alone = native.implied(series.take([2]), prices[[2]])
    assert (alone[0][0], alone[1][0]) == (vols[2], reasons[2])


def test_american_vols_have_the_same_bits_on_every_instruction_set() -> None:
    series = drawn(40, seed=4)
    prices = FASTEST.base(series)
    found = [backend.implied(series, prices)[0] for backend in BACKENDS.values()]
    assert all(same_bytes(other, found[0]) for other in found[1:])
    order = np.random.default_rng(3).permutation(40)
    assert same_bytes(FASTEST.implied(series.take(order), prices[order])[0], found[0][order])


def test_vols_of_options_on_grids_and_off_the_tables() -> None:
    """By NumPy's method from the kernels' values; a grid is smooth in the vol to 1e-5 of the spot."""
    dated = dividend_options(10, seed=8)
    long = options(100.0, [95.0, 105.0], [13.0, 20.0], 0.25, 0.05, 0.02, False)
    for series in (dated, long):
        prices = FASTEST.base(series)
        vols, reasons = FASTEST.implied(series, prices)
        expected, named = NumpyBackend().implied(series, prices)
        assert (reasons == named).all()
        assert (reasons == "").any()
        np.testing.assert_allclose(vols, expected, rtol=LARGEST_JUMP)

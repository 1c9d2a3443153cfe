"""Inverse instruments in the NumPy backend: parity in every scenario, and neighbours that do not notice."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shockgrid.backends import NumpyBackend
from shockgrid.backends.contract import SMALLEST_CONVERSION, Series
from shockgrid.states import UNMOVED, States

VOL = 0.6
BACKEND = NumpyBackend()


def series_of(spots: Any, strikes: Any, inverse: Any, is_option: Any, is_call: Any) -> Series:
    n = len(spots)
    return Series(
        spots=np.asarray(spots), slopes=np.full(n, 1.02), intercepts=np.zeros(n), strikes=np.asarray(strikes),
        years=np.full(n, 0.25), vols=np.full(n, VOL), discount_factors=np.where(is_option, 0.97, 1.0),
        is_option=np.asarray(is_option), is_call=np.asarray(is_call), is_american=np.zeros(n, bool),
        inverse=np.asarray(inverse), units=np.ones(n), rates=np.zeros(n), yields=np.zeros(n),
        ex_years=np.empty((n, 0)), ex_cash=np.empty((n, 0)),
    )  # fmt: skip


def states_of(factors: Any) -> States:
    count = len(factors)
    index = np.stack([np.arange(count), np.zeros(count, np.intp)], axis=1)
    return States(
        np.asarray(factors),
        np.zeros(1),
        np.ones(1, bool),
        np.zeros(1),
        np.zeros(1),
        np.full(1, np.inf),
        index,
    )


@settings(max_examples=60)
@given(
    spot=st.floats(1e-4, 1e6),
    moneyness=st.floats(0.05, 20.0),
    factors=st.lists(st.floats(0.0, 10.0), min_size=1, max_size=6),
)
def test_parity_of_calls_and_puts_in_every_scenario(
    spot: float, moneyness: float, factors: list[float]
) -> None:
    """C - P = D (F - K) / spot, the spot not under a hundredth of today's; nothing is infinite."""
    strike = spot * moneyness
    pair = series_of([spot, spot], [strike, strike], [True, True], [True, True], [True, False])
    calls, puts = BACKEND.price(pair, states_of(factors)).T
    moved = spot * np.array(factors)
    expected = 0.97 * (1.02 * moved - strike) / np.maximum(moved, SMALLEST_CONVERSION * spot)
    assert np.isfinite(calls).all()
    np.testing.assert_allclose(calls - puts, expected, atol=1e-13 * (1 + moneyness / SMALLEST_CONVERSION))


def test_inverse_rows_change_no_byte_of_their_neighbours() -> None:
    rng = np.random.default_rng(5)
    n = 300
    inverse, is_option = rng.random(n) < 0.3, rng.random(n) < 0.8
    strikes = np.where(is_option, rng.uniform(50, 200, n), 1.0)
    mixed = series_of(np.full(n, 100.0), strikes, inverse, is_option, rng.random(n) < 0.5)
    plain = series_of(mixed.spots, strikes, np.zeros(n, bool), is_option, mixed.is_call)
    factors = np.concatenate([[1.0, 0.0], rng.uniform(0.2, 2.0, 40)])
    states = states_of(factors)
    values, usual = BACKEND.price(mixed, states), BACKEND.price(plain, states)
    assert values[:, ~inverse].tobytes() == usual[:, ~inverse].tobytes()
    spots = 100.0 * np.maximum(factors, SMALLEST_CONVERSION)[:, None]
    in_coin = np.where(is_option, usual / spots, -1.0 / (1.02 * spots))
    np.testing.assert_allclose(values[:, inverse], in_coin[:, inverse], rtol=1e-14)
    for cut in (NumpyBackend(tile_elements=1), NumpyBackend(block_elements=64)):
        assert cut.price(mixed, states).tobytes() == values.tobytes()
    base = BACKEND.price(mixed, UNMOVED)[0]
    weights = np.eye(n)
    arrays = BACKEND.risk_arrays([(mixed, states)], weights)
    assert (arrays[:, 0] == 0.0).all()
    np.testing.assert_array_equal(arrays, (values - base).T)


def test_no_scenario_is_no_value() -> None:
    one = series_of([100.0], [100.0], [True], [True], [True])
    assert BACKEND.price(one, states_of([])).shape == (0, 1)

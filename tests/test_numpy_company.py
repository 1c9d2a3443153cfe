"""American values of the NumPy backend in company: same bytes with others, after forgetting, in threads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from test_numpy_american import BACKEND, drawn
from test_numpy_backend import grid

from shockgrid.backends import NumpyBackend, _numpy_grids, _numpy_store
from shockgrid.states import UNMOVED


def test_company_changes_no_bit():
    series, states = drawn(500, seed=11), grid(31, 7)
    whole = BACKEND.price(series, states)
    order = np.random.default_rng(1).permutation(500)
    assert np.array_equal(NumpyBackend().price(series.take(order), states), whole[:, order])
    cut = NumpyBackend(block_elements=1000)
    assert np.array_equal(cut.price(series, states), whole)
    for row in range(0, 500, 71):
        alone = NumpyBackend().price(series.take(slice(row, row + 1)), states)
        assert np.array_equal(alone[:, 0], whole[:, row])


def dividend_payers(count, seed):
    """Series with 0 to 4 dividends of different sizes, in no order."""
    rng = np.random.default_rng(seed)
    plain = drawn(count, seed, vols=(0.15, 0.6), years=(0.05, 1.5), yields=(0.0, 1e-9))
    paid = np.arange(4) < rng.integers(0, 5, count)[:, None]
    dates = np.sort(rng.uniform(0.02, 0.98, (count, 4)), axis=1) * plain.years[:, None]
    return replace(
        plain,
        ex_years=np.where(paid, dates, np.inf),
        ex_cash=np.where(paid, rng.uniform(0.1, 1.5, (count, 4)), 0.0),
    )


def test_dividends_in_company_change_no_bit():
    series, states = dividend_payers(80, 4), grid(5, 3)
    whole = NumpyBackend().price(series, states)
    ready = NumpyBackend()
    ready.prepare([(series.take(slice(40, 80)), states), (series.take(slice(0, 40)), UNMOVED)])
    assert np.array_equal(ready.price(series, states), whole)
    order = np.random.default_rng(1).permutation(80)
    assert np.array_equal(NumpyBackend().price(series.take(order), states), whole[:, order])
    for row in (0, 33, 79):
        assert np.array_equal(NumpyBackend().price(series.take([row]), states)[:, 0], whole[:, row])


def test_what_is_forgotten_is_computed_again(monkeypatch):
    series, states = dividend_payers(30, 9), grid(3, 3)
    whole = NumpyBackend().price(series, states)
    monkeypatch.setattr(_numpy_store, "MOST_TABLES", 2)
    monkeypatch.setattr(_numpy_grids, "AT_ONCE", 7)
    forgetful = NumpyBackend()
    forgetful.grids.most_lanes = 150
    forgetful.prepare([(series, states)])
    for _ in range(2):
        assert np.array_equal(forgetful.price(series, states), whole)


def test_threads_may_share_a_backend():
    series, states = dividend_payers(40, 12), grid(3, 3)
    whole = NumpyBackend().price(series, states)
    parts = [slice(start, start + 10) for start in range(0, 40, 10)] * 3
    shared = NumpyBackend()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda part: shared.price(series.take(part), states), parts))
    for part, values in zip(parts, found, strict=True):
        assert np.array_equal(values, whole[:, part])

"""Speed of the European grid: the blocked NumPy kernel against the plain formula, in one run.

``pytest benchmarks/test_european.py``; set OMP_NUM_THREADS=1 for the numbers in the README.
"""

import time

import numpy as np
import pytest
from scipy.special import ndtr

from shockgrid.backends import NumpyBackend
from shockgrid.backends.contract import Series
from shockgrid.states import States
from shockgrid.valuation import implied_vol, price_european

#: The bar: the kernel is at least this much faster than scipy.special.ndtr under plain broadcasting.
ERROR_PER_SPOT = 1e-14
REPRICING_PER_FORWARD = 1e-10
SPOT = 100.0
#: Underlyings, series of each, spots, vols. Distinct underlyings, because the branches in ndtr are learnt by
#: the processor when the same few thousand numbers come round again.
SIZES = {
    "one name of 20000 series": (1, 20_000, 31, 7),
    "64 names of 130 series": (64, 130, 33, 7),
    "64 names of 10 series": (64, 10, 31, 7),
}


def make_series(count, seed=1):
    rng = np.random.default_rng(seed)
    years = 0.02 + 2 * rng.random(count) ** 2
    rates, yields = rng.uniform(-0.01, 0.05, (2, count))
    return Series(
        spots=np.full(count, SPOT),
        slopes=np.exp((rates - yields) * years),
        intercepts=np.zeros(count),
        strikes=SPOT * np.exp(rng.uniform(-0.25, 0.25, count)),
        years=years,
        vols=rng.uniform(0.1, 0.7, count),
        discount_factors=np.exp(-rates * years),
        is_option=np.ones(count, np.bool_),
        is_call=rng.random(count) < 0.5,
        is_american=np.zeros(count, np.bool_),
        units=np.ones(count),
        rates=rates,
        yields=yields,
        ex_years=np.empty((count, 0)),
        ex_cash=np.empty((count, 0)),
        inverse=np.zeros(count, np.bool_),
    )


def make_grid(spots, vols):
    pairs = np.stack(np.meshgrid(np.arange(spots), np.arange(vols), indexing="ij"), axis=-1)
    return States(
        spot_factors=1 + np.linspace(-0.2, 0.2, spots),
        vol_shocks=np.linspace(-0.3, 0.3, vols),
        relative=np.ones(vols, np.bool_),
        term_powers=np.zeros(vols),
        vol_floors=np.zeros(vols),
        vol_caps=np.full(vols, np.inf),
        index=pairs.reshape(-1, 2),
    )


def plain(series, states):
    """What one writes first: the formula with ndtr, broadcast over [spots, vols, options]."""
    forwards = (series.slopes * series.spots * states.spot_factors[:, None])[:, None, :]
    deviations = series.vols * (1 + states.vol_shocks[:, None]) * np.sqrt(series.years)
    upper = np.log(forwards / series.strikes) / deviations + 0.5 * deviations
    lower = upper - deviations
    sign = np.where(series.is_call, 1.0, -1.0)
    values = forwards * ndtr(sign * upper) - series.strikes * ndtr(sign * lower)
    return (sign * series.discount_factors * values).reshape(len(states.index), -1)


def seconds_of(action, rounds):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("size", list(SIZES))
def test_grid_against_plain_formula(benchmark, size):
    names, count, spots, vols = SIZES[size]
    firm = [make_series(count, seed) for seed in range(names)]
    states, backend = make_grid(spots, vols), NumpyBackend()

    def price_all(pricer):
        for series in firm:
            pricer(series, states)

    for series in firm:
        errors = backend.price(series, states) - plain(series, states)
        assert np.abs(errors).max() < ERROR_PER_SPOT * SPOT

    plain_seconds = seconds_of(lambda: price_all(plain), 3)
    benchmark.pedantic(price_all, args=(backend.price,), rounds=5, warmup_rounds=1)
    seconds, prices = benchmark.stats.stats.min, names * count * spots * vols
    benchmark.extra_info.update(
        series=names * count,
        scenarios=spots * vols,
        nanoseconds_per_price=seconds / prices * 1e9,
        plain_nanoseconds_per_price=plain_seconds / prices * 1e9,
        ratio=plain_seconds / seconds,
    )


def test_implied_vols(benchmark):
    count = 200_000
    series = make_series(count)
    columns = {
        "forwards": series.slopes * SPOT,
        "strikes": series.strikes,
        "expiries": series.years,
        "discount_factors": series.discount_factors,
        "is_call": series.is_call,
    }
    prices = NumpyBackend().base(series)
    vols, reasons = benchmark.pedantic(
        lambda: implied_vol(prices=prices, **columns), rounds=3, warmup_rounds=1
    )
    solved = reasons == ""
    assert solved.mean() > 0.99
    repriced = price_european(vols=vols, **columns)
    assert np.abs(repriced - prices)[solved].max() <= REPRICING_PER_FORWARD * SPOT
    benchmark.extra_info.update(vols=count, vols_per_second=count / benchmark.stats.stats.min)

"""Seeded instruments, states and leaves for a machine with a GPU: of NumPy and SciPy alone."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from scipy.sparse import csr_array, random_array

from shockgrid.backends.contract import Series
from shockgrid.states import States


def series_of(count: int, seed: int, **columns: object) -> Series:
    """European calls and puts around the money, a day to two years, vols of 10-80 %, unless said."""
    rng = np.random.default_rng(seed)
    years, rates = np.exp(rng.uniform(np.log(1 / 365), np.log(2.0), count)), rng.uniform(0.005, 0.06, count)
    yields, no = rng.uniform(0.0, 0.04, count), np.zeros(count, np.bool_)
    given = {
        "spots": np.full(count, 100.0),
        "slopes": np.exp((rates - yields) * years),
        "intercepts": np.zeros(count),
        "strikes": np.exp(rng.uniform(-0.4, 0.4, count)) * 100.0,
        "years": years,
        "vols": rng.uniform(0.1, 0.8, count),
        "discount_factors": np.exp(-rates * years),
        "is_option": ~no,
        "is_call": rng.random(count) < 0.5,
        "is_american": no,
        "units": np.ones(count),
        "rates": rates,
        "yields": yields,
        "ex_years": np.full((count, 1), np.inf),
        "ex_cash": np.zeros((count, 1)),
        "inverse": no,
    }
    return Series(**(given | columns))


def americans(count: int, seed: int, expiries: int = 8) -> Series:
    """American options on a few expiries, as listed ones are: they share premium tables."""
    rng = np.random.default_rng(seed)
    years, rates = np.linspace(0.05, 1.5, expiries)[rng.integers(0, expiries, count)], np.full(count, 0.04)
    yields = np.full(count, 0.015)
    return series_of(
        count,
        seed,
        years=years,
        rates=rates,
        yields=yields,
        slopes=np.exp((rates - yields) * years),
        discount_factors=np.exp(-rates * years),
        is_american=np.ones(count, np.bool_),
    )


def book_of_every_kind(seed: int) -> Series:
    """Stocks, Europeans, Americans of every route, options in coin and expired ones; mixed up."""
    rng = np.random.default_rng(seed)
    cash = {"ex_years": np.full((9, 1), 0.02), "ex_cash": np.full((9, 1), 0.8)}
    yes = np.ones(9, np.bool_)
    parts = [
        series_of(33, seed),
        series_of(
            9, seed, is_option=~yes, strikes=np.ones(9), discount_factors=np.ones(9), years=np.zeros(9)
        ),
        americans(33, seed),
        americans(9, seed + 1, expiries=2),
        series_of(2, seed, is_american=np.ones(2, np.bool_), years=np.full(2, 14.0)),
        series_of(9, seed, is_american=yes, years=np.full(9, 0.5), **cash),
        series_of(9, seed, is_american=yes, rates=np.full(9, -0.01), yields=np.full(9, -0.03)),
        series_of(9, seed, inverse=yes),
        series_of(9, seed, years=np.zeros(9)),
        series_of(9, seed, vols=np.zeros(9), intercepts=np.full(9, -120.0)),
    ]
    columns = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Series)}
    return Series(**columns).take(rng.permutation(sum(len(part) for part in parts)))


def grid(spots: int, vols: int) -> States:
    """Every one of some prices of -20 .. 20 % with every one of some vols of -30 .. 30 %."""
    pairs = np.stack(np.meshgrid(np.arange(spots), np.arange(vols), indexing="ij"), axis=-1)
    return States(
        spot_factors=np.linspace(0.8, 1.2, spots) if spots > 1 else np.ones(1),
        vol_shocks=np.linspace(-0.3, 0.3, vols) if vols > 1 else np.zeros(1),
        relative=np.ones(vols, np.bool_),
        term_powers=np.zeros(vols),
        vol_floors=np.zeros(vols),
        vol_caps=np.full(vols, np.inf),
        index=pairs.reshape(-1, 2),
    )


def weights_of(leaves: int, instruments: int, seed: int) -> csr_array:
    """Round lots in one cell of five."""
    shape, rng = (leaves, instruments), np.random.default_rng(seed)
    weights = csr_array(random_array(shape, density=0.2, rng=rng, format="csr"))
    weights.data = np.round((weights.data - 0.5) * 20) * 100
    return weights

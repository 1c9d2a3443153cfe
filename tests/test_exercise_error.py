"""What the exercise boundary adds to the error of interpolation: bends by another way, and true errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from books import book, market, option
from dense_books import random_book, random_grid
from numpy.polynomial import chebyshev

import shockgrid as sg
from shockgrid.market_series import series
from shockgrid.pricing.boundary import solve_boundaries
from shockgrid.research.exercise_error import STEEPEST, exercise_of, price_bend, vol_bend
from shockgrid.research.grids import Grid
from shockgrid.research.resolution import limits_of

ROUNDING = 1e-12


@pytest.mark.parametrize("count", [9, 17, 33])
def test_the_error_of_a_bend_with_numpy_s_own_interpolation(count: int) -> None:
    """numpy interpolates at the same Chebyshev points; errors of bends that this finds are never larger."""
    points = np.linspace(-1.0, 1.0, 2001)
    found = 0.0
    for bend in np.linspace(-1.0, 1.0, 101):
        fitted = chebyshev.chebinterpolate(lambda x, b=bend: 0.5 * np.maximum(x - b, 0.0) ** 2, count - 1)
        gaps = chebyshev.chebval(points, fitted) - 0.5 * np.maximum(points - bend, 0.0) ** 2
        found = max(found, float(np.abs(gaps).max()))
    assert 0.9 * vol_bend(count) <= found <= vol_bend(count) * (1.0 + 1e-3)


def test_bends_shrink_with_the_square_of_the_nodes() -> None:
    for low, high in ((17, 33), (33, 65), (65, 129)):
        assert price_bend(low) / price_bend(high) == pytest.approx(4.0, rel=0.1)


def test_what_the_bound_asks_by_hand() -> None:
    """A put of 100 on 90 at 5 %: 5 a year, and ln(100 / 81) deep at 10 % down. A call: its yield."""
    rows = [option(right, "A", right, 100.0, 365, style="american") for right in "PC"]
    quotes = [{"symbol": right, "vol": 0.2} for right in "PC"]
    priced = market(rows, {"A": {"spot": 90.0, "yield_dec": 0.03}}, quotes, rate=0.05)
    found = exercise_of(series(priced, np.arange(2)), -0.1, 0.2)
    by_name = dict(zip(priced.instruments.symbols, zip(found.drifts, found.depths, strict=True), strict=True))
    assert by_name["P"] == pytest.approx((5.0, np.log(100 / 81)), abs=ROUNDING)
    assert by_name["C"] == pytest.approx((0.03 * 108.0, np.log(1.08)), abs=ROUNDING)


def test_what_holding_on_costs_where_a_rate_is_negative() -> None:
    """A put of 100 at 1 %, yield -3 %: 1 % of 100, and 3 % of 100, as no put is exercised above its strike. A
    call at -2 %, yield 1 %: 1 % of 108 and 2 % of 100."""
    for right, rate, paid, cost in (("P", 0.01, -0.03, 4.0), ("C", -0.02, 0.01, 3.08)):
        row = option("X", "A", right, 100.0, 365, style="american")
        priced = market(
            [row], {"A": {"spot": 90.0, "yield_dec": paid}}, [{"symbol": "X", "vol": 0.2}], rate=rate
        )
        assert exercise_of(series(priced, np.arange(1)), -0.1, 0.2).drifts == pytest.approx(
            cost, abs=ROUNDING
        )


#: right, strike, days, vol, rate, yield, ends of the prices and of the vols: each broke a bound that left out
#: the rate that is negative
NEGATIVE = [
    ("P", 125.57, 2800, 0.3726, 0.0079, -0.1247, (-0.2792, 0.3352), (-0.2748, 0.8863)),
    ("C", 113.15, 255, 0.0561, -0.1386, 0.0006, (-0.2352, 0.3166), (-0.2876, 0.2471)),
]


@pytest.mark.parametrize(("right", "strike", "days", "vol", "rate", "paid", "prices", "vols"), NEGATIVE)
def test_a_bound_where_a_rate_is_negative(
    right: str,
    strike: float,
    days: int,
    vol: float,
    rate: float,
    paid: float,
    prices: tuple[float, float],
    vols: tuple[float, float],
) -> None:
    row = option("X", "A", right, strike, days, style="american")
    priced = market(
        [row], {"A": {"spot": 100.0, "yield_dec": paid}}, [{"symbol": "X", "vol": vol}], rate=rate
    )
    held, grid = book([("A", "X", -1.0)]), Grid(np.linspace(*prices, 161), np.linspace(*vols, 41))
    close, truth = (
        sg.pnl_surface(held, priced, grid, account="A", method=method) for method in ("compressed", "direct")
    )
    assert close.method == "compressed"
    assert np.abs(close.pnl - truth.pnl).max() <= close.bound


def test_how_fast_a_boundary_moves_with_the_vol() -> None:
    """No faster than the bound takes it to, for puts of a day to twelve years; beside it rates and yields."""
    rng, count, step = np.random.default_rng(4), 500, 1e-3
    years, vols = np.exp(rng.uniform(np.log((0.003, 0.04)), np.log((12.0, 2.0)), (count, 2))).T
    rates, yields = np.exp(rng.uniform(np.log(5e-4), np.log(0.3), count)), rng.uniform(-0.15, 0.05, count)
    low, middle, high = (
        -solve_boundaries(years, vols * factor, rates, yields).today()
        for factor in (1.0 - step, 1.0, 1.0 + step)
    )
    speeds = (high - low) / np.log((1.0 + step) / (1.0 - step)) / middle
    assert 1.9 < speeds.max() < STEEPEST


def test_american_options_on_dividends_are_not_interpolated() -> None:
    paid = pd.DataFrame({"underlying": "A", "ex_date": ["2026-12-01"], "amount": [2.0]})
    row = option("P", "A", "P", 100.0, 60, style="american")
    plain, paying = (
        market([row], {"A": 100.0}, [{"symbol": "P", "vol": 0.3}], **more)
        for more in ({}, {"dividends": paid})
    )
    grid = Grid(np.linspace(-0.15, 0.15, 61), np.linspace(-0.3, 0.3, 31))
    usable = [
        limits_of(series(one, np.arange(1)), np.ones(1), grid).usable.tolist() for one in (plain, paying)
    ]
    assert usable == [[True], [False]]


@pytest.mark.parametrize("seed", range(100, 116))
def test_no_true_error_is_beyond_the_bound(seed: int) -> None:
    """Books of American and European options, some deep, some of one day: bound, worst cell and loss."""
    rng = np.random.default_rng(seed)
    held, priced = random_book(rng, seed % 4, american=True)
    grid = random_grid(rng)
    close, truth = (
        sg.pnl_surface(held, priced, grid, account="A", method=method) for method in ("compressed", "direct")
    )
    assert np.abs(close.pnl - truth.pnl).max() <= close.bound
    assert (close.worst_cell, close.worst_loss) == (truth.worst_cell, truth.worst_loss)


def test_an_american_account_is_found_from_few_nodes() -> None:
    """Forty American options: the worst cell and loss of pricing all 80,601 cells, from a surface."""
    rng = np.random.default_rng(2)
    rows = [
        option(
            f"X{k}",
            "XYZ",
            "CP"[k % 2],
            float(rng.integers(80, 121)),
            float(rng.choice([30, 90, 250])),
            style="american",
        )
        for k in range(40)
    ]
    quotes = [{"symbol": f"X{k}", "vol": float(rng.uniform(0.2, 0.5))} for k in range(40)]
    priced = market(rows, {"XYZ": {"spot": 100.0, "yield_dec": 0.02}}, quotes, rate=0.04)
    held = book([("A", f"X{k}", float(rng.integers(-20, 21))) for k in range(40)])
    grid = Grid(np.linspace(-0.15, 0.15, 401), np.linspace(-0.3, 0.3, 201))
    close, truth = (sg.worst_exact(held, priced, grid, method=method) for method in ("compressed", "direct"))
    assert close.groups["method"].tolist() == ["compressed"]
    assert close.accounts.equals(truth.accounts)
    assert close.groups["candidates"].iloc[0] < 20_000

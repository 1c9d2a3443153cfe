"""Options with cash dividends: published rows, limits that have a closed form, and exercise at an ex-date."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import shockgrid as sg
from shockgrid.errors import InputError
from shockgrid.pricing.american import american
from shockgrid.pricing.certain import certain_values
from shockgrid.pricing.dividends import with_dividends
from shockgrid.pricing.european import black

#: The bar of the design, in units of spot. Seen: 1.4e-5 against QuantLib, 7e-6 against finer grids.
GRID = 5e-5
QUARTERS = np.array([45, 136, 227, 318]) / 365.0


def schedule(text):
    pairs = [pair.split(":") for pair in text.split(";")]
    return [int(day) / 365.0 for day, _ in pairs], [float(cash) for _, cash in pairs]


def test_published_rows(shared: Path):
    rows = pd.read_csv(shared / "oracles" / "american_discrete_div.csv", comment="#")
    assert len(rows) > 0
    for row in rows.itertuples():
        value = with_dividends(
            *(row.S, row.K, row.days / 365.0, row.sigma, row.r, row.q, row.type == "C"),
            *schedule(row.divs),
            exercise="american" if row.style == "A" else "european",
            model=row.model,
        )
        assert abs(value - row.expected) <= row.tol, row.id
        assert abs(value - row.verify) <= GRID * row.S, row.id
        if row.model == "spot" and row.style == "A":
            dividends = list(zip(*schedule(row.divs), strict=True))
            terms = {"spots": row.S, "strikes": row.K, "expiries": row.days / 365.0, "vols": row.sigma}
            terms |= {"rates": row.r, "yields": row.q, "is_call": row.type == "C", "dividends": dividends}
            assert sg.price_american(**terms) == value


def test_half_a_year_with_two_dividends():
    """180 days at the money, 30 % vol, 4 %, two dividends of 1.20: the cost of ignoring them or exercise."""
    terms = (100.0, 100.0, 180 / 365, 0.3, 0.04, 0.0, False)
    dividends = (QUARTERS[:2], np.array([1.2, 1.2]))
    forward, discount = 100.0 * np.exp(0.04 * 180 / 365), np.exp(-0.04 * 180 / 365)
    assert black(forward, 100.0, 180 / 365, 0.3, discount, False) == pytest.approx(7.37, abs=0.005)
    escrowed = with_dividends(*terms, *dividends, exercise="european", model="escrowed")
    assert escrowed == pytest.approx(8.42, abs=0.005)
    assert with_dividends(*terms, *dividends) == pytest.approx(8.66, abs=0.005)


@pytest.mark.parametrize("is_call", [True, False])
def test_a_vanishing_dividend_leaves_the_value_without_one(is_call):
    """The grid against boundary method and closed form: a dividend of 1e-12 sends options to the grid."""
    rng = np.random.default_rng(3)
    terms = (
        100.0 * np.exp(rng.uniform(-0.4, 0.4, 60)),
        *(100.0, 1.5, np.exp(rng.uniform(np.log(0.05), 0.0, 60))),
        *(rng.uniform(0.0, 0.1, 60), rng.uniform(0.0, 0.1, 60), is_call),
    )
    plain = american(*terms)
    for model in ("spot", "escrowed"):
        values = with_dividends(*terms, QUARTERS, 1e-12, model=model)
        assert (np.abs(values - plain) <= GRID * terms[0]).all()
    forwards = terms[0] * np.exp((terms[4] - terms[5]) * 1.5)
    closed = black(forwards, *terms[1:4], np.exp(-1.5 * terms[4]), is_call)
    values = with_dividends(*terms, QUARTERS, 1e-12, exercise="european")
    assert (np.abs(values - closed) <= GRID * terms[0]).all()


def test_put_call_parity_of_europeans_in_the_spot_model():
    """Forward = S exp((r - q) T) - sum of D exp((r - q) (T - t)) as long as the spot covers its dividends."""
    spots, rate, dividend_yield, years = np.linspace(70, 130, 13), 0.05, 0.01, 1.0
    call, put = (
        with_dividends(spots, 100.0, years, 0.2, rate, dividend_yield, c, QUARTERS, 1.5, exercise="european")
        for c in (True, False)
    )
    drift = rate - dividend_yield
    forward = spots * np.exp(drift * years) - np.sum(1.5 * np.exp(drift * (years - QUARTERS)))
    assert (np.abs(call - put - np.exp(-rate * years) * (forward - 100.0)) <= 2 * GRID * spots).all()


def test_one_dividend_just_before_expiry_moves_the_strike():
    """An ex-date a microsecond before expiry: a European call is struck at K + D, an American one at K."""
    spots, years, rate = np.linspace(80, 120, 9), 0.5, 0.04
    terms = (spots, 100.0, years, 0.3, rate, 0.0)
    dates = years * (1 - 1e-12)
    forwards, discount = spots * np.exp(rate * years), np.exp(-rate * years)
    for is_call in (True, False):
        struck = black(forwards, 103.0, years, 0.3, discount, is_call)
        value = with_dividends(*terms, is_call, [dates], [3.0], exercise="european")
        assert (np.abs(value - struck) <= GRID * spots).all()
    value = with_dividends(*terms, True, [dates], [3.0])
    assert (np.abs(value - black(forwards, 100.0, years, 0.3, discount, True)) <= GRID * spots).all()


def test_a_dividend_at_expiry_counts_and_a_later_or_paid_one_does_not():
    terms = (100.0, 100.0, 0.5, 0.3, 0.04, 0.0, False)
    plain = american(*terms)
    assert with_dividends(*terms, [0.0, 0.5000001], [3.0, 3.0]) == plain
    assert with_dividends(*terms, [0.5], [3.0]) > plain + 1.0
    assert with_dividends(*terms, [0.25], [0.0]) == plain


def test_exercise_just_before_an_ex_date():
    """Deep in the money, the eve of the drop: a call is worth exercise now, a put waits for the drop."""
    call, put = (
        with_dividends(150.0, k, 30 / 365, 0.2, 0.05, 0.0, k < 150, [1 / 365], [3.0]) for k in (100, 200)
    )
    assert call == pytest.approx(50.0, abs=0.03)  # a day's interest on the strike is 0.014
    assert call >= 50.0
    assert put == pytest.approx(200 * np.exp(-0.05 / 365) - 147.0, abs=0.03)
    late = with_dividends(150.0, 100, 30 / 365, 0.2, 0.05, 0.0, True, [29 / 365], [3.0])
    assert late == pytest.approx(150 - 100 * np.exp(-0.05 * 29 / 365), abs=0.01)
    held = with_dividends(150.0, 100, 30 / 365, 0.2, 0.05, 0.0, True, [29 / 365], [3.0], exercise="european")
    assert held == pytest.approx(late - 3.0 + 100 * 0.05 / 365, abs=0.02)


@pytest.mark.parametrize("model", ["spot", "escrowed"])
@pytest.mark.parametrize("is_call", [True, False])
def test_american_is_worth_no_less(model, is_call):
    spots = np.linspace(60, 140, 41)
    terms = (spots, 100.0, 1.0, 0.25, 0.04, 0.01, is_call, QUARTERS, 1.5)
    early, late = (with_dividends(*terms, exercise=e, model=model) for e in ("american", "european"))
    slopes = np.diff(early) / 2.0
    assert (early >= late - GRID * spots).all()
    assert (early >= np.where(is_call, spots - 100.0, 100.0 - spots)).all()
    assert (slopes * (1 if is_call else -1) > -1e-4).all()
    assert (np.abs(slopes) <= 1 + 1e-4).all()


def test_dividends_help_puts_and_hurt_calls():
    cash = np.linspace(0.0, 5.0, 11)[:, None] * np.ones(4)
    for model in ("spot", "escrowed"):
        puts = with_dividends(100.0, 100.0, 1.0, 0.3, 0.04, 0.0, False, QUARTERS, cash, model=model)
        calls = with_dividends(100.0, 100.0, 1.0, 0.3, 0.04, 0.0, True, QUARTERS, cash, model=model)
        assert (np.diff(puts) > 0).all()
        assert (np.diff(calls) < 0).all()


@pytest.mark.parametrize("model", ["spot", "escrowed"])
def test_schedules_of_different_length_are_padded(model):
    dates = np.array([[0.2, 0.0, 0.0], [0.7, 0.2, 0.45], [0.0, 0.0, 0.0]])
    cash = np.array([[2.0, 0.0, 5.0], [1.0, 2.0, 0.5], [1.0, 1.0, 1.0]])
    rows = with_dividends(100.0, [90.0, 100.0, 110.0], 1.0, 0.3, 0.04, 0.0, False, dates, cash, model=model)
    apart = [
        with_dividends(100.0, 90.0, 1.0, 0.3, 0.04, 0.0, False, [0.2], [2.0], model=model),
        with_dividends(100.0, 100.0, 1.0, 0.3, 0.04, 0.0, False, [0.2, 0.45, 0.7], [2, 0.5, 1], model=model),
        american(100.0, 110.0, 1.0, 0.3, 0.04, 0.0, False),
    ]
    np.testing.assert_allclose(rows, apart, rtol=0, atol=1e-11)


def test_without_vol_exercise_at_the_best_moment():
    put = with_dividends([90.0, 110.0], 100.0, 1.0, 0.0, 0.05, 0.0, False, [0.5], [20.0])
    drop = np.exp(-0.025)
    spot = np.array([90.0, 110.0]) / drop - 20.0
    np.testing.assert_allclose(put, drop * (100.0 - spot), rtol=1e-14)
    call = with_dividends(110.0, 100.0, 1.0, 0.0, 0.05, 0.0, True, [0.5], [20.0])
    assert call == pytest.approx(110.0 - 100.0 * drop, rel=1e-14)
    near = with_dividends([90.0, 110.0], 100.0, 1.0, 1e-4, 0.05, 0.0, False, [0.5], [20.0])
    np.testing.assert_allclose(near, put, rtol=0, atol=100 * GRID)


def test_dividends_worth_more_than_the_spot():
    """In the spot model the spot stops at 0; escrowed, the forward is below 0 and nothing is random."""
    put = with_dividends(50.0, 100.0, 1.0, 0.3, 0.05, 0.0, False, [0.5], [500.0])
    assert put == pytest.approx(100.0 * np.exp(-0.025), abs=50 * GRID)
    late = with_dividends(50.0, 100.0, 1.0, 0.3, 0.05, 0.0, False, [0.5], [500.0], exercise="european")
    assert late == pytest.approx(100.0 * np.exp(-0.05), abs=50 * GRID)
    call = with_dividends(150.0, 100.0, 1.0, 0.3, 0.0, 0.0, True, [0.5], [500.0])
    assert call == pytest.approx(american(150.0, 100.0, 0.5, 0.3, 0.0, 0.0, True), abs=150 * GRID)
    parts = [np.asarray(x) for x in (50.0, 100.0, 1.0, 0.05, 0.0)]
    sure = certain_values(*parts, False, [(np.asarray(0.5), np.asarray(500.0))], absorbed=False)
    assert with_dividends(50.0, 100.0, 1.0, 0.3, 0.05, 0.0, False, [0.5], [500.0], model="escrowed") == sure


@pytest.mark.parametrize("spot", [0.0, 1e-20, 1e6])
@pytest.mark.parametrize("vol", [1e-5, 0.2, 4.0])
@pytest.mark.parametrize("strike", [0.0, 1e-6, 100.0])
def test_extremes_give_finite_values(spot, vol, strike):
    for model in ("spot", "escrowed"):
        for is_call in (True, False):
            value = with_dividends(spot, strike, 2.0, vol, 0.03, 0.0, is_call, QUARTERS, 1.0, model=model)
            assert np.isfinite(value)
            assert value >= max(spot - strike if is_call else strike - spot, 0.0)


def test_too_wild_for_a_grid_is_refused():
    with pytest.raises(InputError, match=r"vol \* sqrt\(years\) must be at most 25 .* \(got 26.0\)"):
        with_dividends(100.0, 100.0, 1.0, 26.0, 0.05, 0.0, False, [0.5], [1.0])

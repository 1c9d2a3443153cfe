"""Implied vols: published rows, round trips over the whole range, and a named reason for the rest."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shockgrid.errors import InputError
from shockgrid.pricing.european import black
from shockgrid.valuation import implied_vol, price_european

#: What we hold ourselves to for repricing, in units of the forward.
REPRICING_PER_FORWARD = 1e-10
#: Solver and price each lose a few ulp; a vol is asked for only to what its vega can resolve, times this.
ULPS_OF_FORWARD = 64 * np.finfo(np.float64).eps

OPTION = {"forwards": 100.0, "strikes": 90.0, "expiries": 1.0, "discount_factors": 0.5}


def invert(prices, forwards, strikes, years, discounts, calls):
    return implied_vol(
        prices=prices,
        forwards=forwards,
        strikes=strikes,
        expiries=years,
        discount_factors=discounts,
        is_call=calls,
    )


def random_options(count):
    """1 day .. 5 years, vols 1 % .. 400 %, strikes up to 6 deviations away."""
    rng = np.random.default_rng(7)
    years = np.exp(rng.uniform(np.log(1 / 365), np.log(5.0), count))
    vols = np.exp(rng.uniform(np.log(0.01), np.log(4.0), count))
    strikes = 100.0 * np.exp(rng.uniform(-6, 6, count) * np.minimum(vols * np.sqrt(years), 1.0))
    return (np.full(count, 100.0), strikes, years, vols, np.exp(-0.03 * years), rng.random(count) < 0.5)


def test_published_rows(shared: Path):
    rows = pd.read_csv(shared / "oracles" / "implied_vol.csv", comment="#")
    calls = (rows["type"] == "C").to_numpy()
    vols, reasons = invert(rows["price"], rows["F"], rows["K"], rows["T"], rows["df"], calls)
    solvable = (rows["expect"] == "value").to_numpy()
    assert solvable.any()
    assert (reasons[solvable] == "").all()
    assert (np.abs(vols - rows["expected_sigma"]) <= rows["tol"])[solvable].all()
    assert np.isfinite(vols).all()


def test_random_round_trips():
    forwards, strikes, years, vols, discounts, calls = random_options(50_000)
    prices = black(forwards, strikes, years, vols, discounts, calls)
    found, reasons = invert(prices, forwards, strikes, years, discounts, calls)
    solved = reasons == ""
    repriced = black(forwards, strikes, years, found, discounts, calls)
    assert (np.abs(repriced - prices)[solved] <= REPRICING_PER_FORWARD * forwards[solved]).all()

    exercise = discounts * np.where(calls, forwards - strikes, strikes - forwards)
    assert (
        solved | (prices - np.maximum(exercise, 0) <= ULPS_OF_FORWARD * np.maximum(forwards, strikes))
    ).all()
    assert set(reasons[~solved]) <= {"no_time_value", "above_max", "below_intrinsic"}

    distance = np.log(forwards / strikes) / (vols * np.sqrt(years)) + 0.5 * vols * np.sqrt(years)
    vegas = discounts * forwards * np.sqrt(years / (2 * np.pi)) * np.exp(-0.5 * distance**2)
    resolved = solved & (vegas > 1e-3)
    misses = np.abs(found - vols) * vegas
    assert (misses <= ULPS_OF_FORWARD * np.maximum(forwards, strikes))[resolved].all()


def test_deep_out_of_the_money_is_solved_to_relative_precision():
    years, vols = np.array([[1 / 365], [0.25], [5.0]]), np.array([0.01, 0.2, 1.0, 4.0])
    deviations = vols * np.sqrt(years)
    strikes = 100.0 * np.exp(8.0 * deviations)
    prices = black(100.0, strikes, years, vols, 1.0, True)
    found, reasons = invert(prices, 100.0, strikes, years, 1.0, True)
    assert (reasons == "").all()
    np.testing.assert_allclose(found, np.broadcast_to(vols, found.shape), rtol=1e-9)


@pytest.mark.parametrize(
    ("price", "call", "changes", "reason"),
    [
        (4.9, True, {}, "below_intrinsic"),
        (-0.1, False, {}, "below_intrinsic"),
        (50.0, True, {}, "above_max"),
        (45.0, False, {}, "above_max"),
        (60.0, True, {}, "above_max"),
        (5.0, True, {}, "no_time_value"),
        (0.0, False, {}, "no_time_value"),
        (5.0 * (1 + 4e-16), True, {}, "no_time_value"),
        (6.0, True, {"expiries": 0.0}, "no_time"),
        (0.0, True, {"forwards": -10.0}, "no_time_value"),
        (50.0, False, {"forwards": -10.0}, "no_time_value"),
        (51.0, False, {"forwards": -10.0}, "above_max"),
        (49.0, False, {"forwards": -10.0}, "below_intrinsic"),
        (50.0, True, {"strikes": 0.0}, "no_time_value"),
        (1.0, False, {"strikes": 0.0}, "above_max"),
    ],
)
def test_reasons(price, call, changes, reason):
    vols, reasons = implied_vol(prices=price, is_call=call, **(OPTION | changes))
    assert (reasons.item(), vols.item()) == (reason, 0.0)


def test_amounts_without_digits_are_not_solved_by_luck():
    rng = np.random.default_rng(0)
    forwards = 1e-321 * rng.uniform(1, 9, 1000)
    strikes = forwards * rng.uniform(0.5, 2, 1000)
    vols, reasons = invert(forwards * rng.uniform(0, 1, 1000), forwards, strikes, 1.0, 0.9, True)
    assert "not_reproduced" in reasons
    assert (vols[reasons != ""] == 0.0).all()
    assert np.isfinite(vols).all()


@given(
    price=st.floats(-1e3, 1e6),
    forward=st.floats(-100, 1e6),
    strike=st.floats(0, 1e6),
    years=st.floats(0, 200),
    discount=st.floats(0.01, 2),
    call=st.booleans(),
)
def test_any_finite_input_gives_a_vol_that_reprices_or_a_reason(
    price, forward, strike, years, discount, call
):
    assume(years == 0 or years > 1e-9)
    vols, reasons = invert(price, forward, strike, years, discount, call)
    assert np.isfinite(vols).all()
    if reasons.item():
        assert vols.item() == 0.0
        assert reasons.item() != "not_reproduced"
    else:
        repriced = black(forward, strike, years, vols, discount, call)
        assert abs(repriced - price) <= REPRICING_PER_FORWARD * forward


@given(
    vol=st.floats(0.01, 4.0),
    years=st.floats(1 / 365, 5.0),
    moneyness=st.floats(-3, 3),
    call=st.booleans(),
)
def test_round_trip_through_the_door(vol, years, moneyness, call):
    strike = 100.0 * float(np.exp(moneyness * min(vol * years**0.5, 1.0)))
    inputs = {
        "forwards": 100.0,
        "strikes": strike,
        "expiries": years,
        "discount_factors": 0.97,
        "is_call": call,
    }
    price = price_european(vols=vol, **inputs)
    found, reasons = implied_vol(prices=price, **inputs)
    assert reasons == ""
    assert abs(price_european(vols=found, **inputs) - price) <= REPRICING_PER_FORWARD * 100.0
    assert found == pytest.approx(vol, rel=1e-6)


def test_an_element_does_not_depend_on_its_neighbours():
    options = random_options(20_000)
    prices = black(*options)
    inputs = (prices, *options[:3], *options[4:])
    together, reasons = invert(*inputs)
    for rows in (slice(7, 8), slice(8190, 8195), slice(3, None, 1001)):
        alone, alone_reasons = invert(*(column[rows] for column in inputs))
        assert alone.tobytes() == together[rows].tobytes()
        assert (alone_reasons == reasons[rows]).all()


def test_bad_input_is_named():
    with pytest.raises(InputError, match=r"prices\[1\] must be finite \(got nan\)"):
        implied_vol(prices=[1.0, np.nan], is_call=True, **OPTION)

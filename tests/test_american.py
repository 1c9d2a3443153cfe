"""American values with a continuous yield: published rows, QuantLib, every regime of rates, and the edges."""

import sys
from pathlib import Path

import american_reference
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.errors import BackendUnavailable, InputError
from shockgrid.pricing.american import american
from shockgrid.pricing.boundary import solve_boundaries
from shockgrid.pricing.dividends import with_dividends
from shockgrid.pricing.european import black

#: The bars of the design, in units of spot. Seen: 3e-7 with one boundary, 1.4e-5 on the grid.
ONE_BOUNDARY, GRID = 5e-6, 5e-5
ROUNDING = 1e-13
#: QuantLib, run again on another machine, differs in the last digits of its adaptive quadrature.
SAME_QUANTLIB = 1e-9


def european(spots, strikes, years, vols, rates, yields, is_call):
    forwards = spots * np.exp((rates - yields) * years)
    return black(forwards, strikes, years, vols, np.exp(-rates * years), is_call)


@pytest.fixture(scope="module")
def reference():
    return pd.read_parquet(american_reference.FILE)


@pytest.fixture(scope="module")
def misses(reference):
    values = with_dividends(
        *(reference[name].to_numpy() for name in ("spots", "strikes")),
        reference["days"].to_numpy() / 365.0,
        *(reference[name].to_numpy() for name in ("vols", "rates", "yields", "is_call")),
        reference["ex_days"].to_numpy()[:, None] / 365.0,
        reference["cash"].to_numpy()[:, None],
    )
    return np.abs(values - reference["prices"]) / reference["spots"]


@pytest.mark.parametrize("regime", american_reference.REGIMES)
def test_two_thousand_draws_against_quantlib(reference, misses, regime):
    rows = reference["regime"] == regime
    count, *_, engine = american_reference.REGIMES[regime]
    assert rows.sum() == count
    assert misses[rows].max() < (ONE_BOUNDARY if engine == american_reference.BOUNDARY else GRID)


def test_the_draws_are_those_of_their_seed(reference):
    drawn = american_reference.draw()
    assert len(drawn) == 2000
    pd.testing.assert_frame_equal(drawn, reference[drawn.columns], check_dtype=False, rtol=1e-12)


def test_quantlib_gives_the_frozen_values_again(reference):
    pytest.importorskip("QuantLib", reason="the oracle extra is not installed")
    some = reference.iloc[::10]
    again = american_reference.price(some.drop(columns=["prices", "quantlib"]))
    assert (np.abs(again["prices"] - some["prices"]) <= SAME_QUANTLIB * some["spots"]).all()


def test_published_rows_by_their_true_value(shared: Path):
    rows = pd.read_csv(shared / "oracles" / "american.csv", comment="#")
    values = sg.price_american(
        spots=rows["S"],
        strikes=rows["K"],
        expiries=rows["T"],
        vols=rows["sigma"],
        rates=rows["r"],
        yields=rows["q"],
        is_call=rows["type"] == "C",
    )
    assert len(rows) > 0
    assert (np.abs(values - rows["true_ref"]) <= ONE_BOUNDARY * rows["S"]).all()
    exact = rows["method"].isin(["EXACT", "PDE", "BINOM"]) & (rows["status"] == "ok")
    assert (np.abs(values - rows["expected"]) <= rows["tol"])[exact].all()


def test_calls_without_yield_and_puts_without_rate_are_european():
    rng = np.random.default_rng(1)
    inputs = (100 * np.exp(rng.normal(0, 0.3, 200)), 100.0, rng.uniform(0, 5, 200), rng.uniform(0.01, 2, 200))
    rates, yields = rng.uniform(-0.05, 0.05, 200), rng.uniform(0, 0.05, 200)
    for terms in (
        (np.maximum(rates, 0.0), 0.0, True),
        (0.0, yields, False),
        (np.minimum(rates, 0.0), yields, False),
    ):
        np.testing.assert_allclose(american(*inputs, *terms), european(*inputs, *terms), rtol=0, atol=1e-11)


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("spot", [50.0, 100.0, 200.0])
def test_at_expiry_exercise(spot, is_call):
    for vol in (0.0, 0.3, 4.0):
        value = american(spot, 100.0, 0.0, vol, 0.05, 0.02, is_call)
        assert value == max(spot - 100.0 if is_call else 100.0 - spot, 0.0)


@pytest.mark.parametrize(
    ("spot", "rate", "dividend_yield", "is_call", "expected"),
    [
        (90.0, 0.05, 0.0, False, 10.0),  # waiting costs interest
        (90.0, -0.05, 0.0, False, 100.0 * np.exp(0.05) - 90.0),  # waiting earns it
        (110.0, 0.0, 0.05, True, 10.0),
        (110.0, 0.05, 0.0, True, 110.0 - 100.0 * np.exp(-0.05)),
        (104.0, 0.05, 0.0, False, 0.0),
        # 100 exp(-0.02 t) - S exp(-0.06 t) turns at t = log(0.06 S / 2) / 0.04: 24.8 for 90, so 1 is best
        (90.0, 0.02, 0.06, False, 100.0 * np.exp(-0.02) - 90.0 * np.exp(-0.06)),
        # 0.495 for 34, where exp(0.04 t) = 1.02
        (34.0, 0.02, 0.06, False, 100.0 * 1.02**-0.5 - 34.0 * 1.02**-1.5),
    ],
)
def test_without_vol_exercise_at_the_best_moment(spot, rate, dividend_yield, is_call, expected):
    for vol, slack in ((0.0, 1e-12), (1e-11, 1e-12), (1e-6, 2e-4)):
        value = american(spot, 100.0, 1.0, vol, rate, dividend_yield, is_call)
        assert value == pytest.approx(expected, abs=slack)


def test_continuous_where_one_method_hands_over_to_another():
    """At rate 0 (one boundary, two, none), at equal rates, at the drifts where the fixed point changes."""
    spots = np.linspace(80, 120, 9)
    for dividend_yield in (-0.03, 0.0, 0.03):
        above, below = (american(spots, 100.0, 1.0, 0.3, r, dividend_yield, False) for r in (1e-9, -1e-9))
        assert np.abs(above - below).max() < 100 * GRID
    for vol in (0.04 / 0.5, 0.04 / 30.0):
        near = [american(spots, 100.0, 1.0, vol * f, 0.05, 0.01, False) for f in (1 - 1e-7, 1 + 1e-7)]
        assert np.abs(near[0] - near[1]).max() < 1e-4


def test_boundary_is_between_its_perpetual_level_and_its_limit():
    years = np.array([0.001, 0.1, 1.0, 10.0, 400.0])
    for rate, dividend_yield in ((0.05, 0.0), (0.05, 0.08), (0.02, -0.03)):
        same = np.ones_like(years)
        boundaries = solve_boundaries(years, 0.3 * same, rate * same, dividend_yield * same)
        today = np.exp(boundaries.today())
        half = (rate - dividend_yield) / 0.09 - 0.5
        root = half + np.sqrt(half**2 + 2 * rate / 0.09)
        assert (np.diff(today) < 0).all()
        assert today[0] < np.exp(boundaries.log_limits[0]) == min(1.0, rate / max(dividend_yield, rate))
        assert today[-1] == pytest.approx(root / (1 + root), rel=2e-3)


def test_perpetual_put():
    """Merton (1973): (K - B) (S / B)^-x for r = x vol^2 / 2 without yield; 600 years come near enough."""
    x = 2 * 0.05 / 0.09
    boundary = 100 * x / (1 + x)
    expected = (100 - boundary) * (100 / boundary) ** -x
    assert american(100.0, 100.0, 600.0, 0.3, 0.05, 0.0, False) == pytest.approx(expected, abs=1e-3)


@given(
    spot=st.floats(1e-3, 1e4),
    years=st.floats(0, 10),
    vol=st.floats(0, 4),
    rate=st.floats(-0.1, 0.3),
    dividend_yield=st.floats(-0.1, 0.3),
)
def test_between_european_and_bound(spot, years, vol, rate, dividend_yield):
    for is_call in (True, False):
        terms = (spot, 100.0, years, vol, rate, dividend_yield, is_call)
        value = float(american(*terms))
        most = spot * max(1, np.exp(-dividend_yield * years))
        most = most if is_call else 100.0 * max(1, np.exp(-rate * years))
        assert value >= float(european(*terms)) - ROUNDING * max(spot, 100.0)
        assert value >= (spot - 100.0 if is_call else 100.0 - spot)
        assert value <= most * (1 + GRID)


def test_monotone_and_convex_in_the_spot():
    spots = np.linspace(60, 140, 161)
    for is_call, rate, dividend_yield in ((False, 0.05, 0.02), (True, 0.02, 0.06), (False, 0.02, 0.06)):
        values = american(spots, 100.0, 1.0, 0.25, rate, dividend_yield, is_call)
        slopes = np.diff(values) / 0.5
        assert (np.diff(slopes) > -1e-6).all()
        assert (slopes * (1 if is_call else -1) > -1e-6).all()
        assert (np.abs(slopes) <= 1 + 1e-6).all()
        lives = american(100.0, 100.0, np.linspace(0, 3, 60), 0.25, rate, dividend_yield, is_call)
        assert (np.diff(lives) > 0).all()


def test_call_is_the_put_with_everything_exchanged():
    spots = np.linspace(60, 140, 9)
    calls = american(spots, 100.0, 1.5, 0.3, 0.03, 0.05, True)
    assert np.array_equal(calls, american(100.0, spots, 1.5, 0.3, 0.05, 0.03, False))


def test_extremes_give_finite_values():
    axes = ([0, 1e-300, 1e-6, 100, 1e100], [0, 1e-6, 100, 1e100], [0, 1e-9, 1, 100], [0, 1e-11, 0.2, 100])
    rates = [-0.05, 0, 1e-9, 0.9]
    spot, strike, years, vol, rate, dividend_yield = (
        a.reshape(-1) for a in np.meshgrid(*axes, rates, rates, indexing="ij")
    )
    slow = (dividend_yield < rate) & (rate <= 0) & (years * vol > 0)
    for is_call in (True, False):
        terms = [a[~slow] for a in (spot, strike, years, vol)]
        pair = (rate[~slow], dividend_yield[~slow])
        values = american(*terms, *(reversed(pair) if is_call else pair), is_call)
        assert np.isfinite(values).all()
        assert (values >= (terms[0] - terms[1] if is_call else terms[1] - terms[0])).all()
        assert (values >= 0).all()


def test_broadcasts_and_is_elementwise():
    grid = american(np.linspace(80, 120, 5)[:, None], np.linspace(70, 130, 7), 0.5, 0.2, 0.05, 0.02, False)
    assert grid.shape == (5, 7)
    assert grid[3, 4] == pytest.approx(float(american(110.0, 110.0, 0.5, 0.2, 0.05, 0.02, False)), abs=1e-11)
    assert american([], 100.0, 1.0, 0.2, 0.05, 0.0, False).shape == (0,)


GOOD = {
    "spots": 100.0,
    "strikes": 90.0,
    "expiries": 1.0,
    "vols": 0.2,
    "rates": 0.05,
    "yields": 0.01,
    "is_call": True,
}


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("spots", [100.0, -1.0], r"spots\[1\] must be finite and >= 0 \(got -1.0\)"),
        ("spots", 1e101, r"spots must be at most 1e\+100 in size"),
        ("vols", [[0.2], [np.nan]], r"vols\[1, 0\] must be finite and >= 0 \(got nan\)"),
        ("rates", [0.05, np.inf], r"rates\[1\] must be finite \(got inf\)"),
        ("yields", [0.05, -101.0], r"yields \* expiries\[1\] must be at most 100 in size \(got 101.0\)"),
        ("is_call", "C", r"is_call must be True or False \(got 'C'\)"),
        ("dividends", [(0.5, -1.0)], r"dividends\[0, 1\] must be finite and >= 0 \(got -1.0\)"),
        ("dividends", [(0.5, np.nan)], r"dividends\[0, 1\] must be finite and >= 0 \(got nan\)"),
        ("dividends", [0.5, 1.0], r"dividends must be pairs \(years, cash\), not an array of shape \(2,\)"),
        ("dividends", "soon", r"dividends must hold numbers"),
        ("backend", "abacus", r"one of auto, numpy, native, cupy"),
    ],
)
def test_bad_input_is_named(argument, value, message):
    with pytest.raises(InputError, match=message):
        sg.price_american(**(GOOD | {argument: value}))


def test_shapes_and_backends_that_do_not_fit_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(InputError, match=r"strikes \(3,\), expiries \(\), vols \(2,\)"):
        sg.price_american(**(GOOD | {"strikes": [1.0, 2.0, 3.0], "vols": [0.1, 0.2]}))
    with pytest.raises(BackendUnavailable, match="CuPy is not installed"):
        sg.price_american(**GOOD, backend="cupy")

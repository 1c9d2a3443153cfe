"""European values: published rows, 50-digit arithmetic, parity, and the edges where a formula could break."""

import sys
from pathlib import Path

import mpmath
import numpy as np
import pandas as pd
import pytest
from every_backend import BACKENDS, native_sets
from hypothesis import given
from hypothesis import strategies as st

from shockgrid.backends import NumpyBackend, get_backend
from shockgrid.errors import BackendUnavailable, InputError
from shockgrid.pricing import european
from shockgrid.valuation import price_european

#: What we hold ourselves to: absolute error in units of spot. 45 ulp of 1; the observed maximum is 6e-16.
ERROR_PER_SPOT = 1e-14
#: Parity is two roundings of each of forward, strike and value.
PARITY_PER_AMOUNT = 8 * np.finfo(np.float64).eps
#: Rows compared with 50-digit arithmetic; about 6 s.
SAMPLE = 10_000

PRICERS = {"truth": european.black, **{name: backend.black for name, backend in BACKENDS.items()}}


@pytest.fixture(params=list(PRICERS))
def black(request):
    return PRICERS[request.param]


def exact(forward, strike, years, vol, discount, call):
    """Black (1976) with 50 digits; every argument is taken as the exact binary number that it is."""
    with mpmath.workdps(50):
        f, k, t, v, d = (mpmath.mpf(float(x)) for x in (forward, strike, years, vol, discount))
        sign = 1 if call else -1
        deviation = v * mpmath.sqrt(t)
        upper = mpmath.log(f / k) / deviation + deviation / 2
        above, below = (mpmath.erfc(-sign * x / mpmath.sqrt(2)) / 2 for x in (upper, upper - deviation))
        return sign * d * (f * above - k * below)


def random_options(count):
    """T 0.5 d .. 5 y, vol 2-300 %, rates and yields -2..8 %, strikes within 4 deviations or a factor 2."""
    rng = np.random.default_rng(20240607)
    years = np.exp(rng.uniform(np.log(0.5 / 365), np.log(5.0), count))
    vols = np.exp(rng.uniform(np.log(0.02), np.log(3.0), count))
    rates, yields = rng.uniform(-0.02, 0.08, (2, count))
    spots = np.exp(rng.uniform(np.log(0.01), np.log(50_000.0), count))
    forwards = spots * np.exp((rates - yields) * years)
    width = np.minimum(4 * vols * np.sqrt(years), np.log(2.0))
    strikes = forwards * np.exp(rng.uniform(-1, 1, count) * width)
    return spots, (forwards, strikes, years, vols, np.exp(-rates * years), rng.random(count) < 0.5)


@pytest.fixture(scope="module")
def sample():
    spots, options = random_options(SAMPLE)
    return spots, options, [exact(*row) for row in zip(*options, strict=True)]


def test_ten_thousand_random_options_against_50_digits(black, sample):
    spots, options, expected = sample
    values = black(*options)
    errors = [abs(mpmath.mpf(float(v)) - e) / s for v, e, s in zip(values, expected, spots, strict=True)]
    assert max(errors) < ERROR_PER_SPOT


def published(rows, forwards):
    """Values of the rows of a table in the letters of its source."""
    return price_european(
        forwards=forwards,
        strikes=rows["K"],
        expiries=rows["T"],
        vols=rows["sigma"],
        discount_factors=np.exp(-rows["r"] * rows["T"]),
        is_call=rows["type"] == "C",
    )


def test_published_spot_options(shared: Path):
    rows = pd.read_csv(shared / "oracles" / "european.csv", comment="#")
    values = published(rows, rows["S"] * np.exp((rows["r"] - rows["q"]) * rows["T"]))
    assert (np.abs(values - rows["expected"]) <= rows["tol"]).all()
    assert (np.abs(values - rows["verify"]) <= ERROR_PER_SPOT * np.maximum(rows["S"], rows["K"])).all()


def test_published_options_on_forwards(shared: Path):
    rows = pd.read_csv(shared / "oracles" / "black76.csv", comment="#")
    values = published(rows, rows["F"])
    assert (np.abs(values - rows["expected"]) <= rows["tol"]).all()
    assert (np.abs(values - rows["verify"]) <= ERROR_PER_SPOT * rows["F"]).all()


def test_put_call_parity(black):
    _, (forwards, strikes, years, vols, discounts, _) = random_options(SAMPLE)
    inputs = (forwards, strikes, years, vols, discounts)
    gap = black(*inputs, True) - black(*inputs, False) - discounts * (forwards - strikes)
    assert (np.abs(gap) <= PARITY_PER_AMOUNT * discounts * np.maximum(forwards, strikes)).all()


@pytest.mark.parametrize(("years", "vol"), [(0.0, 0.3), (1.0, 0.0), (0.0, 0.0), (1e-300, 0.2), (1.0, 1e-300)])
@pytest.mark.parametrize("forward", [50.0, 100.0, 200.0])
def test_nothing_random_is_discounted_intrinsic(black, years, vol, forward):
    call, put = black(forward, 100.0, years, vol, 0.5, [True, False])
    assert (call, put) == (0.5 * max(forward - 100.0, 0.0), 0.5 * max(100.0 - forward, 0.0))


@pytest.mark.parametrize("forward", [0.0, -5.0, -300.0])
@pytest.mark.parametrize("vol", [0.0, 0.2, 4.0, 300.0])
def test_forward_of_zero_or_less_is_discounted_intrinsic(black, forward, vol):
    call, put = black(forward, 100.0, 2.0, vol, 0.5, [True, False])
    assert (call, put) == (0.0, 0.5 * (100.0 - forward))


def test_continuous_where_the_forward_reaches_zero(black):
    forwards = np.array([1e-9, 1e-12, 0.0, -1e-12])
    for call, limit in ((True, 0.0), (False, 50.0)):
        assert np.abs(black(forwards, 100.0, 2.0, 0.4, 0.5, call) - limit).max() <= 1e-9


def test_vol_of_400_percent_over_167_years(black):
    assert black(100.0, 90.0, 167.0, 4.0, 0.25, [True, False]).tolist() == [25.0, 22.5]


@pytest.mark.parametrize(
    "option",
    [
        (1.0, 1e8, 6.25, 4.0),
        (1.0, 1e22, 6.25, 4.0),
        (1e8, 1.0, 6.25, 4.0),
        (100.0, 100.0, 1e-6, 0.01),
        (100.0, 100.0 * (1 + 2e-16), 0.01, 0.05),
        (1e-200, 2e-200, 1.0, 0.3),
        (1e200, 2e200, 1.0, 0.3),
        (100.0, 1e-300, 1.0, 0.3),
    ],
)
@pytest.mark.parametrize("call", [True, False])
def test_extremes_against_50_digits(black, option, call):
    expected = exact(*option, 1.0, call)
    scale = max(option[0], float(expected))
    assert abs(mpmath.mpf(float(black(*option, 1.0, call))) - expected) <= ERROR_PER_SPOT * scale


@pytest.mark.parametrize("strike", [0.0, 1e-320, 1e308])
@pytest.mark.parametrize("vol", [0.0, 0.3, 1e300])
@pytest.mark.parametrize("forward", [-1.0, 0.0, 1e-320, 1e308])
def test_far_ends_of_float64_give_finite_values(black, strike, vol, forward):
    values = black(forward, strike, 1.0, vol, 1.0, [True, False])
    assert np.isfinite(values).all()
    assert (values >= 0).all()


@given(
    forward=st.floats(-10, 1e6),
    strike=st.floats(0, 1e6),
    years=st.floats(0, 200),
    vol=st.floats(0, 5),
    discount=st.floats(0.01, 2),
)
def test_between_intrinsic_and_bound(forward, strike, years, vol, discount):
    slack = PARITY_PER_AMOUNT * discount * max(abs(forward), strike)
    for pricer in PRICERS.values():
        for call in (True, False):
            value = float(pricer(forward, strike, years, vol, discount, call))
            intrinsic = discount * max(forward - strike if call else strike - forward, 0.0)
            bound = max(intrinsic, discount * (forward if call else strike))
            assert intrinsic - slack <= value <= bound + slack


def test_broadcasts_and_is_elementwise(black):
    forwards = np.linspace(80, 120, 5)[:, None]
    strikes = np.linspace(70, 130, 7)
    grid = black(forwards, strikes, 0.5, 0.2, 0.98, True)
    assert grid.shape == (5, 7)
    assert grid[3, 4] == black(forwards[3, 0], strikes[4], 0.5, 0.2, 0.98, True)
    assert black([], strikes[:0], 0.5, 0.2, 0.98, True).shape == (0,)


GOOD = {
    "forwards": 100.0,
    "strikes": 90.0,
    "expiries": 1.0,
    "vols": 0.2,
    "discount_factors": 0.9,
    "is_call": True,
}


@pytest.mark.parametrize("backend", ["auto", "numpy"])
@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("forwards", [100.0, np.nan], r"forwards\[1\] must be finite \(got nan\)"),
        ("strikes", [[90.0], [-1.0]], r"strikes\[1, 0\] must be finite and >= 0 \(got -1.0\)"),
        ("expiries", -0.5, r"expiries must be finite and >= 0 \(got -0.5\)"),
        ("vols", [0.2, 0.2, np.inf], r"vols\[2\] must be finite and >= 0 \(got inf\)"),
        ("discount_factors", [0.0], r"discount_factors\[0\] must be finite and > 0 \(got 0.0\)"),
        ("is_call", ["C"], r"is_call\[0\] must be True or False \(got 'C'\)"),
        ("is_call", [1, 2], r"is_call\[1\] must be True or False \(got 2\)"),
        ("vols", "high", r"vols must hold numbers"),
    ],
)
def test_bad_input_is_named(argument, value, message, backend):
    with pytest.raises(InputError, match=message):
        price_european(**(GOOD | {argument: value}), backend=backend)


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(InputError, match=r"strikes \(3,\), expiries \(\), vols \(2,\)"):
        price_european(**(GOOD | {"strikes": [1.0, 2.0, 3.0], "vols": [0.1, 0.2]}))


def test_choice_of_backend(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    backend = NumpyBackend()
    assert get_backend(backend) is backend
    assert get_backend("numpy").name == "numpy"
    assert get_backend("auto").name == (
        "native" if native_sets()[1:] or native_sets() == ("generic",) else "numpy"
    )
    with pytest.raises(BackendUnavailable, match=r"CuPy is not installed: pip install 'shockgrid\[cuda12\]'"):
        get_backend("cupy")
    with pytest.raises(InputError, match="one of auto, numpy, native, cupy"):
        get_backend("abacus")

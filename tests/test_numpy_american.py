"""American values of the NumPy backend: against QuantLib and the truth, and independent of company."""

from dataclasses import replace

import american_reference
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_numpy_backend import grid

from shockgrid.backends import NumpyBackend
from shockgrid.backends._numpy_routes import EUROPEAN, GRID, TABLE, routes
from shockgrid.backends.contract import Series
from shockgrid.backends.vol_ranges import (
    EDGES,
    LARGEST_VOL,
    SMALLEST_VOL,
    place_in,
    range_of,
    vols_at,
)
from shockgrid.pricing.american import american
from shockgrid.states import UNMOVED

#: The bar of the design for vols of 5-100 % and up to 3 years, in units of spot. Seen: 1.5e-6.
USUAL = 5e-6
#: The rest of what is tabulated (vols of 0.2-800 %, days before expiry 6,400 %, to 10 years, rates to 30 %).
ANYWHERE = 1e-5
#: Cash dividends and two boundaries, by finite differences: the bar of the design.
ON_GRIDS = 5e-5
#: Between two ranges of vols that are tabulated with different efforts.
SEAM = 1e-5
REPRICING = 1e-10
#: Spot x slope x shock, multiplied in another order, through a logarithm and two exponentials.
ROUNDING = 1e-13

BACKEND = NumpyBackend()


def options(spots, strikes, years, vols, rates, yields, is_call, ex_years=None, ex_cash=None):
    """American series whose forward carries no cash; the columns broadcast."""
    columns = np.broadcast_arrays(spots, strikes, years, vols, rates, yields, is_call)
    spot, strike, year, vol, rate, dividend_yield = (np.array(c, np.float64) for c in columns[:6])
    call, count = np.array(columns[6], np.bool_), len(spot)
    none = np.empty((count, 0))
    return Series(
        spots=spot,
        slopes=np.exp((rate - dividend_yield) * year),
        intercepts=np.zeros(count),
        strikes=strike,
        years=year,
        vols=vol,
        discount_factors=np.exp(-rate * year),
        is_option=np.ones(count, np.bool_),
        is_call=call,
        is_american=np.ones(count, np.bool_),
        units=np.ones(count),
        rates=rate,
        yields=dividend_yield,
        ex_years=none if ex_years is None else ex_years,
        ex_cash=none if ex_cash is None else ex_cash,
        inverse=np.zeros(count, np.bool_),
    )


def drawn(count, seed, vols=(0.05, 1.0), years=(1 / 365, 3.0), rates=(0.001, 0.1), yields=(0.0, 0.1)):
    rng = np.random.default_rng(seed)
    return options(
        np.exp(rng.uniform(-0.6, 0.6, count)) * 100.0,
        100.0,
        rng.uniform(*years, count),
        np.exp(rng.uniform(*np.log(vols), count)),
        rng.uniform(*rates, count),
        rng.uniform(*yields, count),
        rng.random(count) < 0.5,
    )


def truth(series):
    columns = ("spots", "strikes", "years", "vols", "rates", "yields", "is_call")
    return american(*(getattr(series, name) for name in columns))


def miss(series):
    return np.abs(BACKEND.base(series) - truth(series)) / series.spots


@pytest.mark.parametrize("regime", american_reference.REGIMES)
def test_against_quantlib(regime):
    rows = pd.read_parquet(american_reference.FILE).query("regime == @regime")
    numbers = {name: rows[name].to_numpy() for name in ("spots", "strikes", "vols", "rates", "yields")}
    paid = rows["cash"].to_numpy() > 0
    series = options(
        numbers["spots"],
        numbers["strikes"],
        rows["days"].to_numpy() / 365.0,
        numbers["vols"],
        numbers["rates"],
        numbers["yields"],
        rows["is_call"].to_numpy(),
        np.where(paid, rows["ex_days"] / 365.0, np.inf)[:, None],
        rows["cash"].to_numpy()[:, None],
    )
    misses = np.abs(BACKEND.base(series) - rows["prices"].to_numpy()) / numbers["spots"]
    engine = american_reference.REGIMES[regime][-1]
    usual = USUAL if regime in ("usual", "no early exercise") else ANYWHERE
    assert misses.max() < (usual if engine == american_reference.BOUNDARY else ON_GRIDS)


@pytest.mark.parametrize(
    ("terms", "bar"),
    [
        ({}, USUAL),
        ({"years": (1 / 8760, 5 / 365)}, USUAL),
        ({"rates": (1e-6, 1e-3)}, USUAL),
        ({"rates": (0.005, 0.03), "yields": (0.05, 0.12)}, USUAL),
        ({"vols": (0.002, 0.05)}, ANYWHERE),
        ({"vols": (1.0, 7.9)}, ANYWHERE),
        ({"vols": (4.0, 63.9), "years": (1 / 8760, 20 / 365)}, ANYWHERE),
        ({"vols": (1.0, 7.9), "years": (3.0, 10.0)}, ANYWHERE),
        ({"vols": (0.01, 0.1), "yields": (0.0, 0.02)}, ANYWHERE),
        ({"years": (3.0, 10.0)}, ANYWHERE),
        ({"rates": (0.1, 0.3), "yields": (0.0, 0.3)}, ANYWHERE),
        ({"yields": (-0.05, -0.001)}, ANYWHERE),
    ],
)
def test_against_the_truth(terms, bar):
    series = drawn(400, seed=7, **terms)
    series = replace(series, is_call=np.zeros(400, np.bool_)) if "yields" in terms else series
    assert (routes(series) != GRID).all()
    assert miss(series).max() < bar


def test_scenarios_are_priced_like_markets_of_their_own():
    series, states = drawn(60, seed=3), grid(9, 5)
    values = BACKEND.price(series, states)
    for row, (spot, rule) in enumerate(states.index):
        vols = series.vols * (1.0 + states.vol_shocks[rule])
        moved = replace(series, spots=series.spots * states.spot_factors[spot], vols=vols)
        assert np.abs(values[row] - BACKEND.base(moved)).max() < ROUNDING * 200.0


def test_what_lies_outside_the_tables_is_priced_by_the_truth():
    vols = np.array([0.0, 0.001, 8.5, 20.0, 0.2, 0.2, 70.0, 9.0, 6.1])
    years = [1.0, 1.0, 1.0, 1.0, 20.0, 8.0, 0.001, 11 / 365, 4.0]
    series = options(100.0, 95.0, years, vols, [0.05] * 5 + [0.6] + [0.05] * 3, 0.02, False)
    assert np.array_equal(BACKEND.base(series), truth(series))


def test_shocks_across_the_ends_of_the_tables():
    """Each scenario's own vol decides: of one option some values are read, and the others are the truth."""
    years = np.array([5.0, 10.0, 11.0, 180.0]) / 365.0
    series, states = options(100.0, 110.0, years, 7.5, 0.05, 0.02, False), grid(3, 7)
    values = BACKEND.price(series, states)
    for row, (spot, rule) in enumerate(states.index):
        vols = series.vols * (1.0 + states.vol_shocks[rule])
        moved = replace(series, spots=series.spots * states.spot_factors[spot], vols=vols)
        assert (np.abs(values[row] - truth(moved)) < ANYWHERE * moved.spots).all()


@pytest.mark.parametrize(
    ("rate", "dividend_yield", "is_call", "route"),
    [
        (0.05, 0.0, True, EUROPEAN),
        (0.0, 0.0, False, EUROPEAN),
        (-0.01, 0.02, False, EUROPEAN),
        (0.05, 0.0, False, TABLE),
        (0.05, 0.02, True, TABLE),
        (0.0, 0.02, True, TABLE),
        (0.02, -0.03, False, TABLE),
        (0.0, -0.02, False, GRID),
        (-0.01, -0.03, False, GRID),
        (-0.03, -0.01, True, GRID),
    ],
)
def test_routes(rate, dividend_yield, is_call, route):
    series = options([100.0], 100.0, 1.0, 0.2, rate, dividend_yield, is_call)
    assert routes(series).tolist() == [route]
    assert miss(series).max() < (ON_GRIDS if route == GRID else USUAL)
    assert routes(replace(series, years=np.zeros(1))).tolist() == [EUROPEAN]


def test_a_rate_lost_in_rounding_is_none():
    """The yield is worked out from a forward and a discount factor; what rounding leaves of 0 is 0."""
    years = np.array([1e-5, 0.01, 1.0, 10.0])
    rates = 0.05
    noisy = rates - np.log(1.0 / np.exp(-rates * years)) / years
    series = options(100.0, 90.0, years, 0.3, rates, noisy, True)
    assert (routes(series) == EUROPEAN).all()


def test_ranges_of_vols_meet():
    edges = np.array(EDGES[1:-1])
    below, above = np.nextafter(edges, 0.0), edges
    assert (range_of(above) == range_of(below) + 1).all()
    for years in (0.01, 0.3, 2.0):
        values = [
            BACKEND.base(options(100.0, 105.0, years, vols, 0.05, 0.02, False)) for vols in (below, above)
        ]
        assert np.abs(values[1] - values[0]).max() < 100.0 * SEAM


@given(st.floats(SMALLEST_VOL, LARGEST_VOL, exclude_max=True))
def test_a_vol_has_its_place(vol):
    vols = np.array([vol])
    ranges = range_of(vols)
    place = place_in(ranges, vols)
    assert abs(place[0]) <= 1.0 + 1e-12
    assert vols_at(ranges, place) == pytest.approx(vol, rel=1e-14)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-0.7, 0.7),
    st.floats(1e-6, 5.0),
    st.floats(0.003, 6.0),
    st.floats(-0.05, 0.2),
    st.floats(-0.05, 0.2),
    st.booleans(),
)
def test_worth_at_least_european_and_exercise(log_ratio, years, vol, rate, dividend_yield, is_call):
    spots = 100.0 * np.exp(log_ratio) * np.array([0.0, 0.5, 0.99, 1.0, 1.01, 2.0])
    series = options(spots, 100.0, years, vol, rate, dividend_yield, is_call)
    values = BACKEND.base(series)
    gains = np.maximum((1.0 if is_call else -1.0) * (spots - 100.0), 0.0)
    plain = BACKEND.base(replace(series, is_american=np.zeros(6, np.bool_)))
    assert np.isfinite(values).all()
    assert (values >= gains).all()
    bar = ON_GRIDS if (routes(series) == GRID).any() else 0.0
    assert (values >= plain - bar * 100.0).all()


def test_the_cash_of_an_adjusted_contract_comes_off_the_strike():
    plain = options([80.0, 120.0], 100.0, 0.5, 0.3, 0.04, 0.01, [False, True])
    assert (BACKEND.base(replace(plain, strikes=plain.strikes - 7.0)) != BACKEND.base(plain)).all()
    beyond = replace(plain, strikes=np.array([-3.0, -3.0]))
    assert np.array_equal(routes(beyond), [EUROPEAN, EUROPEAN])
    assert BACKEND.base(beyond)[1] == pytest.approx(123.0)
    assert BACKEND.base(beyond)[0] == 0.0


def test_implied_vols_give_the_prices_back():
    series = drawn(1500, seed=21, vols=(0.1, 0.45))
    prices = BACKEND.base(series)
    vols, reasons = BACKEND.implied(series, prices)
    solved = reasons == ""
    assert set(reasons) <= {"", "no_time_value"}
    gains = np.maximum(np.where(series.is_call, 1, -1) * (series.spots - series.strikes), 0.0)
    assert (prices[~solved] <= gains[~solved] + 1e-12).all()
    again = BACKEND.base(replace(series, vols=vols))
    assert (np.abs(again - prices)[solved] <= REPRICING * series.spots[solved]).all()
    alone = NumpyBackend().implied(series.take(slice(40, 41)), prices[40:41])
    assert (alone[0][0], alone[1][0]) == (vols[40], reasons[40])


def test_implied_vols_have_reasons():
    series = options([100.0] * 6, 120.0, [0.5] * 5 + [0.0], 0.3, 0.05, 0.0, False)
    prices = np.array([19.0, 20.0, 20.5, 120.0, 119.9999, 25.0])
    vols, reasons = BACKEND.implied(series, prices)
    assert reasons.tolist() == ["below_intrinsic", "no_time_value", "", "above_max", "above_max", "no_time"]
    assert vols[2] > 0 == vols[[0, 1, 3, 4, 5]].any()


def test_one_state_that_moves_nothing_is_the_base():
    series = drawn(50, seed=2)
    assert np.array_equal(BACKEND.price(series, UNMOVED)[0], BACKEND.base(series))
    assert np.array_equal(BACKEND.price(series, grid(3, 3))[4], BACKEND.base(series))

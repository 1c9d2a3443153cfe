"""The edges of what may be asked, over every backend: the right value or a named reason, and never a NaN.

European values are compared with ``pricing.european``, American ones with ``pricing.american`` and
``pricing.dividends``: other formulas and other grids than those of the backends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from every_backend import BACKENDS, option_rows
from scipy.sparse import csr_array
from test_european import random_options
from test_numpy_american import ANYWHERE, ON_GRIDS, USUAL, options, truth
from test_numpy_backend import grid, joint_list, same_bytes

from shockgrid.backends import Backend, Series
from shockgrid.backends._native_library import SLOW
from shockgrid.pricing import european
from shockgrid.pricing.dividends import with_dividends
from shockgrid.states import UNMOVED

ERROR_PER_SPOT = 1e-14  #: European, as in test_european.py
CALLS = np.array([True, False])


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]


def is_slow(backend: Backend) -> bool:
    return getattr(backend, "instruction_set", "") == SLOW


def base(backend: Backend, series: Series) -> np.ndarray:
    values = np.asarray(backend.get(backend.price(series, UNMOVED)))[0]
    assert np.isfinite(values).all()
    return values


def european_errors(backend: Backend, series: Series) -> np.ndarray:
    """Over the larger of spot, strike and value."""
    plain = replace(series, is_american=np.zeros(len(series), np.bool_))
    forwards = plain.slopes * plain.spots + plain.intercepts
    columns = (plain.strikes, plain.years, plain.vols, plain.discount_factors, plain.is_call)
    expected = european.black(forwards, *columns)
    scale = np.maximum(np.maximum(plain.spots, np.abs(plain.strikes)), expected)
    return np.abs(base(backend, plain) - expected) / scale


def american_errors(backend: Backend, series: Series) -> np.ndarray:
    return np.abs(base(backend, series) - truth(series)) / np.maximum(series.spots, 1e-300)


def assert_priced(backend: Backend, series: Series, bar: float = USUAL) -> None:
    """European and American values, and that a vol implied from the latter gives them back."""
    assert european_errors(backend, series).max(initial=0.0) <= ERROR_PER_SPOT
    assert american_errors(backend, series).max(initial=0.0) <= bar
    prices = base(backend, series)
    vols, reasons = backend.implied(series, prices)
    assert np.isfinite(vols).all()
    assert ((vols > 0.0) == (reasons == "")).all()


@pytest.mark.parametrize("count", [0, 1, 100_003])
def test_sizes(backend: Backend, count: int) -> None:
    size = min(count, 203) if is_slow(backend) else count
    columns = [column[:size] for column in random_options(max(size, 1))[1]]
    values = backend.black(*columns)
    assert np.abs(values - european.black(*columns)).max(initial=0.0) <= 1e-9
    assert backend.implied_vol(values, *columns[:3], *columns[4:])[0].shape == (size,)
    few = min(size, 1003)
    strikes = np.linspace(80.0, 125.0, few) if few > 1 else np.full(few, 110.0)
    series = options(np.full(few, 100.0), strikes, 0.5, 0.3, 0.05, 0.02, False)
    assert backend.price(series, grid(3, 2)).shape == (6, few)
    pnl = backend.risk_arrays([(series, grid(3, 2))], csr_array(np.ones((1, few))))
    assert np.isfinite(pnl).all()


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "non-contiguous": lambda column: np.repeat(column, 3, axis=0)[::3],
    "reversed": lambda column: column[::-1].copy()[::-1],
    "big-endian": lambda column: column.astype(column.dtype.newbyteorder(">")),
}


def test_float32_is_taken_for_what_it_holds(backend: Backend) -> None:
    narrow = [column.astype(np.float32) for column in random_options(101)[1][:5]]
    calls = random_options(101)[1][5]
    wide = [column.astype(np.float64) for column in narrow]
    values = backend.black(*wide, calls)
    assert same_bytes(backend.black(*narrow, calls), values)
    prices = values.astype(np.float32)
    found = [
        backend.implied_vol(column, *columns[:3], columns[4], calls)[0]
        for column, columns in ((prices, narrow), (prices.astype(np.float64), wide))
    ]
    assert same_bytes(*found)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_columns_in_any_layout_and_read_only(backend: Backend, layout: str) -> None:
    """What a column holds counts, not how it lies. Nothing is written to it."""
    dates = np.array([[0.125, 0.375]] * 4)
    plain = options(
        [96.0, 104.0, 100.0, 90.0], 100.0, 0.5, 0.25, 0.0625, 0.03125, [True, False] * 2, dates, dates * 4
    )
    plain = replace(plain, slopes=np.ones(4), discount_factors=np.full(4, 0.96875))
    mixed = replace(plain, is_american=np.array([True, True, False, True]))
    mixed = replace(mixed, ex_cash=np.where(np.arange(4)[:, None] == 3, mixed.ex_cash, 0.0))
    changed = {field.name: LAYOUTS[layout](getattr(mixed, field.name)) for field in fields(mixed)}
    for column in changed.values():
        column.flags.writeable = False
    assert same_bytes(backend.price(Series(**changed), grid(5, 3)), backend.price(mixed, grid(5, 3)))
    weights = csr_array(np.eye(4))
    sums = [backend.risk_arrays([(part, grid(5, 3))], weights) for part in (Series(**changed), mixed)]
    assert same_bytes(*sums)
    prices = base(backend, mixed)
    assert same_bytes(backend.implied(Series(**changed), prices)[0], backend.implied(mixed, prices)[0])


@pytest.mark.parametrize("years", [1e-2, 1e-5, 1e-9, 1e-15, 0.0])
def test_time_that_runs_out(backend: Backend, years: float) -> None:
    series = options(
        100.0, [99.0, 100.0, 101.0, 99.0, 100.0, 101.0], years, 0.3, 0.05, 0.02, [True] * 3 + [False] * 3
    )
    assert_priced(backend, series)


@pytest.mark.parametrize("vol", [0.0, 0.01, 4.0])
@pytest.mark.parametrize("years", [0.01, 2.0])
def test_vols_of_none_1_and_400_percent(backend: Backend, vol: float, years: float) -> None:
    series = options(
        100.0, [95.0, 100.0, 105.0, 95.0, 100.0, 105.0], years, vol, 0.05, 0.02, [True] * 3 + [False] * 3
    )
    assert_priced(backend, series, ANYWHERE)


@pytest.mark.parametrize(
    ("rate", "dividend_yield", "bar"),
    [(-0.02, 0.01, USUAL), (0.02, 0.06, USUAL), (-0.01, -0.03, ON_GRIDS), (0.0, -0.02, ON_GRIDS)],
    ids=["r < 0", "q > r", "q < r < 0", "q < r = 0"],
)
def test_signs_of_rates(backend: Backend, rate: float, dividend_yield: float, bar: float) -> None:
    """The last two: the put is exercised between two boundaries. Calls with rate and yield exchanged."""
    spots = np.array([80.0, 95.0, 110.0])
    puts = options(spots, 100.0, 1.5, 0.25, rate, dividend_yield, False)
    calls = options(spots, 100.0, 1.5, 0.25, dividend_yield, rate, True)
    for series in (puts, calls):
        assert_priced(backend, series, bar)


def test_deep_wings(backend: Backend) -> None:
    """Forty deviations to both sides: exercise, the forward, or nothing."""
    strikes = 100.0 * np.exp(np.array([-8.0, -4.0, -1.0, 1.0, 4.0, 8.0]))
    for call in CALLS:
        series = options(100.0, strikes, 1.0, 0.2, 0.05, 0.02, call)
        assert european_errors(backend, series).max() <= ERROR_PER_SPOT
        errors = np.abs(base(backend, series) - truth(series)) / np.maximum(series.spots, strikes)
        assert errors.max() <= USUAL


def test_nine_decades_of_spot_and_strike(backend: Backend) -> None:
    decades = 10.0 ** np.arange(-4, 5)
    spots, strikes = (part.ravel() for part in np.meshgrid(decades, decades))
    for call in CALLS:
        series = options(spots, strikes, 0.5, 0.4, 0.05, 0.02, call)
        assert european_errors(backend, series).max() <= ERROR_PER_SPOT
        errors = np.abs(base(backend, series) - truth(series)) / np.maximum(spots, strikes)
        assert errors.max() <= USUAL


def dated(spots: Any, days: Any, cash: float, *, life: float = 60.0) -> Series:
    """A call and a put of 100 with a dividend in so many days; the European forward is net of it."""
    dates = np.full((2, 1), days / 365.0)
    series = options(spots, 100.0, life / 365.0, 0.3, 0.05, 0.0, CALLS, dates, np.full((2, 1), cash))
    present = cash * np.exp(-0.05 * dates[:, 0])
    return replace(series, intercepts=-present / series.discount_factors)


def on_grids(series: Series) -> Any:
    """By the slow finite differences."""
    columns = (series.spots, series.strikes, series.years, series.vols, series.rates, series.yields)
    return with_dividends(*columns, series.is_call, series.ex_years[0], series.ex_cash[0])


@pytest.mark.parametrize("cash", [0.5, 150.0])
def test_a_dividend_larger_than_the_spot(backend: Backend, cash: float) -> None:
    """The call is exercised before it, or is worth nothing after; the put is soon worth the strike."""
    series = dated(np.full(2, 100.0), 30.0, cash)
    assert np.abs(base(backend, series) - on_grids(series)).max() <= ON_GRIDS * 100.0
    assert european_errors(backend, series).max() <= ERROR_PER_SPOT


@pytest.mark.parametrize("days", [29.0, 31.0])
def test_the_day_before_and_the_day_after_expiry(backend: Backend, days: float) -> None:
    """An ex-date a day before expiry moves the value; one a day after does not touch it."""
    series = dated(np.full(2, 100.0), days, 3.0, life=30.0)
    if days > 30.0:
        series = replace(series, ex_years=np.full((2, 1), np.inf), intercepts=np.zeros(2))
        series = replace(series, ex_cash=np.zeros((2, 1)))
        assert american_errors(backend, series).max() <= USUAL
        return
    assert np.abs(base(backend, series) - on_grids(series)).max() <= ON_GRIDS * 100.0
    none = replace(series, ex_cash=np.zeros((2, 1)))
    assert (np.abs(base(backend, series) - base(backend, none)) > 0.5).any()


def test_no_time_value(backend: Backend) -> None:
    """A price of exercise exactly, of a put at once or of less than a call that waits, or of nothing, has no
    vol; a little more has one."""
    series = options(100.0, [130.0, 130.0, 70.0], 0.5, 0.3, 0.05, 0.02, [False, False, True])
    prices = np.array([30.0, 30.5, 30.0])
    vols, reasons = backend.implied(series, prices)
    assert reasons[[0, 2]].tolist() == ["no_time_value", "below_intrinsic"]  # the strike bears interest
    assert reasons[1] == ""
    assert vols[1] > 0.0
    found = backend.implied_vol(np.zeros(2), 100.0, 130.0, 0.5, 0.97, CALLS)[1]
    assert found.tolist() == ["no_time_value", "below_intrinsic"]


def test_no_scenario_that_leaves_nothing_gives_a_nan(backend: Backend) -> None:
    """A spot of 0 and one a thousand times as large, no vol and 40 times the vol."""
    series = options(
        100.0, [90.0, 110.0] * 4, [0.0, 0.01, 1.0, 3.0] * 2, 0.3, 0.05, 0.02, [True] * 4 + [False] * 4
    )
    plain = option_rows(4, strikes=[0.0, 0.0, 1e9, 1e-9])
    states = replace(
        grid(3, 3),
        spot_factors=np.array([0.0, 1.0, 1000.0]),
        vol_shocks=np.array([-1.0, 0.0, 40.0]),
    )
    for part in (series, plain):
        assert np.isfinite(backend.price(part, states)).all()
        assert np.isfinite(backend.risk_arrays([(part, states)], csr_array(np.eye(len(part))))).all()
    assert joint_list(3).index.shape == (3, 2)

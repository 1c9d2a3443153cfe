"""The compiled kernels: right to 50 digits, and the same bits on every instruction set.

What holds for every backend is in test_numpy_backend.py, test_european.py and test_engine.py; what the
kernels refuse is in test_native_refusals.py.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import mpmath
import numpy as np
import pandas as pd
import pytest
from every_backend import option_rows, required_sets
from scipy.sparse import csr_array, random_array
from test_european import exact, random_options
from test_numpy_backend import grid, joint_list, random_series, same_bytes, sections_and_weights, unmoved

import shockgrid as sg
from shockgrid.backends import NativeBackend, NumpyBackend, Series, _native_library
from shockgrid.io.synthetic import synthetic_policy, synthetic_tables
from shockgrid.states import States

#: What we hold ourselves to against 50-digit arithmetic; the observed maximum is 5e-16.
ERROR_PER_SPOT = 1e-14
#: What we hold ourselves to between backends, relative to an account's gross notional.
ERROR_PER_NOTIONAL = 1e-12

SETS = required_sets()
BACKENDS = {name: NativeBackend(name) for name in SETS}


@pytest.fixture(params=SETS)
def native(request: pytest.FixtureRequest) -> NativeBackend:
    return BACKENDS[request.param]


def errors_against_digits(backend: NativeBackend, series: Series, states: States) -> float:
    """The largest error of a tile, in units of the larger of spot and value."""
    values, worst = backend.price(series, states), 0.0
    for row, (spot, rule) in enumerate(states.index):
        assert states.relative[rule]
        factor, move = states.spot_factors[spot], states.vol_shocks[rule]
        for column in range(len(series)):
            expected = exact(
                series.slopes[column] * series.spots[column] * factor,
                series.strikes[column],
                series.years[column],
                series.vols[column] * (1 + move),
                series.discount_factors[column],
                series.is_call[column],
            )
            scale = max(series.spots[column], expected)
            worst = max(worst, float(abs(mpmath.mpf(float(values[row, column])) - expected) / scale))
    return worst


def test_a_tile_against_50_digits(native: NativeBackend) -> None:
    spots, (forwards, strikes, years, vols, discounts, is_call) = random_options(400)
    series = replace(
        option_rows(
            400,
            spots=spots,
            slopes=forwards / spots,
            strikes=strikes,
            years=years,
            vols=vols,
            discount_factors=discounts,
        ),
        is_call=is_call,
    )
    assert errors_against_digits(native, series, grid(3, 2)) < ERROR_PER_SPOT


def test_nine_decades_of_spot_and_strike(native: NativeBackend) -> None:
    decades = 10.0 ** np.arange(-4, 5)
    spots, strikes = (part.ravel() for part in np.meshgrid(decades, decades))
    for vol in (0.2, 2.0, 10.0):
        series = option_rows(81, spots=spots, strikes=strikes, vols=vol, years=2.0)
        assert errors_against_digits(native, series, grid(2, 1)) < ERROR_PER_SPOT


@pytest.mark.parametrize("vol", [0.01, 4.0])
@pytest.mark.parametrize("days", [1e-3, 1.0, 1000.0])
def test_vols_of_1_and_400_percent(native: NativeBackend, vol: float, days: float) -> None:
    strikes = 100.0 * (1.0 + np.linspace(-3, 3, 14) * min(vol * np.sqrt(days / 365), 0.3))
    series = option_rows(14, strikes=strikes, years=days / 365, vols=vol)
    assert errors_against_digits(native, series, grid(3, 1)) < ERROR_PER_SPOT


def test_no_vol_is_the_limit_of_little_vol(native: NativeBackend) -> None:
    """A vol shock of -100 % leaves the discounted intrinsic value."""
    series = option_rows(6, strikes=[90.0, 90.0, 100.0, 100.0, 110.0, 110.0], discount_factors=0.5)
    states = replace(unmoved(), vol_shocks=np.array([-1.0]))
    assert native.price(series, states)[0].tolist() == [5.0, 0.0, 0.0, 0.0, 0.0, 5.0]


def test_time_that_runs_out(native: NativeBackend) -> None:
    """At the money a value falls with the root of time, in and out of it to the intrinsic value, exactly."""
    for years in (1e-2, 1e-6, 1e-12, 1e-20):
        at, inside, outside = native.base(option_rows(6, strikes=[100, 100, 80, 80, 120, 120], years=years))[
            ::2
        ]
        assert at == pytest.approx(100 * 0.2 * np.sqrt(years / (2 * np.pi)), rel=1e-3)
        assert inside - 20.0 <= at
        assert outside <= at
    assert native.base(option_rows(4, strikes=[100, 100, 80, 120], years=0.0)).tolist() == [0, 0, 20, 20]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100_003])
def test_any_number_of_options(native: NativeBackend, count: int) -> None:
    if count > 1000 and native.instruction_set == _native_library.SLOW:
        count = 1003
    _, options = random_options(max(count, 1))
    columns = [column[:count] for column in options]
    values = native.black(*columns)
    assert values.shape == (count,)
    few = [column[-20:] for column in columns]
    assert same_bytes(native.black(*few), values[-20:])
    assert np.abs(values - NumpyBackend().black(*columns)).max(initial=0.0) <= 1e-9


def test_columns_in_any_layout(native: NativeBackend) -> None:
    """Strided, reversed, read-only and big-endian columns, and float32 ones, taken for what they hold."""
    _, options = random_options(101)
    narrow = [column.astype(np.float32) if column.dtype == np.float64 else column for column in options]
    expected = native.black(*(column.astype(column.dtype.newbyteorder("=")) for column in narrow))
    wide = [np.repeat(column, 3)[::3] for column in narrow]
    backwards = [column[::-1].copy()[::-1] for column in narrow]
    big = [column.astype(column.dtype.newbyteorder(">")) for column in narrow]
    for column in wide:
        column.flags.writeable = False
    for columns in (narrow, wide, backwards, big):
        assert same_bytes(native.black(*columns), expected)
    series, states = random_series(70), joint_list(40)
    whole = native.price(series, states)
    doubled = series.take(np.repeat(np.arange(70), 2)).take(slice(None, None, 2))
    assert same_bytes(native.price(doubled, states), whole)
    assert not native.price(series.take([]), states).size


def test_broadcasting_costs_no_bit(native: NativeBackend) -> None:
    _, (forwards, strikes, years, vols, discounts, is_call) = random_options(37)
    table = native.black(forwards[:, None], strikes, years, vols, discounts, is_call)
    for row in range(37):
        alone = native.black(np.full(37, forwards[row]), strikes, years, vols, discounts, is_call)
        assert same_bytes(table[row], alone)


def test_the_same_bits_on_every_instruction_set() -> None:
    series, states = random_series(203, seed=8), joint_list(211, seed=9)
    far = option_rows(60, spots=np.logspace(-8, 4, 60), strikes=1e3, vols=np.linspace(0, 12, 60))
    sections, weights = sections_and_weights()
    _, options = random_options(5003)
    first, *others = BACKENDS.values()
    for other in others:
        assert same_bytes(other.price(series, states), first.price(series, states))
        assert same_bytes(other.price(far, states), first.price(far, states))
        assert same_bytes(other.black(*options), first.black(*options))
        assert same_bytes(other.risk_arrays(sections, weights), first.risk_arrays(sections, weights))


def with_early_exercise(count: int) -> Series:
    """Random instruments, every third one American where it is an option, every fifth inverse."""
    series, rows = random_series(count), np.arange(count)
    return replace(
        series,
        intercepts=np.zeros(count),
        is_american=series.is_option & (rows % 3 == 0),
        inverse=rows % 5 == 0,
        rates=np.where(series.is_option, 0.05, 0.0),
        yields=np.where(series.is_option, 0.02, 0.0),
    )


def test_what_has_no_kernel_is_priced_by_numpy(native: NativeBackend) -> None:
    series, states, plain = with_early_exercise(60), grid(5, 3), NumpyBackend()
    values, expected = native.price(series, states), plain.price(series, states)
    other = series.is_american | series.inverse
    assert other.sum() > 15
    plainly = series.inverse & ~series.is_american  # those read tables that the kernels have built
    assert same_bytes(values[:, plainly], expected[:, plainly])
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-11)
    weights = random_array((20, 60), density=0.4, rng=np.random.default_rng(4), format="csr")
    result, sums = (backend.risk_arrays([(series, states)], weights) for backend in (native, plain))
    np.testing.assert_allclose(result, sums, rtol=0, atol=1e-10)
    parts = [(series.take(slice(0, 25)), states), (series.take(slice(25, 60)), states)]
    assert same_bytes(native.risk_arrays(parts, weights), result)
    assert same_bytes(native.risk_arrays(parts, weights[[3]]), result[[3]])


def test_strikes_below_zero(native: NativeBackend) -> None:
    """Cash delivered beyond the strike: the call is worth forward less strike whatever the vol, the put 0."""
    series = option_rows(8, strikes=-20.0, vols=np.repeat([0.0, 0.2, 20.0, 90.0], 2), discount_factors=0.5)
    assert native.base(series).tolist() == [60.0, 0.0] * 4


def test_a_position_and_its_opposite_come_to_nothing(native: NativeBackend) -> None:
    series, states = random_series(50), joint_list(100)
    held = random_array((30, 50), density=0.3, rng=np.random.default_rng(4), format="csr") * 1e5
    order = np.repeat(np.arange(50), 2)
    pairs = csr_array(held.toarray()[:, order] * np.tile([1.0, -1.0], 50))
    assert (native.risk_arrays([(series.take(order), states)], pairs) == 0.0).all()
    once = native.risk_arrays([(series, states)], held)
    assert (once != 0.0).any(axis=1).all()


def test_threads_do_not_touch_each_other(native: NativeBackend) -> None:
    parts = [(random_series(31, seed), joint_list(90, seed + 1)) for seed in range(6)]
    weights = random_array((40, 31), density=0.4, rng=np.random.default_rng(3), format="csr")

    def risk(part: tuple[Series, States]) -> bytes:
        return native.risk_arrays([part], weights).tobytes()

    expected = [risk(part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert list(pool.map(risk, parts)) == expected


@pytest.fixture(scope="module")
def firm() -> tuple[sg.Book, sg.Market]:
    drawn = synthetic_tables(accounts=150, underlyings=60, seed=3)
    market = sg.Market.from_frames(**drawn.market, as_of=drawn.as_of, base_currency=drawn.base_currency)
    return sg.Book.from_frames(drawn.book["positions"], drawn.book["accounts"]), market


def test_a_firm_in_numpy_and_native(firm: tuple[sg.Book, sg.Market]) -> None:
    book, market = firm
    plain, fast = (sg.margin(book, market, synthetic_policy(), backend=name) for name in ("numpy", "native"))
    assert (plain.backend, fast.backend) == ("numpy", "native")
    notional = gross_notionals(book, market).reindex(plain.accounts["margin_group"]).to_numpy()
    money = plain.accounts.select_dtypes("float64").columns.difference(
        ["worst_price_shock", "worst_vol_shock"]
    )
    assert {"requirement", "equity_at_model", "stand_alone_sum", "loss_down_25"} <= set(money)
    gaps = (plain.accounts[money] - fast.accounts[money]).abs().div(np.maximum(notional, 1.0), axis=0)
    assert gaps.max(axis=None) <= ERROR_PER_NOTIONAL
    assert (plain.accounts["requirement"] > 0).sum() > 100
    assert plain.accounts["binding"].equals(fast.accounts["binding"])


def gross_notionals(book: sg.Book, market: sg.Market) -> pd.Series:
    """Sum of |quantity| x multiplier x spot for each margin group."""
    table = market.instruments
    rows = pd.Index(table.symbols).get_indexer(pd.Index(book.positions["symbol"]))
    size = np.abs(book.positions["quantity"].to_numpy(np.float64)) * table.multipliers[rows]
    amounts = size * market.underlyings.spots[table.underlyings[rows]]
    groups = book.positions["account"].map(book.accounts.set_index("account")["margin_group"])
    return pd.Series(amounts).groupby(groups.to_numpy()).sum()


def test_a_firm_has_the_same_bits_on_every_instruction_set(firm: tuple[sg.Book, sg.Market]) -> None:
    every = [*BACKENDS.values(), "native-mixed"]
    frames = [sg.margin(*firm, sg.tims(), backend=backend, threads=2).accounts for backend in every]
    for other in frames[1:]:
        pd.testing.assert_frame_equal(other, frames[0], check_exact=True)

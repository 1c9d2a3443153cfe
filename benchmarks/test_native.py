"""Speed of the native kernels against NumPy, both sides in one run; see README for the bars.

``pytest benchmarks/test_native.py``; set OMP_NUM_THREADS=1 for the numbers in the README.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr
from test_demo_firm import built
from test_european import ERROR_PER_SPOT, SPOT, make_grid, make_series, plain, seconds_of

from shockgrid.backends import NativeBackend, NumpyBackend, Series
from shockgrid.backends._native_american import Laid
from shockgrid.backends._native_grids import NativeSolver
from shockgrid.backends._native_library import Library, pointer, whole
from shockgrid.backends._native_premium import NativeBuilder
from shockgrid.backends._numpy_grid_frame import Contracts
from shockgrid.backends._numpy_grid_solve import solve
from shockgrid.backends._numpy_premium import build, lanes_of
from shockgrid.backends.premium_effort import SHAPES, efforts_for, shapes_for
from shockgrid.backends.vol_lattice import first_nodes
from shockgrid.errors import BackendUnavailable
from shockgrid.io.synthetic import synthetic_policy, synthetic_tables
from shockgrid.pricing.implied import implied_vol
from shockgrid.requirement import margin
from shockgrid.states import States
from shockgrid.valuation import price_european

#: Series of a tile of 31 x 7 float64 values that fits a second-level cache (0.4 MB), and tiles. All differ,
#: because the branches in ndtr are learnt when the same few thousand numbers come round again.
IN_CACHE, TILES = 256, 80
ERROR_PER_STRIKE = 1e-12  #: between the premiums of two builders; see tests/test_native_premium.py
#: Between native grids and NumPy's, in units of the strike (call: of the spot).
GRID_ERROR = 1e-9  # see tests/test_native_grids.py


@pytest.fixture(scope="module")
def native() -> NativeBackend:
    try:
        return NativeBackend()
    except BackendUnavailable as error:
        pytest.skip(str(error))


class TileByTile:
    """Unit P&L of many series as the engine asks for it, less the Python around each call."""

    def __init__(self, parts: list[Series], states: States) -> None:
        plain, count = NumpyBackend(), len(states.index)
        laid = [Laid(part, states, plain) for part in parts]
        self.library, self.pnl = Library(), np.empty((1, count))
        self.tiles = [part.columns(slice(0, count), less_base=True) for part in laid]
        self.leaf = (np.array([0, 1]), np.zeros(1, np.int32), np.ones(1))  # one of the first series

    def price(self) -> None:
        sizes = (whole(1), whole(self.pnl.shape[1]), whole(1))
        leaf = [pointer(array) for array in self.leaf]
        tile_elements = whole(2 * IN_CACHE * self.pnl.shape[1])
        for tile in self.tiles:
            section = ctypes.byref(tile.section)
            self.library.call("risk_arrays", section, *sizes, *leaf, tile_elements, pointer(self.pnl))


def test_tiles_against_the_plain_formula(benchmark: Any, native: NativeBackend) -> None:
    """31 x 7 unit P&L of 20,480 series on one thread, a tile of 256 at a time, against one broadcast."""
    series, states = make_series(IN_CACHE * TILES), make_grid(31, 7)
    parts = [series.take(slice(row, row + IN_CACHE)) for row in range(0, len(series), IN_CACHE)]
    for part in parts:
        gaps = native.price(part, states) - plain(part, states)
        assert np.abs(gaps).max() < ERROR_PER_SPOT * SPOT
    work = TileByTile(parts, states)
    plain_seconds = seconds_of(lambda: plain(series, states), 5)
    numpy_seconds = seconds_of(lambda: NumpyBackend().price(series, states), 5)
    benchmark.pedantic(work.price, rounds=50, warmup_rounds=1)
    last = native.price(parts[-1], states)[:, 0] - native.base(parts[-1])[0]
    assert (work.pnl[0] == last).all()
    seconds, prices = benchmark.stats.stats.min, len(series) * len(states.index)
    benchmark.extra_info.update(
        instruction_set=native.instruction_set,
        nanoseconds_per_price=seconds / prices * 1e9,
        plain_nanoseconds_per_price=plain_seconds / prices * 1e9,
        ratio_to_plain=plain_seconds / seconds,
        ratio_to_numpy_backend=numpy_seconds / seconds,
    )


def test_arrays_of_options(benchmark: Any, native: NativeBackend) -> None:
    """``price_european`` of 400,000 different options, checks of the input included."""
    count = 400_000
    series = make_series(count)
    columns = {
        "forwards": series.slopes * SPOT,
        "strikes": series.strikes,
        "expiries": series.years,
        "vols": series.vols,
        "discount_factors": series.discount_factors,
        "is_call": series.is_call,
    }

    def by_hand() -> Any:
        deviations = columns["vols"] * np.sqrt(columns["expiries"])
        upper = np.log(columns["forwards"] / columns["strikes"]) / deviations + 0.5 * deviations
        sign = np.where(columns["is_call"], 1.0, -1.0)
        values = columns["forwards"] * ndtr(sign * upper)
        values -= columns["strikes"] * ndtr(sign * (upper - deviations))
        return sign * columns["discount_factors"] * values

    gaps = price_european(**columns, backend=native) - by_hand()
    assert np.abs(gaps).max() < ERROR_PER_SPOT * SPOT
    plain_seconds = seconds_of(by_hand, 5)
    benchmark.pedantic(lambda: price_european(**columns, backend=native), rounds=20, warmup_rounds=2)
    seconds = benchmark.stats.stats.min
    benchmark.extra_info.update(
        nanoseconds_per_price=seconds / count * 1e9,
        plain_nanoseconds_per_price=plain_seconds / count * 1e9,
        ratio_to_plain=plain_seconds / seconds,
    )


#: Up to so many years at the rates and vols drawn: the shapes and efforts that weeks, months and years need.
LIVES = {"short": 0.15, "usual": 0.6, "long": 3.0}


@pytest.mark.parametrize("life", LIVES)
def test_premium_tables(benchmark: Any, native: NativeBackend, life: str) -> None:
    """Premium tables of 256 expiries, vols of 1.25-80 %, native against NumPy, on one thread."""
    rng, count = np.random.default_rng(1), 256
    years, rates = rng.uniform(0.1, 1.0, count) * LIVES[life], rng.uniform(0.01, 0.06, count)
    terms = (years, rates, rng.uniform(0.0, 0.04, count), rng.integers(1, 3, count))
    lanes = [
        (lanes_of(*(column[rows] for column in terms), shape), shape)
        for number, shape in enumerate(SHAPES)
        for rows in (np.flatnonzero(shapes_for(*terms) == number),)
    ]
    parts = [(puts, efforts_for(puts), shape) for puts, shape in lanes]
    builder = NativeBuilder(Library(native.instruction_set))
    for part in parts:
        own, other = builder(*part), build(*part)
        powers = np.polynomial.polynomial.polyvander(np.linspace(-1.0, 1.0, 41), part[2].gaps - 1)
        gaps = np.einsum("vmg,tg->vmt", own.coefficients - other.coefficients, powers)
        assert np.abs(gaps).max(initial=0.0) <= ERROR_PER_STRIKE
    numpy_seconds = seconds_of(lambda: [build(*part) for part in parts], 5)
    benchmark.pedantic(lambda: [builder(*part) for part in parts], rounds=50, warmup_rounds=1)
    seconds = benchmark.stats.stats.min
    benchmark.extra_info.update(
        instruction_set=native.instruction_set,
        microseconds_per_table=seconds / count * 1e6,
        numpy_microseconds_per_table=numpy_seconds / count * 1e6,
        ratio_to_numpy=numpy_seconds / seconds,
    )


def grid_contracts(count: int, dividends: int) -> Contracts:
    """American calls and puts of a month to 18 months; without dividends, puts with two boundaries."""
    rng = np.random.default_rng(3)
    years = rng.uniform(1 / 12, 1.5, count)
    parts = np.sort(rng.uniform(0.05, 0.95, (count, dividends)), axis=1)
    carry = np.full(count, 0.04 if dividends else -0.01), np.full(count, 0.0 if dividends else -0.03)
    is_call = rng.random(count) < 0.5 if dividends else np.zeros(count, np.bool_)
    cash = np.full(parts.shape, 0.7)
    return Contracts(rng.uniform(80, 120, count), years, *carry, is_call, parts * years[:, None], cash)


@pytest.mark.parametrize("dividends", [0, 1, 2, 4])
def test_grids(benchmark: Any, native: NativeBackend, dividends: int) -> None:
    """2,048 lanes (a contract at a lattice vol) of 145 nodes on one thread."""
    count, native_solve = 2048, NativeSolver(Library())
    contracts = grid_contracts(count, dividends)
    firsts = first_nodes(np.random.default_rng(4).uniform(0.15, 0.6, count))
    gaps = native_solve(contracts, firsts, 1) - solve(contracts, firsts, 1)
    assert np.abs(gaps).max() < GRID_ERROR
    numpy_seconds = seconds_of(lambda: solve(contracts, firsts, 1), 3)
    benchmark.pedantic(lambda: native_solve(contracts, firsts, 1), rounds=15, warmup_rounds=1)
    seconds = benchmark.stats.stats.min
    benchmark.extra_info.update(
        instruction_set=native.instruction_set,
        microseconds_per_lane=seconds / count * 1e6,
        numpy_microseconds_per_lane=numpy_seconds / count * 1e6,
        ratio_to_numpy=numpy_seconds / seconds,
    )


def test_implied_vols(benchmark: Any, native: NativeBackend) -> None:
    """European vols of 400,000 different prices, reasons included, against the slow method."""
    count = 400_000
    series = make_series(count)
    options = (series.slopes * SPOT, series.strikes, series.years, series.vols, series.discount_factors)
    prices = native.black(*options, series.is_call)
    inputs = (prices, *options[:3], options[4], series.is_call)
    plain_seconds = seconds_of(lambda: implied_vol(*inputs), 3)
    vols, reasons = benchmark.pedantic(lambda: native.implied_vol(*inputs), rounds=20, warmup_rounds=2)
    again = native.black(*options[:3], vols, options[4], series.is_call)
    assert np.abs(again - prices)[reasons == ""].max() < ERROR_PER_SPOT * SPOT
    seconds = benchmark.stats.stats.min
    benchmark.extra_info.update(
        vols_per_second=count / seconds,
        plain_vols_per_second=count / plain_seconds,
        ratio_to_plain=plain_seconds / seconds,
    )


def test_margin_of_the_synthetic_firm(benchmark: Any, native: NativeBackend) -> None:
    """2,000 accounts, 200,000 positions, 20,000 series; ``tims`` and ``house`` (31 x 7)."""
    book, market = built(synthetic_tables(accounts=2000, seed=1))
    policy, numpy = synthetic_policy(), NumpyBackend()
    expected = margin(book, market, policy, backend=numpy).accounts["requirement"]
    numpy_seconds = seconds_of(lambda: margin(book, market, policy, backend=numpy), 3)
    result = benchmark.pedantic(
        lambda: margin(book, market, policy, backend=native), rounds=5, warmup_rounds=1
    )
    np.testing.assert_allclose(result.accounts["requirement"], expected, rtol=1e-9, atol=1e-6)
    benchmark.extra_info.update(
        positions=len(book.positions),
        stages=dict(result.timings),
        numpy_seconds=numpy_seconds,
        ratio_to_numpy_backend=numpy_seconds / benchmark.stats.stats.min,
    )

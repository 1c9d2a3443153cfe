"""The native grids of American options: NumPy's node for node, the same bits everywhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from every_backend import option_rows, required_sets
from grid_cases import GRID, contracts_of, node_runs, truth_of
from test_numpy_backend import grid, same_bytes

from shockgrid.arrays import Codes
from shockgrid.backends import NativeBackend, NumpyBackend, Series
from shockgrid.backends._native_grids import NativeSolver
from shockgrid.backends._native_library import SLOW, Library
from shockgrid.backends._numpy_grid_frame import NODES, Contracts, crosses_soon
from shockgrid.backends._numpy_grid_kinds import HELD, ONE_SIDE, TWO_SIDES, kinds
from shockgrid.backends._numpy_grid_read import WILD, read
from shockgrid.backends._numpy_grid_solve import LATE, solve
from shockgrid.backends.vol_lattice import first_nodes
from shockgrid.errors import InputError

#: What we hold ourselves to against NumPy, in units of the strike (call: of the spot); seen: 4e-13.
#: Mostly 1e-13; where held and exercise are equal to rounding, it decides on which side of a node a kink is.
AGAINST_NUMPY = 1e-9
#: Of lanes without fused multiply-add in hardware, some fifty times slower.
FEW = 64

SETS = required_sets()
SOLVERS = {name: NativeSolver(Library(name)) for name in SETS}


@pytest.fixture(params=SETS)
def native(request: pytest.FixtureRequest) -> NativeSolver:
    return SOLVERS[request.param]


def drawn(count: int, dividends: int, seed: int) -> tuple[Contracts, Codes]:
    """Minutes to ten years, 0.1 % to 400 %, rates and yields of both signs, dividends of up to three strikes.

    A third has an ex-date soon, a third one late. Lattice nodes stay where grids are read: the nodes beside a
    deviation of WILD.
    """
    rng = np.random.default_rng(seed)
    years = np.exp(rng.uniform(np.log(1e-5), np.log(10.0), count))
    vols = np.exp(rng.uniform(np.log(1e-3), np.log(4.0), count))
    vols = np.minimum(vols, WILD / np.sqrt(years))
    rates = rng.uniform(-0.04, 0.12, count) * (rng.random(count) < 0.85)
    yields = rng.uniform(-0.05, 0.08, count) * (rng.random(count) < 0.6)
    strikes = np.exp(rng.uniform(-3.0, 6.0, count))
    parts = np.sort(rng.uniform(0.0, 1.0, (count, dividends)), axis=1)
    if dividends:
        third = rng.integers(0, 3, count)
        parts[third == 0, 0] *= rng.choice([1e-7, 1e-4, 0.05], (third == 0).sum())
        late = 1.0 - rng.choice([0.0, 1e-7, 5e-5, 2e-4], (third == 1).sum())
        parts[third == 1, -1] = np.maximum(parts[third == 1, -1], late)
    cash = strikes[:, None] * np.exp(rng.uniform(-8.0, -2.5, parts.shape))
    cash = np.where(rng.random(parts.shape) < 0.04, 3.0 * strikes[:, None], cash)
    is_call = rng.random(count) < 0.5
    contracts = Contracts(strikes, years, rates, yields, is_call, parts * years[:, None], cash)
    return contracts, first_nodes(vols) + rng.integers(0, 4, count)


@pytest.mark.parametrize("dividends", [0, 1, 2, 4, 12])
def test_node_for_node(native: NativeSolver, dividends: int) -> None:
    slow = SLOW in SOLVERS and native is SOLVERS[SLOW]
    contracts, firsts = drawn(FEW if slow else 600, dividends, 30 + dividends)
    assert set(kinds(contracts)) == {HELD, ONE_SIDE, TWO_SIDES}
    if dividends:
        assert crosses_soon(contracts)[0].any()
        assert (contracts.ex_years[:, -1] > (1.0 - LATE) * contracts.years).any()
        assert (contracts.cash > contracts.strikes[:, None]).any()
    gaps = np.abs(native(contracts, firsts, 1) - solve(contracts, firsts, 1))
    assert gaps.max() <= AGAINST_NUMPY


def test_read_back_against_the_slow_pricer(native: NativeSolver) -> None:
    """Not by way of NumPy's grids: two dividends, as they are read."""
    rng = np.random.default_rng(12)
    years, spots = rng.uniform(0.05, 2.0, 24), 100.0 * np.exp(rng.uniform(-0.4, 0.4, (1, 24)))
    dates = np.sort(rng.uniform(0.0, 1.0, (24, 2)), axis=1) * years[:, None]
    contracts = contracts_of(100.0, years, 0.05, 0.01, rng.random(24) < 0.5, dates, np.full((24, 2), 1.5))
    vols = rng.uniform(0.1, 0.8, (1, 24))
    firsts, count = node_runs(contracts, vols)
    values = read(native(contracts, firsts, count), firsts, contracts, spots, vols, np.zeros((1, 2), np.intp))
    assert (np.abs(values - truth_of(contracts, spots, vols)[:, 0]) <= GRID * spots).all()


@pytest.mark.parametrize("dividends", [0, 1, 3])
def test_the_same_bits_on_every_instruction_set(dividends: int) -> None:
    contracts, firsts = drawn(FEW, dividends, 50 + dividends)
    first, *others = (solver(contracts, firsts, 1) for solver in SOLVERS.values())
    for other in others:
        assert same_bytes(other, first)


def test_no_lane_sees_the_others(native: NativeSolver) -> None:
    """Bit for bit: alone, among others, in another order, in a run of more nodes; whatever their kinds."""
    contracts, firsts = drawn(FEW, 2, 5)
    grids = native(contracts, firsts, 1)
    order = np.random.default_rng(1).permutation(FEW)
    assert same_bytes(native(contracts.only(order), firsts[order], 1), grids[order])
    few = np.arange(0, FEW, 7)
    assert same_bytes(native(contracts.only(few), firsts[few] - 1, 3)[:, 1:2], grids[few])
    for row in few:
        one = np.array([row])
        assert same_bytes(native(contracts.only(one), firsts[one], 1), grids[one])


def test_columns_in_any_layout(native: NativeSolver) -> None:
    contracts, firsts = drawn(20, 2, 6)
    wide = Contracts._make(np.repeat(column, 2, axis=-1)[..., ::2] for column in contracts)
    assert not wide.cash.flags.c_contiguous
    assert same_bytes(native(wide, firsts, 1), native(contracts, firsts, 1))


def test_no_lanes(native: NativeSolver) -> None:
    contracts, firsts = drawn(3, 2, 7)
    assert native(contracts.only(np.arange(0)), firsts[:0], 2).shape == (0, 2, NODES)
    assert native(contracts, firsts, 0).shape == (3, 0, NODES)


@pytest.mark.parametrize("dividends", [0, 2])
def test_never_a_nan(native: NativeSolver, dividends: int) -> None:
    """Lives of a second and of a century, and deviations beyond both ends of what is read."""
    deviations = np.array([1e-8, 1e-6, 1e-3, 0.3, WILD, 2.0 * WILD])
    years = np.repeat([3e-8, 1.0, 100.0], 2 * len(deviations))
    count = len(years)
    firsts = first_nodes(np.tile(deviations, count // len(deviations)) / np.sqrt(years))
    dates = years[:, None] * np.linspace(0.0, 1.0, dividends)
    cash = np.where(np.arange(count) % 4 < 2, 1e-9, 1e9)[:, None] * np.ones(dividends)
    for carry in ((0.0, 0.0), (0.3, 0.0), (-0.1, -0.3)):
        contracts = contracts_of(1.0, years, *carry, np.arange(count) % 2 == 0, dates, cash)
        assert np.isfinite(native(contracts, firsts, 1)).all()


@pytest.mark.parametrize("column", ["strikes", "years", "rates", "yields", "ex_years", "cash"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_odd_number_gets_in(native: NativeSolver, column: str, bad: float) -> None:
    contracts, firsts = drawn(9, 2, 8)
    values = getattr(contracts, column).copy()
    values[5] = bad
    with pytest.raises(InputError, match="expected a finite number") as caught:
        native(contracts._replace(**{column: values}), firsts, 1)
    assert (caught.value.column, caught.value.line) == (column, 5)


@pytest.mark.parametrize("column", ["strikes", "years"])
@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_what_must_be_positive(native: NativeSolver, column: str, bad: float) -> None:
    contracts, firsts = drawn(9, 1, 9)
    values = getattr(contracts, column).copy()
    values[3] = bad
    with pytest.raises(InputError, match="expected a finite number above 0") as caught:
        native(contracts._replace(**{column: values}), firsts, 1)
    assert (caught.value.column, caught.value.line, caught.value.value) == (column, 3, bad)


def test_a_vol_beyond_float64(native: NativeSolver) -> None:
    contracts, firsts = drawn(4, 1, 9)
    with np.errstate(over="ignore"), pytest.raises(InputError) as caught:
        native(contracts, np.where(np.arange(4) == 2, 8 * 1100, firsts), 1)
    assert (caught.value.column, caught.value.line) == ("vols", 2)


def test_no_nan_gets_out(native: NativeSolver) -> None:
    contracts, firsts = drawn(4, 0, 9)
    rates = np.where(np.arange(4) == 1, 1e308, contracts.rates)
    yields = np.where(np.arange(4) == 1, -1e308, contracts.yields)
    years = np.full(4, 10.0)
    with pytest.raises(InputError, match="beyond the range of float64") as caught:
        native(contracts._replace(rates=rates, yields=yields, years=years), firsts, 1)
    assert caught.value.line == 1


def dividend_series(count: int) -> Series:
    """American options on one name with two dividends."""
    plain = option_rows(count, strikes=np.linspace(80.0, 120.0, count), years=0.5, vols=0.3)
    return replace(
        plain,
        is_american=np.ones(count, np.bool_),
        rates=np.full(count, 0.04),
        ex_years=np.tile([0.1, 0.35], (count, 1)),
        ex_cash=np.full((count, 2), 0.8),
    )


def test_a_backend_reads_native_grids() -> None:
    series, states = dividend_series(30), grid(7, 3)
    values, expected = NativeBackend().price(series, states), NumpyBackend().price(series, states)
    np.testing.assert_allclose(values, expected, rtol=0, atol=100.0 * AGAINST_NUMPY)
    assert not same_bytes(values, expected)  # other grids, not NumPy's


def test_threads_do_not_touch_each_other(native: NativeSolver) -> None:
    parts = [drawn(FEW // 4, 2, seed) for seed in range(6)]

    def solved(part: tuple[Contracts, Codes]) -> bytes:
        return native(*part, 1).tobytes()

    expected = [solved(part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(solved, parts)) == expected

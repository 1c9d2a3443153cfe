"""American options in the compiled kernels: NumPy's values, one sum in order, the same bits everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import american_reference
import numpy as np
import pandas as pd
import pytest
from every_backend import required_sets
from scipy.sparse import csr_array, random_array
from test_numpy_american import ANYWHERE, ON_GRIDS, USUAL, drawn, options, truth
from test_numpy_backend import grid, joint_list, random_series, same_bytes

from shockgrid.backends import NativeBackend, NumpyBackend, Series, _native, ways
from shockgrid.backends._native_grids import NativeSolver
from shockgrid.backends._native_library import SLOW, Library
from shockgrid.backends._native_premium import NativeBuilder
from shockgrid.backends._numpy_routes import GRID, routes
from shockgrid.errors import InputError
from shockgrid.states import UNMOVED, States

#: What we hold ourselves to between backends that read the same tables, of the larger of spot and strike.
#: Seen: 7e-16 from tables, 2e-14 from grids.
AGAINST_NUMPY = 1e-12

SETS = required_sets()
BACKENDS = {name: NativeBackend(name) for name in SETS}
FASTEST = BACKENDS[SETS[0]]


@pytest.fixture(params=SETS)
def native(request: pytest.FixtureRequest) -> NativeBackend:
    return BACKENDS[request.param]


def numpy_reader() -> NumpyBackend:
    """NumPy's reading of the tables and grids that the kernels compute."""
    library = Library()
    return NumpyBackend(builder=NativeBuilder(library), solver=NativeSolver(library))


KINDS = {
    "usual": {},
    "minutes to days": {"years": (1 / 8760, 5 / 365)},
    "low vols": {"vols": (0.002, 0.05)},
    "wild vols": {"vols": (1.0, 7.9)},
    "wilder in days": {"vols": (4.0, 70.0), "years": (1 / 8760, 20 / 365)},
    "long": {"years": (3.0, 10.0)},
    "high rates": {"rates": (0.1, 0.3), "yields": (0.0, 0.3)},
    "yield above rate": {"rates": (0.005, 0.03), "yields": (0.05, 0.12)},
    "negative yields": {"yields": (-0.05, -0.001)},
    "negative rates": {"rates": (-0.05, -0.001)},
}


def dividend_options(count: int, seed: int) -> Series:
    """Two dividends; for some calls the first is hours away."""
    rng = np.random.default_rng(seed)
    plain = drawn(count, seed)
    dates = np.sort(rng.uniform(0.0, 1.0, (count, 2)), axis=1) * plain.years[:, None]
    dates[::3, 0] = 0.005 * plain.years[::3]
    return replace(plain, ex_years=dates, ex_cash=rng.uniform(0.1, 3.0, (count, 2)))


def mixed(count: int, seed: int = 1) -> Series:
    """Linear, European, American on tables and on grids, and inverse instruments in turn."""
    series, rows = random_series(count, seed), np.arange(count)
    american = series.is_option & (rows % 3 > 0)
    dated = american & (rows % 4 == 1)
    return replace(
        series,
        intercepts=np.zeros(count),
        is_american=american,
        inverse=rows % 11 == 7,
        rates=np.where(series.is_option, 0.05, 0.0),
        yields=np.where(series.is_option & (rows % 5 > 0), 0.02, 0.0),
        ex_years=np.where(dated, 0.3 * series.years, np.inf)[:, None],
        ex_cash=np.where(dated, 0.01 * series.spots, 0.0)[:, None],
    )


def assert_close(values: np.ndarray, expected: np.ndarray, series: Series) -> None:
    gaps = np.abs(values - expected) / np.maximum(series.spots, series.strikes)
    assert gaps.max() <= AGAINST_NUMPY


@pytest.mark.parametrize("kind", KINDS)
def test_tables_are_read_as_numpy_reads_them(native: NativeBackend, kind: str) -> None:
    series = drawn(24 if native.instruction_set == SLOW else 300, seed=7, **KINDS[kind])
    states = joint_list(60, seed=2)
    assert_close(native.price(series, states), numpy_reader().price(series, states), series)


def test_grids_are_read_as_numpy_reads_them(native: NativeBackend) -> None:
    series, states = dividend_options(24, seed=3), grid(9, 3)
    assert (routes(series) == GRID).all()
    assert_close(native.price(series, states), numpy_reader().price(series, states), series)


@pytest.mark.parametrize("regime", american_reference.REGIMES)
def test_against_quantlib(regime: str) -> None:
    rows = pd.read_parquet(american_reference.FILE).query("regime == @regime")
    numbers = [rows[name].to_numpy() for name in ("spots", "strikes", "vols", "rates", "yields")]
    spots, strikes, vols, rates, yields = numbers
    paid, days = rows["cash"].to_numpy() > 0, rows["days"].to_numpy()
    dates = np.where(paid, rows["ex_days"] / 365.0, np.inf)[:, None]
    terms = (spots, strikes, days / 365.0, vols, rates, yields, rows["is_call"].to_numpy())
    series = options(*terms, dates, rows["cash"].to_numpy()[:, None])
    misses = np.abs(FASTEST.base(series) - rows["prices"].to_numpy()) / spots
    engine = american_reference.REGIMES[regime][-1]
    usual = USUAL if regime in ("usual", "no early exercise") else ANYWHERE
    assert misses.max() < (usual if engine == american_reference.BOUNDARY else ON_GRIDS)


def test_the_same_bits_on_every_instruction_set() -> None:
    series, states = mixed(61), joint_list(45, seed=9)
    weights = random_array((9, 61), density=0.4, rng=np.random.default_rng(3), format="csr")
    first, *others = BACKENDS.values()
    for other in others:
        assert same_bytes(other.price(series, states), first.price(series, states))
        sums = (backend.risk_arrays([(series, states)], weights) for backend in (other, first))
        assert same_bytes(*sums)


def obvious_sums(series: Series, states: States, weights: csr_array) -> np.ndarray:
    """One position after the other, in the order of the columns; product and sum rounded each by itself."""
    unit = FASTEST.price(series, states) - FASTEST.price(series, UNMOVED)
    sums = np.zeros((weights.shape[0], len(states.index)))
    for leaf in range(weights.shape[0]):
        for position in range(weights.indptr[leaf], weights.indptr[leaf + 1]):
            sums[leaf] += weights.data[position] * unit[:, weights.indices[position]]
    return sums


def test_a_leaf_is_one_sum_in_the_order_of_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever prices an instrument; and whatever the tiles, and the values handed over at once."""
    series, states = mixed(70), joint_list(150, seed=4)
    held = random_array((8, 70), density=0.5, rng=np.random.default_rng(6), format="csr") * 1e4
    weights = csr_array(held)
    weights.sort_indices()
    expected = obvious_sums(series, states, weights)
    assert same_bytes(FASTEST.risk_arrays([(series, states)], weights), expected)
    assert same_bytes(NativeBackend(tile_elements=1).risk_arrays([(series, states)], weights), expected)
    parts = [(series.take(slice(0, 25)), states), (series.take(slice(25, 70)), states)]
    assert same_bytes(FASTEST.risk_arrays(parts, weights), expected)
    monkeypatch.setattr(_native, "GIVEN_ELEMENTS", 500)
    assert same_bytes(FASTEST.risk_arrays([(series, states)], weights), expected)


def test_company_changes_no_bit() -> None:
    series, states = mixed(90, seed=5), grid(7, 3)
    whole = FASTEST.price(series, states)
    order = np.random.default_rng(1).permutation(90)
    assert same_bytes(NativeBackend().price(series.take(order), states), whole[:, order])
    for row in range(0, 90, 7):
        assert same_bytes(NativeBackend().price(series.take([row]), states)[:, 0], whole[:, row])
    for scenario in (0, 11, 20):
        assert same_bytes(FASTEST.price(series, states.block(scenario, scenario + 1))[0], whole[scenario])


def test_no_move_is_no_pnl() -> None:
    """Also of what is off the tables at some vols, and of what NumPy finds."""
    series = replace(mixed(60), vols=np.where(np.arange(60) % 4 == 0, 6.5, mixed(60).vols))
    states = replace(grid(5, 3), vol_shocks=np.array([-0.5, 0.0, 0.5]))
    pnl = FASTEST.risk_arrays([(series, states)], csr_array(np.eye(60)))
    still = (states.spot_factors[states.index[:, 0]] == 1.0) & (states.index[:, 1] == 1)
    assert still.sum() == 1
    assert (pnl[:, still] == 0.0).all()


def test_vols_off_the_tables_are_priced_by_the_truth(native: NativeBackend) -> None:
    """Rule by rule: 650 % stays on the tables at no shock and leaves them at + 50 %."""
    series = options(100.0, [90.0, 110.0, 100.0], 0.25, [6.5, 6.5, 0.3], 0.05, 0.02, [False, True, False])
    states = replace(grid(1, 3), spot_factors=np.ones(1), vol_shocks=np.array([-0.5, 0.0, 0.5]))
    values = native.price(series, states)
    moved = replace(series, vols=series.vols * 1.5)
    assert same_bytes(values[2, :2], truth(moved.take(slice(0, 2))))
    assert same_bytes(values[1], native.base(series))
    assert same_bytes(values[2, 2:], native.base(moved.take([2])))


def test_what_exercise_gives_is_the_least(native: NativeBackend) -> None:
    """An American call without premium that is worth less when held: cash beyond the strike, a yield."""
    plain = options([100.0, 100.0], 100.0, 1.0, 0.3, 0.05, 0.03, [True, False])
    beyond = replace(plain, strikes=np.array([-20.0, -20.0]))
    assert native.base(beyond).tolist() == [120.0, 0.0]


def test_a_table_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways.WantedTables, "add_between", lambda *arguments: None)
    with pytest.raises(AssertionError, match="premium table was not laid out"):
        NativeBackend().base(drawn(9, seed=1))


@pytest.mark.parametrize("column", ["spots", "strikes", "years", "vols", "rates", "yields", "units"])
@pytest.mark.parametrize("kind", [drawn, dividend_options])
def test_no_odd_number_gets_in(kind: Callable[..., Series], column: str) -> None:
    series = kind(6, seed=2)
    spoilt = getattr(series, column).copy()
    spoilt[4] = np.nan
    with pytest.raises(InputError, match=f"line 4, column {column}: expected a finite number"):
        FASTEST.price(replace(series, **{column: spoilt}), grid(3, 2))


def test_a_state_that_is_not_there_is_said() -> None:
    series = drawn(6, seed=2)
    for index in ([[3, 0]], [[0, 2]], [[-1, 0]]):
        with pytest.raises(InputError, match="a spot state or vol rule that is not there"):
            FASTEST.price(series, replace(grid(3, 2), index=np.array(index)))


def test_vols_that_rounding_may_put_on_either_side_of_the_last_range(native: NativeBackend) -> None:
    """Beyond it lives of more than ten days have no tables: no such vol may be read from another's."""
    states, rng = replace(grid(1, 7), term_powers=np.full(7, 0.3)), np.random.default_rng(3)
    years = rng.uniform(0.1, 0.6, 100)
    moves = states.vol_shocks * np.exp(0.3 * np.log(30.0 / (365.0 * years)))[:, None]
    vols = 8.0 / (1.0 + moves) * (1.0 + rng.integers(-2, 3, moves.shape) * 2.0**-53)
    series = options(100.0, 110.0, np.repeat(years, 7), vols.ravel(), 0.05, 0.02, False)
    gaps = native.price(series, states) - NumpyBackend().price(series, states)
    assert np.abs(gaps).max() <= AGAINST_NUMPY * 110.0

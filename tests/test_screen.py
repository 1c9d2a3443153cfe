"""Worst losses screened in float32: the bytes of float64, and a bound that holds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from every_backend import required_sets
from gpu_cases import americans, book_of_every_kind, series_of, weights_of
from host_cupy import backend as on_host
from host_kernels import has_compiler
from host_memory import World
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from screened_books import REGIMES, batch_of, close_states, drawn, odd
from test_numpy_backend import grid, joint_list
from test_worst import same_bytes

import shockgrid as sg
from shockgrid.backends import NativeBackend, Series, _native_screen, get_backend
from shockgrid.backends._native_american import Laid
from shockgrid.backends._native_library import SLOW, Library
from shockgrid.backends._native_screen import NO_BOUND, Screening, screened_units
from shockgrid.backends.batch import Batch, Worst
from shockgrid.errors import BackendUnavailable, InputError
from shockgrid.io.synthetic import synthetic_tables
from shockgrid.states import UNMOVED, States

SETS = required_sets()
DOUBLE = NativeBackend()
MIXED = {name: NativeBackend(name, precision="mixed") for name in SETS}
FASTEST = MIXED[SETS[0]]
#: Options of a regime, fewer where there is no fused multiply-add.
DRAWN = 3000
#: 61 prices of -30 .. 30 % and 9 vols.
WIDE = replace(grid(61, 9), spot_factors=np.linspace(0.7, 1.3, 61))
GAPS = (1e-3, 1e-7, 1e-9, 1e-12, 0.0)


def screening(batch: Batch) -> Screening:
    """What screening a batch of European options comes to."""

    def lay(series: Series, states: States, first: int) -> object:
        whole = slice(0, len(states.index))
        return Laid(series, states, FASTEST._plain).columns(whole, less_base=True)

    return _native_screen.screened_worst(Library(), batch, batch.scenarios, False, 65_536, lay)[1]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("regime", REGIMES)
def test_no_error_is_beyond_its_bound(regime: str, name: str) -> None:
    """Of every option in every scenario; with the width of the bound a failure would say by how much."""
    count = DRAWN if name != SLOW else 100
    series = drawn(REGIMES[regime], count, 1)
    for states in (WIDE, joint_list(200)):
        pnl, bounds = screened_units(Library(name), series, states)
        exact = (DOUBLE.price(series, states) - DOUBLE.base(series)).T
        errors = np.abs(pnl - exact).max(axis=1)
        bounded = bounds < NO_BOUND
        assert bounded.mean() > 0.5
        assert (errors[bounded] <= bounds[bounded]).all(), (errors / bounds)[bounded].max()


def test_the_bound_is_a_few_roundings_of_what_is_at_stake() -> None:
    """At the money with v = 0.2: 26 + 3 v + 0.4 times 2**-24 of the spot at most, as screen.h counts them.

    The bell is exp(-v**2 / 8) of the spot, and nothing has moved, so that the P&L is no more than its error.
    """
    series = replace(drawn(REGIMES["usual"], 2, 1), spots=np.full(2, 100.0), strikes=np.full(2, 100.0))
    ones, none = np.ones(2), np.zeros(2)
    series = replace(series, slopes=ones, intercepts=none, discount_factors=ones, vols=ones / 5, years=ones)
    bounds = screened_units(Library(), series, UNMOVED)[1]
    at_most = 2.0**-24 * 100.0 * (26.0 + 3.0 * 0.2 + 0.4)
    assert bounds == pytest.approx(at_most, rel=0.01)
    assert (bounds <= at_most).all()


@pytest.mark.parametrize("name", SETS)
@given(
    seed=st.integers(0, 10_000),
    regime=st.sampled_from(sorted(REGIMES)),
    gap=st.sampled_from(GAPS),
    scenarios=st.integers(1, 150),
    is_odd=st.booleans(),
    data=st.data(),
)
@settings(max_examples=25)
def test_the_bytes_are_those_of_float64(
    name: str, seed: int, regime: str, gap: float, scenarios: int, is_odd: bool, data: st.DataObject
) -> None:
    """Near ties, flat wings, sizes beyond float32; whatever is reduced, weighted, cut or asked beside."""
    series = drawn(REGIMES[regime], 40, seed)
    states = close_states(scenarios, gap, seed)
    batch = batch_of(odd(series, seed) if is_odd else series, states, 3, 4, seed)
    if data.draw(st.booleans()):
        factors = np.random.default_rng(seed).choice([0.0, 0.3, 1.0, -1.0], (3, scenarios))
        batch = replace(batch, scenario_weights=factors)
    reduced, units = data.draw(st.integers(1, scenarios)), data.draw(st.booleans())
    expected = DOUBLE.worst(batch, reduced, units)
    tile = data.draw(st.integers(1, 5000))
    backend = NativeBackend(name, precision="mixed", tile_elements=tile)
    assert same_bytes(backend.worst(batch, reduced, units), expected)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_change_no_bit(threads: int) -> None:
    batch = batch_of(drawn(REGIMES["usual"], 600, 3), close_states(217, 1e-9, 3), 12, 9, 3)
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda part: FASTEST.worst(part, 200, True), batch.cut(9)))
    found = Worst(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    assert same_bytes(found, DOUBLE.worst(batch, 200, True))


def test_little_is_priced_twice() -> None:
    batch = batch_of(drawn(REGIMES["usual"], 600, 5), WIDE, 6, 9, 5)
    found = screening(batch)
    assert found.screened == 600 * len(WIDE.index)
    assert 0 < found.again < found.screened / 20
    assert found.given_up == 0


def test_where_every_scenario_ties_all_is_priced_in_float64() -> None:
    batch = batch_of(drawn(REGIMES["usual"], 60, 5), close_states(100, 0.0, 5), 2, 5, 5)
    states = replace(batch.states[0], spot_factors=np.ones(100))
    found = screening(replace(batch, states=(states,)))
    assert found.given_up == found.screened > 0


def test_what_cannot_be_bounded_is_not_screened() -> None:
    """Amounts beyond 1e30, deviations above 8, strikes below zero."""
    usual = drawn(REGIMES["usual"], 8, 7)
    for odd_one in (
        replace(usual, spots=np.full(8, 1e31)),
        replace(usual, vols=np.full(8, 3.0), years=np.full(8, 9.0)),
        replace(usual, strikes=np.full(8, -1.0)),
    ):
        assert (screened_units(Library(), odd_one, WIDE)[1] == NO_BOUND).all()


def test_the_precision_is_chosen_by_name() -> None:
    assert get_backend("native").name == "native"
    for mixed in (get_backend("native", precision="mixed"), get_backend("native-mixed")):
        assert mixed.name == "native-mixed"
        assert get_backend(mixed, precision="mixed") is mixed
        assert get_backend(mixed) is mixed
    with pytest.raises(InputError, match=r"numpy computes in float64 alone.*'mixed'"):
        get_backend("numpy", precision="mixed")
    with pytest.raises(InputError, match="numpy computes in float64 alone"):
        get_backend("numpy-mixed")
    with pytest.raises(InputError, match=r"expected one of double, mixed.*'half'"):
        get_backend("native", precision="half")
    with pytest.raises(InputError, match="one of auto, numpy, native, cupy"):
        get_backend("native-half")
    with pytest.raises(InputError, match="made for double"):
        get_backend(DOUBLE, precision="mixed")


def test_a_result_says_that_it_was_screened() -> None:
    drawn_firm = synthetic_tables(accounts=2, underlyings=13, seed=1)
    told = {"as_of": drawn_firm.as_of, "base_currency": drawn_firm.base_currency}
    market = sg.Market.from_frames(**drawn_firm.market, **told)
    book = sg.Book.from_frames(drawn_firm.book["positions"], drawn_firm.book["accounts"])
    assert sg.margin(book, market, sg.tims(), backend="native-mixed").backend == "native-mixed"


def test_auto_never_falls_back_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOCKGRID_NATIVE_LIBRARY", "/nowhere/_kernels.so")
    with pytest.raises(BackendUnavailable, match="needs a CUDA device or the native library"):
        get_backend("auto", precision="mixed")


def lowest(precision: str, threads: int, case: tuple[object, object, object], **world: object) -> list[bytes]:
    series, states, weights = case
    own = on_host(World(threads=threads, **world), precision=precision, tile_elements=3000)
    return [own.get(part).tobytes() for part in own.lowest([(series, states)], weights)]


CASES = {
    "europeans": (series_of(33, 1), grid(31, 7), weights_of(41, 33, 1)),
    "every kind": (book_of_every_kind(2), grid(11, 5), weights_of(33, 131, 2)),
    "americans": (americans(20, 3), grid(7, 5), weights_of(9, 20, 3)),
    "many states": (series_of(9, 4), joint_list(300, rules=700), weights_of(7, 9, 4)),
    "nothing held": (series_of(5, 5), grid(5, 3), weights_of(3, 5, 5) * 0.0),
    "near ties": (series_of(33, 6), close_states(150, 1e-9, 6), weights_of(41, 33, 6)),
    "odd": (odd(series_of(60, 8), 8), grid(9, 5), weights_of(21, 60, 8)),
}


@pytest.mark.skipif(not has_compiler(), reason="no g++: the CUDA kernels cannot be run on the host")
@pytest.mark.parametrize("threads", [1, 8, 32])
@pytest.mark.parametrize("case", CASES)
def test_cuda_finds_the_bytes_of_float64(case: str, threads: int) -> None:
    assert lowest("mixed", threads, CASES[case]) == lowest("double", 8, CASES[case])


@pytest.mark.skipif(not has_compiler(), reason="no g++: the CUDA kernels cannot be run on the host")
def test_a_bound_that_is_too_small_is_caught() -> None:
    """Planted: a bound below the true error loses the worst of scenarios that differ by less than that."""
    states = close_states(150, 1e-9, 6)
    states = replace(states, spot_factors=1.0 + 1e-9 * np.arange(150.0))
    case = (series_of(33, 6), states, csr_array(np.eye(33)))
    expected = lowest("double", 8, case)
    assert lowest("mixed", 8, case) == expected
    assert lowest("mixed", 8, case, flags=("-DSHOCKGRID_PLANT_SMALL_BOUND",)) != expected

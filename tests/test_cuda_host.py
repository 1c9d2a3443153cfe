"""The CUDA kernels run whole on the host, at 1, 8 and 32 threads a block: the bits of the CPU library."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import test_native_grids
from every_backend import required_sets
from host_cupy import World, backend
from host_kernels import require_compiler
from scipy.sparse import csr_array, random_array
from test_native_premium import random_terms
from test_numpy_american import SEAM, drawn
from test_numpy_backend import grid, joint_list, random_series, same_bytes, sections_and_weights

from shockgrid.backends import NativeBackend, NumpyBackend
from shockgrid.backends import _numpy_boundary as boundary
from shockgrid.backends._cupy import CupyBackend
from shockgrid.backends._cupy_tables import CupyBuilder, CupySolver, add_plans
from shockgrid.backends._cupy_upload import Upload
from shockgrid.backends._native_grids import NativeSolver
from shockgrid.backends._native_library import Library
from shockgrid.backends._native_premium import NativeBuilder
from shockgrid.backends._numpy_premium import lanes_of
from shockgrid.backends.premium_effort import SHAPES, USUAL, Shape, efforts_for
from shockgrid.errors import InputError
from shockgrid.states import UNMOVED

require_compiler()
required_sets()

#: Against NumPy, in units of spot: the parity row of the design.
PARITY = 1e-12
#: Squared logs of the boundary, against NumPy; it keeps half its digits where the boundary is flat.
BOUNDARY = 1e-10
THREADS = (1, 8, 32)
NATIVE = NativeBackend()
#: Nothing, one, fewer and more than a block has threads and rows; past the table of a block.
SIZES = (0, 1, 7, 33, 1009)
STATES = {"grid": grid(31, 7), "joint": joint_list(61), "many": joint_list(33, rules=1100), "one": grid(1, 1)}


@pytest.fixture(scope="module", params=THREADS)
def cuda(request: pytest.FixtureRequest) -> CupyBackend:
    return backend(World(threads=request.param))


@pytest.mark.parametrize("states", STATES.values(), ids=STATES)
@pytest.mark.parametrize("count", SIZES)
def test_values_of_odd_numbers_of_instruments(cuda: CupyBackend, count: int, states: object) -> None:
    series = random_series(1009).take(slice(0, count))
    assert same_bytes(cuda.get(cuda.price(series, states)), NATIVE.price(series, states))


@pytest.mark.parametrize("leaves", SIZES)
def test_sums_and_worst_of_odd_numbers_of_leaves(cuda: CupyBackend, leaves: int) -> None:
    sections, weights = sections_and_weights(leaves=max(leaves, 1))
    rows = csr_array(weights[:leaves])
    expected = NATIVE.risk_arrays(sections, rows)
    assert same_bytes(cuda.get(cuda.risk_arrays(sections, rows)), expected)
    values, scenarios = (cuda.get(part) for part in cuda.lowest(sections, rows))
    assert same_bytes(values, expected.min(axis=1))
    assert scenarios.tolist() == expected.argmin(axis=1).tolist()


@pytest.mark.parametrize("scenarios", [1, 7, 33, 1009])
def test_odd_numbers_of_scenarios(cuda: CupyBackend, scenarios: int) -> None:
    series, states = random_series(12), joint_list(scenarios)
    weights = csr_array(
        np.round(random_array((5, 12), density=0.6, rng=np.random.default_rng(1)).toarray() * 9)
    )
    expected = NATIVE.risk_arrays([(series, states)], weights)
    assert same_bytes(cuda.get(cuda.risk_arrays([(series, states)], weights)), expected)
    values, lowest = (cuda.get(part) for part in cuda.lowest([(series, states)], weights))
    assert same_bytes(values, expected.min(axis=1))
    assert lowest.tolist() == expected.argmin(axis=1).tolist()


def test_ties_go_to_the_lowest_scenario_across_threads_and_tiles(cuda: CupyBackend) -> None:
    """Scenarios that are copies of three: each P&L stands in the row many times."""
    states = replace(grid(3, 1), index=np.tile(grid(3, 1).index[::-1], (40, 1)))
    series = random_series(9)
    weights = csr_array(np.diag([1.0, -1.0] * 4 + [0.0]))
    pnl = NATIVE.risk_arrays([(series, states)], weights)
    for tile in (None, 1):
        own = cuda if tile is None else backend(World(threads=cuda.xp.world.threads), tile_elements=tile)
        _, scenarios = (own.get(part) for part in own.lowest([(series, states)], weights))
        assert scenarios.tolist() == pnl.argmin(axis=1).tolist()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["common", "large", "negative yield"])
def test_premium_tables(cuda: CupyBackend, kind: str, shape: Shape) -> None:
    build, native = (
        CupyBuilder(cuda._device, cuda._batches, NativeBuilder(Library())),
        NativeBuilder(Library()),
    )
    for count in (0, 1, 7, 33):
        terms = random_terms(kind, 33).only(slice(0, count))
        puts = lanes_of(*terms, shape)
        own, other = (builder(puts, efforts_for(puts), shape) for builder in (build, native))
        assert same_bytes(own.coefficients, other.coefficients)
        assert same_bytes(own.boundaries, other.boundaries)


def test_exercise_boundaries(cuda: CupyBackend) -> None:
    terms, device, upload = random_terms("common", 33), cuda._device, Upload()
    vols = np.full(33, 0.3)
    plan = add_plans(upload, [USUAL], SHAPES[-1])
    columns = [upload.add(column) for column in (terms.years, vols, terms.rates, terms.yields)]
    with device.turn():
        block = device.upload(upload)
        squares = device.cupy.empty((33, USUAL.nodes))
        addresses = [upload.at(column) for column in columns]
        device.launch("premium", "exercise_boundaries", 1, 128, upload.at(plan), 33, *addresses, squares)
        del block
    puts = boundary.Puts(terms.years, vols, terms.rates, terms.yields)
    assert np.abs(device.get(squares).T - boundary.solve(puts, USUAL)).max() < BOUNDARY


@pytest.mark.parametrize("dividends", [0, 1, 4])
def test_grids(cuda: CupyBackend, dividends: int) -> None:
    solve, native = CupySolver(cuda._device, cuda._batches, NativeSolver(Library())), NativeSolver(Library())
    for count in (0, 1, 33):
        contracts, firsts = test_native_grids.drawn(33, dividends, 30 + dividends)
        own = contracts.only(slice(0, count))
        assert same_bytes(solve(own, firsts[:count], 1), native(own, firsts[:count], 1))


@pytest.mark.parametrize("states", [grid(31, 7), joint_list(60), joint_list(33, rules=600)])
def test_american_options(cuda: CupyBackend, states: object) -> None:
    """Also past the rules that a block holds at a time, and the spot states that it tabulates."""
    for count in (1, 33):
        series = drawn(count, 8)
        gaps = np.abs(cuda.get(cuda.price(series, states)) - NumpyBackend().price(series, states))
        assert (gaps <= PARITY * series.spots).all()


def test_tables_that_were_prepared_are_read(cuda: CupyBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    series = drawn(33, 12)
    cuda.prepare([(series, UNMOVED)])
    monkeypatch.setattr(CupyBuilder, "_built", lambda *_: pytest.fail("a table is built a second time"))
    gaps = np.abs(cuda.get(cuda.base(series)) - NumpyBackend().base(series))
    assert (gaps <= PARITY * series.spots).all()


def test_vols_at_the_edges_of_the_tables(cuda: CupyBackend) -> None:
    """Shocked to an edge between two tables: kernel and NumPy round the vol to either side of it.

    The vols they are shocked from are far lower and need other tables. Where the two sides differ, so do
    values, by the seam between the tables; a missing table would be a NaN.
    """
    series, states = (
        drawn(300, 9),
        replace(grid(1, 1), vol_shocks=np.array([20.0]), term_powers=np.array([0.5])),
    )
    scales = 1.0 + 20.0 * np.sqrt(30.0 / np.maximum(365.0 * series.years, 1.0))
    series = replace(series, vols=0.125 * 4.0 ** np.tile([1.0, 2.0], 150) / scales)
    gaps = np.abs(cuda.get(cuda.price(series, states)) - NumpyBackend().price(series, states))
    assert (gaps <= SEAM * series.spots).all()


@pytest.mark.parametrize("threads", [3, 12, 25])
def test_the_worst_is_found_by_any_number_of_threads(threads: int) -> None:
    own = backend(World(threads=threads))
    sections, weights = sections_and_weights(leaves=40)
    expected = NATIVE.risk_arrays(sections, weights)
    values, scenarios = (own.get(part) for part in own.lowest(sections, weights))
    assert same_bytes(values, expected.min(axis=1))
    assert scenarios.tolist() == expected.argmin(axis=1).tolist()


def test_a_missing_barrier_is_caught() -> None:
    """Planted: threads read what others of their block have not tabulated yet."""
    planted = backend(World(threads=8, flags=("-DSHOCKGRID_PLANT_MISSING_BARRIER",)))
    series, states = random_series(7, linear_share=0.0), grid(31, 7)
    with pytest.raises(InputError, match="beyond the range"):
        planted.get(planted.price(series, states))


def test_a_missing_tie_rule_is_caught() -> None:
    """Planted: of equal losses the last one found wins."""
    planted = backend(World(threads=8, flags=("-DSHOCKGRID_PLANT_MISSING_TIE_RULE",)))
    states = replace(grid(3, 1), index=np.tile(grid(3, 1).index, (40, 1)))
    sections, weights = [(random_series(5), states)], csr_array(np.eye(5))
    expected = NATIVE.risk_arrays(sections, weights)
    values, scenarios = (planted.get(part) for part in planted.lowest(sections, weights))
    assert same_bytes(values, expected.min(axis=1))
    assert scenarios.tolist() != expected.argmin(axis=1).tolist()

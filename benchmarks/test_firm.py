"""The bare question of a whole firm: the worst loss of every (account, name) over 31 x 7 scenarios.

``pytest benchmarks/test_firm.py``; set OMP_NUM_THREADS=1 for the numbers in the README.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from firms import DESK, FIRM, SMALL, Firm, drawn, grid, walked
from pipelines import numpy_and_sparse
from test_european import seconds_of

from shockgrid.backends import Backend, NativeBackend, NumpyBackend
from shockgrid.backends.batch import Batch
from shockgrid.errors import BackendUnavailable

#: Between our prices and the plain formula's, 1e-14 of a spot of 500, times some 200 contracts of 100.
ERROR = 1e-6
SIZES = {"desk": DESK, "firm": FIRM}


@pytest.fixture(scope="module")
def native() -> NativeBackend:
    try:
        return NativeBackend()
    except BackendUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["numpy", "native"])
def backend(request: pytest.FixtureRequest) -> Backend:
    return NumpyBackend() if request.param == "numpy" else request.getfixturevalue("native")


@pytest.fixture(scope="module", params=SIZES)
def firm(request: pytest.FixtureRequest) -> Firm:
    return drawn(SIZES[request.param])


@pytest.mark.parametrize("threads", [1, 2])
def test_whole_firm(benchmark: Any, backend: Backend, firm: Firm, threads: int) -> None:
    batch = firm.batch(grid())
    found = walked(backend, batch, threads)
    losses, _ = numpy_and_sparse(firm)
    assert np.abs(found.losses - losses).max() < ERROR
    benchmark.pedantic(lambda: walked(backend, batch, threads), rounds=10, warmup_rounds=1)
    prices = len(batch.series) * batch.scenarios
    benchmark.extra_info.update(
        backend=backend.name,
        series=len(batch.series),
        positions=len(batch.weights),
        leaves=len(found.losses),
        nanoseconds_per_price=benchmark.stats.stats.min / prices * 1e9,
    )


def test_sums_alone(benchmark: Any, native: NativeBackend) -> None:
    """What the positions cost beyond one of each name, a position and scenario."""
    batch = drawn(FIRM).batch(grid())
    firsts = np.arange(len(batch) + 1)
    bare = replace(
        batch,
        group_leaves=firsts,
        leaf_positions=firsts,
        columns=np.zeros(len(batch), np.int32),
        weights=np.ones(len(batch)),
    )
    without = seconds_of(lambda: native.worst(bare, batch.scenarios), 10)
    benchmark.pedantic(lambda: native.worst(batch, batch.scenarios), rounds=10, warmup_rounds=1)
    cells = len(batch.weights) * batch.scenarios
    benchmark.extra_info["nanoseconds_per_position_and_scenario"] = (
        (benchmark.stats.stats.min - without) / cells * 1e9
    )


def test_american_firm(benchmark: Any, backend: Backend) -> None:
    """Eight expiries a name, a continuous yield; premium tables are computed in the first round alone."""
    batch = drawn(FIRM, expiries=8).batch(grid(), american=True)
    first = seconds_of(lambda: walked(backend, batch, 2), 1)
    benchmark.pedantic(lambda: walked(backend, batch, 2), rounds=2)
    benchmark.extra_info["seconds of the first"] = first


def with_dividends(batch: Batch, names: Any) -> Batch:
    """Two dividends of 0.5 % of the spot, in 44 and 135 days, on all series of some names [series]."""
    series = batch.series
    dates = np.tile([0.12, 0.37], (len(series), 1))
    due = names[:, None] & (dates < series.years[:, None])
    cash = np.where(due, 0.005 * series.spots[:, None], 0.0)
    return replace(batch, series=replace(series, ex_years=np.where(due, dates, np.inf), ex_cash=cash))


@pytest.mark.usefixtures("native")
def test_firm_with_dividends(benchmark: Any) -> None:
    """Two names in five pay cash: the firm cold and again, then a spot move of one of them, grids at hand."""
    firm = drawn(FIRM, expiries=8)
    paying = np.repeat(np.random.default_rng(8).random(FIRM.names) < 0.4, FIRM.series)
    batch = with_dividends(firm.batch(grid(), american=True), paying)
    fresh = NativeBackend()  # the other one has met the same options without cash
    cold = seconds_of(lambda: walked(fresh, batch, 2), 1)
    again = seconds_of(lambda: walked(fresh, batch, 2), 3)
    name = int(paying.argmax()) // FIRM.series
    moves = iter(np.linspace(1.0, 1.02, 40))

    def tick() -> None:
        moved = replace(batch, series=replace(batch.series, spots=batch.series.spots * next(moves)))
        part = moved.part(name, name + 1)
        fresh.worst(part, part.scenarios)

    benchmark.pedantic(tick, rounds=20, warmup_rounds=2)
    held = int((batch.series.ex_cash[:, 0] > 0.0).sum())
    benchmark.extra_info.update(
        {"series with cash due": held, "seconds of the first": cold, "seconds again": again}
    )


#: What grows tenfold twice: (size, price shocks).
GROWTH = {
    "positions": [(FIRM._replace(positions=count), 31) for count in (1, 10, 100)],
    "series": [(FIRM._replace(names=count, accounts=500), 31) for count in (100, 1_000, 10_000)],
    "scenarios": [(FIRM._replace(names=100, accounts=500), count) for count in (31, 310, 3_100)],
}
if SMALL:
    GROWTH = {what: sizes[:2] for what, sizes in GROWTH.items()}


@pytest.mark.parametrize("what", GROWTH)
def test_growth(benchmark: Any, native: NativeBackend, what: str) -> None:
    """What one more position, series or scenario costs, from each size to the next."""
    points = []
    for size, spots in GROWTH[what]:
        batch = drawn(size).batch(grid(np.linspace(-0.15, 0.15, spots)))
        counts = {"positions": len(batch.weights), "series": len(batch.series), "scenarios": batch.scenarios}
        walk = partial(native.worst, batch, batch.scenarios)
        points.append((counts[what], seconds_of(walk, 5)))
    benchmark.pedantic(walk, rounds=3)
    marginal = [(b[1] - a[1]) / (b[0] - a[0]) * 1e9 for a, b in pairwise(points)]
    benchmark.extra_info.update(points=points, nanoseconds_of_one_more=marginal)

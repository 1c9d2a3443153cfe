"""The worst loss of every leaf of a batch: by hand, against plain loops, against the rows, cut in any way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from every_backend import MAKERS, option_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from test_numpy_backend import grid, joint_list, plain_values, random_series, unmoved

from shockgrid.arrays import Codes, Floats
from shockgrid.backends import Backend
from shockgrid.backends.batch import Batch, Worst
from shockgrid.requirement.reducers import worst

#: Sums of ten amounts of up to 1e5 in another order, of prices that differ by 2e-14 of a spot of 200.
ROUNDING = 1e-8

Make = Callable[..., Backend]


@pytest.fixture(scope="module", params=MAKERS.values(), ids=MAKERS)
def make(request: pytest.FixtureRequest) -> Make:
    maker: Make = request.param
    return maker


def starts_of(sizes: Codes) -> Codes:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)


def random_batch(groups: int = 7, scenarios: int = 60, seed: int = 1, *, weighted: bool = False) -> Batch:
    """Class groups of one to three underlyings and of up to five leaves, which hold up to nine positions."""
    rng = np.random.default_rng(seed)
    sections = starts_of(rng.integers(1, 4, groups))
    starts = starts_of(rng.integers(1, 20, sections[-1]))
    leaves = starts_of(rng.integers(0, 6, groups))
    positions = starts_of(rng.integers(0, 10, leaves[-1]))
    room = np.repeat(np.repeat(np.diff(starts[sections]), np.diff(leaves)), np.diff(positions))
    columns = (rng.random(len(room)) * room).astype(np.int32)
    owners = np.repeat(np.arange(leaves[-1]), np.diff(positions))
    return Batch(
        series=random_series(int(starts[-1]), seed),
        section_starts=starts,
        states=(joint_list(scenarios, seed), grid(scenarios, 1), grid(1, scenarios)),
        section_states=rng.integers(0, 3, sections[-1]),
        group_sections=sections,
        group_leaves=leaves,
        leaf_positions=positions,
        columns=columns[np.lexsort((columns, owners))],
        weights=np.rint(rng.normal(0, 10, len(room))) * 100,
        scenario_weights=rng.choice([0.3, 1.0], (groups, scenarios)) if weighted else None,
    )


def by_rows(batch: Batch, backend: Backend, reduced: int) -> Worst:
    """Every class group by itself: its rows at once, then the reducer of the requirement layer."""
    found = []
    for group in range(len(batch)):
        own = batch.part(group, group + 1)
        size = own.instruments.stop - own.instruments.start
        pointers = own.leaf_positions[own.leaves.start : own.leaves.stop + 1]
        held = slice(int(pointers[0]), int(pointers[-1]))
        shape = (len(pointers) - 1, size)
        leaves = sparse.csr_array((own.weights[held], own.columns[held], pointers - pointers[0]), shape=shape)
        factors = 1.0 if own.scenario_weights is None else own.scenario_weights[0]
        pnl, units = (
            backend.get(backend.risk_arrays(own.sections(), weights)) * factors
            for weights in (leaves, sparse.eye_array(size, format="csr"))
        )
        losses, scenarios = worst(pnl[:, :reduced])
        sides = (worst(side * units[:, :reduced]).losses for side in (1.0, -1.0))
        found.append(Worst(losses, scenarios, pnl[:, reduced:], *sides))
    return Worst(*(np.concatenate(column) for column in zip(*found, strict=True)))


def same_bytes(left: Worst, right: Worst) -> bool:
    pairs = list(zip(left, right, strict=True))
    return all(a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)


def linear_batch(slopes: list[float], leaves: list[list[tuple[int, float]]], factors: list[float]) -> Batch:
    """One class group of forwards on a spot of 100 with these slopes, held as (instrument, weight)."""
    count, sizes = len(slopes), np.array([len(leaf) for leaf in leaves])
    series = option_rows(count, slopes=slopes, strikes=1.0)
    states = replace(
        unmoved(),
        spot_factors=np.array(factors),
        index=np.column_stack([np.arange(len(factors)), np.zeros(len(factors), np.intp)]),
    )
    return Batch(
        series=replace(series, is_option=np.zeros(count, np.bool_)),
        section_starts=np.array([0, count]),
        states=(states,),
        section_states=np.array([0]),
        group_sections=np.array([0, 1]),
        group_leaves=np.array([0, len(leaves)]),
        leaf_positions=starts_of(sizes),
        columns=np.array([column for leaf in leaves for column, _ in leaf], np.int32),
        weights=np.array([weight for leaf in leaves for _, weight in leaf]),
    )


def test_by_hand(make: Make) -> None:
    """Spot 100 at x 1.5, 0.5, 0.5 and 2: a long of 2 loses 100, a short of 1 loses 50 in the first.

    Of equal losses the first scenario counts; what cannot lose loses 0.0, with a plus. Scenario 3 is a row.
    """
    leaves = [[(0, 2.0)], [(0, -1.0)], [(0, 3.0), (0, -3.0)], [], [(0, 1.0), (1, -0.5)]]
    batch = linear_batch([1.0, 2.0], leaves, [1.5, 0.5, 0.5, 2.0])
    found = make().worst(batch, 3, True)
    assert found.losses.tolist() == [100.0, 50.0, 0.0, 0.0, 0.0]
    assert not np.signbit(found.losses).any()
    assert found.scenarios.tolist() == [1, 0, 0, 0, 0]
    assert found.rest.tolist() == [[200.0], [-100.0], [0.0], [0.0], [0.0]]
    assert found.longs.tolist() == [50.0, 100.0]
    assert found.shorts.tolist() == [50.0, 100.0]


@given(factors=st.lists(st.sampled_from([0.5, 0.75, 1.25, 1.5]), min_size=1, max_size=150))
@settings(max_examples=60)
def test_of_equal_losses_the_first_counts(make: Make, factors: list[float]) -> None:
    """A long loses most where the spot is lowest, a short where it is highest; few spots, so many ties."""
    batch = linear_batch([1.0], [[(0, 1.0)], [(0, -1.0)]], factors)
    found = make().worst(batch, len(factors))
    assert found.scenarios.tolist() == [int(np.argmin(factors)), int(np.argmax(factors))]
    assert found.losses.tolist() == [
        max(100.0 * (1.0 - min(factors)), 0.0),
        max(100.0 * (max(factors) - 1.0), 0.0),
    ]


def plain_losses(batch: Batch, reduced: int) -> Floats:
    """One position and one scenario after another, from the formula of every price."""
    losses = []
    for group in range(len(batch)):
        first = batch.section_starts[batch.group_sections[group]]
        sections = range(batch.group_sections[group], batch.group_sections[group + 1])
        pnl = []
        for section in sections:
            part = slice(int(batch.section_starts[section]), int(batch.section_starts[section + 1]))
            own, states = batch.series.take(part), batch.states[batch.section_states[section]]
            pnl.append((plain_values(own, states) - plain_values(own, unmoved())).T)
        units = np.concatenate(pnl)
        assert len(units) + first == batch.section_starts[sections.stop]
        for leaf in range(batch.group_leaves[group], batch.group_leaves[group + 1]):
            lowest = 0.0
            for scenario in range(reduced):
                total = 0.0
                for place in range(batch.leaf_positions[leaf], batch.leaf_positions[leaf + 1]):
                    total += batch.weights[place] * units[batch.columns[place], scenario]
                factor = 1.0 if batch.scenario_weights is None else batch.scenario_weights[group, scenario]
                lowest = min(lowest, total * factor)
            losses.append(-lowest)
    return np.array(losses)


@pytest.mark.parametrize("weighted", [False, True])
def test_against_plain_loops(make: Make, weighted: bool) -> None:
    batch = random_batch(weighted=weighted)
    found = make().worst(batch, 50)
    assert found.losses == pytest.approx(plain_losses(batch, 50), abs=ROUNDING)


@given(
    seed=st.integers(0, 10_000),
    groups=st.integers(1, 9),
    scenarios=st.integers(1, 90),
    data=st.data(),
    weighted=st.booleans(),
)
@settings(max_examples=30)
def test_the_bytes_are_those_of_the_rows(
    make: Make, seed: int, groups: int, scenarios: int, data: st.DataObject, weighted: bool
) -> None:
    """However many scenarios are reduced, whatever the tile, cut into any number of parts."""
    batch = random_batch(groups, scenarios, seed, weighted=weighted)
    reduced = data.draw(st.integers(1, scenarios))
    backend = make()
    expected = by_rows(batch, backend, reduced)
    assert same_bytes(backend.worst(batch, reduced, True), expected)
    bare = backend.worst(batch, reduced)
    assert same_bytes(bare, expected._replace(longs=np.empty(0), shorts=np.empty(0)))
    cut = make(tile_elements=data.draw(st.integers(1, 3000)))
    parts = [cut.worst(part, reduced, True) for part in batch.cut(data.draw(st.integers(1, 12)))]
    joined = Worst(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    assert same_bytes(joined, expected)


def test_a_name_of_many_series_is_cut_by_scenarios(make: Make) -> None:
    """1,500 series x 434 are fourteen tiles; of two equal lows, one a tile, the first counts."""
    rng, count = np.random.default_rng(4), 1500
    states = grid(31, 7)
    states = replace(states, index=np.concatenate([states.index, states.index[::-1]]))
    batch = Batch(
        series=random_series(count),
        section_starts=np.array([0, count]),
        states=(states,),
        section_states=np.array([0]),
        group_sections=np.array([0, 1]),
        group_leaves=np.array([0, 50]),
        leaf_positions=np.arange(0, 5001, 100),
        columns=np.sort(rng.integers(0, count, (50, 100)), axis=1).ravel().astype(np.int32),
        weights=rng.normal(size=5000),
    )
    found = make().worst(batch, 434, True)
    assert same_bytes(found, by_rows(batch, make(), 434))
    assert (found.scenarios < 217).all()
    assert len(np.unique(found.scenarios)) > 3


def american(batch: Batch, groups: list[int]) -> Batch:
    """The same with American options, some inverse ones among them, in these class groups."""
    columns = batch.section_starts[batch.group_sections]
    own = np.zeros(len(batch.series), np.bool_)
    for group in groups:
        own[columns[group] : columns[group + 1]] = batch.series.is_option[columns[group] : columns[group + 1]]
    inverse = own & (np.arange(len(own)) % 5 == 0)
    years = np.maximum(batch.series.years, 0.01)
    series = replace(
        batch.series,
        is_american=own & ~inverse,
        inverse=inverse,
        years=np.where(own, years, batch.series.years),
        rates=np.where(own, 0.04, 0.0),
        yields=np.where(own, 0.01, 0.0),
        slopes=np.where(own, np.exp(0.03 * years), batch.series.slopes),
        intercepts=np.where(own, 0.0, batch.series.intercepts),
        discount_factors=np.where(own, np.exp(-0.04 * years), batch.series.discount_factors),
        vols=np.where(own, np.clip(batch.series.vols, 0.1, 0.8), batch.series.vols),
    )
    states = replace(grid(5, 3), index=np.resize(grid(5, 3).index, (batch.scenarios, 2)))
    return replace(batch, series=series, states=(states,) * 3)


@pytest.mark.parametrize("groups", [[0, 2, 3], list(range(5))], ids=["some", "all"])
def test_what_the_kernels_do_not_price(make: Make, groups: list[int]) -> None:
    """Class groups with American or coin-settled options beside others, and none but such."""
    batch, backend = american(random_batch(5, 20), groups), make()
    assert batch.series.is_american.any()
    assert batch.series.inverse.any()
    assert same_bytes(backend.worst(batch, 15, True), by_rows(batch, backend, 15))


def test_no_class_group_at_all(make: Make) -> None:
    found = make().worst(random_batch().part(3, 3), 50, True)
    assert [column.shape for column in found] == [(0,), (0,), (0, 10), (0,), (0,)]

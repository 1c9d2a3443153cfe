"""Which premium tables options read: found for runs of neighbours at once, checked one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_native_american import mixed
from test_numpy_american import drawn
from test_numpy_backend import joint_list

from shockgrid.backends._numpy_block import shocked_vols
from shockgrid.backends._numpy_boundary import Puts
from shockgrid.backends._numpy_premium import Tables
from shockgrid.backends._numpy_routes import put_rates
from shockgrid.backends._numpy_store import PremiumStore
from shockgrid.backends.contract import Series
from shockgrid.backends.premium_effort import Shape
from shockgrid.backends.vol_ranges import EDGES, LONGEST_WILD, RANGES
from shockgrid.backends.ways import EUROPEAN, GIVEN, LINEAR, TABLE, WantedTables, Ways, extreme_rules
from shockgrid.states import States

SHOCKS = st.floats(-0.9, 3.0)
RULES = st.tuples(SHOCKS, st.booleans(), st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 0.2]))


def states_of(rules: list[tuple[float, bool, float, float]]) -> States:
    shocks, relative, powers, floors = (np.array(column) for column in zip(*rules, strict=True))
    count = len(rules)
    index = np.stack([np.zeros(count, np.intp), np.arange(count)], axis=1)
    caps = np.where(floors > 0.0, 0.9, np.inf)
    return States(np.ones(1), shocks, relative, powers, floors, caps, index)


@given(st.lists(RULES, min_size=1, max_size=12), st.integers(0, 99))
def test_of_every_option_the_vols_of_extreme_rules_hold_those_of_all(
    rules: list[tuple[float, bool, float, float]], seed: int
) -> None:
    series, states = drawn(20, seed), states_of(rules)
    every, few = shocked_vols(series, states), shocked_vols(series, states, extreme_rules(states))
    assert (every.min(axis=0) == few.min(axis=0)).all()
    assert (every.max(axis=0) == few.max(axis=0)).all()


def in_runs(seed: int) -> Series:
    """Instruments of all routes in runs of unequal length; vols and strikes of a run differ."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(rng.permutation(24), rng.integers(1, 5, 24))
    series = mixed(24, seed).take(rows)
    vols = np.exp(rng.uniform(np.log(0.001), np.log(20.0), len(rows)))
    return replace(series, vols=vols, strikes=series.strikes * rng.uniform(0.8, 1.2, len(rows)))


@pytest.mark.parametrize("seed", range(6))
def test_options_in_runs_go_the_way_that_each_goes_alone(seed: int) -> None:
    series, states = in_runs(seed), joint_list(9, seed)
    found = Ways.of(series, states)
    flags, ranges = {}, {}
    for row in range(len(series)):
        alone = Ways.of(series.take([row]), states)
        assert alone.routes[0] == found.routes[row]
        if len(alone.given):
            flags[row] = alone.flags[:, 0].tolist()
        if len(alone.rows):
            ranges[row] = (alone.first[0], alone.last[0])
    assert dict(zip(found.given.tolist(), found.flags.T.tolist(), strict=True)) == flags
    ends = zip(found.first, found.last, strict=True)
    assert dict(zip(found.rows.tolist(), ends, strict=True)) == ranges
    assert {LINEAR, EUROPEAN, TABLE, GIVEN} <= set(found.routes)
    assert any(0 < sum(own) < len(own) for own in flags.values())


def marked(puts: Puts, efforts: NDArray[np.uint8], shape: Shape) -> Tables:
    """In place of tables the terms that they are for, and the highest vol."""
    count = len(efforts) // shape.vols
    boundaries = np.zeros((count, shape.vols))
    boundaries[:, : len(puts)] = np.stack([column[:: shape.vols] for column in puts], axis=1)
    return Tables(np.zeros((count, shape.vols, shape.gaps)), boundaries)


@pytest.mark.parametrize("seed", range(6))
def test_every_option_finds_the_tables_of_its_own_terms(seed: int) -> None:
    series = in_runs(seed)
    ways = Ways.of(series, joint_list(9, seed))
    wanted = WantedTables(ways.terms, ways.lengths)
    wanted.add_between(ways.first, ways.last)
    places, kept = wanted.find(PremiumStore(marked))
    own = series.take(ways.rows)
    rates, yields = put_rates(own)
    asked = set()
    for row, (first, last) in enumerate(zip(ways.first, ways.last, strict=True)):
        for number in range(first, last + 1):
            # the last range serves the days before expiry alone: longer lives read the one before
            read = min(number, RANGES - 2) if own.years[row] > LONGEST_WILD else number
            terms = (own.years[row], rates[row], yields[row])
            years, vol, rate, dividend_yield = kept.boundaries[places[row, number], :4]
            assert (years, rate, dividend_yield) == terms
            assert vol == pytest.approx(EDGES[read + 1])
            asked.add((*terms, read))
    assert len(asked) == len(kept)

"""A scenario set over another state of its market: kept where nothing that it depends on has moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from desk_world import priced

import shockgrid as sg
from shockgrid.market import Market
from shockgrid.market_states import MarketStates
from shockgrid.scenarios import ScenarioSet

BEFORE = priced()
SPOTS = replace(BEFORE, underlyings=replace(BEFORE.underlyings, spots=1.1 * BEFORE.underlyings.spots))
PLAIN = ScenarioSet.grid([-0.1, 0.1], [0.0, 0.2])


def by_spot(market: Market) -> np.ndarray:
    return market.underlyings.spots / 100.0


STRETCHED = ScenarioSet.grid([-0.1, 0.1], spot_scale=by_spot)
UNKNOWN = replace(PLAIN, spot=lambda market: np.outer(by_spot(market), [0.1, 0.1, 0.2, 0.2]))
TIMS = sg.tims().scenarios


@pytest.mark.parametrize("scenarios", [PLAIN, TIMS, PLAIN + TIMS, (PLAIN + TIMS).only("standard")])
def test_new_spots_leave_plain_shocks_alone(scenarios: ScenarioSet) -> None:
    states = MarketStates.of(scenarios, BEFORE)
    assert states.after(SPOTS) is states


@pytest.mark.parametrize(
    "scenarios", [STRETCHED, PLAIN + STRETCHED, UNKNOWN, (PLAIN + UNKNOWN).only("standard")]
)
def test_shocks_that_depend_on_spots_are_laid_anew(scenarios: ScenarioSet) -> None:
    states = MarketStates.of(scenarios, BEFORE)
    found, expected = states.after(SPOTS), MarketStates.of(scenarios, SPOTS)
    assert found is not states
    np.testing.assert_array_equal(found.spot_shocks, expected.spot_shocks)
    assert found.differs(states).all()
    assert states.after(replace(BEFORE)) is states


def test_ranges_of_vols_follow_the_vols_and_not_the_spots() -> None:
    rule = sg.house(sigmas=2.0, vol=[0.0]).scenarios
    known = replace(BEFORE, underlyings=replace(BEFORE.underlyings, atm_vols=np.full(5, 0.2)))
    later = replace(known, underlyings=replace(known.underlyings, spots=1.1 * known.underlyings.spots))
    wilder = replace(known, underlyings=replace(known.underlyings, atm_vols=np.full(5, 0.3)))
    states = MarketStates.of(rule, known)
    assert states.after(later) is states
    assert states.after(wilder).differs(states).all()

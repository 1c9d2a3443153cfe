"""Plans are those of a search that remembers nothing and revalues every candidate in full."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from liquidation_books import BACKEND, in_deficit, random_holdings
from liquidation_books import SMALL as MARKET

import shockgrid as sg
from shockgrid.desk.liquidation import closing_search
from shockgrid.desk.liquidation_costs import trading_costs
from shockgrid.desk.liquidation_frames import step_frame
from shockgrid.desk.liquidation_ground import Ground
from shockgrid.desk.liquidation_search import Search
from shockgrid.desk.liquidation_settled import settled
from shockgrid.requirement import Program, Regime


def weighted(regime: Regime) -> Regime:
    """The same regime with every other scenario counted at 0.7."""
    scenarios = regime.scenarios
    assert isinstance(scenarios, sg.ScenarioSet)
    weights = np.where(np.arange(len(scenarios)) % 2 == 0, 1.0, 0.7)
    return replace(regime, scenarios=replace(scenarios, weights=weights))


REGIMES = {
    "policy": sg.Policy({"default": Program(sg.tims(), sg.house())}),
    "joint": sg.house(joint=True),
    "weighted": weighted(sg.tims()),
    "span": sg.regimes.span(),
    "derive": sg.regimes.derive(),
    "mixed": sg.Policy({"default": Program(sg.regimes.span(), sg.house())}),
}
CHOSEN = ["margin_group", "step", "symbol", "quantity"]
ROUNDING = 1e-6  #: of currency: sums of figures of 1e5 in another order
SEEDS = range(5)


def search_of(seed: int, name: str) -> Search:
    """A book of 3 to 14 positions, in deficit by 5 to 80 % of the requirement."""
    rng = np.random.default_rng(seed)
    holdings = random_holdings(rng, int(rng.integers(3, 15)), 8)
    held = in_deficit(holdings, MARKET, REGIMES[name], float(rng.uniform(0.05, 0.8)))
    ground = Ground.of(held, MARKET, REGIMES[name], BACKEND)
    return closing_search(ground, trading_costs(), "per_dollar_traded", 0.01, frozenset())


@pytest.mark.parametrize("name", list(REGIMES))
def test_every_step_is_that_of_the_slow_way(name: str) -> None:
    steps = 0
    for seed in SEEDS:
        search = search_of(seed, name)
        assert search.menu is not None
        slow = replace(search, ground=search.ground.slow(), menu=None)
        plans = [settled(each) for each in (search, slow)]
        fast, full = (step_frame(found, ordered) for ordered, found in plans)
        assert fast[CHOSEN].to_numpy().tolist() == full[CHOSEN].to_numpy().tolist(), seed
        figures = ["requirement_after", "relief", "excess_after"]
        np.testing.assert_allclose(fast[figures], full[figures].to_numpy(), rtol=0.0, atol=ROUNDING)
        steps += len(plans[0][0].taken[0])
    assert steps > 2 * len(SEEDS), "plans of several steps are worth comparing"


@pytest.mark.parametrize("slow", [False, True])
def test_a_short_put_and_the_short_shares_that_cover_it(slow: bool) -> None:
    """Closing the shares and half of the puts takes less and leaves one put uncovered: both go together."""
    regime = sg.regimes.span()
    held = in_deficit([("A", "CCC", -2.0), ("A", "CCCP0.9-90", -2.0)], MARKET, regime, 0.512)
    ground = Ground.of(held, MARKET, regime, BACKEND)
    search = closing_search(ground, trading_costs(), "per_dollar_traded", 0.01, frozenset())
    if slow:
        search = replace(search, ground=ground.slow(), menu=None)
    plans, _ = settled(search)
    (taken,) = plans.taken[0]
    assert taken.step.amounts.tolist() == [2.0, 2.0]

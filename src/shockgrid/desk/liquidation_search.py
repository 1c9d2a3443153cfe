"""The search: at every step the action that frees most for what it takes, and the smallest sizes that cure.

All margin groups move in step, so that one revaluation serves them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_actions import Actions, sized
from shockgrid.desk.liquidation_changes import Changes, unchanged
from shockgrid.desk.liquidation_costs import Bill, PositionCosts
from shockgrid.desk.liquidation_cover import Cover, cover_of, opens_risk
from shockgrid.desk.liquidation_ground import Ground

OBJECTIVES = ("per_dollar_traded", "per_cost", "fewest_orders")
HALF_CENT = 0.005  #: relief below it is none
AS_GOOD = 1e-2  #: a larger size is taken where its score is within this share of the best
SHORTLIST = 6  #: actions of each kind (best score, cheapest cure) looked at in all sizes
LADDER = (*(2.0**-k for k in range(12)), *(k / 12 for k in range(1, 12)))  #: sizes tried, shares of the whole
LARGE_BOOK = 500  #: positions of a margin group
MOST_STEPS = 60
LEAST = 1e-9  #: of money, so that what costs nothing can be divided by

Provider: TypeAlias = Callable[[Floats, Codes], Actions]  #: quantities [P], margin groups -> what can be done


@dataclass(frozen=True)
class Step:
    """One action at one size."""

    positions: Codes
    totals: Floats
    levels: int
    level: int
    score: float

    @cached_property
    def amounts(self) -> Floats:
        """Signed change of each position."""
        return sized(self.totals, self.level / self.levels)

    @property
    def smaller(self) -> Floats:
        """The same one size smaller."""
        return sized(self.totals, (self.level - 1) / self.levels)

    def table(self, owner: int = 0) -> Actions:
        """The action as a table of one."""
        starts = np.array([0, len(self.positions)])
        return Actions(np.array([owner]), starts, self.positions, self.totals, np.array([self.levels]))


class Assessed(NamedTuple):
    """What K candidates come to, in the currency of their margin groups."""

    relief: Floats  #: fall of requirement - equity
    weights: Floats  #: what the objective divides by
    costs: Floats
    requirements: Floats
    beyond: Floats  #: excess above the buffer; at least 0 where it cures
    opened: Mask  #: leaves more short options uncovered
    allowed: Mask  #: relieves and opens nothing

    @property
    def cured(self) -> Mask:
        """Whether the excess reaches the buffer."""
        reached: Mask = self.beyond >= 0.0
        return reached


class Found(NamedTuple):
    """Actions looked at, and candidate (action, level) pairs assessed."""

    actions: Actions
    chosen: Codes
    levels: Codes
    assessed: Assessed

    def step(self, candidate: int, score: float) -> Step:
        """One candidate as a step."""
        one = self.actions.take(self.chosen[candidate : candidate + 1])
        return Step(one.positions, one.totals, int(one.levels[0]), int(self.levels[candidate]), score)


@dataclass(frozen=True)
class State:
    """Where all margin groups stand: one row per position, one per margin group."""

    quantities: Floats  #: [P]
    requirements: Floats  #: [M]
    spent: Floats  #: [M] costs so far


@dataclass(frozen=True)
class Search:
    """What stays the same while searching."""

    ground: Ground
    costs: PositionCosts
    pressure: Floats  #: [P] see PositionCosts.pressure
    buffers: Floats  #: [M] excess that cures
    objective: str
    tradable: Mask  #: [P]
    provider: Provider
    closing: bool = True  #: whether actions close what is held; else they buy

    @cached_property
    def start(self) -> State:
        """Before anything is done."""
        quantities, count = self.ground.plan.positions.quantities, len(self.ground.rates)
        return self.at(quantities, np.zeros(count))

    def at(self, quantities: Floats, spent: Floats) -> State:
        """The state with these quantities, revalued."""
        everyone = unchanged(np.arange(len(self.ground.rates)))
        return State(quantities, self.ground.full(quantities, everyone).requirement, spent)

    def assess(self, state: State, changes: Changes, cover: Cover, full: bool = False) -> Assessed:
        """Revalue candidates; ``full`` where one may touch several portfolio groups."""
        owners, count = changes.owners, len(changes.owners)
        ground = self.ground
        outcomes = (ground.full if full else ground.sparse)(state.quantities, changes)
        bill = self.costs.bill(changes.positions, changes.amounts, self.pressure)
        costs = np.asarray(np.bincount(changes.candidates, bill.total, count), np.float64)
        traded = np.bincount(
            changes.candidates, np.abs(changes.amounts) * self.costs.money[changes.positions], count
        )
        requirements = outcomes.requirement
        relief = state.requirements[owners] - requirements - costs
        left = ground.equity[owners] - state.spent[owners] - costs - requirements
        weights = {"per_dollar_traded": traded, "per_cost": costs, "fewest_orders": np.ones(count)}
        opened = opens_risk(ground, state.quantities, changes, cover, full)
        return Assessed(
            relief,
            np.maximum(weights[self.objective], LEAST),
            costs,
            requirements,
            left - self.buffers[owners],
            opened,
            (relief >= HALF_CENT) & ~opened,
        )

    def look(self, state: State, owners: Codes) -> Found:
        """Every action at its smallest and largest size, then the promising ones in all sizes.

        The largest size is left out for margin groups of more than ``LARGE_BOOK`` positions.
        """
        actions, cover = self.provider(state.quantities, owners), cover_of(self.ground, state.quantities)
        every = np.arange(len(actions.owners))
        sizes = np.bincount(self.ground.plan.positions.margin_groups, state.quantities != 0.0)
        large = every[(actions.levels > 1) & (sizes[actions.owners] <= LARGE_BOOK)]
        chosen = np.concatenate([every, large])
        levels = np.concatenate([np.ones(len(every), np.intp), actions.levels[large]])
        first = self.assess(state, actions.changes(chosen, levels), cover)
        scores, prices = np.full(len(every), -np.inf), np.full(len(every), np.inf)
        good = first.allowed
        np.maximum.at(scores, chosen[good], (first.relief / first.weights)[good])
        cures = good & first.cured
        np.minimum.at(prices, chosen[cures], first.weights[cures])
        promising = np.union1d(leading(actions.owners, -scores), leading(actions.owners, prices))
        return self.sized(state, actions.take(promising), cover)

    def sized(self, state: State, actions: Actions, cover: Cover, full: bool = False) -> Found:
        """Actions in all sizes of the ladder."""
        most = actions.levels[:, None]
        tried = np.clip(np.ceil(most * np.array(LADDER)).astype(np.intp), 1, most)
        width = int(most.max(initial=1)) + 1
        codes = np.unique(np.arange(len(actions.owners))[:, None] * width + tried)
        chosen, levels = codes // width, codes % width
        return Found(
            actions, chosen, levels, self.assess(state, actions.changes(chosen, levels), cover, full)
        )

    @cached_property
    def needed(self) -> Floats:
        """By how much each margin group's excess must rise, [M]."""
        return self.buffers - self.ground.equity + self.start.requirements

    def bill(self, step: Step) -> Bill:
        """Costs of a step, leg by leg."""
        return self.costs.bill(step.positions, step.amounts, self.pressure)

    def moved(self, state: State, steps: Mapping[int, Step], requirements: Mapping[int, float]) -> State:
        """The state after one step of each of these margin groups, and what they then require."""
        quantities, after, spent = state.quantities.copy(), state.requirements.copy(), state.spent.copy()
        for owner, step in steps.items():
            quantities[step.positions] += step.amounts
            spent[owner] += self.bill(step).total.sum()
            after[owner] = requirements[owner]
        return State(quantities, after, spent)


def leading(owners: Codes, keys: Floats, count: int = SHORTLIST) -> Codes:
    """The ``count`` rows with the least key of each margin group, the first ones on a tie; none at inf."""
    order = np.lexsort((np.arange(len(keys)), keys, owners))
    ranks = np.arange(len(order)) - np.searchsorted(owners[order], owners[order])
    chosen: Codes = order[(ranks < count) & (keys[order] < np.inf)]
    return chosen

"""The search: at every step the action that frees most for what it takes, and the smallest sizes that cure.

All margin groups move in step, so that one revaluation serves them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_actions import Actions, ladder
from shockgrid.desk.liquidation_changes import Changes, unchanged
from shockgrid.desk.liquidation_costs import Bill, PositionCosts
from shockgrid.desk.liquidation_cover import cover_of, opens_risk
from shockgrid.desk.liquidation_found import Assessed, Found, Step, likely, possible, promising
from shockgrid.desk.liquidation_ground import Ground
from shockgrid.desk.liquidation_menu import Menu, Offered, Provider
from shockgrid.desk.liquidation_standing import Changed

OBJECTIVES = ("per_dollar_traded", "per_cost", "fewest_orders")
CENT = 0.01
SMALL = 1e-5  #: of the requirement: the same for an account kept in a currency of which a cent is much
NOTHING = 1e-12  #: of money: rounding is no relief
FEW = 8  #: margin groups for which the next steps are worked out together
LARGE_BOOK = 500  #: positions of a margin group
MOST_STEPS = 60
LEAST = 1e-9  #: of money, so that what costs nothing can be divided by


@dataclass(frozen=True)
class State:
    """Where all margin groups stand: one row per position, one per margin group."""

    quantities: Floats  #: [P]
    requirements: Floats  #: [M]
    spent: Floats  #: [M] costs so far


def started(ground: Ground) -> State:
    """Where all margin groups stand before anything is done."""
    before = ground.before.requirement
    return State(ground.plan.positions.quantities, before, np.zeros(len(before)))


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
    menu: Menu | None  #: what the provider offers, remembered; None where every candidate is revalued in full
    start: State  #: before anything is done
    closing: bool = True  #: whether actions close what is held; else they buy

    def at(self, quantities: Floats, spent: Floats) -> State:
        """The state with these quantities, revalued."""
        ground, everyone = self.ground, np.arange(len(self.ground.rates))
        if ground.standing is None:
            return State(quantities, ground.full(quantities, unchanged(everyone)).requirement, spent)
        required = ground.standing_at(ground.standing, quantities, everyone).requirement
        return State(quantities, required, spent)

    def assess(self, state: State, changes: Changes, base: Floats | None = None) -> Assessed:
        """Revalue candidates.

        ``base`` are the quantities [P] whose uncovered options may not grow; None for those of the state.
        """
        return self._assessed(state, changes, *self._revalued(state.quantities, changes, base))

    def _assessed(self, state: State, changes: Changes, requirements: Floats, opened: Mask) -> Assessed:
        owners, count = changes.owners, len(changes.owners)
        bill = self.bill(changes.positions, changes.amounts)
        costs = np.asarray(np.bincount(changes.candidates, bill.total, count), np.float64)
        traded = np.bincount(
            changes.candidates, np.abs(changes.amounts) * self.costs.money[changes.positions], count
        )
        relief = state.requirements[owners] - requirements - costs
        left = self.ground.equity[owners] - state.spent[owners] - costs - requirements
        weights = {"per_dollar_traded": traded, "per_cost": costs, "fewest_orders": np.ones(count)}
        return Assessed(
            relief,
            np.maximum(weights[self.objective], LEAST),
            costs,
            requirements,
            left - self.buffers[owners],
            opened,
            (relief >= np.maximum(self.cents[owners] / 2.0, NOTHING)) & ~opened,
        )

    def _revalued(self, quantities: Floats, changes: Changes, base: Floats | None) -> tuple[Floats, Mask]:
        """What the candidates require, and which ones uncover short options."""
        ground, count = self.ground, len(changes.owners)
        requirements, opened = np.empty(count), np.zeros(count, bool)
        alone = ground.in_one_leaf(changes)
        for full, chosen in ((False, np.flatnonzero(alone)), (True, np.flatnonzero(~alone))):
            if len(chosen) == 0:
                continue
            part = changes if len(chosen) == count else changes.take(chosen)
            if full or ground.standing is None:
                way = ground.full if full else ground.sparse
                requirements[chosen] = way(quantities, part).requirement
                cover = cover_of(ground, quantities if base is None else base)
                opened[chosen] = opens_risk(
                    ground, quantities, part, cover, full=full, elsewhere=base is not None
                )
            else:
                changed = ground.standing.changed(quantities, part, base)
                outcomes = ground.standing_at(ground.standing, quantities, part.owners, changed)
                requirements[chosen] = outcomes.requirement
                opened[chosen] = changed.opened
        return requirements, opened

    def look(self, state: State, owners: Codes) -> Found:
        """Every action at its smallest and largest size, then the promising ones in all sizes."""
        if self.menu is None:
            first = self._every_action(state, np.sort(owners))
            return self.sized(state, first.actions.take(promising(first)))
        offered = self.menu.offered(state.quantities, np.sort(owners))
        first = self._served(state, offered)
        chosen = promising(first)
        if self._few(owners) and self.menu.lacks(offered, chosen):
            self.menu.learn(state.quantities, offered, possible(first))
        return self._served(state, self.menu.sized(state.quantities, offered, chosen))

    def foresee(self, state: State, steps: Mapping[int, Step], found: Found) -> None:
        """Work out what can be done after the steps that will likely follow, in one go.

        ``found`` and these steps led to the state: the best action of every other part is likely a later
        step. What is worked out is kept by what a part holds: nothing but time hangs on the guess.
        """
        owners = np.array(sorted(steps), np.intp)
        if self.menu is None or not self._few(owners) or self.menu.standing.knows(state.quantities):
            return
        parts_of, ahead = self.menu.standing.parts_of, state.quantities.copy()
        touched = parts_of(np.concatenate([step.positions for step in steps.values()]))
        parts = parts_of(found.actions.positions[found.actions.starts[:-1]])[found.chosen]
        for best in likely(found, parts, touched):
            step = found.step(int(best), 0.0)
            ahead[step.positions] += step.amounts
        self.menu.prepared(ahead, owners)

    def _few(self, owners: Codes) -> bool:
        """Whether what follows is worth working out ahead: little to do, and nothing dear to revalue."""
        starts, standing = self.ground.starts, self.ground.standing
        if standing is None or len(standing.linear) < len(standing.records):
            return False
        return 0 < len(owners) <= FEW and int((starts[owners + 1] - starts[owners]).sum()) <= LARGE_BOOK

    def _served(self, state: State, offered: Offered) -> Found:
        assessed = self.follow(state, offered.changes, offered.changed)
        return Found(offered.actions, offered.chosen, offered.levels, assessed)

    def follow(self, state: State, changes: Changes, changed: Changed) -> Assessed:
        """Candidates of one leaf each whose effects are known."""
        standing = self.ground.standing
        assert standing is not None, "effects come from it"
        outcomes = self.ground.standing_at(standing, state.quantities, changes.owners, changed)
        return self._assessed(state, changes, outcomes.requirement, changed.opened)

    def _every_action(self, state: State, owners: Codes) -> Found:
        """Every action at its smallest and largest size.

        The largest size is left out for margin groups of more than ``LARGE_BOOK`` positions.
        """
        actions = self.provider(state.quantities, self.ground.positions_of(owners))
        every = np.arange(len(actions.owners))
        sizes = np.bincount(self.ground.plan.positions.margin_groups, state.quantities != 0.0)
        large = every[(actions.levels > 1) & (sizes[actions.owners] <= LARGE_BOOK)]
        chosen = np.concatenate([every, large])
        levels = np.concatenate([np.ones(len(every), np.intp), actions.levels[large]])
        return Found(actions, chosen, levels, self.assess(state, actions.changes(chosen, levels)))

    def sized(self, state: State, actions: Actions) -> Found:
        """Actions in all sizes of the ladder."""
        chosen, levels = ladder(actions.levels)
        return Found(actions, chosen, levels, self.assess(state, actions.changes(chosen, levels)))

    @cached_property
    def cents(self) -> Floats:
        """What is too little to count, [M]; relief counts from half of it."""
        return np.minimum(CENT, SMALL * self.start.requirements)

    @cached_property
    def needed(self) -> Floats:
        """By how much each margin group's excess must rise, [M]."""
        return self.buffers - self.ground.equity + self.start.requirements

    def bill(self, positions: Codes, amounts: Floats) -> Bill:
        """Costs of trading these amounts, leg by leg."""
        return self.costs.bill(positions, amounts, self.pressure)

    def weights_of(self, positions: Codes, amounts: Floats) -> Floats:
        """What the objective divides by, of trading each of these positions by itself."""
        if self.objective == "fewest_orders":
            return np.ones(len(positions))
        if self.objective == "per_cost":
            return self.bill(positions, amounts).total
        traded: Floats = np.abs(amounts) * self.costs.money[positions]
        return traded

    def costs_of(self, steps: Sequence[Step]) -> Floats:
        """What each of these steps costs."""
        if not steps:
            return np.zeros(0)
        number = np.repeat(np.arange(len(steps)), [len(step.positions) for step in steps])
        positions = np.concatenate([step.positions for step in steps])
        bill = self.bill(positions, np.concatenate([step.amounts for step in steps]))
        return np.bincount(number, bill.total, len(steps)).astype(np.float64)

    def moved(self, state: State, steps: Mapping[int, Step], requirements: Mapping[int, float]) -> State:
        """The state after one step of each of these margin groups, and what they then require."""
        quantities, after, spent = state.quantities.copy(), state.requirements.copy(), state.spent.copy()
        for owner, step in steps.items():
            quantities[step.positions] += step.amounts
            after[owner] = requirements[owner]
        spent[list(steps)] += self.costs_of(list(steps.values()))
        return State(quantities, after, spent)

"""The search for a plan: the best score first, and the cheapest way to end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes
from shockgrid.desk.liquidation_actions import slices
from shockgrid.desk.liquidation_found import AS_GOOD, Found, Step, leading
from shockgrid.desk.liquidation_search import MOST_STEPS, Search, State
from shockgrid.desk.liquidation_trim import Draft, rest_of, trimmed, weighed

FINE = 0.01  #: of what is needed: a plan that overshoots by less is not worked on any more


class Choice(NamedTuple):
    """A step that could be taken next."""

    step: Step
    action: int  #: where it was found
    weight: float
    requirement: float  #: after it
    beyond: float  #: excess above the buffer

    @property
    def cured(self) -> bool:
        """Whether the excess reaches the buffer."""
        return self.beyond >= 0.0


def completed(search: Search, owners: Codes, drafts: Mapping[int, Draft]) -> dict[int, Draft]:
    """Plans that no longer cure, with the steps added that they lack."""
    return trimmed(search, greedy(search, owners, {int(owner): drafts[int(owner)] for owner in owners}))


def greedy(
    search: Search, owners: Codes, drafts_so_far: Mapping[int, Draft] | None = None
) -> dict[int, Draft]:
    """Best score first; at every step the cheapest action that cures at once is kept as a way to end.

    A plan to go on from may be given. Scores seldom rise from step to step: where what is left to free could
    not be had at the last score for less than the best plan known takes, that plan is it.
    """
    active, known = np.sort(owners), drafts_so_far or {}
    rest = rest_of(search, known, dict.fromkeys(known, -1))
    state = search.at(rest.quantities, rest.spent)
    prefixes = {int(owner): list(known[owner].steps) if owner in known else [] for owner in owners}
    weights = {owner: weighed(search, tuple(steps), False).weight for owner, steps in prefixes.items()}
    drafts: dict[int, Draft] = {}
    for _ in range(MOST_STEPS):
        if len(active) == 0:
            break
        found = search.look(state, active)
        taken, endings = choices(found)
        if len(taken) < len(active):
            taken |= _cut_alike(search, state, np.setdiff1d(active, np.array(list(taken), np.intp)))
        going = dict[int, Choice]()
        for owner, choice in taken.items():
            for end in ([choice] if choice.cured else []) + ([endings[owner]] if owner in endings else []):
                draft = Draft((*prefixes[owner], end.step), weights[owner] + end.weight, True)
                if owner not in drafts or draft.weight < drafts[owner].weight:
                    drafts[owner] = draft
            fine = FINE * search.needed[owner]
            part = _less(found, choice, fine) if choice.cured else choice
            if part is None:
                continue
            prefixes[owner].append(part.step)
            weights[owner] += part.weight
            left = max(-part.beyond, 0.0) / part.step.score if part.step.score > 0.0 else 0.0
            if owner not in drafts or weights[owner] + left < drafts[owner].weight * (1.0 - AS_GOOD):
                going[owner] = part
        steps = {owner: choice.step for owner, choice in going.items()}
        state = search.moved(state, steps, {owner: choice.requirement for owner, choice in going.items()})
        active = np.array(sorted(going), np.intp)
        search.foresee(state, steps, found)
    for owner, prefix in prefixes.items():
        drafts.setdefault(owner, Draft(tuple(prefix), weights[owner], False))
    return drafts


def _choice(found: Found, at: int) -> Choice:
    """One candidate as a choice."""
    assessed = found.assessed
    weight, requirement = float(assessed.weights[at]), float(assessed.requirements[at])
    step = found.step(at, float(assessed.relief[at]) / weight)
    return Choice(step, int(found.chosen[at]), weight, requirement, float(assessed.beyond[at]))


def choices(found: Found) -> tuple[dict[int, Choice], dict[int, Choice]]:
    """Of each margin group the step with the best score, and the cheapest one that cures."""
    owners, assessed = found.actions.owners[found.chosen], found.assessed
    scores = np.where(assessed.allowed, assessed.relief / assessed.weights, -np.inf)
    taken = {}
    for best in leading(owners, -scores, 1):
        least = scores[best] - abs(scores[best]) * AS_GOOD
        same = np.flatnonzero((found.chosen == found.chosen[best]) & (scores >= least))
        curing = same[assessed.cured[same]]
        taken[int(owners[best])] = _choice(found, int(curing[0] if len(curing) else same[-1]))
    prices = np.where(assessed.allowed & assessed.cured, assessed.weights, np.inf)
    return taken, {int(owners[at]): _choice(found, int(at)) for at in leading(owners, prices, 1)}


def _less(found: Found, choice: Choice, fine: float) -> Choice | None:
    """The largest size of the same action that was looked at, relieves, and does not cure yet.

    None where the action itself ends finely enough.
    """
    step, assessed = choice.step, found.assessed
    if min(choice.beyond, step.score * choice.weight / step.level) <= fine:
        return None
    own = np.flatnonzero(found.chosen == choice.action)
    own = own[(found.levels[own] < step.level) & assessed.allowed[own] & ~assessed.cured[own]]
    return _choice(found, int(own[-1])) if len(own) else None


def _cut_alike(search: Search, state: State, stuck: Codes) -> dict[int, Choice]:
    """Where no action of its own relieves, a slice of everything."""
    if not search.closing:
        return {}
    actions = slices(search.ground, state.quantities, stuck, search.tradable)
    found = search.sized(state, actions)
    return choices(found)[0]

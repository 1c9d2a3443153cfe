"""Every step of a plan at the smallest size with which the plan still cures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from shockgrid.desk.liquidation_actions import joined
from shockgrid.desk.liquidation_found import Step
from shockgrid.desk.liquidation_search import Search, State

GRID = 18  #: sizes tried between one that cures and one that does not
COARSE = 4  #: the same where a step changes more than one class group, which takes far longer


class Draft(NamedTuple):
    """Steps of one margin group; ``weight`` is what the objective adds up over them."""

    steps: tuple[Step, ...]
    weight: float
    cured: bool


def worst_first(draft: Draft) -> list[int]:
    """Places of a draft's steps, the one with the worst score first."""
    scores = [step.score for step in draft.steps]
    return sorted(range(len(scores)), key=scores.__getitem__)


def trimmed(search: Search, drafts: dict[int, Draft]) -> dict[int, Draft]:
    """Each step, the one with the worst score first, at the smallest size at which the plan still cures.

    Until no step can be smaller: what one leaves out may be more than another one lacked.
    """
    open_ones = drafts
    while loose := _loose(search, open_ones):
        before = {owner: [step.level for step in drafts[owner].steps] for owner in loose}
        while loose:
            chosen = {owner: places[0] for owner, places in loose.items()}
            drafts = drafts | shrunk(search, drafts, chosen)
            loose = {owner: places[1:] for owner, places in loose.items() if len(places) > 1}
        open_ones = {
            owner: drafts[owner]
            for owner, levels in before.items()
            if levels != [step.level for step in drafts[owner].steps]
        }
    return {owner: _without_empty(draft) for owner, draft in drafts.items()}


def _loose(search: Search, drafts: dict[int, Draft]) -> dict[int, list[int]]:
    """The steps of each draft that could be one size smaller, by score, worst first."""
    places = [
        (owner, at)
        for owner, draft in drafts.items()
        if draft.cured
        for at in worst_first(draft)
        if draft.steps[at].level > 0
    ]
    if not places:
        return {}
    state = rest_of(search, drafts, dict.fromkeys(drafts, -1))
    steps = [drafts[owner].steps[at] for owner, at in places]
    undone = [replace(step, totals=step.smaller - step.amounts, levels=1) for step in steps]
    actions = joined([step.table(owner) for step, (owner, _) in zip(undone, places, strict=True)])
    changes = actions.changes(np.arange(len(steps)), actions.levels)
    assessed = search.assess(state, changes)
    cured = assessed.beyond + 2.0 * assessed.costs >= 0.0  # undoing costs nothing, it saves as much
    found: dict[int, list[int]] = {}
    for (owner, at), good in zip(places, cured, strict=True):
        if good:
            found.setdefault(owner, []).append(at)
    return found


def _without_empty(draft: Draft) -> Draft:
    return draft._replace(steps=tuple(step for step in draft.steps if step.level > 0))


def shrunk(
    search: Search, drafts: dict[int, Draft], chosen: dict[int, int], guarded: bool = True
) -> dict[int, Draft]:
    """One step of each draft at the smallest size that cures, 0 included.

    ``guarded``: where it leaves no more short options uncovered than there were at the start.
    """
    if not chosen:
        return {}
    owners = sorted(chosen)
    steps = {owner: drafts[owner].steps[chosen[owner]] for owner in owners}
    state = rest_of(search, drafts, chosen)
    actions = joined([steps[owner].table(owner) for owner in owners])
    alone = search.ground.in_one_leaf(actions.changes(np.arange(len(owners)), actions.levels)).all()
    grid = GRID if alone else COARSE
    low = np.full(len(owners), -1)
    high = np.array([steps[owner].level for owner in owners])
    while (high - low > 1).any():
        tried = np.ceil(low[:, None] + (high - low)[:, None] * (np.arange(1, grid) / grid)).astype(np.intp)
        tried = np.minimum(np.column_stack([tried, high]), high[:, None])
        rows = np.repeat(np.arange(len(owners)), tried.shape[1])
        changes = actions.changes(rows, tried.ravel())
        assessed = search.assess(state, changes, search.start.quantities)
        good = (assessed.cured & ~(assessed.opened & guarded)).reshape(tried.shape)
        good[:, -1] = True  # known: it is where the search stands
        first = good.argmax(axis=1)
        everyone = np.arange(len(owners))
        below = np.where(first > 0, tried[everyone, np.maximum(first - 1, 0)], low)
        high, low = tried[everyone, first], np.minimum(below, tried[everyone, first] - 1)
    fresh = {}
    for owner, level in zip(owners, high, strict=True):
        draft = drafts[owner]
        kept = [
            replace(step, level=int(level)) if k == chosen[owner] else step
            for k, step in enumerate(draft.steps)
        ]
        fresh[owner] = weighed(search, tuple(kept), True)
    return fresh


def rest_of(search: Search, drafts: Mapping[int, Draft], left_out: Mapping[int, int]) -> State:
    """The state after all steps of these drafts but one each (none left out at -1), not revalued."""
    quantities = search.start.quantities.copy()
    owners, steps = [], []
    for owner, without in left_out.items():
        for k, step in enumerate(drafts[owner].steps):
            if k != without and step.level > 0:
                quantities[step.positions] += step.amounts
                owners.append(owner)
                steps.append(step)
    spent = np.bincount(np.array(owners, np.intp), search.costs_of(steps), len(search.ground.rates))
    return State(quantities, search.start.requirements, spent.astype(np.float64))


def weighed(search: Search, steps: tuple[Step, ...], cured: bool) -> Draft:
    """A draft of these steps, with what they add up to by the objective."""
    live = [step for step in steps if step.level > 0]
    if search.objective == "fewest_orders":
        return Draft(steps, float(len(live)), cured)
    if search.objective == "per_cost":
        return Draft(steps, float(search.costs_of(live).sum()), cured)
    money = search.costs.money
    traded = sum((np.abs(step.amounts) * money[step.positions]).sum() for step in live)
    return Draft(steps, float(traded), cured)

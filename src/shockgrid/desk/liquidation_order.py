"""The order of a plan's steps: the best one first, and at no point is anything worse than before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from shockgrid.desk.liquidation_actions import joined
from shockgrid.desk.liquidation_cover import cover_of
from shockgrid.desk.liquidation_search import Search, State, Step, leading
from shockgrid.desk.liquidation_trim import Draft


class Taken(NamedTuple):
    """A step where it stands in its plan."""

    step: Step
    requirement_before: float
    requirement_after: float


class Ordered(NamedTuple):
    """Plans in order, and where they lead."""

    taken: Mapping[int, tuple[Taken, ...]]
    state: State


def ordered(search: Search, drafts: Mapping[int, Draft]) -> Ordered:
    """Every step, in full revaluation, after those before it.

    At each point the step with the best score goes first. Steps that relieve nothing by themselves are closed
    together; what relieves nothing even so is left out.
    """
    state = search.start
    left = {owner: merged(draft.steps) for owner, draft in drafts.items()}
    taken: dict[int, list[Taken]] = {owner: [] for owner in drafts}
    while any(left.values()):
        chosen = _next(search, state, left)
        for owner, (at, entry) in chosen.items():
            taken[owner].append(entry)
            del left[owner][at]
        for owner in [owner for owner in left if left[owner] and owner not in chosen]:
            left[owner] = [_together(left[owner])] if len(left[owner]) > 1 else []
        state = search.moved(
            state,
            {owner: entry.step for owner, (_, entry) in chosen.items()},
            {owner: entry.requirement_after for owner, (_, entry) in chosen.items()},
        )
    return Ordered({owner: tuple(entries) for owner, entries in taken.items()}, state)


def _next(search: Search, state: State, left: Mapping[int, list[Step]]) -> dict[int, tuple[int, Taken]]:
    """Of each margin group with steps left, the place and the figures of the one that goes next."""
    places = [(owner, at) for owner, steps in left.items() for at in range(len(steps))]
    steps = [left[owner][at] for owner, at in places]
    actions = joined([step.table(owner) for step, (owner, _) in zip(steps, places, strict=True)])
    levels = np.array([step.level for step in steps])
    changes = actions.changes(np.arange(len(steps)), levels)
    found = search.assess(state, changes, cover_of(search.ground, state.quantities), full=True)
    keys = np.where(found.allowed, -found.relief / found.weights, np.inf)
    return {
        places[row][0]: (
            places[row][1],
            Taken(
                steps[row],
                float(state.requirements[places[row][0]]),
                float(found.requirements[row]),
            ),
        )
        for row in leading(actions.owners, keys, 1)
    }


def merged(steps: tuple[Step, ...]) -> list[Step]:
    """Steps over the same positions made one."""
    by_legs: dict[tuple[int, ...], list[Step]] = {}
    for step in steps:
        if step.amounts.any():
            by_legs.setdefault(tuple(step.positions.tolist()), []).append(step)
    return [same[0] if len(same) == 1 else _together(same) for same in by_legs.values()]


def _together(steps: list[Step]) -> Step:
    """Several steps as one order."""
    positions = np.concatenate([step.positions for step in steps])
    amounts = np.concatenate([step.amounts for step in steps])
    legs, place = np.unique(positions, return_inverse=True)
    totals = np.bincount(place, amounts, len(legs)).astype(np.float64)
    live = totals != 0.0
    return Step(legs[live], totals[live], 1, 1, min(step.score for step in steps))

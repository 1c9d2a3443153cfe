"""The order of a plan's steps: the best one first, and at no point is anything worse than before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from shockgrid.desk.liquidation_changes import Changes, Outcomes, unchanged
from shockgrid.desk.liquidation_found import Step, leading
from shockgrid.desk.liquidation_search import NOTHING, Search, State
from shockgrid.desk.liquidation_trim import Draft
from shockgrid.desk.liquidation_waiting import Waiting


class Taken(NamedTuple):
    """A step where it stands in its plan."""

    step: Step
    requirement_before: float
    requirement_after: float


class Ordered(NamedTuple):
    """Plans in order, and where they lead."""

    taken: Mapping[int, tuple[Taken, ...]]
    state: State
    after: Outcomes  #: of every margin group [M], revalued in full where its plan leads
    sure: bool  #: whether the search went by the requirements that full revaluation gives


def ordered(search: Search, drafts: Mapping[int, Draft]) -> Ordered:
    """Every step after those before it; what is required after each is found by full revaluation.

    At each point the step with the best score goes first. Steps that relieve nothing by themselves are closed
    together; what relieves nothing even so is left out.
    """
    state = search.start
    left = {owner: merged(draft.steps) for owner, draft in drafts.items()}
    taken: dict[int, list[Step]] = {owner: [] for owner in drafts}
    followed: dict[int, list[float]] = {owner: [] for owner in drafts}
    while any(left.values()):
        every = [(owner, step) for owner, steps in left.items() for step in steps]
        waiting = Waiting(search, [owner for owner, _ in every], [step for _, step in every])
        left = {owner: [] for owner in left}
        while waiting.open.any():
            rows, found = waiting.assessed(state)
            keys = np.where(found.allowed, -found.relief / found.weights, np.inf)
            best = leading(waiting.owners[rows], keys, 1)
            chosen = {int(waiting.owners[rows[at]]): float(found.requirements[at]) for at in best}
            for at, owner in zip(rows[best].tolist(), chosen, strict=True):
                taken[owner].append(waiting.take(at))
                followed[owner].append(chosen[owner])
            state = search.moved(state, {owner: taken[owner][-1] for owner in chosen}, chosen)
            for owner in set(waiting.owners[rows].tolist()).difference(chosen):
                rest = waiting.leave(owner)
                left[owner] = [_together(rest)] if len(rest) > 1 else []
    return _judged(search, taken, followed, state)


def _judged(
    search: Search,
    taken: Mapping[int, list[Step]],
    followed: Mapping[int, list[float]],
    state: State,
) -> Ordered:
    """The steps with what full revaluation says after each; ``followed`` is what the search went by."""
    figures = _exactly(search, taken)
    after = search.ground.dense(state.quantities, unchanged(np.arange(len(search.ground.rates))))
    entries = {}
    for owner, steps in taken.items():
        reached = [float(search.start.requirements[owner]), *figures[owner]]
        entries[owner] = tuple(map(Taken, steps, reached, reached[1:]))
    owners = [owner for owner, steps in taken.items() for _ in steps]
    told = np.array([entry.requirement_after for own in entries.values() for entry in own])
    found = np.array([requirement for own in followed.values() for requirement in own])
    apart = np.abs([*(told - found), *(after.requirement - state.requirements)])
    most = np.concatenate([search.cents[owners], search.cents]) / 2.0
    sure = bool((apart <= np.maximum(most, NOTHING)).all())
    return Ordered(entries, replace(state, requirements=after.requirement), after, sure)


def _exactly(search: Search, taken: Mapping[int, list[Step]]) -> dict[int, list[float]]:
    """What ``margin`` says of the book after each of the steps."""
    owners = np.array([owner for owner, steps in taken.items() for _ in steps], np.intp)
    candidates, positions, amounts = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)], [np.zeros(0)]
    first = 0
    for steps in (steps for steps in taken.values() if steps):
        number = np.repeat(np.arange(len(steps)), [len(step.positions) for step in steps])
        after, legs = np.nonzero(number <= np.arange(len(steps))[:, None])
        candidates.append(first + after)
        positions.append(np.concatenate([step.positions for step in steps])[legs])
        amounts.append(np.concatenate([step.amounts for step in steps])[legs])
        first += len(steps)
    width = len(search.start.quantities)
    codes, place = np.unique(
        np.concatenate(candidates) * width + np.concatenate(positions), return_inverse=True
    )
    sums = np.bincount(place, np.concatenate(amounts), len(codes)).astype(np.float64)
    changes = Changes(owners, codes // width, codes % width, sums)
    required = iter(search.ground.full(search.start.quantities, changes).requirement.tolist())
    return {owner: [next(required) for _ in steps] for owner, steps in taken.items()}


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

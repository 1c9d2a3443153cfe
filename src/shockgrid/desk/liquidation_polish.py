"""Better plans from good ones: a step is taken out or made smaller, and the rest ended another way."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from shockgrid.arrays import Codes
from shockgrid.desk.liquidation_baselines import cheaper
from shockgrid.desk.liquidation_greedy import FINE, choices, greedy
from shockgrid.desk.liquidation_search import Search
from shockgrid.desk.liquidation_trim import Draft, rest_of, trimmed, weighed, worst_first

CLOSE = 0.1  #: a plan this much dearer before it is trimmed may be cheaper after
ROUNDS = 2
POLISHED = 3  #: steps of a plan that are worked on, those with the worst scores


def searched(search: Search, owners: Codes) -> dict[int, Draft]:
    """The best plan found for each of these margin groups; steps not yet in order.

    Never dearer than a simpler rule's, as long as that one leaves no more short options uncovered either.
    """
    drafts = trimmed(search, greedy(search, owners))
    if search.closing:
        drafts = drafts | trimmed(search, cheaper(search, drafts))
    for _ in range(ROUNDS if search.closing else 0):
        before = {owner: draft.weight for owner, draft in drafts.items()}
        loose = _slack(search, drafts)
        for worst, whole in product(range(POLISHED), (True, False)):
            drafts = drafts | _polished(search, {owner: drafts[owner] for owner in loose}, worst, whole)
        if all(drafts[owner].weight == before[owner] for owner in loose):
            break
    return drafts


def _slack(search: Search, drafts: dict[int, Draft]) -> list[int]:
    """Margin groups whose plan overshoots by more than a fine one would."""
    rest = rest_of(search, drafts, dict.fromkeys(drafts, -1))
    over = search.ground.equity - rest.spent - search.buffers
    over -= search.at(rest.quantities, rest.spent).requirements
    coarse = over > FINE * search.needed
    return [owner for owner, draft in drafts.items() if draft.cured and coarse[owner]]


def _polished(search: Search, drafts: dict[int, Draft], worst: int, whole: bool) -> dict[int, Draft]:
    """Take one step of each plan out, or make it one size smaller, and end with the cheapest other action."""
    chosen = {}
    for owner, draft in drafts.items():
        order = worst_first(draft)
        if len(order) > worst and (whole or draft.steps[order[worst]].level > 1):
            chosen[owner] = order[worst]
    if not chosen:
        return {}
    cut = {owner: drafts[owner] if whole else _one_less(drafts[owner], at) for owner, at in chosen.items()}
    rest = rest_of(search, cut, chosen if whole else dict.fromkeys(chosen, -1))
    owners = np.array(sorted(chosen), np.intp)
    endings = choices(search.look(search.at(rest.quantities, rest.spent), owners))[1]
    fresh = {}
    for owner, ending in endings.items():
        kept = [step for k, step in enumerate(cut[owner].steps) if not (whole and k == chosen[owner])]
        draft = weighed(search, (*kept, ending.step), True)
        if draft.weight < drafts[owner].weight * (1.0 + CLOSE):
            fresh[owner] = draft
    fresh = trimmed(search, fresh)
    return {owner: draft for owner, draft in fresh.items() if draft.weight < drafts[owner].weight}


def _one_less(draft: Draft, at: int) -> Draft:
    steps = [replace(step, level=step.level - 1) if k == at else step for k, step in enumerate(draft.steps)]
    return draft._replace(steps=tuple(steps))

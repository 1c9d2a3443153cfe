"""What a simpler rule would do to the same margin groups: losers first, largest first, pro rata."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_actions import Actions, slices
from shockgrid.desk.liquidation_cover import cover_of
from shockgrid.desk.liquidation_search import Search, Step
from shockgrid.desk.liquidation_trim import Draft, shrunk

BASELINES = ("losers_first", "largest_first", "pro_rata")
BLOCK = 8  #: more positions closed at a time before it is looked whether that cures
FINEST = 1000  #: sizes of a pro rata cut


class Baseline(NamedTuple):
    """What a rule comes to, [M], in each margin group's currency; 0 where it was not asked for."""

    traded: Floats
    freed: Floats
    costs: Floats
    cured: Mask


def baseline(search: Search, owners: Codes, rule: str) -> Baseline:
    """Close whole positions in the rule's order, the last one no further than it takes to cure.

    ``losers_first``: by unrealised P&L, the largest loss first (0 where no price paid is given).
    ``largest_first``: by market value. ``pro_rata``: the same share of everything. None looks at margin.
    """
    drafts = _pro_rata(search, owners) if rule == "pro_rata" else _one_by_one(search, owners, rule)
    cured = {owner: len(draft.steps) - 1 for owner, draft in drafts.items() if draft.cured}
    drafts = drafts | shrunk(search, drafts, cured, guarded=False)
    start, count = search.start, len(search.ground.rates)
    quantities, figures = start.quantities.copy(), np.zeros((2, count))
    for owner, draft in drafts.items():
        for step in (step for step in draft.steps if step.level > 0):
            quantities[step.positions] += step.amounts
            figures[0, owner] += (np.abs(step.amounts) * search.costs.money[step.positions]).sum()
            figures[1, owner] += search.bill(step).total.sum()
    freed = start.requirements - search.at(quantities, figures[1]).requirements
    cures = np.array([owner in drafts and drafts[owner].cured for owner in range(count)])
    return Baseline(figures[0], freed, figures[1], cures)


def _pro_rata(search: Search, owners: Codes) -> dict[int, Draft]:
    start = search.start
    actions = slices(search.ground, start.quantities, owners, search.tradable)
    actions = actions._replace(levels=np.full(len(actions.owners), FINEST))
    cured = _cures(search, actions)
    return {
        int(owner): Draft((_whole(actions, at),), 0.0, bool(cured[at]))
        for at, owner in enumerate(actions.owners)
    }


def _one_by_one(search: Search, owners: Codes, rule: str) -> dict[int, Draft]:
    held, table = search.ground.plan.positions, search.ground.plan.market.instruments
    quantities = held.quantities
    if rule == "largest_first":
        keys = -np.abs(quantities) * search.costs.money
    else:
        paid = np.abs(table.coin_values(held.prices_paid, held.instruments))
        gains = held.weights * (search.ground.prices[held.instruments] - paid)
        keys = np.where(np.isnan(gains), 0.0, gains)
    rows = np.flatnonzero((quantities != 0.0) & search.tradable & np.isin(held.margin_groups, owners))
    rows = rows[np.lexsort((rows, keys[rows], held.margin_groups[rows]))]
    first = np.searchsorted(held.margin_groups[rows], np.arange(len(search.ground.rates) + 1))
    drafts: dict[int, Draft] = {}
    active, done = [int(owner) for owner in owners if first[owner] < first[owner + 1]], 0
    while active:
        sizes = [
            min(done + more, int(first[o + 1] - first[o])) for o in active for more in range(1, BLOCK + 1)
        ]
        repeated = np.repeat(active, BLOCK)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        places = np.concatenate([first[o] + np.arange(size) for o, size in zip(repeated, sizes, strict=True)])
        positions = rows[places]
        ones = np.ones(len(repeated), np.intp)
        actions = Actions(repeated, starts, positions, -quantities[positions], ones)
        cured = _cures(search, actions).reshape(-1, BLOCK)
        still = []
        for at, owner in enumerate(active):
            own = rows[first[owner] : first[owner + 1]]
            if cured[at].any() or done + BLOCK >= len(own):
                size = sizes[at * BLOCK + int(cured[at].argmax())] if cured[at].any() else len(own)
                steps = (_closing(own[: size - 1], quantities), _closing(own[size - 1 : size], quantities))
                drafts[owner] = Draft(steps, 0.0, bool(cured[at].any()))
            else:
                still.append(owner)
        active, done = still, done + BLOCK
    return drafts


def _closing(positions: Codes, quantities: Floats) -> Step:
    """Close these positions; a single one in whole units."""
    most = max(int(np.abs(quantities[positions]).max(initial=1.0)), 1) if len(positions) == 1 else 1
    return Step(positions, -quantities[positions], most, most, 0.0)


def _whole(actions: Actions, at: int) -> Step:
    one = actions.take(np.array([at]))
    return Step(one.positions, one.totals, int(one.levels[0]), int(one.levels[0]), 0.0)


def _cures(search: Search, actions: Actions) -> Mask:
    start = search.start
    changes = actions.changes(np.arange(len(actions.owners)), actions.levels)
    return search.assess(start, changes, cover_of(search.ground, start.quantities), full=True).cured

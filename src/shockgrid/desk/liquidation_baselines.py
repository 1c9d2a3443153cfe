"""What a simpler rule would do to the same margin groups: losers first, largest first, pro rata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_actions import Actions, slices
from shockgrid.desk.liquidation_changes import Changes
from shockgrid.desk.liquidation_copies import runs
from shockgrid.desk.liquidation_cover import cover_of, opens_risk
from shockgrid.desk.liquidation_found import Step
from shockgrid.desk.liquidation_search import LARGE_BOOK, LEAST, Search
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
    uncovers: Mask  #: leaves more short options uncovered than there were, which no plan does


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
            figures[1, owner] += search.costs_of([step])[0]
    freed = start.requirements - search.at(quantities, figures[1]).requirements
    cures = np.array([owner in drafts and drafts[owner].cured for owner in range(count)])
    return Baseline(figures[0], freed, figures[1], cures, _uncovers(search, quantities))


def _uncovers(search: Search, quantities: Floats) -> Mask:
    """Which margin groups [M] have more short options uncovered at these quantities than at the start."""
    ground, start = search.ground, search.start.quantities
    moved = np.flatnonzero(quantities != start)
    moved = moved[np.argsort(ground.ranks[moved])]
    every, owners = np.arange(len(ground.rates)), ground.plan.positions.margin_groups[moved]
    changes = Changes(every, owners, moved, (quantities - start)[moved])
    return opens_risk(ground, start, changes, cover_of(ground, start))


def _pro_rata(search: Search, owners: Codes) -> dict[int, Draft]:
    start = search.start
    actions = slices(search.ground, start.quantities, owners, search.tradable)
    actions = actions._replace(levels=np.full(len(actions.owners), FINEST))
    cured = _cures(search, actions)
    return {
        int(owner): Draft((_whole(actions, at),), 0.0, bool(cured[at]))
        for at, owner in enumerate(actions.owners)
    }


def cheaper(search: Search, drafts: Mapping[int, Draft]) -> dict[int, Draft]:
    """Plans by the rules that take less than these ones, and leave no more short options uncovered."""
    found: dict[int, Draft] = {}
    owners = np.array(sorted(drafts), np.intp)
    limits = np.zeros(len(search.ground.rates))
    for owner, draft in drafts.items():
        limits[owner] = draft.weight if draft.cured else np.inf
    for rule in BASELINES:
        way = (
            _alike_within(search, owners, limits)
            if rule == "pro_rata"
            else _prefixes(search, owners, limits, rule)
        )
        last = {owner: len(draft.steps) - 1 for owner, draft in way.items()}
        for owner, draft in shrunk(search, way, last).items():
            if draft.weight < limits[owner]:
                found[owner], limits[owner] = draft, draft.weight
    return found


def _prefixes(search: Search, owners: Codes, limits: Floats, rule: str) -> dict[int, Draft]:
    """The first positions in the rule's order that cure together; all but the last stay within the limit.

    No more than ``LARGE_BOOK`` of them.
    """
    quantities = search.start.quantities
    rows, first = _in_order(search, owners, rule)
    groups = search.ground.plan.positions.margin_groups[rows]
    weights = np.append(0.0, np.cumsum(search.weights_of(rows, -quantities[rows])))
    early = np.arange(len(rows)) - first[groups] < LARGE_BOOK
    kept = np.flatnonzero(early & (weights[:-1] - weights[first[groups]] < limits[groups]))
    sizes = kept + 1 - first[groups[kept]]
    places = runs(first[groups[kept]], kept + 1)[0]
    starts = np.append(0, np.cumsum(sizes))
    actions = Actions(
        groups[kept], starts, rows[places], -quantities[rows[places]], np.ones(len(kept), np.intp)
    )
    assessed = search.assess(search.start, actions.changes(np.arange(len(kept)), actions.levels))
    good = np.flatnonzero(assessed.cured & ~assessed.opened)
    ends = dict(zip(groups[kept[good]][::-1].tolist(), kept[good][::-1].tolist(), strict=True))
    return {
        owner: Draft(
            tuple(_closing(rows[at : at + 1], quantities) for at in range(first[owner], end + 1)), 0.0, True
        )
        for owner, end in ends.items()
    }


def _alike_within(search: Search, owners: Codes, limits: Floats) -> dict[int, Draft]:
    """Everything cut alike, as far as the limit goes, where that cures."""
    actions = slices(search.ground, search.start.quantities, owners, search.tradable)
    sums = np.add.reduceat(search.weights_of(actions.positions, actions.totals), actions.starts[:-1])
    shares = np.minimum(limits[actions.owners] / np.maximum(sums, LEAST), 1.0)
    levels = np.ceil(FINEST * shares).astype(np.intp)
    actions = actions._replace(levels=np.full(len(levels), FINEST))
    assessed = search.assess(search.start, actions.changes(np.arange(len(levels)), levels))
    good = np.flatnonzero(assessed.cured & ~assessed.opened)
    return {
        int(actions.owners[at]): Draft((replace(_whole(actions, at), level=int(levels[at])),), 0.0, True)
        for at in good.tolist()
    }


def _in_order(search: Search, owners: Codes, rule: str) -> tuple[Codes, Codes]:
    """Positions margin group by margin group in the rule's order, and where each group's start [M + 1]."""
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
    return rows, np.searchsorted(held.margin_groups[rows], np.arange(len(search.ground.rates) + 1))


def _one_by_one(search: Search, owners: Codes, rule: str) -> dict[int, Draft]:
    quantities = search.start.quantities
    rows, first = _in_order(search, owners, rule)
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
    return search.assess(start, changes).cured

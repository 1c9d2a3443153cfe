"""Plans of all margin groups together, sizes and the impact of all sizes in line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.desk.liquidation_greedy import completed
from shockgrid.desk.liquidation_order import Ordered, ordered
from shockgrid.desk.liquidation_polish import searched
from shockgrid.desk.liquidation_search import Search
from shockgrid.desk.liquidation_trim import Draft, trimmed

FIRST_GUESS = 0.1  #: of everything the margin groups hold, for the impact before sizes are known
PASSES = 4  #: times that sizes and the impact of all sizes together are brought into line


def settled(search: Search) -> tuple[Ordered, Search]:
    """Plans of all margin groups, with the impact of their sizes together; and the search that found them, in
    which the buffers that closing does not reach are 0.

    Where full revaluation does not say of every step what the search went by (an add-on whose ``leafwise`` is
    not its ``figure``), it is searched again with every candidate revalued in full.
    """
    plans, final = _in_line(search)
    if plans.sure or search.ground.in_full:
        return plans, final
    return _in_line(replace(search, ground=search.ground.slow(), menu=None))


def _in_line(search: Search) -> tuple[Ordered, Search]:
    """The impact of a first guess, a share of everything they hold, is in its place until sizes are known."""
    search = replace(search, pressure=search.costs.pressure(FIRST_GUESS * search.start.quantities))
    search, drafts = _within_reach(search, searched(search, np.arange(len(search.ground.rates))))
    for _ in range(PASSES):
        traded = search.costs.pressure(_amounts(search, drafts))
        open_ones = _short_of(replace(search, pressure=traded), drafts)
        if len(open_ones) == 0:
            break
        search = replace(search, pressure=np.maximum(search.pressure, traded))
        drafts |= completed(search, open_ones, drafts)
    final = replace(search, pressure=search.costs.pressure(_amounts(search, drafts)))
    plans = ordered(final, trimmed(final, drafts))
    traded = final.costs.pressure(plans.state.quantities - final.start.quantities)
    return plans, replace(final, pressure=traded)


def _within_reach(search: Search, drafts: dict[int, Draft]) -> tuple[Search, dict[int, Draft]]:
    """Where closing does not reach the buffer, a plan that ends the deficit alone, if there is one."""
    short = [owner for owner, draft in drafts.items() if not draft.cured and search.buffers[owner] > 0.0]
    if not short or not search.closing:
        return search, drafts
    buffers = search.buffers.copy()
    buffers[short] = 0.0
    without = replace(search, buffers=buffers)
    found = searched(without, np.array(short, np.intp))
    return without, drafts | {owner: draft for owner, draft in found.items() if draft.cured}


def _amounts(search: Search, drafts: Mapping[int, Draft]) -> Floats:
    """What all drafts change together, [P]."""
    amounts = np.zeros(len(search.pressure))
    for step in (step for draft in drafts.values() for step in draft.steps):
        amounts[step.positions] += step.amounts
    return amounts


def _short_of(search: Search, drafts: Mapping[int, Draft]) -> Codes:
    """Margin groups whose plan cures no more once everybody's impact is in its costs."""
    spent = np.zeros(len(search.ground.rates))
    for owner, draft in drafts.items():
        spent[owner] = search.costs_of(draft.steps).sum()
    state = search.at(search.start.quantities + _amounts(search, drafts), spent)
    left = search.ground.equity - spent - state.requirements
    short = [owner for owner, draft in drafts.items() if draft.cured and left[owner] < search.buffers[owner]]
    return np.array(short, np.intp)

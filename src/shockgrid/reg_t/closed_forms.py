"""Books so simple that the best pairing is known without a program."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Mask
from shockgrid.reg_t.bounds import MANY, most
from shockgrid.reg_t.legs import RATE, Ints, Legs
from shockgrid.reg_t.program import Counts, Tables
from shockgrid.reg_t.spreads import greatest_losses


class Simple(NamedTuple):
    """What the closed forms settle, and what they leave."""

    counts: Counts
    left: Mask  #: [Q] problems no closed form settles


def simple(tables: Tables, size: int) -> Simple:
    """Closed forms, each provably the best:

    - nothing can be formed: every leg by itself;
    - every group takes the same stock and none runs out of options first: the group that saves most, as
      often as the stock allows;
    - one group can be formed: as often as it can;
    - two options that make one limited-risk set: all of it, when that saves anything.
    """
    counts = Counts.none(tables)
    groups, sets, legs = tables.candidates, tables.sets, tables.legs
    of_groups = np.bincount(groups.problems, minlength=size)
    of_sets = np.bincount(sets.problems, minlength=size)
    chained = np.bincount(tables.chains.problems, minlength=size) > 0
    of_legs = np.bincount(legs.problems, minlength=size)
    settled = (of_groups == 0) & (of_sets == 0) & ~chained
    alone_with_stock = _alike(tables, size) & (of_groups > 0) & (of_sets == 0) & ~chained
    best = _best(groups.problems, tables.saved)
    chosen = best[alone_with_stock[groups.problems[best]] & (tables.saved[best] > 0)]
    counts.candidates[chosen] = most(tables.legs, tables.candidates)[chosen]
    verticals = (of_legs == 2) & (of_sets == 1) & (of_groups == 0) & ~chained
    verticals &= _equal_multipliers(legs, size)
    members = verticals[sets.problems[sets.member_sets]]
    least = np.full(size, MANY)
    np.minimum.at(least, legs.problems, legs.sizes)
    unit = greatest_losses(legs, sets, members.astype(np.int64))[0].astype(np.int64) * RATE
    saved = np.zeros(len(sets.problems), np.int64)
    np.add.at(saved, sets.member_sets[members], tables.alone[sets.member_legs[members]])
    worthwhile = members & (saved > unit)[sets.member_sets]
    counts.members[worthwhile] = least[legs.problems[sets.member_legs[worthwhile]]]
    return Simple(counts, ~(settled | alone_with_stock | verticals))


def _alike(tables: Tables, size: int) -> Mask:
    """Problems whose groups all take the same first leg, in the same lots, and are limited by it alone."""
    groups, limits = tables.candidates, most(tables.legs, tables.candidates)
    single = np.bincount(groups.problems, minlength=size) == 1
    lots = tables.legs.sizes[groups.legs[:, 0]] // np.maximum(groups.uses[:, 0], 1)
    limited = limits == lots
    differs = np.zeros(size, bool)
    differs[groups.problems[~limited]] = True
    for column in (groups.legs[:, 0], groups.uses[:, 0]):
        low, high = np.full(size, MANY), np.zeros(size, np.int64)
        np.minimum.at(low, groups.problems, column)
        np.maximum.at(high, groups.problems, column)
        differs |= low < high
    return np.asarray(single | ~differs, bool)


def _best(problems: Codes, saved: Ints) -> Codes:
    """The row of each problem that saves most, the first of equals."""
    order = np.lexsort((np.arange(len(saved)), -saved, problems))
    return order[np.flatnonzero(np.diff(problems[order], prepend=-1))]


def _equal_multipliers(legs: Legs, size: int) -> Mask:
    low, high = np.full(size, MANY), np.zeros(size, np.int64)
    np.minimum.at(low, legs.problems, legs.multipliers)
    np.maximum.at(high, legs.problems, legs.multipliers)
    return np.asarray(low == high, bool)

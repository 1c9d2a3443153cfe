"""From the fractions of a relaxed program to groups that can be formed: fewer of each, never more."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.reg_t.legs import Ints
from shockgrid.reg_t.program import Counts, Tables


def rounded(tables: Tables, counts: Counts, members: Floats, whole: Mask) -> Counts:
    """Counts rounded down and ``members`` [Z] rounded by running sums, then what does not fit is taken out;
    problems that are ``whole`` stay as they are.
    """
    chains = _covered(tables, counts.chains, whole)
    near = np.where(_of_members(tables, whole), counts.members, _by_running_sums(tables, members))
    fitting = _within(tables, Counts(counts.candidates, chains, near))
    return Counts(counts.candidates, chains, _even(tables, fitting, whole))


def _of_members(tables: Tables, problems: Mask) -> Mask:
    return problems[tables.sets.problems[tables.sets.member_sets]]


def _sides(tables: Tables) -> Codes:
    """Number of the (set, kind of option) each member belongs to."""
    return tables.sets.member_sets * 2 + tables.legs.is_call[tables.sets.member_legs]


def _by_running_sums(tables: Tables, members: Floats) -> Ints:
    """Along the strikes of each set, calls and puts, longs and shorts apart, the number so far is rounded:
    it is never off by more than half a contract, so the set's value hardly moves.
    """
    sets, legs = tables.sets, tables.legs
    if len(members) == 0:
        return np.zeros(0, np.int64)
    side = _sides(tables) * 2 + (legs.signs[sets.member_legs] > 0)
    order = np.lexsort((sets.member_legs, sets.member_points, side))
    heads = np.flatnonzero(np.diff(side[order], prepend=-1))
    sums = np.cumsum(members[order])
    base = np.where(heads > 0, sums[heads - 1], 0.0)
    group = np.cumsum(np.isin(np.arange(len(order)), heads)) - 1
    steps = np.floor(sums - base[group] + 0.5).astype(np.int64)
    counts = np.diff(steps, prepend=0)
    counts[heads] = steps[heads]
    result = np.zeros(len(members), np.int64)
    result[order] = counts
    return result


def _within(tables: Tables, counts: Counts) -> Ints:
    """No leg used more often than it is held: its last sets give up what is too much."""
    legs, groups, sets = tables.legs, tables.candidates, tables.sets
    free = legs.sizes.copy()
    used = groups.uses > 0
    np.subtract.at(free, groups.legs[used], (groups.uses * counts.candidates[:, None])[used])
    np.subtract.at(free, tables.chains.legs, counts.chains)
    order = np.lexsort((np.arange(len(counts.members)), sets.member_legs))
    wanted, rows = counts.members[order], sets.member_legs[order]
    if len(order) == 0:
        return counts.members
    heads = np.flatnonzero(np.diff(rows, prepend=-1))
    before = _running(wanted, heads, np.cumsum(np.isin(np.arange(len(order)), heads)) - 1) - wanted
    kept = counts.members.copy()
    kept[order] = np.clip(free[rows] - before, 0, wanted)
    return kept


def _covered(tables: Tables, counts: Ints, whole: Mask) -> Ints:
    """Down to every place of a chain no more hide than are covered."""
    chains = tables.chains
    if len(counts) == 0:
        return counts
    chain = np.cumsum(chains.first) - 1
    excess = np.where(chains.hides, counts, -counts)
    running = _running(excess, np.flatnonzero(chains.first), chain)
    # chain by chain, the greatest excess so far; the offset keeps one chain's from reaching into the next
    offset = chain * (2 * int(np.abs(running).max(initial=0)) + 1)
    removed = np.maximum.accumulate(np.maximum(running, 0) + offset) - offset
    step = np.diff(removed, prepend=0)
    step[chains.first] = removed[chains.first]
    return np.where(whole[chains.problems], counts, counts - step)


def _even(tables: Tables, counts: Ints, whole: Mask) -> Ints:
    """As many calls long as short in every set, and puts: the surplus side gives up contracts in order.

    A side of unequal multipliers is given up altogether.
    """
    sets, legs = tables.sets, tables.legs
    rows, members = sets.member_legs, counts.copy()
    if len(rows) == 0:
        return members
    side = _sides(tables)
    units = legs.signs[rows] * legs.multipliers[rows] * members
    surplus = np.bincount(side, units, 2 * len(sets.problems)).astype(np.int64)[side]
    most = np.zeros(2 * len(sets.problems), np.int64)
    np.maximum.at(most, side, legs.multipliers[rows])
    least = most.copy()
    np.minimum.at(least, side, legs.multipliers[rows])
    unequal = (most != least)[side]
    giving = legs.signs[rows] == np.sign(surplus)
    wanted = np.abs(surplus) // np.maximum(most[side], 1)
    order = np.lexsort((np.arange(len(rows)), side))
    offered = np.where(giving, members, 0)[order]
    heads = np.flatnonzero(np.diff(side[order], prepend=-1))
    before = _running(offered, heads, np.cumsum(np.isin(np.arange(len(order)), heads)) - 1) - offered
    given = np.zeros(len(rows), np.int64)
    given[order] = np.clip(wanted[order] - before, 0, offered)
    members = np.where(unequal & (surplus != 0), 0, members - given)
    return np.where(_of_members(tables, whole), counts, members)


def _running(values: Ints, heads: Codes, group: Codes) -> Ints:
    """Running sums that begin anew at every head."""
    sums = np.cumsum(values)
    base = np.where(heads > 0, sums[heads - 1], 0)
    return np.asarray(sums - base[group], np.int64)

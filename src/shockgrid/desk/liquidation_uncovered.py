"""Uncovered short options after many small changes, from where longs and shorts stand once and for all.

Quantities never change sign while an account is liquidated or hedged, so the order in which longs are matched
against shorts (see ``requirement.add_ons.uncovered_units``) is the same for every candidate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_changes import Changes
from shockgrid.desk.liquidation_copies import distinct, runs
from shockgrid.engine import Plan
from shockgrid.requirement.add_ons import Uncovered

FEW = 20_000  #: values that are summed together, however much longer one segment is than another


class _Sums(NamedTuple):
    """Of each group chosen: shorts less longs, summed from the latest expiry on."""

    before: Floats  #: largest sum up to, and without, each place; 0 at the first one
    onward: Floats  #: largest sum from each place on


class Matching:
    """Options of each (leaf, underlying, right), latest expiry first and longs before shorts."""

    def __init__(self, plan: Plan, leaf_of: Codes) -> None:
        held, table = plan.positions, plan.market.instruments
        self.units = table.units_per_contract[held.instruments]
        self.underlyings, self.option = (
            column[held.instruments] for column in (table.underlyings, table.is_option)
        )
        kinds = table.types[held.instruments]
        self.shares = (kinds == "stock") | (kinds == "etf")
        width = len(plan.market.underlyings.names)
        keys = 2 * (leaf_of * width + self.underlyings) + table.is_call[held.instruments]
        rows = np.flatnonzero(self.option)
        years = table.years[held.instruments[rows]]
        rows = rows[np.lexsort((held.quantities[rows] < 0.0, -years, keys[rows]))]
        found, group_at = np.unique(keys[rows], return_inverse=True)
        self.order = rows  #: [O] option positions, group by group
        self.starts = np.searchsorted(group_at, np.arange(len(found) + 1))
        self.place = np.full(len(keys), -1, np.intp)  #: [P] place in ``order``
        self.place[rows] = np.arange(len(rows))
        self.groups = np.full(len(keys), -1, np.intp)  #: [P] group of each option
        self.groups[rows] = group_at
        pairs, call = np.divmod(found, 2)
        self.leaves, self.names = np.divmod(pairs, width)
        self.is_call = call == 1
        names, place = np.unique(leaf_of * width + self.underlyings, return_inverse=True)
        self.pair_of: Codes = place  #: [P] leaf and underlying
        self.width = len(names)
        self.pairs: Codes = np.searchsorted(names, np.asarray(pairs))  #: [groups] leaf and underlying
        self.leaf_groups = np.searchsorted(self.leaves, np.arange(int(leaf_of.max(initial=-1)) + 2))

    def after(
        self, quantities: Floats, changes: Changes, leaves: Codes, base: Floats | None = None
    ) -> tuple[Uncovered, Floats]:
        """Uncovered units of the candidates' leaves [K] after the changes, and what each row was at ``base``.

        ``base`` None stands for ``quantities``.
        """
        groups, counts = runs(self.leaf_groups[leaves], self.leaf_groups[leaves + 1])
        candidates = np.repeat(np.arange(len(leaves)), counts)
        first = np.append(0, np.cumsum(counts))
        option = self.option[changes.positions]
        legs, owners = changes.positions[option], changes.candidates[option]
        short = -(changes.amounts[option] * self.units[legs])
        rows = first[owners] + self.groups[legs] - self.leaf_groups[leaves[owners]]
        used, group_at = distinct(groups, len(self.leaves))
        shares = self._shares(quantities, used)
        now, largest = self._largest(quantities, used, group_at, rows, legs, short)
        before = np.maximum(now - self._cover(shares, used), 0.0)
        if base is not None:
            none = np.zeros(0, np.intp)
            now = self._largest(base, used, np.arange(len(used)), none, none, np.zeros(0))[0]
            before = np.maximum(now - self._cover(self._shares(base, used), used), 0.0)
        held = shares[group_at] + self._bought(changes, first, groups)
        units = np.maximum(largest - self._cover(held, groups), 0.0)
        return Uncovered(candidates, self.names[groups], self.is_call[groups], units), before[group_at]

    def _largest(
        self, quantities: Floats, used: Codes, group_at: Codes, rows: Codes, legs: Codes, short: Floats
    ) -> tuple[Floats, Floats]:
        """The largest sum of each group used, and of each row's once its legs are more short by ``short``."""
        places, sizes = runs(self.starts[used], self.starts[used + 1])
        starts = np.append(0, np.cumsum(sizes))
        base = -(quantities * self.units)[self.order[places]]
        sums = _both_ways(base, starts)
        count = np.bincount(rows, minlength=len(group_at))
        now = np.maximum(sums.onward[starts[:-1]], 0.0)
        found = now[group_at]
        inside = starts[group_at[rows]] + self.place[legs] - self.starts[self.groups[legs]]
        single = count[rows] == 1
        at = inside[single]
        found[rows[single]] = np.maximum(np.maximum(sums.before[at], sums.onward[at] + short[single]), 0.0)
        several = np.flatnonzero(count > 1)
        if len(several):
            own = group_at[several]
            every, lengths = runs(starts[own], starts[own + 1])
            first = np.append(0, np.cumsum(lengths))
            amounts = base[every]
            number = np.zeros(len(group_at), np.intp)
            number[several] = np.arange(len(several))
            mine = ~single
            target = first[number[rows[mine]]] + inside[mine] - starts[group_at[rows[mine]]]
            amounts[target] += short[mine]  # no position twice in a candidate
            found[several] = _largest_sums(amounts, first)
        return now, found

    def _shares(self, quantities: Floats, groups: Codes) -> Floats:
        """Units of shares held beside each group's options."""
        units = np.where(self.shares, quantities * self.units, 0.0)
        sums = np.bincount(self.pair_of, units, self.width).astype(np.float64)
        return sums[self.pairs[groups]]

    def _cover(self, shares: Floats, groups: Codes) -> Floats:
        """Shares that cover calls, or shares short that cover puts."""
        return np.where(self.is_call[groups], np.maximum(shares, 0.0), np.maximum(-shares, 0.0))

    def _bought(self, changes: Changes, first: Codes, groups: Codes) -> Floats:
        """Shares each row's candidate buys of the row's underlying; ``first`` [K + 1]: its first row."""
        mine = self.shares[changes.positions]
        if not mine.any():
            return np.zeros(len(groups))
        legs, candidates = changes.positions[mine], changes.candidates[mine]
        rows, counts = runs(first[candidates], first[candidates + 1])
        leg_of = np.arange(len(legs)).repeat(counts)
        same = (self.pairs[groups[rows]] == self.pair_of[legs][leg_of]).nonzero()[0]
        bought = (changes.amounts[mine] * self.units[legs])[leg_of[same]]
        return np.bincount(rows[same], bought, len(groups)).astype(np.float64)


def _padded(values: Floats, starts: Codes) -> Iterator[tuple[Codes, Codes, Mask, Floats]]:
    """Segments of like length as rows: which, places of their values, which of them count, running sums."""
    sizes, padded = starts[1:] - starts[:-1], np.append(values, 0.0)
    if len(sizes) * int(sizes.max(initial=0)) <= FEW:
        bits = np.zeros(len(sizes), np.intp)
    else:
        bits = np.frexp(np.maximum(sizes - 1, 0).astype(np.float64))[1]
    for bit in np.bincount(bits).nonzero()[0]:
        lot = (bits == bit).nonzero()[0]
        places = starts[lot][:, None] + np.arange(int(sizes[lot].max()))
        inside = places < starts[lot + 1][:, None]
        yield lot, places, inside, padded[np.where(inside, places, len(values))].cumsum(axis=1)


def _largest_sums(values: Floats, starts: Codes) -> Floats:
    """The largest running sum of each segment, 0 where none is above it; each segment by itself."""
    largest = np.zeros(len(starts) - 1)
    for lot, _, _, sums in _padded(values, starts):
        largest[lot] = sums.max(axis=1, initial=0.0)
    return largest


def _both_ways(values: Floats, starts: Codes) -> _Sums:
    """Largest running sums of each segment up to and from every place."""
    before, onward = np.zeros(len(values)), np.zeros(len(values))
    for _, places, inside, sums in _padded(values, starts):
        up = np.zeros(sums.shape)
        np.maximum.accumulate(np.maximum(sums[:, :-1], 0.0), axis=1, out=up[:, 1:])
        down = np.where(inside, sums, -np.inf)[:, ::-1]
        before[places[inside]] = up[inside]
        onward[places[inside]] = np.maximum.accumulate(down, axis=1)[:, ::-1][inside]
    return _Sums(before, onward)

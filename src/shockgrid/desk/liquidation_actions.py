"""What can be done: single positions, pairs of legs, whole structures, each at any size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_changes import Changes
from shockgrid.desk.liquidation_copies import runs
from shockgrid.desk.liquidation_ground import Ground

NEIGHBOURS = 24  #: legs a leg is paired with: those that follow it in order of underlying, expiry and symbol
MOST_PAIRS = 2000  #: of one margin group, about: with more positions a leg has fewer neighbours
HAIR = 1e-9  #: of a unit: 3 / 10 of 10 is 3
SLICES = 20  #: sizes at which everything an account holds is cut alike


LADDER = (*(2.0**-k for k in range(12)), *(k / 12 for k in range(1, 12)))  #: sizes tried, shares of the whole


class Actions(NamedTuple):
    """A actions; at level k of K action a changes its positions by k / K of their totals, whole units."""

    owners: Codes  #: [A]
    starts: Codes  #: [A + 1] into the two below
    positions: Codes  #: [Z]
    totals: Floats  #: [Z] signed
    levels: Codes  #: [A] K >= 1

    def take(self, chosen: Codes) -> Actions:
        """The actions at these places, in this order."""
        places, counts = runs(self.starts[chosen], self.starts[chosen + 1])
        starts = np.zeros(len(chosen) + 1, np.intp)
        counts.cumsum(out=starts[1:])
        return Actions(
            self.owners[chosen], starts, self.positions[places], self.totals[places], self.levels[chosen]
        )

    def changes(self, chosen: Codes, levels: Codes) -> Changes:
        """A candidate for each chosen action at its level."""
        places, counts = runs(self.starts[chosen], self.starts[chosen + 1])
        candidates = np.arange(len(chosen)).repeat(counts)
        share = (levels / self.levels[chosen])[candidates]
        amounts = sized(self.totals[places], share)
        return Changes(self.owners[chosen], candidates, self.positions[places], amounts)


def ladder(most: Codes) -> tuple[Codes, Codes]:
    """Levels tried of actions with so many levels, and which action each is of; ascending in both."""
    tried = np.clip(np.ceil(most[:, None] * np.array(LADDER)).astype(np.intp), 1, most[:, None])
    tried.sort(axis=1)
    fresh = np.ones(tried.shape, np.bool_)
    fresh[:, 1:] = tried[:, 1:] > tried[:, :-1]
    return np.nonzero(fresh)[0], tried[fresh]


def sized(totals: Floats, share: float | Floats) -> Floats:
    """A share of these totals in whole units, toward zero; all of them, fractions included, at 1."""
    part = np.copysign(np.floor(np.abs(totals) * share + HAIR), totals)
    return np.where(share >= 1.0, totals, part)


def joined(parts: list[Actions]) -> Actions:
    """Actions one after another."""
    sizes = np.concatenate([np.diff(part.starts) for part in parts])
    return Actions(
        np.concatenate([part.owners for part in parts]),
        np.concatenate([[0], np.cumsum(sizes)]),
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.totals for part in parts]),
        np.concatenate([part.levels for part in parts]),
    )


def closings(ground: Ground, quantities: Floats, rows: Codes, tradable: Mask) -> Actions:
    """Every closing of a single position, of two legs and of a structure in one class group.

    ``rows`` are the positions to look at, whole class groups in the order of ``Ground.by_owner``.

    Two legs are closed in proportion to what is held, and one against one by what they deliver. A structure
    is everything of one class group, or of one expiry in it, in proportion.
    """
    rows = rows[(quantities[rows] != 0.0) & tradable[rows]]
    held = quantities[rows]
    keys = _leaf_keys(ground, rows)
    singles = _proportional(ground, rows, held, np.arange(len(rows)))
    parts = [singles, *_pairs(ground, rows, held, keys)]
    for key in (keys, _expiry_keys(ground, rows, keys)):
        _, group_of, counts = np.unique(key, return_inverse=True, return_counts=True)
        large = counts[group_of] > 2
        parts.append(_proportional(ground, rows[large], held[large], group_of[large]))
    return joined(parts)


def slices(ground: Ground, quantities: Floats, owners: Codes, tradable: Mask) -> Actions:
    """Everything each of these margin groups holds, cut alike."""
    rows = ground.positions_of(owners)
    rows = rows[(quantities[rows] != 0.0) & tradable[rows]]
    group_of = ground.plan.positions.margin_groups[rows]
    actions = _proportional(ground, rows, quantities[rows], group_of)
    return actions._replace(levels=np.full(len(actions.owners), SLICES))


def _leaf_keys(ground: Ground, rows: Codes) -> Codes:
    held = ground.plan.positions
    count = int(ground.classes.max(initial=0)) + 1
    return held.margin_groups[rows] * count + ground.classes[rows]


def _expiry_keys(ground: Ground, rows: Codes, leaves: Codes) -> Codes:
    years = ground.plan.market.instruments.years[ground.plan.positions.instruments[rows]]
    codes = np.unique(years, return_inverse=True)[1]
    return leaves * (int(codes.max(initial=0)) + 1) + codes


def _pairs(ground: Ground, rows: Codes, held: Floats, keys: Codes) -> list[Actions]:
    """Two legs of one class group: in proportion, and one against one where that is something else."""
    last = np.searchsorted(keys, keys, side="right")
    first = np.arange(len(rows)) + 1
    owners = ground.plan.positions.margin_groups[rows]
    sizes = np.diff(ground.starts)[owners]
    second, counts = runs(first, np.minimum(last, first + np.clip(MOST_PAIRS // sizes, 1, NEIGHBOURS)))
    first = np.repeat(np.arange(len(rows)), counts)
    if len(first) == 0:
        return []
    legs = np.column_stack([first, second]).ravel()
    pair_of = np.repeat(np.arange(len(first)), 2)
    alike = _proportional(ground, rows[legs], held[legs], pair_of)
    units = ground.plan.market.instruments.units_per_contract[ground.plan.positions.instruments[rows]]
    both = np.column_stack([units[first], units[second]])
    lots = both.max(axis=1)[:, None] / both
    sizes = np.abs(np.column_stack([held[first], held[second]]))
    most = np.floor((sizes / lots).min(axis=1) + 1e-9)
    whole = (np.abs(lots - np.rint(lots)) < 1e-9).all(axis=1) & (most >= 1.0)
    other = whole & (np.abs(most[:, None] * lots - sizes) > 1e-9).any(axis=1)
    totals = np.copysign(most[:, None] * np.rint(lots), -np.column_stack([held[first], held[second]]))
    matched = Actions(
        ground.plan.positions.margin_groups[rows[first[other]]],
        2 * np.arange(other.sum() + 1),
        rows[np.column_stack([first, second])[other].ravel()],
        totals[other].ravel(),
        most[other].astype(np.intp),
    )
    return [alike, matched]


def _proportional(ground: Ground, rows: Codes, held: Floats, group_of: Codes) -> Actions:
    """Close everything of a group in proportion; the size of its smallest position gives the levels."""
    order = np.argsort(group_of, kind="stable")
    rows, held, group_of = rows[order], held[order], group_of[order]
    starts = np.flatnonzero(np.diff(group_of, prepend=-1))
    if len(rows) == 0:
        nothing = np.zeros(0, np.intp)
        return Actions(nothing, np.zeros(1, np.intp), nothing, np.zeros(0), nothing)
    smallest = np.minimum.reduceat(np.abs(held), starts)
    return Actions(
        ground.plan.positions.margin_groups[rows[starts]],
        np.append(starts, len(rows)),
        rows,
        -held,
        np.maximum(np.floor(smallest), 1.0).astype(np.intp),
    )

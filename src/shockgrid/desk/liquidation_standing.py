"""Where all margin groups stand and what a change of one leaf makes of it, under every regime of a policy.

Figures of a part are kept by what the part holds, so that a state that was met before costs nothing again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_batch import Batch
from shockgrid.desk.liquidation_changes import Changes, unchanged
from shockgrid.desk.liquidation_copies import distinct, runs
from shockgrid.desk.liquidation_leaves import Leaves
from shockgrid.desk.liquidation_records import Effects, Records, is_leafwise
from shockgrid.desk.liquidation_uncovered import Matching
from shockgrid.requirement.totals import combined

HAIR = 1e-9  #: units; fractions of shares round


class Changed(NamedTuple):
    """K changes of one leaf each."""

    leaves: Codes  #: [K]
    effects: tuple[Effects, ...]  #: one for each regime
    opened: Mask  #: [K] leaves more short options uncovered

    def take(self, rows: Codes) -> Changed:
        """Some of them."""
        return Changed(self.leaves[rows], tuple(each.take(rows) for each in self.effects), self.opened[rows])


class Standing:
    """All regimes of a policy over one plan."""

    def __init__(self, batches: Sequence[Batch], order: Codes) -> None:
        plan = batches[0].evaluator.plan
        joint = any(batch.joint for batch in batches)
        self.plan, self.leaves = plan, Leaves.of(plan, order, joint)
        self.records = tuple(Records(batch, self.leaves) for batch in batches)
        self.matching = Matching(plan, self.leaves.leaf_of)
        self.start = plan.positions.quantities
        self.bases = np.full(len(self.leaves.part_owners), -1, np.intp)
        self.known: dict[tuple[int, bytes], int] = {}
        self.last = (np.zeros(0), np.zeros(0, np.intp))  #: quantities asked for last, and their rows
        self.count = 0
        self._add(np.arange(len(self.bases)), self.start, self.bases)

    @classmethod
    def of(cls, batches: Sequence[Batch], order: Codes) -> Standing | None:
        """None where a regime does not allow it."""
        fits = all(is_leafwise(batch.evaluator.regime) for batch in batches)
        return cls(batches, order) if fits and len(order) else None

    def rows(self, quantities: Floats) -> Codes:
        """The row [L] of every leaf in the records, once what is held there has been entered.

        The array is not to be written to later on.
        """
        if quantities is self.last[0]:
            return self.last[1]
        leaves = self.leaves
        moved = np.flatnonzero(quantities != self.start)
        parts = distinct(leaves.parts[leaves.leaf_of[moved]], len(self.bases))[0]
        bases, fresh = self.bases.copy(), []
        for part in parts.tolist():
            base = self.known.get(self._key(part, quantities), -1)
            bases[part] = base
            if base < 0:
                fresh.append(part)
        if fresh:
            self._add(np.array(fresh, np.intp), quantities, bases)
        self.last = (quantities, self._spread(bases))
        return self.last[1]

    def _key(self, part: int, quantities: Floats) -> tuple[int, bytes]:
        first, last = self.leaves.part_positions[part : part + 2]
        return part, quantities[self.leaves.order[first:last]].tobytes()

    def _spread(self, bases: Codes) -> Codes:
        leaves = self.leaves
        return bases[leaves.parts] + np.arange(len(leaves.parts)) - leaves.part_leaves[leaves.parts]

    def _add(self, parts: Codes, quantities: Floats, bases: Codes) -> None:
        """Enter these parts, and say in ``bases`` [Q] where each one's rows start."""
        leaves, sizes = runs(self.leaves.part_leaves[parts], self.leaves.part_leaves[parts + 1])
        bases[parts] = self.count + np.cumsum(sizes) - sizes
        self.count += len(leaves)
        for part in parts.tolist():
            self.known[self._key(part, quantities)] = int(bases[part])
        units = self.matching.after(quantities, unchanged(leaves), leaves)[0]
        at = self._spread(bases)
        for records in self.records:
            records.add(leaves, quantities, at, units)

    def changed(self, quantities: Floats, changes: Changes, base: Floats | None = None) -> Changed:
        """What the candidates come to, each of which changes one leaf.

        ``base`` are the quantities whose uncovered options may not grow; None for ``quantities``.
        """
        first = np.searchsorted(changes.candidates, np.arange(len(changes.owners)))
        leaves = self.leaves.leaf_of[changes.positions[first]]
        at = self.rows(quantities)
        old = quantities[changes.positions]
        closed = (old != 0.0) & (old + changes.amounts == 0.0)
        live = np.bincount(self.leaves.leaf_of, quantities != 0.0, len(self.leaves.parts))[leaves]
        gone = np.bincount(changes.candidates, closed.astype(np.float64) - (old == 0.0), len(leaves))
        empty = live - gone <= 0.0
        units, before = self.matching.after(quantities, changes, leaves, base)
        effects = tuple(
            records.effects(quantities, at, changes, leaves, units, empty) for records in self.records
        )
        opened = np.zeros(len(leaves), np.bool_)
        opened[units.margin_groups[units.units > before + HAIR]] = True
        return Changed(leaves, effects, opened)

    def required(self, code: int, quantities: Floats, owners: Codes, changed: Changed | None) -> Floats:
        """What margin groups [K] require under a regime after a change each, or as they are (None)."""
        records, at, leaves = self.records[code], self.rows(quantities), self.leaves
        groups, place = distinct(owners, len(self.plan.margin_groups))
        parts = leaves.owner_parts
        own = runs(leaves.part_leaves[parts[groups]], leaves.part_leaves[parts[groups + 1]])
        every, of_group = own[0], np.repeat(np.arange(len(groups)), own[1])
        rows = at[every]
        losses = np.where(records.leads[every], records.figures.rows[rows], 0.0)
        scan = np.bincount(of_group, losses, len(groups))[place]
        figures: dict[str, Floats] = {}
        if changed is not None:
            scan = np.maximum(scan + changed.effects[code].scans, 0.0)
            touched = np.searchsorted(every, changed.leaves)
        for number, (way, add_on) in enumerate(zip(records.ways, records.regime.add_ons, strict=True)):
            columns, size = records.columns[number].rows[rows], len(groups)
            if changed is None:
                figures[add_on.name] = way.together(columns, of_group, size)[place]
            else:
                after = changed.effects[code].columns[number]
                figures[add_on.name] = way.replaced(columns, of_group, size, touched, after)
        return combined(records.regime, np.asarray(scan, np.float64), figures)

"""Where all margin groups stand and what a change of one leaf makes of it, under every regime of a policy.

Figures of a part are kept by what the part holds, so that a state that was met before costs nothing again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_apart import ApartRecords, is_apart
from shockgrid.desk.liquidation_batch import Batch
from shockgrid.desk.liquidation_changes import Changes, unchanged
from shockgrid.desk.liquidation_copies import distinct, runs
from shockgrid.desk.liquidation_leaves import Leaves
from shockgrid.desk.liquidation_records import Effects, Records, is_leafwise
from shockgrid.desk.liquidation_uncovered import Matching
from shockgrid.requirement.add_ons import Uncovered
from shockgrid.requirement.totals import combined

BLOCK = 1024  #: candidates revalued at a time, so that their P&L stays in cache
HAIR = 1e-9  #: units; fractions of shares round


class Changed(NamedTuple):
    """K changes of one leaf each."""

    leaves: Codes  #: [K]
    effects: tuple[Effects, ...]  #: one for each regime
    opened: Mask  #: [K] leaves more short options uncovered

    def take(self, rows: Codes) -> Changed:
        """Some of them."""
        return Changed(self.leaves[rows], tuple(each.take(rows) for each in self.effects), self.opened[rows])

    def enter(self, rows: Codes, other: Changed) -> None:
        """Put others in their place."""
        self.leaves[rows], self.opened[rows] = other.leaves, other.opened
        for own, fresh in zip(self.effects, other.effects, strict=True):
            own.scans[rows] = fresh.scans
            for column, found in zip(own.columns, fresh.columns, strict=True):
                column[rows] = found


class View(NamedTuple):
    """The leaves of the margin groups that K candidates belong to."""

    size: int  #: margin groups
    place: Codes  #: [K] margin group of each candidate
    leaves: Codes  #: ascending
    groups: Codes  #: margin group of each leaf
    rows: Codes  #: of each leaf, in the records


class Standing:
    """All regimes of a policy over one plan."""

    def __init__(self, batches: Sequence[Batch], order: Codes) -> None:
        plan = batches[0].evaluator.plan
        joint = any(batch.joint for batch in batches)
        self.plan, self.leaves = plan, Leaves.of(plan, order, joint)
        self.records = tuple(
            Records(batch, self.leaves)
            if is_leafwise(batch.evaluator.regime)
            else ApartRecords(batch, self.leaves)
            for batch in batches
        )
        self.linear = [records for records in self.records if isinstance(records, Records)]
        held, table = plan.positions, plan.market.instruments
        self.places = batches[0].place[held.instruments]
        none = np.zeros((len(batches[0].units), 0))
        self.units = np.concatenate([none, *(records.units for records in self.linear)], axis=1)
        self.widths = np.cumsum([records.units.shape[1] for records in self.linear])[:-1]
        self.per_unit = (table.multipliers * table.fx_rates)[held.instruments]
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
        plan, regimes = batches[0].evaluator.plan, [batch.evaluator.regime for batch in batches]
        fits = all(is_leafwise(regime) or is_apart(regime, plan) for regime in regimes)
        return cls(batches, order) if fits and len(order) else None

    def rows(self, quantities: Floats) -> Codes:
        """The row [L] of every leaf in the records, once what is held there has been entered.

        The array is not to be written to later on.
        """
        if quantities is self.last[0]:
            return self.last[1]
        bases, fresh = self.bases.copy(), []
        for part in self._moved(quantities).tolist():
            base = self.known.get(self._key(part, quantities), -1)
            bases[part] = base
            if base < 0:
                fresh.append(part)
        if fresh:
            self._add(np.array(fresh, np.intp), quantities, bases)
        self.last = (quantities, self._spread(bases))
        return self.last[1]

    def knows(self, quantities: Floats) -> bool:
        """Whether all that is held at these quantities has been met."""
        return all(self._key(part, quantities) in self.known for part in self._moved(quantities).tolist())

    def parts_of(self, positions: Codes) -> Codes:
        """The part each of these positions is in."""
        return self.leaves.parts[self.leaves.leaf_of[positions]]

    def _moved(self, quantities: Floats) -> Codes:
        """The parts in which something is not as at the start, ascending."""
        moved = np.flatnonzero(quantities != self.start)
        return distinct(self.parts_of(moved), len(self.bases))[0]

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
        places, counts = runs(self.leaves.starts[leaves], self.leaves.starts[leaves + 1])
        held, owners = self.leaves.order[places], np.repeat(np.arange(len(leaves)), counts)
        live = quantities[held] != 0.0
        empty = np.bincount(owners, live, len(leaves)) == 0.0
        changes = Changes(leaves, owners[live], held[live], quantities[held[live]])
        units = self.matching.after(quantities, unchanged(leaves), leaves)[0]
        at, none = self._spread(bases), np.zeros(len(quantities))
        pnl = self._products(changes, leaves, slice(0, len(leaves)))
        for records, own in zip(self.linear, pnl, strict=True):
            records.add(leaves, own, records.charged(changes, none), at, units, empty)
        for other in self.records:
            if isinstance(other, ApartRecords):
                other.add(leaves, quantities, empty)

    def _products(self, changes: Changes, leaves: Codes, part: slice) -> list[Floats]:
        """P&L of the changes of some candidates under each regime."""
        starts = np.searchsorted(changes.candidates, np.arange(part.start, part.stop + 1))
        legs = slice(int(starts[0]), int(starts[-1]))
        positions = changes.positions[legs]
        weights = changes.amounts[legs] * self.per_unit[positions]
        parts = (weights, self.places[positions], starts - starts[0])
        pnl = np.asarray(
            sparse.csr_array(parts, shape=(part.stop - part.start, len(self.units))) @ self.units
        )
        if not self.linear:
            return []
        found = np.split(pnl, self.widths, axis=1)
        return [records.weighted(own, leaves[part]) for records, own in zip(self.linear, found, strict=True)]

    def changed(self, quantities: Floats, changes: Changes, base: Floats | None = None) -> Changed:
        """What the candidates come to, each of which changes one leaf.

        ``base`` are the quantities whose uncovered options may not grow; None for ``quantities``.
        """
        first = np.searchsorted(changes.candidates, np.arange(len(changes.owners)))
        leaves = self.leaves.leaf_of[changes.positions[first]]
        old = quantities[changes.positions]
        closed = (old != 0.0) & (old + changes.amounts == 0.0)
        live = np.bincount(self.leaves.leaf_of, quantities != 0.0, len(self.leaves.parts))[leaves]
        gone = np.bincount(changes.candidates, closed.astype(np.float64) - (old == 0.0), len(leaves))
        empty = live - gone <= 0.0
        units, before = self.matching.after(quantities, changes, leaves, base)
        effects = self._effects(quantities, changes, leaves, units, empty)
        opened = np.zeros(len(leaves), np.bool_)
        opened[units.margin_groups[units.units > before + HAIR]] = True
        return Changed(leaves, effects, opened)

    def _effects(
        self, quantities: Floats, changes: Changes, leaves: Codes, units: Uncovered, empty: Mask
    ) -> tuple[Effects, ...]:
        """What the changes of ``leaves`` [K] come to under every regime."""
        linear, at = iter(self._linear(quantities, changes, leaves, units, empty)), self.rows(quantities)
        return tuple(
            records.effects(quantities, at, changes, leaves, empty)
            if isinstance(records, ApartRecords)
            else next(linear)
            for records in self.records
        )

    def _linear(
        self, quantities: Floats, changes: Changes, leaves: Codes, units: Uncovered, empty: Mask
    ) -> list[Effects]:
        """The same of the regimes that follow the P&L of each leaf."""
        at, count = self.rows(quantities), len(leaves)
        charges = [
            np.where(empty, 0.0, records.charges.rows[at[leaves]] + records.charged(changes, quantities))
            for records in self.linear
        ]
        scans = [np.empty(count) for _ in self.linear]
        tagged = [np.empty((count, records.others)) for records in self.linear]
        for low in range(0, count, BLOCK):
            part = slice(low, min(low + BLOCK, count))
            for code, pnl in enumerate(self._products(changes, leaves, part)):
                moved = self.linear[code].moved(pnl, leaves[part], charges[code][part], at, empty[part])
                scans[code][part], tagged[code][part] = moved
        return [
            Effects(own, records.columns_of(rest, units, empty))
            for records, own, rest in zip(self.linear, scans, tagged, strict=True)
        ]

    def view(self, quantities: Floats, owners: Codes) -> View:
        """Where the margin groups of these candidates stand."""
        leaves = self.leaves
        groups, place = distinct(owners, len(self.plan.margin_groups))
        parts = leaves.owner_parts
        every, counts = runs(leaves.part_leaves[parts[groups]], leaves.part_leaves[parts[groups + 1]])
        return View(
            len(groups), place, every, np.repeat(np.arange(len(groups)), counts), self.rows(quantities)[every]
        )

    def required(self, code: int, view: View, changed: Changed | None) -> Floats:
        """What margin groups [K] require under a regime after a change each, or as they are (None)."""
        records, size = self.records[code], view.size
        losses = np.where(records.leads[view.leaves], records.figures.rows[view.rows], 0.0)
        scan = np.bincount(view.groups, losses, size)[view.place]
        figures: dict[str, Floats] = {}
        if changed is not None:
            scan = np.maximum(scan + changed.effects[code].scans, 0.0)
            touched = np.searchsorted(view.leaves, changed.leaves)
        for number, (way, add_on) in enumerate(zip(records.ways, records.regime.add_ons, strict=True)):
            columns = records.columns[number].rows[view.rows]
            if changed is None:
                figures[add_on.name] = way.together(columns, view.groups, size)[view.place]
            else:
                after = changed.effects[code].columns[number]
                figures[add_on.name] = way.replaced(columns, view.groups, size, touched, after)
        return combined(records.regime, np.asarray(scan, np.float64), figures)

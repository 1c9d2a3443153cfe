"""Where all margin groups stand and what a change of one leaf makes of it, under every regime of a policy.

Figures of a part are kept by what the part holds, so that a state that was met before costs nothing again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_apart import ApartRecords, is_apart
from shockgrid.desk.liquidation_batch import Batch
from shockgrid.desk.liquidation_changes import Changes, unchanged
from shockgrid.desk.liquidation_copies import distinct, runs
from shockgrid.desk.liquidation_leaves import Leaves
from shockgrid.desk.liquidation_products import Products
from shockgrid.desk.liquidation_records import Effects, Grown, Part, Records, is_leafwise
from shockgrid.desk.liquidation_uncovered import Matching
from shockgrid.desk.liquidation_views import Footing, Met, View
from shockgrid.requirement.add_ons import Uncovered
from shockgrid.requirement.totals import combined

BLOCK = 512  #: candidates revalued at a time, so that their P&L stays in cache and in memory at hand
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
        self.places = batches[0].place[held.instruments].astype(np.int32)
        none = np.zeros((len(batches[0].units), 0))
        units = np.concatenate([none, *(records.units for records in self.linear)], axis=1)
        #: [units and leaves that were met, scenarios of all regimes] P&L: of a unit, of what a leaf held
        self.table, self.first_leaf = Grown(), len(units)
        self.table.add(units)
        ends = np.append(0, np.cumsum([records.units.shape[1] for records in self.linear])).tolist()
        self.columns = [slice(*each) for each in pairwise(ends)]
        for records, columns in zip(self.linear, self.columns, strict=True):
            records.pnl = Part(self.table, self.first_leaf, columns)
        self.per_unit = (table.multipliers * table.fx_rates)[held.instruments]
        self.matching = Matching(plan, self.leaves.leaf_of)
        self.known: dict[tuple[int, bytes], int] = {}
        self.count, bases = 0, np.full(len(self.leaves.part_owners), -1, np.intp)
        self._add(np.arange(len(bases)), plan.positions.quantities, bases)
        self.last = Met(plan.positions.quantities, bases, self._spread(bases))  #: asked for last
        self.footing: Footing | None = None  #: the last one

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
        if quantities is self.last.quantities:
            return self.last.rows
        bases = self._met(quantities)
        fresh = (bases < 0).nonzero()[0]
        if len(fresh):
            self._add(fresh, quantities, bases)
        self.last = Met(quantities, bases, self._spread(bases))
        return self.last.rows

    def knows(self, quantities: Floats) -> bool:
        """Whether all that is held at these quantities has been met."""
        return bool((self._met(quantities) >= 0).all())

    def parts_of(self, positions: Codes) -> Codes:
        """The part each of these positions is in."""
        return self.leaves.parts[self.leaves.leaf_of[positions]]

    def _met(self, quantities: Floats) -> Codes:
        """Where the rows of each part [Q] start in the records; -1 for what has not been met."""
        bases = self.last.bases.copy()
        moved = self.parts_of((quantities != self.last.quantities).nonzero()[0])
        for part in distinct(moved, len(bases))[0].tolist():
            bases[part] = self.known.get(self._key(part, quantities), -1)
        return bases

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
        pnl = self._products(changes).block(slice(0, len(leaves)))
        self.table.add(pnl)
        for records, columns in zip(self.linear, self.columns, strict=True):
            records.add(leaves, pnl[:, columns], records.charged(changes, none), at, units, empty)
        for other in self.records:
            if isinstance(other, ApartRecords):
                other.add(leaves, quantities, empty)

    def _products(self, changes: Changes, rows: Codes | None = None) -> Products:
        """P&L of each candidate's changes under all regimes, added to that of the leaves in these rows."""
        weights = changes.amounts * self.per_unit[changes.positions]
        places = self.places[changes.positions]
        added = None if rows is None else self.first_leaf + rows
        return Products.of(self.table.rows, weights, places, changes, added)

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
        rows = at[leaves]
        charges = [
            np.where(empty, 0.0, records.charges.rows[rows] + records.charged(changes, quantities))
            for records in self.linear
        ]
        scans = [np.empty(count) for _ in self.linear]
        tagged = [np.empty((count, records.others)) for records in self.linear]
        products = self._products(changes, rows)
        for low in range(0, count, BLOCK):
            part = slice(low, min(low + BLOCK, count))
            pnl = products.block(part)
            for code, records in enumerate(self.linear):
                own, least = pnl[:, self.columns[code]], charges[code][part]
                scans[code][part], tagged[code][part] = records.moved(
                    own, leaves[part], least, at, empty[part]
                )
        return [
            Effects(own, records.columns_of(rest, units, empty))
            for records, own, rest in zip(self.linear, scans, tagged, strict=True)
        ]

    def view(self, quantities: Floats, owners: Codes) -> View:
        """Where the margin groups of these candidates stand."""
        groups, place = distinct(owners, len(self.plan.margin_groups))
        last, rows = self.footing, self.rows(quantities)
        if last is None or rows is not last.all_rows or not np.array_equal(groups, last.owners):
            leaves, parts = self.leaves, self.leaves.owner_parts
            every, counts = runs(leaves.part_leaves[parts[groups]], leaves.part_leaves[parts[groups + 1]])
            of_leaves = np.arange(len(groups)).repeat(counts)
            self.footing = last = Footing(groups, rows, every, of_leaves, rows[every], {}, {})
        return View(last, place)

    def required(self, code: int, view: View, changed: Changed | None) -> Floats:
        """What margin groups [K] require under a regime after a change each, or as they are (None)."""
        records, on, place = self.records[code], view.footing, view.place
        size, figures = len(on.owners), dict[str, Floats]()
        if code not in on.scans:
            losses = np.where(records.leads[on.leaves], records.figures.rows[on.rows], 0.0)
            on.scans[code] = np.bincount(on.groups, losses, size).astype(np.float64)
        scan = on.scans[code][place]
        if changed is not None:
            scan = np.maximum(scan + changed.effects[code].scans, 0.0)
            touched = np.searchsorted(on.leaves, changed.leaves) if records.ways else changed.leaves
        for number, (way, add_on) in enumerate(zip(records.ways, records.regime.add_ons, strict=True)):
            if changed is None:
                columns = records.columns[number].rows[on.rows]
                figures[add_on.name] = way.together(columns, on.groups, size)[place]
                continue
            if (code, number) not in on.replaced:
                columns = records.columns[number].rows[on.rows]
                on.replaced[code, number] = way.replaced(columns, on.groups, size)
            after = changed.effects[code].columns[number]
            figures[add_on.name] = on.replaced[code, number](touched, after)
        return combined(records.regime, scan, figures)

"""Leaves that are margined as if each were all that is held: regimes whose charges never look beyond one."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_batch import Batch
from shockgrid.desk.liquidation_changes import Changes
from shockgrid.desk.liquidation_copies import Holdings, copied, runs
from shockgrid.desk.liquidation_leaves import Leaves
from shockgrid.desk.liquidation_records import Effects, Grown
from shockgrid.engine import Plan
from shockgrid.requirement.fold import CLASS, MARGIN
from shockgrid.requirement.leafwise import Apart
from shockgrid.requirement.regime import Regime

ROWS = 400_000  #: positions of candidates revalued at a time


def is_apart(regime: Regime, plan: Plan) -> bool:
    """Whether the requirement follows from what each leaf comes to by itself: scan and add-ons."""
    height, ways = regime.tree.height, [add_on.leafwise for add_on in regime.add_ons]
    names = [(group.name, group.product_group, group.portfolio_group) for group in plan.class_groups()]
    nodes = {name[height:] for name in names} if height < MARGIN else set()
    single = height == CLASS or len(nodes) == len(names)  # no node of several class groups
    return single and all(isinstance(way, Apart) and way.holds(plan.market) for way in ways)


class ApartRecords:
    """Figures of one regime; row r of each column is the r-th leaf that was added."""

    def __init__(self, batch: Batch, leaves: Leaves) -> None:
        self.batch, self.leaves, self.regime = batch, leaves, batch.evaluator.regime
        self.leads = np.ones(len(leaves.owners), np.bool_)
        self.ranks = np.argsort(leaves.order)  #: [P] place of each position in ``order``
        self.figures = Grown()
        ways = [add_on.leafwise for add_on in self.regime.add_ons]
        self.same = [isinstance(way, Apart) and way.same for way in ways]
        self.ways = tuple(way.way for way in ways if isinstance(way, Apart))
        self.columns = tuple(Grown() for _ in self.ways)

    def add(self, leaves: Codes, quantities: Floats, empty: Mask) -> None:
        """Enter leaves as they are at these quantities."""
        none = np.zeros(0, np.intp)
        found = self._evaluated(quantities, Changes(leaves, none, none, np.zeros(0)), leaves, empty)
        self.figures.add(found.scans)
        for column, own in zip(self.columns, found.columns, strict=True):
            column.add(own)

    def effects(self, quantities: Floats, at: Codes, changes: Changes, leaves: Codes, empty: Mask) -> Effects:
        """What changes of ``leaves`` [K] come to from where the rows ``at`` [L] stand."""
        found = self._evaluated(quantities, changes, leaves, empty)
        return Effects(found.scans - self.figures.rows[at[leaves]], found.columns)

    def _evaluated(self, quantities: Floats, changes: Changes, leaves: Codes, empty: Mask) -> Effects:
        """Scan and add-ons of the leaves after the changes, each leaf as a margin group."""
        own = np.flatnonzero(self.batch.served[self.leaves.owners[leaves]])
        block_of = np.cumsum(np.diff(self.leaves.starts)[leaves[own]]) // ROWS
        scans, columns = np.zeros(len(leaves)), [np.zeros((len(leaves), 1)) for _ in self.ways]
        for block in np.unique(block_of):
            rows = own[block_of == block]
            owners = self.leaves.owners[leaves[rows]]
            held = self._holdings(quantities, changes.take(rows), leaves[rows])
            totals = self.batch.dense(copied(self.batch.evaluator.plan, owners, held), owners, False).totals
            scans[rows] = totals.scan
            for column, add_on in zip(columns, self.regime.add_ons, strict=True):
                column[rows, 0] = totals.figures[add_on.name]
        for column, same in zip(columns, self.same, strict=True):
            column[empty & (not same)] = np.nan
        return Effects(scans, tuple(columns))

    def _holdings(self, quantities: Floats, changes: Changes, leaves: Codes) -> Holdings:
        first = self.leaves.starts[leaves]
        places, counts = runs(first, self.leaves.starts[leaves + 1])
        rows, owners = self.leaves.order[places], np.repeat(np.arange(len(leaves)), counts)
        held, starts = quantities[rows], np.cumsum(counts) - counts
        own = changes.candidates
        held[starts[own] + self.ranks[changes.positions] - first[own]] += changes.amounts
        kept = held != 0.0
        return Holdings(owners[kept], rows[kept], held[kept])

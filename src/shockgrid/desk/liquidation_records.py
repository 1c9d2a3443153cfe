"""One regime's figures of leaves at quantities that have been met, and after a change of one leaf."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_batch import Batch
from shockgrid.desk.liquidation_changes import Changes
from shockgrid.desk.liquidation_copies import distinct, runs
from shockgrid.desk.liquidation_leaves import Leaves
from shockgrid.engine import ClassGroup
from shockgrid.requirement.add_ons import Uncovered, uncovered_by_name
from shockgrid.requirement.fold import CLASS, MARGIN, PORTFOLIO, Rows, folded
from shockgrid.requirement.leafwise import LeafRows, Leafwise
from shockgrid.requirement.reducers import worst
from shockgrid.requirement.regime import Regime
from shockgrid.requirement.tree import offset_gains

FLAT = 1e-12  #: of a leaf's P&L before: what a change leaves of it is rounding


class Grown:
    """Rows that more are added to."""

    def __init__(self, kind: type[np.generic] = np.float64) -> None:
        self._rows, self._count = np.empty(0, kind), 0

    def add(self, more: NDArray[Any]) -> None:
        """Add rows at the end."""
        need = self._count + len(more)
        if need > len(self._rows) or more.shape[1:] != self._rows.shape[1:]:  # the first rows tell the width
            wider = np.empty((max(need, 2 * len(self._rows)), *more.shape[1:]), self._rows.dtype)
            if self._count:
                wider[: self._count] = self.rows
            self._rows = wider
        self._rows[self._count : need] = more
        self._count = need

    @property
    def rows(self) -> NDArray[Any]:
        """All of them."""
        return self._rows[: self._count]


class Part:
    """Some columns of rows that more are added to, from a row on."""

    def __init__(self, whole: Grown, first: int, columns: slice) -> None:
        self._whole, self._first, self._columns = whole, first, columns

    @property
    def rows(self) -> Floats:
        """All of them."""
        return self._whole.rows[self._first :, self._columns]


class Moved(NamedTuple):
    """What K changes of one leaf each come to under one regime, before its add-ons."""

    scans: Floats  #: [K] change of the scan
    tagged: Floats  #: [K, other] P&L of the leaf after it in the scenarios that are not standard


class Effects(NamedTuple):
    """What K changes of one leaf each come to under one regime, in the base currency."""

    scans: Floats  #: [K] change of the scan
    columns: tuple[Floats, ...]  #: of each add-on the leaf's columns [K, c] after the change

    def take(self, rows: Any) -> Effects:
        """Some of them."""
        return Effects(self.scans[rows], tuple(column[rows] for column in self.columns))


def is_leafwise(regime: Regime) -> bool:
    """Whether a change of one leaf can be followed by itself: its node, and its columns of every add-on."""
    tree = regime.tree
    if tree.by_expiry or (tree.height == MARGIN and tree.transforms):
        return False
    known = all(add_on.of_plan in (None, uncovered_by_name) for add_on in regime.add_ons)
    return known and len(_ways(regime)) == len(regime.add_ons)


def _ways(regime: Regime) -> tuple[Leafwise, ...]:
    ways = [add_on.leafwise for add_on in regime.add_ons]
    return tuple(way for way in ways if isinstance(way, Leafwise))


class Records:
    """Figures of one regime; row r of each column is the r-th leaf that was added."""

    def __init__(self, batch: Batch, leaves: Leaves) -> None:
        evaluator = batch.evaluator
        plan, tags = evaluator.plan, np.asarray(evaluator.scenarios.tags, object)
        used = np.array([at for at in evaluator.other.tolist() if tags[at] != "report"], np.intp)
        self.evaluator, self.leaves = evaluator, leaves
        self.regime, self.tree, self.count = evaluator.regime, evaluator.regime.tree, len(evaluator.standard)
        self.scenarios = np.concatenate([evaluator.standard, used])
        self.others = len(used)
        #: among those scenarios that are not standard
        self.tags = {str(tag): np.flatnonzero(tags[used] == tag) for tag in dict.fromkeys(tags[used])}
        self.groups = list(plan.class_groups())
        self.kinds = self._kinds()
        self.inside: dict[int, list[tuple[ClassGroup, Codes]]] = {}  #: by node, see ``_inside``
        self.units = self._units(batch)
        keys = leaves.parts * (int(self.kinds.max(initial=0)) + 1) + self.kinds[leaves.classes]
        firsts, nodes = np.unique(keys, return_index=True, return_inverse=True)[1:]
        self.leads = np.zeros(len(keys), np.bool_)  #: [L] the first leaf of its node
        self.leads[firsts] = True
        unmoved = all(each is offset_gains for each in self.tree.transforms.values())
        self.plain: Mask = (np.bincount(nodes)[nodes] == 1) & (self.tree.height in (CLASS, MARGIN) or unmoved)
        held, table = plan.positions, plan.market.instruments
        worth = table.multipliers * plan.market.spot_rates()[table.underlyings] * table.is_option
        self.per_contract = (self.tree.minimum_per_unit * worth)[held.instruments]
        netted = held.margin_groups * len(table.symbols) + held.instruments
        codes, self.nets = np.unique(netted, return_inverse=True)  #: [P] margin group and instrument
        self.twins = len(codes) < len(netted)
        self.charges, self.figures, self.largest = Grown(), Grown(), Grown()
        self.pnl = Part(Grown(), 0, slice(None))  #: in its place ``Standing`` puts what it keeps
        self.ways = _ways(self.regime)
        self.columns = tuple(Grown() for _ in self.ways)

    def _units(self, batch: Batch) -> Floats:
        """Unit P&L of the instruments as it counts."""
        units, states = batch.units[:, self.scenarios], self.evaluator.states
        if states.weighted:
            firsts = [group.sections[0][0] for group in self.groups]
            owners = np.repeat(firsts, [len(group.instruments) for group in self.groups])
            units *= states.weights[owners][:, self.scenarios]
        return units

    def _kinds(self) -> Codes:
        """Node of each class group."""
        if self.tree.height == MARGIN:
            return np.zeros(len(self.groups), np.intp)
        kept = (
            slice(self.tree.height, None) if self.tree.height < PORTFOLIO else slice(PORTFOLIO, PORTFOLIO + 1)
        )
        names = [(group.name, group.product_group, group.portfolio_group)[kept] for group in self.groups]
        order = {name: code for code, name in enumerate(dict.fromkeys(names))}
        return np.array([order[name] for name in names], np.intp)

    def add(
        self, leaves: Codes, pnl: Floats, charges: Floats, at: Codes, units: Uncovered, empty: Mask
    ) -> None:
        """Enter leaves with this P&L, kept already, and these charges; ``at`` [L] names their rows."""
        self.charges.add(charges)
        self.largest.add(np.abs(pnl).max(axis=1))
        self.figures.add(self._figures(leaves, pnl, charges, at))
        for column, found in zip(
            self.columns, self.columns_of(pnl[:, self.count :], units, empty), strict=True
        ):
            column.add(found)

    def moved(self, pnl: Floats, leaves: Codes, charges: Floats, at: Codes, empty: Mask) -> Moved:
        """What changes of ``leaves`` [K] come to from where the rows ``at`` [L] stand.

        ``pnl`` is that of the leaves after the changes, and is written to; ``charges`` are those after
        them; ``empty`` leaves hold nothing any more.
        """
        rows, rest = at[leaves], (~self.plain[leaves]).nonzero()[0]
        pnl[empty] = 0.0
        if len(rest):  # a flat row is no sibling: see ``fold.gathered``
            flat = np.abs(pnl[rest]).max(axis=1) <= FLAT * self.largest.rows[rows[rest]]
            pnl[rest[flat]] = 0.0
        figures = self._figures(leaves, pnl, charges, at)
        return Moved(figures - self.figures.rows[rows], pnl[:, self.count :].copy())

    def charged(self, changes: Changes, quantities: Floats) -> Floats:
        """By how much the minimum charges of the candidates' leaves change, from these quantities on."""
        count = len(changes.owners)
        if self.tree.minimum_per_unit == 0.0:
            return np.zeros(count)
        positions, candidates, amounts = changes.positions, changes.candidates, changes.amounts
        if self.twins:
            width = len(quantities)
            keys, first, place = np.unique(
                candidates * width + self.nets[positions], return_index=True, return_inverse=True
            )
            positions, candidates = positions[first], keys // width
            amounts = np.bincount(place, amounts, len(keys)).astype(np.float64)
        now = np.bincount(self.nets, quantities, len(quantities))[self.nets[positions]]
        change = (np.abs(now + amounts) - np.abs(now)) * self.per_contract[positions]
        return np.bincount(candidates, change, count).astype(np.float64)

    def columns_of(self, tagged: Floats, units: Uncovered, empty: Mask) -> tuple[Floats, ...]:
        """The columns of every add-on; NaN where a leaf is empty."""
        by_tag = {tag: tagged[:, columns] for tag, columns in self.tags.items()}
        market, found = self.evaluator.plan.market, []
        for way, add_on in zip(self.ways, self.regime.add_ons, strict=True):
            known = units if add_on.of_plan is uncovered_by_name else None
            columns = way.columns(LeafRows(len(empty), by_tag, known, market))
            columns[empty] = np.nan
            found.append(columns)
        return tuple(found)

    def _reduced(self, pnl: Floats) -> Floats:
        own = pnl[:, : self.count]
        if self.tree.reducer is not worst:
            return self.tree.reducer(own).losses
        losses: Floats = np.maximum(-own.min(axis=1), 0.0)
        return losses

    def _figures(self, leaves: Codes, pnl: Floats, charges: Floats, at: Codes) -> Floats:
        """Losses of the leaves' nodes with their minimum top-ups, once these leaves have this P&L."""
        figures, rest = np.empty(len(leaves)), (~self.plain[leaves]).nonzero()[0]
        if len(rest) < len(leaves):
            np.maximum(self._reduced(pnl), charges, out=figures)
        if len(rest):
            way = self._joined if self.tree.height == MARGIN else self._folded
            figures[rest] = way(leaves[rest], pnl[rest], charges[rest], at)
        return figures

    def _joined(self, leaves: Codes, pnl: Floats, charges: Floats, at: Codes) -> Floats:
        """Everything a margin group holds in one node."""
        parts, place = distinct(self.leaves.parts[leaves], len(self.leaves.part_owners))
        every, counts = runs(self.leaves.part_leaves[parts], self.leaves.part_leaves[parts + 1])
        starts = np.cumsum(counts) - counts
        sums = np.add.reduceat(self.pnl.rows[at[every]], starts)[place]
        sums += pnl - self.pnl.rows[at[leaves]]
        minimums = np.add.reduceat(self.charges.rows[at[every]], starts)[place]
        minimums += charges - self.charges.rows[at[leaves]]
        figures: Floats = np.maximum(self._reduced(sums), minimums)
        return figures

    def _folded(self, leaves: Codes, pnl: Floats, charges: Floats, at: Codes) -> Floats:
        """Nodes of several class groups, through the tree."""
        figures, kinds = np.empty(len(leaves)), self.kinds[self.leaves.classes[leaves]]
        offsets, height = self.evaluator.plan.market.offsets, self.tree.height
        for kind in np.bincount(kinds).nonzero()[0].tolist():
            mine = (kinds == kind).nonzero()[0]
            own, after = leaves[mine], pnl[mine, : self.count]
            rows, groups, least = [], [], np.zeros(len(mine))
            for group, leaf_at in self._inside(kind):
                held = leaf_at[own]
                who = (held >= 0).nonzero()[0]
                changed, at_group = held[who] == own[who], at[held[who]]
                least[who] += np.where(changed, charges[mine[who]], self.charges.rows[at_group])
                before = self.pnl.rows[at_group, : self.count]
                rows.append(Rows("", who, np.where(changed[:, None], after[who], before)))
                groups.append(group)
            top = folded(groups, rows, self.tree, offsets, height)[0]
            figures[mine] = np.maximum(self._reduced(top.pnl), least)
        return figures

    def _inside(self, kind: int) -> list[tuple[ClassGroup, Codes]]:
        """The class groups of a node, and of each leaf's part [L] the leaf in that class group, or -1."""
        if kind not in self.inside:
            self.inside[kind] = [
                (self.groups[code], self.leaves.holding(self.leaves.parts, int(code)))
                for code in (self.kinds == kind).nonzero()[0]
            ]
        return self.inside[kind]

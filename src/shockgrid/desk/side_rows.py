"""The leaves of a side whose P&L rows go through its tree, portfolio group by portfolio group."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.desk.joint import JointIndex
from shockgrid.requirement.collect import Collected, NodeColumns, collected
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.fold import MARGIN, Rows, portfolio_counts
from shockgrid.requirement.priced import PortfolioResult
from shockgrid.requirement.reducers import Reduced
from shockgrid.requirement.regime import Leaves, TaggedExpiries

_LEAF_COLUMNS = ("losses", "scenarios", "price_shocks", "vol_shocks")


class Place(NamedTuple):
    """Where the rows of one portfolio group stand among all rows."""

    leaves: slice
    nodes: slice
    unoffset: slice
    expiries: slice


class FoldedRows:
    """What ``Evaluator.run`` finds with rows: ``found`` has the columns of all portfolio groups in canonical
    order."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.found: Collected
        self._results: dict[str, PortfolioResult] = {}
        self._joint: dict[str, list[Rows]] = {}
        self._places: dict[str, Place] = {}
        self._counts = portfolio_counts(evaluator.plan)
        self._order = {
            groups[0].portfolio_group: place for place, groups in enumerate(evaluator.plan.portfolios)
        }

    def build(self, kept: FoldedRows | None, redone: Collection[str]) -> None:
        """Work out every portfolio group, but take over from ``kept`` those that are not to be ``redone``."""
        for name in self._order:
            known = kept is not None and name in kept._results and name not in redone
            if kept is not None and known and not self._recounted(kept, name):
                self._results[name], self._joint[name] = kept._results[name], kept._joint[name]
            else:
                self._work_out(name)
        self._collect()

    def redo(self, names: Collection[str], *, resized: bool) -> bool:
        """Work out these portfolio groups again, those of them it has. ``resized`` says whether quantities
        have changed; returned is whether rows have moved, because an expiry turned from long to short."""
        own = [name for name in names if name in self._results]
        for name in own:
            self._work_out(name)
        if resized and self.evaluator.regime.tree.by_expiry:
            self._collect()
            return True
        for name in own:
            part = collected(self.evaluator, [self._results[name]], self.found.leaves)
            _write(self.found, part, self._places[name])
        return False

    def results(self) -> list[PortfolioResult]:
        """What ``Evaluator.run`` would return."""
        return list(self._results.values())

    def joint_index(self, codes: Codes) -> JointIndex | None:
        """Where these margin groups (ascending) stand under one joint worst; None where there is none."""
        if self.evaluator.regime.tree.height != MARGIN:
            return None
        return JointIndex(self._joint, codes, len(self.evaluator.standard))

    def joint_rows(self) -> Floats | None:
        """P&L [M, S] of all margin groups under one joint worst."""
        index = self.joint_index(np.arange(len(self.evaluator.plan.margin_groups)))
        return None if index is None else index.rows(self._joint)

    def joint_worst(self, index: JointIndex) -> Reduced:
        """What the joint rows of these margin groups are reduced to."""
        return index.reduced(self._joint, self.evaluator.regime.tree.reducer)

    def _recounted(self, kept: FoldedRows, name: str) -> bool:
        """Whether a margin group in these joint rows has more or fewer portfolio groups than before: what
        offsets them depends on how many there are."""
        own = np.concatenate([np.zeros(0, np.intp), *(part.margin_groups for part in kept._joint[name])])
        return not np.array_equal(self._counts[own], kept._counts[own])

    def _work_out(self, name: str) -> None:
        result = self.evaluator.portfolio(self.evaluator.plan.portfolios[self._order[name]])
        self._joint[name] = self.evaluator.joint_parts(result, self._counts)
        self._results[name] = result._replace(top=[])

    def _collect(self) -> None:
        self.found = collected(self.evaluator, list(self._results.values()))
        ends = [0, 0, 0, 0]
        for name, result in self._results.items():
            sizes = (
                sum(len(leaf.group.leaves) for leaf in result.leaves),
                sum(len(node.margin_groups) for node in result.nodes),
                sum(len(node.margin_groups) for node in result.unoffset),
                sum(len(part.leaves) for part in result.expiries),
            )
            starts, ends = ends, [end + size for end, size in zip(ends, sizes, strict=True)]
            self._places[name] = Place(*(slice(*pair) for pair in zip(starts, ends, strict=True)))


def _write(whole: Collected, part: Collected, place: Place) -> None:
    """Put the columns of one portfolio group where they belong."""
    _write_leaves(whole.leaves, part.leaves, place.leaves)
    whole.stand_alone[place.leaves] = part.stand_alone
    whole.charges[place.leaves] = part.charges
    _write_nodes(whole.nodes, part.nodes, place.nodes)
    _write_nodes(whole.unoffset, part.unoffset, place.unoffset)
    if whole.expiries is not None and part.expiries is not None:
        _write_expiries(whole.expiries, part.expiries, place)


def _write_leaves(whole: Leaves, part: Leaves, rows: slice) -> None:
    for name in _LEAF_COLUMNS:
        getattr(whole, name)[rows] = getattr(part, name)
    for tag, pnl in part.tagged.items():
        whole.tagged[tag][rows] = pnl
    if whole.pnl is not None:
        whole.pnl[rows] = part.pnl


def _write_nodes(whole: NodeColumns, part: NodeColumns, rows: slice) -> None:
    for column in fields(NodeColumns):
        getattr(whole, column.name)[rows] = getattr(part, column.name)


def _write_expiries(whole: TaggedExpiries, part: TaggedExpiries, place: Place) -> None:
    for column in fields(TaggedExpiries):
        if column.name not in ("tagged", "leaves"):
            getattr(whole, column.name)[place.expiries] = getattr(part, column.name)
    for tag, pnl in part.tagged.items():
        whole.tagged[tag][place.expiries] = pnl

"""What each position adds to the scan: leave-one-out and the Euler split at the active scenario."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats
from shockgrid.engine import ClassGroup, unit_blocks, weighted
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.fold import CLASS, PORTFOLIO, Rows, folded, portfolio_counts
from shockgrid.requirement.reducers import shares_of
from shockgrid.requirement.totals import Evaluation
from shockgrid.requirement.tree import LEVELS, Node

POSITION_TILE_ELEMENTS = 2**18  #: doubles of P&L without one position held at a time (2 MB)
#: Part of a position that is taken out for its Euler share under a transform of values: a power of two, so
#: that nothing is rounded by it, and small, so that the node's sign seldom turns.
SLIVER = 2.0**-14


def contributions(evaluator: Evaluator, evaluation: Evaluation) -> pd.DataFrame:
    """Per position in canonical order: stand_alone_loss, leave_one_out, euler, in the base currency.

    ``leave_one_out`` is the exact fall of the reduced node if the row were not in the book (minimum and
    add-ons are not re-run): the tree of every such margin group is folded again without the row. Under a
    joint worst the number of portfolio groups held, which only a transform could ask for, stays as it is.
    ``euler`` is minus the position's P&L in the node's active scenario, or its mean over those that a reducer
    averages, through the same transforms, and 0 where the node loses nothing; under the reducers of this
    package it adds up to the scan.
    """
    count = len(evaluation.stand_alone)
    without, split = np.zeros(count), np.zeros(count)
    counts = portfolio_counts(evaluator.plan)
    for groups in evaluator.plan.portfolios:
        portfolio = _Portfolio(evaluator, groups, evaluation.joint_rows, counts)
        for at, group in enumerate(groups):
            _class_group(portfolio, at, without[group.positions], split[group.positions])
    return pd.DataFrame(
        {"stand_alone_loss": evaluation.stand_alone, "leave_one_out": without, "euler": split}
    )


def _class_group(portfolio: _Portfolio, at: int, without: Floats, split: Floats) -> None:
    """Fill the leave-one-out and the Euler share of one class group's positions."""
    group, rows = portfolio.groups[at], portfolio.rows[at]
    reducer = portfolio.evaluator.regime.tree.reducer
    nodes = portfolio.node_rows(at, rows.margin_groups, rows.pnl)
    losses, worst = reducer(nodes)
    scenarios, shares = shares_of(reducer, nodes, worst)
    shares = np.where(losses[:, None] > 0.0, shares * portfolio.shares(at, scenarios), 0.0)
    for part, pnl in _position_blocks(portfolio.evaluator, group):
        leaf = group.position_leaves[part]
        active = np.take_along_axis(portfolio.changes(at, part, pnl, SLIVER), scenarios[leaf], axis=1)
        split[part] = -(active / SLIVER * shares[leaf]).sum(axis=1) + 0.0
        left = portfolio.node_rows(at, group.leaves[leaf], rows.pnl[leaf] - portfolio.changes(at, part, pnl))
        without[part] = losses[leaf] - reducer(left).losses


class _Portfolio:
    """The class-group rows of one portfolio group, and the way up from a changed leaf."""

    def __init__(
        self, evaluator: Evaluator, groups: Sequence[ClassGroup], joint: Floats | None, counts: Codes
    ) -> None:
        self.evaluator, self.groups, self.joint, self.counts = evaluator, groups, joint, counts
        self.tree, self.offsets = evaluator.regime.tree, evaluator.plan.market.offsets
        own = evaluator.rows
        self.cuts = [own.expiry_rows(group) for group in groups] if self.tree.by_expiry else []
        self.raw = [own.raw_rows(group, cut) for group, cut in zip(groups, self.cuts, strict=False)]
        leaves = [
            own.leaf_rows(self.cuts[at], self.raw[at]) if self.cuts else own.of_leaves(group)
            for at, group in enumerate(groups)
        ]
        self.rows = [Rows(group.name, group.leaves, pnl) for group, pnl in zip(groups, leaves, strict=True)]

    def changes(self, at: int, part: Codes, pnl: Floats, share: float = 1.0) -> Floats:
        """What a share of each of these positions adds to its leaf's row, [n, S]; its own P&L is ``pnl``."""
        if self.tree.value_transform is None:
            owner = self.groups[at].sections[0][0]
            return weighted(pnl, self.evaluator.standard_states, owner) * share
        cut, plan = self.cuts[at], self.evaluator.plan
        rows = cut.of_position[part]
        held = plan.positions.instruments[self.groups[at].positions][part]
        worth = plan.positions.weights[self.groups[at].positions][part] * self.evaluator.values[held]
        full = cut.expiries.take(rows)
        rest = replace(full, values=full.values - share * worth)
        raw = self.raw[at][rows]
        counted = self.evaluator.rows.transformed
        return counted(raw, full) - counted(raw - share * pnl, rest)

    def node_rows(self, at: int, margin_groups: Codes, pnl: Floats) -> Floats:
        """Row of the reduced node above class group ``at`` if its leaf's row were ``pnl`` [n, S].

        Row i stands for margin group ``margin_groups[i]``; the same one may come more than once.
        """
        height = min(self.tree.height, PORTFOLIO)
        new = self._refolded(at, margin_groups, pnl, height)
        if self.joint is None:
            return new
        leaf = self.rows[at]
        held = leaf.pnl[np.searchsorted(leaf.margin_groups, margin_groups)]
        old = self._refolded(at, margin_groups, held, height)
        rest = self.joint[margin_groups] - self._topmost(old, margin_groups)
        return rest + self._topmost(new, margin_groups)

    def shares(self, at: int, scenarios: Codes) -> Floats:
        """The part of each leaf's P&L that reaches its node in the scenarios [L, k] of its row, [L, k]."""
        leaf, group = self.rows[at], self.groups[at]
        share = np.ones(scenarios.shape)
        for height in range(self.tree.height):
            if LEVELS[height] not in self.tree.transforms:
                continue
            pnl = self._refolded(at, leaf.margin_groups, leaf.pnl, height)
            parent = (group.product_group, group.portfolio_group, "joint")[height]
            name = (group.name, group.product_group, group.portfolio_group)[height]
            siblings = self._siblings(at, height)
            passed = self._transformed(
                height, Node(LEVELS[height], name, parent, siblings, self.offsets), pnl
            )
            own, counted = (np.take_along_axis(rows, scenarios, axis=1) for rows in (pnl, passed))
            nothing = own == 0.0
            share *= np.where(nothing, 0.0, counted / np.where(nothing, 1.0, own))
        return share

    def _refolded(self, at: int, margin_groups: Codes, pnl: Floats, height: int) -> Floats:
        """Row of the node at a height above class group ``at``, every margin group folded by itself."""
        if height == CLASS:
            return pnl
        ids, name = np.arange(len(margin_groups)), self.groups[at].product_group
        groups, rows = [], []
        for other, (group, part) in enumerate(zip(self.groups, self.rows, strict=True)):
            if height < PORTFOLIO and group.product_group != name:
                continue
            groups.append(group)
            if other == at:
                rows.append(Rows(part.name, ids, pnl))
                continue
            place = np.searchsorted(part.margin_groups, margin_groups)
            place = np.minimum(place, len(part.margin_groups) - 1)
            held = part.margin_groups[place] == margin_groups
            rows.append(Rows(part.name, ids[held], part.pnl[place[held]]))
        return folded(groups, rows, self.tree, self.offsets, height)[0].pnl

    def _siblings(self, at: int, height: int) -> Codes:
        """Children of the parent at ``height + 1`` which each leaf's margin group holds, [L]."""
        leaf, group = self.rows[at], self.groups[at]
        if height == PORTFOLIO:
            return self.counts[leaf.margin_groups]
        rows = folded(self.groups, self.rows, self.tree, self.offsets, height)
        parents = [owner.product_group == group.product_group for owner in self.groups]
        family = [row for row, kin in zip(rows, parents, strict=True) if kin] if height == CLASS else rows
        counts = np.zeros(len(self.counts), np.intp)
        for row in family:
            counts[row.margin_groups] += row.pnl.any(axis=1)
        return np.maximum(counts[leaf.margin_groups], 1)

    def _topmost(self, pnl: Floats, margin_groups: Codes) -> Floats:
        name = self.groups[0].portfolio_group
        node = Node("portfolio_group", name, "joint", self.counts[margin_groups], self.offsets)
        return self._transformed(PORTFOLIO, node, pnl)

    def _transformed(self, height: int, node: Node, pnl: Floats) -> Floats:
        transform = self.tree.transforms.get(LEVELS[height])
        return pnl if transform is None else transform(pnl, node)


def _position_blocks(evaluator: Evaluator, group: ClassGroup) -> Iterator[tuple[Codes, Floats]]:
    """P&L [n, S] of a class group's positions before scenario weights, and their places in the group."""
    market, states = evaluator.plan.market, evaluator.standard_states
    weights = evaluator.plan.positions.weights[group.positions]
    size = max(1, POSITION_TILE_ELEMENTS // max(1, len(evaluator.standard)))
    order = np.argsort(group.position_columns, kind="stable")
    columns = group.position_columns[order]
    for block, unit in unit_blocks(group, market, states, evaluator.backend, evaluator.plan.laid):
        first, last = np.searchsorted(columns, (block.start, block.stop))
        for low in range(first, last, size):
            part = order[low : min(low + size, last)]
            yield part, weights[part, None] * unit[group.position_columns[part] - block.start]

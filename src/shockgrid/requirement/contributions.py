"""What each position adds to the scan: leave-one-out and the Euler split at the active scenario."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.engine import ClassGroup, unit_blocks
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.fold import PORTFOLIO, PRODUCT, Rows, folded, portfolio_counts
from shockgrid.requirement.totals import Evaluation
from shockgrid.requirement.tree import LEVELS, Node

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.intp]

POSITION_TILE_ELEMENTS = 2**21  #: doubles of P&L without one position held at a time (16 MB)


def contributions(evaluator: Evaluator, evaluation: Evaluation) -> pd.DataFrame:
    """Per position in canonical order: stand_alone_loss, leave_one_out, euler, in the base currency.

    ``leave_one_out`` is the fall of the position's reduced node if the position were gone, everything else
    held (minimum and add-ons are not re-run). ``euler`` is minus the position's P&L in the node's active
    scenario, through the same transforms; under the worst-loss reducer it adds up to the scan.
    """
    count = len(evaluation.stand_alone)
    without, split = np.zeros(count), np.zeros(count)
    for groups in evaluator.plan.portfolios:
        _portfolio(evaluator, evaluation, groups, without, split)
    return pd.DataFrame(
        {"stand_alone_loss": evaluation.stand_alone, "leave_one_out": without, "euler": split}
    )


class _Climb:
    """The rows of every node above one class group, and the way up from a changed leaf."""

    def __init__(
        self,
        evaluator: Evaluator,
        evaluation: Evaluation,
        groups: Sequence[ClassGroup],
        rows: list[Rows],
        at: int,
    ) -> None:
        self.tree, self.offsets = evaluator.regime.tree, evaluator.plan.market.offsets
        group = groups[at]
        products = folded(groups, rows, self.tree, self.offsets, PRODUCT)
        top = folded(groups, rows, self.tree, self.offsets, PORTFOLIO)
        product = next(part for part in products if part.name == group.product_group)
        siblings = [
            part for part, owner in zip(rows, groups, strict=True) if owner.product_group == product.name
        ]
        self.path: list[tuple[Rows, Codes]] = [(rows[at], np.zeros(0, np.intp))]
        size = len(evaluator.plan.margin_groups)
        self.path.append((product, _counts(siblings, size)))
        self.path.append((top[0], _counts(products, size)))
        if evaluation.joint_rows is not None:
            everyone = Rows("joint", np.arange(size), evaluation.joint_rows)
            self.path.append((everyone, portfolio_counts(evaluator.plan)))

    def reduced(self, margin_groups: Codes, pnl: Floats | None) -> tuple[Floats, Codes, Floats]:
        """Loss and scenario of each margin group's node with its leaf's row replaced by ``pnl``.

        The third result is the share of the leaf's P&L that reaches the node in that scenario.
        """
        height = self.tree.height
        rows = [
            part.pnl[np.searchsorted(part.margin_groups, margin_groups)]
            for part, _ in self.path[: height + 1]
        ]
        new = rows[0] if pnl is None else pnl
        passed = []
        for step in range(height):
            child, (parent, counts) = self.path[step][0], self.path[step + 1]
            transform = self.tree.transforms.get(LEVELS[step])
            node = Node(LEVELS[step], child.name, parent.name, counts[margin_groups], self.offsets)
            before = rows[step] if transform is None else transform(rows[step], node)
            after = new if transform is None else transform(new, node)
            passed.append((rows[step], before))
            new = rows[step + 1] - before + after
        reduced = self.tree.reducer(new)
        at = (np.arange(len(new)), reduced.scenarios)
        share = np.ones(len(new))
        for entering, leaving in passed:
            nothing = entering[at] == 0.0
            share *= np.where(nothing, 0.0, leaving[at] / np.where(nothing, 1.0, entering[at]))
        return reduced.losses, reduced.scenarios, share


def _portfolio(
    evaluator: Evaluator,
    evaluation: Evaluation,
    groups: Sequence[ClassGroup],
    without: Floats,
    split: Floats,
) -> None:
    rows = [Rows(group.name, group.leaves, evaluator.standard_rows(group)) for group in groups]
    for at, group in enumerate(groups):
        climb = _Climb(evaluator, evaluation, groups, rows, at)
        losses, scenarios, shares = climb.reduced(group.leaves, None)
        weights = evaluator.plan.positions.weights[group.positions]
        loo, euler = without[group.positions], split[group.positions]
        size = max(1, POSITION_TILE_ELEMENTS // max(1, len(evaluator.standard)))
        for block, unit in unit_blocks(
            group, evaluator.plan.market, evaluator.standard_states, evaluator.backend
        ):
            inside = np.flatnonzero(
                (group.position_columns >= block.start) & (group.position_columns < block.stop)
            )
            for low in range(0, len(inside), size):
                part = inside[low : low + size]
                leaf = group.position_leaves[part]
                pnl = weights[part, None] * unit[group.position_columns[part] - block.start]
                euler[part] = -pnl[np.arange(len(part)), scenarios[leaf]] * shares[leaf] + 0.0
                left, _, _ = climb.reduced(group.leaves[leaf], rows[at].pnl[leaf] - pnl)
                loo[part] = losses[leaf] - left


def _counts(children: Sequence[Rows], size: int) -> Codes:
    counts = np.zeros(size, np.intp)
    for child in children:
        counts[child.margin_groups] += 1
    return counts

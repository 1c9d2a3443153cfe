"""What the portfolio groups came to, one after another, as columns: every leaf, every reduced node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.fold import Leaf, Nodes
from shockgrid.requirement.priced import PortfolioResult
from shockgrid.requirement.regime import Leaves, TaggedExpiries


@dataclass(frozen=True)
class NodeColumns:
    """Reduced nodes, one row for each node and margin group that holds something in it."""

    margin_groups: Codes
    losses: Floats
    scenarios: Codes
    charges: Floats  #: sum of the per-contract minimum charges
    underlyings: Codes  #: whose shocks name the scenario, -1 without a leaf

    @classmethod
    def of(cls, nodes: Sequence[Nodes]) -> NodeColumns:
        """The rows of all nodes, in order."""
        return cls(
            joined([node.margin_groups for node in nodes], np.intp),
            joined([node.reduced.losses for node in nodes]),
            joined([node.reduced.scenarios for node in nodes], np.intp),
            joined([node.charges for node in nodes]),
            joined([node.underlyings for node in nodes], np.intp),
        )

    def take(self, rows: Any) -> NodeColumns:
        """The same columns for a selection of rows."""
        return NodeColumns(*(getattr(self, column.name)[rows] for column in fields(self)))


@dataclass(frozen=True)
class Collected:
    """All leaves and nodes of some portfolio groups in canonical order."""

    leaves: Leaves
    stand_alone: Floats  #: [G] sum over the leaf's positions of the loss of each by itself
    charges: Floats  #: [G] per-contract minimum charges
    nodes: NodeColumns  #: none where the margin group is reduced
    unoffset: NodeColumns  #: the same without offsets; class groups where the margin group is reduced
    expiries: TaggedExpiries | None  #: where the tree cuts leaves by expiry


def collected(
    evaluator: Evaluator, results: Sequence[PortfolioResult], known: Leaves | None = None
) -> Collected:
    """The columns of these portfolio groups; rows of ``expiries.leaves`` count from the first of them.

    ``known`` are the same leaves in another state of the market: their names are taken over.
    """
    found = [leaf for result in results for leaf in result.leaves]
    return Collected(
        leaves=_leaves(evaluator, found, known),
        stand_alone=joined([_per_leaf(leaf) for leaf in found]),
        charges=joined([leaf.charges for leaf in found]),
        nodes=NodeColumns.of([node for result in results for node in result.nodes]),
        unoffset=NodeColumns.of([node for result in results for node in result.unoffset]),
        expiries=_expiries(evaluator, results),
    )


def joined(parts: Sequence[NDArray[Any]], kind: Any = np.float64) -> NDArray[Any]:
    """The parts one after another; an empty column without any."""
    return np.concatenate(parts) if parts else np.zeros(0, kind)


def _leaves(evaluator: Evaluator, found: Sequence[Leaf], known: Leaves | None) -> Leaves:
    shown = joined([leaf.group.shown for leaf in found], np.intp)
    scenarios = joined([leaf.reduced.scenarios for leaf in found], np.intp)
    pnl = np.concatenate([np.zeros((0, len(evaluator.other))), *[leaf.tagged for leaf in found]])
    tags = np.asarray(evaluator.scenarios.tags, object)[evaluator.other]
    states, cut = evaluator.standard_states, evaluator.regime.tree.by_expiry
    kept = [leaf.own for leaf in found if leaf.own is not None]
    moving: dict[str, Any] = {
        "losses": joined([leaf.reduced.losses for leaf in found]),
        "scenarios": scenarios,
        "price_shocks": states.spot_shocks[shown, scenarios],
        "vol_shocks": states.vol_shocks[shown, scenarios],
        "tagged": {str(tag): pnl[:, tags == tag] for tag in dict.fromkeys(tags)},
        "pnl": np.concatenate([np.zeros((0, len(evaluator.standard))), *kept]) if cut else None,
    }
    if known is not None:
        return replace(known, **moving)
    lengths = [len(leaf.group.leaves) for leaf in found]

    def named(column: str) -> Any:
        return np.repeat(np.array([getattr(leaf.group, column) for leaf in found], object), lengths)

    return Leaves(
        margin_groups=joined([leaf.group.leaves for leaf in found], np.intp),
        class_groups=named("name"),
        product_groups=named("product_group"),
        portfolio_groups=named("portfolio_group"),
        underlyings=shown,
        **moving,
    )


def _expiries(evaluator: Evaluator, results: Sequence[PortfolioResult]) -> TaggedExpiries | None:
    """The expiry rows of all class groups; None where leaves are not cut by expiry."""
    if not evaluator.regime.tree.by_expiry:
        return None
    parts = [part for result in results for part in result.expiries]
    pnl = np.concatenate([np.zeros((0, len(evaluator.other))), *[part.pnl for part in parts]])
    tags = np.asarray(evaluator.scenarios.tags, object)[evaluator.other]
    rows = [part.expiries for part in parts]
    sizes = [len(leaf.group.leaves) for result in results for leaf in result.leaves]
    starts = np.cumsum([0, *sizes])[:-1].tolist()
    return TaggedExpiries(
        margin_groups=joined([row.margin_groups for row in rows], np.intp),
        underlyings=joined([row.underlyings for row in rows], np.intp),
        years=joined([row.years for row in rows]),
        discount_factors=joined([row.discount_factors for row in rows]),
        is_option=joined([row.is_option for row in rows], bool),
        is_long=joined([row.is_long for row in rows], bool),
        values=joined([row.values for row in rows]),
        leaves=joined([start + part.leaves for start, part in zip(starts, parts, strict=True)], np.intp),
        tagged={str(tag): pnl[:, tags == tag] for tag in dict.fromkeys(tags)},
    )


def _per_leaf(leaf: Leaf) -> Floats:
    sums = np.bincount(leaf.group.position_leaves, leaf.stand_alone, len(leaf.group.leaves))
    return sums.astype(np.float64)

"""From portfolio groups to margin groups: the scan, the lines, the add-ons, the requirement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Floats
from shockgrid.engine import Plan
from shockgrid.errors import InputError
from shockgrid.market_states import MarketStates
from shockgrid.requirement.evaluate import Evaluator, PortfolioResult
from shockgrid.requirement.fold import Leaf, Nodes, largest_underlyings
from shockgrid.requirement.regime import Context, Leaves, Regime


@dataclass(frozen=True)
class Evaluation:
    """A regime's figures for every margin group, in the base currency."""

    regime: Regime
    states: MarketStates  #: the standard scenarios laid over the market
    leaves: Leaves
    leaf_stand_alone: Floats  #: [G]
    leaf_charges: Floats  #: [G]
    nodes: list[Nodes]
    stand_alone: Floats  #: [P] loss of each position by itself
    lines: dict[str, Floats]  #: [M] each; they add up to the requirement
    requirement: Floats  #: [M]
    zero_offsets: Floats  #: [M] the requirement if nothing offset anything across class groups
    joint_rows: Floats | None  #: [M, S] under one joint worst


def total(
    evaluator: Evaluator, results: Sequence[PortfolioResult], joint_rows: Floats | None, values: Floats
) -> Evaluation:
    """Add up what the portfolio groups came to; ``values`` [N] are the instruments' model values."""
    plan, regime = evaluator.plan, evaluator.regime
    found = [leaf for result in results for leaf in result.leaves]
    leaves = _leaves(evaluator, found)
    charges = _joined([leaf.charges for leaf in found])
    stand_alone = _joined([leaf.stand_alone for leaf in found])
    nodes = [node for result in results for node in result.nodes]
    if joint_rows is not None:
        minimums = plan.by_margin_group(charges, leaves.margin_groups)
        reduced = regime.tree.reducer(joint_rows)
        everyone = np.arange(len(joint_rows))
        nodes = [Nodes("joint", everyone, reduced, minimums, largest_underlyings(found, everyone))]
    class_sum = plan.by_margin_group(leaves.losses, leaves.margin_groups)
    alone = plan.by_margin_group(stand_alone)
    scan, top_up = _scan(plan, nodes)
    context = Context(plan, leaves, values)
    figures = {
        add_on.name: _checked(plan, f"add-on {add_on.name}", add_on.figure(context))
        for add_on in regime.add_ons
    }
    unoffset = np.add(*_scan(plan, [node for result in results for node in result.unoffset]))
    requirement, extra = _formula(regime, scan + top_up, figures)
    _checked(plan, f"the formula of regime {regime.name}", requirement)
    lines = {
        "stand_alone_sum": alone,
        "hedge_benefit": class_sum - alone,
        "offset_benefit": scan - class_sum,
        "minimum": top_up,
    }
    return Evaluation(
        regime=regime,
        states=evaluator.standard_states,
        leaves=leaves,
        leaf_stand_alone=_joined([_per_leaf(leaf) for leaf in found]),
        leaf_charges=charges,
        nodes=nodes,
        stand_alone=stand_alone,
        lines=lines | extra,
        requirement=requirement,
        zero_offsets=_formula(regime, unoffset, figures)[0],
        joint_rows=joint_rows,
    )


def _checked(plan: Plan, name: str, figure: Floats) -> Floats:
    """A figure of a regime's own function, once it is known to be one finite amount >= 0 a margin group."""
    if np.shape(figure) != (len(plan.margin_groups),):
        problem = f"{name}: expected one amount for each of {len(plan.margin_groups)} margin groups"
        raise InputError(problem, value=np.shape(figure))
    odd = np.flatnonzero(~(np.isfinite(figure) & (figure >= 0.0)))
    if len(odd):
        problem = f"{name}: expected a finite amount >= 0 for margin group {plan.margin_groups[odd[0]]}"
        raise InputError(problem, value=float(figure[odd[0]]))
    return figure


def _formula(regime: Regime, scan: Floats, figures: dict[str, Floats]) -> tuple[Floats, dict[str, Floats]]:
    """The requirement and the lines beyond the scan; a formula of one's own leaves its rest in "formula"."""
    if regime.formula is not None:
        requirement = regime.formula({"scan": scan, **figures})
        return requirement, {**figures, "formula": requirement - scan - sum(figures.values())}
    running, lines = scan, {}
    for add_on in regime.add_ons:
        figure = figures[add_on.name]
        line = figure if add_on.mode == "added" else np.maximum(figure - running, 0.0)
        lines[add_on.name], running = line, running + line
    return running, lines


def _scan(plan: Plan, nodes: Sequence[Nodes]) -> tuple[Floats, Floats]:
    """Sum of the reduced losses and of the minimum top-ups, [M] each."""
    groups = _joined([node.margin_groups for node in nodes], np.intp)
    losses = _joined([node.reduced.losses for node in nodes])
    charges = _joined([node.charges for node in nodes])
    scan = plan.by_margin_group(losses, groups)
    return scan, plan.by_margin_group(np.maximum(charges - losses, 0.0), groups)


def _leaves(evaluator: Evaluator, found: Sequence[Leaf]) -> Leaves:
    lengths = [len(leaf.group.leaves) for leaf in found]
    shown = _joined([leaf.group.shown for leaf in found], np.intp)
    scenarios = _joined([leaf.reduced.scenarios for leaf in found], np.intp)
    pnl = np.concatenate([np.zeros((0, len(evaluator.other))), *[leaf.tagged for leaf in found]])
    tags = np.asarray(evaluator.scenarios.tags, object)[evaluator.other]

    def named(column: str) -> Any:
        return np.repeat([getattr(leaf.group, column) for leaf in found], lengths).astype(object)

    states = evaluator.standard_states
    return Leaves(
        margin_groups=_joined([leaf.group.leaves for leaf in found], np.intp),
        class_groups=named("name"),
        product_groups=named("product_group"),
        portfolio_groups=named("portfolio_group"),
        underlyings=shown,
        losses=_joined([leaf.reduced.losses for leaf in found]),
        scenarios=scenarios,
        price_shocks=states.spot_shocks[shown, scenarios],
        vol_shocks=states.vol_shocks[shown, scenarios],
        tagged={str(tag): pnl[:, tags == tag] for tag in dict.fromkeys(tags)},
    )


def _per_leaf(leaf: Leaf) -> Floats:
    sums = np.bincount(leaf.group.position_leaves, leaf.stand_alone, len(leaf.group.leaves))
    return sums.astype(np.float64)


def _joined(parts: Sequence[NDArray[Any]], kind: Any = np.float64) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, kind)

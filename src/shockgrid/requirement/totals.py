"""From portfolio groups to margin groups: the scan, the lines, the add-ons, the requirement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Floats
from shockgrid.engine import Plan
from shockgrid.errors import InputError
from shockgrid.market_states import MarketStates
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.fold import Leaf, Nodes, largest_underlyings
from shockgrid.requirement.priced import PortfolioResult
from shockgrid.requirement.regime import AddOn, Context, Leaves, Regime, TaggedExpiries
from shockgrid.requirement.remarks import floors, joined


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
    initial: tuple[Floats, dict[str, Floats]] | None  #: the initial requirement and its add-on lines, [M]
    memos: dict[str, Floats]  #: [M] each; beside the lines, not part of them
    remarks: pd.DataFrame  #: see ``remarks.COLUMNS``


def total(
    evaluator: Evaluator,
    results: Sequence[PortfolioResult],
    joint_rows: Floats | None,
    values: Floats,
    rates: Floats,
) -> Evaluation:
    """Add up what the portfolio groups came to; ``values`` [N] are the instruments' model values.

    ``rates`` [M] are the values of the margin groups' currencies in the base currency.
    """
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
    context = Context(plan, leaves, values, rates, _expiries(evaluator, results))
    figures = _figures(regime.add_ons, context)
    unoffset = np.add(*_scan(plan, [node for result in results for node in result.unoffset]))
    requirement, extra = _formula(regime, scan + top_up, figures)
    _checked(plan, f"the formula of regime {regime.name}", requirement)
    add_ons = regime.add_ons if regime.formula is None else ()
    compared = floors(add_ons, scan + top_up, figures, extra, rates)
    initial = None
    if regime.initial is not None:
        initial = _applied(regime.initial, scan + top_up, _figures(regime.initial, context))
        _checked(plan, f"the initial requirement of regime {regime.name}", initial[0])
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
        initial=initial,
        memos={memo.name: memo.figure(context) for memo in regime.memos},
        remarks=joined([compared, *(remark(context) for remark in regime.remarks)]),
    )


def _figures(add_ons: Sequence[AddOn], context: Context) -> dict[str, Floats]:
    return {
        add_on.name: _checked(context.plan, f"add-on {add_on.name}", add_on.figure(context))
        for add_on in add_ons
    }


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
    return _applied(regime.add_ons, scan, figures)


def _applied(
    add_ons: Sequence[AddOn], scan: Floats, figures: dict[str, Floats]
) -> tuple[Floats, dict[str, Floats]]:
    """The scan with the add-ons in their order, and the line of each."""
    running, lines = scan, {}
    for add_on in add_ons:
        figure = figures[add_on.name]
        line = {
            "added": figure,
            "floor": np.maximum(figure - running, 0.0),
            "factor": (figure - 1.0) * running,
            "credit": -figure,
        }[add_on.mode]
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
        return np.repeat(np.array([getattr(leaf.group, column) for leaf in found], object), lengths)

    states, cut = evaluator.standard_states, evaluator.regime.tree.by_expiry
    kept = [leaf.own for leaf in found if leaf.own is not None]
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
        pnl=np.concatenate([np.zeros((0, len(evaluator.standard))), *kept]) if cut else None,
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
    underlyings = _joined([row.underlyings for row in rows], np.intp)
    return TaggedExpiries(
        margin_groups=_joined([row.margin_groups for row in rows], np.intp),
        underlyings=underlyings,
        years=_joined([row.years for row in rows]),
        discount_factors=_joined([row.discount_factors for row in rows]),
        is_option=_joined([row.is_option for row in rows], bool),
        is_long=_joined([row.is_long for row in rows], bool),
        values=_joined([row.values for row in rows]),
        leaves=_joined([start + part.leaves for start, part in zip(starts, parts, strict=True)], np.intp),
        tagged={str(tag): pnl[:, tags == tag] for tag in dict.fromkeys(tags)},
    )


def _per_leaf(leaf: Leaf) -> Floats:
    sums = np.bincount(leaf.group.position_leaves, leaf.stand_alone, len(leaf.group.leaves))
    return sums.astype(np.float64)


def _joined(parts: Sequence[NDArray[Any]], kind: Any = np.float64) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, kind)

"""From portfolio groups to margin groups: the scan, the lines, the add-ons, the requirement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats
from shockgrid.engine import Plan
from shockgrid.errors import InputError
from shockgrid.market_states import MarketStates
from shockgrid.requirement.collect import Collected, NodeColumns, collected, joined
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.fold import Nodes
from shockgrid.requirement.grouped import Grouped
from shockgrid.requirement.priced import PortfolioResult
from shockgrid.requirement.reducers import Reduced
from shockgrid.requirement.regime import AddOn, Context, Leaves, OfPlan, Regime
from shockgrid.requirement.remarks import all_remarks, floors
from shockgrid.requirement.report import STRESS


@dataclass(frozen=True)
class Totals:
    """A regime's figures of every margin group, in the base currency."""

    scan: Floats  #: [M] with the minimum top-ups
    figures: dict[str, Floats]  #: [M] of each add-on, before its mode
    lines: dict[str, Floats]  #: [M] each; they add up to the requirement
    requirement: Floats  #: [M]
    zero_offsets: Floats  #: [M] the requirement if nothing offset anything across class groups
    initial: tuple[Floats, dict[str, Floats]] | None  #: the initial requirement and its add-on lines, [M]
    worst_scenarios: Codes  #: [M] of the largest node, -1 without one
    worst_underlyings: Codes  #: [M] whose shocks are shown for it
    stress: Floats  #: [M, 2] P&L when every underlying falls or rises by 25 %


@dataclass(frozen=True)
class Evaluation:
    """A regime's figures for every margin group, in the base currency, and what they come from."""

    regime: Regime
    states: MarketStates  #: the standard scenarios laid over the market
    leaves: Leaves
    leaf_stand_alone: Floats  #: [G]
    leaf_charges: Floats  #: [G]
    nodes: list[Nodes]
    stand_alone: Floats  #: [P] loss of each position by itself
    joint_rows: Floats | None  #: [M, S] under one joint worst
    memos: dict[str, Floats]  #: [M] each; beside the lines, not part of them
    remarks: pd.DataFrame  #: see ``remarks.COLUMNS``
    totals: Totals

    @property
    def lines(self) -> dict[str, Floats]:
        """The lines that add up to the requirement, [M] each."""
        return self.totals.lines

    @property
    def initial(self) -> tuple[Floats, dict[str, Floats]] | None:
        """The initial requirement and its add-on lines, [M]."""
        return self.totals.initial


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
    regime = evaluator.regime
    found, nodes, context, totals = counted(evaluator, results, joint_rows, values, rates)
    add_ons = regime.add_ons if regime.formula is None else ()
    compared = floors(add_ons, totals.scan, totals.figures, totals.lines, rates)
    return Evaluation(
        regime=regime,
        states=evaluator.standard_states,
        leaves=found.leaves,
        leaf_stand_alone=found.stand_alone,
        leaf_charges=found.charges,
        nodes=nodes,
        stand_alone=joined([leaf.stand_alone for result in results for leaf in result.leaves]),
        joint_rows=joint_rows,
        memos={memo.name: memo.figure(context) for memo in regime.memos},
        remarks=all_remarks([compared, *(remark(context) for remark in regime.remarks)]),
        totals=totals,
    )


class Counted(NamedTuple):
    """What a regime comes to for every margin group, without memos and remarks."""

    found: Collected
    nodes: list[Nodes]
    context: Context
    totals: Totals


def counted(
    evaluator: Evaluator,
    results: Sequence[PortfolioResult],
    joint_rows: Floats | None,
    values: Floats,
    rates: Floats,
) -> Counted:
    """Add up what the portfolio groups came to; see ``total``."""
    plan, regime = evaluator.plan, evaluator.regime
    found = collected(evaluator, results)
    nodes = [node for result in results for node in result.nodes]
    context = Context(plan, found.leaves, values, rates, found.expiries, holdings_of(regime, plan))
    if joint_rows is not None:
        nodes = [joint_node(found, regime.tree.reducer(joint_rows), context.grouped)]
    return Counted(found, nodes, context, totals_of(regime, context, found, NodeColumns.of(nodes)))


def joint_node(found: Collected, reduced: Reduced, grouped: Grouped) -> Nodes:
    """The one node of a joint worst over everything, from what the margin groups' rows are reduced to;
    ``grouped`` are the leaves by margin group."""
    losses = found.leaves.losses
    first = grouped.first_largest(losses, np.ones(len(losses), np.bool_))
    shown = np.append(found.leaves.underlyings, -1)[first]
    return Nodes("joint", np.arange(grouped.size), reduced, grouped.sums(found.charges), shown)


def holdings_of(regime: Regime, plan: Plan) -> dict[OfPlan, Any]:
    """What add-ons, initial add-ons and memos work out from who holds what alone, by the function."""
    add_ons = (*regime.add_ons, *(regime.initial or ()), *regime.memos)
    wanted = dict.fromkeys(add_on.of_plan for add_on in add_ons if add_on.of_plan is not None)
    return {of_plan: of_plan(plan) for of_plan in wanted}


def totals_of(
    regime: Regime,
    context: Context,
    found: Collected,
    nodes: NodeColumns,
    laid: tuple[Grouped, Grouped] | None = None,
) -> Totals:
    """Lines, add-ons and requirement of the margin groups of the context's plan.

    ``laid`` are the rows of ``nodes`` and of ``found.unoffset`` by margin group, where they are at hand.
    """
    plan, leaves, size = context.plan, found.leaves, len(context.plan.margin_groups)
    of_leaves = context.grouped
    of_nodes, of_unoffset = laid or (
        Grouped(nodes.margin_groups, size),
        Grouped(found.unoffset.margin_groups, size),
    )
    class_sum, alone = of_leaves.sums(leaves.losses), of_leaves.sums(found.stand_alone)
    scan, top_up = scanned(of_nodes, nodes.losses, nodes.charges)
    unoffset, parts = scan + top_up, found.unoffset
    if parts is not nodes:
        unoffset = np.add(*scanned(of_unoffset, parts.losses, parts.charges))
    requirement, extra, figures = required(regime, context, scan + top_up)
    initial = None
    if regime.initial is not None:
        shared = {add_on.name: figures[add_on.name] for add_on in regime.initial if add_on in regime.add_ons}
        own = _figures([add_on for add_on in regime.initial if add_on.name not in shared], context)
        initial = _applied(regime.initial, scan + top_up, shared | own)
        _checked(plan, f"the initial requirement of regime {regime.name}", initial[0])
    lines = {
        "stand_alone_sum": alone,
        "hedge_benefit": class_sum - alone,
        "offset_benefit": scan - class_sum,
        "minimum": top_up,
    }
    first = of_nodes.first_largest(nodes.losses, nodes.underlyings >= 0)
    report = leaves.tagged["report"][:, -len(STRESS) :]
    stress = [of_leaves.sums(column) for column in report.T]
    return Totals(
        scan=scan + top_up,
        figures=figures,
        lines=lines | extra,
        requirement=requirement,
        zero_offsets=_formula(regime, unoffset, figures)[0],
        initial=initial,
        worst_scenarios=np.append(nodes.scenarios, -1)[first],
        worst_underlyings=np.append(nodes.underlyings, -1)[first],
        stress=np.column_stack(stress),
    )


def required(
    regime: Regime, context: Context, scan: Floats
) -> tuple[Floats, dict[str, Floats], dict[str, Floats]]:
    """The requirement [M] over a scan with its minimum top-ups, its lines beyond the scan, and the figures of
    its add-ons. Raises InputError where an add-on or the formula gives no finite amount >= 0."""
    figures = _figures(regime.add_ons, context)
    requirement, extra = _formula(regime, scan, figures)
    _checked(context.plan, f"the formula of regime {regime.name}", requirement)
    return requirement, extra, figures


def combined(regime: Regime, scan: Floats, figures: dict[str, Floats]) -> Floats:
    """The requirement over a scan with its minimum top-ups, from the figures of the regime's add-ons."""
    return _formula(regime, scan, figures)[0]


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
    least, most = np.minimum.reduce(figure, initial=0.0), np.maximum.reduce(figure, initial=0.0)
    if not (least >= 0.0 and most < np.inf):  # NaN is neither
        odd = np.flatnonzero(~(np.isfinite(figure) & (figure >= 0.0)))
        problem = f"{name}: expected a finite amount >= 0 for margin group {plan.margin_groups[odd[0]]}"
        raise InputError(problem, value=float(figure[odd[0]]))
    return figure


def _formula(regime: Regime, scan: Floats, figures: dict[str, Floats]) -> tuple[Floats, dict[str, Floats]]:
    """The requirement and the lines beyond the scan; a formula of one's own leaves its rest in "formula"."""
    if regime.formula is not None:
        requirement = regime.formula({"scan": scan, **figures})
        return requirement, {**figures, "formula": requirement - scan - sum(figures.values())}
    return _applied(regime.add_ons, scan, figures)


def _line(mode: str, figure: Floats, running: Floats) -> Floats:
    """What an add-on of this mode brings on top of the requirement so far."""
    if mode == "floor":
        return np.maximum(figure - running, 0.0)
    if mode == "factor":
        return (figure - 1.0) * running
    return -figure if mode == "credit" else figure


def _applied(
    add_ons: Sequence[AddOn], scan: Floats, figures: dict[str, Floats]
) -> tuple[Floats, dict[str, Floats]]:
    """The scan with the add-ons in their order, and the line of each."""
    running, lines = scan, {}
    for add_on in add_ons:
        line = _line(add_on.mode, figures[add_on.name], running)
        lines[add_on.name], running = line, running + line
    return running, lines


def scanned(grouped: Grouped, losses: Floats, charges: Floats) -> tuple[Floats, Floats]:
    """Sum of the reduced losses and of the minimum top-ups, [M] each."""
    scan = grouped.sums(losses)
    if not charges.any():
        return scan, np.zeros(len(scan))
    return scan, grouped.sums(np.maximum(charges - losses, 0.0))

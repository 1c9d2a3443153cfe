"""From an evaluation to the frames a user reads, in each margin group's currency."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats
from shockgrid.engine import Plan
from shockgrid.requirement.evaluate import LADDER, STRESS
from shockgrid.requirement.totals import Evaluation

LINES = (
    "stand_alone_sum",
    "hedge_benefit",
    "offset_benefit",
    "minimum",
    "concentration",
    "contingency",
    "unpriced",
)


def account_figures(plan: Plan, evaluation: Evaluation, rates: Floats) -> pd.DataFrame:
    """One row per margin group: requirement, its lines, worst scenario, stress losses.

    ``rates`` [M] are the values of one unit of each margin group's currency in the base currency.
    """
    columns: dict[str, Any] = {"requirement": evaluation.requirement / rates}
    columns |= _worst(plan, evaluation)
    lines = {name: np.zeros(len(rates)) for name in LINES} | evaluation.lines
    columns |= {name: line / rates for name, line in lines.items()}
    columns["requirement_zero_offsets"] = evaluation.zero_offsets / rates
    if evaluation.initial is not None:
        columns["initial_requirement"] = evaluation.initial[0] / rates
    report = report_pnl(plan, evaluation)
    for column, shock in zip(("loss_down_25", "loss_up_25"), STRESS, strict=True):
        columns[column] = np.maximum(-report[:, len(LADDER) + STRESS.index(shock)], 0.0) / rates + 0.0
    return pd.DataFrame(columns, index=pd.Index(plan.margin_groups, name="margin_group"))


def report_pnl(plan: Plan, evaluation: Evaluation) -> Floats:
    """P&L [M, 12] of each margin group when every underlying moves by the same report shock."""
    leaves = evaluation.leaves
    columns = [
        plan.by_margin_group(leaves.tagged["report"][:, column], leaves.margin_groups)
        for column in range(len(LADDER) + len(STRESS))
    ]
    return np.column_stack(columns)


def _worst(plan: Plan, evaluation: Evaluation) -> dict[str, Any]:
    """The scenario of each margin group's largest node, and the shocks of that node's largest leaf in it."""
    size = len(plan.margin_groups)
    scenario, owner = np.full(size, -1, np.intp), np.full(size, -1, np.intp)
    largest = np.full(size, -1.0)
    for node in evaluation.nodes:
        better = (node.reduced.losses > largest[node.margin_groups]) & (node.underlyings >= 0)
        groups = node.margin_groups[better]
        largest[groups] = node.reduced.losses[better]
        scenario[groups] = node.reduced.scenarios[better]
        owner[groups] = node.underlyings[better]
    known = scenario >= 0
    price, vol = np.zeros(size), np.zeros(size)
    price[known] = evaluation.states.spot_shocks[owner[known], scenario[known]]
    vol[known] = evaluation.states.vol_shocks[owner[known], scenario[known]]
    return {"worst_scenario": scenario, "worst_price_shock": price, "worst_vol_shock": vol}


def group_frame(plan: Plan, evaluation: Evaluation, rates: Floats) -> pd.DataFrame:
    """One row per margin group and class group, in each margin group's currency."""
    leaves = evaluation.leaves
    rate = rates[leaves.margin_groups]
    columns: dict[str, Any] = {
        "margin_group": plan.margin_groups[leaves.margin_groups],
        "portfolio_group": leaves.portfolio_groups,
        "product_group": leaves.product_groups,
        "class_group": leaves.class_groups,
        "scan": leaves.losses / rate,
        "worst_scenario": leaves.scenarios,
        "worst_price_shock": leaves.price_shocks,
        "worst_vol_shock": leaves.vol_shocks,
        "minimum": evaluation.leaf_charges / rate,
        "stand_alone_sum": evaluation.leaf_stand_alone / rate,
    }
    report = leaves.tagged["report"]
    for column, shock in enumerate(LADDER):
        name = f"loss_{'down' if shock < 0 else 'up'}_{abs(round(shock * 100))}"
        columns[name] = np.maximum(-report[:, column], 0.0) / rate + 0.0
    frame = pd.DataFrame(columns)
    order = np.lexsort((np.arange(len(frame)), leaves.margin_groups))
    return frame.iloc[order].reset_index(drop=True)


def position_frame(plan: Plan, shares: pd.DataFrame, values: Floats, rates: Floats) -> pd.DataFrame:
    """One row per priced position, by margin group, account and symbol."""
    held, table = plan.positions, plan.market.instruments
    rate = rates[held.margin_groups]
    frame = pd.DataFrame(
        {
            "margin_group": plan.margin_groups[held.margin_groups],
            "account": plan.book.accounts["account"].to_numpy(object)[held.accounts],
            "symbol": table.symbols[held.instruments],
            "quantity": held.quantities,
            "price": table.coin_values(values)[held.instruments],
            "vol": table.vols[held.instruments],
            **{name: shares[name].to_numpy(np.float64) / rate for name in shares.columns},
        }
    )
    return frame.sort_values(["margin_group", "account", "symbol"], kind="stable", ignore_index=True)

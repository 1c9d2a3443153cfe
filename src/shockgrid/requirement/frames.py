"""From an evaluation to the frames a user reads, in each margin group's currency."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats
from shockgrid.engine import Plan
from shockgrid.market_states import MarketStates
from shockgrid.requirement.report import LADDER
from shockgrid.requirement.totals import Evaluation, Totals

STRESS_LINES = ("loss_down_25", "loss_up_25")

LINES = (
    "stand_alone_sum",
    "hedge_benefit",
    "offset_benefit",
    "minimum",
    "concentration",
    "contingency",
    "unpriced",
)


def account_figures(totals: Totals, states: MarketStates, rates: Floats) -> dict[str, Any]:
    """Columns, one row per margin group: requirement, its lines, worst scenario, stress losses.

    ``rates`` [M] are the values of one unit of each margin group's currency in the base currency.
    """
    columns: dict[str, Any] = {"requirement": totals.requirement / rates}
    columns |= _worst(totals, states)
    lines = {name: np.zeros(len(rates)) for name in LINES} | totals.lines
    columns |= {name: line / rates for name, line in lines.items()}
    columns["requirement_zero_offsets"] = totals.zero_offsets / rates
    if totals.initial is not None:
        columns["initial_requirement"] = totals.initial[0] / rates
    for place, column in enumerate(STRESS_LINES):
        columns[column] = np.maximum(-totals.stress[:, place], 0.0) / rates + 0.0
    return columns


def _worst(totals: Totals, states: MarketStates) -> dict[str, Any]:
    """The scenario of each margin group's largest node, and the shocks of that node's largest leaf in it."""
    scenario, owner = totals.worst_scenarios, totals.worst_underlyings
    known = scenario >= 0
    price, vol = np.zeros(len(scenario)), np.zeros(len(scenario))
    price[known] = states.spot_shocks[owner[known], scenario[known]]
    vol[known] = states.vol_shocks[owner[known], scenario[known]]
    return {"worst_scenario": scenario, "worst_price_shock": price, "worst_vol_shock": vol}


def group_columns(plan: Plan, evaluation: Evaluation, rates: Floats, rows: Codes) -> dict[str, Any]:
    """One row per margin group and class group, in each margin group's currency; ``rows`` of all leaves."""
    leaves = evaluation.leaves
    groups = leaves.margin_groups[rows]
    rate = rates[groups]
    columns: dict[str, Any] = {
        "margin_group": plan.margin_groups[groups],
        "portfolio_group": leaves.portfolio_groups[rows],
        "product_group": leaves.product_groups[rows],
        "class_group": leaves.class_groups[rows],
        "scan": leaves.losses[rows] / rate,
        "worst_scenario": leaves.scenarios[rows],
        "worst_price_shock": leaves.price_shocks[rows],
        "worst_vol_shock": leaves.vol_shocks[rows],
        "minimum": evaluation.leaf_charges[rows] / rate,
        "stand_alone_sum": evaluation.leaf_stand_alone[rows] / rate,
    }
    report = leaves.tagged["report"][rows]
    for column, shock in enumerate(LADDER):
        name = f"loss_{'down' if shock < 0 else 'up'}_{abs(round(shock * 100))}"
        columns[name] = np.maximum(-report[:, column], 0.0) / rate + 0.0
    return columns


def position_columns(
    plan: Plan, shares: pd.DataFrame, values: Floats, rates: Floats, rows: Codes
) -> dict[str, Any]:
    """One row per priced position; ``rows`` of all positions."""
    held, table = plan.positions, plan.market.instruments
    rate, instruments = rates[held.margin_groups[rows]], held.instruments[rows]
    return {
        "margin_group": plan.margin_groups[held.margin_groups[rows]],
        "account": plan.book.accounts["account"].to_numpy(object)[held.accounts[rows]],
        "symbol": table.symbols[instruments],
        "quantity": held.quantities[rows],
        "price": table.coin_values(values)[instruments],
        "vol": table.vols[instruments],
        **{name: shares[name].to_numpy(np.float64)[rows] / rate for name in shares.columns},
    }


def by_account_and_symbol(plan: Plan) -> Codes:
    """The positions ordered by margin group, account and symbol."""
    held = plan.positions
    instruments, places = np.unique(held.instruments, return_inverse=True)
    ranks = np.empty(len(instruments), np.intp)
    ranks[np.argsort(plan.market.instruments.symbols[instruments], kind="stable")] = np.arange(len(ranks))
    # accounts stand sorted in the book
    return np.lexsort((ranks[places], held.accounts, held.margin_groups))

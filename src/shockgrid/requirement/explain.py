"""The tree of one margin group as rows: what adds up to the requirement, node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats
from shockgrid.engine import Plan
from shockgrid.requirement.frames import LINES, group_frame
from shockgrid.requirement.totals import Evaluation

COLUMNS = ("level", "name", "parent", "amount", "minimum", "scenario", "price_shock", "vol_shock")


def tree_frame(
    margin_group: str, row: pd.Series, plan: Plan, evaluation: Evaluation, rates: Floats
) -> pd.DataFrame:
    """Rows of ``MarginResult.explain``: requirement, its lines, the reduced nodes, the class groups."""
    code = int(np.flatnonzero(plan.margin_groups == margin_group)[0])
    extra = [name for name in evaluation.lines if name not in LINES]
    rows: list[dict[str, Any]] = [
        {
            "level": "requirement",
            "name": str(row["binding"]),
            "parent": margin_group,
            "amount": row["requirement"],
            "scenario": row["worst_scenario"],
            "price_shock": row["worst_price_shock"],
            "vol_shock": row["worst_vol_shock"],
        }
    ]
    rows += [
        {"level": "line", "name": name, "parent": "requirement", "amount": row[name]}
        for name in (*LINES, *extra)
    ]
    rows += list(_nodes(evaluation, code, float(rates[code])))
    groups = group_frame(plan, evaluation, rates)
    for group in groups[groups["margin_group"] == margin_group].to_dict("records"):
        rows.append(
            {
                "level": "class_group",
                "name": group["class_group"],
                "parent": group["product_group"],
                "amount": group["scan"],
                "minimum": group["minimum"],
                "scenario": group["worst_scenario"],
                "price_shock": group["worst_price_shock"],
                "vol_shock": group["worst_vol_shock"],
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _nodes(evaluation: Evaluation, code: int, rate: float) -> Any:
    for node in evaluation.nodes:
        at = np.searchsorted(node.margin_groups, code)
        if at == len(node.margin_groups) or node.margin_groups[at] != code:
            continue
        scenario = int(node.reduced.scenarios[at])
        shown = node.underlyings[at]
        yield {
            "level": evaluation.regime.tree.reduce_at + " (reduced)",
            "name": node.name,
            "parent": "",
            "amount": node.reduced.losses[at] / rate,
            "minimum": node.charges[at] / rate,
            "scenario": scenario,
            "price_shock": evaluation.states.spot_shocks[shown, scenario] if shown >= 0 else np.nan,
            "vol_shock": evaluation.states.vol_shocks[shown, scenario] if shown >= 0 else np.nan,
        }

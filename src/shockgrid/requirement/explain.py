"""The tree of one margin group as rows: what adds up to the requirement, node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats
from shockgrid.engine import Plan
from shockgrid.requirement.frames import LINES, group_columns
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
    rows += list(_initial(evaluation, code, row, float(rates[code])))
    rows += [
        {"level": "memo", "name": name, "parent": margin_group, "amount": figure[code] / rates[code]}
        for name, figure in evaluation.memos.items()
    ]
    rows += list(_nodes(evaluation, code, float(rates[code])))
    leaves = np.flatnonzero(evaluation.leaves.margin_groups == code)
    for group in pd.DataFrame(group_columns(plan, evaluation, rates, leaves)).to_dict("records"):
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
    return _with_words(pd.DataFrame(rows, columns=list(COLUMNS)), evaluation, code)


def _with_words(frame: pd.DataFrame, evaluation: Evaluation, code: int) -> pd.DataFrame:
    """The rows with the rule's own words beside them and the remarks of the margin group below."""
    words = _words(evaluation)
    if words:
        pairs = zip(frame["level"], frame["name"], strict=True)
        frame = frame.assign(words=[words.get(pair, "") for pair in pairs])
    said = evaluation.remarks[evaluation.remarks["margin_group"] == code]
    if len(said) == 0:
        return frame
    own = said.rename(columns={"value": "amount"}).assign(parent=said["subject"])
    return pd.concat([frame, own.drop(columns=["margin_group", "subject"])], ignore_index=True)


SCAN_LINES = ("stand_alone_sum", "hedge_benefit", "offset_benefit", "minimum")
LINE_WORDS = {
    "stand_alone_sum": "the loss of every position by itself",
    "hedge_benefit": "what positions of one class group offset of each other",
    "offset_benefit": "what class groups offset of each other, in their groups or in one joint loss",
    "minimum": "what the least charge per option contract is above the scan",
    "unpriced": "positions that cannot be priced: a long counts nothing, a short pays the strategy rule",
}


def _initial(evaluation: Evaluation, code: int, row: pd.Series, rate: float) -> Any:
    """The initial requirement and its lines, where the regime has one."""
    if evaluation.initial is None:
        return
    yield {
        "level": "initial requirement",
        "name": str(row["binding"]),
        "parent": row["margin_group"],
        "amount": row["initial_requirement"],
    }
    own: dict[Any, Any] = {name: line[code] / rate for name, line in evaluation.initial[1].items()}
    for name, amount in {**row[[*SCAN_LINES, "unpriced"]].to_dict(), **own}.items():
        yield {"level": "initial line", "name": name, "parent": "initial requirement", "amount": amount}


def _words(evaluation: Evaluation) -> dict[tuple[str, str], str]:
    """(level, name) -> what the row is, of those that have words: the regime's own where it has some."""
    regime = evaluation.regime
    words = {(level, name): text for level in ("line", "initial line") for name, text in LINE_WORDS.items()}
    words |= {("line", add_on.name): add_on.words for add_on in regime.add_ons}
    words |= {("memo", memo.name): memo.words for memo in regime.memos}
    words |= {("initial line", add_on.name): add_on.words for add_on in regime.initial or ()}
    words |= {
        (f"{regime.tree.reduce_at} (reduced)", node.name): regime.scan_words for node in evaluation.nodes
    }
    return {key: text for key, text in words.items() if text}


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

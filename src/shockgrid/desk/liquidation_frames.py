"""From ordered steps to the frames of a plan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats
from shockgrid.desk.liquidation_baselines import BASELINES, Baseline
from shockgrid.desk.liquidation_changes import Outcomes
from shockgrid.desk.liquidation_order import Ordered
from shockgrid.desk.liquidation_result import WORDS
from shockgrid.desk.liquidation_search import Search

COSTS = ("half_spread", "fees", "impact")
STEP_COLUMNS = (
    "margin_group",
    "step",
    "account",
    "symbol",
    "quantity",
    "price",
    "traded",
    "half_spread",
    "fees",
    "impact",
    "requirement_before",
    "requirement_after",
    "freed",
    "relief",
    "excess_after",
)
ACCOUNT_COLUMNS = (
    "margin_group",
    "status",
    "reason",
    "equity",
    "requirement_before",
    "binding_before",
    "excess_before",
    "buffer",
    "requirement_after",
    "exchange_requirement_after",
    "house_requirement_after",
    "binding_after",
    "excess_after",
    "shortfall_left",
    "steps",
    "orders",
    "traded",
    "freed",
    "freed_per_dollar",
    "useful_per_dollar",
    *COSTS,
    "costs",
    "tail_loss_before",
    "tail_loss_after",
)
RULE_COLUMNS = (*Baseline._fields, "freed_per_dollar", "useful_per_dollar")
SHOWN_LAST = ("currency", "reliability")
TEXTS = ("margin_group", "status", "reason", "binding_before", "binding_after", "account", "symbol", "cure")


def no_rows(columns: Iterable[str]) -> pd.DataFrame:
    """A frame of these columns and no row, of the types that rows would have."""
    counts, texts = ("step", "steps", "orders"), (*TEXTS, *SHOWN_LAST)
    kinds = {**dict.fromkeys(counts, np.int64), **dict.fromkeys(texts, np.object_)}
    return pd.DataFrame({name: np.zeros(0, kinds.get(name, np.float64)) for name in columns})


def account_columns(baselines: bool) -> list[str]:
    """The columns of ``LiquidationPlan.accounts``, in order."""
    rules = [f"{rule}_{name}" for rule in BASELINES if baselines for name in RULE_COLUMNS]
    return [*ACCOUNT_COLUMNS, *rules, *SHOWN_LAST]


def step_frame(search: Search, plans: Ordered) -> pd.DataFrame:
    """One row per leg of every step."""
    entries = [
        (owner, number, entry) for owner, own in plans.taken.items() for number, entry in enumerate(own, 1)
    ]
    if not entries:
        return no_rows(STEP_COLUMNS)
    plan, ground = search.ground.plan, search.ground
    steps = [entry.step for _, _, entry in entries]
    owners, numbers = (np.array(column, np.intp) for column in list(zip(*entries, strict=True))[:2])
    before = np.array([entry.requirement_before for _, _, entry in entries])
    after = np.array([entry.requirement_after for _, _, entry in entries])
    costs = search.costs_of(steps)
    spent = pd.Series(costs).groupby(owners).cumsum().to_numpy(np.float64)
    every = np.concatenate([step.positions for step in steps])
    changes = np.concatenate([step.amounts for step in steps])
    moved = changes != 0.0
    step_of = np.repeat(np.arange(len(steps)), [len(step.positions) for step in steps])[moved]
    positions, amounts = every[moved], changes[moved]
    instruments, bill = plan.positions.instruments[positions], search.bill(positions, amounts)
    columns: dict[str, Any] = {
        "margin_group": plan.margin_groups[owners][step_of],
        "step": numbers[step_of],
        "account": plan.book.accounts["account"].to_numpy(object)[plan.positions.accounts[positions]],
        "symbol": plan.market.instruments.symbols[instruments],
        "quantity": amounts,
        "price": ground.prices[instruments],
        "traded": np.abs(amounts) * search.costs.money[positions],
        "half_spread": bill.half_spread,
        "fees": bill.fees,
        "impact": bill.impact,
        "requirement_before": before[step_of],
        "requirement_after": after[step_of],
        "freed": (before - after)[step_of],
        "relief": (before - after - costs)[step_of],
        "excess_after": (ground.equity[owners] - spent - after)[step_of],
    }
    return pd.DataFrame(columns, columns=list(STEP_COLUMNS))


def account_frame(
    search: Search, plans: Ordered, steps: pd.DataFrame, baselines: dict[str, Baseline], buffers: Floats
) -> pd.DataFrame:
    """One row per margin group that was planned; ``buffers`` [M] are those that were asked for."""
    ground, names = search.ground, search.ground.plan.margin_groups
    before, after = ground.before, plans.after
    sums = steps.groupby("margin_group")[["traded", *COSTS]].sum().reindex(names).fillna(0.0)
    costs, traded = sums[list(COSTS)].sum(axis=1).to_numpy(np.float64), sums["traded"].to_numpy(np.float64)
    orders = steps.groupby("margin_group").size().reindex(names).fillna(0).astype(np.int64)
    freed, excess = before.requirement - after.requirement, ground.equity - after.requirement - costs
    reached, covered = excess >= buffers - search.cents, excess >= -search.cents
    statuses = np.select([reached, covered], ["cured", "short_of_buffer"], "cannot_cure")
    columns: dict[str, Any] = {
        "margin_group": names,
        "status": statuses.astype(object),
        "reason": [WORDS[status] for status in statuses.tolist()],
        "equity": ground.equity,
        "requirement_before": before.requirement,
        "binding_before": _binding(before),
        "excess_before": ground.equity - before.requirement,
        "buffer": buffers,
        "requirement_after": after.requirement,
        "exchange_requirement_after": after.exchange,
        "house_requirement_after": after.house,
        "binding_after": _binding(after),
        "excess_after": excess,
        "shortfall_left": np.where(covered, 0.0, -excess),
        "steps": [len(plans.taken.get(owner, ())) for owner in range(len(names))],
        "orders": orders.to_numpy(),
        "traded": traded,
        "freed": freed,
        **_per_dollar(search, "", freed, costs, traded),
        **{name: sums[name].to_numpy() for name in COSTS},
        "costs": costs,
        "tail_loss_before": before.tail_losses,
        "tail_loss_after": after.tail_losses,
    }
    for rule, found in baselines.items():
        columns |= {f"{rule}_{name}": column for name, column in found._asdict().items()}
        columns |= _per_dollar(search, f"{rule}_", found.freed, found.costs, found.traded)
    return pd.DataFrame(columns)


def _per_dollar(
    search: Search, prefix: str, freed: Floats, costs: Floats, traded: Floats
) -> dict[str, Floats]:
    """What a dollar traded frees; and the same with costs taken off, up to what was needed."""
    useful = np.minimum(freed - costs, search.needed)
    return {
        f"{prefix}freed_per_dollar": _share(freed, traded),
        f"{prefix}useful_per_dollar": _share(useful, traded),
    }


def _binding(found: Outcomes) -> Any:
    house = np.isnan(found.exchange) | (np.nan_to_num(found.house, nan=-1.0) > found.exchange)
    return np.where(house, "house", "exchange").astype(object)


def _share(freed: Floats, traded: Floats) -> Floats:
    return np.divide(freed, traded, out=np.zeros(len(freed)), where=traded > 0.0)

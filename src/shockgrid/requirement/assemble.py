"""Both sides of every margin group side by side: equity, the greater requirement, what binds, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats
from shockgrid.engine import Plan
from shockgrid.requirement.equity import account_rates, equity
from shockgrid.requirement.frames import LINES, account_figures
from shockgrid.requirement.regime import Program
from shockgrid.requirement.reliability import reliability
from shockgrid.requirement.result import Run
from shockgrid.requirement.unpriced import unpriced_charges


def accounts_frame(
    whole: Plan, programs: Sequence[Program], runs: Sequence[Run], values: Floats, doubted: pd.Series
) -> tuple[pd.DataFrame, dict[str, int], pd.DataFrame]:
    """The accounts frame, the binding run of each margin group, and rejects found while joining.

    ``doubted`` are accounts that are PARTIAL whatever they hold.
    """
    figures = [account_figures(run.plan, run.evaluation, run.rates) for run in runs]
    exchange = _requirement(programs, runs, figures, whole, "exchange")
    house = _requirement(programs, runs, figures, whole, "house")
    binds_house = np.isnan(exchange[0]) | (np.nan_to_num(house[0], nan=-1.0) > exchange[0])
    run_of = np.where(binds_house, house[1], exchange[1]).astype(np.intp)
    names = whole.margin_groups
    chosen = pd.concat([frame.assign(_run=at) for at, frame in enumerate(figures)])
    extra = [c for c in chosen.columns if c not in (*figures[0].columns, "_run")] if figures else []
    chosen[extra] = chosen[extra].fillna(0.0)
    chosen = chosen.reset_index().set_index(["_run", "margin_group"])
    picked = chosen.loc[list(zip(run_of, names, strict=True))].reset_index(drop=True)
    rates = group_rates(whole)
    worth = equity(whole, values)
    lost = unpriced_charges(whole)
    charges = whole.by_margin_group(lost.charges, lost.margin_groups) / rates
    minimums = np.array([program.minimum_equity for program in programs])
    requirement = picked["requirement"].to_numpy(float) + charges
    at_marks = worth.at_marks / rates
    columns: dict[str, Any] = {
        "margin_group": names,
        "equity_at_marks": at_marks,
        "equity_at_model": worth.at_model / rates,
        "exchange_requirement": exchange[0] + charges,
        "house_requirement": house[0] + charges,
        "requirement": requirement,
        "binding": np.where(binds_house, "house", "exchange").astype(object),
        "excess": at_marks - requirement,
        "below_minimum_equity": at_marks < minimums,
    }
    shown = ["worst_scenario", "worst_price_shock", "worst_vol_shock"]
    columns |= {name: picked[name].to_numpy() for name in shown}
    lines = [*LINES, *[name for name in picked.columns if name not in (*LINES, *shown, *_REST)]]
    columns |= {name: picked[name].to_numpy(float) for name in lines}
    columns["unpriced"] = charges
    columns["requirement_zero_offsets"] = picked["requirement_zero_offsets"].to_numpy(float) + charges
    columns |= {name: picked[name].to_numpy(float) for name in ("loss_down_25", "loss_up_25")}
    columns["requirement_low"] = picked["requirement"].to_numpy(float)
    columns["requirement_high"] = requirement
    status, rejects = reliability(whole, lost.margin_groups[lost.without_spot], doubted)
    columns["reliability"] = status
    return pd.DataFrame(columns), dict(zip(names, run_of.tolist(), strict=True)), rejects


_REST = ("requirement", "requirement_zero_offsets", "loss_down_25", "loss_up_25")


def _requirement(
    programs: Sequence[Program], runs: Sequence[Run], figures: Sequence[pd.DataFrame], whole: Plan, side: str
) -> tuple[Floats, Codes]:
    """Requirement [M] of one side (NaN where it was not asked for) and the run it comes from."""
    place = {id(run.evaluation.regime): at for at, run in enumerate(runs)}
    run_of = np.array([place.get(id(getattr(program, side)), -1) for program in programs], np.intp)
    amounts = np.full(len(programs), np.nan)
    for at, frame in enumerate(figures):
        mine = run_of == at
        amounts[mine] = frame["requirement"].reindex(whole.margin_groups[mine]).to_numpy(float)
    return amounts, run_of


def group_rates(whole: Plan) -> Floats:
    """Value of one unit of each margin group's currency; the base currency where its accounts differ."""
    rates = np.nan_to_num(account_rates(whole), nan=1.0)
    low, high = np.full(len(whole.margin_groups), np.inf), np.zeros(len(whole.margin_groups))
    np.minimum.at(low, whole.account_groups, rates)
    np.maximum.at(high, whole.account_groups, rates)
    return np.where(low == high, high, 1.0)

"""Both sides of every margin group side by side: equity, the greater requirement, what binds, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.engine import Plan
from shockgrid.requirement.equity import equity
from shockgrid.requirement.frames import LINES, account_figures
from shockgrid.requirement.regime import Program
from shockgrid.requirement.reliability import reliability
from shockgrid.requirement.result import Run
from shockgrid.requirement.unpriced import unpriced_charges

SHOWN = ("worst_scenario", "worst_price_shock", "worst_vol_shock")
STRESS_LINES = ("loss_down_25", "loss_up_25")


class Sides(NamedTuple):
    """The exchange's and the house's requirement of every margin group, and which of them binds."""

    exchange: Floats  #: [M], NaN where it was not asked for
    house: Floats  #: [M], NaN where it was not asked for
    house_binds: Mask  #: [M]; on a tie the exchange does
    binding_runs: Codes  #: [M] the run whose lines are shown


def accounts_frame(
    whole: Plan, programs: Sequence[Program], runs: Sequence[Run], values: Floats, doubted: pd.Series
) -> tuple[pd.DataFrame, dict[str, int], pd.DataFrame]:
    """The accounts frame, the binding run of each margin group, and rejects found while joining.

    ``doubted`` are accounts that are PARTIAL whatever they hold.
    """
    figures = [account_figures(run.plan, run.evaluation, run.rates) for run in runs]
    sides = _sides(whole, programs, runs, figures)
    binding = _binding_rows(figures, sides.binding_runs, whole.margin_groups)
    rates = group_rates(whole)
    worth, lost = equity(whole, values), unpriced_charges(whole)
    charges = whole.by_margin_group(lost.charges, lost.margin_groups) / rates
    status, rejects = reliability(whole, lost.margin_groups[lost.without_spot], doubted)
    low, at_marks = binding["requirement"].to_numpy(np.float64), worth.at_marks / rates
    minimums = np.array([program.minimum_equity for program in programs])
    lines = [
        *LINES,
        *[name for name in binding.columns if name not in (*LINES, *SHOWN, *STRESS_LINES, *_TOTALS)],
    ]
    columns: dict[str, Any] = {
        "margin_group": whole.margin_groups,
        "equity_at_marks": at_marks,
        "equity_at_model": worth.at_model / rates,
        "exchange_requirement": sides.exchange + charges,
        "house_requirement": sides.house + charges,
        "requirement": low + charges,
        "binding": np.where(sides.house_binds, "house", "exchange").astype(object),
        **{name: binding[name].to_numpy(np.float64) + charges for name in INITIAL if name in binding},
        "excess": at_marks - (low + charges),
        "below_minimum_equity": at_marks < minimums,
        "minimum_equity": minimums,
        "exchange_regime": _exchange_regimes(programs),
        **{name: binding[name].to_numpy() for name in (*SHOWN, *lines)},
        "unpriced": charges,
        "requirement_zero_offsets": binding["requirement_zero_offsets"].to_numpy(np.float64) + charges,
        **{name: binding[name].to_numpy() for name in STRESS_LINES},
        "requirement_low": low,
        "requirement_high": low + charges,
        "reliability": status,
        "currency": group_currencies(whole),
    }
    runs_by_name = dict(zip(whole.margin_groups, sides.binding_runs.tolist(), strict=True))
    return pd.DataFrame(columns), runs_by_name, rejects


def _exchange_regimes(programs: Sequence[Program]) -> Texts:
    """Name of the exchange's regime of each margin group [M], "" where there is none."""
    return np.array([program.exchange.name if program.exchange else "" for program in programs], object)


INITIAL = ("initial_requirement",)
_TOTALS = ("requirement", "requirement_zero_offsets", *INITIAL)


def _sides(
    whole: Plan, programs: Sequence[Program], runs: Sequence[Run], figures: Sequence[pd.DataFrame]
) -> Sides:
    place = {id(run.evaluation.regime): at for at, run in enumerate(runs)}
    amounts, found = {}, {}
    for side in ("exchange", "house"):
        run_of = np.array([place.get(id(getattr(program, side)), -1) for program in programs], np.intp)
        amount = np.full(len(programs), np.nan)
        for at, frame in enumerate(figures):
            mine = run_of == at
            amount[mine] = frame["requirement"].reindex(whole.margin_groups[mine]).to_numpy(np.float64)
        amounts[side], found[side] = amount, run_of
    exchange, house = amounts["exchange"], amounts["house"]
    house_binds = np.isnan(exchange) | (np.nan_to_num(house, nan=-1.0) > exchange)
    return Sides(exchange, house, house_binds, np.where(house_binds, found["house"], found["exchange"]))


def _binding_rows(figures: Sequence[pd.DataFrame], run_of: Codes, names: Texts) -> pd.DataFrame:
    """The row of each margin group from the run that binds; an add-on only another run has is 0, an initial
    requirement missing (NaN)."""
    stacked = pd.concat([frame.assign(run=at) for at, frame in enumerate(figures)])
    common = set.intersection(*[set(frame.columns) for frame in figures])
    extra = [column for column in stacked.columns if column not in (*common, *INITIAL, "run")]
    stacked[extra] = stacked[extra].fillna(0.0)
    rows = stacked.set_index("run", append=True)
    return rows.loc[list(zip(names, run_of, strict=True))].reset_index(drop=True)


def group_currencies(whole: Plan) -> Texts:
    """The currency of each margin group [M]: that of its accounts, the base currency where they differ."""
    base = whole.market.base_currency
    names = whole.book.accounts["currency"].astype(object)
    names = names.where(names.isin(list(whole.market.fx)), base)
    by_group = names.groupby(whole.account_groups).agg(["first", "nunique"])
    chosen = by_group["first"].where(by_group["nunique"] == 1, base)
    return chosen.to_numpy(object)


def group_rates(whole: Plan) -> Floats:
    """Value of one unit of each margin group's currency in the base currency, [M]."""
    return np.array([whole.market.fx[name] for name in group_currencies(whole)], np.float64)

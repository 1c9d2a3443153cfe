"""The broker's own loss: what margin groups lose beyond their equity, scenario by scenario."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats, Mask
from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.engine import Plan, class_risk_arrays, plan, prepare
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.market_states import MarketStates
from shockgrid.requirement.assemble import group_rates
from shockgrid.requirement.result import MarginResult
from shockgrid.scenarios import ScenarioSet


@dataclass(frozen=True)
class FirmLoss:
    """Every amount in the base currency.

    Attributes
    ----------
    scenarios : one row per scenario: name, firm_loss = sum over margin groups of max(0, -(equity + P&L)),
        defaults (margin groups with equity below 0), calls (margin groups below their requirement, held where
        it is), cash_called (sum of requirement - equity over those).
    accounts : one row per margin group: requirement (>= 0), equity at marks, excess = equity - requirement,
        worst_shortfall (>= 0, its part of the firm's loss in its own worst scenario), worst_scenario,
        shortfall (in the firm's worst scenario), reliability (of the margin: what cannot be priced is no part
        of the P&L); largest shortfall first.
    names : one row per class group: pnl of the margin groups in default in the firm's worst scenario, most
        negative first.
    """

    scenarios: pd.DataFrame
    accounts: pd.DataFrame
    names: pd.DataFrame

    @property
    def worst(self) -> int:
        """Index of the scenario of the greatest firm loss, the lowest on a tie."""
        return int(np.argmax(self.scenarios["firm_loss"].to_numpy()))

    def __repr__(self) -> str:
        row = self.scenarios.iloc[self.worst]
        return (
            f"FirmLoss: worst of {len(self.scenarios):,} scenarios is {row['name']!r}: "
            f"{row['firm_loss']:,.2f} beyond the equity of {int(row['defaults']):,} margin groups; "
            f"{int(row['calls']):,} calls for {row['cash_called']:,.2f}"
        )


def firm_loss(
    book: Book,
    market: Market,
    scenarios: ScenarioSet,
    result: MarginResult,
    *,
    backend: str | Backend = "auto",
) -> FirmLoss:
    """What the firm itself loses in each scenario if every margin group walks away from its debts.

    Parameters
    ----------
    scenarios : any set; each is one state of the whole market, so a grid moves all names together and a joint
        list or a history moves each by its own shock.
    result : margin of this book and market, for equity and requirement.

    Raises
    ------
    InputError : the rows of P&L would not fit the memory at hand; ``result`` is of another book.
    """
    engine = get_backend(backend)
    whole = plan(book, calibrated(market, engine))
    rows = result.accounts.set_index("margin_group")
    if set(rows.index) != set(whole.margin_groups):
        problem = "expected the margin of this book: its margin groups differ"
        raise InputError(problem, table="result")
    rows, rates = rows.reindex(whole.margin_groups), group_rates(whole)
    equity, required = (
        rows[name].to_numpy(np.float64) * rates for name in ("equity_at_marks", "requirement")
    )
    states = MarketStates.of(scenarios, whole.market)
    after = _pnl(whole, states, engine) + equity[:, None]
    shortfalls, gaps = np.maximum(-after, 0.0), required[:, None] - after
    called = gaps > 0.005  # half a cent
    frame = pd.DataFrame(
        {
            "scenario": np.arange(len(scenarios)),
            "name": list(scenarios.names),
            "firm_loss": shortfalls.sum(axis=0),
            "defaults": (shortfalls > 0.0).sum(axis=0),
            "calls": called.sum(axis=0),
            "cash_called": np.where(called, gaps, 0.0).sum(axis=0),
        }
    )
    worst = int(np.argmax(frame["firm_loss"].to_numpy()))
    accounts = pd.DataFrame(
        {
            "margin_group": whole.margin_groups,
            "requirement": required,
            "equity": equity,
            "excess": equity - required,
            "worst_shortfall": shortfalls.max(axis=1),
            "worst_scenario": shortfalls.argmax(axis=1),
            "shortfall": shortfalls[:, worst],
            "reliability": rows["reliability"].to_numpy(object),
        }
    )
    accounts = accounts.sort_values("worst_shortfall", ascending=False, kind="stable", ignore_index=True)
    return FirmLoss(frame, accounts, _names(whole, states, worst, shortfalls[:, worst] > 0.0, engine))


def _pnl(whole: Plan, states: MarketStates, backend: Backend) -> Floats:
    """P&L [M, S] of every margin group, all names in the same scenario."""
    size = 8 * len(whole.margin_groups) * len(states.scenarios)
    if 4 * size > backend.free_bytes():
        problem = f"{len(states.scenarios):,} scenarios need {4 * size / 1e9:,.1f} GB: ask for fewer"
        raise InputError(problem, table="scenarios")
    prepare(whole, states, backend)
    total = np.zeros((len(whole.margin_groups), len(states.scenarios)))
    for group in whole.class_groups():
        total[group.leaves] += class_risk_arrays(group, whole.market, states, backend)
    return total


def _names(whole: Plan, states: MarketStates, worst: int, default: Mask, backend: Backend) -> pd.DataFrame:
    names, pnl = [], []
    for group in whole.class_groups():
        held = default[group.leaves]
        if held.any():
            rows = class_risk_arrays(group, whole.market, states, backend)[held, worst]
            names.append(group.name)
            pnl.append(float(rows.sum()))
    frame = pd.DataFrame({"class_group": pd.Series(names, dtype=object), "pnl": pd.Series(pnl, dtype=float)})
    return frame.sort_values("pnl", kind="stable", ignore_index=True)

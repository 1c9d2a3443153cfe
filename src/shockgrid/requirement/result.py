"""What margin() returns: frames of requirements and the reasons for every number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats
from shockgrid.engine import Plan, plan
from shockgrid.errors import InputError
from shockgrid.requirement.contributions import contributions
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.explain import tree_frame
from shockgrid.requirement.frames import group_frame, position_frame
from shockgrid.requirement.regime import Regime
from shockgrid.requirement.totals import Evaluation
from shockgrid.requirement.views import headline_html, headline_table, headline_text


@dataclass(frozen=True)
class Run:
    """One regime over the margin groups it applies to."""

    evaluator: Evaluator
    evaluation: Evaluation
    values: Floats  #: [N] model values
    rates: Floats  #: [M] value of one unit of each margin group's currency in the base currency

    @property
    def plan(self) -> Plan:
        """The plan it ran over."""
        return self.evaluator.plan


@dataclass(frozen=True, repr=False)
class MarginResult:
    """Requirements of a firm, with the reason for each.

    Attributes
    ----------
    accounts : one row per margin group: equity, requirements, excess = equity_at_marks - requirement, worst
        scenario, the lines of the binding side (their sum is the requirement), reliability. Amounts in the
        margin group's ``currency``; a side that was not asked for is missing (NaN).
    rejects : every row of book and market that was turned away (E_...) or flagged (W_...).
    regimes : side (or program.side) -> regime.
    backend : name of the backend that ran.
    notes : what a reader must know about these numbers.
    timings : seconds per stage.
    """

    accounts: pd.DataFrame
    rejects: pd.DataFrame
    regimes: Mapping[str, Regime]
    backend: str
    notes: tuple[str, ...]
    timings: Mapping[str, float]
    runs: tuple[Run, ...]
    binding_runs: Mapping[str, int]  #: margin group -> which of ``runs`` binds

    @cached_property
    def groups(self) -> pd.DataFrame:
        """One row per margin group and class group under the binding regime: scan, worst scenario, minimum
        charge, stand-alone sum and the loss when the group's prices move by -50 .. +50 % at held vols.
        """
        return self._of_binding([group_frame(run.plan, run.evaluation, run.rates) for run in self.runs])

    @cached_property
    def positions(self) -> pd.DataFrame:
        """One row per priced position under the binding regime: model price, vol, stand_alone_loss,
        leave_one_out (exact fall of its node's loss) and euler (its share at the active scenario).
        Worked out on first use.
        """
        frames = [
            position_frame(run.plan, contributions(run.evaluator, run.evaluation), run.values, run.rates)
            for run in self.runs
        ]
        return self._of_binding(frames)

    @cached_property
    def scenario_table(self) -> pd.DataFrame:
        """The standard scenarios of each regime and the range of shocks they lay on the market."""
        rows = []
        for run in self.runs:
            sides = [side for side, regime in self.regimes.items() if regime is run.evaluation.regime]
            states = run.evaluation.states
            weights = states.weights if len(states.names) else states.scenarios.weights[None, :]
            shown = {"spot": states.spot_shocks, "vol": states.vol_shocks}
            columns: dict[str, Any] = {
                "side": ", ".join(sides),
                "regime": run.evaluation.regime.name,
                "scenario": np.arange(len(states.scenarios)),
                "name": list(states.scenarios.names),
                "weight": np.nanmin(weights, axis=0, initial=np.inf),
            }
            for kind, shocks in shown.items():
                columns[f"lowest_{kind}_shock"] = np.nanmin(shocks, axis=0, initial=np.inf)
                columns[f"highest_{kind}_shock"] = np.nanmax(shocks, axis=0, initial=-np.inf)
            rows.append(pd.DataFrame(columns))
        return pd.concat(rows, ignore_index=True)

    def scenarios(self, account: str) -> pd.DataFrame:
        """P&L of an account's margin group in every standard scenario of the binding regime.

        One row per (scenario, class_group): scenario, name, class_group, price_shock, vol_shock, pnl
        (gain > 0, in the margin group's currency).
        """
        margin_group, run = self._run_of(account)
        small = plan(run.plan.book.select([margin_group]), run.plan.market)
        evaluator = Evaluator(small, run.evaluation.regime, run.evaluator.backend, run.values)
        states = evaluator.standard_states
        rate = run.rates[list(run.plan.margin_groups).index(margin_group)]
        parts = []
        for group in small.class_groups():
            pnl = evaluator.standard_rows(group)[0]
            owner = int(group.shown[0])
            parts.append(
                pd.DataFrame(
                    {
                        "scenario": np.arange(len(pnl)),
                        "name": list(states.scenarios.names),
                        "class_group": group.name,
                        "price_shock": states.spot_shocks[owner],
                        "vol_shock": states.vol_shocks[owner],
                        "pnl": pnl / rate,
                    }
                )
            )
        columns = ["scenario", "name", "class_group", "price_shock", "vol_shock", "pnl"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

    def in_base(self, column: str) -> pd.Series:
        """A money column of ``accounts`` in the base currency, so that it can be summed over the firm."""
        rates = self.accounts["currency"].map(self.runs[0].plan.market.fx)
        return self.accounts[column] * rates.astype(np.float64)

    def short(self) -> pd.Series:
        """Mask of the margin groups in deficit, by at least half a cent."""
        return self.accounts["excess"].round(2) < 0.0

    def explain(self, account: str) -> pd.DataFrame:
        """The tree of an account's margin group: level, name, amount, scenario and shocks.

        First the lines of the requirement (they add up), then each reduced node with its minimum charge,
        then each class group with its own worst loss.
        """
        margin_group, run = self._run_of(account)
        row = self.accounts[self.accounts["margin_group"] == margin_group].iloc[0]
        return tree_frame(margin_group, row, run.plan, run.evaluation, run.rates)

    def margin_group_of(self, account: str) -> str:
        """The margin group an account (or a margin group by its own name) belongs to."""
        for run in self.runs:
            owners = run.plan.book.accounts.set_index("account")["margin_group"]
            if account in owners.index:
                return str(owners.loc[account])
            if account in run.plan.margin_groups:
                return account
        msg = "no such account or margin group"
        raise InputError(msg, table="accounts", column="account", value=account)

    def _run_of(self, account: str) -> tuple[str, Run]:
        margin_group = self.margin_group_of(account)
        return margin_group, self.runs[self.binding_runs[margin_group]]

    def _of_binding(self, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """The rows each margin group's binding run contributes, by margin group."""
        binding = pd.Series(self.binding_runs, dtype=np.int64)
        kept = [
            frame[frame["margin_group"].map(binding).to_numpy() == run] for run, frame in enumerate(frames)
        ]
        joined = pd.concat(kept, ignore_index=True)
        ordered: pd.DataFrame = joined.sort_values("margin_group", kind="stable", ignore_index=True)
        return ordered

    def __repr__(self) -> str:
        return headline_text(self)

    def _repr_html_(self) -> str:
        return headline_html(self)

    def __rich__(self) -> object:
        return headline_table(self)

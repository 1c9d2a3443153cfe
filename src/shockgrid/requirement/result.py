"""What margin() returns: frames of requirements and the reasons for every number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats
from shockgrid.doors import require_kind
from shockgrid.engine import Plan, plan
from shockgrid.errors import InputError
from shockgrid.requirement.contributions import contributions
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.explain import tree_frame
from shockgrid.requirement.frames import by_account_and_symbol, group_columns, position_columns
from shockgrid.requirement.minor_amounts import falls_short
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
        parts = []
        for run in self.runs:
            owners = run.evaluation.leaves.margin_groups
            rows = self._of_binding(run, owners, np.argsort(owners, kind="stable"))
            parts.append((owners[rows], group_columns(run.plan, run.evaluation, run.rates, rows)))
        return self._joined(parts)

    @cached_property
    def positions(self) -> pd.DataFrame:
        """One row per priced position under the binding regime: model price, vol, stand_alone_loss,
        leave_one_out (exact fall of its node's loss) and euler (its share at the active scenario).
        Worked out on first use.
        """
        parts = []
        for run in self.runs:
            owners, shares = run.plan.positions.margin_groups, contributions(run.evaluator, run.evaluation)
            rows = self._of_binding(run, owners, by_account_and_symbol(run.plan))
            parts.append((owners[rows], position_columns(run.plan, shares, run.values, run.rates, rows)))
        return self._joined(parts)

    @cached_property
    def rules(self) -> pd.DataFrame:
        """One row per margin group and rule or override of its binding regime.

        Columns: margin_group, level (rule, currency, override), name, subject, value, limit, distance (how
        much is left before the rule is triggered; below 0 it is), passed, words.
        """
        parts = []
        for run in self.runs:
            remarks = run.evaluation.remarks
            owners = remarks["margin_group"].to_numpy(np.intp)
            rows = self._of_binding(run, owners, np.argsort(owners, kind="stable"))
            shown = remarks.iloc[rows].assign(margin_group=run.plan.margin_groups[owners[rows]])
            parts.append((owners[rows], {str(name): shown[name].to_numpy() for name in shown}))
        return self._joined(parts)

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
            pnl = evaluator.rows.of_leaves(group)[0]
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

    @property
    def as_of(self) -> datetime:
        """The moment of the market."""
        return self.runs[0].plan.market.as_of

    def in_base(self, column: str) -> pd.Series:
        """A money column of ``accounts`` in the base currency, so that it can be summed over the firm."""
        rates = self.accounts["currency"].map(self.runs[0].plan.market.fx)
        return self.accounts[column] * rates.astype(np.float64)

    def short(self) -> pd.Series:
        """Mask of the margin groups in deficit, by a minor unit of their currency or more."""
        return falls_short(self.accounts)

    def explain(self, account: str) -> pd.DataFrame:
        """The tree of an account's margin group: level, name, amount, scenario and shocks.

        First the lines of the requirement (they add up), then each reduced node with its minimum charge,
        then each class group with its own worst loss; then rules and overrides, where there are any, with
        limit, distance to trigger and passed.
        """
        margin_group, run = self._run_of(account)
        row = self.accounts[self.accounts["margin_group"] == margin_group].iloc[0]
        return tree_frame(margin_group, row, run.plan, run.evaluation, run.rates)

    def margin_group_of(self, account: str) -> str:
        """The margin group an account (or a margin group by its own name) belongs to."""
        require_kind(account, str, "account")
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

    def _of_binding(self, run: Run, owners: Codes, order: Codes) -> Codes:
        """The rows of an order that belong to margin groups [n] for which this run binds."""
        number = next(place for place, own in enumerate(self.runs) if own is run)
        bound = np.array([self.binding_runs[name] == number for name in run.plan.margin_groups], np.bool_)
        return order[bound[owners[order]]]

    def _joined(self, parts: Sequence[tuple[Codes, dict[str, Any]]]) -> pd.DataFrame:
        """The rows of all runs by margin group; of each run its margin-group codes and its columns."""
        places = {name: place for place, name in enumerate(sorted(self.binding_runs))}
        ranks = [
            np.array([places[name] for name in run.plan.margin_groups], np.intp)[codes]
            for run, (codes, _) in zip(self.runs, parts, strict=True)
        ]
        order = np.argsort(np.concatenate(ranks), kind="stable")
        names = parts[0][1]
        return pd.DataFrame(
            {name: np.concatenate([columns[name] for _, columns in parts])[order] for name in names}
        )

    def __repr__(self) -> str:
        return headline_text(self)

    def _repr_html_(self) -> str:
        return headline_html(self)

    def __rich__(self) -> object:
        return headline_table(self)

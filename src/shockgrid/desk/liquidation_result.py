"""What ``liquidation_plan`` returns: plans as frames, and the reason for every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from shockgrid.errors import InputError
from shockgrid.minor_units import minor_digits

#: what each status means, as ``reason`` and every text say it
WORDS = {
    "cured": "covered again, buffer included",
    "short_of_buffer": "covered again, the buffer is out of reach",
    "cannot_cure": "closing does not cover it",
    "no_deficit": "no deficit",
    "not_planned": "not planned",
}


@dataclass(frozen=True, repr=False)
class LiquidationPlan:
    """Plans for the margin groups in deficit, or for those that were asked for.

    Amounts are in each margin group's ``currency``; quantities are changes, bought > 0.

    Attributes
    ----------
    accounts : one row per margin group: status (``cured``; ``short_of_buffer``: closing does not reach the
        buffer, the deficit is ended for the least; ``cannot_cure`` with the deficit that remains in
        shortfall_left; ``no_deficit``; ``not_planned``), reason (the same in words), currency, equity,
        requirement and excess before and after (excess after costs), binding side, buffer (excess asked
        for), steps, orders, traded, freed (fall of the requirement), freed_per_dollar, half_spread, fees,
        impact, costs, tail_loss before and after (loss at the worst of -50 .. +50 %, all names alike, vols
        held), and for each baseline what it traded, freed, cost, freed per dollar, whether it cured, and
        whether it ``uncovers``: leaves more short options uncovered than there were, which no plan does.
    steps : one row per leg, in order: margin_group, step, account, symbol, quantity, price (mark), traded,
        half_spread, fees, impact, and of the whole step requirement_before, requirement_after, freed, relief
        (freed less costs), excess_after.
    objective : what every step was chosen by.
    notes : what a reader must know.
    """

    accounts: pd.DataFrame
    steps: pd.DataFrame
    objective: str
    notes: tuple[str, ...]
    margin_groups: Mapping[str, str]  #: account -> margin group

    def explain(self, account: str) -> str:
        """The plan of an account's margin group in words, a line for each step.

        Raises InputError where there is no such account, or it is not part of the plan.
        """
        name = self.margin_groups.get(account, account)
        rows = self.accounts[self.accounts["margin_group"] == name]
        if len(rows) == 0:
            problem = "no such account or margin group in this plan"
            raise InputError(problem, table="accounts", column="account", value=account)
        row = rows.iloc[0]
        lines = [f"{name}: {row['reason']}"]
        if row["status"] in ("not_planned", "no_deficit"):
            return lines[0]
        money = in_digits_of(row["currency"])
        lines.append(
            f"  {row['currency']} requirement {money(row['requirement_before'])} ({row['binding_before']}), "
            f"equity {money(row['equity'])}, excess {money(row['excess_before'])}; "
            f"wanted {money(row['buffer'])}"
        )
        own = self.steps[self.steps["margin_group"] == name]
        for number, legs in own.groupby("step", sort=True):
            first = legs.iloc[0]
            costs = legs[["half_spread", "fees", "impact"]].to_numpy().sum()
            lines.append(
                f"  {number}. {_orders(legs)}: frees {money(first['freed'])} for "
                f"{money(legs['traded'].sum())} traded and {money(costs)} of costs; "
                f"excess {money(first['excess_after'])}"
            )
        if row["status"] == "short_of_buffer":
            short = row["buffer"] - row["excess_after"]
            lines.append(f"  closing does not reach the buffer: {money(short)} to be paid in for it")
        lines.append(
            f"  after: requirement {money(row['requirement_after'])}, excess {money(row['excess_after'])}; "
            f"loss at the worst of -50 .. +50 %: {money(row['tail_loss_after'])} "
            f"(before {money(row['tail_loss_before'])})"
        )
        if row["shortfall_left"] > 0.0:
            lines.append(f"  {money(row['shortfall_left'])} remain: to be paid in")
        return "\n".join(lines)

    def __repr__(self) -> str:
        counts = self.accounts["status"].value_counts()
        shown = ", ".join(f"{count} {WORDS[str(status)]}" for status, count in counts.items())
        return f"LiquidationPlan({self.objective}; {shown or 'nobody in deficit'})"


def in_digits_of(currency: str) -> Callable[[Any], str]:
    """How amounts in a currency are written."""
    return f"{{:,.{minor_digits(currency)}f}}".format


def _orders(legs: pd.DataFrame) -> str:
    columns = zip(legs["account"], legs["symbol"], legs["quantity"], strict=True)
    return "; ".join(
        f"{'buy' if quantity > 0 else 'sell'} {abs(quantity):,g} {symbol} ({account})"
        for account, symbol, quantity in columns
    )

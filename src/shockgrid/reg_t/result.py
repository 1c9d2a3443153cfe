"""What regt() returns: the requirement of every margin group and the groups that make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats
from shockgrid.columns import joined_rejects
from shockgrid.engine import Plan
from shockgrid.errors import InputError
from shockgrid.reg_t.amounts import Alone
from shockgrid.reg_t.explain import group_rows
from shockgrid.reg_t.legs import Legs
from shockgrid.reg_t.pairing import Pairing
from shockgrid.reg_t.rules import RegtRules
from shockgrid.reg_t.totals import Side, by_group, cents
from shockgrid.requirement.assemble import group_currencies, group_rates
from shockgrid.requirement.equity import equity
from shockgrid.requirement.minor_amounts import falls_short
from shockgrid.requirement.reliability import reliability
from shockgrid.requirement.unpriced import unpriced_charges

NOTES = (
    "regt: requirement is net of premium: to be compared with equity_at_marks, in which options and stock "
    "are marked; the gross columns are as the Cboe Margin Manual prints them",
    "regt: index calls against a tracking ETF, warrants, convertibles and portfolio-wide house add-ons are "
    "not read",
)
GAP_NOTE = (
    "regt: margin groups not paired to a proven minimum in the time allowed: {count:,}; their requirement is "
    "the best found, and at most {worst:,.2f} (column gap) too high"
)


class Sides(NamedTuple):
    """Both requirements with everything they were made from."""

    legs: Legs
    single: Alone
    maintenance_pairing: Pairing
    initial_pairing: Pairing
    maintenance: Side
    initial: Side


@dataclass(frozen=True, repr=False)
class RegtResult:
    """Strategy-based requirements of a firm.

    Attributes
    ----------
    accounts : one row per margin group, in its ``currency``, to the cent. ``requirement`` is maintenance net
        of premium: maintenance_gross - proceeds + capped_stock, at least 0; ``excess`` is equity_at_marks -
        requirement; stand_alone_sum + pairing_benefit (<= 0) + unpriced = requirement. The gross columns have
        the premium of uncovered shorts, the proceeds of short sales and the price of long options in them.
        ``initial_requirement`` is initial net of premium; ``cash_call`` what had to be deposited to open the
        positions: initial gross less proceeds. ``capped_stock`` is how much of covered stock does not count
        as equity. ``gap`` > 0: not proven to be the minimum, and by how much at most it is too high.
    rejects : rows of book and market that were turned away or flagged.
    rules : the numbers that were used.
    notes : what a reader must know.
    values : [N] model values.     backend : name of the backend that priced what has no mark.
    timings : seconds per stage.
    """

    accounts: pd.DataFrame
    rejects: pd.DataFrame
    rules: RegtRules
    notes: tuple[str, ...]
    plan: Plan
    sides: Sides
    values: Floats
    backend: str
    timings: Mapping[str, float]

    @classmethod
    def of(
        cls,
        plan: Plan,
        values: Floats,
        sides: Sides,
        rules: RegtRules,
        rejects: pd.DataFrame,
        backend: str,
        timings: Mapping[str, float],
    ) -> RegtResult:
        """Bring sums, equity and reliability together."""
        lost = unpriced_charges(plan)
        none = plan.book.accounts["account"].iloc[:0]
        status, found = reliability(plan, lost.margin_groups[lost.without_spot], none)
        charges = plan.by_margin_group(lost.charges, lost.margin_groups)
        accounts = _accounts(plan, values, sides, rules, charges).assign(reliability=status)
        open_ = accounts["gap"] > 0.0
        notes: tuple[str, ...] = NOTES
        if open_.any():
            notes += (GAP_NOTE.format(count=int(open_.sum()), worst=accounts["gap"].max()),)
        rows = joined_rejects([rejects, found])
        return cls(accounts, rows, rules, notes, plan, sides, values, backend, timings)

    @property
    def regimes(self) -> dict[str, RegtRules]:
        """Side -> rules, as ``MarginResult.regimes``."""
        return {"exchange": self.rules}

    @property
    def as_of(self) -> datetime:
        """The moment of the market."""
        return self.plan.market.as_of

    @cached_property
    def positions(self) -> pd.DataFrame:
        """One row per position: margin_group, account, symbol, quantity, price (model), vol.

        A requirement has no share of one position here: see ``explain`` for the group it is in.
        """
        held, table = self.plan.positions, self.plan.market.instruments
        frame = pd.DataFrame(
            {
                "margin_group": self.plan.margin_groups[held.margin_groups],
                "account": self.plan.book.accounts["account"].to_numpy(object)[held.accounts],
                "symbol": table.symbols[held.instruments],
                "quantity": held.quantities,
                "price": table.coin_values(self.values)[held.instruments],
                "vol": table.vols[held.instruments],
            }
        )
        return frame.sort_values(["margin_group", "account", "symbol"], kind="stable", ignore_index=True)

    def in_base(self, column: str) -> pd.Series:
        """A money column of ``accounts`` in the base currency, so that it can be summed over the firm."""
        return self.accounts[column] * self.accounts["currency"].map(self.plan.market.fx).astype(np.float64)

    def short(self) -> pd.Series:
        """Mask of the margin groups in deficit, by a minor unit of their currency or more."""
        return falls_short(self.accounts)

    @cached_property
    def groups(self) -> pd.DataFrame:
        """One row per margin group and underlying: requirement, stand_alone_sum, pairing_benefit, gap."""
        owners, names = _problem_owners(self.sides.legs), self.plan.market
        side, underlyings = self.sides.maintenance, names.instruments.underlyings
        first = np.unique(self.sides.legs.problems, return_index=True)[1]
        needed, alone = cents(side.requirement), cents(side.alone)
        return pd.DataFrame(
            {
                "margin_group": self.plan.margin_groups[owners],
                "underlying": names.underlyings.names[underlyings[self.sides.legs.instruments[first]]],
                "requirement": needed,
                "stand_alone_sum": alone,
                "pairing_benefit": needed - alone,
                "gap": side.gaps,
            }
        )

    def explain(self, account: str, *, initial: bool = False) -> pd.DataFrame:
        """The groups an account's margin group was paired into, and what each saved.

        One row per group: underlying, group (its name in the rules), count, legs, requirement (gross of
        proceeds, without the price of long options), stand_alone_sum (the same for its legs by
        themselves), saved, rule. A limited-risk set's count is its contracts long, and its rule names the
        price at which it loses most.
        """
        code = int(np.flatnonzero(self.plan.margin_groups == self.margin_group_of(account))[0])
        pairing = self.sides.initial_pairing if initial else self.sides.maintenance_pairing
        problems = np.flatnonzero(_problem_owners(self.sides.legs) == code)
        rows = [
            row
            for problem in problems
            for row in group_rows(self.plan.market, pairing, int(problem), initial)
        ]
        columns = ["underlying", "group", "count", "legs", "requirement", "stand_alone_sum", "saved", "rule"]
        return pd.DataFrame(rows, columns=columns)

    def margin_group_of(self, account: str) -> str:
        """The margin group an account (or a margin group by its own name) belongs to."""
        owners = self.plan.book.accounts.set_index("account")["margin_group"].to_dict()
        if account in owners:
            return str(owners[account])
        if account in self.plan.margin_groups:
            return account
        msg = "no such account or margin group"
        raise InputError(msg, table="accounts", column="account", value=account)

    def __repr__(self) -> str:
        sums = self.accounts[["requirement", "pairing_benefit", "gap"]].sum()
        return (
            f"RegtResult\n  margin groups: {len(self.accounts):,}\n"
            f"  requirement: {sums['requirement']:,.2f}\n"
            f"  saved by pairing: {-sums['pairing_benefit']:,.2f}\n"
            f"  not proven minimal by: {sums['gap']:,.2f}"
        )


def _problem_owners(legs: Legs) -> Codes:
    first = np.unique(legs.problems, return_index=True)[1]
    return legs.margin_groups[first]


def _accounts(plan: Plan, values: Floats, sides: Sides, rules: RegtRules, charges: Floats) -> pd.DataFrame:
    rates, size = group_rates(plan), len(plan.margin_groups)
    owners = _problem_owners(sides.legs)
    first = np.unique(sides.legs.problems, return_index=True)[1]
    own = plan.market.instruments.fx_rates[sides.legs.instruments[first]] / rates[owners]

    def summed(amounts: Any) -> Floats:
        return by_group(amounts, own, owners, size)

    maintenance, initial = sides.maintenance, sides.initial
    low, alone = summed(maintenance.requirement), summed(maintenance.alone)
    low = np.maximum(low, 0.0)
    worth, unpriced = equity(plan, values).at_marks / rates, charges / rates
    held = np.bincount(plan.positions.margin_groups, plan.positions.quantities != 0.0, size) > 0
    gaps = np.maximum(maintenance.gaps, initial.gaps) * own
    columns: dict[str, Any] = {
        "margin_group": plan.margin_groups,
        "equity_at_marks": worth,
        "requirement": low + unpriced,
        "excess": worth - (low + unpriced),
        "below_minimum_equity": held & (worth * rates < rules.minimum_equity),
        "stand_alone_sum": alone,
        "pairing_benefit": low - alone,
        "unpriced": unpriced,
        "maintenance_gross": summed(maintenance.gross),
        "capped_stock": summed(maintenance.caps),
        "initial_requirement": np.maximum(summed(initial.requirement), 0.0) + unpriced,
        "initial_gross": summed(initial.gross),
        "cash_call": np.maximum(summed(initial.gross - initial.proceeds), 0.0) + unpriced,
        "proceeds": summed(maintenance.proceeds),
        "gap": np.bincount(owners, gaps, size),
        "requirement_low": low,
        "requirement_high": low + unpriced,
        "currency": group_currencies(plan),
    }
    return pd.DataFrame(columns)

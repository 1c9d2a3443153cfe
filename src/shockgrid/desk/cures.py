"""cures(): what would cover a deficient account: a deposit, closings, or a hedge; the cheapest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.desk.cures_hedge import hedge_book, hedge_search
from shockgrid.desk.liquidation import closing_search, named, opened, require_buffer
from shockgrid.desk.liquidation_costs import TradingCosts, trading_costs
from shockgrid.desk.liquidation_frames import STEP_COLUMNS, account_frame, no_rows, step_frame
from shockgrid.desk.liquidation_ground import Ground
from shockgrid.desk.liquidation_result import in_digits_of
from shockgrid.desk.liquidation_search import Search
from shockgrid.desk.liquidation_settled import settled
from shockgrid.doors import number
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.requirement import Regime
from shockgrid.requirement.minor_amounts import digits_of, shortfalls
from shockgrid.requirement.regime import HasPrograms

CURE_COLUMNS = (
    "margin_group",
    "cure",
    "cures",
    "outlay",
    "needed",
    "traded",
    "freed",
    "costs",
    "freed_per_dollar",
    "excess_after",
    "currency",
)
#: said where a way frees nothing
NONE = {"closings": "nothing that trades frees margin", "hedge": "no listed option frees margin"}


@dataclass(frozen=True, repr=False)
class Cures:
    """Ways to cover each deficient margin group, in its own currency.

    Attributes
    ----------
    cures : one row per margin group and way: those that cure first, the cheapest one by ``outlay``, then
        those that leave least of the deficit. A way that frees nothing is none. cure (deposit,
        closings, hedge), cures (whether it alone reaches the buffer), outlay (money that leaves the
        customer's pocket: the deposit, in whole minor units; the costs of the closings; premium and costs of
        the hedge), needed (deficit and buffer), traded (market value closed, or premium), freed, costs,
        freed_per_dollar, excess_after.
    steps : the legs of closings and hedge in order, as in ``LiquidationPlan.steps``, with their cure.
    left_alone : margin_group, reason of those in deficit that are not looked at.
    """

    cures: pd.DataFrame
    steps: pd.DataFrame
    left_alone: pd.DataFrame
    margin_groups: Mapping[str, str]  #: account -> margin group

    def explain(self, account: str) -> str:
        """The ways of one account's margin group in words. Raises InputError where it has none."""
        name = self.margin_groups.get(account, account)
        rows = self.cures[self.cures["margin_group"] == name]
        if len(rows) == 0:
            problem = "no such account or margin group in deficit"
            raise InputError(problem, table="accounts", column="account", value=account)
        money = in_digits_of(rows.iloc[0]["currency"])
        lines = [f"{name}: {money(rows.iloc[0]['needed'])} {rows.iloc[0]['currency']} needed"]
        for row in rows.itertuples():
            ends = "cures" if row.cures else f"not enough, excess {money(row.excess_after)} after it"
            lines.append(f"  {row.cure}: outlay {money(row.outlay)}, frees {money(row.freed)}, {ends}")
            own = self.steps[(self.steps["margin_group"] == name) & (self.steps["cure"] == row.cure)]
            lines += [f"    {leg.quantity:+,g} {leg.symbol} ({leg.account})" for leg in own.itertuples()]
        lines += [f"  {way}: {NONE[way]}" for way in NONE if way not in set(rows["cure"])]
        return "\n".join(lines)

    def __repr__(self) -> str:
        count = self.cures.loc[self.cures["cures"].astype(bool), "margin_group"].nunique()
        return f"Cures({count} of {self.cures['margin_group'].nunique()} margin groups)"


def cures(
    book: Book,
    market: Market,
    regime_or_policy: Regime | HasPrograms,
    *,
    accounts: Iterable[str] | None = None,
    buffer: float = 0.01,
    costs: TradingCosts | None = None,
    halted: Iterable[str] = (),
    least_days: float = 7.0,
    backend: str | Backend = "auto",
) -> Cures:
    """What brings each deficient margin group back to an excess of ``buffer``, the cheapest way first.

    The deposit is the deficit and the buffer. The closings are those of ``liquidation_plan``. The hedge buys
    options, out of every listed series on the underlyings that the margin group holds options or shares of:
    at each step the series that frees most for its premium, in the smallest sizes that cure. Nothing is sold
    short to hedge.

    Parameters
    ----------
    accounts, buffer, costs, halted, backend : as in ``liquidation_plan``.
    least_days : options that expire sooner are no hedge, they would lapse before the account is cured; 0
        takes every listed series.

    Raises
    ------
    InputError : no such account, or a buffer below 0.
    """
    require_buffer(buffer)
    number(least_days, "least_days", "a number of days of at least 0", lambda days: days >= 0.0)
    opening = opened(book, market, regime_or_policy, accounts, backend)
    alone = opening.idle["status"] == "not_planned"
    idle = opening.idle.loc[alone, ["margin_group", "reason"]].reset_index(drop=True)
    if len(opening.planned) == 0:
        columns = ["cure", *STEP_COLUMNS]
        return Cures(no_rows(CURE_COLUMNS), no_rows(columns), idle, opening.owners)
    stopped, charged = named(halted, "halted"), trading_costs() if costs is None else costs
    lay, book_of = (opening.market, regime_or_policy, opening.backend), opening.part
    closing = closing_search(Ground.of(book_of, *lay), charged, "per_dollar_traded", buffer, stopped)
    wide = hedge_book(book_of, opening.market, least_days)
    hedging = hedge_search(Ground.of(wide, *lay), charged, buffer, stopped)
    rows, steps = [_deposits(closing, opening.result.accounts)], []
    for name, search in (("closings", closing), ("hedge", hedging)):
        frame, legs = _worked_out(name, search)
        rows.append(frame)
        steps.append(legs.assign(cure=name))
    every = pd.concat([legs for legs in steps if len(legs)] or steps[:1], ignore_index=True)
    table = _ranked(pd.concat(rows, ignore_index=True), opening.result.accounts)
    return Cures(table, every[["cure", *STEP_COLUMNS]], idle, opening.owners)


def _ranked(table: pd.DataFrame, accounts: pd.DataFrame) -> pd.DataFrame:
    """What cures by outlay, then the rest by what is left of the deficit, margin group by margin group."""
    currencies = accounts.set_index("margin_group")["currency"]
    table["currency"] = currencies.reindex(table["margin_group"]).to_numpy(object)
    fails = ~table["cures"].astype(bool)
    table = table.assign(fails=fails, rank=table["outlay"].where(~fails, -table["excess_after"]))
    table = table.sort_values(["margin_group", "fails", "rank"], kind="stable")
    return table[list(CURE_COLUMNS)].reset_index(drop=True)


def _needed(search: Search) -> Any:
    return search.buffers - (search.ground.equity - search.start.requirements)


def _deposits(search: Search, accounts: pd.DataFrame) -> pd.DataFrame:
    """What is needed, rounded up to the minor unit: so much can be paid, and is enough."""
    names, needed = search.ground.plan.margin_groups, _needed(search)
    digits = digits_of(accounts.set_index("margin_group")["currency"].reindex(names))
    outlay = shortfalls(0.0, -needed, digits) / 10.0**digits
    return pd.DataFrame(
        {
            "margin_group": names,
            "cure": "deposit",
            "cures": True,
            "outlay": outlay,
            "needed": needed,
            "traded": 0.0,
            "freed": 0.0,
            "costs": 0.0,
            "freed_per_dollar": 0.0,
            "excess_after": search.buffers + (outlay - needed),
        }
    )


def _worked_out(name: str, search: Search) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A way's row for each margin group, and its steps."""
    needed = _needed(search)
    asked = search.buffers
    plans, search = settled(search)
    steps = step_frame(search, plans)
    frame = account_frame(search, plans, steps, {}, asked)
    premium = frame["traded"].to_numpy(np.float64) if name == "hedge" else 0.0
    shown = frame[["margin_group", "traded", "freed", "costs", "freed_per_dollar", "excess_after"]]
    shown = shown.assign(cure=name, cures=frame["status"] == "cured", needed=needed)
    shown = shown.assign(outlay=frame["costs"] + premium)
    return shown[frame["steps"] > 0], steps

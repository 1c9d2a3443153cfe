"""``shockgrid margin-calls plan``: what to close, worked out from the inputs of a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import typer

from shockgrid.book import Book
from shockgrid.cli_explain import margin_group_of
from shockgrid.cli_views import digits_shown, money
from shockgrid.desk.cures import Cures, cures
from shockgrid.desk.liquidation import liquidation_plan
from shockgrid.desk.liquidation_result import LiquidationPlan
from shockgrid.desk.planned_orders import with_orders
from shockgrid.errors import InputError, ShockgridError
from shockgrid.io.run_after import run_after
from shockgrid.io.run_folder import read_run_table, verify_run
from shockgrid.io.run_request import RunRequest
from shockgrid.io.tables import Sources
from shockgrid.market import Market
from shockgrid.minor_units import minor_digits
from shockgrid.reg_t import RegtRules
from shockgrid.requirement import Regime
from shockgrid.requirement.regime import HasPrograms

PLANNED = ("cured", "short_of_buffer", "cannot_cure")
UNSOLVED = ("not_planned", "cannot_cure")  #: what is left to a person


class Opened(NamedTuple):
    """One margin group of a run, and the inputs of the run."""

    row: pd.Series[Any]  #: of the run's accounts
    request: RunRequest
    book: Book
    market: Market
    side: Regime | HasPrograms
    members: list[str]  #: accounts of the margin group

    @property
    def group(self) -> str:
        """Its name."""
        return str(self.row["margin_group"])

    @property
    def unit(self) -> float:
        """The minor unit of its currency."""
        return float(10.0 ** -minor_digits(self.row["currency"]))

    def money(self, amount: float) -> str:
        """An amount with the digits of its currency."""
        return money(float(amount), digits_shown(self.row["currency"]))


def open_run(folder: Path, account: str) -> Opened:
    """A margin group of a run, with the book, market and regimes of that run.

    Raises
    ------
    ShockgridError : the run has no such account, an input has changed since, or the run is strategy-based.
    """
    accounts = read_run_table(folder, "accounts")
    group = margin_group_of(accounts, read_run_table(folder, "positions"), account)
    request = verify_run(folder)
    book, market, side = request.read(Sources())
    if isinstance(side, RegtRules):
        problem = "strategy-based margin has no scenarios to revalue orders in"
        raise InputError(problem, column="regime", value=request.regime)
    row = accounts[accounts["margin_group"] == group].iloc[0]
    members = book.accounts.loc[book.accounts["margin_group"] == group, "account"].tolist()
    return Opened(row, request, book, market, side, members)


def run_plan(
    run: Opened, folder: Path, objective: str, buffer: float, halted: Sequence[str]
) -> LiquidationPlan:
    """The plan for a margin group of a run. Raises ShockgridError where its excess is not found again."""
    plan = liquidation_plan(
        run.book, run.market, run.side, accounts=run.members, objective=objective, buffer=buffer,
        halted=halted, backend=run.request.backend,
    )  # fmt: skip
    own = plan.accounts.iloc[0]
    if own["status"] in PLANNED and abs(own["excess_before"] - run.row["excess"]) >= run.unit:
        found, known = run.money(own["excess_before"]), run.money(run.row["excess"])
        problem = f"{folder}: excess of {run.group} comes out as {found}, in the run it is {known}"
        raise ShockgridError(problem)
    return plan


def write_after(run: Opened, plan: LiquidationPlan, after: Path) -> None:
    """Write the run of the book once the plan's orders are filled, and print what becomes of the group.

    Raises ShockgridError where nothing was planned, or the run does not confirm the plan's last figures.
    """
    own = plan.accounts[plan.accounts["status"].isin(PLANNED)]
    if len(own) == 0:
        problem = f"nothing is planned for {run.group}: there is no book after it"
        raise ShockgridError(problem)
    currencies = dict(zip(own["margin_group"], own["currency"], strict=True))
    book = with_orders(run.book, run.market, plan.steps, currencies)
    expected = pd.DataFrame(
        {
            "margin_group": own["margin_group"],
            "requirement": own["requirement_after"],
            "equity": own["excess_after"] + own["requirement_after"],
        }
    )
    outcome = run_after(run.request, book, after, expected=expected)
    accounts = outcome.result.accounts
    excess = accounts.loc[accounts["margin_group"] == run.group, "excess"].iloc[0]
    typer.echo(f"{after}: the run after it, excess of {run.group} {run.money(excess)} {run.row['currency']}")


def run_cures(run: Opened, buffer: float, halted: Sequence[str], least_days: float) -> Cures:
    """What would cover a margin group of a run: a deposit, closings, a hedge."""
    return cures(
        run.book, run.market, run.side, accounts=run.members, buffer=buffer, halted=halted,
        least_days=least_days, backend=run.request.backend,
    )  # fmt: skip


def print_cures(run: Opened, found: Cures) -> int:
    """Print the ways, the cheapest first; 3 where a person has to look, 0 otherwise."""
    alone = found.left_alone
    if len(alone):
        typer.echo(f"{run.group}: {alone.iloc[0]['reason']}")
        return 3
    if len(found.cures) == 0:
        typer.echo(f"{run.group}: no deficit, excess {run.money(run.row['excess'])} {run.row['currency']}")
        return 0
    typer.echo(found.explain(run.group))
    return 0


def print_plan(run: Opened, plan: LiquidationPlan) -> None:
    """Print the plan in words, what it does not cure, and what a reader must know."""
    own, row = plan.accounts.iloc[0], run.row
    typer.echo(plan.explain(next(iter(plan.margin_groups))))
    if own["status"] == "no_deficit":
        typer.echo(
            f"  {row['currency']} requirement {run.money(row['requirement'])}, "
            f"excess {run.money(row['excess'])}"
        )
    if own["status"] != "not_planned" and row["minimum_equity"] > max(row["equity_at_marks"], 0.0):
        lacking = run.money(row["minimum_equity"] - row["equity_at_marks"])
        typer.echo(f"  equity is {lacking} below the minimum: closing does not raise equity, a deposit does")
    if own["status"] in PLANNED and row["reliability"] != "OK":
        typer.echo(f"  these figures are {row['reliability']}")
    for note in plan.notes:
        typer.echo(f"note: {note}")

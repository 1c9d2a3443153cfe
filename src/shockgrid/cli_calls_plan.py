"""``shockgrid margin-calls plan``: what to close, worked out from the inputs of a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import typer

from shockgrid.cli_explain import margin_group_of
from shockgrid.cli_views import money
from shockgrid.desk.liquidation import liquidation_plan
from shockgrid.desk.liquidation_frames import CENT
from shockgrid.desk.liquidation_result import LiquidationPlan
from shockgrid.errors import InputError, ShockgridError
from shockgrid.io.run_folder import read_run_table, verify_run
from shockgrid.io.tables import Sources
from shockgrid.reg_t import RegtRules

PLANNED = ("cured", "short_of_buffer", "cannot_cure")
UNSOLVED = ("not_planned", "cannot_cure")  #: what is left to a person


def run_plan(
    folder: Path, account: str, objective: str, buffer: float, halted: Sequence[str]
) -> tuple[pd.Series[Any], LiquidationPlan]:
    """A margin group's row of a run, and the plan for it on the book, market and regimes of that run.

    Raises
    ------
    ShockgridError : the run has no such account, an input has changed since, the run is strategy-based, or
        its excess is not found again.
    """
    accounts = read_run_table(folder, "accounts")
    group = margin_group_of(accounts, read_run_table(folder, "positions"), account)
    request = verify_run(folder)
    book, market, side = request.read(Sources())
    if isinstance(side, RegtRules):
        problem = "strategy-based margin has no scenarios to revalue closings in"
        raise InputError(problem, column="regime", value=request.regime)
    members = book.accounts.loc[book.accounts["margin_group"] == group, "account"]
    plan = liquidation_plan(
        book, market, side, accounts=members, objective=objective, buffer=buffer, halted=halted,
        backend=request.backend,
    )  # fmt: skip
    row = accounts[accounts["margin_group"] == group].iloc[0]
    own = plan.accounts.iloc[0]
    if own["status"] in PLANNED and abs(own["excess_before"] - row["excess"]) >= CENT:
        found, known = money(own["excess_before"]), money(row["excess"])
        problem = f"{folder}: excess of {group} comes out as {found}, in the run it is {known}"
        raise ShockgridError(problem)
    return row, plan


def print_plan(row: pd.Series[Any], plan: LiquidationPlan) -> None:
    """Print the plan in words, what it does not cure, and what a reader must know."""
    own = plan.accounts.iloc[0]
    typer.echo(plan.explain(next(iter(plan.margin_groups))))
    if own["status"] == "no_deficit":
        typer.echo(
            f"  {row['currency']} requirement {money(row['requirement'])}, excess {money(row['excess'])}"
        )
    if own["status"] != "not_planned" and row["minimum_equity"] > max(row["equity_at_marks"], 0.0):
        lacking = money(row["minimum_equity"] - row["equity_at_marks"])
        typer.echo(f"  equity is {lacking} below the minimum: closing does not raise equity, a deposit does")
    if own["status"] in PLANNED and row["reliability"] != "OK":
        typer.echo(f"  these figures are {row['reliability']}")
    for note in plan.notes:
        typer.echo(f"note: {note}")

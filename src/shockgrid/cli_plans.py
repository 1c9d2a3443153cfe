"""``shockgrid margin-calls plan`` and ``cures``: what would cover an account of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from shockgrid.cli_common import refusals
from shockgrid.cli_ledger import write_table

RunArgument: TypeAlias = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
AccountArgument: TypeAlias = Annotated[str, typer.Argument(help="An account or margin group.")]
BufferOption: TypeAlias = Annotated[
    float, typer.Option(help="Excess to reach, as a share of the requirement.")
]
HaltedOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--halted", help="A symbol or underlying that does not trade.")
]


def plan(
    run_folder: RunArgument,
    account: AccountArgument,
    objective: Annotated[
        str, typer.Option(help="per_dollar_traded, per_cost or fewest_orders.")
    ] = "per_dollar_traded",
    buffer: BufferOption = 0.01,
    halted: HaltedOption = None,
    out: Annotated[Path | None, typer.Option(help="Write the steps as CSV or Parquet too.")] = None,
    after: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Write the run of the book after it too.")
    ] = None,
) -> None:
    """Print what to close, in which order, until the account is covered, from the inputs of a run.

    Exit 3 when that is left to a person or no closing covers it.
    """
    from shockgrid.cli_calls_plan import UNSOLVED, open_run, print_plan, run_plan, write_after

    with refusals():
        opened = open_run(run_folder, account)
        found = run_plan(opened, run_folder, objective, buffer, halted or [])
        if out is not None:
            write_table(found.steps, out)
        print_plan(opened, found)
        if after is not None:
            write_after(opened, found, after)
        raise typer.Exit(3 if found.accounts["status"].isin(UNSOLVED).any() else 0)


def cures(
    run_folder: RunArgument,
    account: AccountArgument,
    buffer: BufferOption = 0.01,
    halted: HaltedOption = None,
    least_days: Annotated[float, typer.Option(help="Options that expire sooner are no hedge.")] = 7.0,
    out: Annotated[Path | None, typer.Option(help="Write the ways as CSV or Parquet too.")] = None,
) -> None:
    """Print what would cover an account of a run, the cheapest first: a deposit, closings, a hedge.

    Exit 3 when that is left to a person.
    """
    from shockgrid.cli_calls_plan import open_run, print_cures, run_cures

    with refusals():
        opened = open_run(run_folder, account)
        found = run_cures(opened, buffer, halted or [], least_days)
        if out is not None:
            write_table(found.cures, out)
        raise typer.Exit(print_cures(opened, found))

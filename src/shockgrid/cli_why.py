"""``shockgrid why``: from one run folder to another, what moved an account."""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from shockgrid.backends import get_backend
from shockgrid.cli_views import console, money
from shockgrid.desk.why import FIGURES, Moment, why
from shockgrid.errors import InputError, ShockgridError
from shockgrid.io.run_folder import read_run_table, verify_run
from shockgrid.io.run_request import RunRequest
from shockgrid.io.tables import Sources
from shockgrid.reg_t import RegtRules

SHOWN = ("requirement", "equity_at_marks", "excess")


def _moment(request: RunRequest) -> Moment:
    book, market, side = request.read(Sources())
    if isinstance(side, RegtRules):
        problem = "strategy-based margin has no scenarios to take steps through"
        raise InputError(problem, column="regime", value=request.regime)
    return Moment(book, market, side)


def print_why(first: Path, last: Path, account: str) -> None:
    """Print the steps from run to run.

    Raises
    ------
    ShockgridError : an input of a run has changed since, or a run's own figures are not found again.
    """
    requests = [verify_run(folder) for folder in (first, last)]
    moments = [_moment(request) for request in requests]
    if requests[0].backend != requests[1].backend:
        problem = (
            f"{first} was computed by {requests[0].backend}, {last} by {requests[1].backend}: "
            "their last digits differ; make one of them again with --backend of the other"
        )
        raise ShockgridError(problem)
    told = why(moments[0], moments[1], account, backend=get_backend(requests[1].backend))
    for folder, moment, row in ((first, moments[0], 0), (last, moments[1], -1)):
        groups = moment.book.accounts.set_index("account")["margin_group"]
        known = read_run_table(folder, "accounts").set_index("margin_group").loc[groups.loc[account]]
        for name in FIGURES:
            if float(told[name].iloc[row]) != float(known[name]):
                found = float(told[name].iloc[row])
                problem = f"{folder}: {name} of {account} comes out as {found!r}, not as the run's"
                raise ShockgridError(problem)
    table = Table(title=f"{account}: {first} to {last}", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("step")
    for name in SHOWN:
        table.add_column(name.replace("_", " "), justify="right")
    columns = [f"{name}_change" for name in SHOWN]
    for place, step in enumerate(told["step"]):
        cells = told[list(SHOWN) if place == 0 else columns].to_numpy(float)[place]
        table.add_row(Text(str(step)), *[money(cell) for cell in cells.tolist()], end_section=place == 0)
    table.add_section()
    table.add_row(Text("last run"), *[money(float(told[name].iloc[-1])) for name in SHOWN])
    console().print(table)
    console().print(Text("in this order; another order splits the same total in another way"))

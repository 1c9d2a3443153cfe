"""``shockgrid why``: from one run folder to another, what moved an account."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from shockgrid.backends import get_backend
from shockgrid.cli_common import counted
from shockgrid.cli_views import console, digits_shown, money
from shockgrid.desk.why import FIGURES, STEPS, Moment, why, why_all
from shockgrid.errors import InputError, ShockgridError
from shockgrid.io.run_folder import read_run_table, verify_run
from shockgrid.io.run_request import RunRequest
from shockgrid.io.tables import Sources
from shockgrid.reg_t import RegtRules
from shockgrid.requirement.minor_amounts import digits_of

MOST = 20  #: margin groups that are listed
SHOWN = ("requirement", "equity_at_marks", "excess")


def _moment(request: RunRequest) -> Moment:
    book, market, side = request.read(Sources())
    if isinstance(side, RegtRules):
        problem = "strategy-based margin has no scenarios to take steps through"
        raise InputError(problem, column="regime", value=request.regime)
    return Moment(book, market, side)


def _moments(first: Path, last: Path) -> tuple[list[Moment], str]:
    """The inputs of two runs, and the backend that computed both."""
    requests = [verify_run(folder) for folder in (first, last)]
    moments = [_moment(request) for request in requests]
    if requests[0].backend != requests[1].backend:
        problem = (
            f"{first} was computed by {requests[0].backend}, {last} by {requests[1].backend}: "
            "their last digits differ; make one of them again with --backend of the other"
        )
        raise ShockgridError(problem)
    return moments, requests[0].backend


def print_why_all(first: Path, last: Path) -> None:
    """Print the margin groups whose excess changed most, and what changed it.

    Raises
    ------
    ShockgridError : an input of a run has changed since, or a run's own figures are not found again.
    """
    moments, backend = _moments(first, last)
    told = why_all(*moments, backend=get_backend(backend))
    for folder, column in ((first, "excess_before"), (last, "excess_after")):
        known = read_run_table(folder, "accounts").set_index("margin_group")["excess"]
        apart = (told[column] != known.loc[told["margin_group"]].to_numpy(float)).to_numpy(bool)
        if apart.any():
            problem = f"{folder}: excess of {told['margin_group'][apart].iloc[0]} is not found again"
            raise ShockgridError(problem)
    currencies = read_run_table(last, "accounts").set_index("margin_group")["currency"]
    currencies = currencies.loc[told["margin_group"]].reset_index(drop=True)
    halves = pd.Series(0.5 / 10.0 ** digits_of(currencies))
    moved = told["excess_change"].abs() >= halves
    shown, changed = told[moved].head(MOST), int(moved.sum())
    title = f"{first} to {last}: the excess of {counted(changed, 'margin group')} of {len(told):,} changed"
    if changed == 0:
        console().print(Text(title))
        return
    still = [name for name in STEPS if (shown[name].abs() < halves[shown.index]).all()]
    _print_largest(shown, currencies[shown.index].to_list(), still, title)


def _print_largest(shown: pd.DataFrame, currencies: list[str], still: list[str], title: str) -> None:
    """The rows in whole units of their currencies (of coins to four digits), less steps that moved none."""
    shown = shown.drop(columns=still)
    several = len(set(currencies)) > 1
    title += "" if several else f", in {currencies[0]}"
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    table.add_column("margin group", overflow="fold")
    for name in shown.columns[1:]:
        table.add_column(name.replace("_", " "), justify="right", overflow="fold")
    if several:
        table.add_column("currency", overflow="fold")
    for row, currency in zip(shown.itertuples(index=False), currencies, strict=True):
        amounts = [money(float(cell), digits_shown(currency, whole=True)) for cell in row[1:]]
        table.add_row(Text(str(row[0])), *amounts, *([Text(currency)] if several else []))
    console().print(table)
    if still:
        console().print(Text(f"none of them moved by {', '.join(still)}"))
    console().print(Text("in this order; another order splits the same total in another way"))


def print_why(first: Path, last: Path, account: str) -> None:
    """Print the steps from run to run.

    Raises
    ------
    ShockgridError : an input of a run has changed since, or a run's own figures are not found again.
    """
    moments, backend = _moments(first, last)
    told = why(moments[0], moments[1], account, backend=get_backend(backend))
    for folder, moment, row in ((first, moments[0], 0), (last, moments[1], -1)):
        groups = moment.book.accounts.set_index("account")["margin_group"]
        known = read_run_table(folder, "accounts").set_index("margin_group").loc[groups.loc[account]]
        for name in FIGURES:
            if float(told[name].iloc[row]) != float(known[name]):
                found = float(told[name].iloc[row])
                problem = f"{folder}: {name} of {account} comes out as {found!r}, not as the run's"
                raise ShockgridError(problem)
    title = Text(f"{account}: {first} to {last}, in {known['currency']}")
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("step")
    for name in SHOWN:
        table.add_column(name.replace("_", " "), justify="right")
    columns = [f"{name}_change" for name in SHOWN]
    shown = partial(money, digits=digits_shown(known["currency"]))
    for place, step in enumerate(told["step"]):
        cells = told[list(SHOWN) if place == 0 else columns].to_numpy(float)[place]
        table.add_row(Text(str(step)), *[shown(cell) for cell in cells.tolist()], end_section=place == 0)
    table.add_section()
    table.add_row(Text("last run"), *[shown(float(told[name].iloc[-1])) for name in SHOWN])
    console().print(table)
    console().print(Text("in this order; another order splits the same total in another way"))

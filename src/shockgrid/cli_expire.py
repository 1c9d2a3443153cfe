"""``shockgrid expire``: what a run's expiring options and futures turn into, and the run of what is left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import typer
from rich.markup import escape

from shockgrid.backends import get_backend
from shockgrid.calibration import calibrated
from shockgrid.cli_common import counted
from shockgrid.cli_frames import print_frame
from shockgrid.cli_ledger import write_table
from shockgrid.cli_views import console, exit_status
from shockgrid.desk.calls_calendar import instant_of
from shockgrid.desk.expiry import PIN_BAND, AfterExpiry, after_expiry
from shockgrid.errors import InputError, ShockgridError
from shockgrid.io.run_after import run_after
from shockgrid.io.run_folder import verify_run
from shockgrid.io.tables import Sources
from shockgrid.reg_t import RegtRules


def settlement_prices(stated: Sequence[str]) -> dict[str, float]:
    """NAME=PRICE as a person writes them.

    >>> settlement_prices(["XYZ=100.50"])
    {'XYZ': 100.5}
    """
    prices = {}
    for text in stated:
        name, sign, price = text.rpartition("=")
        try:
            prices[name] = float(price)
        except ValueError as error:
            problem = "expected NAME=PRICE, such as XYZ=100.50"
            raise InputError(problem, column="spot", value=text) from error
        if not sign:
            problem = "expected NAME=PRICE, such as XYZ=100.50"
            raise InputError(problem, column="spot", value=text)
    return prices


def expire_run(
    folder: Path,
    stated: Sequence[str],
    until: str,
    pin_band: float | None,
    events: Path | None,
    out: Path | None,
) -> int:
    """Settle what expires in a run, print it, write what was asked for; the exit code of ``run``.

    Raises
    ------
    ShockgridError : an input of the run has changed since, or the new run does not find the same figures.
    """
    request = verify_run(folder)
    book, market, side = request.read(Sources())
    if isinstance(side, RegtRules):
        problem = "strategy-based margin is not worked out after expiry"
        raise InputError(problem, column="regime", value=request.regime)
    done = after_expiry(
        book, market, settlement_prices(stated), regime=side, backend=request.backend,
        until=instant_of(until, "until").to_pydatetime() if until else None,
        pin_band=PIN_BAND if pin_band is None else pin_band,
    )  # fmt: skip
    if events is not None:
        write_table(done.events, events)
    print_expiry(done)
    if out is None:
        return 0
    moved = (calibrated(market, get_backend(request.backend)), done.market)
    frame = done.accounts.rename(columns={"requirement_after": "requirement", "equity_after": "equity"})
    if len(frame) == 0:
        problem = f"{folder}: nothing that is held expires: there is no book after it"
        raise ShockgridError(problem)
    outcome = run_after(request, done.book, out, expected=frame, market=moved)
    typer.echo(f"run folder: {out}")
    code, reason = exit_status(outcome.result.accounts, outcome.result.rejects)
    if code:
        typer.echo(f"exit {code}: {reason}")
    return code


def print_expiry(done: AfterExpiry) -> None:
    """Print who exercised, was assigned or delivered what, and who is left with the least excess."""
    out = console()
    lapsed = (done.events["outcome"] == "lapsed").to_numpy(bool)
    rows = done.events.iloc[np.argsort(lapsed, kind="stable")]
    rows = rows.drop(columns=["margin_group", "underlying", "right", "strike"])
    title = f"expired: {counted(len(rows), 'position')}"
    if len(rows):
        print_frame(out, rows, title)
    else:
        out.print(title)
    if len(done.accounts):
        left = done.accounts["equity_after"] - done.accounts["requirement_after_pins"]
        groups = done.accounts.iloc[np.argsort(left.to_numpy(np.float64), kind="stable")]
        print_frame(out, groups, counted(len(groups), "margin group"))
    for note in done.notes:
        out.print(escape(f"note: {note}"), soft_wrap=True)

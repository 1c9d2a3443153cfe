"""``shockgrid assignments``: the shorts of a run that may be assigned tonight."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from shockgrid.cli_common import counted
from shockgrid.cli_frames import print_frame
from shockgrid.cli_ledger import write_table
from shockgrid.cli_views import console, money
from shockgrid.desk.assignment import early_assignments
from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.io.run_folder import verify_run
from shockgrid.io.tables import Sources

LEFT_OUT = ["margin_group", "underlying", "held_value", "exercise_value"]  #: of the screen, not of the file


def assignments_of(folder: Path, closed: Sequence[str], out: Path | None) -> None:
    """Print the shorts whose holder gains by exercising before the next open, the largest dividend first.

    Raises
    ------
    ShockgridError : an input of the run has changed since, or the calendar ends before the next open.
    """
    request, calendar = verify_run(folder), SessionCalendar.new_york(closed=closed)
    book, market, _ = request.read(Sources())
    found = early_assignments(book, market, calendar=calendar, backend=request.backend)
    if out is not None:
        write_table(found, out)
    morning = calendar.next_open(market.as_of).tz_convert("America/New_York")
    which = f"that may be assigned before {morning:%Y-%m-%d %H:%M} New York"
    screen = console()
    if len(found) == 0:
        screen.print(f"no short {which}")
        return
    rows = found.sort_values(["dividend_owed", "gain"], ascending=False, kind="stable")
    print_frame(screen, rows.drop(columns=LEFT_OUT), f"{counted(len(found), 'short')} {which}")
    for currency, owed in found.groupby("currency")["dividend_owed"].sum().items():
        screen.print(escape(f"dividends their writers would owe: {money(float(owed))} {currency}"))

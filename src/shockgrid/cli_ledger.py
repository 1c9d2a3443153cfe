"""``shockgrid ledger``: check, show and export a ledger of margin calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shockgrid.cli_common import counted, printable, refusals

if TYPE_CHECKING:
    import pandas as pd

ledger_app = typer.Typer(no_args_is_help=True, help="Check, show and export a ledger of margin calls.")

LEDGER_HELP = "A ledger file, or a postgresql:// address."


@ledger_app.command()
def verify(
    ledger: Annotated[str, typer.Argument(metavar="LEDGER", help=LEDGER_HELP)],
    tip: Annotated[str, typer.Option(help="A last hash noted earlier: it must still be there.")] = "",
) -> None:
    """Check every row: its hash, and that it could follow the one before; exit 2 names the first bad one."""
    from shockgrid.desk.ledger import Ledger

    with refusals():
        opened = Ledger.open(ledger, create=False)
        count, found = opened.verify(tip)
        opened.close()
        typer.echo(f"{counted(count, 'row')}, all as written; last hash {found}")


@ledger_app.command()
def show(
    ledger: Annotated[str, typer.Argument(metavar="LEDGER", help=LEDGER_HELP)],
    name: Annotated[
        str, typer.Argument(metavar="CALL_OR_GROUP", help="Only this call or margin group.")
    ] = "",
) -> None:
    """Print the events of a ledger in order, with what each made of its call."""
    from shockgrid.cli_calls_views import standing
    from shockgrid.cli_views import console
    from shockgrid.desk.calls_amounts import amount_text
    from shockgrid.desk.calls_states import Calls
    from shockgrid.desk.ledger import Ledger
    from shockgrid.errors import InputError

    with refusals():
        opened, calls = Ledger.open(ledger, create=False), Calls()
        lines = []
        for row in opened.rows():
            calls.apply(row.event)
            event = row.event
            if name and name not in (event.call_id, event.margin_group):
                continue
            call = calls.by_id.get(event.call_id)
            state = standing(call) if call else ""
            who = " by ".join(part for part in (event.manner or event.event, event.operator) if part)
            amount = amount_text(event.units, event.digits) if event.units else ""
            told = (event.at_utc, event.call_id, event.event, who, amount, state, event.reason)
            lines.append((row.sequence, *told))
        opened.close()
        if name and not lines:
            problem = "no such call or margin group"
            raise InputError(problem, table=ledger, column="call_or_group", value=name)
        console().print(_event_table(lines))


@ledger_app.command()
def export(
    ledger: Annotated[str, typer.Argument(metavar="LEDGER", help=LEDGER_HELP)],
    out: Annotated[Path, typer.Option(help="CSV or Parquet file to write.")],
) -> None:
    """Write every row, verified first; text that a spreadsheet would take for a formula is quoted."""
    from shockgrid.desk.ledger import Ledger
    from shockgrid.desk.ledger_record import event_frame

    with refusals():
        opened = Ledger.open(ledger, create=False)
        opened.verify()
        frame = event_frame(opened.rows())
        opened.close()
        write_table(frame, out)
        typer.echo(f"{counted(len(frame), 'row')} in {out}")


@ledger_app.command()
def daily(
    ledger: Annotated[str, typer.Argument(metavar="LEDGER", help=LEDGER_HELP)],
    date: Annotated[str, typer.Argument(help="Trade date, such as 2026-11-20.")],
    out: Annotated[Path, typer.Option(help="CSV or Parquet file to write.")],
) -> None:
    """Write the record of a day under FINRA 4220: who needed margin, how much, when and how it was met."""
    from datetime import date as day_type

    from shockgrid.desk.calls_calendar import SessionCalendar
    from shockgrid.desk.ledger import Ledger
    from shockgrid.desk.ledger_record import daily_record
    from shockgrid.errors import InputError

    with refusals():
        try:
            day = day_type.fromisoformat(date)
        except ValueError as error:
            problem = "expected an ISO date, such as 2026-11-20"
            raise InputError(problem, column="date", value=date) from error
        opened = Ledger.open(ledger, create=False)
        opened.verify()
        frame = daily_record(opened.rows(), day, SessionCalendar.new_york())
        opened.close()
        write_table(frame, out)
        typer.echo(f"{counted(len(frame), 'call')} in {out}")


def write_table(frame: pd.DataFrame, out: Path) -> None:
    """Write a frame as CSV (safe in a spreadsheet) or Parquet (with page checksums), by the file's suffix."""
    from shockgrid.errors import InputError
    from shockgrid.io.csv_files import write_csv
    from shockgrid.io.parquet_files import write_parquet

    if out.suffix not in (".csv", ".parquet"):
        problem = "expected a name that ends in .csv or .parquet"
        raise InputError(problem, column="out", value=str(out))
    (write_csv if out.suffix == ".csv" else write_parquet)(frame, out)


def _event_table(lines: list[tuple[int, str, str, str, str, str, str, str]]) -> object:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=counted(len(lines), "event"), title_justify="left")
    for name in ("row", "at (UTC)", "call", "event", "how", "amount", "then", "reason"):
        table.add_column(name, justify="right" if name in ("row", "amount") else "left", overflow="fold")
    for sequence, at, call, event, who, amount, state, reason in lines:
        told = (escape(printable(text)) for text in (call, event, who, amount, state, reason))
        table.add_row(str(sequence), at[:19], *told)
    return table

"""``shockgrid margin-calls``: from a run folder to calls in the ledger, and the page that explains one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from shockgrid.cli_common import printable, refusals
from shockgrid.cli_ledger import LEDGER_HELP, write_table
from shockgrid.cli_plans import RunArgument, cures, plan

if TYPE_CHECKING:
    from shockgrid.desk.calls_calendar import SessionCalendar

calls_app = typer.Typer(no_args_is_help=True, help="Margin calls of a run, and their ledger.")

calls_app.command()(plan)
calls_app.command()(cures)

LedgerArgument: TypeAlias = Annotated[str, typer.Argument(metavar="LEDGER", help=LEDGER_HELP)]
RulesOption: TypeAlias = Annotated[Path | None, typer.Option(help="A table of calls of your own (TOML).")]
MeasuredOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="CSV of deficits measured elsewhere: margin_group, kind, deficit.")
]
KeyOption: TypeAlias = Annotated[
    str, typer.Option(help="Of a wire or a ticket: tells two equal acts at one instant apart.")
]
ClosedOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--closed", help="A date on which the exchange was shut unforeseen.")
]


@calls_app.command()
def run(
    run_folder: RunArgument,
    ledger: Annotated[str, typer.Option(help=LEDGER_HELP + " Made if it is not there.")],
    rules: RulesOption = None,
    measured: MeasuredOption = None,
    closed: ClosedOption = None,
    out: Annotated[Path | None, typer.Option(help="Write the calls as CSV or Parquet too.")] = None,
) -> None:
    """Issue, amend, meet and expire calls by a run; exit 3 when something is left to a person.

    The same run again changes nothing.
    """
    from shockgrid.cli_calls_views import print_outcome
    from shockgrid.desk.calls import margin_calls
    from shockgrid.desk.calls_desk import CallDesk
    from shockgrid.desk.calls_table import call_rules
    from shockgrid.desk.ledger import Ledger
    from shockgrid.io.run_evidence import run_evidence
    from shockgrid.io.run_folder import read_run_table
    from shockgrid.io.tables import read_file

    with refusals():
        calendar, table = _calendar(closed), call_rules(rules)
        evidence, as_of = run_evidence(run_folder)
        accounts = read_run_table(run_folder, "accounts")
        deficits = read_file(measured) if measured else None
        calls = margin_calls(accounts, as_of, calendar, rules=table, measured=deficits)
        opened = Ledger.open(ledger)
        desk = CallDesk(opened, calendar=calendar, rules=table)
        outcome = desk.run(accounts, as_of, evidence, measured=deficits)
        opened.close()
        if out is not None:
            write_table(calls, out)
        print_outcome(calls, outcome, desk.calls)
        raise typer.Exit(3 if outcome.held else 0)


@calls_app.command("list")
def list_calls(
    ledger: LedgerArgument,
    every: Annotated[bool, typer.Option("--all", help="Also what is met, waived or closed.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write them as CSV or Parquet too.")] = None,
) -> None:
    """Print the calls of a ledger as they stand."""
    from shockgrid.cli_calls_views import print_calls
    from shockgrid.desk.calls_states import replay
    from shockgrid.desk.calls_transitions import UNRESOLVED
    from shockgrid.desk.ledger import Ledger
    from shockgrid.desk.ledger_record import call_frame

    with refusals():
        opened = Ledger.open(ledger, create=False)
        frame = call_frame(replay(row.event for row in opened.rows()))
        opened.close()
        shown = frame if every else frame[frame["state"].isin(UNRESOLVED)]
        if out is not None:
            write_table(shown, out)
        print_calls(shown)


@calls_app.command()
def sheet(
    run_folder: RunArgument,
    account: Annotated[str, typer.Argument(help="An account or margin group.")],
    out: Annotated[Path, typer.Option(help="HTML file to write.")],
    ledger: Annotated[str, typer.Option(help="Show its calls of this ledger too.")] = "",
    rules: RulesOption = None,
    closed: ClosedOption = None,
) -> None:
    """Write the page "why the margin is what it is": complete in itself, made to be printed."""
    from shockgrid.cli_calls_views import read_sheet
    from shockgrid.desk.calls_sheet import sheet_html
    from shockgrid.desk.calls_table import call_rules
    from shockgrid.io.atomic import replacing

    with refusals():
        page = sheet_html(read_sheet(run_folder, account, ledger, _calendar(closed), call_rules(rules)))
        with replacing(out) as temporary:
            temporary.write_text(page, encoding="utf-8")
        typer.echo(str(out))


@calls_app.command()
def record(
    ledger: LedgerArgument,
    call: Annotated[str, typer.Argument(metavar="CALL", help="Its id, as list prints it.")],
    event: Annotated[
        str,
        typer.Argument(
            help="approve, amend, promise, return, cure, correct, extend, waive, liquidate or close."
        ),
    ],
    at: Annotated[str, typer.Option(help="When: an ISO instant with its zone.")],
    operator: Annotated[str, typer.Option(help="Who did it.")],
    amount: Annotated[
        str, typer.Option(help="Of a promise, a cure, a correction or an amended call, such as 319.99.")
    ] = "0",
    manner: Annotated[str, typer.Option(help="Of a cure: deposit, market, hedge or liquidation.")] = "",
    due: Annotated[str, typer.Option(help="Of an extension: the new instant.")] = "",
    reason: Annotated[str, typer.Option(help="Why; needed to amend, correct, extend and waive.")] = "",
    key: KeyOption = "",
    rules: RulesOption = None,
) -> None:
    """Write what a person did or decided about a call. The same act at the same instant counts once."""
    from shockgrid.cli_calls_views import standing
    from shockgrid.desk.calls_amounts import whole_units
    from shockgrid.desk.calls_calendar import instant_of
    from shockgrid.desk.calls_desk import CallDesk
    from shockgrid.desk.calls_table import call_rules
    from shockgrid.desk.ledger import Ledger

    with refusals():
        moment = instant_of(at, "at")
        extended = instant_of(due, "due") if due else None
        opened = Ledger.open(ledger, create=False)
        desk = CallDesk(opened, rules=call_rules(rules))
        digits = desk.call(call).digits
        found = desk.record(
            call, event, moment, operator=operator, reason=reason, units=whole_units(amount, digits),
            digits=digits, manner=manner, due=extended, key=key,
        )  # fmt: skip
        opened.close()
        typer.echo(
            f"{printable(found.call_id)}: {standing(found)}, due {found.due_utc[:16].replace('T', ' ')} UTC"
        )


def _calendar(closed: list[str] | None) -> SessionCalendar:
    from shockgrid.desk.calls_calendar import SessionCalendar

    return SessionCalendar.new_york(closed=closed or ())

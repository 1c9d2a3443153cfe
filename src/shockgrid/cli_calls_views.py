"""What ``shockgrid margin-calls`` reads and prints."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.markup import escape
from rich.table import Table

from shockgrid.cli_common import counted, printable
from shockgrid.cli_explain import margin_group_of, requirement_lines
from shockgrid.cli_views import console
from shockgrid.desk.calls import margin_calls
from shockgrid.desk.calls_amounts import amount_text
from shockgrid.desk.calls_calendar import SessionCalendar, instant_text
from shockgrid.desk.calls_desk import RunOutcome
from shockgrid.desk.calls_sheet import Sheet
from shockgrid.desk.calls_states import RUN, Call, Calls, replay
from shockgrid.desk.calls_table import CallRules
from shockgrid.desk.ledger import Ledger
from shockgrid.desk.ledger_record import call_frame
from shockgrid.io.manifest import read_manifest
from shockgrid.io.run_evidence import run_evidence
from shockgrid.io.run_folder import read_run_table
from shockgrid.minor_units import minor_digits


def print_outcome(calls: pd.DataFrame, outcome: RunOutcome, live: Calls) -> None:
    """Print what a run was reason for, what it wrote, and what it left to a person or to a later run."""
    out = console()
    table = Table(title=counted(len(calls), "deficit"), title_justify="left")
    heads = ("deficit", "exchange_deficit", "house_deficit", "currency", "due (UTC)", "figures", "action")
    for name in ("margin group", "kind", *heads):
        table.add_column(name.removesuffix("_deficit"), justify="right" if name in heads[:3] else "left")
    for row in calls.to_dict("records"):
        table.add_row(
            _shown(row["margin_group"]), row["kind"],
            *(_amount(row[name], row["currency"]) for name in heads[:3]),
            _shown(row["currency"]), f"{row['due_utc']:%Y-%m-%d %H:%M}",
            row["reliability"], row["action"],
        )  # fmt: skip
    out.print(table)
    kinds = sorted(set(calls.loc[calls["confidence"] == "unconfirmed", "kind"]))
    if kinds:
        note = f"note: the due dates of {', '.join(kinds)} are unconfirmed: read the source column of --out"
        out.print(_shown(note), soft_wrap=True)
    for event in outcome.events:
        if event.event != RUN:
            left = standing(live.by_id[event.call_id])
            out.print(_shown(f"{event.event} {event.call_id}: {left}"), soft_wrap=True)
    for held in outcome.held:
        who = held.call_id or f"{held.kind} of {held.margin_group}"
        out.print(_shown(f"held {who}: {held.why}"), soft_wrap=True)
    for waits in outcome.waiting:
        who = waits.call_id or f"{waits.kind} of {waits.margin_group}"
        out.print(_shown(f"later {who}: {waits.why}"), soft_wrap=True)
    if not outcome.events:
        out.print("this run is in the ledger already: nothing written")


def standing(call: Call) -> str:
    """Where a call stands, in words."""
    left = f"{amount_text(call.outstanding_units, call.digits)} {call.currency}".rstrip()
    return f"{call.state.replace('_', ' ')}, {left} outstanding"


def print_calls(frame: pd.DataFrame) -> None:
    """Print calls as they stand."""
    table = Table(title=counted(len(frame), "call"), title_justify="left")
    for name in ("call", "state", "called", "cured", "outstanding", "currency", "due (UTC)"):
        table.add_column(name, justify="right" if name in ("called", "cured", "outstanding") else "left")
    for row in frame.to_dict("records"):
        amounts = (f"{row[name]:,.{row['digits']}f}" for name in ("called", "cured", "outstanding"))
        state, due = row["state"].replace("_", " "), row["due_utc"][:16].replace("T", " ")
        table.add_row(_shown(row["call_id"]), state, *amounts, _shown(row["currency"]), due)
    console().print(table)


def read_sheet(folder: Path, account: str, ledger: str, calendar: SessionCalendar, rules: CallRules) -> Sheet:
    """One margin group's part of a run folder, and its calls of a ledger if one is named."""
    accounts, positions = read_run_table(folder, "accounts"), read_run_table(folder, "positions")
    group = margin_group_of(accounts, positions, account)
    groups = read_run_table(folder, "groups")
    evidence, as_of = run_evidence(folder)
    own = accounts[accounts["margin_group"] == group]
    row, calls = own.iloc[0], margin_calls(own, as_of, calendar, rules=rules)
    kept = None
    if ledger:
        opened = Ledger.open(ledger, create=False)
        kept = call_frame(replay(entry.event for entry in opened.rows()))
        opened.close()
        kept = kept[kept["margin_group"] == group]
    return Sheet(
        account={str(name): value for name, value in row.items()},
        lines=requirement_lines(row),
        groups=groups[groups["margin_group"] == group],
        positions=positions[positions["margin_group"] == group],
        calls=calls,
        ledger=kept,
        as_of=instant_text(as_of),
        run_id=evidence.run_id,
        notes=read_manifest(folder).get("notes", []),
    )


def _amount(value: float, currency: str) -> str:
    """An amount with the digits of its currency, grouped by thousands; nothing for NaN."""
    return "" if pd.isna(value) else f"{value:,.{minor_digits(currency)}f}"


def _shown(text: str) -> str:
    """Text of somebody else's in a table or a line."""
    return escape(printable(text))

"""What ``shockgrid margin-calls`` reads and prints."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd
from rich.markup import escape
from rich.table import Table

from shockgrid.cli_common import counted
from shockgrid.cli_explain import margin_group_of, requirement_lines
from shockgrid.cli_views import console, money
from shockgrid.desk.calls import margin_calls
from shockgrid.desk.calls_calendar import SessionCalendar, instant_text
from shockgrid.desk.calls_desk import RunOutcome
from shockgrid.desk.calls_sheet import Sheet
from shockgrid.desk.calls_states import RUN, Call, Calls, replay
from shockgrid.desk.calls_table import CallRules
from shockgrid.desk.ledger import Ledger
from shockgrid.desk.ledger_record import call_frame, currency_of
from shockgrid.errors import InputError
from shockgrid.io.manifest import read_manifest
from shockgrid.io.run_evidence import run_evidence
from shockgrid.io.run_folder import read_run_table


def print_outcome(calls: pd.DataFrame, outcome: RunOutcome, live: Calls) -> None:
    """Print what a run was reason for, what it wrote, and what it left to a person or to a later run."""
    out = console()
    table = Table(title=counted(len(calls), "deficit"), title_justify="left")
    heads = ("deficit", "exchange", "house", "currency", "due (UTC)", "figures", "action")
    for name in ("margin group", "kind", *heads):
        table.add_column(name, justify="right" if name in heads[:3] else "left")
    for row in calls.to_dict("records"):
        table.add_row(
            escape(row["margin_group"]), row["kind"], money(row["deficit"]), _side(row["exchange_deficit"]),
            _side(row["house_deficit"]), row["currency"], f"{row['due_utc']:%Y-%m-%d %H:%M}",
            row["reliability"], row["action"],
        )  # fmt: skip
    out.print(table)
    kinds = sorted(set(calls.loc[calls["confidence"] == "unconfirmed", "kind"]))
    if kinds:
        note = f"note: the due dates of {', '.join(kinds)} are unconfirmed: read the source column of --out"
        out.print(escape(note), soft_wrap=True)
    for event in outcome.events:
        if event.event != RUN:
            left = standing(live.by_id[event.call_id])
            out.print(escape(f"{event.event} {event.call_id}: {left}"), soft_wrap=True)
    for held in outcome.held:
        who = held.call_id or f"{held.kind} of {held.margin_group}"
        out.print(escape(f"held {who}: {held.why}"), soft_wrap=True)
    for waits in outcome.waiting:
        who = waits.call_id or f"{waits.kind} of {waits.margin_group}"
        out.print(escape(f"later {who}: {waits.why}"), soft_wrap=True)
    if not outcome.events:
        out.print("this run is in the ledger already: nothing written")


def standing(call: Call) -> str:
    """Where a call stands, in words."""
    left = f"{call.outstanding_cents / 100:,.2f} {currency_of(call)}".rstrip()
    return f"{call.state.replace('_', ' ')}, {left} outstanding"


def print_calls(frame: pd.DataFrame) -> None:
    """Print calls as they stand."""
    table = Table(title=counted(len(frame), "call"), title_justify="left")
    for name in ("call", "state", "called", "cured", "outstanding", "currency", "due (UTC)"):
        table.add_column(name, justify="right" if name in ("called", "cured", "outstanding") else "left")
    for row in frame.to_dict("records"):
        amounts = (money(row[name]) for name in ("called", "cured", "outstanding"))
        state, due = row["state"].replace("_", " "), row["due_utc"][:16].replace("T", " ")
        table.add_row(escape(row["call_id"]), state, *amounts, escape(row["currency"]), due)
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


def whole_cents(amount: str) -> int:
    """Cents of an amount as a person writes it, exactly.

    >>> whole_cents("319.99"), whole_cents("-1,250")
    (31999, -125000)
    """
    problem = "expected an amount with at most two decimals, such as 319.99"
    try:
        cents = Decimal(amount.replace(",", "")) * 100
    except ArithmeticError as error:
        raise InputError(problem, column="amount", value=amount) from error
    if not cents.is_finite() or cents != cents.to_integral_value():
        raise InputError(problem, column="amount", value=amount)
    return int(cents)


def _side(deficit: float) -> str:
    return "" if pd.isna(deficit) else money(deficit)

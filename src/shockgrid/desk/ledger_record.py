"""The ledger as tables: calls as they stand, events as they were, and the record of a day."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, astuple
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.calls_states import Call, Calls, Event
from shockgrid.desk.doors import require_kind
from shockgrid.desk.ledger import COLUMNS, Row

CALL_COLUMNS = (
    "call_id",
    "margin_group",
    "kind",
    "trade_date",
    "state",
    "called",
    "cured",
    "promised",
    "outstanding",
    "currency",
    "issued_utc",
    "due_utc",
)
RECORD_COLUMNS = (
    "date",
    "margin_group",
    "call_id",
    "kind",
    "margin_required",
    "due_utc",
    "complied_utc",
    "manner",
    "state",
    "outstanding",
    "currency",
)
_NUMBERS = ("sequence", "cents")


def call_frame(calls: Calls) -> pd.DataFrame:
    """Every call as it stands, by margin group, kind and trade date.

    Money is in ``currency``, the margin group's; "" where the ledger does not say.
    """
    rows = [
        {
            **asdict(call),
            "called": call.called_cents / 100.0,
            "cured": call.cured_cents / 100.0,
            "promised": call.promised_cents / 100.0,
            "outstanding": call.outstanding_cents / 100.0,
            "currency": currency_of(call),
        }
        for call in calls.by_id.values()
    ]
    frame = pd.DataFrame(rows, columns=list(CALL_COLUMNS))
    return frame.sort_values(["margin_group", "kind", "trade_date"], kind="stable", ignore_index=True)


def currency_of(call: Call) -> str:
    """The currency of a call's amounts, from the figures behind it; "" where it has none."""
    return str(json.loads(call.details).get("currency", "")) if call.details else ""


def event_frame(rows: Iterable[Row]) -> pd.DataFrame:
    """Every row of a ledger, in order: sequence, the columns of its event, previous_hash, hash."""
    names = ("sequence", *COLUMNS, "previous_hash", "hash")
    lines = [(row.sequence, *astuple(row.event), row.previous_hash, row.hash) for row in rows]
    types: dict[str, Any] = {name: np.int64 if name in _NUMBERS else object for name in names}
    return pd.DataFrame(lines, columns=list(names)).astype(types)


def daily_record(rows: Iterable[Row], day: date, calendar: SessionCalendar) -> pd.DataFrame:
    """Every case in which margin had to be obtained on a trade date, and how it was complied with.

    One row per call that was issued or taken up that day: date, margin_group, call_id, kind, margin_required
    (the most that was called that day), due_utc, complied_utc ("" while it is not),
    manner (each cure with its amount and date; "market" where prices took the call down; "waived"), state and
    outstanding as they stand after all the rows; and the currency of all amounts, the margin group's.

    Source: FINRA Rule 4220 (daily record of required margin): account, amount of margin required, date when
    and manner in which it was obtained or the requirement otherwise complied with.
    """
    require_kind(day, date, "day")
    calls = Calls()
    required: dict[str, int] = {}
    complied: dict[str, str] = {}
    manners: dict[str, list[str]] = {}
    for row in rows:
        event, before = row.event, calls.by_id.get(row.event.call_id)
        calls.apply(event)
        if not event.call_id:
            continue
        call = calls.by_id[event.call_id]
        grown = call.called_cents > (before.called_cents if before else 0)
        if grown and calendar.trade_date(pd.Timestamp(event.at_utc)) == day:
            required[call.call_id] = max(required.get(call.call_id, 0), call.called_cents)
        manner = _manner(event, call, before)
        if manner:
            manners.setdefault(call.call_id, []).append(manner)
        complied[call.call_id] = _complied(call, event, complied.get(call.call_id, ""))
    lines = [
        (
            day, calls.by_id[name].margin_group, name, calls.by_id[name].kind, cents / 100.0,
            calls.by_id[name].due_utc, complied[name], "; ".join(manners.get(name, [])),
            calls.by_id[name].state, calls.by_id[name].outstanding_cents / 100.0,
            currency_of(calls.by_id[name]),
        )
        for name, cents in required.items()
    ]  # fmt: skip
    frame = pd.DataFrame(lines, columns=list(RECORD_COLUMNS))
    return frame.sort_values(["margin_group", "kind"], kind="stable", ignore_index=True)


def _manner(event: Event, call: Call, before: Call | None) -> str:
    day = event.at_utc[:10]
    if event.event == "cure":
        return f"{event.manner} {event.cents / 100.0:.2f} on {day}"
    if event.event == "correct":
        return f"correction {event.cents / 100.0:+.2f} on {day}"
    if event.event == "waive":
        return f"waived on {day}"
    if event.event == "amend" and before and call.called_cents < before.called_cents:
        return f"market {(before.called_cents - call.called_cents) / 100.0:.2f} on {day}"
    return ""


def _complied(call: Call, event: Event, earlier: str) -> str:
    done = call.state in ("met", "waived") or (call.state == "closed" and call.outstanding_cents == 0)
    return (earlier or event.at_utc) if done else ""

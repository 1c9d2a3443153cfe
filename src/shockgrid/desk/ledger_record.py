"""The ledger as tables: calls as they stand, events as they were, and the record of a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.desk.calls_amounts import amount_text, value_of
from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.calls_states import Call, Calls, Event, finer
from shockgrid.desk.ledger import COLUMNS, Row
from shockgrid.doors import require_kind

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
    "digits",
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
_NUMBERS = ("sequence", "units", "digits")


def call_frame(calls: Calls) -> pd.DataFrame:
    """Every call as it stands, by margin group, kind and trade date.

    Money is in ``currency``, the margin group's ("" where the ledger does not say), with ``digits`` after the
    point.
    """
    rows = [
        (
            call.call_id, call.margin_group, call.kind, call.trade_date, call.state,
            *(value_of(units, call.digits) for units in (
                call.called_units, call.cured_units, call.promised_units, call.outstanding_units,
            )),
            call.currency, call.digits, call.issued_utc, call.due_utc,
        )
        for call in calls.by_id.values()
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(CALL_COLUMNS))
    return frame.sort_values(["margin_group", "kind", "trade_date"], kind="stable", ignore_index=True)


def event_frame(rows: Iterable[Row]) -> pd.DataFrame:
    """Every row of a ledger, in order: sequence, the columns of its event, previous_hash, hash."""
    names = ("sequence", *COLUMNS, "previous_hash", "hash")
    lines = [(row.sequence, *row.event.values, row.previous_hash, row.hash) for row in rows]
    types: dict[str, Any] = {name: np.int64 if name in _NUMBERS else object for name in names}
    return pd.DataFrame(lines, columns=list(names)).astype(types)


def daily_record(rows: Iterable[Row], day: date, calendar: SessionCalendar) -> pd.DataFrame:
    """Every case in which margin had to be obtained on a trade date, and how it was complied with.

    One row per call that was issued or taken up that day: date, margin_group, call_id, kind, margin_required
    (the most that was called that day), due_utc, complied_utc ("" while it is not), manner (each cure with
    its amount and its date in New York; "market" where prices took the call down; "waived"), state and
    outstanding as they stand after all the rows; and the currency of all amounts, the margin group's.

    Source: FINRA Rule 4220 (SR-FINRA-2010-024, effective 2010-12-02): each day, every case in which margin
    must be obtained under FINRA's rules or Regulation T; for each account the amount required, and the date
    when and manner in which it was deposited or the requirement otherwise complied with.
    """
    require_kind(day, date, "day")
    calls = Calls()
    traded = cache(lambda stamp: calendar.trade_date(pd.Timestamp(stamp)))
    required: dict[str, float] = {}
    complied: dict[str, str] = {}
    manners: dict[str, list[str]] = {}
    for row in rows:
        event, before = row.event, calls.by_id.get(row.event.call_id)
        calls.apply(event)
        if not event.call_id:
            continue
        call = calls.by_id[event.call_id]
        before = finer(before, call.digits) if before else None
        grown = call.called_units > (before.called_units if before else 0)
        if grown and traded(event.at_utc) == day:
            called = value_of(call.called_units, call.digits)
            required[call.call_id] = max(required.get(call.call_id, 0.0), called)
        manner = _manner(event, call, before)
        if manner:
            manners.setdefault(call.call_id, []).append(manner)
        complied[call.call_id] = _complied(call, event, complied.get(call.call_id, ""))
    lines = [
        (
            day, call.margin_group, name, call.kind, required[name], call.due_utc, complied[name],
            "; ".join(manners.get(name, [])), call.state, value_of(call.outstanding_units, call.digits),
            call.currency,
        )
        for name, call in ((name, calls.by_id[name]) for name in required)
    ]  # fmt: skip
    frame = pd.DataFrame(lines, columns=list(RECORD_COLUMNS))
    return frame.sort_values(["margin_group", "kind"], kind="stable", ignore_index=True)


def _manner(event: Event, call: Call, before: Call | None) -> str:
    day = pd.Timestamp(event.at_utc).tz_convert("America/New_York").date()
    if event.event == "cure":
        return f"{event.manner} {amount_text(event.units, event.digits, grouped=False)} on {day}"
    if event.event == "correct":
        return f"correction {amount_text(event.units, event.digits, sign='+', grouped=False)} on {day}"
    if event.event == "waive":
        return f"waived on {day}"
    if event.event == "amend" and before and call.called_units < before.called_units:
        fallen = before.called_units - call.called_units
        return f"market {amount_text(fallen, call.digits, grouped=False)} on {day}"
    return ""


def _complied(call: Call, event: Event, earlier: str) -> str:
    done = call.state in ("met", "waived") or (call.state == "closed" and call.outstanding_units == 0)
    return (earlier or event.at_utc) if done else ""

"""What a person may do about a margin call, and what would make no sense."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shockgrid.desk.calls_amounts import MOST_DIGITS, amount_text, rescaled
from shockgrid.desk.calls_states import Call, Calls, Event, finer
from shockgrid.desk.calls_table import CURES, CallRules
from shockgrid.desk.calls_transitions import OPEN
from shockgrid.errors import InputError

ACTS = (
    "approve",
    "amend",
    "promise",
    "return",
    "cure",
    "correct",
    "extend",
    "waive",
    "liquidate",
    "close",
)  #: a person's


def require_sense(calls: Calls, rules: CallRules, call: Call, act: Event) -> None:
    """Refuse what the call, its kind or the calls beside it do not allow.

    An act must not come before its call, a cure must be one of the kind's, an amended call is for more, and a
    correction must not open a second call beside another.

    Raises
    ------
    InputError : says which of these.
    """
    if act.at_utc < call.issued_utc:
        problem = f"expected an instant from {call.issued_utc} on, when {call.call_id} was made"
        raise InputError(problem, table="ledger", column="at", value=act.at_utc)
    row = rules.row(call.kind, datetime.fromisoformat(call.trade_date).date())
    if act.event == "cure" and act.manner not in row.cures:
        problem = f"a call of kind {call.kind} is cured by {', '.join(row.cures)}"
        raise InputError(problem, table="ledger", column="manner", value=act.manner)
    call = finer(call, act.digits)
    asked = rescaled(act.units, act.digits, call.digits)
    if act.event == "amend" and (call.state not in OPEN or asked <= call.called_units):
        known = amount_text(call.called_units, call.digits)
        problem = f"expected an open call and more than the {known} it is for"
        raise InputError(problem, table="ledger", column="units", value=act.units)
    if act.event == "correct" and row.amends:
        for other in calls.unresolved(call.margin_group, call.kind):
            if other.call_id != call.call_id:
                problem = f"{other.call_id} is open and takes up what is missing; close this one"
                raise InputError(problem, table="ledger", column="call_id", value=call.call_id)


def require_act(event: str, operator: str, reason: str, units: int, digits: int | None, manner: str) -> None:
    """Refuse an act whose parts do not go together, naming the first that does not."""
    sized = event in ("amend", "promise", "cure", "correct")
    explained = event in ("amend", "correct", "extend", "waive")
    faults: list[tuple[bool, str, str, Any]] = [
        (event not in ACTS, "event", f"expected one of {', '.join(ACTS)}", event),
        (not operator.strip(), "operator", "expected the name of who did it", operator),
        (event == "cure" and manner not in CURES, "manner", f"expected one of {', '.join(CURES)}", manner),
        (event != "cure" and bool(manner), "manner", "only a cure has a manner", manner),
        (not sized and units != 0, "units", "this event has no amount", units),
        (not 0 <= (digits or 0) <= MOST_DIGITS, "digits", f"expected 0 to {MOST_DIGITS}", digits),
        (event == "correct" and units == 0, "units", "a correction needs an amount", units),
        (explained and not reason.strip(), "reason", "expected a reason", reason),
    ]
    for wrong, column, problem, value in faults:
        if wrong:
            raise InputError(problem, table="ledger", column=column, value=value)

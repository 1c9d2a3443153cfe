"""The life of a margin call: its events, the states they lead to, and the replay of one from the other."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from shockgrid.desk.calls_amounts import amount_text, rescaled
from shockgrid.desk.calls_transitions import TRANSITIONS, UNRESOLVED
from shockgrid.errors import InputError

DIGITS = 2  #: of events that do not say: all were in hundredths once
RUN = "run"  #: that a margin run was looked at; belongs to no call


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a call. Text and whole numbers, so that its hash is the same anywhere."""

    key: str  #: of idempotency: the same key is the same event
    event: str
    at_utc: str  #: ISO 8601, UTC
    call_id: str = ""
    margin_group: str = ""
    kind: str = ""
    trade_date: str = ""  #: ISO date
    units: int = (
        0  #: minor: issue, propose, amend: called in all; promise, cure: that much; correct: its change
    )
    due_utc: str = ""  #: issue, propose, extend: when it is due
    manner: str = ""  #: cure: deposit, market, hedge or liquidation
    operator: str = ""  #: who did it; "" for what the run did by itself
    reason: str = ""
    market_hash: str = ""  #: of the market snapshot behind it; a person's act has that of the last run
    parameters_hash: str = ""  #: of regimes, their numbers and the table of calls
    details: str = ""  #: JSON: the figures behind it
    digits: int = DIGITS  #: after the point of ``units``, as the margin group's currency has them

    @property
    def values(self) -> tuple[Any, ...]:
        """All of it in the order above; ``dataclasses.astuple`` would copy each value."""
        found: tuple[Any, ...] = _VALUES(self)
        return found


_VALUES = attrgetter(*(column.name for column in fields(Event)))


@dataclass(frozen=True, slots=True)
class Call:
    """What its events have made of a call; amounts in whole minor units of the margin group's currency."""

    call_id: str
    margin_group: str
    kind: str
    trade_date: str
    issued_utc: str
    due_utc: str
    state: str
    called_units: int
    cured_units: int = 0
    promised_units: int = 0
    waived: bool = False  #: by a person, whatever became of it then
    details: str = ""
    digits: int = DIGITS  #: after the point of its amounts: the most that an event of it had

    @property
    def stands_waived(self) -> bool:
        """Whether it was waived and has not been opened again: nobody is called for it that day."""
        return self.waived and self.state in ("waived", "closed")

    @property
    def currency(self) -> str:
        """The currency of its amounts, from the figures behind it; "" where it has none."""
        return str(json.loads(self.details).get("currency", "")) if self.details else ""

    @property
    def outstanding_units(self) -> int:
        """What is called and not cured, >= 0."""
        return max(0, self.called_units - self.cured_units)


@dataclass
class Calls:
    """Every call by its id, and what the last margin run was of: the state that the events lead to."""

    by_id: dict[str, Call] = field(default_factory=dict)
    last_run_utc: str = ""
    market_hash: str = ""  #: of the last run's market snapshot
    parameters_hash: str = ""  #: and of its regimes and rules

    def apply(self, event: Event) -> None:
        """Take one event in.

        Raises
        ------
        InputError : the state of the call does not allow the event; nothing has changed then.
        """
        if event.event == RUN:
            self.last_run_utc = max(self.last_run_utc, event.at_utc)
            self.market_hash, self.parameters_hash = event.market_hash, event.parameters_hash
        else:
            self.by_id[event.call_id] = advanced(self.by_id.get(event.call_id), event)

    def unresolved(self, margin_group: str, kind: str) -> list[Call]:
        """Calls of a margin group and kind that are neither met nor waived nor closed."""
        return [
            call
            for call in self.by_id.values()
            if call.margin_group == margin_group and call.kind == kind and call.state in UNRESOLVED
        ]


def replay(events: Iterable[Event]) -> Calls:
    """The state that a sequence of events leads to from nothing."""
    calls = Calls()
    for event in events:
        calls.apply(event)
    return calls


def call_id(margin_group: str, kind: str, trade_date: str) -> str:
    """The key of a call as one text: kind and date hold no slash, so it says which three they are."""
    return f"{kind}/{trade_date}/{margin_group}"


def advanced(call: Call | None, event: Event) -> Call:
    """The call after an event, by ``TRANSITIONS``.

    Raises
    ------
    InputError : the state does not allow it, or an amount has the wrong sign.
    """
    state = call.state if call else ""
    nexts = TRANSITIONS[state].get(event.event)
    if nexts is None:
        problem = (
            f"call {event.call_id or '(none)'}: {event.event!r} cannot follow state {state or 'no call'!r}"
        )
        raise InputError(problem, table="ledger", column="event", value=event.event)
    _require_amount(event)
    if call is None:
        return Call(
            event.call_id, event.margin_group, event.kind, event.trade_date, event.at_utc, event.due_utc,
            nexts[0], event.units, details=event.details, digits=event.digits,
        )  # fmt: skip
    if event.digits != call.digits:
        call = finer(call, event.digits)
        event = replace(event, units=rescaled(event.units, event.digits, call.digits), digits=call.digits)
    changed = _amounts(call, event)
    chosen = nexts[0] if changed.outstanding_units else nexts[1]
    if chosen == "part_met" and changed.cured_units == 0:
        chosen = "issued"
    return replace(changed, state=chosen)


def finer(call: Call, digits: int) -> Call:
    """The same call with amounts of so many digits after the point at least, exactly."""
    if digits <= call.digits:
        return call
    called, cured, promised = (
        rescaled(units, call.digits, digits)
        for units in (call.called_units, call.cured_units, call.promised_units)
    )
    return replace(
        call, digits=digits, called_units=called, cured_units=cured, promised_units=promised
    )  # fmt: skip


def _amounts(call: Call, event: Event) -> Call:
    if event.event == "approve":
        return replace(call, issued_utc=event.at_utc)
    if event.event == "waive":
        return replace(call, waived=True)
    if event.event in ("amend", "propose"):
        return replace(call, called_units=event.units, details=event.details)
    if event.event == "promise":
        return replace(call, promised_units=call.promised_units + event.units)
    if event.event == "return":
        return replace(call, promised_units=0)
    if event.event == "extend":
        if event.due_utc <= call.due_utc:
            problem = f"call {call.call_id}: expected an instant after {call.due_utc}"
            raise InputError(problem, table="ledger", column="due_utc", value=event.due_utc)
        return replace(call, due_utc=event.due_utc)
    if event.event == "correct":
        cured = call.cured_units + event.units
        if cured < 0:
            problem = f"call {call.call_id}: only {amount_text(call.cured_units, call.digits)} are cured"
            raise InputError(problem, table="ledger", column="units", value=event.units)
        return replace(call, cured_units=cured)
    if event.event == "cure":
        promised = call.promised_units - (event.units if event.manner == "deposit" else 0)
        return replace(call, cured_units=call.cured_units + event.units, promised_units=max(0, promised))
    return call


def _require_amount(event: Event) -> None:
    least = {"issue": 1, "propose": 1, "amend": 0, "promise": 1, "cure": 1}.get(event.event)
    if least is not None and event.units < least:
        problem = f"call {event.call_id}: expected at least {least} minor units"
        raise InputError(problem, table="ledger", column="units", value=event.units)
    if event.event in ("issue", "propose", "extend"):
        try:
            zone = datetime.fromisoformat(event.due_utc).tzinfo
        except ValueError:
            zone = None
        if zone is None:
            problem = f"call {event.call_id}: expected an instant with its zone"
            raise InputError(problem, table="ledger", column="due_utc", value=event.due_utc)

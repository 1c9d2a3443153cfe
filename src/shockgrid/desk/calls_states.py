"""The life of a margin call: its events, the states they lead to, and the replay of one from the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from shockgrid.errors import InputError

PROPOSED = "proposed"  #: waits for a person to approve it; the customer has not been told
OPEN = ("issued", "funds_pending", "part_met", "extended")  #: the customer still has time
UNRESOLVED = (PROPOSED, *OPEN, "expired", "liquidation")
STATES = (*UNRESOLVED, "met", "waived", "closed")

RUN = "run"  #: that a margin run was looked at; belongs to no call

#: What may happen to a call that is not overdue yet, in whichever of its states; see ``TRANSITIONS``.
WHILE_DUE: Mapping[str, tuple[str, str]] = {
    "promise": ("funds_pending", "funds_pending"),
    "cure": ("part_met", "met"),
    "correct": ("part_met", "met"),
    "extend": ("extended", "extended"),
    "waive": ("waived", "waived"),
    "expire": ("expired", "expired"),
}

#: state -> event -> the next state (while something is outstanding, when nothing is). All else is refused.
#: "" is no call yet. A call that is part_met by 0 is issued again.
TRANSITIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "": {"issue": ("issued", "issued"), "propose": (PROPOSED, PROPOSED)},
    PROPOSED: {
        "amend": (PROPOSED, "closed"),
        "approve": ("issued", "met"),
        "waive": ("waived", "waived"),
    },
    "issued": {
        "amend": ("issued", "met"),
        **WHILE_DUE,
    },
    "funds_pending": {
        "amend": ("funds_pending", "met"),
        "return": ("part_met", "met"),
        **WHILE_DUE,
    },
    "part_met": {
        "amend": ("part_met", "met"),
        **WHILE_DUE,
    },
    "extended": {
        "amend": ("extended", "met"),
        **WHILE_DUE,
    },
    "expired": {
        "amend": ("expired", "met"),
        "cure": ("expired", "met"),
        "correct": ("expired", "met"),
        "waive": ("waived", "waived"),
        "liquidate": ("liquidation", "liquidation"),
    },
    "liquidation": {
        "amend": ("liquidation", "closed"),
        "cure": ("liquidation", "closed"),
        "correct": ("liquidation", "closed"),
        "close": ("closed", "closed"),
    },
    "met": {
        "amend": ("part_met", "met"),
        "propose": (PROPOSED, "met"),
        "correct": ("part_met", "met"),
        "close": ("closed", "closed"),
    },
    "waived": {"close": ("closed", "closed")},
    "closed": {
        "amend": ("part_met", "closed"),
        "propose": (PROPOSED, "closed"),
        "correct": ("part_met", "closed"),
    },
}
EVENTS = tuple(dict.fromkeys(event for row in TRANSITIONS.values() for event in row))


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a call. Text and whole cents only, so that its hash is the same anywhere."""

    key: str  #: of idempotency: the same key is the same event
    event: str
    at_utc: str  #: ISO 8601, UTC
    call_id: str = ""
    margin_group: str = ""
    kind: str = ""
    trade_date: str = ""  #: ISO date
    cents: int = 0  #: issue, propose, amend: called in all; promise, cure: that much; correct: its change
    due_utc: str = ""  #: issue, propose, extend: when it is due
    manner: str = ""  #: cure: deposit, market, hedge or liquidation
    operator: str = ""  #: who did it; "" for what the run did by itself
    reason: str = ""
    market_hash: str = ""  #: of the market snapshot behind it; a person's act has that of the last run
    parameters_hash: str = ""  #: of regimes, their numbers and the table of calls
    details: str = ""  #: JSON: the figures behind it


@dataclass(frozen=True, slots=True)
class Call:
    """What the events of one call have made of it; amounts in whole cents of the margin group's currency."""

    call_id: str
    margin_group: str
    kind: str
    trade_date: str
    issued_utc: str
    due_utc: str
    state: str
    called_cents: int
    cured_cents: int = 0
    promised_cents: int = 0
    waived: bool = False  #: by a person, whatever became of it then
    details: str = ""

    @property
    def stands_waived(self) -> bool:
        """Whether it was waived and has not been opened again: nobody is called for it that day."""
        return self.waived and self.state in ("waived", "closed")

    @property
    def outstanding_cents(self) -> int:
        """What is called and not cured, >= 0."""
        return max(0, self.called_cents - self.cured_cents)


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
            nexts[0], event.cents, details=event.details,
        )  # fmt: skip
    changed = _amounts(call, event)
    chosen = nexts[0] if changed.outstanding_cents else nexts[1]
    if chosen == "part_met" and changed.cured_cents == 0:
        chosen = "issued"
    return replace(changed, state=chosen)


def _amounts(call: Call, event: Event) -> Call:
    if event.event == "approve":
        return replace(call, issued_utc=event.at_utc)
    if event.event == "waive":
        return replace(call, waived=True)
    if event.event in ("amend", "propose"):
        return replace(call, called_cents=event.cents, details=event.details)
    if event.event == "promise":
        return replace(call, promised_cents=call.promised_cents + event.cents)
    if event.event == "return":
        return replace(call, promised_cents=0)
    if event.event == "extend":
        if event.due_utc <= call.due_utc:
            problem = f"call {call.call_id}: expected an instant after {call.due_utc}"
            raise InputError(problem, table="ledger", column="due_utc", value=event.due_utc)
        return replace(call, due_utc=event.due_utc)
    if event.event == "correct":
        cured = call.cured_cents + event.cents
        if cured < 0:
            problem = f"call {call.call_id}: only {call.cured_cents} cents are cured"
            raise InputError(problem, table="ledger", column="cents", value=event.cents)
        return replace(call, cured_cents=cured)
    if event.event == "cure":
        promised = call.promised_cents - (event.cents if event.manner == "deposit" else 0)
        return replace(call, cured_cents=call.cured_cents + event.cents, promised_cents=max(0, promised))
    return call


def _require_amount(event: Event) -> None:
    least = {"issue": 1, "propose": 1, "amend": 0, "promise": 1, "cure": 1}.get(event.event)
    if least is not None and event.cents < least:
        problem = f"call {event.call_id}: expected at least {least} cents"
        raise InputError(problem, table="ledger", column="cents", value=event.cents)
    if event.event in ("issue", "propose", "extend"):
        try:
            zone = datetime.fromisoformat(event.due_utc).tzinfo
        except ValueError:
            zone = None
        if zone is None:
            problem = f"call {event.call_id}: expected an instant with its zone"
            raise InputError(problem, table="ledger", column="due_utc", value=event.due_utc)

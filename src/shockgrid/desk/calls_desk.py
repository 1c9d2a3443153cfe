"""The desk's side of the ledger: a margin run or a person's act in, events out, each once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from shockgrid.desk.calls import deficits
from shockgrid.desk.calls_acts import require_act, require_sense
from shockgrid.desk.calls_calendar import SessionCalendar, checked_calendar, instant_text
from shockgrid.desk.calls_plan import Evidence, Held, RunPlan
from shockgrid.desk.calls_states import DIGITS, Call, Calls, Event
from shockgrid.desk.calls_table import CallRules, checked_rules
from shockgrid.desk.ledger import Ledger
from shockgrid.doors import require_kind
from shockgrid.errors import InputError, LedgerError
from shockgrid.requirement import MarginResult

ATTEMPTS = 50  #: at an append; each that fails is one that another desk has made meanwhile


@dataclass(frozen=True)
class RunOutcome:
    """What a margin run led to: events that were written, what was left to a person, and what waits for a
    later run; each with its reason."""

    events: tuple[Event, ...]
    held: tuple[Held, ...]
    waiting: tuple[Held, ...] = ()


class CallDesk:
    """Live calls over a ledger.

    ``calls`` is always what the ledger's events lead to; several desks may write to one ledger.
    """

    def __init__(
        self, ledger: Ledger, *, calendar: SessionCalendar | None = None, rules: CallRules | None = None
    ) -> None:
        require_kind(ledger, Ledger, "ledger")
        self.calls = Calls()
        self.sequence = 0  #: of the last row taken in
        self._ledger = ledger
        self._calendar, self._rules = checked_calendar(calendar), checked_rules(rules)
        self.catch_up()

    def catch_up(self) -> None:
        """Take in what has been written since."""
        for row in self._ledger.rows(self.sequence):
            self.calls.apply(row.event)
            self.sequence = row.sequence

    def call(self, call_id: str) -> Call:
        """A call as it stands. Raises InputError where the ledger has none of that id."""
        if call_id not in self.calls.by_id:
            problem = "expected a call of the ledger"
            raise InputError(problem, table="ledger", column="call_id", value=call_id)
        return self.calls.by_id[call_id]

    def run(
        self,
        result: MarginResult | pd.DataFrame,
        as_of: datetime,
        evidence: Evidence,
        *,
        measured: pd.DataFrame | None = None,
        confirmed: Collection[str] | None = None,
    ) -> RunOutcome:
        """Issue, amend, meet and expire calls by a margin run; all of it is one batch of the ledger.

        A new deficit makes a call, or what its margin group's profile says (``margin_calls``): ``approve``
        proposes one, ``wait`` leaves it to the run of the close, which also issues what is still proposed. An
        open call of a kind that amends takes a deficit up, with the due date it has.
        Where prices may cure (see the table) the call follows the deficit down and is met when it is gone.
        What is due and outstanding expires, on a session. Nothing of the kind is done on PARTIAL or
        UNRELIABLE figures: that is ``held``, with the reason. The same run again changes nothing. The book of
        a run is taken to hold every deposit that was recorded before it.

        Parameters
        ----------
        confirmed : margin groups whose breach has been confirmed; nobody else is called. None for all.

        Raises
        ------
        InputError : ``as_of`` is before that of the last run, or not usable.
        LedgerError : nothing of the run has been acknowledged; it can be tried again.
        """
        for name in ("run_id", "market_hash", "parameters_hash"):
            require_kind(getattr(evidence, name, None), str, f"evidence.{name}")
            if not getattr(evidence, name):
                problem = "expected evidence of the run, found nothing"
                raise InputError(problem, column=f"evidence.{name}")
        stamp = instant_text(as_of)
        table = deficits(result, as_of, self._calendar, rules=self._rules, measured=measured)
        rules_hash = f"{evidence.parameters_hash}{self._rules.fingerprint()}"
        proof = replace(evidence, parameters_hash=hashlib.sha256(rules_hash.encode()).hexdigest())
        session = self._calendar.is_session(as_of)
        if confirmed is not None:
            strangers = ~table["margin_group"].isin(confirmed)
            table["action"] = table["action"].mask(strangers & (table["action"] != "held"), "unconfirmed")
        held: list[Held] = []
        waiting: list[Held] = []

        def planned() -> list[Event]:
            plan = RunPlan(self.calls, stamp, proof, is_session=session)
            looked_at = bool(self._ledger.known([plan.key]))
            if self.calls.last_run_utc > stamp and not looked_at:
                problem = f"a run as of {self.calls.last_run_utc} has been looked at already"
                raise InputError(problem, table="ledger", column="as_of", value=stamp)
            events = plan.events(table)
            held[:], waiting[:] = plan.held, plan.waiting
            return [] if looked_at else events

        return RunOutcome(tuple(self._write(planned)), tuple(held), tuple(waiting))

    def record(
        self,
        call_id: str,
        event: str,
        at: datetime,
        *,
        operator: str,
        reason: str = "",
        units: int = 0,
        digits: int | None = None,
        manner: str = "",
        due: datetime | None = None,
        key: str = "",
    ) -> Call:
        """Write what a person did or decided about a call; the call as it is then.

        Parameters
        ----------
        event : approve (a proposal: it is issued then), amend (``units`` called in all from now on, more
            than before), promise (funds on their way), return (they did not come), cure (with manner:
            deposit, market, hedge or liquidation), correct (``units`` signed, added to what is cured; says
            why), extend (to ``due``), waive, liquidate, close.
        units, digits : an amount in whole minor units, and the digits after its point; by default those of
            the call, which are its currency's (a call of an older ledger may have more).
        at : when, with its zone; not before the call was made.
        key : of idempotency; by default the content, so that the same act at the same instant is one.

        Raises
        ------
        InputError : no such call, or its state, its kind or the arguments do not allow the event; or a
            correction would open a second call of a kind that has one.
        LedgerError : it has not been acknowledged.
        """
        texts = {"call_id": call_id, "operator": operator, "reason": reason, "manner": manner, "key": key}
        for name, value in texts.items():
            require_kind(value, str, name)
        for name, number in {"units": units, "digits": 0 if digits is None else digits}.items():
            require_kind(number, int, name)
        stamp = instant_text(at)
        require_act(event, operator, reason, units, digits, manner)

        def planned() -> list[Event]:
            call = self.call(call_id)
            fresh = Event(
                key, event, stamp, call_id, call.margin_group, call.kind, call.trade_date, units,
                instant_text(due) if due is not None else "", manner, operator, reason,
                digits=call.digits if digits is None else digits,
            )  # fmt: skip
            fresh = fresh if key else _keyed(fresh)
            earlier = self._ledger.known([fresh.key]).get(fresh.key)
            if earlier is None:
                require_sense(self.calls, self._rules, call, fresh)
            of = earlier or self.calls
            return [replace(fresh, market_hash=of.market_hash, parameters_hash=of.parameters_hash)]

        self._write(planned)
        return self.calls.by_id[call_id]

    def _write(self, planned: Callable[[], list[Event]]) -> list[Event]:
        """Plan on the ledger's present state and append, again where another process was quicker."""
        for attempt in range(ATTEMPTS):
            self.catch_up()
            events = self._not_yet(planned())
            known, named = self.calls.by_id, {event.call_id for event in events}
            trial = replace(self.calls, by_id={name: known[name] for name in named & known.keys()})
            for event in events:
                trial.apply(event)  # refuses what the state does not allow, before anything is written
            try:
                if events:
                    self._ledger.append(events, after=self.sequence)
            except LedgerError as error:
                if error.reason != "moved" or attempt == ATTEMPTS - 1:
                    raise
                continue
            self.catch_up()
            return events
        return []

    def _not_yet(self, events: Sequence[Event]) -> list[Event]:
        """The events without those the ledger has."""
        known = self._ledger.known([event.key for event in events])
        return [event for event in events if known.get(event.key) != event]


def _keyed(act: Event) -> Event:
    """An act with its content as its key. Hundredths are not said, as in ledgers that know nothing else."""
    text = json.dumps(act.values[:-1] if act.digits == DIGITS else act.values).encode()
    return replace(act, key=f"act/{hashlib.sha256(text).hexdigest()}")

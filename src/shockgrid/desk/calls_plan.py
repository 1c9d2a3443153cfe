"""What a margin run makes of the calls there are: the events of one run, worked out without writing any."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.desk.calls import DOUBTED, MONEY
from shockgrid.desk.calls_amounts import amount_text, rescaled, to_units
from shockgrid.desk.calls_calendar import instant_text
from shockgrid.desk.calls_states import RUN, Call, Calls, Event, advanced, call_id, finer
from shockgrid.desk.calls_transitions import OPEN, PROPOSED, UNRESOLVED


@dataclass(frozen=True)
class Evidence:
    """What a run was made from."""

    run_id: str  #: the same for the same inputs
    market_hash: str
    parameters_hash: str


class Held(NamedTuple):
    """Something that is not done now."""

    margin_group: str
    kind: str
    call_id: str  #: "" where there is no call yet
    why: str


#: why a deficit is passed over for now
WAITING = {
    "wait": "waits for the close: its profile is {call_profile}",
    "unconfirmed": "its breach is not confirmed yet",
}


class RunPlan:
    """The events of one run over the calls there are.

    ``held`` is what it leaves to a person, ``waiting`` what a later run will take up by itself.
    """

    def __init__(self, calls: Calls, stamp: str, evidence: Evidence, *, is_session: bool) -> None:
        self.held: list[Held] = []
        self.waiting: list[Held] = []
        self._calls = dict(calls.by_id)
        self._stamp, self._evidence, self._is_session = stamp, evidence, is_session
        self.key = f"{evidence.run_id}/{stamp}/{RUN}"  #: of the event that says the run was looked at
        self._events: list[Event] = []
        self._live: dict[tuple[str, str], list[str]] = {}
        for call in calls.by_id.values():
            if call.state in UNRESOLVED:
                self._live.setdefault((call.margin_group, call.kind), []).append(call.call_id)

    def events(self, table: pd.DataFrame) -> list[Event]:
        """Events by margin group and kind; ``table`` is what ``deficits`` gave."""
        pairs = (table["kind"] + "/" + table["margin_group"]).to_numpy(object)
        live = np.isin(pairs.astype(str), [f"{kind}/{group}" for group, kind in self._live])
        wanted = (table["deficit"] > 0.0).to_numpy(bool) | live
        names = [str(name) for name in table.columns]
        rows = [dict(zip(names, row, strict=True)) for row in table[wanted].itertuples(index=False)]
        for row in rows:
            self._measure(row)
        by_pair = {(row["margin_group"], row["kind"]): row for row in rows}
        reliability = dict(zip(table["margin_group"], table["reliability"], strict=True))
        for group, kind in self._live:
            self._expire(group, kind, by_pair.get((group, kind)), reliability.get(group, "missing"))
        counts = {"margin_groups": len(reliability), "events": len(self._events)}
        looked = Event(
            self.key, RUN, self._stamp, details=_text(counts),
            market_hash=self._evidence.market_hash, parameters_hash=self._evidence.parameters_hash,
        )  # fmt: skip
        return [*self._events, looked]

    def _measure(self, row: dict[str, Any]) -> None:
        group, kind, date = str(row["margin_group"]), str(row["kind"]), row["trade_date"].isoformat()
        identity, own = call_id(group, kind, date), int(row["digits"])
        earlier = self._live.get((group, kind), []) if row["amends"] else []
        known = self._calls.get(earlier[0] if earlier else identity)
        call = finer(known, own) if known else None
        if row["reliability"] in DOUBTED:
            why = f"its figures are {row['reliability']}"
            self.held.append(Held(group, kind, call.call_id if call else "", why))
            return
        if call is not None and call.currency not in ("", row["currency"]):
            why = f"its call is in {call.currency}, its figures are in {row['currency']}: settle it by hand"
            self.held.append(Held(group, kind, call.call_id, why))
            return
        deficit, least = (
            rescaled(int(to_units(row[name], own)), own, call.digits if call else own)
            for name in ("deficit", "ignore_below")
        )
        if call is not None and call.stands_waived:
            return
        if row["action"] in WAITING:
            if deficit > (_taken_up(call, row) if call else least):
                why = WAITING[row["action"]].format(**row)
                self.waiting.append(Held(group, kind, call.call_id if call else "", why))
        elif call is None:
            if deficit > least:
                event = "issue" if row["action"] == "call" else "propose"
                self._add(event, identity, row, deficit, due=instant_text(row["due_utc"]))
                self._hold_proposed(self._calls[identity])
        elif call.state == PROPOSED:
            self._follow(call, row, deficit if deficit > least else 0)
        else:
            self._amend(call, row, deficit)

    def _follow(self, call: Call, row: dict[str, Any], deficit: int) -> None:
        """A proposal is what the deficit is, and is made a call where nobody needs to approve it any more."""
        if deficit != _taken_up(call, row):
            self._add("amend", call.call_id, row, _called(call, row, deficit))
        if deficit and row["action"] == "call":
            self._add("approve", call.call_id, row, 0)

    def _amend(self, call: Call, row: dict[str, Any], deficit: int) -> None:
        """The open call takes the deficit up; down only where prices may cure it."""
        taken_up = _taken_up(call, row)
        falls = row["amends"] and deficit < taken_up and "market" in row["cures"].split(", ")
        units = _called(call, row, deficit)
        if deficit > taken_up and row["action"] == "approve" and call.state in ("met", "closed"):
            self._add("propose", call.call_id, row, units, due=call.due_utc)
            self._hold_proposed(self._calls[call.call_id])
        elif deficit > taken_up and row["action"] == "approve":
            why = f"asks for {amount_text(deficit - taken_up, call.digits)} more: a person may amend it"
            self.held.append(Held(call.margin_group, call.kind, call.call_id, why))
        elif falls or deficit > taken_up:
            self._add("amend", call.call_id, row, units)

    def _hold_proposed(self, call: Call) -> None:
        if call.state == PROPOSED:
            why = "is proposed: a person approves or waives it"
            self.held.append(Held(call.margin_group, call.kind, call.call_id, why))

    def _expire(self, group: str, kind: str, row: dict[str, Any] | None, reliability: str) -> None:
        for identity in self._live[group, kind]:
            call = self._calls[identity]
            self._hold_proposed(call)
            due = call.state in OPEN and call.due_utc <= self._stamp and call.outstanding_units > 0
            if not due:
                continue
            if reliability in DOUBTED:
                self.held.append(Held(group, kind, identity, f"is due, but its figures are {reliability}"))
            elif reliability == "missing":
                self.held.append(Held(group, kind, identity, "is due, but the run has no such margin group"))
            elif row is not None and row["amends"] and row["deficit"] == 0.0:
                why = "is due, but no deficit is left: record how it was cured"
                self.held.append(Held(group, kind, identity, why))
            elif self._is_session:
                self._add("expire", identity, row or {}, 0)

    def _add(self, event: str, identity: str, row: dict[str, Any], units: int, due: str = "") -> None:
        kind, date, group = identity.split("/", 2)
        earlier = self._calls.get(identity)
        own = int(row["digits"]) if row else 0
        digits = max(own, earlier.digits if earlier else 0)
        fresh = Event(
            key=f"{self._evidence.run_id}/{self._stamp}/{event}/{identity}",
            event=event,
            at_utc=self._stamp,
            call_id=identity,
            margin_group=group,
            kind=kind,
            trade_date=date,
            units=units,
            due_utc=due,
            market_hash=self._evidence.market_hash,
            parameters_hash=self._evidence.parameters_hash,
            details=_text(_figures(row, digits)) if row else "",
            digits=digits,
        )
        self._calls[identity] = advanced(earlier, fresh)
        self._events.append(fresh)


def _taken_up(call: Call, row: dict[str, Any]) -> int:
    """The deficit that a call stands for. One measured of a day does not shrink with what was paid."""
    if call.state == "closed":
        return 0 if row["amends"] else call.cured_units
    return call.outstanding_units if row["amends"] else call.called_units


def _called(call: Call, row: dict[str, Any], deficit: int) -> int:
    """What a call is for in all once it takes up a deficit."""
    return deficit + (call.cured_units if row["amends"] else 0)


def _figures(row: dict[str, Any], digits: int) -> dict[str, Any]:
    """The figures behind an event: units of its digits, the worst scenario, and where the rule stands."""
    figures: dict[str, Any] = {
        f"{name}_units": rescaled(int(to_units(row[name], row["digits"])), int(row["digits"]), digits)
        for name in MONEY
        if not pd.isna(row[name])
    }
    for name in ("worst_scenario", "worst_price_shock", "worst_vol_shock"):
        figures[name] = None if pd.isna(row[name]) else f"{row[name]:g}"
    return figures | {name: str(row[name]) for name in ("currency", "reliability", "cures", "source")}


def _text(figures: dict[str, Any]) -> str:
    return json.dumps(figures, sort_keys=True, ensure_ascii=True, separators=(",", ":"))

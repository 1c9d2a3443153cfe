"""The invariants a simulated desk is held to, each in the slow and obvious way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta

import pandas as pd

from shockgrid.desk.calls_calendar import SessionCalendar, instant_text
from shockgrid.desk.calls_desk import CallDesk
from shockgrid.desk.calls_states import Call, Event, replay
from shockgrid.desk.calls_table import CallRules
from shockgrid.desk.calls_transitions import PROPOSED
from shockgrid.desk.ledger import Ledger, Row
from shockgrid.desk.simulator_world import ACCOUNTS, PROFILES, World
from shockgrid.expiries import expiry_instants

#: under which profiles a run may do this while the exchange is open
ALLOWED_OF = {
    "issue": ("automatic",),
    "amend": ("automatic", "intraday_with_approval"),
    "propose": ("intraday_with_approval",),
    "approve": ("automatic",),
}
KINDS = ("pm_deficiency", "house", "pm_minimum_equity")


class Checks:
    """What has been acknowledged so far, and the rules that must hold."""

    def __init__(self, calendar: SessionCalendar, rules: CallRules) -> None:
        self._calendar, self._rules = calendar, rules
        self._acknowledged: list[Event] = []

    def acknowledge(self, events: Sequence[Event]) -> None:
        """These have been acknowledged: they must never be missing, change or come twice."""
        self._acknowledged += events

    def torn(self, ledger: Ledger, attempted: Sequence[Row]) -> None:
        """After a fault the ledger holds what was acknowledged, and the batch at hand whole or not at all."""
        found = [row.event for row in ledger.rows()]
        extra = found[len(self._acknowledged) :]
        assert found[: len(self._acknowledged)] == self._acknowledged, "an acknowledged event is lost"
        assert extra in ([], [row.event for row in attempted]), "a batch is torn"

    def run(
        self,
        before: dict[str, Call],
        events: Sequence[Event],
        held: Collection[str],
        desk: CallDesk,
        world: World,
    ) -> None:
        """What a run has done: a call for every deficit and no other, to the cent, and due on a session."""
        stamp, is_open = instant_text(world.moment), self._is_open(world.now)
        for event in events:
            assert event.at_utc == stamp, "an event of another moment"
            if event.event in ALLOWED_OF and is_open:
                allowed = ALLOWED_OF[event.event]
                assert PROFILES[event.margin_group] in allowed, f"{event.event} of {event.call_id} by day"
            if event.event in ("issue", "propose"):
                exact = world.deficit(event.margin_group, event.kind)
                earlier = before.get(event.call_id)
                fresh = event.units - (earlier.cured_units if earlier else 0)
                assert fresh == exact > 0, f"{event.call_id} is for {fresh}, not {exact}"
                assert event.due_utc == self._due(event), f"{event.call_id} is due {event.due_utc}"
            assert event.event != "propose" or is_open, "a call is proposed after the close"
            if event.event == "expire":
                assert before[event.call_id].due_utc <= stamp, f"{event.call_id} expired before it was due"
                today = pd.Timestamp(event.at_utc).tz_convert("America/New_York").date()
                assert self._is_session(today), "a call expired on a day without a session"
            if event.call_id:
                assert event.margin_group not in world.doubted, f"{event.call_id}: an act on doubted figures"
        for account in ACCOUNTS:
            for kind in KINDS:
                self._covered(account, kind, held, desk, world, is_open=is_open)

    def state(self, ledger: Ledger, desk: CallDesk, world: World) -> None:
        """Replay of the ledger is the live state; the chain holds; nothing is lost or repeated."""
        rows = list(ledger.rows())
        assert [row.event for row in rows] == self._acknowledged, "the ledger is not what was acknowledged"
        assert len({row.event.key for row in rows}) == len(rows), "an event is there twice"
        ledger.verify()
        again = replay(row.event for row in rows)
        assert again == desk.calls, "replay is not the live state"
        for call in desk.calls.by_id.values():
            same = desk.calls.unresolved(call.margin_group, call.kind)
            assert len(same) <= 1, f"two open calls of kind {call.kind} for {call.margin_group}"
        self._liquidations(rows)

    def _covered(
        self,
        account: str,
        kind: str,
        held: Collection[str],
        desk: CallDesk,
        world: World,
        *,
        is_open: bool,
    ) -> None:
        """A deficit has its call, of at least that much; no deficit leaves none that prices may cure."""
        profile = PROFILES[account] if is_open else "automatic"
        if account in world.doubted or profile == "eod_batch":
            return
        deficit, calls = world.deficit(account, kind), desk.calls.unresolved(account, kind)
        today = self._calendar.trade_date(world.moment)
        waived = [
            call
            for call in desk.calls.by_id.values()
            if (call.margin_group, call.kind, call.trade_date) == (account, kind, today.isoformat())
            and call.stands_waived
        ]
        if deficit and not waived:
            assert len(calls) == 1, f"{account} lacks {deficit} and has {len(calls)} calls of kind {kind}"
            asked = profile == "intraday_with_approval" and calls[0].call_id in held
            enough = calls[0].outstanding_units >= deficit
            assert enough or asked, f"{calls[0].call_id} is for less than the deficit"
            assert asked or calls[0].state != PROPOSED, f"{calls[0].call_id} waits for nobody"
        market = "market" in self._rules.row(kind, today).cures
        for call in calls if not waived else ():
            if not market and call.state != PROPOSED:
                continue
            if call.call_id in held and call.state != PROPOSED:
                continue
            assert call.outstanding_units == deficit, f"{call.call_id} is not the exact deficit {deficit}"

    def _liquidations(self, rows: Sequence[Row]) -> None:
        """Nobody is liquidated before the call has expired."""
        expired: set[str] = set()
        for row in rows:
            if row.event.event == "expire":
                expired.add(row.event.call_id)
            if row.event.event == "liquidate":
                assert row.event.call_id in expired, f"{row.event.call_id} is liquidated before it expired"

    def _due(self, event: Event) -> str:
        """The due date counted day by day."""
        day = date.fromisoformat(event.trade_date)
        left = self._rules.row(event.kind, day).sessions
        while left:
            day += timedelta(days=1)
            left -= self._is_session(day)
        close = expiry_instants([day.isoformat()], False)[0]
        return instant_text(pd.Timestamp(close, tz="UTC"))

    def _is_open(self, now: pd.Timestamp) -> bool:
        """Whether it is between 09:30 in New York and the close of a session."""
        local = now.tz_convert("America/New_York")
        close = pd.Timestamp(expiry_instants([local.date().isoformat()], False)[0], tz="UTC")
        return self._is_session(local.date()) and (local.hour, local.minute) >= (9, 30) and now < close

    def _is_session(self, day: date) -> bool:
        return bool((self._calendar.dates == pd.Timestamp(day).to_datetime64().astype("datetime64[D]")).any())

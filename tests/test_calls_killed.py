"""A desk killed while it ticks: every call it acknowledged is there, once and whole, and it goes on."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from killing import killed

from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.calls_desk import CallDesk
from shockgrid.desk.calls_states import RUN, replay
from shockgrid.desk.ledger import Ledger

WRITER = Path(__file__).parent / "live_writer.py"
KILLS = 6
RESTART_SECONDS = 5.0


def test_killed_during_live_ticks(tmp_path: Path) -> None:
    random, acknowledged, path = Random(7), 0, tmp_path / "live.db"
    for _ in range(KILLS):
        first, said = killed(WRITER, [str(path)], after=random.uniform(0.0, 0.3), lines=1)
        assert first == f"open {acknowledged}"
        started = time.perf_counter()
        ledger = Ledger.open(path)
        desk = CallDesk(ledger, calendar=SessionCalendar.new_york())
        assert time.perf_counter() - started < RESTART_SECONDS
        events = [row.event for row in ledger.rows()]
        assert ledger.verify()[0] == len(events) >= (int(said[-1]) if said else acknowledged)
        assert len({event.key for event in events}) == len(events)
        assert not events or events[-1].event == RUN, "a batch is whole or not there"
        assert replay(events) == desk.calls
        ledger.close()
        acknowledged = len(events)
    issued = {event.call_id for event in events if event.event == "issue"}
    assert len(issued) >= 5
    assert {event.market_hash == "" for event in events} == {False}, "every event names its market"

"""A desk over a new ledger, with shorter words."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from test_calls import accounts

from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.calls_desk import CallDesk, RunOutcome
from shockgrid.desk.calls_plan import Evidence
from shockgrid.desk.calls_states import Call, replay
from shockgrid.desk.ledger import Ledger

CALENDAR = SessionCalendar.new_york()
HOUSE, MARGIN = "house/2026-11-20/A", "pm_deficiency/2026-11-20/A"


def at(text: str) -> datetime:
    """A New York wall-clock time."""
    return pd.Timestamp(text, tz="America/New_York").to_pydatetime()


class Desk:
    """A desk over a new ledger, with shorter words."""

    def __init__(self, path: Path) -> None:
        self.ledger = Ledger.open(path)
        self.desk = CallDesk(self.ledger, calendar=CALENDAR)

    def run(self, when: str, name: str = "", **more: Any) -> RunOutcome:
        """A run of one account whose house requirement is 95,000 and the exchange's 90,000."""
        return self.desk.run(accounts(**more), at(when), Evidence(name or when, "market", "parameters"))

    def record(self, call: str, event: str, when: str, **more: Any) -> Call:
        return self.desk.record(call, event, at(when), operator="ann", **more)

    def checked(self) -> None:
        """Replay of the ledger is the live state, and the chain holds."""
        assert replay(row.event for row in self.ledger.rows()) == self.desk.calls
        self.ledger.verify()

    @property
    def states(self) -> dict[str, tuple[str, int]]:
        return {name: (call.state, call.outstanding_units) for name, call in self.desk.calls.by_id.items()}

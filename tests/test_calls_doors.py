"""What is no table, instant, calendar or amount is refused at the door by name, never with a traceback."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from books import book, market, option, stock
from call_desk import CALENDAR, HOUSE, Desk, at
from test_calls import accounts

import shockgrid as sg
from shockgrid.desk.assignment import early_assignments
from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.calls_desk import CallDesk
from shockgrid.desk.calls_intraday import intraday_deficits, intraday_freezes
from shockgrid.desk.calls_plan import Evidence
from shockgrid.desk.calls_table import call_rules
from shockgrid.desk.ledger import Ledger
from shockgrid.desk.ledger_record import daily_record

Call = Callable[[], Any]
NOON = at("2026-11-20 12:00")
MARKET = market([stock("A"), option("C", "A", "C", 100.0, 5)], {"A": 100.0}, [{"symbol": "C", "vol": 0.2}])
BOOK = book([("X", "A", 100.0)], [{"account": "X", "cash": 0.0}])
ANYTHING: Any = 5

DOORS: dict[str, Call] = {
    "no result": lambda: sg.margin_calls(ANYTHING, NOON),
    "nothing": lambda: sg.margin_calls(None, NOON),  # type: ignore[arg-type]
    "strategy-based": lambda: sg.margin_calls(sg.regt(BOOK, MARKET), NOON),  # type: ignore[arg-type]
    "a frame of something else": lambda: sg.margin_calls(pd.DataFrame({"a": [1]}), NOON),
    "text for money": lambda: sg.margin_calls(accounts(equity_at_marks="much"), NOON),
    "twice": lambda: sg.margin_calls(pd.concat([accounts(), accounts()]), NOON),
    "a profile nobody knows": lambda: sg.margin_calls(accounts(call_profile="sometimes"), NOON),
    "a number for an instant": lambda: sg.margin_calls(accounts(), ANYTHING),
    "a list for an instant": lambda: sg.margin_calls(accounts(), [NOON]),  # type: ignore[arg-type]
    "a calendar": lambda: sg.margin_calls(accounts(), NOON, ANYTHING),
    "rules": lambda: sg.margin_calls(accounts(), NOON, rules=ANYTHING),
    "measured": lambda: sg.margin_calls(accounts(), NOON, measured=ANYTHING),
    "expiry of no book": lambda: sg.after_expiry(ANYTHING, MARKET),
    "expiry of no market": lambda: sg.after_expiry(BOOK, ANYTHING),
    "no spots": lambda: sg.after_expiry(BOOK, MARKET, ANYTHING),
    "no spot": lambda: sg.after_expiry(BOOK, MARKET, {"A": "100"}),  # type: ignore[dict-item]
    "true is no spot": lambda: sg.after_expiry(BOOK, MARKET, {"A": True}),
    "a name that is none": lambda: sg.after_expiry(BOOK, MARKET, {ANYTHING: 100.0}),
    "no regime": lambda: sg.after_expiry(BOOK, MARKET, regime=ANYTHING),
    "no band": lambda: sg.after_expiry(BOOK, MARKET, pin_band="wide"),  # type: ignore[arg-type]
    "until": lambda: sg.after_expiry(BOOK, MARKET, until=ANYTHING),
    "assignments of no book": lambda: early_assignments(ANYTHING, MARKET),
    "assignments of no market": lambda: early_assignments(BOOK, ANYTHING),
    "assignments by no calendar": lambda: early_assignments(BOOK, MARKET, calendar=ANYTHING),
    "changes": lambda: intraday_deficits(ANYTHING, ANYTHING),
    "freezes": lambda: intraday_freezes({}, ANYTHING, CALENDAR),
    "freezes by no calendar": lambda: intraday_freezes({}, NOON, ANYTHING),
    "shut": lambda: SessionCalendar.new_york(closed=ANYTHING),
    "due of text": lambda: CALENDAR.due("2026-11-20", 1),  # type: ignore[arg-type]
    "due after text": lambda: CALENDAR.due(date(2026, 11, 20), "two"),  # type: ignore[arg-type]
    "due before": lambda: CALENDAR.due(date(2026, 11, 20), -1),
    "trade date": lambda: CALENDAR.trade_date(ANYTHING),
    "in session": lambda: CALENDAR.in_session(ANYTHING),
    "a table of calls": lambda: call_rules(ANYTHING),
    "a ledger": lambda: Ledger.open(ANYTHING),
    "a desk without a ledger": lambda: CallDesk(ANYTHING),
    "a day": lambda: daily_record([], ANYTHING, CALENDAR),
}
ACTS: dict[str, dict[str, Any]] = {
    "units": {"event": "cure", "manner": "deposit", "units": 1.5},
    "digits": {"event": "cure", "manner": "deposit", "units": 1, "digits": "2"},
    "digits below 0": {"event": "cure", "manner": "deposit", "units": 1, "digits": -1},
    "a billion digits": {"event": "cure", "manner": "deposit", "units": 1, "digits": 10**9},
    "true units": {"event": "cure", "manner": "deposit", "units": True},
    "due": {"event": "extend", "reason": "x", "due": 5},
    "event": {"event": 5},
    "at": {"event": "waive", "reason": "x", "at": 5},
    "operator": {"event": "waive", "reason": "x", "operator": 5},
    "reason": {"event": "waive", "reason": 5},
    "call": {"event": "waive", "reason": "x", "call_id": 5},
    "manner": {"event": "cure", "manner": 5, "units": 1},
    "key": {"event": "waive", "reason": "x", "key": 5},
}


@pytest.mark.parametrize("name", DOORS)
def test_doors(name: str) -> None:
    with pytest.raises(sg.ShockgridError) as refused:
        DOORS[name]()
    assert len(str(refused.value)) > 10, "it says what was expected"


@pytest.mark.parametrize("name", ACTS)
def test_acts(tmp_path: Path, name: str) -> None:
    desk = Desk(tmp_path / "calls.db")
    desk.run("2026-11-20 16:00", equity_at_marks=92_000.0)
    given = {"call_id": HOUSE, "at": at("2026-11-20 17:00"), "operator": "ann", **ACTS[name]}
    with pytest.raises(sg.InputError):
        desk.desk.record(given.pop("call_id"), given.pop("event"), given.pop("at"), **given)
    assert [row.event.event for row in desk.ledger.rows()] == ["issue", "run"], "nothing is written"


@pytest.mark.parametrize("evidence", [ANYTHING, Evidence("", "m", "p"), Evidence(5, "m", "p")])  # type: ignore[arg-type]
def test_a_run_needs_evidence(tmp_path: Path, evidence: Any) -> None:
    desk = Desk(tmp_path / "calls.db")
    with pytest.raises(sg.InputError, match="evidence"):
        desk.desk.run(accounts(), NOON, evidence)
    with pytest.raises(sg.InputError, match="what margin"):
        desk.desk.run(ANYTHING, NOON, Evidence("r", "m", "p"))

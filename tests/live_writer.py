"""A desk that ticks for ever and writes its calls to a ledger; meant to be killed.

Says how many rows are durable: when it starts, and after each update that wrote some.
"""

from __future__ import annotations

import math
import sys
from datetime import datetime
from typing import Any

import pandas as pd
from books import book, market, option, stock

import shockgrid as sg
from shockgrid.desk.breaches import Breaches
from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.calls_desk import CallDesk
from shockgrid.desk.calls_live import LiveCalls
from shockgrid.desk.ledger import Ledger

START = pd.Timestamp("2026-11-23T09:30", tz="America/New_York").tz_convert("UTC")
STEP = pd.Timedelta(minutes=3)
NAMES = ("A", "B")


def spot(name: str, count: int) -> float:
    """Some ten ticks of deficit and ten without, over and over, name by name out of step."""
    return 100.0 + 8.0 * math.sin(count / 3.0 + NAMES.index(name)) + 0.01 * (count % 7)


def instant(count: int) -> datetime:
    """The market time of a tick."""
    return (START + count * STEP).to_pydatetime()


def firm(count: int) -> sg.Desk:
    """Forty accounts long shares and short calls of a name each, at the spots of a tick."""
    series = [option(f"{name}C", name, "C", 110.0, 60) for name in NAMES]
    spots = {name: spot(name, count) for name in NAMES}
    quotes = [{"symbol": row["symbol"], "vol": 0.3} for row in series]
    priced = market([*(stock(name) for name in NAMES), *series], spots, quotes)
    holdings: list[tuple[str, str, float]] = []
    owners: list[dict[str, Any]] = []
    for place in range(40):
        name = NAMES[place % 2]
        holdings += [(f"X{place:02}", name, 100.0), (f"X{place:02}", f"{name}C", -1.0 - place % 3)]
        owners.append({"account": f"X{place:02}", "cash": -8_200.0 - 20.0 * place})
    policy = sg.Policy({"default": sg.Program(sg.tims(), None, call_profile="automatic")})
    desk = sg.Desk(book(holdings, owners), priced, policy)
    desk.roll(instant(count))
    return desk


def main(path: str) -> None:
    """Go on after the last run that an earlier desk has written."""
    ledger = Ledger.open(path)
    calls = CallDesk(ledger, calendar=SessionCalendar.new_york())
    last = calls.calls.last_run_utc
    count = (pd.Timestamp(last) - START) // STEP + 1 if last else 0
    desk = firm(count)
    live = LiveCalls(desk, Breaches(desk.accounts, desk.time, desk.call_profiles), calls)
    print(f"open {calls.sequence}", flush=True)
    while True:
        count += 1
        rows = pd.DataFrame([{"underlying": name, "spot": spot(name, count)} for name in NAMES])
        outcome = live.update(desk.tick(rows, at=instant(count)))
        if outcome is not None:
            print(calls.sequence, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

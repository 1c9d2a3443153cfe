"""A hostile user and an auditor: odd days, clocks that jump, desks in each other's way, names that bite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from call_desk import CALENDAR, HOUSE, Desk, at
from called_run import invoke
from ledger_places import Place
from test_calls import accounts

import shockgrid as sg
from shockgrid.desk.calls_desk import CallDesk
from shockgrid.desk.calls_plan import Evidence
from shockgrid.desk.calls_states import replay
from shockgrid.desk.ledger import Ledger
from shockgrid.desk.ledger_record import daily_record

DESKS, WIRES = 3, 6


@pytest.mark.parametrize(
    ("issued", "traded", "due", "still", "past"),
    [
        # Thanksgiving, no session: the figures are Wednesday's; Friday closes at 13:00, Monday is the second
        ("2026-11-26 12:00", "2026-11-25", "2026-11-30T21:00", "2026-11-30 15:59", "2026-11-30 16:00"),
        # on the eve of Thanksgiving Eve: due at Friday's early close, 13:00 New York, 18:00 UTC
        ("2026-11-24 16:00", "2026-11-24", "2026-11-27T18:00", "2026-11-27 12:59", "2026-11-27 13:00"),
        # Good Friday: a run on it is Thursday's; the second session after is Tuesday
        ("2026-04-03 11:00", "2026-04-02", "2026-04-07T20:00", "2026-04-07 15:59", "2026-04-07 16:00"),
        # the clock goes forward on Sunday the 8th: Monday 16:00 is 20:00 UTC and not 21:00
        ("2026-03-05 16:00", "2026-03-05", "2026-03-09T20:00", "2026-03-09 15:59", "2026-03-09 16:00"),
        # and back on Sunday 1 November
        ("2026-10-29 16:00", "2026-10-29", "2026-11-02T21:00", "2026-11-02 15:59", "2026-11-02 16:00"),
        # 29 February 2028 is a Tuesday and a session
        ("2028-02-28 16:00", "2028-02-28", "2028-03-01T21:00", "2028-03-01 15:59", "2028-03-01 16:00"),
        # the last session of a year
        ("2026-12-31 16:00", "2026-12-31", "2027-01-05T21:00", "2027-01-05 15:59", "2027-01-05 16:00"),
    ],
)
def test_a_house_call_over_odd_days(
    desk: Desk, issued: str, traded: str, due: str, still: str, past: str
) -> None:
    """Two sessions; it expires at the close of the second, not a minute before."""
    desk.run(issued, equity_at_marks=92_000.0)
    name = f"house/{traded}/A"
    assert desk.desk.calls.by_id[name].due_utc == f"{due}:00.000000+00:00"
    desk.run(still, equity_at_marks=92_000.0)
    assert desk.states[name][0] == "issued"
    desk.run(past, equity_at_marks=92_000.0)
    assert desk.states[name][0] == "expired"


def test_nothing_expires_while_the_exchange_is_shut(desk: Desk) -> None:
    """Extended to Thanksgiving: neither on it nor at night does the call expire, but on Friday."""
    desk.run("2026-11-20 16:00", equity_at_marks=92_000.0)
    desk.record(HOUSE, "extend", "2026-11-24 12:00", due=at("2026-11-26 10:00"), reason="a promise")
    for when in ("2026-11-26 10:00", "2026-11-26 23:59"):
        desk.run(when, equity_at_marks=92_000.0)
        assert desk.states[HOUSE][0] == "extended"
    desk.run("2026-11-27 09:30", equity_at_marks=92_000.0)
    assert desk.states[HOUSE][0] == "expired"


def test_a_clock_that_jumps(desk: Desk) -> None:
    """Back: the run is refused and changes nothing. Of the hour that DST repeats the second is later."""
    desk.run("2026-10-30 16:00", equity_at_marks=92_000.0)
    before = dict(desk.desk.calls.by_id)
    with pytest.raises(sg.InputError, match="has been looked at already"):
        desk.run("2026-10-30 15:00", equity_at_marks=80_000.0)
    assert desk.desk.calls.by_id == before
    first, second = (pd.Timestamp(f"2026-11-01T01:30-0{hours}:00") for hours in (4, 5))
    for moment, equity in ((first, 91_000.0), (second, 90_500.0)):
        rows = accounts(equity_at_marks=equity)
        desk.desk.run(rows, moment.to_pydatetime(), Evidence("half past one", "m", "p"))
    assert desk.desk.calls.by_id["house/2026-10-30/A"].called_units == 450_000


def test_an_act_before_its_call_is_refused(desk: Desk) -> None:
    desk.run("2026-11-20 16:00", equity_at_marks=92_000.0)
    with pytest.raises(sg.InputError, match=r"from 2026-11-20T21:00:00\.000000\+00:00 on"):
        desk.record(HOUSE, "cure", "2026-11-20 15:59:59", manner="deposit", units=1)
    assert desk.states == {HOUSE: ("issued", 300_000)}


def test_corrections_out_of_order(desk: Desk) -> None:
    """Wires found to be short, the second noticed before the first: the sum is what counts."""
    desk.run("2026-11-20 16:00", equity_at_marks=92_000.0)
    desk.record(HOUSE, "cure", "2026-11-23 11:00", manner="deposit", units=200_000)
    desk.record(HOUSE, "cure", "2026-11-23 12:00", manner="deposit", units=100_000)
    assert desk.states[HOUSE] == ("met", 0)
    desk.record(HOUSE, "correct", "2026-11-24 09:00", units=-50_000, reason="the second was short")
    desk.record(HOUSE, "correct", "2026-11-23 15:00", units=-1, reason="and so was the first, found later")
    assert desk.states[HOUSE] == ("part_met", 50_001)
    manner = daily_record(desk.ledger.rows(), date(2026, 11, 20), CALENDAR)["manner"].iloc[0]
    assert manner.split("; ") == [
        "deposit 2000.00 on 2026-11-23",
        "deposit 1000.00 on 2026-11-23",
        "correction -500.00 on 2026-11-24",
        "correction -0.01 on 2026-11-23",
    ]


def test_an_account_that_changes_its_currency_is_left_to_a_person(desk: Desk) -> None:
    """300,000 cents are not 300,000 yen: nothing is added up over currencies."""
    desk.run("2026-11-20 16:00", equity_at_marks=92_000.0)
    held = desk.run("2026-11-23 16:00", equity_at_marks=92_000.0, currency="JPY").held
    assert [(row.call_id, row.why) for row in held] == [
        (HOUSE, "its call is in USD, its figures are in JPY: settle it by hand")
    ]
    assert desk.states == {HOUSE: ("issued", 300_000)}
    desk.record(HOUSE, "waive", "2026-11-23 17:00", reason="moved to yen")
    desk.run("2026-11-24 16:00", equity_at_marks=92_000.0, currency="JPY")
    assert desk.states["house/2026-11-24/A"] == ("issued", 3_000)


def test_desks_that_write_at_the_same_time(place: Place) -> None:
    """Several desks on one ledger: a run counts once, every wire once, and all desks agree in the end."""

    def work(number: int) -> None:
        with closing(Ledger.open(place.address)) as ledger:
            desk = CallDesk(ledger, calendar=CALENDAR)
            rows = accounts(equity_at_marks=92_000.0)
            desk.run(rows, at("2026-11-20 16:00"), Evidence("close", "market", "parameters"))
            for wire in range(WIRES):
                desk.record(
                    HOUSE, "cure", at("2026-11-23 10:00"), operator="ann", manner="deposit", units=1_000,
                    key=f"wire {number}/{wire}",
                )  # fmt: skip

    with ThreadPoolExecutor(DESKS) as pool:
        list(pool.map(work, range(DESKS)))
    with closing(Ledger.open(place.address)) as ledger:
        calls = replay(row.event for row in ledger.rows())
        assert calls.by_id[HOUSE].cured_units == DESKS * WIRES * 1_000
        assert ledger.verify()[0] == 2 + DESKS * WIRES


def test_two_equal_wires_at_one_instant(called_run: Path, tmp_path: Path) -> None:
    """Without a key they are one; with the bank's number for each, two."""
    ledger, call = tmp_path / "calls.db", "pm_minimum_equity/2026-01-21/000123"
    invoke("margin-calls", "run", called_run / "run", "--ledger", ledger)
    wire = ("--at", "2026-01-22T10:00Z", "--operator", "ann", "--manner", "deposit", "--amount", "1000")
    for more in ((), (), ("--key", "wire 8"), ("--key", "wire 8")):
        assert invoke("margin-calls", "record", ledger, call, "cure", *wire, *more).exit_code == 0
    assert invoke("ledger", "show", ledger, call).output.count("1,000.00") == 2


def test_a_terminal_is_not_steered(tmp_path: Path, desk: Desk) -> None:
    """Escape sequences and marks of direction in a name or a reason are shown, not obeyed."""
    name = "A\x1b[2J\u202e"
    desk.run("2026-11-20 16:00", equity_at_marks=92_000.0, margin_group=name)
    call = f"house/2026-11-20/{name}"
    desk.record(call, "waive", "2026-11-20 17:00", reason="\x1b]0;owned\x07")
    ledger = tmp_path / "calls.db"
    close = ("close", "--at", "2026-11-21T10:00Z", "--operator", "b")
    shown = [
        invoke("ledger", "show", ledger),
        invoke("margin-calls", "list", ledger, "--all"),
        invoke("margin-calls", "record", ledger, call, *close),
        invoke("margin-calls", "record", ledger, "\x1b[2J", *close),
    ]
    desk.desk.catch_up()
    for done in shown:
        assert not set(done.output + done.stderr) & {"\x1b", "\x07", "\u202e"}, done.output
    assert "x1b[2J" in shown[2].output
    assert shown[3].exit_code == 2


def test_a_table_of_events_is_safe_in_a_spreadsheet(tmp_path: Path, desk: Desk) -> None:
    """No cell of text begins as a formula does, whoever the account and whatever the reason."""
    for number, name in enumerate(["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]):
        rows = accounts(equity_at_marks=92_000.0, margin_group=name)
        desk.desk.run(rows, at(f"2026-11-20 16:0{number}"), Evidence(f"r{number}", "m", "p"))
        call = f"house/2026-11-20/{name}"
        desk.record(call, "waive", "2026-11-20 17:00", reason=name)
    out = tmp_path / "all.csv"
    assert invoke("ledger", "export", tmp_path / "calls.db", "--out", out).exit_code == 0
    cells = pd.read_csv(out, dtype=str, keep_default_na=False)
    text = cells.drop(columns=["sequence", "units", "digits"]).to_numpy().ravel()
    assert not [cell for cell in text if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert (cells["reason"] != "").sum() == 6

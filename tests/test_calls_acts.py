"""What people do about calls: cures, promises, corrections, extensions; the record of a day."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from call_desk import CALENDAR, HOUSE, Desk, at
from test_calls import accounts

import shockgrid as sg
from shockgrid.desk.calls_plan import Evidence
from shockgrid.desk.ledger_record import call_frame, daily_record, event_frame
from shockgrid.errors import LedgerError


def test_a_call_through_all_of_its_life(desk: Desk) -> None:
    desk.run("2026-11-20 16:00", equity_at_marks=92_000.0)
    desk.record(HOUSE, "promise", "2026-11-20 17:00", units=300_000)
    assert desk.states == {HOUSE: ("funds_pending", 300_000)}
    desk.record(HOUSE, "return", "2026-11-23 09:00")
    desk.record(HOUSE, "cure", "2026-11-23 10:00", manner="deposit", units=50_000)
    assert desk.states == {HOUSE: ("part_met", 250_000)}
    later = at("2026-11-25 16:00")
    desk.record(HOUSE, "extend", "2026-11-24 15:00", due=later, reason="wire confirmed by the bank")
    desk.run("2026-11-24 16:30", equity_at_marks=92_500.0)
    assert desk.states == {HOUSE: ("extended", 250_000)}
    desk.run("2026-11-25 16:30", equity_at_marks=92_500.0)
    assert desk.states == {HOUSE: ("expired", 250_000)}
    desk.record(HOUSE, "liquidate", "2026-11-27 09:30")
    desk.record(HOUSE, "cure", "2026-11-27 09:40", manner="liquidation", units=250_000)
    assert desk.states == {HOUSE: ("closed", 0)}
    with pytest.raises(sg.InputError, match="'waive' cannot follow state 'closed'"):
        desk.record(HOUSE, "waive", "2026-11-27 10:00", reason="too late")


def test_the_same_act_again_counts_once(desk: Desk) -> None:
    desk.run("2026-11-20 16:00", equity_at_marks=92_000.0)
    for _ in range(2):
        desk.record(HOUSE, "cure", "2026-11-20 17:00", manner="deposit", units=100_000)
    assert desk.states == {HOUSE: ("part_met", 200_000)}
    wire = {"manner": "deposit", "key": "wire 7"}
    desk.record(HOUSE, "cure", "2026-11-20 18:00", units=1, **wire)
    with pytest.raises(LedgerError, match="is that of another event"):
        desk.record(HOUSE, "cure", "2026-11-20 18:00", units=2, **wire)


def test_a_correction_is_a_new_event(desk: Desk) -> None:
    desk.run("2026-11-20 10:00", equity_at_marks=92_000.0)
    desk.record(HOUSE, "cure", "2026-11-20 11:00", manner="deposit", units=300_000)
    desk.record(HOUSE, "correct", "2026-11-20 12:00", units=-300_000, reason="the wire was recalled")
    assert desk.states == {HOUSE: ("issued", 300_000)}
    with pytest.raises(sg.InputError, match=r"only 0\.00 are cured"):
        desk.record(HOUSE, "correct", "2026-11-20 13:00", units=-1, reason="once more")
    assert [row.event.event for row in desk.ledger.rows()] == ["issue", "run", "cure", "correct"]


def test_a_correction_opens_no_second_call(desk: Desk) -> None:
    desk.run("2026-11-20 10:00", equity_at_marks=92_000.0)
    desk.record(HOUSE, "cure", "2026-11-20 11:00", manner="deposit", units=300_000)
    desk.run("2026-11-23 10:00", equity_at_marks=92_000.0)
    with pytest.raises(sg.InputError, match="house/2026-11-23/A is open"):
        desk.record(HOUSE, "correct", "2026-11-23 12:00", units=-300_000, reason="the wire was recalled")


@pytest.mark.parametrize(
    ("act", "more", "problem"),
    [
        ("steal", {}, "expected one of approve"),
        ("cure", {"units": 5}, "expected one of deposit"),
        ("cure", {"manner": "deposit"}, "at least 1 minor units"),
        ("waive", {}, "expected a reason"),
        ("waive", {"reason": "x", "units": 5}, "this event has no amount"),
        ("waive", {"reason": "x", "manner": "deposit"}, "only a cure has a manner"),
        ("correct", {"reason": "x"}, "a correction needs an amount"),
        ("extend", {"reason": "x"}, "expected an instant with its zone"),
        ("liquidate", {}, "cannot follow state 'issued'"),
    ],
)
def test_acts_that_are_refused(desk: Desk, act: str, more: dict[str, Any], problem: str) -> None:
    desk.run("2026-11-20 10:00", equity_at_marks=92_000.0)
    with pytest.raises(sg.InputError, match=problem):
        desk.record(HOUSE, act, "2026-11-20 11:00", **more)
    with pytest.raises(sg.InputError, match="name of who did it"):
        desk.desk.record(HOUSE, "waive", at("2026-11-20 11:00"), operator=" ", reason="x")
    with pytest.raises(sg.InputError, match="expected a call of the ledger"):
        desk.record("house/2026-11-20/B", "waive", "2026-11-20 11:00", reason="x")
    assert desk.states == {HOUSE: ("issued", 300_000)}


def test_events_carry_what_they_are_from(desk: Desk) -> None:
    made = desk.run("2026-11-20 10:00", equity_at_marks=92_000.0).events
    assert {found.market_hash for found in made} == {"market"}
    assert len({found.parameters_hash for found in made}) == 1
    assert len(made[0].parameters_hash) == 64
    assert '"house_deficit_units":300000' in made[0].details
    assert '"exchange_deficit_units":0' in made[0].details


def test_the_daily_record(desk: Desk) -> None:
    """FINRA 4220: who, how much, when and in what manner it was complied with."""
    desk.run("2026-11-20 10:00", equity_at_marks=92_000.0)
    desk.run("2026-11-20 16:00", equity_at_marks=91_000.0)
    desk.record(HOUSE, "cure", "2026-11-23 11:00", manner="deposit", units=150_000)
    desk.run("2026-11-23 16:00", equity_at_marks=95_500.0)
    record = daily_record(desk.ledger.rows(), date(2026, 11, 20), CALENDAR)
    row = record.iloc[0]
    assert len(record) == 1
    assert (row["margin_group"], row["margin_required"], row["state"]) == ("A", 4_000.0, "met")
    assert row["manner"] == "deposit 1500.00 on 2026-11-23; market 2500.00 on 2026-11-23"
    assert row["complied_utc"] == "2026-11-23T21:00:00.000000+00:00"
    assert len(daily_record(desk.ledger.rows(), date(2026, 11, 23), CALENDAR)) == 0


def test_frames_of_nothing_have_their_columns(desk: Desk) -> None:
    assert len(call_frame(desk.desk.calls)) == 0
    assert len(event_frame(desk.ledger.rows())) == 0
    assert len(daily_record(desk.ledger.rows(), date(2026, 11, 20), CALENDAR)) == 0


def test_an_extension_is_to_a_later_instant(desk: Desk) -> None:
    desk.run("2026-11-20 10:00", equity_at_marks=92_000.0)
    with pytest.raises(sg.InputError, match="expected an instant after 2026-11-24T21:00"):
        desk.record(HOUSE, "extend", "2026-11-20 11:00", due=at("2026-11-24 16:00"), reason="asked for")


def test_an_act_again_after_another_run_is_still_the_same_act(desk: Desk) -> None:
    """It carries the hashes of the run before it, whenever it is sent again."""
    wire = {"manner": "deposit", "units": 100_000}
    desk.run("2026-11-20 10:00", equity_at_marks=92_000.0)
    desk.record(HOUSE, "cure", "2026-11-20 11:00", **wire)
    desk.desk.run(accounts(equity_at_marks=93_000.0), at("2026-11-20 12:00"), Evidence("b", "later", "p"))
    desk.record(HOUSE, "cure", "2026-11-20 11:00", **wire)
    assert desk.states == {HOUSE: ("part_met", 200_000)}
    hashes = [row.event.market_hash for row in desk.ledger.rows()]
    assert hashes == ["market", "market", "market", "later"]

"""How calls are made: at the close, by day with a person's approval, or at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from books import book, market, option, stock
from call_desk import CALENDAR, HOUSE, Desk, at
from test_calls import accounts

import shockgrid as sg
from shockgrid.desk.breaches import Breaches
from shockgrid.desk.calls_desk import CallDesk
from shockgrid.desk.calls_live import LiveCalls, market_fingerprint
from shockgrid.desk.ledger import Ledger
from shockgrid.desk.ledger_record import daily_record
from shockgrid.errors import LedgerError

BY_HAND, AT_CLOSE = {"call_profile": "intraday_with_approval"}, {"call_profile": "eod_batch"}


@pytest.mark.parametrize(
    ("when", "actions"),
    [
        # open from 09:30 to 16:00 New York, on the day after Thanksgiving to 13:00; a Saturday is no session
        ("2026-11-20 09:29:59", ("call", "call", "call")),
        ("2026-11-20 09:30", ("wait", "approve", "call")),
        ("2026-11-20 15:59:59", ("wait", "approve", "call")),
        ("2026-11-20 16:00", ("call", "call", "call")),
        ("2026-11-27 12:59:59", ("wait", "approve", "call")),
        ("2026-11-27 13:00", ("call", "call", "call")),
        ("2026-11-28 12:00", ("call", "call", "call")),
    ],
)
def test_what_each_profile_does(when: str, actions: tuple[str, ...]) -> None:
    for profile, action in zip(("eod_batch", "intraday_with_approval", "automatic"), actions, strict=True):
        rows = accounts(equity_at_marks=92_000.0, call_profile=profile)
        called = sg.margin_calls(rows, at(when), CALENDAR)
        assert called[["call_profile", "action"]].to_numpy().tolist() == [[profile, action]]
        doubted = sg.margin_calls(rows.assign(reliability="PARTIAL"), at(when), CALENDAR)
        assert doubted["action"].tolist() == ["held"]


def test_the_profile_is_the_programs() -> None:
    """A program of the policy says it; one regime alone is eod_batch, the default of a program."""
    priced = market([stock("A")], {"A": 100.0})
    owners = [
        {"account": name, "cash": -9_000.0, "program": program}
        for name, program in (("X", ""), ("Y", "fast"))
    ]
    held = book([("X", "A", 100.0), ("Y", "A", 100.0)], owners)
    policy = sg.Policy(
        {
            "default": sg.Program(sg.tims(), None, call_profile="intraday_with_approval"),
            "fast": sg.Program(sg.tims(), None, call_profile="automatic"),
        }
    )
    result = sg.margin(held, priced, policy)
    assert result.accounts["call_profile"].tolist() == ["intraday_with_approval", "automatic"]
    by_day = sg.margin_calls(result, at("2026-11-20 12:00"), CALENDAR)
    assert by_day["action"].tolist() == ["approve", "call"]
    alone = sg.margin(held, priced, sg.tims())
    assert sg.margin_calls(alone, at("2026-11-20 12:00"), CALENDAR)["action"].tolist() == ["wait", "wait"]


def test_a_batch_waits_for_the_close(desk: Desk) -> None:
    by_day = desk.run("2026-11-20 11:00", equity_at_marks=92_000.0, **AT_CLOSE)
    assert [event.event for event in by_day.events] == ["run"]
    assert [(row.kind, row.why) for row in by_day.waiting] == [
        ("house", "waits for the close: its profile is eod_batch")
    ]
    assert by_day.held == ()
    desk.run("2026-11-20 16:00", equity_at_marks=93_000.0, **AT_CLOSE)
    assert desk.states == {HOUSE: ("issued", 200_000)}
    for hour, equity in ((11, 80_000.0), (12, 99_000.0)):  # nothing that prices do by day counts
        again = desk.run(f"2026-11-23 {hour}:30", equity_at_marks=equity, **AT_CLOSE)
        assert [event.event for event in again.events] == ["run"]
    assert desk.states == {HOUSE: ("issued", 200_000)}


def test_a_call_by_day_is_approved_by_a_person(desk: Desk) -> None:
    told = desk.run("2026-11-20 11:00", equity_at_marks=92_000.0, **BY_HAND)
    assert [event.event for event in told.events] == ["propose", "run"]
    assert [(row.call_id, row.why) for row in told.held] == [
        (HOUSE, "is proposed: a person approves or waives it")
    ]
    assert desk.states == {HOUSE: ("proposed", 300_000)}
    desk.run("2026-11-20 12:00", equity_at_marks=91_500.0, **BY_HAND)
    assert desk.states == {HOUSE: ("proposed", 350_000)}
    with pytest.raises(sg.InputError, match="'cure' cannot follow state 'proposed'"):
        desk.record(HOUSE, "cure", "2026-11-20 12:10", manner="deposit", units=1)
    call = desk.record(HOUSE, "approve", "2026-11-20 12:30")
    assert (call.state, call.issued_utc) == ("issued", "2026-11-20T17:30:00.000000+00:00")
    assert call.due_utc == "2026-11-24T21:00:00.000000+00:00", "two sessions from the trade date"
    more = desk.run("2026-11-20 13:00", equity_at_marks=90_000.0, **BY_HAND)
    assert [row.why for row in more.held] == ["asks for 1,500.00 more: a person may amend it"]
    assert desk.states == {HOUSE: ("issued", 350_000)}
    with pytest.raises(sg.InputError, match=r"more than the 3,500\.00 it is for"):
        desk.record(HOUSE, "amend", "2026-11-20 13:10", units=350_000, reason="no more")
    desk.record(HOUSE, "amend", "2026-11-20 13:10", units=500_000, reason="the market fell on")
    assert desk.states == {HOUSE: ("issued", 500_000)}


def test_a_proposal_ends_with_its_deficit_or_with_the_day(desk: Desk) -> None:
    desk.run("2026-11-20 11:00", equity_at_marks=92_000.0, **BY_HAND)
    desk.run("2026-11-20 12:00", equity_at_marks=96_000.0, **BY_HAND)
    assert desk.states == {HOUSE: ("closed", 0)}
    desk.run("2026-11-20 13:00", equity_at_marks=94_000.0, **BY_HAND)
    assert desk.states == {HOUSE: ("proposed", 100_000)}, "back on the same day: proposed again"
    desk.run("2026-11-20 14:00", equity_at_marks=96_000.0, **BY_HAND)
    desk.run("2026-11-23 11:00", equity_at_marks=92_000.0, **BY_HAND)
    close = desk.run("2026-11-23 16:00", equity_at_marks=91_000.0, **BY_HAND)
    assert [event.event for event in close.events] == ["amend", "approve", "run"]
    assert desk.states["house/2026-11-23/A"] == ("issued", 400_000)
    assert close.held == ()
    record = daily_record(desk.ledger.rows(), pd.Timestamp("2026-11-23").date(), CALENDAR)
    assert record[["margin_required", "state"]].to_numpy().tolist() == [[4_000.0, "issued"]]


def test_a_person_may_decline(desk: Desk) -> None:
    desk.run("2026-11-20 11:00", equity_at_marks=92_000.0, **BY_HAND)
    desk.record(HOUSE, "waive", "2026-11-20 11:10", reason="a wire is on its way")
    desk.run("2026-11-20 16:00", equity_at_marks=92_000.0, **BY_HAND)
    assert desk.states == {HOUSE: ("waived", 300_000)}


def firm(profile: str, cash: float = 1e6) -> sg.Desk:
    """100 shares at 100, 15 % of 10,000 needed, 2,000 of equity; and somebody else, with plenty."""
    priced = market(
        [stock("A"), option("C", "A", "C", 100.0, 30)], {"A": 100.0}, [{"symbol": "C", "vol": 0.2}]
    )
    owners: list[dict[str, Any]] = [{"account": "X", "cash": -8_000.0}, {"account": "Y", "cash": cash}]
    held = book([("X", "A", 100.0), ("Y", "A", 100.0)], owners)
    policy = sg.Policy({"default": sg.Program(sg.tims(), None, call_profile=profile)})
    return sg.Desk(held, priced, policy)


def driven(profile: str, place: Path, cash: float = 1e6) -> tuple[LiveCalls, list[list[str]]]:
    """A desk through one bad hour: at 93 the equity is 1,300 against 1,395, and less at each tick."""
    live_desk = firm(profile, cash)
    monday = at("2026-11-23 09:30")
    live_desk.roll(monday)
    calls = CallDesk(Ledger.open(place), calendar=CALENDAR)
    breaches = Breaches(live_desk.accounts, live_desk.time, live_desk.call_profiles, [monday])
    live, told = LiveCalls(live_desk, breaches, calls), []
    for count in range(12):
        rows = pd.DataFrame([{"underlying": "A", "spot": 93.0 - 0.001 * count}])
        outcome = live.update(live_desk.tick(rows, at=monday + pd.Timedelta(minutes=60 + 3 * count)))
        told.append([event.event for event in outcome.events] if outcome else [])
    return live, told


@pytest.mark.parametrize(
    ("profile", "event", "minutes", "units"),
    [("automatic", "issue", 72, 9_534), ("intraday_with_approval", "propose", 66, 9_517)],
)
def test_the_desk_drives_the_calls(
    tmp_path: Path, profile: str, event: str, minutes: int, units: int
) -> None:
    """Five quotes and ten minutes: the fifth tick, at 92.996, 1,394.94 less 1,299.60. Three quotes and five
    minutes: the third, at 92.998, 1,394.97 less 1,299.80. Nothing before, and nothing after."""
    live, told = driven(profile, tmp_path / "live.db")
    assert [row for row in told if row] == [[event, "run"]]
    rows = [row.event for row in live.calls._ledger.rows()]
    assert pd.Timestamp(rows[0].at_utc) == at("2026-11-23 09:30") + pd.Timedelta(minutes=minutes)
    assert rows[0].units == units
    again, second = driven(profile, tmp_path / "live.db")
    assert not any(second), "the same updates after a restart write nothing"
    assert [row.event for row in again.calls._ledger.rows()] == rows


def test_a_breach_is_called_when_it_is_confirmed_itself(tmp_path: Path) -> None:
    """Y needs 1,395.00 at 93 and has 1,395.10; from the third tick on it lacks some cents as well.

    X is called at the fifth tick and Y two later, when X, called for 95.34, lacks 95.51.
    """
    live, told = driven("automatic", tmp_path / "live.db", cash=-7_904.9)
    assert told[4] == ["issue", "run"]
    assert told[6] == ["amend", "issue", "run"]
    assert not any(told[:4] + told[5:6] + told[7:])
    assert {name: call.called_units for name, call in live.calls.calls.by_id.items()} == {
        "pm_deficiency/2026-11-23/X": 9_551,
        "pm_deficiency/2026-11-23/Y": 41,
    }


def test_a_batch_is_called_when_the_desk_closes(tmp_path: Path) -> None:
    live, told = driven("eod_batch", tmp_path / "live.db")
    assert not any(told)
    outcome = live.close(at("2026-11-23 16:00"))
    assert outcome is not None
    assert [event.event for event in outcome.events] == ["issue", "run"]


def test_what_the_disk_refused_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live, _ = driven("eod_batch", tmp_path / "live.db")

    def full(*_: object) -> None:
        problem = "simulated"
        raise LedgerError(problem, reason="full")

    close = at("2026-11-23 16:00")
    with monkeypatch.context() as patch:
        patch.setattr(live.calls._ledger._store, "insert", full)
        with pytest.raises(LedgerError, match="simulated"):
            live.close(close)
    assert list(live.calls._ledger.rows()) == []
    assert [event.event for event in live.retry(close).events] == ["issue", "run"]
    assert live.retry(close).events == ()


def test_a_market_has_one_fingerprint() -> None:
    first, same = firm("automatic"), firm("automatic")
    assert market_fingerprint(first.market) == market_fingerprint(same.market)
    same.tick(pd.DataFrame([{"underlying": "A", "spot": 100.0 + 1e-12}]))
    assert market_fingerprint(first.market) != market_fingerprint(same.market)

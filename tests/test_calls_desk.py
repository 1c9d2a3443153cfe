"""What margin runs make of calls: amended, met, expired, held; each run once; several desks."""

from __future__ import annotations

from pathlib import Path

import pytest
from call_desk import HOUSE, MARGIN, Desk, at
from test_calls import accounts

import shockgrid as sg
from shockgrid.desk.calls_plan import Evidence
from shockgrid.errors import LedgerError


def test_a_house_call_is_amended_and_not_stacked(desk: Desk) -> None:
    desk.run("2026-11-20 16:00", equity_at_marks=92_000.0)
    assert desk.states == {HOUSE: ("issued", 300_000)}
    desk.run("2026-11-23 16:00", equity_at_marks=91_000.0)
    assert desk.states == {HOUSE: ("issued", 400_000)}
    assert desk.desk.calls.by_id[HOUSE].due_utc == "2026-11-24T21:00:00.000000+00:00", (
        "the due date is that of the first deficit"
    )
    desk.run("2026-11-24 10:00", equity_at_marks=94_000.0)
    assert desk.states == {HOUSE: ("issued", 100_000)}
    desk.run("2026-11-24 11:00", equity_at_marks=95_000.0)
    assert desk.states == {HOUSE: ("met", 0)}
    desk.run("2026-11-25 11:00", equity_at_marks=94_999.0)
    assert desk.states["house/2026-11-25/A"] == ("issued", 100)


def test_prices_do_not_cure_a_deficiency(desk: Desk) -> None:
    """FINRA's FAQ: by deposit or by a hedge. The call stays until a person says how it was cured."""
    desk.run("2026-11-20 16:00", equity_at_marks=89_000.0)
    assert desk.states == {HOUSE: ("issued", 600_000), MARGIN: ("issued", 100_000)}
    desk.run("2026-11-23 16:00", equity_at_marks=96_000.0)
    assert desk.states == {HOUSE: ("met", 0), MARGIN: ("issued", 100_000)}
    with pytest.raises(sg.InputError, match="cured by deposit, hedge, liquidation"):
        desk.record(MARGIN, "cure", "2026-11-23 17:00", manner="market", units=100_000)
    held = desk.run("2026-11-25 16:00", equity_at_marks=96_000.0).held
    assert [(row.call_id, row.why) for row in held] == [
        (MARGIN, "is due, but no deficit is left: record how it was cured")
    ]
    desk.record(MARGIN, "cure", "2026-11-25 16:30", manner="hedge", units=100_000)
    assert desk.states[MARGIN] == ("met", 0)


@pytest.mark.parametrize(
    ("when", "state"),
    [
        ("2026-11-25 15:59:59", "issued"),
        ("2026-11-25 16:00", "expired"),
        ("2026-11-26 12:00", "issued"),  # Thanksgiving: no session, nothing expires
        ("2026-11-28 12:00", "issued"),  # Saturday
        ("2026-11-27 09:00", "expired"),
    ],
)
def test_nothing_expires_but_on_a_session(desk: Desk, when: str, state: str) -> None:
    """Issued on Monday 2026-11-23, due two sessions later: the close of the 25th, 21:00 UTC."""
    desk.run("2026-11-23 16:00", equity_at_marks=92_000.0)
    desk.run(when, equity_at_marks=92_000.0)
    assert desk.states["house/2026-11-23/A"] == (state, 300_000)


@pytest.mark.parametrize("doubt", ["PARTIAL", "UNRELIABLE"])
def test_nothing_is_automatic_on_doubtful_figures(desk: Desk, doubt: str) -> None:
    desk.run("2026-11-20 16:00", equity_at_marks=92_000.0)
    before = desk.states
    for when, equity in (
        ("2026-11-20 16:10", 50_000.0),
        ("2026-11-20 16:20", 99_000.0),
        ("2026-11-24 16:30", 92_000.0),
    ):
        outcome = desk.run(when, equity_at_marks=equity, reliability=doubt)
        assert [made.event for made in outcome.events] == ["run"]
        assert outcome.held
        assert desk.states == before
    assert "is due, but its figures are" in outcome.held[-1].why
    desk.record(HOUSE, "waive", "2026-11-24 17:00", reason="a person may")
    assert desk.states == {HOUSE: ("waived", 300_000)}


def test_an_account_that_is_not_in_the_run(desk: Desk) -> None:
    desk.run("2026-11-20 16:00", equity_at_marks=92_000.0)
    outcome = desk.run("2026-11-24 16:30", margin_group="B")
    assert outcome.held[0].why == "is due, but the run has no such margin group"
    assert desk.states == {HOUSE: ("issued", 300_000)}


def test_the_same_run_again_changes_nothing(desk: Desk) -> None:
    first = desk.run("2026-11-20 16:00", "one", equity_at_marks=92_000.0)
    assert [made.event for made in first.events] == ["issue", "run"]
    desk.record(HOUSE, "cure", "2026-11-20 17:00", manner="deposit", units=100_000)
    again = desk.run("2026-11-20 16:00", "one", equity_at_marks=92_000.0)
    assert again.events == ()
    assert desk.states == {HOUSE: ("part_met", 200_000)}
    with pytest.raises(sg.InputError, match=r"a run as of 2026-11-20T21:00:00\.000000"):
        desk.run("2026-11-20 15:00", equity_at_marks=92_000.0)


def test_a_breach_again_on_the_same_day_opens_the_call_again(desk: Desk) -> None:
    desk.run("2026-11-20 10:00", equity_at_marks=92_000.0)
    desk.record(HOUSE, "cure", "2026-11-20 11:00", manner="deposit", units=300_000)
    desk.run("2026-11-20 12:00", equity_at_marks=94_000.0)
    assert desk.states == {HOUSE: ("part_met", 100_000)}


def test_a_waived_call_is_not_made_again_that_day(desk: Desk) -> None:
    desk.run("2026-11-20 10:00", equity_at_marks=92_000.0)
    desk.record(HOUSE, "waive", "2026-11-20 11:00", reason="approved by the head of risk")
    desk.run("2026-11-20 12:00", equity_at_marks=92_000.0)
    assert desk.states == {HOUSE: ("waived", 300_000)}
    desk.record(HOUSE, "close", "2026-11-20 13:00")
    for hour, equity in ((14, 93_000.0), (15, 90_000.0)):
        desk.run(f"2026-11-20 {hour}:00", equity_at_marks=equity)
        assert desk.states == {HOUSE: ("closed", 300_000)}, "closing it does not take the waiver back"
    desk.run("2026-11-23 12:00", equity_at_marks=92_000.0)
    assert desk.states["house/2026-11-23/A"] == ("issued", 300_000)


def test_two_desks_write_to_one_ledger(desk: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path / "calls.db")
    desk.run("2026-11-20 10:00", "one", equity_at_marks=92_000.0)
    assert other.run("2026-11-20 10:00", "one", equity_at_marks=92_000.0).events == ()
    other.record(HOUSE, "cure", "2026-11-20 11:00", manner="deposit", units=100_000)
    desk.run("2026-11-20 12:00", "two", equity_at_marks=93_000.0)
    assert desk.states == {HOUSE: ("part_met", 200_000)}
    other.desk.catch_up()
    assert other.desk.calls == desk.desk.calls
    other.ledger.close()


def test_a_failed_append_leaves_the_desk_as_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.run("2026-11-20 10:00", equity_at_marks=92_000.0)
    before = desk.states

    def fail(*_: object) -> None:
        problem = "simulated"
        raise LedgerError(problem, reason="full")

    with monkeypatch.context() as patch:
        patch.setattr(desk.ledger._store, "insert", fail)
        with pytest.raises(LedgerError, match="simulated"):
            desk.run("2026-11-20 11:00", equity_at_marks=91_000.0)
    assert desk.states == before
    desk.run("2026-11-20 11:00", equity_at_marks=91_000.0)
    assert desk.states == {HOUSE: ("issued", 400_000)}


def test_an_empty_firm_is_looked_at(desk: Desk) -> None:
    nobody = accounts().iloc[:0]
    outcome = desk.desk.run(nobody, at("2026-11-20 16:00"), Evidence("empty", "m", "p"))
    assert [made.event for made in outcome.events] == ["run"]


def test_what_is_held_is_said_each_time(desk: Desk) -> None:
    for _ in range(2):
        outcome = desk.run("2026-11-20 16:00", "one", equity_at_marks=50_000.0, reliability="PARTIAL")
        assert [(held.kind, held.why) for held in outcome.held] == [
            ("house", "its figures are PARTIAL"),
            ("pm_deficiency", "its figures are PARTIAL"),
        ]
    assert len(list(desk.ledger.rows())) == 1

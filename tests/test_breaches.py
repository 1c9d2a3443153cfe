"""Breaches: what is confirmed when, in market time alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from small_desk import desk

import shockgrid as sg
from shockgrid.desk.breaches import PROFILES, Breaches

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
NOON = OPEN + timedelta(hours=3)
MINUTE = timedelta(minutes=1)


def figures(
    marks: float, model: float | None = None, reliability: str = "OK", requirement: float = 100.0
) -> pd.DataFrame:
    row = {
        "margin_group": "A",
        "currency": "USD",
        "requirement": requirement,
        "equity_at_marks": marks,
        "equity_at_model": marks if model is None else model,
        "reliability": reliability,
    }
    return pd.DataFrame([row])


def watched(profile: str, at: datetime = NOON) -> Breaches:
    return Breaches(figures(200.0), at, {"A": profile}, [OPEN])


def state(found: Breaches) -> str:
    return ("clear", "watch", "breach", "confirmed")[found.states[0]]


def test_from_watch_to_breach_and_back() -> None:
    found = watched("automatic")
    assert state(found) == "clear"
    for minute, (marks, expected) in enumerate(
        [
            (112.0, "clear"),
            (111.0, "watch"),
            (100.0, "watch"),
            (99.99, "breach"),
            (100.0, "watch"),
            (200.0, "clear"),
        ]
    ):
        found.update(figures(marks), NOON + minute * MINUTE)
        assert state(found) == expected, marks
    told = found.log
    assert told["state_after"].tolist() == ["watch", "breach", "watch", "clear"]
    assert told["deficit"].tolist() == pytest.approx([0.0, 0.01, 0.0, 0.0])
    assert (told["action"] == "").all()


def test_a_deficit_must_last_and_be_seen_again() -> None:
    """Automatic: ten minutes, five updates in a row; four do not do, nor nine minutes."""
    profile = PROFILES["automatic"]
    for steps, spacing, expected in ((5, 2.5, "confirmed"), (4, 5.0, "breach"), (6, 1.0, "breach")):
        found = watched("automatic")
        for step in range(steps):
            told = found.update(figures(50.0), NOON + step * spacing * MINUTE)
        assert state(found) == expected, (steps, spacing)
    assert (profile.dwell, profile.quotes) == (10 * MINUTE, 5)
    found = watched("automatic")
    for step in range(5):
        told = found.update(figures(50.0), NOON + step * 2.5 * MINUTE)
    assert told["action"].tolist() == ["send"]


def test_one_wild_quote_confirms_nothing() -> None:
    """A deficit at marks that the model does not show is logged, and waits."""
    found = watched("automatic")
    for step in range(20):
        found.update(figures(50.0, model=150.0), NOON + step * MINUTE)
    assert state(found) == "breach"
    assert found.log["reason"].tolist() == ["dwell"]


def test_nothing_is_confirmed_just_after_the_opening() -> None:
    found = watched("automatic", OPEN)
    for step in range(29):
        found.update(figures(50.0), OPEN + step * MINUTE)
    assert state(found) == "breach"
    found.update(figures(50.0), OPEN + 30 * MINUTE)
    assert state(found) == "confirmed"


@pytest.mark.parametrize("reliability", ["PARTIAL", "UNRELIABLE"])
@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_in_doubt_needs_a_person(profile: str, reliability: str) -> None:
    found = watched(profile)
    for step in range(30):
        found.update(figures(50.0, reliability=reliability), NOON + step * MINUTE)
    found.close(NOON + timedelta(hours=3))
    assert state(found) == "breach"
    found.approve("A", NOON + timedelta(hours=3))
    assert state(found) == "confirmed"


def test_a_batch_waits_for_the_close() -> None:
    found = watched("eod_batch")
    found.update(figures(50.0), NOON)
    assert state(found) == "breach"
    told = found.close(NOON + timedelta(hours=3))
    assert (told["state_after"].tolist(), told["action"].tolist()) == (["confirmed"], ["propose"])


def test_changes_of_a_desk_are_read_as_its_accounts_are() -> None:
    """What a tick returns, its frame, and the whole accounts frame lead to the same states."""
    live = desk(A=-7_000.0)
    found = [Breaches(live.accounts, live.time) for _ in range(3)]
    told = live.tick({"underlying": ["X"], "spot": [80.0]})
    logs = [
        each.update(figures, live.time)
        for each, figures in zip(found, (told, told.frame, live.accounts), strict=True)
    ]
    assert logs[0][["margin_group", "state_before", "state_after"]].to_numpy().tolist() == [
        ["A", "clear", "breach"]
    ]
    for log in logs[1:]:
        pd.testing.assert_frame_equal(log, logs[0], check_exact=True)


def test_a_stranger_touches_nobody() -> None:
    """Figures of a margin group that is not watched change no state, nor the time of the last update."""
    found = watched("automatic")
    with pytest.raises(sg.InputError, match="watched"):
        found.update(figures(50.0).assign(margin_group="B"), NOON + MINUTE)
    assert state(found) == "clear"
    found.update(figures(200.0), NOON)


def test_time_does_not_run_backwards() -> None:
    found = watched("automatic")
    with pytest.raises(sg.InputError, match="no earlier"):
        found.update(figures(50.0), NOON - MINUTE)
    with pytest.raises(sg.InputError, match="zone"):
        found.update(figures(50.0), NOON.replace(tzinfo=None))
    with pytest.raises(sg.InputError, match="in breach"):
        found.approve("A", NOON)
    with pytest.raises(sg.InputError, match="eod_batch"):
        watched("sometimes")

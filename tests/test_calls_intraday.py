"""Intraday deficits: the worst order, what does not count, the call and the freeze that may follow."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from test_calls import CALENDAR, accounts

import shockgrid as sg
from shockgrid.desk.calls_calendar import instant_text
from shockgrid.desk.calls_intraday import intraday_deficits, intraday_freezes
from shockgrid.desk.calls_states import Call


def day(*rows: tuple[str, float, str]) -> pd.DataFrame:
    return pd.DataFrame([("A", *row) for row in rows], columns=["margin_group", "kind", "change", "at_utc"])


def opening(level: float, equity: float = 50_000.0) -> pd.DataFrame:
    return pd.DataFrame([("A", level, equity)], columns=["margin_group", "level", "equity"])


@pytest.mark.parametrize(
    ("rows", "deficit"),
    [
        # 10,000 - 30,000 = -20,000 after the purchase; the later sale does not undo the day's deficit
        ([("trade", -30_000.0, "2026-06-05T14:00Z"), ("trade", 30_000.0, "2026-06-05T19:00Z")], 20_000.0),
        # the fall of the market is no transaction, but the small trade after it stands at -25,000
        ([("market", -30_000.0, "2026-06-05T14:00Z"), ("trade", -5_000.0, "2026-06-05T15:00Z")], 25_000.0),
        ([("market", -30_000.0, "2026-06-05T14:00Z")], 0.0),
        # a deposit before helps, one at the same instant or of unknown time does not
        (
            [("deposit", 9_000.0, "2026-06-05T13:00Z"), ("withdrawal", -30_000.0, "2026-06-05T14:00Z")],
            11_000.0,
        ),
        (
            [("deposit", 9_000.0, "2026-06-05T14:00Z"), ("withdrawal", -30_000.0, "2026-06-05T14:00Z")],
            20_000.0,
        ),
        ([("deposit", 9_000.0, ""), ("withdrawal", -30_000.0, "2026-06-05T14:00Z")], 20_000.0),
        # a trade of unknown time comes before everything that reduces
        ([("trade", -8_000.0, ""), ("trade", -5_000.0, "2026-06-05T14:00Z")], 3_000.0),
        # at most the lesser of 5 % of 50,000 and 1,000 does not count
        ([("trade", -11_000.0, "2026-06-05T14:00Z")], 0.0),
        ([("trade", -11_000.01, "2026-06-05T14:00Z")], 1_000.01),
    ],
)
def test_intraday_deficits(rows: list[tuple[str, float, str]], deficit: float) -> None:
    found = intraday_deficits(day(*rows), opening(10_000.0))
    assert found["deficit"].tolist() == ([deficit] if deficit else [])


def test_the_share_of_equity_that_does_not_count() -> None:
    small = intraday_deficits(day(("trade", -10_600.0, "")), opening(10_000.0, equity=12_000.0))
    assert len(small) == 0  # 600 = 5 % of 12,000
    over = intraday_deficits(day(("trade", -10_600.01, "")), opening(10_000.0, equity=12_000.0))
    assert over["deficit"].tolist() == [600.01]


def test_the_intraday_call_and_its_freeze() -> None:
    """2026-06-05 + 5 sessions is the 12th; 90 calendar days later is 10 September."""
    found = intraday_deficits(day(("trade", -30_000.0, "2026-06-05T14:00Z")), opening(10_000.0))
    noon = pd.Timestamp("2026-06-05T16:00Z").to_pydatetime()
    called = sg.margin_calls(accounts(), noon, CALENDAR, measured=found)
    assert called[["kind", "deficit"]].to_numpy().tolist() == [["intraday", 20_000.0]]
    assert instant_text(called["due_utc"].iloc[0]) == "2026-06-29T20:00:00.000000+00:00"
    late = Call("c", "A", "intraday", "2026-06-05", "", "", "issued", 2_000_000)
    at = [pd.Timestamp(text).to_pydatetime() for text in ("2026-06-12T19:59Z", "2026-06-12T20:01Z")]
    assert len(intraday_freezes({"c": late}, at[0], CALENDAR)) == 0
    frozen = intraday_freezes({"c": late}, at[1], CALENDAR)
    assert frozen["frozen_until"].tolist() == [date(2026, 9, 10)]


def test_a_bad_row_of_the_day_is_named() -> None:
    with pytest.raises(sg.InputError, match="changes, line 2, column kind"):
        intraday_deficits(day(("swap", -1.0, "")), opening(0.0))

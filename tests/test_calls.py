"""Margin calls: the worked example to the cent, odd days, kinds, doubtful figures, intraday deficits."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from books import AS_OF, book, market, option, stock
from hypothesis import given
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.desk.calls_amounts import to_units
from shockgrid.desk.calls_calendar import SessionCalendar, instant_text
from shockgrid.desk.calls_table import CURES, KINDS, call_rules

CALENDAR = SessionCalendar.new_york()
NOON = pd.Timestamp("2026-11-20T12:00:00-05:00").to_pydatetime()


def worked(cash: float, *, short: int = 1, mark: float = 2.00) -> sg.MarginResult:
    """Long 100 A at 150, short 1 B 50-call at 2.00, S_B = 50; equity 2,500 as the cash is -12,300."""
    priced = market(
        [stock("A"), stock("B"), option("B50", "B", "C", 50.0, 90)],
        {"A": 150.0, "B": 50.0},
        [{"symbol": "B50", "mark": mark}],
        rate=0.0,
    )
    holdings = [("X", "A", 100.0)] + ([("X", "B50", -float(short))] if short else [])
    return sg.margin(book(holdings, [{"account": "X", "cash": cash}]), priced, sg.tims())


def accounts(**more: Any) -> pd.DataFrame:
    """One row of a run's accounts: equity 100,000 against 90,000, all well."""
    row = {
        "margin_group": "A",
        "equity_at_marks": 100_000.0,
        "exchange_requirement": 90_000.0,
        "house_requirement": 95_000.0,
        "minimum_equity": 0.0,
        "exchange_regime": "tims",
        "call_profile": "automatic",
        "currency": "USD",
        "worst_scenario": 3,
        "worst_price_shock": -0.15,
        "worst_vol_shock": 0.0,
        "reliability": "OK",
    }
    return pd.DataFrame([{**row, **more}])


def test_the_worked_example() -> None:
    """2,250.00 + 569.99 against 2,500.00: a call of 319.99. Bought back at 2.00 the call frees 569.99."""
    called = sg.margin_calls(worked(2_500.0 - 15_000.0 + 200.0), AS_OF.to_pydatetime(), CALENDAR)
    assert len(called) == 1
    row = called.iloc[0]
    assert (row["kind"], row["deficit"], row["exchange_deficit"]) == ("pm_deficiency", 319.99, 319.99)
    assert (row["equity"], row["exchange_requirement"]) == (2_500.00, 2_819.99)
    assert row["trade_date"] == date(2026, 11, 20)
    assert instant_text(row["due_utc"]) == "2026-11-25T21:00:00.000000+00:00"


@pytest.mark.parametrize(("paid", "excess"), [(200.0, 250.00), (210.0, 240.00)])
def test_the_worked_example_cured(paid: float, excess: float) -> None:
    """Bought back at 2.00, and with a half-spread of 0.10: 10 dollars of cost."""
    result = worked(2_500.0 - 15_000.0 + 200.0 - paid, short=0)
    assert result.accounts["excess"].round(2).tolist() == [excess]
    assert len(sg.margin_calls(result, AS_OF.to_pydatetime(), CALENDAR)) == 0


@pytest.mark.parametrize(
    ("traded", "sessions", "due"),
    [
        # Good Friday 2026-04-03 is no session: Thursday + 1 is Monday
        ("2026-04-01", 2, "2026-04-06T20:00:00+00:00"),
        # Thanksgiving 2026-11-26; the day after closes at 13:00 New York, 18:00 UTC
        ("2026-11-24", 2, "2026-11-27T18:00:00+00:00"),
        ("2026-11-24", 3, "2026-11-30T21:00:00+00:00"),
        # clocks go forward on 2026-03-08 and back on 2026-11-01: 16:00 New York is 20:00, then 21:00 UTC
        ("2026-03-06", 1, "2026-03-09T20:00:00+00:00"),
        ("2026-03-05", 1, "2026-03-06T21:00:00+00:00"),
        ("2026-10-30", 1, "2026-11-02T21:00:00+00:00"),
        ("2026-10-29", 1, "2026-10-30T20:00:00+00:00"),
        # 29 February 2024 is a Thursday and a session; 2026 has none
        ("2024-02-28", 1, "2024-02-29T21:00:00+00:00"),
        ("2024-02-28", 2, "2024-03-01T21:00:00+00:00"),
        ("2026-02-27", 1, "2026-03-02T21:00:00+00:00"),
        # 15 sessions from 2026-06-05 pass Juneteenth (Friday the 19th): Monday the 29th
        ("2026-06-05", 15, "2026-06-29T20:00:00+00:00"),
    ],
)
def test_due_dates(traded: str, sessions: int, due: str) -> None:
    assert CALENDAR.due(date.fromisoformat(traded), sessions) == pd.Timestamp(due)


@pytest.mark.parametrize(
    ("instant", "traded"),
    [
        ("2026-11-27T13:30:00-05:00", "2026-11-27"),  # after an early close
        ("2026-11-28T10:00:00-05:00", "2026-11-27"),  # Saturday
        ("2026-11-30T09:29:59-05:00", "2026-11-27"),  # Monday before the open
        ("2026-11-30T09:30:00-05:00", "2026-11-30"),
        ("2026-11-26T12:00:00-05:00", "2026-11-25"),  # Thanksgiving
    ],
)
def test_trade_dates(instant: str, traded: str) -> None:
    assert CALENDAR.trade_date(pd.Timestamp(instant)).isoformat() == traded


def test_an_unforeseen_closure_moves_the_due_date() -> None:
    """2025-01-09, the day of mourning, is known; 2026-11-25 is not."""
    shut = SessionCalendar.new_york(closed=["2026-11-25"])
    assert CALENDAR.due(date(2026, 11, 24), 1) == pd.Timestamp("2026-11-25T21:00Z")
    assert shut.due(date(2026, 11, 24), 1) == pd.Timestamp("2026-11-27T18:00Z")


def test_a_payment_period_follows_the_settlement_cycle() -> None:
    """12 CFR 220.2: settlement and two business days, T+2 until 2024-05-24, T+1 from 2024-05-28."""
    rules = call_rules()
    assert rules.row("fed", date(2024, 5, 24)).sessions == 4
    assert rules.row("fed", date(2024, 5, 28)).sessions == 3
    with pytest.raises(sg.InputError, match="kind of call in effect on 2026-06-03"):
        rules.row("intraday", date(2026, 6, 3))
    assert {row.kind for row in rules.kinds} == set(KINDS)
    assert all(set(row.cures) <= set(CURES) and row.source for row in rules.kinds)


def test_both_sides_are_stated() -> None:
    called = sg.margin_calls(accounts(equity_at_marks=80_000.0), NOON, CALENDAR)
    assert called["kind"].tolist() == ["house", "pm_deficiency"]
    assert called["deficit"].tolist() == [15_000.0, 10_000.0]
    assert called["exchange_deficit"].tolist() == [10_000.0, 10_000.0]
    assert called["house_deficit"].tolist() == [15_000.0, 15_000.0]
    only = sg.margin_calls(accounts(equity_at_marks=92_000.0), NOON, CALENDAR)
    assert only["kind"].tolist() == ["house"]
    assert only[["exchange_deficit", "house_deficit"]].to_numpy().tolist() == [[0.0, 3_000.0]]


def test_kinds_by_regime_and_program() -> None:
    other = sg.margin_calls(accounts(equity_at_marks=80_000.0, exchange_regime="span"), NOON, CALENDAR)
    assert other["kind"].tolist() == ["exchange", "house"]
    missing = float("nan")
    alone = accounts(equity_at_marks=80_000.0, exchange_requirement=missing, exchange_regime="")
    assert sg.margin_calls(alone, NOON, CALENDAR)["kind"].tolist() == ["house"]
    small = sg.margin_calls(accounts(minimum_equity=150_000.0), NOON, CALENDAR)
    assert small[["kind", "deficit"]].to_numpy().tolist() == [["pm_minimum_equity", 50_000.0]]


@pytest.mark.parametrize("doubt", ["PARTIAL", "UNRELIABLE"])
def test_doubtful_figures_are_held(doubt: str) -> None:
    called = sg.margin_calls(accounts(equity_at_marks=80_000.0, reliability=doubt), NOON, CALENDAR)
    assert called["action"].tolist() == ["held", "held"]
    stale = sg.margin_calls(accounts(equity_at_marks=80_000.0, reliability="STALE"), NOON, CALENDAR)
    assert stale["action"].tolist() == ["call", "call"]


@pytest.mark.parametrize(
    ("equity", "needed", "deficit"),
    [
        (89_999.99, 90_000.0, [0.01]),
        (89_999.996, 90_000.0, [0.01]),  # a deficit rounds up
        (89_999.999_999_9, 90_000.0, []),  # what sums of binary fractions are off by is no deficit
        (90_000.001, 90_000.004, []),  # the requirement, to the cent, is covered
        (90_000.006, 90_000.0055, []),  # not below the requirement, although that is 90,000.01 to the cent
        (89_999.996, 90_000.005, [0.02]),
    ],
)
def test_what_is_less_than_a_cent(equity: float, needed: float, deficit: list[float]) -> None:
    rows = accounts(equity_at_marks=equity, exchange_requirement=needed, house_requirement=0.0)
    called = sg.margin_calls(rows, NOON, CALENDAR)
    assert called["deficit"].tolist() == deficit
    shown = called["exchange_requirement"] - called["equity"]
    assert shown.tolist() == pytest.approx(deficit, abs=1e-9), "what is shown adds up"
    paid = rows.assign(equity_at_marks=equity + sum(deficit))
    assert len(sg.margin_calls(paid, NOON, CALENDAR)) == 0


def test_who_pays_the_call_is_in_deficit_no_more() -> None:
    """100 shares at 100.00096 are worth 10,000.096 and need 15 %, 1,500.0144, that is 1,500.01.

    Equity of 500.0055 is 500.00 in full cents: 1,000.01 is called, and once it is paid 0.0011 are left.
    """
    priced = market([stock("X")], {"X": 100.00096})
    for cash, missing in ((-9_500.0905, [1_000.01]), (-8_500.0805, [])):
        result = sg.margin(book([("A", "X", 100.0)], [{"account": "A", "cash": cash}]), priced, sg.tims())
        assert sg.margin_calls(result, NOON, CALENDAR)["deficit"].tolist() == missing
        assert result.short().tolist() == [bool(missing)]
    assert result.accounts["excess"].tolist() == pytest.approx([0.0011], abs=1e-6)


def test_deficits_measured_elsewhere() -> None:
    """Regulation T's deficiency of 1,000 or less may be left; an intraday deficit is what it is."""
    rows = [("A", "fed", 1_000.0), ("A", "intraday", 7.5)]
    measured = pd.DataFrame(rows, columns=["margin_group", "kind", "deficit"])
    called = sg.margin_calls(accounts(), NOON, CALENDAR, measured=measured)
    assert called[["kind", "deficit"]].to_numpy().tolist() == [["intraday", 7.5]]
    assert called["equity"].tolist() == [100_000.0]
    larger = measured.assign(deficit=1_000.01)
    assert sg.margin_calls(accounts(), NOON, CALENDAR, measured=larger)["kind"].tolist() == [
        "fed",
        "intraday",
    ]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([("B", "fed", 5.0)], "expected a margin group of the run"),
        ([("A", "margin", 5.0)], "expected one of fed"),
        ([("A", "house", 5.0)], "expected one of fed, intraday"),
        ([("A", "fed", -5.0)], "line 2, column deficit"),
        ([("A", "fed", 5.0), ("A", "fed", 6.0)], "line 3, column kind: already given on line 2"),
    ],
)
def test_bad_deficits_from_elsewhere_are_refused(rows: list[tuple[str, str, float]], problem: str) -> None:
    measured = pd.DataFrame(rows, columns=["margin_group", "kind", "deficit"])
    with pytest.raises(sg.InputError, match=problem):
        sg.margin_calls(accounts(), NOON, CALENDAR, measured=measured)


def test_what_margin_calls_refuses() -> None:
    with pytest.raises(sg.InputError, match="needs its zone"):
        sg.margin_calls(accounts(), pd.Timestamp("2026-11-20").to_pydatetime(), CALENDAR)
    with pytest.raises(sg.InputError, match="expected an instant between 1990-01-02"):
        sg.margin_calls(accounts(), pd.Timestamp("2080-01-01", tz="UTC").to_pydatetime(), CALENDAR)
    with pytest.raises(sg.InputError, match="margin group A: expected an amount of money"):
        sg.margin_calls(accounts(equity_at_marks=float("nan")), NOON, CALENDAR)
    with pytest.raises(sg.InputError, match="expected an amount of money"):
        sg.margin_calls(accounts(house_requirement=1e19), NOON, CALENDAR)
    with pytest.raises(sg.InputError, match="dates on which the exchange is shut"):
        SessionCalendar.new_york(closed=["someday"])
    with pytest.raises(sg.InputError, match="column minimum_equity"):
        sg.margin_calls(accounts().drop(columns="minimum_equity"), NOON, CALENDAR)


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    text = (Path(sg.__file__).parent / "regimes/parameters/calls-2026-06-04.toml").read_text()
    mine = tmp_path / "calls.toml"
    mine.write_text(text.replace("sessions = 2\n", "sessions = 5\n"))
    called = sg.margin_calls(accounts(equity_at_marks=92_000.0), NOON, CALENDAR, rules=call_rules(mine))
    assert instant_text(called["due_utc"].iloc[0]) == "2026-11-30T21:00:00.000000+00:00"
    mine.write_text(text.replace('kind = "house"', 'kind = "mouse"'))
    with pytest.raises(sg.errors.ParameterError, match="kinds"):
        call_rules(mine)
    mine.write_text(text.replace("sessions = 2\n", "sessions = 0\n"))
    with pytest.raises(sg.errors.ParameterError, match=r"kinds\.3\.sessions"):
        call_rules(mine)
    mine.write_text(text.replace("effective = 2024-05-28", "effective = 2017-09-05"))
    with pytest.raises(sg.errors.ParameterError, match="fed is there twice from 2017-09-05 on"):
        call_rules(mine)


@given(st.integers(-(10**13), 10**13))
def test_cents_survive_dollars(cents: int) -> None:
    assert int(to_units(cents / 100.0, 2)) == cents

"""Calls in the minor unit of each currency: yen, dollars, dinars, coins; ledgers that were in hundredths."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, replace
from datetime import date
from typing import Any

import coins
import pandas as pd
import pytest
from books import book, market, stock
from call_desk import CALENDAR, HOUSE, Desk, at
from hypothesis import given
from hypothesis import strategies as st
from ledger_places import Place
from test_calls import NOON, accounts

import shockgrid as sg
from shockgrid.desk.calls_amounts import amount_text, value_of, whole_units
from shockgrid.desk.calls_desk import CallDesk
from shockgrid.desk.calls_intraday import intraday_deficits
from shockgrid.desk.calls_plan import Evidence
from shockgrid.desk.calls_states import Call, Event, advanced, finer, replay
from shockgrid.desk.ledger import Ledger
from shockgrid.desk.ledger_record import call_frame, daily_record, event_frame
from shockgrid.requirement.minor_amounts import shortfalls

FIRM = [("BTC", 8), ("JPY", 0), ("KWD", 3), ("USD", 2)]


def lacking(currency: str, deficit: float, **more: Any) -> pd.DataFrame:
    """A margin group in a currency whose equity of 100 is so much less than the house requires."""
    return accounts(
        equity_at_marks=100.0, house_requirement=100.0 + deficit, exchange_requirement=50.0,
        currency=currency, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("currency", "deficit", "units", "text"),
    [
        ("BTC", 0.00000001, 1, "0.00000001"),
        ("BTC", 1.5, 150_000_000, "1.50000000"),
        ("BTC", 0.000000011, 1, "0.00000001"),  # the requirement is 100.00000001, to the minor unit
        ("JPY", 1.0, 1, "1"),
        ("JPY", 1_234.5, 1_235, "1,235"),
        ("KWD", 0.001, 1, "0.001"),
        ("USD", 0.01, 1, "0.01"),
    ],
)
def test_a_call_is_in_the_minor_unit(
    desk: Desk, currency: str, deficit: float, units: int, text: str
) -> None:
    proof = Evidence("r", "market", "parameters")
    desk.desk.run(lacking(currency, deficit), NOON, proof)
    call = desk.desk.calls.by_id[HOUSE]
    assert (call.called_units, call.digits) == (units, dict(FIRM)[currency])
    assert amount_text(call.called_units, call.digits) == text
    shown = event_frame(desk.ledger.rows()).iloc[0]
    assert (shown["units"], shown["digits"]) == (units, dict(FIRM)[currency])
    called = sg.margin_calls(lacking(currency, deficit), NOON, CALENDAR)["deficit"].tolist()
    assert called == [value_of(units, call.digits)] == call_frame(desk.desk.calls)["called"].tolist()


def test_an_account_kept_in_coin_is_called_by_the_satoshi(desk: Desk) -> None:
    """A share of 100 dollars at 64,000 a coin: 15 % are 0.000234375 coin, 0.00023438 to the satoshi.

    Beside -0.0014 coin of cash it is worth 0.0001625 coin: 0.00007188 are called, and paid they are enough.
    """
    rates = pd.DataFrame([{"currency": "BTC", "rate": 64_000.0}])
    priced = market([stock("X")], {"X": 100.0}, rate=0.0, fx=rates)
    for cash, missing in ((-0.0014, [0.00007188]), (-0.00132812, [])):
        owner = [{"account": "A", "cash": cash, "currency": "BTC"}]
        result = sg.margin(book([("A", "X", 1.0)], owner), priced, sg.tims())
        called = sg.margin_calls(result, NOON, CALENDAR)
        assert called["deficit"].tolist() == missing
        assert result.short().tolist() == [bool(missing)]


def test_a_programs_minimum_is_in_the_base_currency() -> None:
    """100,000 dollars are 1.5625 coin at 64,000 and 1.6 at 62,500, where a coin ticks on a live desk too."""
    policy = sg.Policy({"default": sg.Program(sg.tims(), None, minimum_equity=100_000.0)})
    owner = [{"account": "A", "cash": 1.5, "currency": "BTC"}]
    coin = coins.world(fx=pd.DataFrame([{"currency": "BTC", "rate": 64_000.0}]))
    desk = sg.Desk(book([], owner), coin, policy, backend="numpy")
    for spot, deficit in ((64_000.0, 0.0625), (62_500.0, 0.1)):
        desk.tick({"underlying": ["BTC"], "spot": [spot]})
        called = sg.margin_calls(desk.result(), NOON, CALENDAR)
        assert called[["kind", "deficit"]].to_numpy().tolist() == [["pm_minimum_equity", deficit]]
        whole = sg.margin(desk.book, desk.market, policy, backend="numpy").accounts
        pd.testing.assert_frame_equal(desk.accounts, whole, check_exact=True)


@pytest.mark.parametrize("currency", [None, float("nan"), ""])
def test_a_blank_currency_is_none_of_its_neighbours(currency: Any) -> None:
    rows = pd.concat([lacking("USD", 1.0), lacking("KWD", 1.0).assign(margin_group="B", currency=currency)])
    with pytest.raises(sg.InputError, match="expected a currency"):
        sg.margin_calls(rows, NOON, CALENDAR)


@pytest.mark.parametrize(("currency", "digits"), FIRM)
def test_who_pays_to_the_unit_is_in_deficit_no_more(currency: str, digits: int) -> None:
    """By one unit short the call stays, by none it is met."""
    deficit = 7 * 10.0**-digits
    for short, left in ((1, 1), (0, 0)):
        paid = lacking(currency, deficit).assign(equity_at_marks=100.0 + (7 - short) * 10.0**-digits)
        found = sg.margin_calls(paid, NOON, CALENDAR)["deficit"].tolist()
        assert found == ([value_of(left, digits)] if left else [])


@given(st.floats(-1e3, 1e3), st.floats(0.0, 1e3), st.sampled_from([digits for _, digits in FIRM]))
def test_a_deficit_is_what_cures_it(held: float, needed: float, digits: int) -> None:
    """Whole units, none where equity suffices; paid, nothing is short; one unit less, at most one is."""
    units = float(shortfalls(needed, held, digits))
    assert units == int(units)
    if held >= needed:
        assert units == 0.0
    unit = 10.0**-digits
    assert shortfalls(needed, held + units * unit, digits) == 0.0
    assert units <= (needed - held) / unit + 1.5 or units == 0.0
    if units:
        assert needed - held > 0.0
        assert shortfalls(needed, held + (units - 1.0) * unit, digits) <= 1.0


def test_a_threshold_in_dollars_ignores_nothing_in_another_currency(desk: Desk) -> None:
    """Regulation T lets 1,000 dollars go: not 1,000 bitcoin, and not 1,000 dinars, which are more."""
    measured = pd.DataFrame([("A", "fed", 999.0)], columns=["margin_group", "kind", "deficit"])
    for currency, count in (("USD", 0), ("KWD", 1), ("BTC", 1)):
        called = sg.margin_calls(lacking(currency, 0.0), NOON, CALENDAR, measured=measured)
        assert len(called) == count, currency
    rows = pd.DataFrame([("A", "trade", -100.9)], columns=["margin_group", "kind", "change"])
    opening = pd.DataFrame([("A", 0.5, 50_000.0)], columns=["margin_group", "level", "equity"])
    assert len(intraday_deficits(rows, opening)) == 0
    assert intraday_deficits(rows, opening.assign(currency="JPY"))["deficit"].tolist() == [101.0]
    assert intraday_deficits(rows, opening.assign(currency="BTC"))["deficit"].tolist() == [100.4]


def test_the_record_of_a_day_in_coin(desk: Desk) -> None:
    desk.desk.run(lacking("BTC", 0.5), at("2026-11-20 16:00"), Evidence("r", "m", "p"))
    desk.record(HOUSE, "cure", "2026-11-20 20:30", manner="deposit", units=1)
    row = daily_record(desk.ledger.rows(), date(2026, 11, 20), CALENDAR).iloc[0]
    assert (row["margin_required"], row["outstanding"], row["currency"]) == (0.5, 0.49999999, "BTC")
    assert row["manner"] == "deposit 0.00000001 on 2026-11-20", "the date in New York, not that of UTC"


@pytest.mark.parametrize(
    ("amount", "digits", "units"),
    [
        ("319.99", 2, 31_999),
        ("-1,250", 2, -125_000),
        ("0.00000001", 8, 1),
        ("1500", 0, 1_500),
        ("1.5", 3, 1_500),
    ],
)
def test_amounts_as_a_person_writes_them(amount: str, digits: int, units: int) -> None:
    assert whole_units(amount, digits) == units


@pytest.mark.parametrize(
    ("amount", "digits"), [("0.001", 2), ("0.5", 0), ("NaN", 2), ("1e999999", 2), ("1e18", 8), ("ten", 2)]
)
def test_amounts_that_are_none(amount: str, digits: int) -> None:
    with pytest.raises(sg.InputError, match=f"at most {digits} decimals"):
        whole_units(amount, digits)


@given(st.lists(st.tuples(st.integers(1, 10**9), st.sampled_from([0, 2, 3, 8])), min_size=1, max_size=6))
def test_events_of_different_digits_add_up_exactly(cures: list[tuple[int, int]]) -> None:
    """A call of 10^9 units whose cures have other digits; the slow sum is in units of the finest."""
    call = advanced(None, Event("k", "issue", "t", "c", units=10**9, due_utc="2026-11-24T21:00:00+00:00"))
    for number, (units, digits) in enumerate(cures):
        if call.state not in ("issued", "part_met"):
            break
        before = call
        fresh = Event(f"k{number}", "cure", "t", "c", units=units, manner="deposit", digits=digits)
        call = advanced(call, fresh)
        assert call.digits == max(before.digits, digits)
        assert call.called_units == 10**9 * 10 ** (call.digits - 2)
        added = call.cured_units - finer(before, call.digits).cured_units
        assert added * 10**digits == units * 10**call.digits


def old_call(currency: str, units: int) -> list[Event]:
    """A house call of that many hundredths of a currency and its run, as the version before wrote them."""
    base = Event(
        "run0/t/issue", "issue", "2026-11-20T21:00:00.000000+00:00", HOUSE, "A", "house", "2026-11-20", units,
        "2026-11-24T21:00:00.000000+00:00", market_hash="m", parameters_hash="p",
        details='{"currency":"' + currency + '"}',
    )  # fmt: skip
    run = Event("run0/t/run", "run", base.at_utc, market_hash="m", parameters_hash="p")
    return [base, run]


@pytest.mark.parametrize(
    ("currency", "grown", "digits", "units"),
    [
        ("BTC", 1.23456789, 8, 123_456_789),  # taken up exactly, in the coin's own digits
        ("JPY", 5.0, 2, 500),  # the hundredths of before stay: nothing is rounded
        ("USD", 1.51, 2, 151),
    ],
)
def test_a_call_of_before_goes_on(place: Place, currency: str, grown: float, digits: int, units: int) -> None:
    """1.50 of anything was called in hundredths; a later run amends it, a person pays it, replay agrees."""
    tip = place.write_old(old_call(currency, 150))
    ledger = Ledger.open(place.address)
    desk = CallDesk(ledger, calendar=CALENDAR)
    assert (desk.calls.by_id[HOUSE].called_units, desk.calls.by_id[HOUSE].digits) == (150, 2)
    later = at("2026-11-23 16:00")
    desk.run(lacking(currency, grown), later, Evidence("run1", "m", "p"))
    call = desk.calls.by_id[HOUSE]
    assert (call.called_units, call.digits) == (units, digits)
    amended = next(row.event for row in ledger.rows() if row.event.event == "amend")
    assert json.loads(amended.details)["deficit_units"] == amended.units
    desk.record(HOUSE, "cure", later, operator="ann", manner="deposit", units=units)
    assert desk.calls.by_id[HOUSE].state == "met"
    assert replay(row.event for row in ledger.rows()) == desk.calls
    assert ledger.verify(tip)[0] == len(list(ledger.rows()))
    ledger.close()


def test_an_act_of_before_is_the_same_act(desk: Desk) -> None:
    """Its key was the hash of fifteen columns: the same wire again, after the change, counts once."""
    desk.run("2026-11-20 16:00", equity_at_marks=92_000.0)
    desk.record(HOUSE, "cure", "2026-11-20 17:00", manner="deposit", units=100_000)
    act = list(desk.ledger.rows())[-1].event
    content = [*astuple(replace(act, key="", market_hash="", parameters_hash=""))[:15]]
    assert act.key == f"act/{hashlib.sha256(json.dumps(content).encode()).hexdigest()}"


def test_amounts_in_other_digits_than_the_calls(desk: Desk) -> None:
    """A bank that speaks in dollars: 30 of digits 0 pay 30.00; an amount that is not more is refused."""
    desk.run("2026-11-20 16:00", equity_at_marks=94_970.0)
    desk.record(HOUSE, "cure", "2026-11-20 17:00", manner="deposit", units=10, digits=0)
    assert desk.states == {HOUSE: ("part_met", 2_000)}
    with pytest.raises(sg.InputError, match=r"more than the 30\.00 it is for"):
        desk.record(HOUSE, "amend", "2026-11-20 17:30", units=30, digits=0, reason="no more")
    desk.record(HOUSE, "cure", "2026-11-20 18:00", manner="deposit", units=20, digits=0)
    assert desk.states == {HOUSE: ("met", 0)}


def test_a_call_says_how_many_digits_it_has() -> None:
    call = Call("c", "A", "house", "2026-11-20", "", "", "issued", 12_345, digits=3)
    assert finer(call, 2) is call
    assert finer(call, 5).called_units == 1_234_500

"""Accounts that are kept in coin: a thousandth of a coin is money, on every screen and in every deficit."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import coins
import pandas as pd
import pytest
from books import book, market, stock
from call_desk import CALENDAR
from liquidation_books import BACKEND
from rich.console import Console
from test_breaches import NOON, figures

import shockgrid as sg
from shockgrid.cli_views import _deficit_table, largest_deficits
from shockgrid.desk.breaches import BREACH, Breaches
from shockgrid.desk.calls_desk import CallDesk
from shockgrid.desk.calls_live import LiveCalls
from shockgrid.desk.ledger import Ledger
from shockgrid.desk.planned_orders import with_orders

HOUSE = sg.house(spot=[-0.2, 0.0, 0.2], vol=[0.0])
OWNERS = [
    {"account": "C", "cash": 0.2, "currency": "BTC"},
    {"account": "U", "cash": 9_999.999, "currency": "USD"},
]


def held() -> sg.Book:
    """A short call each, one account in coin and one in dollars."""
    return book([("C", "BTC-C", -1.0), ("U", "BTC-C", -1.0)], OWNERS)


def margined() -> sg.MarginResult:
    return sg.margin(held(), coins.world(), HOUSE, backend=BACKEND)


def shown(table: Any, width: int) -> str:
    console = Console(width=width, file=StringIO())
    with console.capture() as told:
        console.print(table)
    return told.get()


def test_a_deficit_is_that_of_the_call_on_every_screen() -> None:
    result = margined()
    called = sg.margin_calls(result, result.as_of, CALENDAR).set_index("margin_group")["deficit"]
    largest = largest_deficits(result).set_index("margin_group")["deficit"]
    assert sorted(called.index) == ["C", "U"]
    assert largest.to_dict() == called.to_dict()
    total = called["C"] * coins.SPOT + called["U"]
    assert f"total deficit, USD: {total:,.2f}" in repr(result)


@pytest.mark.parametrize(("width", "digits"), [(140, 8), (80, 4)])
def test_the_largest_deficits_are_whole_numbers_that_fit(width: int, digits: int) -> None:
    rows = largest_deficits(margined()).to_dict("records")
    table = _deficit_table(rows, {"deficits": 2, "base_currency": "USD"}, width)
    told = shown(table, width)
    coin = next(row for row in rows if row["currency"] == "BTC")
    for name in ("requirement", "equity", "deficit"):
        assert f"{coin[name]:,.{digits}f}" in told
    assert "…" not in told


def test_a_result_in_a_notebook_says_which_currency() -> None:
    result = margined()
    excess = result.accounts.set_index("margin_group").loc["C", "excess"]
    for told in (result._repr_html_(), shown(result, 140)):
        assert f"{excess:,.8f}" in told
        assert "BTC" in told


def test_plans_and_cures_are_told_to_the_last_digit_of_a_coin() -> None:
    plan = sg.liquidation_plan(held(), coins.world(), HOUSE, backend=BACKEND)
    row = plan.accounts.set_index("margin_group").loc["C"]
    told = plan.explain("C")
    assert f"excess {row['excess_before']:,.8f}; wanted {row['buffer']:,.8f}" in told
    assert f"{plan.steps.loc[plan.steps['margin_group'] == 'C', 'freed'].iloc[0]:,.8f}" in told
    assert (
        f"excess {plan.accounts.set_index('margin_group').loc['U', 'excess_before']:,.2f};"
        in plan.explain("U")
    )
    ways = sg.cures(held(), coins.world(), HOUSE, accounts=["C"], backend=BACKEND)
    assert f"C: {ways.cures['needed'].iloc[0]:,.8f} BTC needed" in ways.explain("C")


def test_the_deposit_that_is_named_can_be_paid_and_is_enough() -> None:
    ways = sg.cures(held(), coins.world(), HOUSE, buffer=0.0, backend=BACKEND).cures
    deposits = ways[ways["cure"] == "deposit"].set_index("margin_group")["outlay"]
    paid = {"C": round(deposits["C"], 8), "U": round(deposits["U"], 2)}
    assert deposits.to_dict() == pytest.approx(paid, abs=1e-12)
    owners = [{**row, "cash": row["cash"] + paid[row["account"]]} for row in OWNERS]
    richer = book([("C", "BTC-C", -1.0), ("U", "BTC-C", -1.0)], owners)
    after = sg.margin(richer, coins.world(), HOUSE, backend=BACKEND)
    assert not after.short().any()
    assert (after.accounts["excess"] >= -1e-9).all()


def test_four_thousandths_of_a_coin_are_a_breach() -> None:
    """Some 250 dollars; a call asks for them, so the filter before it must see them."""
    rows = figures(0.996, requirement=1.0).assign(currency="BTC")
    found = Breaches(rows, NOON, {"A": "automatic"})
    assert found.states.tolist() == [BREACH]
    assert found.log[["deficit", "currency"]].to_numpy().tolist() == [[0.004, "BTC"]]
    whole = Breaches(rows.assign(currency="JPY"), NOON, {"A": "automatic"})
    assert whole.log["deficit"].tolist() == [1.0]


def test_a_call_follows_a_few_satoshis(tmp_path: Path) -> None:
    """100 shares at 100 need 1,500 dollars, 0.0234375 coin at 64,000; 0.0000003 more are missing then."""
    rates = pd.DataFrame([{"currency": "BTC", "rate": 64_000.0}])
    owner = [{"account": "X", "cash": -0.14, "currency": "BTC"}]
    policy = sg.Policy({"default": sg.Program(sg.tims(), None, call_profile="automatic")})
    priced = market([stock("A")], {"A": 100.0}, rate=0.0, fx=rates)
    desk = sg.Desk(book([("X", "A", 100.0)], owner), priced, policy, backend="numpy")
    breaches = Breaches(desk.accounts, desk.time, desk.call_profiles)
    live = LiveCalls(desk, breaches, CallDesk(Ledger.open(tmp_path / "calls.db"), calendar=CALENDAR))
    first = live.approve("X", desk.time)
    assert first is not None
    assert [(event.event, event.units) for event in first.events[:-1]] == [("issue", 718_750)]
    live.update(desk.deposit("X", -0.0000003))
    later = live.retry()
    assert [(event.event, event.units) for event in later.events[:-1]] == [("amend", 718_780)]


def test_what_is_worth_nothing_can_be_closed() -> None:
    legs = {"margin_group": ["U"], "account": ["U"], "symbol": ["BTC-C"], "quantity": [1.0], "price": [0.0]}
    steps = pd.DataFrame({**legs, "half_spread": [0.0], "fees": [1.0], "impact": [0.0]})
    after = with_orders(held(), coins.world(), steps, {"U": "USD"})
    assert after.accounts.set_index("account")["cash"]["U"] == 9_998.999
    assert after.positions.set_index("account")["quantity"].to_dict() == {"C": -1.0, "U": 0.0}

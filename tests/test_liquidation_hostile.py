"""Plans for accounts that nobody would like to liquidate: every step against the judge, nothing promised."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, stock
from coins import FORWARDS, FX, PERPETUAL, QUOTES, ROWS, SPOT
from liquidation_books import BACKEND, free
from liquidation_books import SMALL as MARKET
from liquidation_judge import ROUNDING, judged, planned

import shockgrid as sg
from shockgrid.arrays import Floats
from shockgrid.desk.liquidation_costs import trading_costs
from shockgrid.desk.liquidation_truth import revalued
from shockgrid.requirement import Program
from shockgrid.requirement.leafwise import Leafwise, summed
from shockgrid.requirement.regime import AddOn, Context

EURO = pd.DataFrame([{"currency": "EUR", "rate": 1.1}])
BOTH = sg.Policy({"default": Program(sg.tims(), sg.house())})
REGIMES = {"house": sg.house(), "both": BOTH, "joint": sg.house(joint=True), "span": sg.regimes.span()}


@pytest.mark.parametrize("name", ["house", "both", "joint"])
def test_an_account_that_is_all_long(name: str) -> None:
    row, plan = planned([("AAA", 7.0), ("AAAC1-90", 9.0), ("BBBP1-30", 5.0), ("CCC", 2.0)], REGIMES[name])
    assert row["status"] == "cured"
    assert (plan.steps["quantity"] < 0.0).all()


@pytest.mark.parametrize("name", list(REGIMES))
def test_one_short_deep_in_the_money(name: str) -> None:
    row, plan = planned([("CCCC0.8-30", -6.0), ("AAA", 1.0)], REGIMES[name], 0.7)
    assert row["status"] == "cured"
    assert "CCCC0.8-30" in set(plan.steps["symbol"])


def test_a_single_short_contract_is_closed_whole() -> None:
    row, plan = planned([("CCCC0.8-30", -1.0)], sg.house(), 0.05)
    assert row["status"] == "cured"
    assert plan.steps["quantity"].tolist() == [1.0]
    assert row["requirement_after"] == 0.0


@pytest.mark.parametrize("name", ["house", "both"])
def test_everything_halted_or_nothing_to_sell_leaves_the_deficit(name: str) -> None:
    holdings = [("AAA", 7.0), ("AAAC1-90", -9.0), ("BBBP1-30", 5.0)]
    row, plan = planned(holdings, REGIMES[name], halted=["AAA", "BBB"])
    assert (row["status"], row["steps"], len(plan.steps)) == ("cannot_cure", 0, 0)
    assert row["shortfall_left"] == pytest.approx(-row["excess_before"])


def test_a_halted_name_is_not_traded_while_the_others_are() -> None:
    holdings = [("AAA", 7.0), ("AAAC1-90", -9.0), ("BBBP1-30", -5.0), ("CCCP0.9-90", -3.0)]
    row, plan = planned(holdings, BOTH, 0.2, halted=["AAA"])
    assert row["status"] == "cured"
    assert not plan.steps["symbol"].str.startswith("AAA").any()


def test_an_account_that_cannot_be_cured_is_taken_as_far_as_it_goes() -> None:
    """Debt beyond what is held: no closing brings it back."""
    held = book([("A", "AAA", 3.0), ("A", "AAAC1-90", -2.0)], [{"account": "A", "cash": -90_000.0}])
    plan = sg.liquidation_plan(held, MARKET, BOTH, backend=BACKEND)
    row = judged(plan, held, MARKET, BOTH)
    assert row["status"] == "cannot_cure"
    assert row["requirement_after"] == pytest.approx(0.0, abs=ROUNDING)
    ways = sg.cures(held, MARKET, BOTH, backend=BACKEND).cures.set_index("cure")
    assert ways["cures"].to_dict() == {"deposit": True, "closings": False, "hedge": False}
    assert ways.loc["deposit", "outlay"] == pytest.approx(row["buffer"] - row["excess_before"])


def test_longs_that_nobody_bids_for_stay() -> None:
    names = ["AAAC1.2-30", "BBBC1.2-30", "CCCP0.8-30"]
    quotes = pd.DataFrame({"symbol": names, "bid": 0.0, "ask": 0.05})
    costs = trading_costs(quotes=quotes)
    row, plan = planned([*((name, 50.0) for name in names), ("AAAP1-30", -8.0)], BOTH, costs=costs)
    assert row["status"] == "cured"
    assert set(plan.steps["symbol"]) == {"AAAP1-30"}


@pytest.mark.parametrize("name", ["house", "both", "joint"])
def test_inverse_contracts_on_a_coin(name: str) -> None:
    priced = market(
        [*ROWS, {**PERPETUAL, "symbol": "BTC-OTHER"}], {"BTC": SPOT}, QUOTES, fx=FX, forwards=FORWARDS
    )
    holdings = [("BTC-C", -3.5), ("BTC-P", 1.2), ("BTC-PERPETUAL", 4_000.0), ("BTC-F", -900.0)]
    row, _ = planned(holdings, REGIMES[name], priced=priced)
    assert row["status"] == "cured"


@pytest.mark.parametrize("name", ["house", "both"])
def test_futures_and_options_beside_each_other(name: str) -> None:
    future = {"symbol": "F", "underlying": "U", "type": "future", "multiplier": 50.0}
    rows = [stock("U", "etf"), {**future, "expiry_utc": "2027-03-19T20:00:00Z"}]
    rows += [option("C", "U", "C", 105.0, 40), option("P", "U", "P", 95.0, 40)]
    quotes = [{"symbol": "F", "mark": 101.0}, {"symbol": "C", "vol": 0.3}, {"symbol": "P", "vol": 0.35}]
    priced = market(rows, {"U": 100.0}, quotes)
    row, _ = planned([("F", 6.0), ("C", -9.0), ("P", -4.0), ("U", 150.0)], REGIMES[name], priced=priced)
    assert row["status"] == "cured"


def test_a_rule_that_uncovers_shorts_is_shown_as_such() -> None:
    """The shares of a covered call are the largest position: sold first they leave the call naked."""
    row, plan = planned([("CCC", 5.0), ("CCCC1.2-30", -5.0)], sg.tims(), 0.3)
    assert row["status"] == "cured"
    assert row["largest_first_uncovers"]
    bought = plan.steps.groupby("symbol")["quantity"].sum()
    assert bought["CCCC1.2-30"] >= -bought["CCC"] - 1e-9


def test_two_accounts_of_one_margin_group_with_the_same_series() -> None:
    """What one account is long covers what the other is short; neither is turned round."""
    rows = [("A", "AAAC1-30", -6.0), ("B", "AAAC1-30", 4.0), ("B", "AAAC1.1-90", 2.0), ("B", "CCC", 3.0)]
    accounts = [
        {"account": name, "cash": cash, "margin_group": "A"} for name, cash in (("A", 0.0), ("B", 0.0))
    ]
    bare = sg.margin(book(rows, accounts), MARKET, BOTH, backend=BACKEND).accounts.iloc[0]
    accounts[0]["cash"] = float(bare["requirement"] * 0.6 - bare["equity_at_marks"])
    held = book(rows, accounts)
    plan = sg.liquidation_plan(held, MARKET, BOTH, costs=free(), backend=BACKEND)
    assert judged(plan, held, MARKET, BOTH)["status"] == "cured"


def test_a_plan_of_many_steps_is_exact_at_every_one() -> None:
    rng = np.random.default_rng(8)
    names = MARKET.instruments.symbols
    chosen = rng.choice(len(names), 40, replace=False)
    sizes = rng.integers(1, 9, 40) * rng.choice([-1, 1], 40)
    holdings = [(str(names[at]), float(size)) for at, size in zip(chosen, sizes, strict=True)]
    row, _ = planned(holdings, BOTH, 0.6)
    assert row["status"] == "cured"
    assert row["steps"] >= 3, "the case is worth testing"


def coins(share: float, regime: Any) -> tuple[sg.Book, sg.Market]:
    """Shorts and a hedge on a coin, in an account kept in that coin, ``share`` of its requirement short."""
    priced = market([*ROWS], {"BTC": SPOT}, QUOTES, fx=FX, forwards=FORWARDS)
    rows = [("A", "BTC-C", -2.0), ("A", "BTC-P", -3.0), ("A", "BTC-PERPETUAL", 4_000.0)]
    account = {"account": "A", "cash": 0.0, "currency": "BTC"}
    bare = sg.margin(book(rows, [account]), priced, regime, backend=BACKEND).accounts.iloc[0]
    account["cash"] = float(bare["requirement"] * (1.0 - share) - bare["equity_at_marks"])
    return book(rows, [account]), priced


@pytest.mark.parametrize("share", [0.02, 0.4])
def test_an_account_kept_in_coin_is_cured_to_the_last_dollar(share: float) -> None:
    """A hundredth of a coin at 50,000 is 500.00: no more negligible than a fee of 0.65 is 0.65 of a coin."""
    regime = sg.regimes.deribit()
    held, priced = coins(share, regime)
    plan = sg.liquidation_plan(held, priced, regime, backend=BACKEND)
    row = plan.accounts.iloc[0]
    now = held.positions.set_index(["account", "symbol"])["quantity"]
    moved = plan.steps.groupby(["account", "symbol"])["quantity"].sum()
    now = now.add(moved.reindex(now.index).fillna(0.0)).to_dict()
    told = revalued(held, priced, regime, "A", now, backend=BACKEND)
    assert (row["status"], row["currency"]) == ("cured", "BTC")
    assert told.excess - row["costs"] == pytest.approx(row["excess_after"], abs=1e-9)
    assert row["excess_after"] >= row["buffer"] * (1.0 - 1e-3) > 0.0
    assert row["fees"] == pytest.approx(0.65 / SPOT * contracts(plan.steps, "BTC-[CP]"))


def contracts(steps: pd.DataFrame, pattern: str) -> float:
    return float(steps.loc[steps["symbol"].str.fullmatch(pattern), "quantity"].abs().sum())


def test_add_ons_that_look_at_accounts() -> None:
    """Two accounts in two currencies under rules that charge for the currency: neither names the other's."""
    regime = sg.regimes.house_rules()
    priced = market([stock("U"), stock("V")], {"U": 100.0, "V": 40.0}, fx=EURO)
    rows = [("A", "U", 100.0), ("A", "V", -50.0), ("B", "V", 300.0)]
    accounts = [
        {"account": name, "cash": 0.0, "currency": money} for name, money in (("A", "EUR"), ("B", ""))
    ]
    bare = sg.margin(book(rows, accounts), priced, regime, backend=BACKEND).accounts
    for account, row in zip(accounts, bare.itertuples(), strict=True):
        account["cash"] = float(0.6 * row.requirement - row.equity_at_marks)
    held = book(rows, accounts)
    plan = sg.liquidation_plan(held, priced, regime, backend=BACKEND)
    for name in "AB":
        assert judged(plan, held, priced, regime, name)["status"] == "cured"


def equity_charge(context: Context) -> Floats:
    charge: Floats = 0.1 * np.abs(context.equity.at_marks)
    return charge


WRONG = {
    "another figure": summed(lambda rows: np.full(rows.size, 100.0)),
    "nothing ever relieves": Leafwise(
        lambda rows: np.zeros((rows.size, 1)),
        lambda columns, groups, size: np.zeros(size),
        lambda columns, groups, size: lambda leaves, after: np.full(len(leaves), 9e9),
    ),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_an_add_on_whose_leafwise_is_not_its_figure_leads_nowhere_else(name: str) -> None:
    """The plan is the one without ``leafwise``, revalued in full."""
    plain = AddOn("of_equity", equity_charge)
    plans = []
    for add_on in (plain, replace(plain, leafwise=WRONG[name])):
        regime = replace(sg.house(), add_ons=(*sg.house().add_ons, add_on))
        _, plan = planned([("AAA", 7.0), ("BBBC1-30", -6.0), ("CCCP0.9-90", -5.0)], regime)
        plans.append(plan)
    pd.testing.assert_frame_equal(plans[0].steps, plans[1].steps, check_exact=True)
    pd.testing.assert_frame_equal(plans[0].accounts, plans[1].accounts, check_exact=True)

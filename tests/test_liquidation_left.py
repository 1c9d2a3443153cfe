"""Who and what is left alone, and how a plan says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from books import book
from liquidation_books import BACKEND, FREE, example, in_deficit, plan_of, random_holdings
from liquidation_books import SMALL as MARKET
from liquidation_judge import judged

import shockgrid as sg
from shockgrid.desk.liquidation_costs import trading_costs


def test_halted_names_and_unwanted_longs_stay() -> None:
    holdings = [("A", "AAA", 5.0), ("A", "AAAC1-90", -5.0), ("A", "BBB", 5.0), ("A", "CCCC1-90", 3.0)]
    quotes = pd.DataFrame([{"symbol": "CCCC1-90", "bid": 0.0, "ask": 9.0}])
    cash = -95_000.0
    costs = trading_costs(quotes=quotes, parameters=FREE)
    plan = plan_of(holdings, cash, halted=["AAA"], costs=costs)
    assert set(plan.steps["symbol"]) == {"BBB"}
    row = plan.accounts.iloc[0]
    assert row["status"] == "cannot_cure"
    assert row["shortfall_left"] == pytest.approx(-row["excess_after"])
    assert "remain: to be paid in" in plan.explain("A")
    with pytest.raises(sg.InputError, match="no such symbol or underlying"):
        plan_of(holdings, cash, halted=["AAAA"], costs=costs)


@pytest.mark.parametrize("seed", range(4))
def test_a_buffer_out_of_reach_takes_no_more_than_the_deficit(seed: int) -> None:
    """Whoever holds nothing has an excess of his equity, far below fifty times the requirement."""
    rng = np.random.default_rng(seed)
    held = in_deficit(random_holdings(rng, 6, 8), MARKET, sg.house(), 0.3)
    least, far = (
        sg.liquidation_plan(held, MARKET, sg.house(), buffer=share, backend=BACKEND) for share in (0.0, 50.0)
    )
    assert least.accounts["status"].tolist() == ["cured"]
    pd.testing.assert_frame_equal(far.steps, least.steps, check_exact=True)
    row = judged(far, held, MARKET, sg.house())
    assert row["status"] == "short_of_buffer"
    assert row["buffer"] == 50.0 * row["requirement_before"]
    left = f"{row['buffer'] - row['excess_after']:,.2f}"
    assert f"closing does not reach the buffer: {left} to be paid in for it" in far.explain("A")


def test_where_nothing_ends_the_deficit_everything_that_relieves_goes() -> None:
    """Of 90,000 owed the shares pay 5 x 100 x 100.00; 40,000 remain, whatever the buffer."""
    plan = plan_of([("A", "AAA", 5.0)], -90_000.0, buffer=50.0)
    row = plan.accounts.iloc[0]
    assert plan.steps["quantity"].tolist() == [-5.0]
    assert (row["status"], row["shortfall_left"]) == ("cannot_cure", pytest.approx(40_000.0))


def test_who_cannot_be_trusted_is_not_planned() -> None:
    held = book(
        [("A", "AAA", 5.0), ("B", "AAA", 5.0), ("B", "AAA261218C00500000", -1.0), ("C", "AAA", 1.0)],
        [{"account": name, "cash": cash} for name, cash in (("A", -49e3), ("B", -49e3), ("C", 1e6))],
    )
    plan = sg.liquidation_plan(held, MARKET, sg.house(), backend=BACKEND)
    rows = plan.accounts.set_index("margin_group")
    assert rows["status"].to_dict() == {"A": "cured", "B": "not_planned"}
    assert rows.loc["B", "reason"] == "not planned: PARTIAL: a person decides"
    assert set(plan.steps["margin_group"]) == {"A"}
    asked = sg.liquidation_plan(held, MARKET, sg.house(), accounts=["C"], backend=BACKEND)
    assert asked.accounts["status"].tolist() == ["no_deficit"]
    assert asked.explain("C") == "C: no deficit"
    assert len(asked.steps) == 0


def test_what_is_refused() -> None:
    held, priced = example()
    wrong = ({"objective": "best"}, {"buffer": -0.1}, {"buffer": float("nan")}, {"accounts": ["Z"]})
    for choice in wrong:
        with pytest.raises(sg.InputError):
            sg.liquidation_plan(held, priced, sg.tims(), backend=BACKEND, **choice)
    with pytest.raises(sg.InputError, match="symbol"):
        trading_costs(quotes=pd.DataFrame({"bid": [1.0]}))
    with pytest.raises(sg.InputError, match="already given"):
        trading_costs(quotes=pd.DataFrame({"symbol": ["A", "A"]}))
    plan = sg.liquidation_plan(held, priced, sg.tims(), backend=BACKEND)
    with pytest.raises(sg.InputError, match="in this plan"):
        plan.explain("Z")


@pytest.mark.parametrize("baselines", [True, False])
def test_the_columns_are_the_same_whoever_is_in_deficit(baselines: bool) -> None:
    books = [book([("A", "AAA", 5.0)], [{"account": "A", "cash": cash}]) for cash in (-49e3, 1e6, -9e9)]
    books.append(
        sg.Book.from_frames(
            pd.DataFrame(columns=["account", "symbol", "quantity"]), pd.DataFrame(columns=["account", "cash"])
        )
    )
    plans = [
        sg.liquidation_plan(held, MARKET, sg.tims(), baselines=baselines, backend=BACKEND) for held in books
    ]
    plans.append(
        sg.liquidation_plan(books[1], MARKET, sg.tims(), accounts=["A"], baselines=baselines, backend=BACKEND)
    )
    for plan in plans:
        assert plan.accounts.columns.tolist() == plans[0].accounts.columns.tolist()
        assert plan.steps.columns.tolist() == plans[0].steps.columns.tolist()
    assert len(plans[0].accounts.columns) == (28 + 3 * 7 if baselines else 28)
    known = plans[-1].accounts.iloc[0]
    assert (known["status"], known["reason"], known["currency"]) == ("no_deficit", "no deficit", "USD")
    assert (known["equity"], known["requirement_before"]) == (1e6 + 50_000.0, 7_500.0)  # 15 % of 50,000
    assert known["excess_before"] == known["equity"] - known["requirement_before"]


def test_every_status_is_said_in_words() -> None:
    """A person reads ``reason``, ``explain`` and the plan's own line; programs read ``status``."""
    held = book(
        [("A", "AAA", 5.0), ("B", "AAA", 5.0), ("C", "AAA", 1.0)],
        [{"account": name, "cash": cash} for name, cash in (("A", -49e3), ("B", -9e5), ("C", 1e6))],
    )
    plan = sg.liquidation_plan(held, MARKET, sg.tims(), accounts=["A", "B", "C"], backend=BACKEND)
    assert plan.accounts["status"].tolist() == ["cured", "cannot_cure", "no_deficit"]
    words = ["covered again, buffer included", "closing does not cover it", "no deficit"]
    assert plan.accounts["reason"].tolist() == words
    assert [plan.explain(name).splitlines()[0] for name in "ABC"] == [
        f"{name}: {said}" for name, said in zip("ABC", words, strict=True)
    ]
    assert not any(code in repr(plan) for code in ("cannot_cure", "no_deficit"))

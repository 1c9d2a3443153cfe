"""Plans by hand: the rule's worked example to the cent, costs, fractions of shares."""

from __future__ import annotations

import pandas as pd
import pytest
from books import book, market, stock
from liquidation_books import BACKEND, FREE, example, free

import shockgrid as sg
from shockgrid.desk.liquidation_costs import trading_costs

CENT = 0.005


def test_the_rules_example_to_the_cent() -> None:
    """Portfolio margin rules, worked example: call 319.99; the short call is bought, excess 250.00."""
    held, priced = example()
    plan = sg.liquidation_plan(held, priced, sg.tims(), buffer=0.0, costs=free(), backend=BACKEND)
    row = plan.accounts.iloc[0]
    assert row["excess_before"] == pytest.approx(-319.99, abs=CENT)
    assert plan.steps[["symbol", "quantity", "traded"]].to_numpy().tolist() == [["BC", 1.0, 200.0]]
    assert row["freed"] == pytest.approx(569.99, abs=CENT)
    assert row["excess_after"] == pytest.approx(250.0, abs=CENT)
    assert row["freed_per_dollar"] == pytest.approx(2.85, abs=CENT)
    assert "buy 1 BC (X): frees 569.99 for 200.00 traded" in plan.explain("X")


def test_the_rules_example_with_a_half_spread_of_ten_cents() -> None:
    held, priced = example()
    quotes = pd.DataFrame([{"symbol": "BC", "bid": 1.90, "ask": 2.10}])
    costs = trading_costs(quotes=quotes, parameters=FREE)
    plan = sg.liquidation_plan(held, priced, sg.tims(), buffer=0.0, costs=costs, backend=BACKEND)
    row = plan.accounts.iloc[0]
    assert (row["half_spread"], row["costs"]) == (pytest.approx(10.0), pytest.approx(10.0))
    assert row["excess_after"] == pytest.approx(240.0, abs=CENT)


def test_costs_by_hand_and_the_impact_of_all_sizes_together() -> None:
    """10 shares at 100.00 sold at 99.95 (0.05 % off), 0.005 each; impact 100 x 2 % x sqrt(Q / 1e6)."""
    priced = market([stock("S")], {"S": 100.0})
    for names in (["A"], ["A", "B"]):
        rows = [{"account": name, "cash": -5000.0} for name in names]
        held = book([(name, "S", 10.0) for name in names], rows)
        plan = sg.liquidation_plan(held, priced, sg.tims(), backend=BACKEND)
        row = plan.accounts.iloc[0]
        assert row["half_spread"] == pytest.approx(10 * 0.05)
        assert row["fees"] == pytest.approx(10 * 0.005)
        together = 10.0 * len(names)
        assert row["impact"] == pytest.approx(10 * 100 * 0.02 * (together / 1e6) ** 0.5)
        assert row["status"] == "cannot_cure"
        assert row["excess_after"] == pytest.approx(1000.0 - 5000.0 - row["costs"])


def test_fractions_of_shares_are_closed_whole_at_the_end() -> None:
    priced = market([stock("A")], {"A": 100.0})
    held = book([("X", "A", 10.5)], [{"account": "X", "cash": -1049.0}])
    plan = sg.liquidation_plan(held, priced, sg.tims(), buffer=0.0, costs=free(), backend=BACKEND)
    assert plan.steps["quantity"].tolist() == [-10.5], "one dollar of equity carries no share"
    assert plan.accounts.iloc[0]["excess_after"] == pytest.approx(1.0)

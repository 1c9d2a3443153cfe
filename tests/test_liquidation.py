"""Plans: the rule's worked example to the cent, what is never done, and what is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, stock
from hypothesis import given, settings
from hypothesis import strategies as st
from liquidation_books import FREE, free, in_deficit, random_holdings, small_market

import shockgrid as sg
from shockgrid.backends import NumpyBackend
from shockgrid.desk.liquidation_costs import trading_costs
from shockgrid.desk.liquidation_truth import revalued

BACKEND = NumpyBackend()
MARKET = small_market()
CENT = 0.005
ROUNDING = 1e-6  #: of currency: sums of figures of 1e5 in another order


def example(equity: float = 2500.0) -> tuple[sg.Book, sg.Market]:
    """Long 100 A at 150, short a 50 call on B at 50, worth 2.00: requirement 2,250.00 + 569.99."""
    priced = market(
        [stock("A"), stock("B"), option("BC", "B", "C", 50.0, 60)],
        {"A": 150.0, "B": 50.0},
        [{"symbol": "BC", "mark": 2.0}],
        rate=0.0,
    )
    cash = equity - 100 * 150.0 + 200.0
    return book([("X", "A", 100), ("X", "BC", -1)], [{"account": "X", "cash": cash}]), priced


def plan_of(holdings: list[tuple[str, str, float]], cash: float, regime: Any = None, **more: Any) -> Any:
    held = book(holdings, [{"account": "A", "cash": cash}])
    chosen = {"buffer": 0.0, "costs": free(), "backend": BACKEND, **more}
    return sg.liquidation_plan(held, MARKET, regime or sg.house(), **chosen)


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


def test_every_step_is_what_the_judge_says_and_nothing_gets_worse() -> None:
    rng = np.random.default_rng(11)
    for regime in (sg.house(), sg.tims()):
        held = in_deficit(random_holdings(rng, 7, 9), MARKET, regime, 0.4)
        plan = sg.liquidation_plan(held, MARKET, regime, backend=BACKEND)
        now = held.positions.set_index(["account", "symbol"])["quantity"].to_dict()
        spent, last = 0.0, float(plan.accounts.iloc[0]["excess_before"])
        for _, legs in plan.steps.groupby("step"):
            for leg in legs.itertuples():
                now[leg.account, leg.symbol] += leg.quantity
            told = revalued(held, MARKET, regime, "A", now, backend=BACKEND)
            spent += legs[["half_spread", "fees", "impact"]].to_numpy().sum()
            step = legs.iloc[0]
            assert step["requirement_after"] == pytest.approx(told.requirement, abs=ROUNDING)
            assert step["excess_after"] == pytest.approx(told.excess - spent, abs=ROUNDING)
            assert step["excess_after"] > last
            last = float(step["excess_after"])
        row = plan.accounts.iloc[0]
        assert row["requirement_after"] == told.requirement
        assert row["excess_after"] == pytest.approx(last, abs=ROUNDING)
        assert row["status"] == "cured"
        assert last >= row["buffer"] == pytest.approx(0.01 * row["requirement_before"])


def uncovered(held: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Short options by underlying and right that no long of at least their life and no shares cover."""
    found = {}
    for name in ("AAA", "BBB", "CCC"):
        for right in "CP":
            rows = [
                (symbol, size) for (_, symbol), size in held.items() if symbol.startswith(f"{name}{right}")
            ]
            open_lots = {days: 0.0 for days in ("90", "30")}
            spare = 0.0
            for days in ("90", "30"):  # longs of the later expiry cover shorts of the earlier one
                own = [size for symbol, size in rows if symbol.endswith(f"-{days}")]
                spare += sum(size for size in own if size > 0)
                short = -sum(size for size in own if size < 0)
                used = min(spare, short)
                spare, open_lots[days] = spare - used, short - used
            shares = held.get(("A", name), 0.0)
            cover = max(shares if right == "C" else -shares, 0.0)
            found[name, right] = max(sum(open_lots.values()) - cover, 0.0)
    return found


@settings(max_examples=8)
@given(
    st.integers(0, 10**6),
    st.floats(0.02, 0.9),
    st.sampled_from(["per_dollar_traded", "per_cost", "fewest_orders"]),
)
def test_quantities_shrink_toward_zero_and_no_step_worsens(seed: int, share: float, objective: str) -> None:
    rng = np.random.default_rng(seed)
    held = in_deficit(random_holdings(rng, int(rng.integers(1, 7)), 6), MARKET, sg.house(), share)
    plan = sg.liquidation_plan(
        held, MARKET, sg.house(), objective=objective, baselines=False, backend=BACKEND
    )
    now = held.positions.set_index(["account", "symbol"])["quantity"].to_dict()
    before = uncovered(now)
    for _, legs in plan.steps.groupby("step"):
        first = legs.iloc[0]
        assert first["relief"] >= CENT
        for leg in legs.itertuples():
            old = now[leg.account, leg.symbol]
            now[leg.account, leg.symbol] = old + leg.quantity
            assert abs(old + leg.quantity) < abs(old)
            assert (old + leg.quantity) * old >= 0.0
        after = uncovered(now)
        assert all(after[key] <= before[key] + 1e-9 for key in after)
        before = after
    for row in plan.accounts.itertuples():
        assert (row.status == "cured") == (row.excess_after >= row.buffer - 0.01)
        assert row.shortfall_left == (0.0 if row.status == "cured" else max(-row.excess_after, 0.0))
        assert (row.shortfall_left > 0.0) == (row.status == "cannot_cure")


def test_the_shares_of_a_covered_call_are_not_sold_first() -> None:
    """Selling them alone would free margin and leave a naked call."""
    holdings = [("A", "AAA", 5.0), ("A", "AAAC1.2-30", -5.0)]
    bare = sg.margin(book(holdings), MARKET, sg.tims(), backend=BACKEND).accounts.iloc[0]
    alone = sg.margin(book(holdings[1:]), MARKET, sg.tims(), backend=BACKEND).accounts.iloc[0]
    assert alone["requirement"] < bare["requirement"], "the case is worth testing"
    cash = float(bare["requirement"] * 0.7 - bare["equity_at_marks"])
    steps = plan_of(holdings, cash, sg.tims()).steps
    assert steps.groupby("symbol")["quantity"].sum().to_dict() == {"AAA": -2.0, "AAAC1.2-30": 2.0}
    assert (steps["step"] == 1).all(), "closed together, as one order"


def test_the_long_leg_of_a_spread_waits_for_the_short_one() -> None:
    holdings = [("A", "AAAP1-90", -6.0), ("A", "AAAP0.9-90", 6.0), ("A", "BBB", 10.0)]
    bare = sg.margin(book(holdings), MARKET, sg.house(), backend=BACKEND).accounts.iloc[0]
    for share in (0.9, 0.4):
        cash = float(bare["requirement"] * share - bare["equity_at_marks"])
        plan = plan_of(holdings, cash)
        assert plan.accounts.iloc[0]["status"] == "cured"
        left = {"AAAP1-90": -6.0, "AAAP0.9-90": 6.0, "BBB": 10.0}
        for _, legs in plan.steps.groupby("step"):
            for leg in legs.itertuples():
                left[leg.symbol] += leg.quantity
            assert left["AAAP0.9-90"] >= -left["AAAP1-90"]


def test_what_frees_margin_only_together_is_closed_together() -> None:
    """A short strangle is worth its worse side: either leg alone may free nothing."""
    holdings = [("A", "AAAP0.9-30", -4.0), ("A", "AAAC1.1-30", -4.0)]
    regime = sg.house(spot=[-0.2, 0.2], vol=[0.0], contingency_rate=0.0, concentrated=False)
    bare = sg.margin(book(holdings), MARKET, regime, backend=BACKEND).accounts.iloc[0]
    cash = float(bare["requirement"] * 0.3 - bare["equity_at_marks"])
    plan = plan_of(holdings, cash, regime)
    assert plan.accounts.iloc[0]["status"] == "cured"
    assert plan.steps.groupby("step")["symbol"].nunique().max() == 2


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


def test_who_cannot_be_trusted_is_not_planned() -> None:
    held = book(
        [("A", "AAA", 5.0), ("B", "AAA", 5.0), ("B", "AAA261218C00500000", -1.0), ("C", "AAA", 1.0)],
        [{"account": name, "cash": cash} for name, cash in (("A", -49e3), ("B", -49e3), ("C", 1e6))],
    )
    plan = sg.liquidation_plan(held, MARKET, sg.house(), backend=BACKEND)
    rows = plan.accounts.set_index("margin_group")
    assert rows["status"].to_dict() == {"A": "cured", "B": "not_planned"}
    assert rows.loc["B", "reason"] == "PARTIAL: a person decides"
    assert set(plan.steps["margin_group"]) == {"A"}
    asked = sg.liquidation_plan(held, MARKET, sg.house(), accounts=["C"], backend=BACKEND)
    assert asked.accounts["status"].tolist() == ["no_deficit"]
    assert asked.explain("C") == "C: no_deficit"
    assert len(asked.steps) == 0


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


def test_plans_do_not_depend_on_the_order_of_rows_or_on_company() -> None:
    rng = np.random.default_rng(2)
    held = in_deficit(random_holdings(rng, 6, 5), MARKET, sg.house(), 0.3)
    other = [("B", symbol, -quantity) for _, symbol, quantity in random_holdings(rng, 4, 5)]
    rows = [tuple(row) for row in held.positions[["account", "symbol", "quantity"]].to_numpy(object)]
    cash = [{"account": "A", "cash": float(held.accounts["cash"].iloc[0])}, {"account": "B", "cash": -1e5}]
    alone = sg.liquidation_plan(held, MARKET, sg.house(), costs=free(), backend=BACKEND)
    mixed = book([*other, *rows[::-1]], cash[::-1])
    both = sg.liquidation_plan(mixed, MARKET, sg.house(), costs=free(), backend=BACKEND)
    mine = both.steps[both.steps["margin_group"] == "A"].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, alone.steps, check_exact=True)


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


def test_fractions_of_shares_are_closed_whole_at_the_end() -> None:
    priced = market([stock("A")], {"A": 100.0})
    held = book([("X", "A", 10.5)], [{"account": "X", "cash": -1049.0}])
    plan = sg.liquidation_plan(held, priced, sg.tims(), buffer=0.0, costs=free(), backend=BACKEND)
    assert plan.steps["quantity"].tolist() == [-10.5], "one dollar of equity carries no share"
    assert plan.accounts.iloc[0]["excess_after"] == pytest.approx(1.0)

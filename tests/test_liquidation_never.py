"""What a plan never does: no step raises what is lacking, opens anything, or uncovers a short option."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from books import book
from hypothesis import given, settings
from hypothesis import strategies as st
from liquidation_books import BACKEND, free, in_deficit, plan_of, random_holdings
from liquidation_books import SMALL as MARKET

import shockgrid as sg
from shockgrid.desk.liquidation_truth import revalued

CENT = 0.005
ROUNDING = 1e-6  #: of currency: sums of figures of 1e5 in another order


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

"""What the venue regimes added to the vocabulary: modes, initial margin, expiry rows, vol rules, spreads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, stock
from hypothesis import given, settings
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.requirement import Context
from shockgrid.requirement.spreads import Leg, matched
from shockgrid.vol_rules import Rotated, TermScaled

#: The same sums in another order.
ROUNDING = 1e-7
SERIES = [option(f"{right}{days}", "X", right, 100.0, days) for right in "CP" for days in (10, 60)]
QUOTES = [{"symbol": row["symbol"], "vol": 0.2 + 0.05 * place} for place, row in enumerate(SERIES)]
PRICED = market([stock("X"), stock("Y"), *SERIES], {"X": 100.0, "Y": 50.0}, QUOTES)
HELD = book([("A", "X", 200), ("A", "C10", -3), ("A", "P60", 4), ("A", "Y", -100), ("B", "C60", -1)])
GRID: dict[str, Any] = {"spot": [-0.1, 0.0, 0.1], "vol": [-0.2, 0.0, 0.4]}


def add_on(name: str, amount: float, mode: str) -> sg.requirement.AddOn:
    def figure(context: Context) -> np.ndarray:
        return np.full(len(context.plan.margin_groups), amount)

    return sg.requirement.AddOn(name, figure, mode, words=f"{name} of this test")


def test_modes_initial_and_memo_by_hand() -> None:
    """A scan of 1,000: + 50, x 0.8, at least 900, - 100; initial x 1.5."""
    regime = sg.Regime(
        "modes",
        sg.ScenarioSet.points([-0.1]),
        add_ons=(
            add_on("added", 50.0, "added"),
            add_on("times", 0.8, "factor"),
            add_on("least", 900.0, "floor"),
            add_on("off", 100.0, "credit"),
        ),
        initial=(add_on("times", 1.5, "factor"),),
        memos=(add_on("memo", -7.0, "added"),),
    )
    result = sg.margin(book([("A", "X", 100)]), PRICED, regime)
    row, explained = result.accounts.iloc[0], result.explain("A").set_index(["level", "name"])
    assert row[["added", "times", "least", "off"]].tolist() == pytest.approx([50.0, -210.0, 60.0, -100.0])
    assert row["requirement"] == pytest.approx(800.0)
    assert row["initial_requirement"] == pytest.approx(1500.0)
    assert explained.loc[("memo", "memo"), "amount"] == -7.0
    assert explained.loc[("initial line", "times"), "amount"] == pytest.approx(500.0)
    assert explained.loc[("line", "off"), "words"] == "off of this test"


def test_a_credit_beyond_the_requirement_and_a_wrong_mode_are_refused() -> None:
    regime = sg.Regime("off", sg.ScenarioSet.points([-0.1]), add_ons=(add_on("off", 1e9, "credit"),))
    with pytest.raises(sg.InputError, match="formula of regime off"):
        sg.margin(HELD, PRICED, regime)
    with pytest.raises(sg.InputError, match="factor or credit"):
        add_on("odd", 1.0, "doubled")


def test_a_regime_without_initial_margin_has_none() -> None:
    venue = sg.Regime("v", sg.ScenarioSet.points([-0.1]), initial=(), side="exchange")
    plain = sg.Regime("p", sg.ScenarioSet.points([-0.1]))
    policy = sg.Policy({"default": sg.Program(venue, None), "other": sg.Program(None, plain)})
    accounts = [
        {"account": name, "cash": 0.0, "program": program} for name, program in (("A", ""), ("B", "other"))
    ]
    rows = sg.margin(book([("A", "X", 1), ("B", "X", 1)], accounts), PRICED, policy).accounts
    assert rows["initial_requirement"].iloc[0] == pytest.approx(10.0)
    assert np.isnan(rows["initial_requirement"].iloc[1])
    assert "initial_requirement" not in sg.margin(HELD, PRICED, plain).accounts


def test_cutting_by_expiry_changes_nothing_by_itself() -> None:
    plain = sg.Regime("plain", sg.ScenarioSet.grid(**GRID, weight=0.5))
    cut = replace(plain, tree=sg.requirement.Tree(by_expiry=True, sides=True))
    same = replace(plain, tree=sg.requirement.Tree(value_transform=lambda pnl, _: pnl))
    first, *others = (sg.margin(HELD, PRICED, regime) for regime in (plain, cut, same))
    for other in others:
        pd.testing.assert_frame_equal(first.accounts, other.accounts, rtol=0.0, atol=ROUNDING)
        pd.testing.assert_frame_equal(first.positions, other.positions, rtol=0.0, atol=ROUNDING)


def test_expiry_rows_need_a_tree_that_cuts_them() -> None:
    def figure(context: Context) -> np.ndarray:
        return context.by_margin_group(context.by_leaf(np.abs(context.expiries.values)))

    regime = sg.Regime("rows", sg.ScenarioSet.points([0.0]), add_ons=(sg.requirement.AddOn("worth", figure),))
    with pytest.raises(sg.InputError, match="by_expiry=True"):
        sg.margin(HELD, PRICED, regime)
    worth = sg.margin(HELD, PRICED, replace(regime, tree=sg.requirement.Tree(by_expiry=True))).accounts[
        "worth"
    ]
    assert worth.iloc[1] == pytest.approx(
        -sg.margin(HELD, PRICED, sg.tims()).accounts["equity_at_model"].iloc[1]
    )


def test_threads_do_not_change_a_bit() -> None:
    regime = replace(sg.regimes.derive(), side="house")
    one, two = (sg.margin(HELD, PRICED, regime, threads=threads).accounts for threads in (1, 2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_a_vol_rule_agrees_with_the_states_of_the_kernel() -> None:
    """One power for all, a floor and a cap: what States do, done by revising the instruments."""
    rule = TermScaled(0.3, 0.3, floor=0.22, cap=0.4)
    grid = sg.ScenarioSet.grid(**GRID, term_power=0.3, vol_floor=0.22, vol_cap=0.4)
    revised = sg.ScenarioSet.grid(**GRID, vol_rule=rule)
    found = [sg.margin(HELD, PRICED, sg.Regime("r", each)).scenarios("A") for each in (grid, revised)]
    pd.testing.assert_frame_equal(*found, rtol=0.0, atol=ROUNDING)


def test_a_rotation_turns_one_wing_or_lifts_both() -> None:
    live = market(
        [option(f"K{strike}", "X", "C", strike, 90.0) for strike in (50.0, 200.0)], {"X": 100.0},
        [{"symbol": f"K{strike}", "vol": 0.5} for strike in (50.0, 200.0)], rate=0.0,
    )  # fmt: skip
    for wings, low in ((False, -1.0), (True, 1.0)):
        rule = Rotated(wings, 0.0, 0.01, 4.0, 0.6, 0.0)
        regime = sg.Regime("r", sg.ScenarioSet.points([0.0], [0.2], vol_rule=rule))
        pnl = [
            sg.margin(book([("A", symbol, 1)]), live, regime).scenarios("A")["pnl"].iloc[0]
            for symbol in ("K50.0", "K200.0")
        ]
        assert np.sign(pnl).tolist() == [low, 1.0]


SIZES = st.lists(st.floats(0.0, 100.0), min_size=3, max_size=3)


@settings(max_examples=50)
@given(long=SIZES, short=SIZES, ratio=st.floats(0.5, 4.0))
def test_spreads_use_no_more_than_there_is(long: list[float], short: list[float], ratio: float) -> None:
    spreads = [
        [Leg(0, 1.0, 1), Leg(1, ratio, -1)],
        [Leg(0, 1.0, 1), Leg(0, 1.0, -1)],
        [Leg(2, 1.0, 1), Leg(1, 1.0, -1)],
    ]
    found = matched(np.array([long]), np.array([short]), spreads)
    used = np.array([long]) - found.long, np.array([short]) - found.short
    assert (found.counts >= 0.0).all()
    for side in used:
        assert (side >= -ROUNDING).all()
    legs = sum(
        leg.ratio * count for spread, count in zip(spreads, found.counts[0], strict=True) for leg in spread
    )
    assert sum(side.sum() for side in used) == pytest.approx(legs, abs=ROUNDING)


@pytest.mark.parametrize("change", [{"roll_days": -1.0}, {"averaging_minutes": float("inf")}])
def test_times_that_cannot_be_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(sg.InputError, match=next(iter(change))):
        sg.ScenarioSet.points([0.0], **change)


def test_rows_by_class_group_need_one_length() -> None:
    with pytest.raises(sg.InputError, match="expected 2 entries for class group X"):
        sg.ScenarioSet.by_class_group({"X": [0.1]}, {"X": [0.0, 0.0]}, {"X": [1.0, 1.0]}, names=["a", "b"])

"""The doors of the desk, of liquidation and of expiry: what they cannot use is refused by name."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import pandas as pd
import pytest
from door_world import (
    FILL,
    GRID,
    LATER,
    NO_FLAG,
    NO_FRAME,
    NO_INSTANT,
    NO_NAME,
    NO_SIZE,
    NO_TEXT,
    NO_VALUE,
    NO_WHOLE,
    NOTHING,
    NUMBERS,
    ORDER,
    RULE,
    STRANGE,
    WORLD,
    Case,
    at,
    named,
    refuse,
)

import shockgrid as sg
from shockgrid.desk.liquidation_costs import trading_costs

DOORS: list[Case] = [
    *(
        (sg.ScenarioSet.points, {"spot": [0.1]}, name, [*NOTHING, *NO_SIZE, float("inf")], name)
        for name in ("vol_floor", "roll_days", "averaging_minutes")
    ),
    (
        sg.ScenarioSet.points,
        {"spot": [0.1]},
        "term_power",
        ["x", float("nan"), True, [], {}, 1j],
        "term_power",
    ),
    *(
        (door, {**WORLD, **more}, name, NO_VALUE, name)
        for name in ("book", "market")
        for door, more in (
            (sg.margin, {"regime_or_policy": RULE}),
            (sg.Desk, {"regime_or_policy": RULE}),
            (sg.cures, {"regime_or_policy": RULE}),
            (sg.liquidation_plan, {"regime_or_policy": RULE}),
            (sg.compare, {"regimes": [RULE]}),
            (sg.impact, {"old": RULE, "new": RULE}),
            (sg.after_expiry, {}),
            (sg.regt, {}),
            (sg.pnl_surface, {"grid": GRID}),
            (sg.worst_exact, {"grid": GRID}),
        )
    ),
    *(
        (door, WORLD, "regime_or_policy", [*NOTHING, *STRANGE, "tims"], "regime_or_policy")
        for door in (sg.margin, sg.Desk, sg.cures, sg.liquidation_plan)
    ),
    (sg.Desk, {**WORLD, "regime_or_policy": RULE}, "executor", STRANGE, "executor"),
    (at("tick"), {}, "quotes", [2.5, "x", [1], object(), pd.DataFrame({"x": [1]}), {"spot": 1.0}], ""),
    (
        at("tick"),
        {"quotes": {"underlying": ["X"], "spot": [2.0]}},
        "sequence",
        [*NO_WHOLE, 2**63],
        "sequence",
    ),
    (at("tick"), {"quotes": {"underlying": ["X"], "spot": [2.0]}}, "at", NO_INSTANT, "at"),
    (at("trade"), {}, "fills", [2.5, "x", [1], object(), {"account": "A"}, [ORDER], pd.DataFrame()], "fills"),
    (at("trade"), {"fills": [FILL]}, "sequence", NO_WHOLE, "sequence"),
    (at("deposit"), {"account": "A", "amount": 1.0}, "sequence", NO_WHOLE, "sequence"),
    (at("roll"), {}, "as_of", [*NOTHING, *NO_INSTANT], "as_of"),
    (at("roll"), {"as_of": LATER}, "market", [*STRANGE, "x"], "market"),
    (at("stale"), {}, "max_age", [*NOTHING, *STRANGE, 3], "max_age"),
    (at("what_if"), {"orders": [ORDER]}, "account", [*NO_TEXT, "nobody"], "account"),
    (
        at("what_if"),
        {"account": "A"},
        "orders",
        [*NOTHING, *NO_FRAME, [2], [{"symbol": "X"}], {"symbol": "X"}],
        "orders",
    ),
    (at("what_if"), {"account": "A"}, "orders", [[{**ORDER, "symbol": "Q"}]], "'Q'"),
    (at("what_if"), {"account": "A"}, "orders", [[{**ORDER, "quantity": "many"}]], "'many'"),
    (at("what_ifs"), {}, "orders", [*NOTHING, *NO_FRAME, [ORDER], [{"case": None, **FILL}]], "orders"),
    (at("working_orders"), {"account": "A"}, "orders", [*NOTHING, *NO_FRAME, [{"symbol": "X"}]], "orders"),
    (
        at("max_size"),
        {"account": "A", "symbol": "X", "side": "buy"},
        "largest",
        [*NO_WHOLE, *NOTHING, 0],
        "largest",
    ),
    (at("max_size"), {"account": "A", "symbol": "X"}, "side", NO_NAME, "side"),
    (at("max_size"), {"account": "A", "side": "buy"}, "symbol", NO_NAME, "symbol"),
    *(
        (door, {**WORLD, "regime_or_policy": RULE}, name, wrong, name)
        for door in (sg.cures, sg.liquidation_plan)
        for name, wrong in (
            ("buffer", [*NOTHING, *NO_SIZE, float("inf")]),
            ("costs", [2.5, "x", [], {}, object()]),
            ("halted", [*NOTHING, 2.5, object(), [1], {}, b"x", ["nonsense"]]),
            ("accounts", [2.5, object(), [1], {}, b"x"]),
        )
    ),
    (sg.liquidation_plan, {**WORLD, "regime_or_policy": RULE}, "objective", NO_NAME, "objective"),
    (sg.liquidation_plan, {**WORLD, "regime_or_policy": RULE}, "baselines", NO_FLAG, "baselines"),
    (sg.cures, {**WORLD, "regime_or_policy": RULE}, "least_days", [*NOTHING, *NO_SIZE], "least_days"),
    (trading_costs, {}, "quotes", [*NO_FRAME, pd.DataFrame({"bid": [1.0]})], "quotes"),
    (sg.after_expiry, WORLD, "regime", [*STRANGE, "tims"], "regime"),
    (sg.after_expiry, WORLD, "spots", [2.5, "x", [1], object(), {"nobody": 1.0}, {"X": "1"}], "spots"),
    (sg.after_expiry, WORLD, "pin_band", [*NOTHING, *NO_SIZE, 1.0], "pin_band"),
    (sg.after_expiry, WORLD, "until", [*STRANGE, datetime(2026, 12, 1)], "until"),
    *(
        (
            partial(sg.price_european, vols=0.2),
            {**NUMBERS, "is_call": True},
            name,
            ["x", {}, object(), 1j, float("nan")],
            name,
        )
        for name in NUMBERS
    ),
]


@pytest.mark.parametrize("case", DOORS, ids=map(named, DOORS))
def test_a_door_refuses_by_the_name_of_the_argument(case: Case) -> None:
    refuse(case)

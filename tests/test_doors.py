"""Every public door refuses what it cannot use, by the name of the argument; nothing comes up from inside."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pandas as pd
import pytest
from door_world import (
    ACCOUNTS,
    BOOK,
    GRID,
    MARKET,
    NO_FLAG,
    NO_FRAME,
    NO_FUNCTION,
    NO_INSTANT,
    NO_NAME,
    NO_SHOCKS,
    NO_SIZE,
    NO_TEXT,
    NO_WHOLE,
    NOTHING,
    NUMBERS,
    POSITIONS,
    RESULT,
    RULE,
    STRANGE,
    TABLES,
    WORLD,
    Case,
    named,
    refuse,
)

import shockgrid as sg

DOORS: list[Case] = [
    (
        sg.Book.from_frames,
        {"positions": POSITIONS, "accounts": ACCOUNTS},
        "positions",
        [*NOTHING, *NO_FRAME],
        "positions",
    ),
    (
        sg.Book.from_frames,
        {"positions": POSITIONS, "accounts": ACCOUNTS},
        "accounts",
        [*NOTHING, *NO_FRAME],
        "accounts",
    ),
    (sg.Book.from_frames, {"positions": POSITIONS, "accounts": ACCOUNTS}, "lots", NO_FLAG, "lots"),
    *(
        (sg.Market.from_frames, TABLES, name, NO_FRAME, name)
        for name in (
            "instruments",
            "underlyings",
            "quotes",
            "curve",
            "dividends",
            "forwards",
            "fx",
            "groups",
            "offsets",
        )
    ),
    (sg.Market.from_frames, TABLES, "as_of", [*NOTHING, *NO_INSTANT], "as_of"),
    (sg.Market.from_frames, TABLES, "base_currency", NO_TEXT, "base_currency"),
    (sg.Market.from_frames, TABLES, "max_age", [*STRANGE, 3, timedelta(0)], "max_age"),
    (sg.ScenarioSet.grid, {"spot": [0.1], "vol": [0.0]}, "spot", NO_SHOCKS, ""),
    (sg.ScenarioSet.grid, {"spot": [0.1], "vol": [0.0]}, "vol", NO_SHOCKS, ""),
    (sg.ScenarioSet.grid, {"spot": [0.1]}, "vol_mode", NO_NAME, "vol_mode"),
    (sg.ScenarioSet.grid, {"spot": [0.1]}, "spot_scale", NO_FUNCTION, "spot_scale"),
    (sg.ScenarioSet.points, {"spot": [0.1, 0.2]}, "vol", [*NO_SHOCKS, [0.1, 0.2, 0.3]], ""),
    (sg.ScenarioSet.points, {"spot": [0.1]}, "names", [2.5, b"x", object(), [1], ["a", "b"]], "names"),
    (sg.ScenarioSet.points, {"spot": [0.1]}, "tag", NO_TEXT, "tag"),
    (sg.ScenarioSet.points, {"spot": [0.1]}, "weight", ["x", {}, object(), 1j, [1.0, 2.0], -1.0], "weight"),
    (sg.ScenarioSet.points, {"spot": [0.1]}, "leveraged", NO_FLAG, "leveraged"),
    (
        sg.ScenarioSet.points,
        {"spot": [0.1]},
        "vol_rule",
        [2.5, "x", {}, object(), [1], [None, None]],
        "vol_rule",
    ),
    (
        sg.ScenarioSet.points,
        {"spot": [0.1]},
        "known_pnl",
        [2.5, "x", {}, object(), [1], [None, None]],
        "known_pnl",
    ),
    (sg.ScenarioSet.points, {"spot": [0.1]}, "vol_cap", [*NOTHING, *NO_SIZE], "vol_cap"),
    (sg.ScenarioSet.joint, {}, "frame", [*NOTHING, *NO_FRAME, pd.DataFrame()], ""),
    (
        sg.ScenarioSet.history,
        {},
        "frame",
        [*NOTHING, *NO_FRAME, pd.DataFrame(), pd.DataFrame({"X": [1j]})],
        "",
    ),
    *(
        (door, {"book": BOOK, "market": MARKET, **more}, "backend", NO_NAME, "backend")
        for door, more in (
            (sg.margin, {"regime_or_policy": RULE}),
            (sg.compare, {"regimes": [RULE]}),
            (sg.regt, {}),
            (sg.worst_exact, {"grid": GRID}),
        )
    ),
    (sg.get_backend, {}, "name", NO_NAME, "backend"),
    (sg.margin, {**WORLD, "regime_or_policy": RULE}, "threads", [*NO_WHOLE, 0], "threads"),
    (sg.margin, {**WORLD, "regime_or_policy": RULE}, "executor", STRANGE, "executor"),
    (sg.margin, {**WORLD, "regime_or_policy": RULE}, "progress", NO_FUNCTION, "progress"),
    (sg.compare, {**WORLD}, "regimes", [*NOTHING, 2.5, object(), [1], [], ["nonsense"]], ""),
    (sg.compare, {**WORLD, "regimes": [RULE]}, "seconds", NO_SIZE, "seconds"),
    (sg.regt, WORLD, "threads", [*NO_WHOLE, 0], "threads"),
    (sg.regt, WORLD, "seconds", NO_SIZE, "seconds"),
    (sg.regt, WORLD, "cash_programs", [2.5, object(), [1], {}], "cash_programs"),
    (sg.regt, WORLD, "rules", [*STRANGE, "regt"], "rules"),
    (sg.pnl_surface, {**WORLD, "grid": GRID}, "account", [*STRANGE, 3, "nobody"], "account"),
    (sg.pnl_surface, {**WORLD, "grid": GRID}, "group", [*STRANGE, 3, "nobody"], "group"),
    (sg.pnl_surface, {**WORLD, "grid": GRID}, "symbol", [*STRANGE, 3, "nobody"], "symbol"),
    *(
        (door, {**WORLD, "grid": GRID}, "method", NO_NAME, "method")
        for door in (sg.pnl_surface, sg.worst_exact)
    ),
    *(
        (door, WORLD, "grid", [*NOTHING, 2.5, "x", object(), ([0.1],), ([], [])], "")
        for door in (sg.pnl_surface, sg.worst_exact)
    ),
    (sg.house, {}, "joint", NO_FLAG, "joint"),
    (sg.house, {}, "concentrated", NO_FLAG, "concentrated"),
    (sg.house, {}, "scenarios", [*STRANGE, "x"], "scenarios"),
    (sg.house, {}, "contingency_rate", [*NO_SIZE, 1.5], "contingency_rate"),
    (sg.house, {}, "contingency_mode", NO_NAME, "mode"),
    (sg.house, {}, "minimum_per_unit", [*NOTHING, *NO_SIZE], "minimum_per_unit"),
    (sg.house, {}, "sigmas", [*NO_SIZE, 0.0], "sigmas"),
    (sg.house, {}, "horizon_days", [*NOTHING, *NO_SIZE, 0.0], "horizon_days"),
    *(
        (rule, {}, "parameters", [2.5, b"x", [], {}, object(), "no/such.toml"], "")
        for rule in (sg.house, sg.tims)
    ),
    (sg.tims, {}, "account", NO_NAME, "account"),
    (sg.Program, {"house": None}, "exchange", [*STRANGE, "tims"], "exchange"),
    (sg.Program, {"exchange": RULE, "house": None}, "minimum_equity", [*NOTHING, *NO_SIZE], "minimum_equity"),
    (sg.Program, {"exchange": RULE, "house": None}, "call_profile", NO_TEXT, "call_profile"),
    (
        sg.Policy,
        {},
        "programs",
        [*NOTHING, 2.5, "x", [1], {"default": RULE}, {1: sg.Program(RULE, None)}],
        "programs",
    ),
    (
        partial(sg.price_european, **NUMBERS),
        {"vols": 0.2},
        "is_call",
        [*NOTHING, "x", {}, object(), 2, 0.5, [[True], []]],
        "is_call",
    ),
    (RESULT.explain, {}, "account", [*NO_TEXT, "nobody"], "account"),
    (RESULT.scenarios, {}, "account", [*NO_TEXT, "nobody"], "account"),
    *(
        (door, {}, "folder", [*NOTHING, *STRANGE, "no/such/folder"], "folder")
        for door in (sg.read_book, sg.read_market)
    ),
]


@pytest.mark.parametrize("case", DOORS, ids=map(named, DOORS))
def test_a_door_refuses_by_the_name_of_the_argument(case: Case) -> None:
    refuse(case)

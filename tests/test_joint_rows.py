"""One joint worst over plain rows, written and added up in place: the bytes of a full calculation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import market, option, stock
from desk_world import apply
from every_backend import BACKENDS, required_sets
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.backends import NativeBackend
from shockgrid.calibration import calibrated
from shockgrid.desk.joint import JointIndex
from shockgrid.desk.joint_rows import JointLeaves, JointRows, _block
from shockgrid.desk.runs import Runs
from shockgrid.desk.side_rows import FoldedRows
from shockgrid.desk.side_worst import WorstColumns
from shockgrid.engine import model_values, plan
from shockgrid.errors import InputError
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.reducers import worst

SETS = required_sets()
few = settings(max_examples=5, deadline=None, phases=(Phase.explicit, Phase.generate))
NAMES = ("P", "Q", "R")
SPOTS = {"P": 100.0, "Q": 95.0, "R": 105.0}
SERIES = [
    option(f"{name}{right}{strike}", name, right, strike, 30.0 + strike)
    for name in NAMES
    for right in "CP"
    for strike in (90, 110)
]
SYMBOLS = [*NAMES, *(row["symbol"] for row in SERIES)]
ACCOUNTS = [f"A{place}" for place in range(7)]


def european(**groups: Any) -> sg.Market:
    """Three names, each a portfolio group of its own unless said."""
    quotes = [{"symbol": row["symbol"], "vol": 0.2 + 0.01 * place} for place, row in enumerate(SERIES)]
    return market([*map(stock, NAMES), *SERIES], SPOTS, quotes, **groups)


def held() -> sg.Book:
    """Seven accounts in four margin groups, of which one holds one name alone and one nothing."""
    rows = [
        (ACCOUNTS[place % 6], symbol, float(place % 5 - 2.5))
        for place, symbol in enumerate(SYMBOLS * 3)
        if place % 6 != 5 or symbol.startswith("R")
    ]
    frame = pd.DataFrame(rows, columns=["account", "symbol", "quantity"]).drop_duplicates(
        ["account", "symbol"]
    )
    groups = ["M0", "M1", "M0", "M1", "M1", "M2", "M3"]
    accounts = pd.DataFrame({"account": ACCOUNTS, "cash": 1e4, "margin_group": groups})
    return sg.Book.from_frames(frame, accounts)


def days(count: int) -> sg.Regime:
    """Joint daily moves, drawn, each with a probability of its own."""
    moves = np.random.default_rng(count).normal(0.0, 0.03, (count, len(NAMES)))
    scenarios = sg.ScenarioSet.history(pd.DataFrame(moves, columns=NAMES))
    return sg.house(scenarios=scenarios, joint=True)


GRID = sg.house(spot=[-0.2, -0.1, 0.0, 0.1, 0.2], vol=[-0.3, 0.0, 0.3], joint=True, minimum_per_unit=0.01)
REGIMES = {"grid": GRID, "one day": days(1), "33 days": days(33), "500 days": days(500)}


def full(desk: sg.Desk) -> sg.MarginResult:
    return sg.margin(desk.book, desk.market, desk.regime_or_policy, backend=desk.backend)


def rows_of(desk: sg.Desk) -> JointRows | None:
    kept: Any = desk._live.sides[0]._kept
    rows: JointRows | None = getattr(kept, "joint", None)
    return rows


SPOT_TICKS = st.builds(
    lambda name, factor: ("tick", {"underlying": name, "spot": factor * SPOTS[name]}),
    st.sampled_from(NAMES),
    st.floats(0.8, 1.2),
)
VOL_TICKS = st.builds(
    lambda row, vol: ("tick", {"symbol": row["symbol"], "vol": vol}),
    st.sampled_from(SERIES),
    st.floats(0.1, 0.9),
)
TRADES = st.builds(
    lambda account, symbol, size: (
        "trade",
        {"account": account, "symbol": symbol, "quantity": float(size), "price": 5.0},
    ),
    st.sampled_from(ACCOUNTS),
    st.sampled_from(SYMBOLS),
    st.integers(-9, 9),
)
ROLLS = st.just(("roll", pd.Timedelta(hours=7)))
UPDATES = st.one_of(SPOT_TICKS, SPOT_TICKS, VOL_TICKS, TRADES, ROLLS)
CASES = [
    pytest.param(regime, BACKENDS[kind], id=f"{name}, {kind}")
    for name, regime in REGIMES.items()
    for kind in BACKENDS
    if kind.startswith("native") and (name == "33 days" or kind == f"native {SETS[0]}")
]


@pytest.mark.parametrize(("regime", "backend"), CASES)
@few
@given(updates=st.lists(UPDATES, min_size=1, max_size=6), looking=st.booleans())
def test_after_any_updates_it_is_a_full_calculation(
    regime: sg.Regime, backend: Any, updates: list[Any], looking: bool
) -> None:
    desk = sg.Desk(held(), european(), regime, backend=backend)
    assert rows_of(desk) is not None
    for update in updates:
        apply(desk, update)
        if looking:
            pd.testing.assert_frame_equal(desk.accounts, full(desk).accounts, check_exact=True)
    expected, found = full(desk), desk.result()
    pd.testing.assert_frame_equal(found.accounts, expected.accounts, check_exact=True)
    pd.testing.assert_frame_equal(found.groups, expected.groups, check_exact=True)
    pd.testing.assert_frame_equal(found.explain("M0"), expected.explain("M0"), check_exact=True)


@pytest.mark.parametrize("name", SETS)
def test_rows_in_place_are_those_that_are_folded(name: str) -> None:
    engine = NativeBackend(name)
    whole = plan(held(), calibrated(european(), engine))
    regime = sg.house(scenarios=days(33).scenarios.only("standard"), joint=True, minimum_per_unit=0.375)
    evaluator = Evaluator(whole, regime, engine, model_values(whole, engine))
    columns, folded = WorstColumns(evaluator, Runs(whole)), FoldedRows(evaluator)
    columns.build(None, ())
    columns.redo(["Q"], resized=True)
    columns.settle()
    folded.build(None, ())
    for part in ("leaves", "nodes", "unoffset"):
        for column, values in vars(getattr(folded.found, part)).items():
            np.testing.assert_equal(getattr(getattr(columns.found, part), column), values)
    np.testing.assert_array_equal(columns.found.stand_alone, folded.found.stand_alone)
    np.testing.assert_array_equal(columns.found.charges, folded.found.charges)
    rows, every = folded.joint_rows(), np.arange(len(whole.margin_groups))
    assert rows is not None
    np.testing.assert_array_equal(columns.joint_rows(), rows)
    index, known = columns.joint_index(every), folded.joint_index(every)
    assert index is not None
    assert known is not None
    found, expected = columns.joint_worst(index), folded.joint_worst(known)
    assert found is not None
    np.testing.assert_array_equal(found.losses, expected.losses)
    np.testing.assert_array_equal(found.scenarios, expected.scenarios)


def test_numpy_says_the_same() -> None:
    """Not the same bytes: its prices differ by some 1e-14 of the spot, of 100 units and a few positions."""
    native, plain = (sg.Desk(held(), european(), days(33), backend=name) for name in ("native", "numpy"))
    assert rows_of(native) is not None
    assert rows_of(plain) is None
    for desk in (native, plain):
        desk.tick({"underlying": ["P", "R"], "spot": [91.0, 111.0]})
    for name in ("requirement", "worst_scenario", "requirement_zero_offsets", "stand_alone_sum"):
        np.testing.assert_allclose(native.accounts[name], plain.accounts[name], rtol=0.0, atol=1e-8)


def test_they_serve_plain_rows_alone() -> None:
    groups = pd.DataFrame({"underlying": ["P", "Q"], "portfolio_group": ["PQ", "PQ"]})
    together = sg.Desk(held(), european(groups=groups), days(33), backend="native")
    american = [{**row, "style": "american"} if row["symbol"] == "RC90" else row for row in SERIES]
    quotes = [{"symbol": row["symbol"], "vol": 0.3} for row in SERIES]
    early = market([*map(stock, NAMES), *american], SPOTS, quotes)
    tails = sg.Regime(
        "tails",
        sg.ScenarioSet.grid([-0.1, 0.0, 0.1], [0.0]),
        sg.requirement.Tree("margin_group", reducer=sg.requirement.expected_shortfall(0.5)),
    )
    others = [
        together,
        sg.Desk(held(), early, days(33), backend="native"),
        sg.Desk(held(), european(), tails, backend="native"),
        sg.Desk(held(), european(), days(33), backend="numpy"),
    ]
    for desk in others:
        assert rows_of(desk) is None
        assert isinstance(desk._live.sides[0].joint_index(np.arange(2)), JointIndex)
        desk.tick({"underlying": ["P", "R"], "spot": [91.0, 111.0]})
        pd.testing.assert_frame_equal(desk.accounts, full(desk).accounts, check_exact=True)


@few
@given(seed=st.integers(0, 2**31), groups=st.integers(1, 9), scenarios=st.integers(1, 300))
def test_the_worst_of_sums(seed: int, groups: int, scenarios: int) -> None:
    """Against sums of NumPy in the same order, whole numbers among them so that scenarios tie."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, groups)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
    block = _block(int(starts[-1]), scenarios)
    block[:] = rng.integers(-9, 9, block.shape) * rng.choice([1.0, 0.1])
    order = rng.permutation(len(block))
    addresses = np.uint64(block.ctypes.data) + np.uint64(block.strides[0]) * order.astype(np.uint64)
    total = np.zeros((groups, scenarios))
    for group in range(groups):
        for row in order[starts[group] : starts[group + 1]]:
            total[group] += block[row, :scenarios]
    expected = worst(total)
    for name in SETS:
        losses, places = NativeBackend(name).worst_of_sums(starts, addresses, scenarios)
        assert losses.tobytes() == expected.losses.tobytes()
        np.testing.assert_array_equal(places, expected.scenarios)


def test_sums_beyond_float64_are_refused() -> None:
    block = _block(2, 9)
    block[:] = np.array([[np.inf], [-np.inf]])
    rows = block.ctypes.data + block.strides[0] * np.arange(2, dtype=np.uint64)
    with pytest.raises(InputError, match="float64"):
        NativeBackend().worst_of_sums(np.array([0, 2]), rows.astype(np.uint64), 9)


def test_the_index_of_some_margin_groups() -> None:
    """Four margin groups: of two of them the rows in canonical order, none for the one that holds nothing."""
    desk = sg.Desk(held(), european(), days(33), backend="native")
    side, rows = desk._live.sides[0], rows_of(desk)
    assert rows is not None
    index = side.joint_index(np.array([1, 3]))
    assert isinstance(index, JointLeaves)
    own = np.flatnonzero(side.found.leaves.margin_groups == 1)
    assert index.starts.tolist() == [0, len(own), len(own)]
    np.testing.assert_array_equal(index.addresses, rows.addresses[own])
    found = side.joint_worst(index)
    assert found is not None
    expected = worst(rows.sums())
    np.testing.assert_array_equal(found.losses, expected.losses[[1, 3]])
    assert found.losses[1] == 0.0

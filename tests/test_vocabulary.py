"""The vocabulary of regimes by itself: reducers, contingency matching, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from books import book, market, option, requirement, stock
from hypothesis import given, settings
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.requirement.fold import Rows, gathered
from shockgrid.requirement.tree import offset_gains

EXACT = 1e-9


def test_worst_takes_the_first_of_equals_and_is_not_negative() -> None:
    reduced = sg.requirement.worst(np.array([[1.0, -2.0, -2.0], [3.0, 4.0, 5.0]]))
    assert reduced.losses.tolist() == [2.0, 0.0]
    assert reduced.scenarios.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("level", "expected"),
    # losses 50, 40, 30, 20, 10: the worst fifth is one of them, the worst half two and half of the third
    [(0.8, 50.0), (0.6, 45.0), (0.5, (50 + 40 + 0.5 * 30) / 2.5), (0.0, 30.0), (0.9, 50.0)],
)
def test_expected_shortfall_by_hand(level: float, expected: float) -> None:
    pnl = -np.array([[10.0, 50.0, 20.0, 40.0, 30.0]])
    reduced = sg.requirement.expected_shortfall(level)(pnl)
    assert reduced.losses[0] == pytest.approx(expected, abs=EXACT)
    assert reduced.scenarios[0] == 1


def test_an_only_child_keeps_its_row_to_the_last_bit() -> None:
    """Flat rows and -0.0 included, as where the transform is called."""
    pnl = np.array([[1.0, -2.0, 0.0], [0.0, 0.0, 0.0], [-0.0, 3.0, -1e-9]])
    child, offsets = Rows("A", np.array([0, 2, 5]), pnl), {("product", "P"): 0.9}
    kept, found = (
        gathered([child], "class_group", "P", transform, offsets)
        for transform in (offset_gains, lambda rows, node: offset_gains(rows, node))
    )
    assert (kept.name, kept.margin_groups.tolist()) == (found.name, found.margin_groups.tolist())
    assert kept.pnl.tobytes() == found.pnl.tobytes()


DAYS = (10, 40, 90)


@pytest.mark.parametrize(
    ("level", "expected"), [(0.75, [0, 1, 0, 0]), (0.5, [0.5, 0.5, 0, 0]), (0.375, [0.4, 0.4, 0.2, 0])]
)
def test_shares_of_an_expected_shortfall_by_hand(level: float, expected: list[float]) -> None:
    """Of four scenarios the worst 1, 2 and 2.5; of the last, half of one in two and a half."""
    pnl = np.array([[-3.0, -5.0, 1.0, 2.0]])
    shares = sg.requirement.expected_shortfall(level).shares(pnl)
    assert shares[0].tolist() == pytest.approx(expected)
    assert -(shares * pnl).sum() == pytest.approx(sg.requirement.expected_shortfall(level)(pnl).losses[0])


SERIES = [option(f"{right}{day}", "X", right, 100.0, day) for right in "CP" for day in DAYS]
PRICED = market([stock("X"), *SERIES], {"X": 50.0}, [{"symbol": row["symbol"], "vol": 0.3} for row in SERIES])


def uncovered(sizes: dict[str, float], right: str) -> float:
    """Units of short options that stay uncovered: the latest long covers first, one short at a time."""
    shorts = [(day, -100.0 * sizes.get(f"{right}{day}", 0)) for day in sorted(DAYS, reverse=True)]
    longs = {day: 100.0 * max(sizes.get(f"{right}{day}", 0), 0) for day in DAYS}
    left = 0.0
    for day, units in shorts:
        for later in sorted((late for late in DAYS if late >= day), reverse=True):
            used = min(max(units, 0.0), longs[later])
            units, longs[later] = units - used, longs[later] - used
        left += max(units, 0.0)
    shares = sizes.get("X", 0) * (1 if right == "C" else -1)
    return max(left - max(shares, 0), 0.0)


@settings(max_examples=60)
@given(
    sizes=st.dictionaries(
        st.sampled_from([row["symbol"] for row in SERIES]), st.integers(-9, 9).filter(bool), max_size=6
    ),
    shares=st.integers(-1500, 1500),
    lot=st.sampled_from([1.0, 0.003]),
)
def test_contingency_matches_like_the_slow_obvious_way(
    sizes: dict[str, int], shares: int, lot: float
) -> None:
    """Whole units and parts of units."""
    held = {symbol: lot * size for symbol, size in {**sizes, "X": shares}.items()}
    rows = [("A", symbol, size) for symbol, size in held.items()]
    regime = sg.house(spot=[0.0], vol=[0.0], concentrated=False, contingency_rate=0.01)
    line = requirement(sg.margin(book(rows), PRICED, regime), column="contingency")
    assert line == pytest.approx(0.01 * 50.0 * (uncovered(held, "C") + uncovered(held, "P")), abs=EXACT)


def test_odd_lots_and_adjusted_deliverables_count_in_units() -> None:
    """250 shares cover 2.5 contracts; a contract for 150 shares needs 150."""
    adjusted = option("C150", "X", "C", 100.0, 10, units_per_contract=150)
    priced = market([stock("X"), adjusted], {"X": 50.0}, [{"symbol": "C150", "vol": 0.3}])
    regime = sg.house(spot=[0.0], vol=[0.0], concentrated=False, contingency_rate=0.01)
    result = sg.margin(book([("A", "C150", -2), ("A", "X", 250)]), priced, regime)
    assert requirement(result, column="contingency") == pytest.approx(0.01 * 50 * (300 - 250), abs=EXACT)


def test_what_makes_no_sense_is_refused() -> None:
    grid = sg.ScenarioSet.grid([0.1])
    for wrong in (
        lambda: sg.requirement.Tree("account"),
        lambda: sg.requirement.Tree(transforms={"margin_group": sg.requirement.offset_gains}),
        lambda: sg.requirement.AddOn("x", lambda context: np.zeros(1), "sometimes"),
        lambda: sg.Regime("x", sg.ScenarioSet.points([0.1], tag="other")),
        lambda: sg.Regime("x", grid, side="nowhere"),
        lambda: sg.Program(None, None),
        lambda: sg.requirement.expected_shortfall(1.0),
    ):
        with pytest.raises(sg.InputError):
            wrong()


def test_a_zero_weight_scenario_counts_nothing_and_half_a_weight_half() -> None:
    half = sg.ScenarioSet.points([-0.2, -0.1], weight=[0.5, 1.0])
    result = sg.margin(book([("A", "X", 10)]), PRICED, sg.Regime("weighted", half))
    assert result.scenarios("A")["pnl"].to_numpy() == pytest.approx([-50.0, -50.0], abs=EXACT)
    assert requirement(result, column="worst_scenario") == 0

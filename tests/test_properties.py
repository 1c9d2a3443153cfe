"""What must hold for any book: scaling, order, splitting, flat pairs, nested grids, longs, merging."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, stock
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import shockgrid as sg

# sums of a few dozen P&L of up to 1e6 in another order differ by rounding only
ROUNDING = 1e-6

NAMES = ("X", "Y", "Z")
SERIES = [
    option(f"{name}{right}{strike}_{days}", name, right, strike, days)
    for name in NAMES
    for right in "CP"
    for strike in (90, 110)
    for days in (0.5, 45)
]
SYMBOLS = [*NAMES, *(row["symbol"] for row in SERIES)]
PRICED = market(
    [*(stock(name) for name in NAMES), *SERIES],
    {
        "X": 100.0,
        "Y": {"spot": 95.0, "portfolio_type": "broad_index"},
        "Z": {"spot": 105.0, "portfolio_type": "broad_index"},
    },
    [{"symbol": row["symbol"], "vol": 0.2 + 0.01 * k} for k, row in enumerate(SERIES)],
    groups=pd.DataFrame({"underlying": ["Y", "Z"], "product_group": ["YZ", "YZ"]}),
    offsets=pd.DataFrame([{"level": "product", "group": "YZ", "offset_dec": 0.5}]),
)
SMALL = {"spot": [-0.2, -0.1, 0.0, 0.1, 0.2], "vol": [-0.3, 0.0, 0.3]}
REGIMES = {
    "tims": sg.tims(),
    "house": sg.house(**SMALL),
    "house joint": sg.house(**SMALL, joint=True),
    "shortfall": sg.Regime(
        "shortfall",
        sg.ScenarioSet.grid(**SMALL),
        sg.requirement.Tree(
            "portfolio_group",
            {"class_group": sg.requirement.offset_gains},
            sg.requirement.expected_shortfall(0.8),
        ),
    ),
}
HOLDINGS = st.dictionaries(
    st.sampled_from(SYMBOLS), st.integers(-50, 50).filter(bool), min_size=1, max_size=8
)
regimes = pytest.mark.parametrize("regime", REGIMES.values(), ids=REGIMES.keys())
few = settings(max_examples=25)


def rows(holdings: dict[str, Any], account: str = "A") -> list[tuple[str, str, float]]:
    return [(account, symbol, quantity) for symbol, quantity in holdings.items()]


def figures(held: sg.Book, regime: sg.Regime) -> pd.Series:
    return sg.margin(held, PRICED, regime).accounts.iloc[0]


@regimes
@few
@given(holdings=HOLDINGS, factor=st.integers(2, 20))
def test_it_scales_with_the_book(regime: sg.Regime, holdings: dict[str, int], factor: int) -> None:
    one = figures(book(rows(holdings)), regime)
    many = figures(book(rows({symbol: factor * size for symbol, size in holdings.items()})), regime)
    for column in ("requirement", "stand_alone_sum", "minimum", "contingency"):
        assert many[column] == pytest.approx(factor * one[column], abs=ROUNDING)


@regimes
@few
@given(holdings=HOLDINGS, data=st.data())
def test_order_and_splitting_do_not_matter(
    regime: sg.Regime, holdings: dict[str, int], data: st.DataObject
) -> None:
    whole = sg.margin(book(rows(holdings)), PRICED, regime)
    shuffled = data.draw(st.permutations(rows(holdings)))
    again = sg.margin(book(shuffled), PRICED, regime)
    pd.testing.assert_frame_equal(whole.accounts, again.accounts, check_exact=True)
    lots = [(account, symbol, part) for account, symbol, size in shuffled for part in (size - 1, 1)]
    summed = sg.margin(book(lots, lots=True), PRICED, regime)
    pd.testing.assert_frame_equal(whole.accounts, summed.accounts, check_exact=True)


@regimes
@few
@given(holdings=HOLDINGS, symbol=st.sampled_from(SYMBOLS), size=st.integers(1, 100))
def test_a_flat_pair_changes_nothing(
    regime: sg.Regime, holdings: dict[str, int], symbol: str, size: int
) -> None:
    accounts = [{"account": name, "cash": 0.0, "margin_group": "M"} for name in ("A", "B", "C")]
    alone = figures(book(rows(holdings), accounts), regime)
    pair = [("B", symbol, size), ("C", symbol, -size)]
    with_pair = figures(book([*rows(holdings), *pair], accounts), regime)
    assert with_pair["requirement"] == pytest.approx(alone["requirement"], abs=ROUNDING)


@few
@given(holdings=HOLDINGS, more=st.lists(st.floats(-0.9, 0.9), min_size=1, max_size=4), joint=st.booleans())
def test_a_grid_that_contains_another_never_asks_less(
    holdings: dict[str, int], more: list[float], joint: bool
) -> None:
    held = book(rows(holdings))
    coarse = figures(held, sg.house(**SMALL, joint=joint))
    fine = figures(held, sg.house(spot=[*SMALL["spot"], *more], vol=SMALL["vol"], joint=joint))
    assert fine["requirement"] >= coarse["requirement"] - ROUNDING


@regimes
@few
@given(holdings=HOLDINGS)
def test_long_options_lose_no_more_than_they_are_worth(regime: sg.Regime, holdings: dict[str, int]) -> None:
    long = {symbol: abs(size) for symbol, size in holdings.items() if symbol not in NAMES}
    assume(long)
    row = figures(book(rows(long)), regime)
    scan = row["stand_alone_sum"] + row["hedge_benefit"] + row["offset_benefit"]
    assert scan <= row["equity_at_model"] + ROUNDING


@regimes
@few
@given(first=HOLDINGS, second=HOLDINGS)
def test_two_books_together_never_scan_more_than_apart(
    regime: sg.Regime, first: dict[str, int], second: dict[str, int]
) -> None:
    accounts = [{"account": name, "cash": 0.0, "margin_group": "M"} for name in ("A", "B")]
    both = [*rows(first), *rows(second, "B")]
    apart = [figures(book(rows(part)), regime) for part in (first, second)]
    joined = figures(book(both, accounts), regime)

    def scan(row: pd.Series) -> float:
        return float(row["stand_alone_sum"] + row["hedge_benefit"] + row["offset_benefit"])

    assert scan(joined) <= sum(scan(row) for row in apart) + ROUNDING


@regimes
@few
@given(holdings=HOLDINGS)
def test_the_lines_add_up_and_benefits_are_not_costs(regime: sg.Regime, holdings: dict[str, int]) -> None:
    row = figures(book(rows(holdings)), regime)
    lines = ["stand_alone_sum", "hedge_benefit", "offset_benefit", "minimum", "concentration", "contingency"]
    assert row[lines].sum() == pytest.approx(row["requirement"], abs=ROUNDING)
    assert row["requirement"] >= 0.0
    assert row["hedge_benefit"] <= ROUNDING
    assert row["offset_benefit"] <= ROUNDING
    assert row[["minimum", "concentration", "contingency"]].min() >= 0.0
    assert row["requirement_zero_offsets"] >= row["requirement"] - ROUNDING


@few
@given(holdings=HOLDINGS, shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_greater_offset_never_asks_more(holdings: dict[str, int], shares: tuple[float, float]) -> None:
    from dataclasses import replace

    held = book(rows(holdings))
    asked = [
        sg.margin(held, replace(PRICED, offsets={("product", "YZ"): share}), sg.tims()).accounts
        for share in sorted(shares)
    ]
    assert asked[1]["requirement"].iloc[0] <= asked[0]["requirement"].iloc[0] + ROUNDING


def test_no_shock_is_no_loss() -> None:
    """Zero shock is exactly zero, at any vol and time, in every class group."""
    still = sg.Regime("still", sg.ScenarioSet.grid([0.0], [0.0]))
    result = sg.margin(book(rows(dict.fromkeys(SYMBOLS, 7))), PRICED, still)
    assert np.all(result.scenarios("A")["pnl"].to_numpy() == 0.0)
    assert not np.signbit(result.scenarios("A")["pnl"].to_numpy()).any()

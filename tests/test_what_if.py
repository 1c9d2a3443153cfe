"""What-if: equal to margining the book with the orders in it, and to sizes found one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from books import book, market, option, stock
from desk_world import REGIMES, held, priced
from hypothesis import given, settings
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.backends import NumpyBackend

CALL = "XC"
PLAIN = market(
    [stock("X"), stock("Y"), option(CALL, "X", "C", 100.0, 30)],
    {"X": 100.0, "Y": 50.0},
    [{"symbol": CALL, "vol": 0.3, "mark": 3.5}],
)
CENT = 0.005
BACKEND = NumpyBackend()


def desk(holdings: list[tuple[str, str, float]], cash: float) -> sg.Desk:
    owners = {name for name, _, _ in holdings} | {"A"}
    rows = [{"account": name, "cash": cash} for name in sorted(owners)]
    return sg.Desk(book(holdings, rows), PLAIN, sg.tims(), backend=BACKEND)


def figures(holdings: list[tuple[str, str, float]], cash: float) -> pd.Series:
    held_by = book(holdings, [{"account": "A", "cash": cash}])
    return sg.margin(held_by, PLAIN, sg.tims(), backend=BACKEND).accounts.iloc[0]


def test_an_order_is_what_the_book_with_it_asks() -> None:
    """100 shares at 100 under -15 .. +15 % ask 1,500; with two calls short at 3.50, which bring in 700,
    the figures are those of the book with 700 more cash and the calls in it."""
    before, orders = [("A", "X", 100.0)], [{"symbol": CALL, "quantity": -2.0, "price": 3.5}]
    live = desk(before, 5_000.0)
    state = live.accounts
    told = live.what_if("A", orders).frame.iloc[0]
    assert told["requirement_before"] == pytest.approx(1500.0, abs=CENT)
    expected = figures([*before, ("A", CALL, -2.0)], 5_700.0)
    for name in ("exchange_requirement", "requirement", "equity_at_marks", "excess"):
        assert told[f"{name}_after"] == expected[name]
    assert told["premium"] == pytest.approx(700.0, abs=CENT)
    pd.testing.assert_frame_equal(live.accounts, state, check_exact=True)


@pytest.mark.parametrize("regime", REGIMES.values(), ids=REGIMES.keys())
def test_a_what_if_is_the_trade_itself(regime: Any) -> None:
    live = sg.Desk(held(), priced(), regime, backend=BACKEND)
    fill = {"account": "A1", "symbol": "XC90_3.0", "quantity": 4.0, "price": 11.0}
    told = live.what_ifs(pd.DataFrame([{"case": "one", **fill}, {"case": "two", **fill, "quantity": -4.0}]))
    live.trade(pd.DataFrame([fill]))
    row = live.accounts.set_index("margin_group").loc[told["margin_group"].iloc[0]]
    for name in ("exchange_requirement", "house_requirement", "requirement", "equity_at_marks", "excess"):
        assert told[f"{name}_after"].iloc[0] == row[name] or pd.isna(row[name])


def test_the_largest_order_may_lie_beyond_sizes_that_do_not_fit() -> None:
    """100 shares short at 100 with 10,500 of cash: equity 500, and |n - 100| x 15 <= 500 for n shares more,
    so that 67 .. 133 do and none at all does not."""
    live = desk([("A", "X", -100.0)], 10_500.0)
    assert live.accounts["excess"].iloc[0] < 0.0
    assert live.max_size("A", "X", "buy") == 133
    assert live.max_size("A", "X", "sell") == 0


@settings(max_examples=5, deadline=None)
@given(
    shares=st.integers(-40, 40).filter(bool),
    calls=st.integers(-3, 3),
    cash=st.integers(-4_000, 9_000),
    side=st.sampled_from(["buy", "sell"]),
    symbol=st.sampled_from(["X", CALL]),
)
def test_sizes_are_those_found_one_by_one(shares: int, calls: int, cash: int, side: str, symbol: str) -> None:
    holdings = [("A", "X", float(shares))] + [("A", CALL, float(calls))] * (calls != 0)
    live, most = desk(holdings, float(cash)), 30
    sign = 1.0 if side == "buy" else -1.0
    orders = [
        {"case": str(size), "account": "A", "symbol": symbol, "quantity": sign * size}
        for size in range(1, most + 1)
    ]
    fits = live.what_ifs(pd.DataFrame(orders))["excess_after"].to_numpy() >= 0.0
    assert live.max_size("A", symbol, side, largest=most) == max(
        (size for size, fit in zip(range(1, most + 1), fits, strict=True) if fit), default=0
    )


def test_working_orders_count_where_they_hurt() -> None:
    """A buy of 100 Y beside 100 X asks 15 % of 5,000 more; the sell of X that frees 1,500 does not count."""
    live = desk([("A", "X", 100.0)], 0.0)
    orders = [{"symbol": "X", "quantity": -100.0}, {"symbol": "Y", "quantity": 100.0}]
    told = live.working_orders("A", orders).set_index(["class_group", "filled"])
    assert told.loc[("", "worst"), "requirement_after"] == pytest.approx(1500.0 + 750.0, abs=CENT)
    assert told.loc[("X", "sells"), "requirement_after"] == pytest.approx(0.0, abs=CENT)


def test_what_cannot_be_booked_is_refused_by_name() -> None:
    live = desk([("A", "X", 1.0)], 0.0)
    with pytest.raises(sg.InputError, match="symbol"):
        live.what_if("A", [{"symbol": "nothing", "quantity": 1.0}])
    with pytest.raises(sg.InputError, match="account"):
        live.what_if("B", [{"symbol": "X", "quantity": 1.0}])
    with pytest.raises(sg.InputError, match="account"):
        live.what_if(["A"], [{"symbol": "X", "quantity": 1.0}])  # type: ignore[arg-type]
    with pytest.raises(sg.InputError, match="buy or sell"):
        live.max_size("A", "X", "hold")
    two = desk([("A", "X", 1.0), ("B", "X", 1.0)], 0.0)
    rows = pd.DataFrame([{"case": "c", "account": name, "symbol": "X", "quantity": 1.0} for name in "AB"])
    with pytest.raises(sg.InputError, match="one margin group"):
        two.what_ifs(rows)


def test_an_account_in_doubt_stays_in_doubt() -> None:
    live = desk([("A", "X", 1.0)], 0.0)
    doubtful = replace(live.book, partial=frozenset({"A"}))
    again = sg.Desk(doubtful, PLAIN, sg.tims(), backend=BACKEND)
    assert again.what_if("A", [{"symbol": "X", "quantity": 1.0}]).after.requirement > 0.0


def test_any_text_names_a_case_and_an_unknown_account_is_told() -> None:
    live = sg.Desk(held(), priced(), sg.house())
    account = live.book.accounts["account"].iloc[0]
    order = {"account": account, "symbol": "X", "quantity": 1.0}
    told = live.what_ifs(pd.DataFrame([{"case": "", **order}, {"case": "1", **order}]))
    assert told["case"].tolist() == ["", "1"]
    assert told["requirement_after"].iloc[0] == told["requirement_after"].iloc[1]
    with pytest.raises(sg.InputError, match="expected an account"):
        live.what_ifs(pd.DataFrame([{"case": "1", **order, "account": "nobody"}]))

"""What-ifs to the last byte: each figure is that of ``margin()`` over the book with the orders in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from desk_world import ACCOUNTS, HOUSE, NAMES, REGIMES, SMALL, SYMBOLS, apply, held, priced
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.backends import NumpyBackend, get_backend
from shockgrid.requirement.add_ons import concentration, contingency
from shockgrid.requirement.overrides import Overrides, overridden
from shockgrid.requirement.reducers import expected_shortfall
from shockgrid.requirement.tree import Tree, offset_gains

PLAIN, BEST = NumpyBackend(), get_backend("auto")
FIGURES = ("exchange_requirement", "house_requirement", "requirement", "equity_at_marks", "excess")
GRID = sg.ScenarioSet.grid(**SMALL)
WIDE = GRID + sg.ScenarioSet.points([-0.3, 0.3], tag="concentration_wide")
ONE_ACCOUNT = Overrides.from_frame(
    pd.DataFrame(
        [
            ("account:A0", "requirement_factor", 1.5, "2026-01-01", "2027-01-01", "J. Doe", "one name"),
            ("margin_group:M1", "requirement_addition", 77.0, "2026-01-01", "2027-01-01", "J. Doe", "new"),
        ],
        columns=["scope", "parameter", "value", "from", "until", "who", "why"],
    )
)
MORE: dict[str, Any] = {
    **REGIMES,
    "by product": sg.Regime(
        "by product",
        WIDE + sg.ScenarioSet.points([-0.05, 0.05], tag="concentration_narrow"),
        Tree("product_group", {"class_group": offset_gains}, minimum_per_unit=0.375),
        (concentration(1), contingency(0.01, "floor")),
    ),
    "tail": sg.Regime(
        "tail",
        GRID,
        Tree(
            "margin_group",
            {"portfolio_group": offset_gains, "class_group": offset_gains},
            expected_shortfall(0.7),
            minimum_per_unit=0.375,
        ),
    ),
    "currencies": sg.tims(account="broker_dealer"),
    "overrides": overridden(HOUSE, ONE_ACCOUNT),
    "overrides by expiry": overridden(REGIMES["by expiry"], ONE_ACCOUNT),
}
TRADED = [symbol for symbol in SYMBOLS if symbol in set(priced().instruments.symbols)]
ORDERS = st.builds(
    lambda account, symbol, quantity, price: {
        "account": account,
        "symbol": symbol,
        "quantity": quantity,
        "price": price,
    },
    st.sampled_from([row["account"] for row in ACCOUNTS]),
    st.sampled_from(TRADED),
    st.one_of(st.integers(-9, 9).map(float), st.floats(-5.0, 5.0)),
    st.floats(0.01, 90.0),
)
UPDATES = st.one_of(
    st.builds(lambda factor: ("tick", {"underlying": "X", "spot": 100.0 * factor}), st.floats(0.9, 1.1)),
    st.builds(lambda cash: ("deposit", ("A1", cash)), st.floats(-1e4, 1e4)),
    st.builds(lambda fill: ("trade", fill), ORDERS),
)


def booked(live: sg.Desk, orders: list[dict[str, Any]], regime: Any, backend: Any) -> pd.DataFrame:
    """The accounts frame of the whole firm with the orders in its book, from nothing."""
    other = sg.Desk(live.book, live.market, regime, backend=backend)
    other.trade(pd.DataFrame(orders))
    return sg.margin(other.book, other.market, regime, backend=backend).accounts.set_index("margin_group")


def same_bytes(told: Any, row: pd.Series, suffix: str = "_after") -> None:
    for name in FIGURES:
        pair = np.array([told[f"{name}{suffix}"], row[name]], np.float64).view(np.int64)
        assert pair[0] == pair[1] or np.isnan([told[f"{name}{suffix}"], row[name]]).all(), name


CASES = [(name, BEST) for name in MORE] + [(name, PLAIN) for name in ("policy", "by product", "tail")]


@pytest.mark.parametrize(("name", "backend"), CASES, ids=[f"{name}, {given.name}" for name, given in CASES])
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_orders_cost_what_the_book_with_them_does(name: str, backend: Any, data: Any) -> None:
    """One order, several, the same again in one position; after an update of the desk as well."""
    regime = MORE[name]
    live = sg.Desk(held(), priced(), regime, backend=backend)
    orders = data.draw(st.lists(ORDERS, min_size=1, max_size=3))
    group = next(row["margin_group"] for row in ACCOUNTS if row["account"] == orders[0]["account"])
    members = [row["account"] for row in ACCOUNTS if row["margin_group"] == group]
    several = [{**order, "account": members[k % len(members)]} for k, order in enumerate(orders)]
    cases = {"one": orders[:1], "several": several, "twice": [orders[0], orders[0]]}
    frame = pd.DataFrame([{"case": case, **order} for case, own in cases.items() for order in own])
    live.what_ifs(frame)  # what it remembers must not outlive the update
    apply(live, data.draw(UPDATES))
    before = live.accounts.set_index("margin_group")
    told = live.what_ifs(frame).set_index("case")
    assert told.index.tolist() == list(cases)
    for case, own in cases.items():
        same_bytes(told.loc[case], booked(live, own, regime, backend).loc[group])
        same_bytes(told.loc[case], before.loc[group], "_before")
    pd.testing.assert_frame_equal(live.accounts.set_index("margin_group"), before, check_exact=True)
    plain = [{key: orders[0][key] for key in ("symbol", "quantity", "price")}]
    single = live.what_if(orders[0]["account"], plain).frame
    first = told.loc[["one"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(single, first, check_exact=True, check_dtype=False)


@pytest.mark.parametrize("regime", ["policy", "joint"])
def test_what_nobody_holds_yet_is_priced_for_the_order(regime: str) -> None:
    """An account with cash alone, and a name that nobody has."""
    live_book = sg.Book.from_frames(
        pd.DataFrame([("A", "X", 100.0)], columns=["account", "symbol", "quantity"]),
        pd.DataFrame([("A", 1e4), ("B", 2e4)], columns=["account", "cash"]),
    )
    live = sg.Desk(live_book, priced(), REGIMES[regime])
    for name in (*NAMES, "DC90_3.0", "ZP110_45.0", "BTC-C", "BTC-PERP"):
        order = {"account": "B", "symbol": name, "quantity": -3.0, "price": 5.0}
        told = live.what_ifs(pd.DataFrame([{"case": "c", **order}])).iloc[0]
        same_bytes(told, booked(live, [order], REGIMES[regime], live.backend).loc["B"])


def test_positions_that_cannot_be_priced_stay_what_they_are() -> None:
    """A series that no table names, and a coin future bought at a price of 0; no more of that is booked."""
    rows = [("A", "BTC-PERP", 2.0, 0.0), ("A", "X", 5.0, 90.0), ("A", "Y261218C00100000", -1.0, 1.0)]
    book = sg.Book.from_frames(
        pd.DataFrame(rows, columns=["account", "symbol", "quantity", "price_paid"]),
        pd.DataFrame([("A", 1e6)], columns=["account", "cash"]),
    )
    live = sg.Desk(book, priced(), sg.tims())
    sale = {"account": "A", "symbol": "X", "quantity": -8.0, "price": 101.0}
    more = {"account": "A", "symbol": "BTC-PERP", "quantity": 3.0, "price": 60_000.0}
    with np.errstate(divide="ignore", invalid="ignore"):  # a price of 0 is worth -1 / 0 coin
        told = live.what_ifs(pd.DataFrame([{"case": "c", **sale}])).iloc[0]
        same_bytes(told, booked(live, [sale], sg.tims(), live.backend).loc["A"])
    assert told["requirement_after"] > 0.0
    with pytest.raises(sg.InputError, match="bought at a price of 0"):
        live.what_ifs(pd.DataFrame([{"case": "c", **more}]))


@pytest.mark.parametrize("name", ["policy", "by product", "tail"])
def test_the_first_position_of_a_firm_that_holds_nothing(name: str) -> None:
    nobody = pd.DataFrame({"account": [], "symbol": [], "quantity": np.zeros(0)}, dtype=object)
    accounts = pd.DataFrame([("B", 1e5)], columns=["account", "cash"])
    live = sg.Desk(sg.Book.from_frames(nobody.astype({"quantity": float}), accounts), priced(), MORE[name])
    order = {"account": "B", "symbol": "X", "quantity": -3.0, "price": 5.0}
    told = live.what_ifs(pd.DataFrame([{"case": "c", **order}])).iloc[0]
    same_bytes(told, booked(live, [order], MORE[name], live.backend).loc["B"])
    assert live.working_orders("B", [{"symbol": "X", "quantity": 0.0}]).empty


@pytest.mark.parametrize("name", ["tail", "joint"])
def test_a_second_portfolio_group_is_offset_against_the_first(name: str) -> None:
    """Nothing is cut off a gain that is alone, and part of it as soon as a second name is there."""
    rows = pd.DataFrame([("A", "DC110_45.0", 9.0)], columns=["account", "symbol", "quantity"])
    accounts = pd.DataFrame([("A", 1e5), ("B", 1e5)], columns=["account", "cash"])
    live = sg.Desk(sg.Book.from_frames(rows, accounts), priced(), MORE[name])
    for account, symbol in (("A", "XC90_3.0"), ("B", "Y"), ("B", "X")):
        order = {"account": account, "symbol": symbol, "quantity": -3.0, "price": 86.0}
        told = live.what_ifs(pd.DataFrame([{"case": "c", **order}])).iloc[0]
        live.trade(pd.DataFrame([order]))
        full = sg.margin(live.book, live.market, MORE[name]).accounts
        pd.testing.assert_frame_equal(live.accounts, full, check_exact=True)
        same_bytes(told, full.set_index("margin_group").loc[account])


@pytest.mark.parametrize("name", ["policy", "by product"])
def test_many_cases_are_cut_into_parts_that_change_no_byte(name: str, monkeypatch: Any) -> None:
    """Every account in every symbol, some twice, with limits of a few positions at a time and without."""
    live = sg.Desk(held(), priced(), MORE[name])
    pairs = [(row["account"], symbol) for row in ACCOUNTS for symbol in TRADED]
    rows = [
        {"account": account, "symbol": symbol, "quantity": 2.0 - 3.0 * (place % 2), "price": 7.0}
        for place, (account, symbol) in enumerate(pairs)
    ]
    cases = [{"case": str(place), **row} for place, row in enumerate(rows)]
    frame = pd.DataFrame(cases + cases[::3])
    whole = live.what_ifs(frame)
    monkeypatch.setattr("shockgrid.desk.what_if.POSITIONS_AT_ONCE", 40)
    monkeypatch.setattr("shockgrid.desk.unit_rows.KEPT_ELEMENTS", 100)
    monkeypatch.setattr("shockgrid.desk.unit_rows.SUMMED_ELEMENTS", 300)
    pd.testing.assert_frame_equal(live.what_ifs(frame), whole, check_exact=True)
    alone = booked(live, [rows[5]], MORE[name], live.backend)
    same_bytes(whole.iloc[5], alone.loc[whole["margin_group"][5]])


def test_the_premium_is_what_the_orders_bring_in() -> None:
    """Three shares sold at 10 and one share bought at 4 bring in 26."""
    live = sg.Desk(held(), priced(), HOUSE)
    orders = [
        {"symbol": "X", "quantity": -3.0, "price": 10.0},
        {"symbol": "Y", "quantity": 1.0, "price": 4.0},
    ]
    assert live.what_if("A0", orders).premium == pytest.approx(26.0, abs=1e-9)


@pytest.mark.parametrize(
    ("order", "column"),
    [
        ({"symbol": "X", "quantity": float("nan")}, "quantity"),
        ({"symbol": "X", "quantity": "many"}, "quantity"),
        ({"symbol": "X", "quantity": True}, "quantity"),
        ({"symbol": "X", "quantity": 1e12}, "quantity"),
        ({"symbol": "X", "quantity": 1.0, "price": -1.0}, "price"),
        ({"symbol": "BTC-PERP", "quantity": 1.0, "price": 0.0}, "price"),
        ({"symbol": None, "quantity": 1.0}, "symbol"),
        ({"quantity": 1.0}, "symbol"),
        ({"symbol": "X", "quantity": 1.0, "prise": 3.0}, "prise"),
        ({"symbol": "X", "quantity": 1.0, "account": "A1"}, "account"),
    ],
)
def test_a_bad_order_is_refused_by_its_column(order: dict[str, Any], column: str) -> None:
    live = sg.Desk(held(), priced(), HOUSE)
    with pytest.raises(sg.InputError) as caught:
        live.what_if("A0", [order])
    assert caught.value.column == column


def test_symbols_and_numbers_may_be_spelled_in_other_ways() -> None:
    live = sg.Desk(held(), priced(), HOUSE)
    plain = live.what_if("A0", [{"symbol": "X", "quantity": 2}])
    assert plain.premium == pytest.approx(-200.0, abs=1e-9)
    for order in ({"symbol": " X ", "quantity": "2"}, {"symbol": "X", "quantity": 2, "price": None}):
        again = live.what_if("A0", [order]).frame
        pd.testing.assert_frame_equal(again, plain.frame, check_exact=True)

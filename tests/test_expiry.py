"""What expiring options turn into: by the rule, by hand, and against one slow loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, market, option, requirement, stock
from hypothesis import given, settings
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.desk.expiry import PIN_BAND, THRESHOLD

CENT = 0.005

PHYSICAL: dict[str, Any] = {"style": "american", "settlement_kind": "physical"}
HOUR = 1.0 / 24.0


def expiring(*options: dict[str, Any], spot: float = 100.5, **more: Any) -> sg.Market:
    """XYZ, options an hour before they expire, and one that lives on."""
    rest = option("LATER", "XYZ", "C", 100.0, 30)
    quotes = [{"symbol": row["symbol"], "vol": 0.2} for row in (*options, rest)]
    return market([stock("XYZ"), *options, rest], {"XYZ": spot}, quotes, **more)


def call(name: str, strike: float, **more: Any) -> dict[str, Any]:
    return option(name, "XYZ", "C", strike, HOUR, **{**PHYSICAL, **more})


def put(name: str, strike: float, **more: Any) -> dict[str, Any]:
    return option(name, "XYZ", "P", strike, HOUR, **{**PHYSICAL, **more})


def held(*holdings: tuple[str, float], cash: float = 20_000.0) -> sg.Book:
    return book([("A", symbol, count) for symbol, count in holdings], [{"account": "A", "cash": cash}])


def left(done: Any) -> dict[str, float]:
    rows = done.book.positions
    return dict(zip(rows["symbol"], rows["quantity"], strict=True))


def test_the_spread_that_comes_apart() -> None:
    """750 today: 20 contracts at 37.50. Tomorrow 1,000 shares at 100.50: 15 % of 100,500 is 15,075."""
    priced = expiring(call("C100", 100.0), call("C101", 101.0))
    done = sg.after_expiry(held(("C100", 10), ("C101", -10)), priced, {"XYZ": 100.5}, regime=sg.tims())
    row = done.accounts.iloc[0]
    assert row["requirement_before"] == pytest.approx(750.0, abs=CENT)
    assert row["requirement_after"] == pytest.approx(15_075.0, abs=CENT)
    assert (row["cash_before"], row["cash_after"]) == (20_000.0, 20_000.0 - 100_000.0)
    assert row["equity_after"] == pytest.approx(20_000.0 + 10 * 100 * 0.5, abs=CENT)
    assert left(done) == {"XYZ": 1000.0}
    assert done.events["outcome"].tolist() == ["exercised", "lapsed"]
    assert done.events["shares"].tolist() == [1000.0, 0.0]
    assert requirement(sg.margin(done.book, done.market, sg.tims())) == pytest.approx(15_075.0, abs=CENT)


@pytest.mark.parametrize(
    ("spot", "outcomes"),
    [(100.009, ["lapsed", "lapsed"]), (100.01, ["exercised", "lapsed"]), (99.99, ["lapsed", "exercised"])],
)
def test_exercise_by_exception_begins_at_a_cent(spot: float, outcomes: list[str]) -> None:
    """OCC Rule 805: 0.01 in the money; in binary 100.01 - 100 is 0.0100000000000051, 100 - 99.99 the same."""
    done = sg.after_expiry(
        held(("C", 1), ("P", 1)), expiring(call("C", 100.0), put("P", 100.0)), {"XYZ": spot}
    )
    assert done.events["outcome"].tolist() == outcomes


@pytest.mark.parametrize("strike", [0.5, 17.35, 101.0, 262.5, 4_999.0])
@pytest.mark.parametrize("side", [1, -1])
def test_a_cent_is_a_cent_at_any_strike(strike: float, side: int) -> None:
    priced = expiring(call("C", strike), put("P", strike))
    done = sg.after_expiry(held(("C", -1), ("P", -1)), priced, {"XYZ": strike + side * THRESHOLD})
    assert (done.events["outcome"] == "assigned").tolist() == [side > 0, side < 0]


def test_physical_settlement_of_all_four() -> None:
    """Strike 100, settled at 90 and at 110, 2 contracts of each: shares against 20,000 dollars."""
    priced = expiring(call("C", 100.0), put("P", 100.0))
    for symbol, count, spot, shares in (
        ("C", 2, 110.0, 200),
        ("C", -2, 110.0, -200),
        ("P", 2, 90.0, -200),
        ("P", -2, 90.0, 200),
    ):
        done = sg.after_expiry(held((symbol, count)), priced, {"XYZ": spot})
        assert left(done) == {"XYZ": shares}
        assert done.book.accounts["cash"].tolist() == [20_000.0 - shares * 100.0]


def test_delivery_nets_against_what_is_held() -> None:
    """Covered: 200 shares called away leave 50; a flat holding leaves no row of nothing."""
    priced = expiring(call("C", 100.0))
    done = sg.after_expiry(held(("C", -2), ("XYZ", 250), ("LATER", 3)), priced, {"XYZ": 110.0})
    assert left(done) == {"LATER": 3.0, "XYZ": 50.0}
    flat = sg.after_expiry(held(("C", -2), ("XYZ", 200)), priced, {"XYZ": 110.0})
    assert left(flat) == {}


def test_cash_settlement_pays_the_difference() -> None:
    index = {"style": "european", "settlement_kind": "cash"}
    priced = expiring(call("C", 100.0, **index), put("P", 100.0, **index))
    done = sg.after_expiry(held(("C", 3), ("P", -1)), priced, {"XYZ": 107.25})
    assert done.events["cash"].tolist() == [3 * 725.0, 0.0]
    assert left(done) == {}
    assert done.book.accounts["cash"].tolist() == [20_000.0 + 3 * 725.0]


def test_a_series_may_settle_on_a_price_of_its_own() -> None:
    """AM settlement: the opening value is not the close."""
    index = {"style": "european", "settlement_kind": "cash"}
    priced = expiring(call("AM", 100.0, **index), call("PM", 100.0, **index))
    done = sg.after_expiry(held(("AM", 1), ("PM", 1)), priced, {"XYZ": 101.0, "AM": 104.0})
    assert done.events.set_index("symbol")["cash"].to_dict() == {"AM": 400.0, "PM": 100.0}


def test_an_adjusted_contract_delivers_what_it_says() -> None:
    """150 shares and 25 dollars against 100 x 100 dollars: at the money at a spot of 66.50."""
    terms = {"units_per_contract": 150.0, "cash_per_contract": 25.0}
    priced = expiring(call("XYZ1", 100.0, **terms))
    done = sg.after_expiry(held(("XYZ1", 1)), priced, {"XYZ": 70.0})
    assert left(done) == {"XYZ": 150.0}
    assert done.events["cash"].tolist() == [25.0 - 10_000.0]
    assert done.events["in_the_money"].iloc[0] == pytest.approx((150 * 70.0 + 25.0) / 100.0 - 100.0)
    lapsed = sg.after_expiry(held(("XYZ1", 1)), priced, {"XYZ": 66.5})
    assert lapsed.events["outcome"].tolist() == ["lapsed"]


def test_pinned_shorts_may_go_either_way() -> None:
    """Short 10 puts at 100, settled at 100.20: they lapse by the rule; assigned they are 1,000 shares."""
    priced = expiring(put("P", 100.0), spot=100.2)
    done = sg.after_expiry(held(("P", -10)), priced, regime=sg.tims())
    row = done.accounts.iloc[0]
    assert done.events[["outcome", "pinned"]].to_numpy().tolist() == [["lapsed", True]]
    assert row["requirement_after"] == 0.0
    assert row["requirement_after_pins"] == pytest.approx(0.15 * 100_200.0, abs=CENT)
    far = sg.after_expiry(held(("P", -10)), priced, regime=sg.tims(), pin_band=0.001)
    assert far.accounts["requirement_after_pins"].tolist() == [0.0]
    long = sg.after_expiry(held(("P", 10)), priced)
    assert not long.events["pinned"].any(), "the holder of a long knows what he does"
    assert 0.0 < PIN_BAND < 0.05


def test_a_spot_that_moved_drops_old_marks() -> None:
    """At 110 a share is not worth its mark of 100.50; the option that lives on is worth its model value."""
    rows = [stock("XYZ"), call("C", 100.0), option("LATER", "XYZ", "C", 100.0, 30)]
    quotes = [{"symbol": "XYZ", "mark": 100.5}, {"symbol": "C", "vol": 0.2}, {"symbol": "LATER", "mark": 3.0}]
    priced = market(rows, {"XYZ": 100.5}, quotes)
    done = sg.after_expiry(held(("C", 1), ("LATER", 1)), priced, {"XYZ": 110.0}, regime=sg.tims())
    row = done.accounts.iloc[0]
    later = (
        sg.margin(held(("LATER", 1), cash=0.0), done.market, sg.tims()).accounts["equity_at_marks"].iloc[0]
    )
    assert later > 1_000.0, "at least its intrinsic value at 110"
    assert row["equity_after"] == pytest.approx(20_000.0 + 1_000.0 + later, abs=CENT)


def test_accounts_keep_their_own_currency() -> None:
    """A call in dollars paid to an account in euros at 1.25 dollars each."""
    index = {"style": "european", "settlement_kind": "cash"}
    fx = pd.DataFrame([{"currency": "EUR", "rate": 1.25}])
    priced = expiring(call("C", 100.0, **index), fx=fx)
    rows = pd.DataFrame([("A", "C", 1)], columns=["account", "symbol", "quantity"])
    owners = pd.DataFrame([{"account": "A", "cash": 0.0, "currency": "EUR"}])
    done = sg.after_expiry(sg.Book.from_frames(rows, owners), priced, {"XYZ": 110.0})
    assert done.book.accounts["cash"].tolist() == [1_000.0 / 1.25]


def test_a_coin_settled_option_pays_coin() -> None:
    """(110 - 100) / 110 coin a contract of one coin, to an account kept in the coin."""
    terms = {"multiplier": 1.0, "currency": "BTC", "inverse": True, "style": "european"}
    rows = [option("B", "XBT", "C", 100.0, HOUR, **terms)]
    flat = {"underlying": "XBT", "forward": 100.0, "discount_factor": 1.0}
    priced = market(
        rows, {"XBT": 100.0}, [{"symbol": "B", "vol": 0.5}],
        fx=pd.DataFrame([{"currency": "BTC", "rate": 100.0}]),
        forwards=pd.DataFrame([{**flat, "expiry_utc": rows[0]["expiry_utc"]}]),
    )  # fmt: skip
    owners = pd.DataFrame([{"account": "A", "cash": 0.0, "currency": "BTC"}])
    position = pd.DataFrame([("A", "B", 2)], columns=["account", "symbol", "quantity"])
    done = sg.after_expiry(sg.Book.from_frames(position, owners), priced, {"XBT": 110.0})
    assert done.book.accounts["cash"].to_numpy() == pytest.approx([2 * 10.0 / 110.0], abs=1e-9)
    assert done.events["currency"].tolist() == ["BTC"]


def test_nothing_expires_without_a_reason() -> None:
    priced = expiring(call("C", 100.0))
    before = held(("C", 1), ("LATER", 1))
    early = AS_OF.to_pydatetime()
    done = sg.after_expiry(before, priced, until=early, regime=sg.tims())
    assert len(done.events) == len(done.accounts) == 0
    pd.testing.assert_frame_equal(done.book.positions, before.positions, check_dtype=False)
    everything = sg.after_expiry(before, priced, until=(AS_OF + pd.Timedelta(days=31)).to_pydatetime())
    assert everything.events["symbol"].tolist() == ["C", "LATER"]


@pytest.mark.parametrize(
    ("spots", "more", "problem"),
    [
        ({"ABC": 1.0}, {}, "expected an underlying, an option"),
        ({"XYZ": -1.0}, {}, "must be a number > 0"),
        ({"XYZ": float("nan")}, {}, "must be a number > 0"),
        ({}, {"pin_band": 1.5}, "share of the strike"),
        ({}, {"until": pd.Timestamp("2026-11-20")}, "needs its zone"),
    ],
)
def test_what_after_expiry_refuses(spots: dict[str, float], more: dict[str, Any], problem: str) -> None:
    with pytest.raises(sg.InputError, match=problem):
        sg.after_expiry(held(("C", 1)), expiring(call("C", 100.0)), spots, **more)


def test_shares_nobody_priced_make_the_account_partial() -> None:
    rows = [call("C", 100.0)]
    priced = market(rows, {"XYZ": 100.5}, [{"symbol": "C", "vol": 0.2}])
    done = sg.after_expiry(held(("C", 1)), priced, {"XYZ": 110.0})
    assert sg.margin(done.book, done.market, sg.tims()).accounts["reliability"].tolist() == ["PARTIAL"]


@settings(max_examples=8)
@given(
    counts=st.lists(st.integers(-20, 20), min_size=4, max_size=4),
    spot=st.integers(8_000, 12_000).map(lambda cents: cents / 100.0),
)
def test_worth_is_kept(counts: list[int], spot: float) -> None:
    """One slow loop: cash and shares after are what each contract pays and delivers."""
    options = [call("C95", 95.0), call("C105", 105.0), put("P95", 95.0), put("P105", 105.0)]
    names = [row["symbol"] for row in options]
    done = sg.after_expiry(held(*zip(names, counts, strict=True)), expiring(*options), {"XYZ": spot})
    cash, shares = 20_000.0, 0.0
    for row, count in zip(options, counts, strict=True):
        side = 1.0 if row["right"] == "C" else -1.0
        if round(side * (spot - row["strike"]), 6) >= 0.01:
            cash -= side * count * 100.0 * row["strike"]
            shares += side * count * 100.0
    assert done.book.accounts["cash"].to_numpy() == pytest.approx([cash], abs=CENT)
    assert left(done) == ({"XYZ": shares} if shares else {})
    assert np.isfinite(done.events["in_the_money"]).all()


def test_cash_of_a_margin_group_in_two_currencies() -> None:
    """100 dollars and 100 euros at 1.25 are 225 dollars; a put of 5 dollars a share takes 500."""
    rows = [
        {"account": "A", "cash": 100.0, "margin_group": "G", "currency": "USD"},
        {"account": "B", "cash": 100.0, "margin_group": "G", "currency": "EUR"},
    ]
    priced = expiring(
        put("P", 105.5, settlement_kind="cash"), fx=pd.DataFrame([{"currency": "EUR", "rate": 1.25}])
    )
    done = sg.after_expiry(book([("B", "P", -1)], rows), priced, {"XYZ": 100.5})
    row = done.accounts.iloc[0]
    assert (row["currency"], row["cash_before"]) == ("USD", 225.0)
    assert row["cash_after"] == pytest.approx(225.0 - 500.0, abs=1e-9)
    assert done.book.accounts["cash"].tolist() == pytest.approx([100.0, 100.0 - 400.0], abs=1e-9)

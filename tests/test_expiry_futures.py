"""Futures at expiry, and options that are exercised into them: by hand, and equity that is kept."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from books import expiry, market, option, stock
from hypothesis import given, settings
from hypothesis import strategies as st

import shockgrid as sg

CENT = 0.005
HOUR = 1.0 / 24.0
PHYSICAL: dict[str, Any] = {"style": "american", "settlement_kind": "physical"}


def future(name: str, underlying: str, days: float, **more: Any) -> dict[str, Any]:
    row = {"symbol": name, "underlying": underlying, "type": "future", "expiry_utc": expiry(days)}
    return {**row, "multiplier": 50.0, **more}


def on_future(name: str, right: str, strike: float, days: float = HOUR) -> dict[str, Any]:
    return option(name, "ESZ", right, strike, days, multiplier=50.0, **PHYSICAL)


def world(*rows: dict[str, Any], **more: Any) -> sg.Market:
    """An index with its futures, a stock, and the future ESZ as an underlying of its own options."""
    quotes = [{"symbol": row["symbol"], "vol": 0.2} for row in rows if row["type"] == "option"]
    return market(
        [stock("XYZ"), *rows], {"IDX": 104.5, "XYZ": 95.0, "ESZ": 5_000.0}, quotes, rate=0.0, **more
    )


def held(*holdings: tuple[str, float, float | None], cash: float = 10_000.0, currency: str = "") -> sg.Book:
    rows = pd.DataFrame(
        [("A", symbol, count, paid) for symbol, count, paid in holdings],
        columns=["account", "symbol", "quantity", "price_paid"],
    )
    return sg.Book.from_frames(rows, pd.DataFrame([{"account": "A", "cash": cash, "currency": currency}]))


def left(done: Any) -> list[list[Any]]:
    return done.book.positions[["symbol", "quantity", "price_paid"]].to_numpy().tolist()


def cash(done: Any) -> float:
    return float(done.book.accounts["cash"].iloc[0])


@pytest.mark.parametrize(
    ("count", "paid", "prices", "paid_out"),
    [
        (2.0, 100.0, {}, 450.0),  # 2 x 50 x (104.50 - 100)
        (-2.0, 100.0, {}, -450.0),
        (2.0, 100.0, {"IDX": 99.0}, -100.0),
        (2.0, 100.0, {"IDX": 99.0, "F": 101.0}, 100.0),  # an opening print of its own
        (2.0, None, {}, 0.0),  # equity counts nothing without price_paid, nor does this
    ],
)
def test_a_future_settles_in_cash(
    count: float, paid: float | None, prices: dict[str, float], paid_out: float
) -> None:
    done = sg.after_expiry(
        held(("F", count, paid)), world(future("F", "IDX", HOUR)), prices, regime=sg.tims()
    )
    assert left(done) == []
    assert cash(done) == 10_000.0 + paid_out
    event = done.events.iloc[0]
    assert event[["right", "settlement", "outcome", "shares", "cash"]].tolist() == [
        "", "cash", "settled", 0.0, paid_out,
    ]  # fmt: skip
    assert pd.isna(event["strike"])
    assert pd.isna(event["in_the_money"])
    row = done.accounts.iloc[0]
    assert row["equity_after"] == pytest.approx(10_000.0 + paid_out, abs=CENT)
    assert row["requirement_after"] == row["requirement_after_pins"] == 0.0


def test_a_later_future_stays() -> None:
    priced = world(future("F", "IDX", HOUR), future("G", "IDX", 30.0))
    done = sg.after_expiry(held(("F", 1.0, 100.0), ("G", -1.0, 100.0)), priced)
    assert left(done) == [["G", -1.0, 100.0]]
    assert done.events["symbol"].tolist() == ["F"]


@pytest.mark.parametrize("count", [3.0, -3.0])
def test_a_physical_future_is_a_delivery(count: float) -> None:
    """Agreed at 90, settled at 95: 5 a share of variation, then 95 a share against the shares; in all 90."""
    terms = {"multiplier": 100.0, "settlement_kind": "physical"}
    done = sg.after_expiry(
        held(("F", count, 90.0)), world(future("F", "XYZ", HOUR, **terms)), regime=sg.tims()
    )
    assert done.book.positions[["symbol", "quantity"]].to_numpy().tolist() == [["XYZ", count * 100.0]]
    assert cash(done) == 10_000.0 - count * 100.0 * 90.0
    event = done.events.iloc[0]
    assert event[["settlement", "outcome", "shares"]].tolist() == ["physical", "delivered", count * 100.0]
    assert done.accounts["equity_after"].iloc[0] == pytest.approx(10_000.0 + count * 500.0, abs=CENT)


def test_a_coin_settled_future_pays_coin() -> None:
    """2 x 1,000 dollars, 1 / 100 - 1 / 125 coin each: 4 coins."""
    terms = {"multiplier": 1_000.0, "currency": "BTC", "inverse": True}
    rows = [future("F", "XBT", HOUR, **terms)]
    priced = market(rows, {"XBT": 100.0}, fx=pd.DataFrame([{"currency": "BTC", "rate": 100.0}]))
    done = sg.after_expiry(held(("F", 2.0, 100.0), cash=1.0, currency="BTC"), priced, {"XBT": 125.0})
    assert cash(done) == pytest.approx(5.0, abs=1e-12)
    assert done.events["currency"].tolist() == ["BTC"]


@pytest.mark.parametrize(
    ("right", "strike", "count", "contracts"),
    [
        ("C", 4_900.0, 2.0, 2.0),
        ("C", 4_900.0, -2.0, -2.0),
        ("P", 5_100.0, 2.0, -2.0),
        ("P", 5_100.0, -2.0, 2.0),
    ],
)
def test_an_option_on_a_future_delivers_the_future(
    right: str, strike: float, count: float, contracts: float
) -> None:
    """At the strike and for no cash: equity is what 50 x 100 points in the money make of it."""
    priced = world(future("ESZ", "ESZ", 30.0), on_future("O", right, strike))
    done = sg.after_expiry(held(("O", count, None)), priced, regime=sg.tims())
    assert left(done) == [["ESZ", contracts, strike]]
    assert cash(done) == 10_000.0
    assert done.events[["shares", "cash"]].to_numpy().tolist() == [[contracts, 0.0]]
    assert done.accounts["equity_after"].iloc[0] == pytest.approx(10_000.0 + count * 5_000.0, abs=CENT)


def test_a_delivered_future_nets_against_what_is_held() -> None:
    """Short 1 from 4,950, two bought at 4,900: one closes, 50 x 50 dollars are realised, one stays."""
    priced = world(future("ESZ", "ESZ", 30.0), on_future("O", "C", 4_900.0))
    done = sg.after_expiry(held(("ESZ", -1.0, 4_950.0), ("O", 2.0, None)), priced)
    assert left(done) == [["ESZ", 1.0, 4_900.0]]
    assert cash(done) == 10_000.0 + 2_500.0
    flat = sg.after_expiry(held(("ESZ", -2.0, 4_950.0), ("O", 2.0, None)), priced)
    assert left(flat) == []
    assert cash(flat) == 10_000.0 + 5_000.0


def test_a_future_that_is_delivered_and_expires_settles_too() -> None:
    priced = world(future("ESZ", "ESZ", HOUR), on_future("O", "C", 4_900.0))
    done = sg.after_expiry(held(("O", 2.0, None)), priced, {"ESZ": 5_010.0}, regime=sg.tims())
    assert left(done) == []
    assert cash(done) == 10_000.0 + 2.0 * 50.0 * 110.0
    assert done.events[["symbol", "outcome"]].to_numpy().tolist() == [["O", "exercised"], ["ESZ", "settled"]]


def test_pinned_options_on_futures_go_either_way() -> None:
    """Short 2 puts, settled at the strike: assigned they are two futures; 15 % of 50 x 5,000 each."""
    priced = world(future("ESZ", "ESZ", 30.0), on_future("O", "P", 5_000.0))
    done = sg.after_expiry(held(("O", -2.0, None)), priced, regime=sg.tims())
    assert done.events[["outcome", "pinned"]].to_numpy().tolist() == [["lapsed", True]]
    row = done.accounts.iloc[0]
    assert (row["requirement_after"], left(done)) == (0.0, [])
    alone = sg.margin(held(("ESZ", 2.0, 5_000.0)), done.market, sg.tims())
    assert row["requirement_after_pins"] == alone.accounts["requirement"].iloc[0] > 0.0


def test_options_on_stock_that_settle_in_cash_are_named() -> None:
    """A blank settlement_kind means cash; of listed equity options that is not so."""
    blank = [option(f"C{strike}", "XYZ", "C", float(strike), HOUR, style="american") for strike in (80, 90)]
    index = option("I", "IDX", "C", 100.0, HOUR)
    done = sg.after_expiry(
        held(("C80", 1.0, None), ("C90", -1.0, None), ("I", 1.0, None)), world(*blank, index)
    )
    assert len(done.notes) == 1
    assert done.notes[0].startswith("C80, C90: settle in cash although their underlying is a stock or fund")
    said = [dict(row, settlement_kind="physical") for row in blank]
    assert sg.after_expiry(held(("C80", 1.0, None)), world(*said, index)).notes == ()


@settings(max_examples=10)
@given(
    counts=st.lists(st.integers(-5, 5), min_size=3, max_size=3),
    points=st.integers(-4_000, 4_000),
)
def test_equity_is_what_everything_was_worth(counts: list[int], points: int) -> None:
    """One slow sum: a future's move since it was agreed, and what each option is in the money."""
    final = 5_000.0 + points / 10.0
    rows = [future("ESZ", "ESZ", 30.0), on_future("C", "C", 4_950.0), on_future("P", "P", 5_050.0)]
    priced = world(*rows)
    start = held(*zip(("ESZ", "C", "P"), map(float, counts), (4_980.0, None, None), strict=True))
    done = sg.after_expiry(start, priced, {"ESZ": final})
    after = sg.margin(done.book, done.market, sg.tims()).accounts["equity_at_marks"].iloc[0]
    inside = [max(0.0, round(final - 4_950.0, 6)), max(0.0, round(5_050.0 - final, 6))]
    worth = 50.0 * (counts[0] * (final - 4_980.0) + counts[1] * inside[0] + counts[2] * inside[1])
    assert after == pytest.approx(10_000.0 + worth, abs=0.01)

"""Coin-settled (inverse) contracts: worth in coin by hand, the checks at the door, the lines of margin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book, requirement
from coins import (
    CALL,
    DAYS,
    DELIVERING,
    FORWARD,
    FORWARDS,
    FUTURE,
    FX,
    PUT,
    QUOTES,
    ROWS,
    SPOT,
    STRIKE,
    VOL,
    black,
    coin_option,
    pnl,
    world,
    worth,
)

import shockgrid as sg
from shockgrid.backends.contract import SMALLEST_CONVERSION
from shockgrid.desk.fills import read_fills

CLOSE = 1e-12  #: relative; both sides are a handful of float64 operations
VALUE_ERROR = 1e-13  #: coin; Black's own error is 2e-14 of the spot


@pytest.mark.parametrize("shock", [-0.66, -0.16, 0.0, 0.16, 5.0])
@pytest.mark.parametrize("right", ["C", "P"])
def test_an_option_is_black_over_the_shocked_forward(right: str, shock: float) -> None:
    by_hand = SPOT * -3.0 * (worth(right, shock, VOL * 1.3) - worth(right))
    assert pnl(f"BTC-{right}", -3.0, shock, 0.3) == pytest.approx(by_hand, abs=3 * SPOT * VALUE_ERROR)


@pytest.mark.parametrize("symbol", ["BTC-PERPETUAL", "BTC-F"])
@pytest.mark.parametrize("shock", [-0.5, -0.16, 0.16, 1.0])
def test_a_future_gains_q_s_over_1_plus_s_coins(symbol: str, shock: float) -> None:
    """Deribit's own risk vectors: pnl_coin = q s / (1 + s) for q coins, here 300 contracts of 10 USD."""
    coins = 3000.0 / (FORWARD if symbol == "BTC-F" else SPOT)
    assert pnl(symbol, 300.0, shock) == pytest.approx(SPOT * coins * shock / (1.0 + shock), rel=CLOSE)


@pytest.mark.parametrize("row", ROWS[:4], ids=lambda row: row["symbol"])
def test_zero_shock_is_exactly_zero(row: dict[str, Any]) -> None:
    assert pnl(row["symbol"], -7.0, 0.0) == 0.0


def test_a_coin_worth_nothing() -> None:
    """At -100 % a put pays the discounted strike, converted at a hundredth of today's spot."""
    paid = SPOT / FORWARD * STRIKE / (SMALLEST_CONVERSION * SPOT)
    assert pnl("BTC-P", -1.0, -1.0) == pytest.approx(-SPOT * (paid - worth("P")), rel=CLOSE)
    assert pnl("BTC-C", -1.0, -1.0) == pytest.approx(SPOT * worth("C"), rel=CLOSE)
    assert pnl("BTC-PERPETUAL", 5_000.0, -1.0) == pytest.approx(-SPOT * 99.0, rel=CLOSE)


def test_coin_that_earns_something() -> None:
    """A discount factor of the forwards table is used; without any forward the curve of USD is."""
    stated = FORWARDS.assign(discount_factor=0.9)
    result = sg.margin(book([("A", "BTC-C", 1.0)]), world(forwards=stated), sg.tims())
    assert result.positions["price"].item() == pytest.approx(
        0.9 * black(FORWARD, "C") / SPOT, abs=VALUE_ERROR
    )
    result = sg.margin(book([("A", "BTC-C", 1.0)]), world(forwards=None), sg.tims())
    growth = float(np.exp(0.05 * DAYS / 365))
    expected = black(SPOT * growth, "C") / (SPOT * growth)
    assert result.positions["price"].item() == pytest.approx(expected, abs=VALUE_ERROR)


def test_no_curve_is_needed_beside_a_forward() -> None:
    curve = pd.DataFrame({"currency": [], "days": [], "zero_rate_dec": []})
    tables = (
        pd.DataFrame([CALL]),
        pd.DataFrame([{"underlying": "BTC", "spot": SPOT}]),
        pd.DataFrame(QUOTES[:1]),
    )
    for forwards, codes in ((FORWARDS, []), (None, ["E_NO_RATE"])):
        found = sg.Market.from_frames(*tables, curve, fx=FX, forwards=forwards, as_of="2026-11-20T21:00:00Z")
        assert found.rejects["code"].tolist() == codes


def test_a_mark_in_coin_gives_its_vol_back() -> None:
    quotes = [{"symbol": "BTC-C", "mark": worth("C")}, {"symbol": "BTC-P", "mark": worth("P")}]
    result = sg.margin(book([("A", "BTC-C", 1.0), ("A", "BTC-P", 1.0)]), world(quotes=quotes), sg.tims())
    assert result.rejects.empty
    assert result.positions["vol"].tolist() == pytest.approx([VOL, VOL], rel=1e-9)
    row = result.accounts.iloc[0]
    assert row["equity_at_marks"] == pytest.approx(SPOT * (worth("C") + worth("P")), rel=CLOSE)
    assert row["equity_at_model"] == pytest.approx(row["equity_at_marks"], rel=1e-9)


@pytest.mark.parametrize(
    ("changes", "column", "code", "text"),
    [
        ({"currency": "USD"}, "currency", "E_MISMATCH", "another currency than its underlying's"),
        ({"currency": ""}, "currency", "E_MISMATCH", "another currency than its underlying's"),
        ({"currency": "ETH"}, "currency", "E_FX", "fx table"),
        ({"inverse": False}, "currency", "E_MISMATCH", "only inverse contracts"),
        ({"style": "american"}, "inverse", "E_UNSUPPORTED", "European options"),
        ({"type": "stock"}, "inverse", "E_UNSUPPORTED", "European options"),
        ({"cash_per_contract": 5.0}, "inverse", "E_UNSUPPORTED", "cash beside the coin"),
        (DELIVERING, "units_per_contract", "E_UNSUPPORTED", "expected nothing"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_turned_away(changes: dict[str, Any], column: str, code: str, text: str) -> None:
    found = world([{**CALL, **changes}, PUT])
    bad = found.rejects[found.rejects["table"] == "instruments"]
    assert bad[["key", "column", "code"]].to_numpy().tolist() == [["BTC-C", column, code]]
    assert text in bad["message"].iloc[0]
    assert found.instruments.symbols.tolist() == ["BTC-P"]


def test_dividends_are_turned_away() -> None:
    dividends = pd.DataFrame([{"underlying": "BTC", "ex_date": "2026-12-15", "amount": 1.0}])
    found = world([CALL, FUTURE], dividends=dividends).rejects
    assert found["code"].tolist().count("E_UNSUPPORTED") == 2


def test_equity_of_an_inverse_future_is_in_coin() -> None:
    rows = pd.DataFrame(
        {
            "account": ["A", "B", "C"],
            "symbol": "BTC-F",
            "quantity": [100.0, -100.0, 100.0],
            "price_paid": [48_000.0, np.nan, 0.0],
        }
    )
    held = sg.Book.from_frames(rows, pd.DataFrame({"account": ["A", "B", "C"], "cash": 0.0}))
    result = sg.margin(held, world(), sg.tims())
    accounts = result.accounts.set_index("margin_group")
    gained = SPOT * 1000.0 * (1.0 / 48_000.0 - 1.0 / FORWARD)
    assert accounts.loc["A", "equity_at_marks"] == pytest.approx(gained, rel=CLOSE)
    assert accounts.loc["A", "equity_at_model"] == pytest.approx(gained, rel=CLOSE)
    assert accounts.loc["B", "equity_at_marks"] == 0.0
    assert result.positions["price"].tolist() == pytest.approx([FORWARD, FORWARD], rel=CLOSE)
    assert accounts["reliability"].tolist() == ["OK", "OK", "PARTIAL"]
    assert result.rejects[["line", "column", "code"]].to_numpy().tolist() == [[4, "price_paid", "E_RANGE"]]


def test_a_future_marked_at_zero_is_turned_away() -> None:
    found = world([FUTURE], [{"symbol": "BTC-F", "mark": 0.0}])
    assert found.rejects["code"].tolist() == ["E_RANGE", "W_UNUSED"]
    assert len(found.instruments.symbols) == 0


def test_an_account_in_coin() -> None:
    """The same book in USD and in BTC: every amount is the other's over the rate."""
    accounts = [
        {"account": "A", "cash": 2.0 * SPOT, "currency": "USD"},
        {"account": "B", "cash": 2.0, "currency": "BTC"},
    ]
    held = book([("A", "BTC-C", -4.0), ("B", "BTC-C", -4.0)], accounts)
    result = sg.margin(held, world(), sg.Policy({"default": sg.Program(sg.tims(), sg.house())}))
    usd, coin = (result.accounts.set_index("margin_group").loc[name] for name in "AB")
    assert coin["currency"] == "BTC"
    assert coin["requirement"] > 0.0
    for column in ("requirement", "exchange_requirement", "equity_at_marks", "contingency", "loss_up_25"):
        assert usd[column] == pytest.approx(SPOT * coin[column], rel=CLOSE)
    worst = max(4.0 * (worth("C", shock) - worth("C")) for shock in np.arange(-0.15, 0.151, 0.03))
    assert coin["exchange_requirement"] == pytest.approx(worst, rel=1e-9)


def test_charges_per_contract_are_those_of_its_coins() -> None:
    """0.375 USD a coin and 0.5 % of the spot a coin; 0.01 coin a contract is a hundredth of both."""
    small = coin_option("BTC-S", "C", 400_000.0, multiplier=0.01)
    held, quotes = book([("A", "BTC-S", -50.0)]), [{"symbol": "BTC-S", "vol": 0.1}]
    priced = world([small], quotes)
    assert requirement(sg.margin(held, priced, sg.tims())) == pytest.approx(0.375 * 0.5, rel=CLOSE)
    result = sg.margin(held, priced, sg.house(spot=[0.0], vol=[0.0], concentrated=False))
    assert requirement(result, column="contingency") == pytest.approx(0.005 * 0.5 * SPOT, rel=CLOSE)


def test_notionals_are_in_the_currency_of_the_spot() -> None:
    def figure(context: sg.Context) -> Any:
        return context.by_position(np.abs(context.notionals()))

    regime = sg.Regime("n", sg.ScenarioSet.points([0.0]), add_ons=(sg.requirement.AddOn("notional", figure),))
    held = book([("A", "BTC-C", -2.0), ("B", "BTC-F", 300.0)])
    accounts = sg.margin(held, world(), regime).accounts
    assert accounts["notional"].tolist() == pytest.approx([2.0 * SPOT, 3000.0], rel=CLOSE)


@pytest.mark.parametrize("mark", [None, 0.05])
def test_a_short_that_cannot_be_priced(mark: float | None) -> None:
    """The naked rule in USD on the spot, and the mark, which is in coin, on top."""
    bad = {**CALL, "style": "american"}
    quotes = [] if mark is None else [{"symbol": "BTC-C", "mark": mark}]
    result = sg.margin(book([("A", "BTC-C", -2.0)]), world([bad], quotes), sg.tims())
    naked = max(0.20 * SPOT - (STRIKE - SPOT), 0.10 * SPOT)
    row = result.accounts.iloc[0]
    assert row["unpriced"] == pytest.approx(2.0 * (naked + (mark or 0.0) * SPOT), rel=CLOSE)
    assert row["reliability"] == "PARTIAL"


def test_a_repeated_rate_of_the_coin_makes_its_holders_stale() -> None:
    fx = pd.concat([FX, FX.assign(rate=SPOT / 2)], ignore_index=True)
    held = book([("A", "BTC-C", -2.0), ("B", "BTC-SPOT", 1.0)])
    assert sg.margin(held, world(fx=fx), sg.tims()).accounts["reliability"].tolist() == ["STALE", "OK"]


def test_what_a_price_of_nothing_realises_is_not_known() -> None:
    """Bought at 0 no amount of coin was its size: it is not closed, nor settled, for any amount of cash."""
    rows = pd.DataFrame([("A", "BTC-F", 100.0, 0.0)], columns=["account", "symbol", "quantity", "price_paid"])
    held = sg.Book.from_frames(rows, pd.DataFrame({"account": ["A"], "cash": 10.0}))
    fills = pd.DataFrame([{"account": "A", "symbol": "BTC-F", "quantity": -100.0, "price": 48_000.0}])
    read = read_fills(fills, held, world())
    assert read.rejects[["column", "code"]].to_numpy().tolist() == [["symbol", "E_RANGE"]]
    assert (len(read.accounts), read.doubted) == (0, {"A"})
    expiry = datetime(2027, 12, 31, tzinfo=UTC)
    done = sg.after_expiry(held, world(), until=expiry)
    assert done.book.positions["symbol"].tolist() == ["BTC-F"]
    assert done.book.accounts["cash"].tolist() == [10.0]
    bought = sg.Book.from_frames(
        rows.assign(price_paid=50_000.0), pd.DataFrame({"account": ["A"], "cash": 0.0})
    )
    assert len(read_fills(fills, bought, world()).rejects) == 0
    assert len(sg.after_expiry(bought, world(), until=expiry).book.positions) == 0


def test_two_currencies_of_one_rate_keep_their_names() -> None:
    """Another coin that happens to be worth as much is not what a future settles in."""
    twin = pd.DataFrame([{"currency": "BTC", "rate": SPOT}, {"currency": "ZZZ", "rate": SPOT}])
    done = sg.after_expiry(
        book([("A", "BTC-F", 1.0)]), world(fx=twin), until=datetime(2027, 12, 31, tzinfo=UTC)
    )
    assert done.events["currency"].tolist() == ["BTC"]

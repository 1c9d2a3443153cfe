"""Tables at their edges, each worked or refused by name; held rows that cannot be priced, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, expiry, market, option, stock

import shockgrid as sg

EMPTY = pd.DataFrame({"account": [], "symbol": [], "quantity": []})
SHOWN = ("codes", "worst_scenario", "worst_price_shock", "worst_vol_shock")
CASH = [{"account": "A", "cash": 100.0}]
STALE_VOL = 0.01  # the low end of the band a price without a vol is given
A_SECOND = 1e-3  # more than a second of time value, less than any dividend


def row(held: sg.Book, world: sg.Market, regime: sg.Regime | None = None) -> dict[str, Any]:
    """The only margin group, without a NaN but the side that was not asked for."""
    result = sg.margin(held, world, regime or sg.house())
    assert len(result.accounts) == 1
    found = result.accounts.iloc[0].to_dict()
    missing = {name for name, value in found.items() if isinstance(value, float) and not np.isfinite(value)}
    assert missing == {"house_requirement" if regime else "exchange_requirement"}
    assert set(result.groups.columns) >= {"scan", "minimum"}
    assert len(result.explain(found["margin_group"]))
    return found | {"codes": set(result.rejects["code"])}


SPOTS: dict[str, Any] = {
    "X": 100.0,
    "I": {"spot": 1000.0, "portfolio_type": "broad_index"},
    "L": {"spot": 100.0, "leverage": -3.0},
    "CHEAP": 3.0,
    "PENNY": 2.0,
    "TEN": 10.0,
}
# Cboe Margin Manual 2021-11-30: n m (P + max(b L U - OTM, 10 % L U or, for a put, L K)).
# FINRA 4210(c)(3): N (U + max(5, 30 % L U)), below 5 a share N (U + max(2.50, U)).
NAKED = [
    ("X", "C", 110.0, 2 * 100 * max(0.20 * 100 - 10, 0.10 * 100)),
    ("X", "C", 95.0, 2 * 100 * 0.20 * 100),
    ("X", "P", 85.0, 2 * 100 * max(0.20 * 100 - 15, 0.10 * 85)),
    ("I", "C", 1020.0, 2 * 100 * max(0.15 * 1000 - 20, 0.10 * 1000)),
    ("L", "C", 110.0, 2 * 100 * max(0.20 * 3 * 100 - 10, 0.10 * 3 * 100)),
]


@pytest.mark.parametrize(("name", "right", "strike", "charge"), NAKED)
@pytest.mark.parametrize("mark", ["", 2.5])
def test_a_short_option_that_cannot_be_priced(
    name: str, right: str, strike: float, charge: float, mark: Any
) -> None:
    """Without a quote, and expired with its last mark on the file: that is added."""
    days = -1.0 if mark else 30.0
    world = market([option("S", name, right, strike, days)], SPOTS, [{"symbol": "S", "mark": mark}])
    premium = 2 * 100 * mark if mark else 0.0
    found = row(book([("A", "S", -2)], CASH), world)
    assert found["requirement"] == found["requirement_high"] == found["unpriced"] == charge + premium
    assert found["requirement_low"] == 0.0
    assert found["reliability"] == "PARTIAL"
    assert found["codes"] == {"E_EXPIRED" if mark else "E_NO_VOL", "E_INSTRUMENT"}
    long = row(book([("A", "S", 2)], CASH), world)
    assert (long["requirement"], long["equity_at_marks"], long["reliability"]) == (0.0, 100.0, "PARTIAL")


@pytest.mark.parametrize(
    ("name", "charge"),
    [("X", 100 + 30), ("TEN", 10 + 5), ("CHEAP", 3 + 3), ("PENNY", 2 + 2.5), ("L", 100 + 90)],
)
def test_short_stock_whose_row_cannot_be_read(name: str, charge: float) -> None:
    world = market([stock(name) | {"multiplier": -1}], SPOTS)
    found = row(book([("A", name, -7)]), world)
    assert found["requirement"] == pytest.approx(7 * charge, rel=1e-15)
    assert found["reliability"] == "PARTIAL"


def test_what_is_known_of_a_symbol_without_an_instrument() -> None:
    """Its underlying is that of its root's other series; its right and strike are in its name."""
    world = market(
        [option("XW270115C00100000", "X", "C", 100.0, 56)],
        {"X": 100.0},
        [{"symbol": "XW270115C00100000", "vol": 0.2}],
    )
    for symbol, requirement, reliability in (
        ("XW270115P00085000", 850.0, "PARTIAL"),
        ("X", 130.0, "PARTIAL"),
        ("XW1270115P00085000", 0.0, "UNRELIABLE"),
        ("ELSE", 0.0, "UNRELIABLE"),
    ):
        found = row(book([("A", symbol, -1)]), world)
        assert (found["requirement"], found["reliability"]) == (requirement, reliability), symbol


def test_a_second_row_of_a_position_counts_in_the_high_requirement() -> None:
    rows = [("A", "X", -10), ("A", "X", -5), ("A", "X", 7)]
    world = market([stock("X")], {"X": 100.0})
    found, first = row(book(rows), world), row(book(rows[:1]), world)
    assert found["requirement_low"] == first["requirement"]
    assert found["requirement"] == first["requirement"] + 5 * 130
    assert found["equity_at_marks"] == first["equity_at_marks"]
    assert (
        row(book(rows, lots=True), world)["requirement"] == row(book([("A", "X", -8)]), world)["requirement"]
    )


@pytest.mark.parametrize("regime", [None, sg.tims()])
@pytest.mark.parametrize("symbol", ["S", "GONE", "X"])
def test_nothing_held_is_nothing(regime: sg.Regime | None, symbol: str) -> None:
    """No rows, a row of quantity 0, lots that sum to 0: the same, priced, expired or unknown."""
    world = market([stock("X"), option("S", "X", "C", 100, -1)], {"X": 100.0})
    figures = []
    for held in (
        sg.Book.from_frames(EMPTY, pd.DataFrame(CASH)),
        book([("A", symbol, 0)], CASH),
        book([("A", symbol, 4), ("A", symbol, -4)], CASH, lots=True),
    ):
        found = row(held, world, regime)
        assert (found["requirement"], found["equity_at_marks"], found["reliability"]) == (0.0, 100.0, "OK")
        figures.append({name: value for name, value in found.items() if name not in SHOWN})
        assert found["codes"] <= {"E_EXPIRED", "W_INSTRUMENT"}
    pd.testing.assert_frame_equal(pd.DataFrame(figures[:1] * 3), pd.DataFrame(figures))


def test_empty_quotes_and_an_empty_curve() -> None:
    """Stock is worth its spot; an option without a discount factor is not priced, whatever its vol."""
    rows = [stock("X"), option("S", "X", "C", 100.0, 30)]
    tables = (pd.DataFrame(rows), pd.DataFrame([{"underlying": "X", "spot": 100.0}]))
    for quotes in (pd.DataFrame({"symbol": []}), pd.DataFrame(QUOTE)):
        curve = pd.DataFrame({"currency": [], "days": [], "zero_rate_dec": []})
        world = sg.Market.from_frames(*tables, quotes, curve, as_of=AS_OF.to_pydatetime())
        found = row(book([("A", "X", 100), ("A", "S", -1)], CASH), world)
        assert found["codes"] == {"E_NO_RATE", "E_INSTRUMENT"}
        assert (found["equity_at_marks"], found["unpriced"]) == (100.0 + 100 * 100, 2000.0)


QUOTE = [{"symbol": "S", "vol": 0.2}]


def test_an_underlying_without_options_and_one_account() -> None:
    found = row(book([("A", "X", 10)]), market([stock("X")], {"X": 100.0, "UNUSED": 5.0}), sg.tims())
    assert found["requirement"] == pytest.approx(150.0, rel=1e-12)  # 15 % of 1,000


def test_a_currency_without_a_rate() -> None:
    accounts = [{"account": "A", "cash": 9e9, "currency": "JPY"}]
    found = row(book([("A", "X", 10)], accounts), market([stock("X")], {"X": 100.0}), sg.tims())
    assert found["codes"] == {"E_FX"}
    assert (found["reliability"], found["equity_at_marks"]) == ("PARTIAL", 1000.0)
    world = market([stock("X")], {"X": {"spot": 100.0, "currency": "JPY"}})
    assert row(book([("A", "X", 10)]), world)["reliability"] == "UNRELIABLE"
    fx = pd.DataFrame([{"currency": "EUR", "rate": 1.25}])
    held = option("S", "X", "C", 100, 30) | {"currency": "EUR"}
    found = row(book([("A", "S", -1)]), market([held], {"X": 100.0}, QUOTE, fx=fx))
    assert found["codes"] == {"E_MISMATCH", "E_INSTRUMENT"}


def test_a_margin_group_of_two_currencies_is_in_the_base_currency() -> None:
    accounts = [
        {"account": "A", "cash": 100.0, "currency": "EUR", "margin_group": "M"},
        {"account": "B", "cash": 100.0, "currency": "USD", "margin_group": "M"},
    ]
    fx = pd.DataFrame([{"currency": "EUR", "rate": 1.25}])
    held = book([("A", "X", 10), ("B", "X", -10)], accounts)
    found = row(held, market([stock("X")], {"X": 100.0}, fx=fx), sg.tims())
    assert (found["equity_at_marks"], found["requirement"]) == (225.0, 0.0)


@pytest.mark.parametrize("amount", [99.0, 100.0, 150.0])
def test_dividends_as_large_as_the_spot(amount: float) -> None:
    """The model forward goes below zero and a put is worth what the strike is; a given forward is kept."""
    dividends = pd.DataFrame([{"underlying": "X", "ex_date": "2026-12-01", "amount": amount}])
    rows = [option("S", "X", "C", 100, 30), option("P", "X", "P", 100, 30)]
    quotes = [{"symbol": "S", "vol": 0.2}, {"symbol": "P", "vol": 0.2}]
    held = book([("A", "S", -1), ("A", "P", -1)])
    row(held, market(rows, {"X": 100.0}, quotes, dividends=dividends))
    forwards = pd.DataFrame([{"underlying": "X", "expiry_utc": expiry(30), "forward": 101.0}])
    world = market(rows, {"X": 100.0}, quotes, dividends=dividends, forwards=forwards)
    found = row(held, world)
    assert found["codes"] == ({"W_DIVIDENDS"} if amount > 100 else set())
    table = world.instruments
    np.testing.assert_allclose(table.slopes * 100.0 + table.intercepts, 101.0, rtol=1e-12)
    assert (table.slopes > 0).all()


@pytest.mark.parametrize("style", ["european", "american"])
def test_an_ex_date_at_the_very_instant_of_expiry_counts(style: str) -> None:
    """An ex-date begins at midnight in New York: a put that expires then is worth the drop more."""

    def value(expires: str) -> float:
        put = option("P", "X", "P", 120.0, 60, style=style, expiry_utc=expires)
        dividends = pd.DataFrame([{"underlying": "X", "ex_date": "2027-01-19", "amount": 3.0}])
        world = market([stock("X"), put], {"X": 100.0}, [{"symbol": "P", "vol": 0.3}], dividends=dividends)
        priced = sg.margin(book([("A", "P", 1)]), world, sg.house())
        return float(priced.positions["price"].iloc[0])

    before, at, after = (value(f"2027-01-19T{t}Z") for t in ("04:59:59", "05:00:00", "05:00:01"))
    assert at == pytest.approx(after, abs=A_SECOND)
    assert at > before + 2.0


@pytest.mark.parametrize("quote", [{"vol": 0.2}, {"mark": 5.0}, {"bid": 4, "ask": 6}, {}])
def test_an_option_that_expires_at_as_of(quote: dict[str, float]) -> None:
    """Worth its intrinsic value, whatever its quote says about vol."""
    world = market([option("S", "X", "C", 95, 0)], {"X": 100.0}, [{"symbol": "S", **quote}])
    found = row(book([("A", "S", -1)]), world, sg.tims())
    assert found["equity_at_model"] == -500.0
    assert found["requirement"] == pytest.approx(100 * 15.0, rel=1e-12)
    assert (found["reliability"], found["codes"]) == ("OK", set())


def test_a_mark_below_intrinsic_is_stale() -> None:
    world = market(
        [option("S", "X", "C", 80, 30)],
        {"X": 100.0},
        [{"symbol": "Q", "vol": 0.2}, {"symbol": "S", "mark": 15.0}],
    )
    result = sg.margin(book([("A", "S", -1)]), world, sg.tims())
    assert result.accounts["reliability"].tolist() == ["STALE"]
    flag = result.rejects.set_index("code").loc["W_CLAMPED"]
    assert (flag["table"], flag["line"], flag["key"], flag["value"]) == ("quotes", 3, "S", "15")
    assert result.positions["vol"].tolist() == [STALE_VOL]

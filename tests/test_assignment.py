"""Tonight's early assignments: against a binomial tree that may exercise only in the evening, and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, market, option, stock

import shockgrid as sg
from shockgrid.desk.assignment import COLUMNS, DIVIDEND_ERROR, early_assignments
from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.pricing.dividends import with_dividends

TREE_STEPS = 1500
TREE_ERROR = 0.01  #: of a tree of so many steps, in currency, at a spot of 100
NIGHT = 17.5 / 24.0 + 2.0  #: days from the close of Friday 2026-11-20 to Monday's open, 09:30


def american(name: str, right: str, strike: float, days: float, **more: Any) -> dict[str, Any]:
    return option(name, "XYZ", right, strike, days, style="american", settlement_kind="physical", **more)


def evening(
    options: list[dict[str, Any]], *, spot: float = 100.0, vol: float = 0.25, rate: float = 0.05,
    dividend: tuple[str, float] | None = None, dividend_yield: float = 0.0,
) -> sg.Market:  # fmt: skip
    row = {"spot": spot, "yield_dec": dividend_yield}
    paid = [{"underlying": "XYZ", "ex_date": dividend[0], "amount": dividend[1]}] if dividend else []
    quotes = [{"symbol": option["symbol"], "vol": vol} for option in options]
    frame = pd.DataFrame(paid, columns=["underlying", "ex_date", "amount"])
    return market([stock("XYZ"), *options], {"XYZ": row}, quotes, rate=rate, dividends=frame)


def short(*symbols: str, count: float = -10.0) -> sg.Book:
    return book([("A", symbol, count) for symbol in symbols])


def tree_after_the_night(
    strike: float, days: float, spot: float, vol: float, rate: float, *, call: bool
) -> float:
    """Value of not exercising tonight: a binomial tree without exercise before the next open."""
    years = days / 365.0
    step = years / TREE_STEPS
    up = np.exp(vol * np.sqrt(step))
    weight = (np.exp(rate * step) - 1.0 / up) / (up - 1.0 / up)
    prices = spot * up ** np.arange(-TREE_STEPS, TREE_STEPS + 1, 2.0)
    sign = 1.0 if call else -1.0
    values = np.maximum(sign * (prices - strike), 0.0)
    for level in range(TREE_STEPS - 1, -1, -1):
        values = np.exp(-rate * step) * (weight * values[1:] + (1.0 - weight) * values[:-1])
        prices = spot * up ** np.arange(-level, level + 1, 2.0)
        if level * step * 365.0 >= NIGHT:
            values = np.maximum(values, sign * (prices - strike))
    return float(values[0])


def test_a_call_before_its_dividend() -> None:
    """Strike 80, ex on Monday 2026-11-23 with 1.50: interest on 80 is 0.33 a month, the put worth cents."""
    options = [american("C80", "C", 80.0, 30), american("C99", "C", 99.0, 30)]
    found = early_assignments(short("C80", "C99"), evening(options, dividend=("2026-11-23", 1.5)))
    assert list(found.columns) == list(COLUMNS)
    assert found["symbol"].tolist() == ["C80"]
    row = found.iloc[0]
    assert (row["exercise_value"], row["ex_dividend"]) == (20.0, 1.5)
    assert row["dividend_owed"] == 10 * 100 * 1.5
    assert (row["shares"], row["cash"]) == (-1000.0, 80_000.0)
    assert row["gain"] == pytest.approx(1.5 - 80.0 * (1.0 - np.exp(-0.05 * 30 / 365)), abs=0.02)


def test_held_values_are_those_of_the_slow_method() -> None:
    """The night's integral again, over values of finite differences, a dividend tonight and one later."""
    names, days, rate, vol = ["C70", "C80", "C85", "P125", "P140"], 90.0, 0.05, 0.25
    options = [american(name, name[0], float(name[1:]), days) for name in names]
    paid = [{"underlying": "XYZ", "ex_date": day, "amount": 1.5} for day in ("2026-11-23", "2027-01-15")]
    priced = market(
        [stock("XYZ"), *options], {"XYZ": {"spot": 100.0}}, [{"symbol": name, "vol": vol} for name in names],
        rate=rate, dividends=pd.DataFrame(paid),
    )  # fmt: skip
    found = early_assignments(short(*names), priced).set_index("symbol")
    assert len(found) >= 3
    night, gone, left = NIGHT / 365.0, *priced.dividends.years.tolist()
    assert gone < night < left
    nodes, weights = np.polynomial.hermite_e.hermegauss(31)
    moves = np.exp((rate - 0.5 * vol**2) * night + vol * np.sqrt(night) * nodes)
    for symbol in names:
        strike = float(symbol[1:])
        values = with_dividends(
            100.0 * moves - 1.5, strike, days / 365.0 - night, vol, rate, 0.0, symbol[0] == "C",
            [left - night], [1.5],
        )  # fmt: skip
        held = np.exp(-rate * night) * (values @ weights) / weights.sum()
        if symbol in found.index:
            assert found.loc[symbol, "held_value"] == pytest.approx(held, abs=DIVIDEND_ERROR * 100.0)
        else:
            assert held > abs(100.0 - strike) - DIVIDEND_ERROR * 100.0


def test_no_dividend_tonight_and_no_call_is_exercised() -> None:
    """Merton 1973: without a dividend before the next open a call is worth more alive."""
    deep = [american("C50", "C", 50.0, 30)]
    assert len(early_assignments(short("C50"), evening(deep))) == 0
    assert len(early_assignments(short("C50"), evening(deep, dividend=("2026-11-24", 1.5)))) == 0
    assert len(early_assignments(short("C50"), evening(deep, dividend=("2026-11-21", 1.5)))) == 1


@pytest.mark.parametrize("strike", [102.0, 106.0, 109.0, 112.0, 116.0, 125.0])
@pytest.mark.parametrize("days", [7.0, 60.0])
def test_puts_against_a_tree(strike: float, days: float) -> None:
    priced = evening([american("P", "P", strike, days)])
    found = early_assignments(short("P"), priced)
    kept = tree_after_the_night(strike, days, 100.0, 0.25, 0.05, call=False)
    gain = strike - 100.0 - kept
    if abs(gain) > TREE_ERROR:
        assert len(found) == (gain > 0.0)
    if len(found):
        assert found["held_value"].iloc[0] == pytest.approx(kept, abs=TREE_ERROR)
        assert found["dividend_owed"].iloc[0] == 0.0
        assert (found["shares"].iloc[0], found["cash"].iloc[0]) == (1000.0, -1000.0 * strike)


def test_both_sides_of_the_boundary_are_seen() -> None:
    """Of puts an hour apart in moneyness the deep ones are exercised and the others are not."""
    strikes = np.arange(101.0, 140.0, 1.0)
    options = [american(f"P{strike:g}", "P", float(strike), 30) for strike in strikes]
    found = early_assignments(short(*[row["symbol"] for row in options]), evening(options))
    taken = sorted(float(symbol[1:]) for symbol in found["symbol"])
    assert 0 < len(taken) < len(strikes)
    assert taken == [strike for strike in strikes if strike >= taken[0]], "from one strike on, all of them"
    assert (found["gain"] > 0.0).all()


def test_who_is_not_listed() -> None:
    options = [american("P", "P", 130.0, 60), american("TODAY", "P", 130.0, 0.01)]
    european = option("E", "XYZ", "P", 130.0, 60)
    priced = evening([*options, european])
    assert len(early_assignments(short("P", count=10.0), priced)) == 0, "a long"
    assert len(early_assignments(short("E", "TODAY", "XYZ"), priced)) == 0
    two = book([("B", "P", -1), ("A", "P", -2), ("C", "P", 5)])
    found = early_assignments(two, priced)
    assert found[["account", "quantity"]].to_numpy().tolist() == [["A", -2.0], ["B", -1.0]]
    assert len(early_assignments(short("XYZ"), priced)) == 0


def test_a_night_before_a_holiday_is_longer() -> None:
    """Interest on the strike is what a put's holder loses by waiting over a weekend."""
    friday = evening([american("P", "P", 150.0, 60)])
    row = early_assignments(short("P"), friday).iloc[0]
    lost = 150.0 * (1.0 - np.exp(-0.05 * NIGHT / 365.0))
    assert row["gain"] == pytest.approx(lost, abs=0.002)
    assert AS_OF.day_name() == "Friday"


def test_the_calendar_that_ends() -> None:
    calendar = SessionCalendar.new_york()
    over = SessionCalendar(*(days[calendar.opens < AS_OF.tz_localize(None)] for days in (
        calendar.dates, calendar.opens, calendar.closes
    )))  # fmt: skip
    with pytest.raises(sg.errors.InputError, match="before the next open"):
        early_assignments(short("C"), evening([american("C", "C", 80.0, 30)]), calendar=over)
    assert calendar.next_open(AS_OF) == pd.Timestamp("2026-11-23T14:30Z")

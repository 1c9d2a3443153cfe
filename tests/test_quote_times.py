"""Quotes and spots that are old, of a later moment or of different moments: what is used, what is said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, expiry, market, option, stock
from hypothesis import given, settings
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.backends import get_backend
from shockgrid.calibration import calibrated

HOUR = timedelta(hours=1)
RATE = 0.05
#: a vol implied from a price of this library's own: rounding of the price over a vega near the money
VOL_TOLERANCE = 1e-9


def before(**ago: float) -> str:
    return (AS_OF - pd.Timedelta(**ago)).isoformat()


NOW = AS_OF.isoformat()


def price(spot: float, strike: float, days: float, vol: float) -> float:
    """A European call by the library's own formula; its numbers are tested elsewhere."""
    years = days / 365.0
    return float(
        sg.price_european(
            forwards=spot * np.exp(RATE * years),
            strikes=strike,
            expiries=years,
            vols=vol,
            discount_factors=np.exp(-RATE * years),
            is_call=True,
        )
    )


def told(result: sg.MarginResult) -> list[tuple[str, str, str]]:
    rows = result.rejects[["table", "key", "code"]]
    return sorted(tuple(row) for row in rows.to_numpy().tolist())


def vols(priced: sg.Market) -> dict[str, float]:
    table = calibrated(priced, get_backend()).instruments
    return dict(zip(table.symbols, table.vols, strict=True))


CALLS = [option(name, "A", "C", strike, 30) for name, strike in (("C95", 95.0), ("C100", 100.0))]


def test_a_stated_vol_is_kept_however_old_and_said_to_be() -> None:
    quotes = [
        {"symbol": "C95", "vol": 0.31, "quote_utc": before(minutes=61)},
        {"symbol": "C100", "vol": 0.22, "quote_utc": before(minutes=60)},
    ]
    held = book([("old", "C95", -1), ("fresh", "C100", -1)])
    plain = sg.margin(held, market(CALLS, {"A": 100.0}, quotes), sg.tims())
    result = sg.margin(held, market(CALLS, {"A": 100.0}, quotes, max_age=HOUR), sg.tims())
    assert told(plain) == []
    assert plain.accounts["reliability"].tolist() == ["OK", "OK"]
    flag = result.rejects.iloc[0]
    assert flag[["table", "line", "key", "column", "value", "code"]].tolist() == [
        "quotes", 2, "C95", "quote_utc", before(minutes=61), "W_STALE",
    ]  # fmt: skip
    assert "within 60 minutes of as_of" in flag["message"]
    assert len(result.rejects) == 1, "an age of exactly max_age is fresh"
    assert result.accounts.set_index("margin_group")["reliability"].to_dict() == {
        "fresh": "OK",
        "old": "STALE",
    }
    figures = plain.accounts.columns.drop("reliability")
    pd.testing.assert_frame_equal(result.accounts[figures], plain.accounts[figures], check_exact=True)


@pytest.mark.parametrize(
    ("ahead", "code", "status"), [(0, "", "OK"), (1, "W_AHEAD", "OK"), (61, "W_STALE", "STALE")]
)
def test_a_quote_of_after_as_of(ahead: float, code: str, status: str) -> None:
    quotes = [{"symbol": "C95", "vol": 0.3, "quote_utc": before(minutes=-ahead)}]
    priced = market(CALLS[:1], {"A": 100.0}, quotes, max_age=HOUR)
    result = sg.margin(book([("one", "C95", 1)]), priced, sg.tims())
    assert told(result) == ([("quotes", "C95", code)] if code else [])
    assert result.accounts["reliability"].item() == status


def test_an_old_spot_makes_everything_on_it_stale() -> None:
    spots: dict[str, Any] = {
        "A": {"spot": 100.0, "spot_utc": before(days=1)},
        "B": {"spot": 50.0, "spot_utc": ""},
    }
    priced = market([stock("A"), stock("B"), CALLS[0]], spots, [{"symbol": "C95", "vol": 0.3}], max_age=HOUR)
    held = book([("share", "A", 1), ("call", "C95", 1), ("other", "B", 1)])
    result = sg.margin(held, priced, sg.tims())
    assert told(result) == [("underlyings", "A", "W_STALE")]
    shown = result.accounts.set_index("margin_group")["reliability"].to_dict()
    assert shown == {"call": "STALE", "other": "OK", "share": "STALE"}


@settings(max_examples=25)
@given(
    vol=st.floats(0.1, 1.0),
    age=st.floats(0.1, 60.0),
    days=st.floats(5.0, 400.0),
    moneyness=st.floats(0.95, 1.05),
)
def test_an_old_price_beside_an_old_spot_gives_the_vol_of_its_own_moment(
    vol: float, age: float, days: float, moneyness: float
) -> None:
    strike = 100.0 * moneyness
    then = pd.Timestamp(before(days=age)).isoformat()
    mark = price(100.0, strike, days + age, vol)
    rows = [option("OLD", "A", "C", strike, days)]
    spots = {"A": {"spot": 100.0, "spot_utc": then}}
    quotes = [{"symbol": "OLD", "mark": mark, "quote_utc": then}]
    own = vols(market(rows, spots, quotes, rate=RATE, max_age=HOUR))["OLD"]
    assert own == pytest.approx(vol, rel=VOL_TOLERANCE)
    late = vols(market(rows, spots, quotes, rate=RATE))["OLD"]
    assert late > vol * (1.0 + 1e-4), "taken as of as_of the same price needs a higher vol"


def test_a_given_forward_keeps_its_carry_per_year_net_of_cash_dividends() -> None:
    """F = 103 in 60 days on a spot of 100 with a dividend of 1 in 29 days and 8 hours, 00:00 in New York.

    Its present value D is that of the curve, and one of the same cash 20 days earlier at the expiry's rate.
    """
    cash = np.exp(-RATE * (29 + 8 / 24) / 365)
    forward = (103.0 / (100.0 - cash)) ** (80 / 60) * (100.0 - cash * 0.99 ** (20 / 60))
    factor = 0.99 ** (80 / 60)
    mark = float(
        sg.price_european(
            forwards=forward,
            strikes=101.0,
            expiries=80 / 365,
            vols=0.4,
            discount_factors=factor,
            is_call=True,
        )
    )
    given_forward = {"underlying": "A", "expiry_utc": expiry(60), "forward": 103.0, "discount_factor": 0.99}
    then = before(days=20)
    priced = market(
        [option("OLD", "A", "C", 101.0, 60)],
        {"A": {"spot": 100.0, "spot_utc": then}},
        [{"symbol": "OLD", "mark": mark, "quote_utc": then}],
        forwards=pd.DataFrame([given_forward]),
        dividends=pd.DataFrame([{"underlying": "A", "ex_date": "2026-12-20", "amount": 1.0}]),
        rate=RATE,
        max_age=HOUR,
    )
    assert vols(priced)["OLD"] == pytest.approx(0.4, rel=VOL_TOLERANCE)


def test_an_old_price_beside_a_fresh_spot_is_filled_from_a_fresh_series() -> None:
    """On a spot that fell from 110 to 100 the old price implies a vol far above the 20 % it was made of."""
    quotes = [
        {"symbol": "C95", "mark": price(110.0, 95.0, 30, 0.2), "quote_utc": before(hours=2)},
        {"symbol": "C100", "vol": 0.2, "quote_utc": NOW},
    ]
    priced = market(CALLS, {"A": {"spot": 100.0, "spot_utc": NOW}}, quotes, max_age=HOUR)
    result = sg.margin(book([("one", "C95", -1)]), priced, sg.tims())
    assert result.positions["vol"].item() == 0.2
    assert told(result) == [("quotes", "C95", "W_FILLED"), ("quotes", "C95", "W_STALE")]
    message = result.rejects.set_index("code").loc["W_FILLED", "message"]
    assert message == "stale: vol 0.2 taken from C100"
    assert result.accounts["reliability"].item() == "STALE"

    alone = market(CALLS[:1], {"A": {"spot": 100.0, "spot_utc": NOW}}, quotes[:1], max_age=HOUR)
    result = sg.margin(book([("one", "C95", -1)]), alone, sg.tims())
    assert result.positions["vol"].item() > 0.8
    assert {code for *_, code in told(result)} == {"W_STALE", "W_NOT_SIMULTANEOUS"}
    assert result.accounts["reliability"].item() == "STALE", "an old vol is better than none, and says so"


def test_a_gap_in_the_quotes_is_filled_from_a_fresh_series_before_an_old_one() -> None:
    rows = [
        option(name, "A", "C", strike, 30) for name, strike in (("X", 100.0), ("OLD", 101.0), ("NEW", 120.0))
    ]
    quotes = [
        {"symbol": "OLD", "vol": 0.5, "quote_utc": before(hours=2)},
        {"symbol": "NEW", "vol": 0.2, "quote_utc": NOW},
    ]
    assert vols(market(rows, {"A": 100.0}, quotes))["X"] == 0.5
    assert vols(market(rows, {"A": 100.0}, quotes, max_age=HOUR))["X"] == 0.2
    assert vols(market(rows, {"A": 100.0}, quotes[:1], max_age=HOUR))["X"] == 0.5


# an error of 10 % of the vol: gap / T = 0.1^2 x 2 / pi = 0.0063662, of 30 days 275.02 minutes, of one 9.17
@pytest.mark.parametrize(
    ("days", "minutes", "apart"),
    [(30, 274, False), (30, 276, True), (1, 9.1, False), (1, 9.3, True), (365, 721, True), (365, 719, False)],
)
def test_quote_and_spot_of_different_moments(days: float, minutes: float, apart: bool) -> None:
    quotes = [
        {"symbol": "IMPLIED", "mark": price(100.0, 100.0, days, 0.2), "quote_utc": NOW},
        {"symbol": "STATED", "vol": 0.3, "quote_utc": NOW},
    ]
    rows = [option("IMPLIED", "A", "C", 100.0, days), option("STATED", "A", "C", 101.0, days)]
    spots = {"A": {"spot": 100.0, "spot_utc": before(minutes=minutes)}}
    priced = market(rows[:1], spots, quotes[:1], max_age=timedelta(hours=12))
    result = sg.margin(book([("one", "IMPLIED", -1)]), priced, sg.tims())
    assert result.positions["vol"].item() == pytest.approx(0.2, rel=VOL_TOLERANCE)
    own = [row for row in told(result) if row[0] == "quotes"]
    assert own == ([("quotes", "IMPLIED", "W_NOT_SIMULTANEOUS")] if apart else [])
    assert result.accounts["reliability"].item() == ("STALE" if apart else "OK")
    if apart:
        flag = result.rejects.set_index("code").loc["W_NOT_SIMULTANEOUS"]
        assert (flag["line"], flag["column"], flag["value"]) == (2, "quote_utc", "2026-11-20T21:00:00Z")
        moved = AS_OF - pd.Timedelta(minutes=minutes)
        assert f"{moved:%Y-%m-%dT%H:%M:%S}Z" in flag["message"]

    beside = sg.margin(
        book([("one", "IMPLIED", -1)]),
        market(rows, spots, quotes, max_age=timedelta(hours=12)),
        sg.tims(),
    )
    filled = minutes > 720
    assert beside.positions["vol"].item() == pytest.approx(0.3 if filled else 0.2, rel=VOL_TOLERANCE)
    assert ("quotes", "IMPLIED", "W_FILLED") in told(beside) or not filled
    if filled:
        message = beside.rejects.set_index("code").loc["W_FILLED", "message"]
        assert message == "not_simultaneous: vol 0.3 taken from STATED"

"""Old prices of American options and of options with cash dividends, against a market of their own moment."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, market, option, tables
from hypothesis import given, settings
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.backends import get_backend
from shockgrid.calibration import calibrated
from shockgrid.market_series import as_quoted, series

RATE, SPOT = 0.05, 100.0
#: A vol from a price that may be wrong by 5e-5 of the spot, over a vega of a tenth of the spot or more.
VOL_TOLERANCE = 5e-4
#: Relative; a few roundings of exponents.
ROUNDING = 1e-12
MONTH = 30 * 1440  #: minutes
EX_DATE = pd.Timestamp("2026-12-01")  #: 10 days and 8 hours after AS_OF
EX_DAYS = (EX_DATE.tz_localize("America/New_York") - AS_OF) / pd.Timedelta(days=1)


def paid(*rows: tuple[str, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"underlying": "A", "ex_date": date, "amount": amount} for date, amount in rows],
        columns=["underlying", "ex_date", "amount"],
    )


def world(rows: Any, quotes: Any, dividends: pd.DataFrame, *, minutes_ago: int = 0) -> sg.Market:
    """A market so many minutes before AS_OF, on the same spot."""
    then = AS_OF - pd.Timedelta(minutes=minutes_ago)
    underlying = {"spot": SPOT, "yield_dec": 0.01, "borrow_dec": 0.005, "spot_utc": then.isoformat()}
    given_tables = tables(rows, {"A": underlying}, quotes, rate=RATE)
    return sg.Market.from_frames(**given_tables, dividends=dividends, as_of=then.to_pydatetime())


ROWS = [
    option("AC", "A", "C", 95.0, 15, style="american"),
    option("AP", "A", "P", 105.0, 60, style="american"),
    option("EC", "A", "C", 95.0, 15),
    option("EP", "A", "P", 105.0, 60, units_per_contract=150.0, cash_per_contract=300.0),
]
VOLS = [{"symbol": row["symbol"], "vol": 0.3} for row in ROWS]


@settings(max_examples=25)
@given(minutes=st.integers(0, 600_000), first=st.floats(0.0, 3.0), second=st.floats(0.0, 3.0))
def test_a_series_as_quoted_is_that_of_a_market_of_its_moment(
    minutes: int, first: float, second: float
) -> None:
    dividends = paid(("2026-12-01", first), ("2027-01-04", second))
    now, then = world(ROWS, VOLS, dividends), world(ROWS, VOLS, dividends, minutes_ago=minutes)
    rows = np.arange(len(ROWS))
    years = (now.as_of - then.as_of) / timedelta(days=365)
    moved, own = as_quoted(series(now, rows), np.full(len(rows), years)), series(then, rows)
    for column in fields(own):
        found, expected = getattr(moved, column.name), getattr(own, column.name)
        # a rate is the log of a discount factor over the years: near 1 the log has but 1e-16 / years
        np.testing.assert_allclose(found, expected, rtol=ROUNDING, atol=1e-13, err_msg=column.name)


def test_what_is_not_known_of_the_moment_of_a_quote() -> None:
    """A dividend that went ex since is as if it had never been; what went ex or expired before a quote of
    after as_of is left as it is."""
    rows, age = np.arange(len(ROWS)), np.full(len(ROWS), 30.0 / 365.0)
    gone, none = paid(("2026-11-10", 2.0)), paid()
    moved = as_quoted(series(world(ROWS, VOLS, gone), rows), age)
    assert series(world(ROWS, VOLS, gone, minutes_ago=MONTH), rows).ex_cash.tolist()[0] == [2.0]
    assert moved.ex_cash.size == 0
    own = series(world(ROWS, VOLS, none, minutes_ago=MONTH), rows)
    np.testing.assert_allclose(moved.slopes, own.slopes, rtol=ROUNDING)
    now = series(world(ROWS, VOLS, paid(("2026-12-01", 2.0))), rows)
    later = as_quoted(now, np.full(len(ROWS), -12.0 / 365.0))
    american = now.is_american
    assert (later.years[american] == now.years[american]).all(), "ex before the quote"
    assert (later.years[~american] < now.years[~american]).all()
    after = as_quoted(now, np.full(len(ROWS), -20.0 / 365.0))
    short = now.years < 20.0 / 365.0
    assert (after.years[short] == now.years[short]).all(), "expired before the quote"
    assert after.years.min() > 0.0


@pytest.mark.parametrize("style", ["american", "european"])
def test_a_quote_of_1901_beside_a_poor_discount_factor_is_a_vol_all_the_same(style: str) -> None:
    """One hour to expiry and a factor of 0.99: a rate of 88 a year, too much for 126 years of it."""
    rows = [option("OLD", "A", "P", 100.0, 1 / 24, style=style)]
    underlying = {"spot": SPOT, "spot_utc": "1901-01-01T00:00:00Z"}
    quotes = [{"symbol": "OLD", "mark": 2.0, "quote_utc": "1901-01-01T00:00:00Z"}]
    stated = {
        "underlying": "A",
        "expiry_utc": rows[0]["expiry_utc"],
        "forward": 99.0,
        "discount_factor": 0.99,
    }
    priced = market(
        rows, {"A": underlying}, quotes, forwards=pd.DataFrame([stated]), max_age=timedelta(hours=1)
    )
    done = calibrated(priced, get_backend())
    plain = calibrated(market(rows, {"A": SPOT}, quotes, forwards=pd.DataFrame([stated])), get_backend())
    assert done.instruments.vols.tolist() == plain.instruments.vols.tolist()
    assert done.instruments.vols[0] > VOL_TOLERANCE
    assert "W_STALE" in set(done.rejects["code"])


@pytest.mark.parametrize(
    ("right", "strike", "days", "cash"),
    [("C", 97.0, 15.0, 5.0), ("P", 104.0, 15.0, 5.0), ("P", 104.0, 60.0, 0.0), ("C", 97.0, 5.0, 5.0)],
)
def test_an_old_american_price_gives_the_vol_of_its_own_moment(
    right: str, strike: float, days: float, cash: float
) -> None:
    """20 days old, beside a spot of its moment; the call is exercised just before the dividend ahead."""
    age, vol = 20.0, 0.3
    mark = float(
        sg.price_american(
            spots=SPOT,
            strikes=strike,
            expiries=(days + age) / 365.0,
            vols=vol,
            rates=RATE,
            yields=0.015,
            is_call=right == "C",
            dividends=[((EX_DAYS + age) / 365.0, cash)],
        )
    )
    then = (AS_OF - pd.Timedelta(days=age)).isoformat()
    underlying = {"spot": SPOT, "yield_dec": 0.01, "borrow_dec": 0.005, "spot_utc": then}
    given_tables = tables(
        [option("OLD", "A", right, strike, days, style="american")],
        {"A": underlying},
        [{"symbol": "OLD", "mark": mark, "quote_utc": then}],
        rate=RATE,
    )
    found = {}
    for max_age in (timedelta(hours=1), None):
        priced = sg.Market.from_frames(
            **given_tables,
            dividends=paid((f"{EX_DATE:%Y-%m-%d}", cash)),
            as_of=AS_OF.to_pydatetime(),
            max_age=max_age,
        )
        table = calibrated(priced, get_backend()).instruments
        found[max_age] = float(table.vols[0])
    assert found[timedelta(hours=1)] == pytest.approx(vol, abs=VOL_TOLERANCE)
    assert found[None] > vol + 20 * VOL_TOLERANCE, "20 days that had passed would have been priced in"


def test_dividends_of_one_ex_date_are_one_drop_in_any_order() -> None:
    """A regular and a special one: two drops with no time between are slow to solve and gain nothing."""
    date = EX_DATE.date().isoformat()
    parts = [(date, 0.1), (date, 0.2), (date, 0.7)]
    apart, turned = (world(ROWS, VOLS, paid(*rows)) for rows in (parts, parts[::-1]))
    rows = np.arange(len(apart.instruments.symbols))
    found = series(apart, rows)
    assert found.ex_cash.shape[1] == 1
    early = found.is_american
    assert found.ex_cash[early, 0] == pytest.approx(1.0, rel=ROUNDING)
    assert all(
        np.array_equal(getattr(found, f.name), getattr(series(turned, rows), f.name)) for f in fields(found)
    )

"""The margin of later days: a market rolled on, expiries, windows, a move of rates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, market, option, stock
from closed_form import call

import shockgrid as sg
from shockgrid.reg_t import regt_rules
from shockgrid.regimes.house_rules import house_rules
from shockgrid.research.forecast import forecast, next_closes
from shockgrid.research.moved import rates_moved, rolled, settled

PARAMETERS = Path(sg.__file__).parent / "regimes" / "parameters"
CENT = 0.005


def test_rolling_the_market_is_building_it_later() -> None:
    """Forwards, discount factors and time of a market rolled by five days, a dividend on the way, are those
    of the same tables read five days later."""
    rows = [stock("D"), option("DC", "D", "C", 100.0, 30), option("DP", "D", "P", 100.0, 200)]
    quotes = [{"symbol": "DC", "vol": 0.3}, {"symbol": "DP", "vol": 0.2}]
    spots = {"D": {"spot": 100.0, "yield_dec": 0.02}}
    dates = [(AS_OF + pd.Timedelta(days=days)).strftime("%Y-%m-%d") for days in (3, 20, 100)]
    paid = pd.DataFrame({"underlying": "D", "ex_date": dates, "amount": [1.0, 1.5, 2.0]})
    today = market(rows, spots, quotes, dividends=paid)
    later = AS_OF + pd.Timedelta(days=5)
    from books import tables

    built = sg.Market.from_frames(**tables(rows, spots, quotes), dividends=paid, as_of=later.to_pydatetime())
    moved = rolled(today, later.to_pydatetime())
    for column in ("years", "slopes", "intercepts", "discount_factors", "dividends"):
        close = getattr(moved.instruments, column)
        assert close == pytest.approx(getattr(built.instruments, column), abs=1e-10), column
    assert moved.dividends.years == pytest.approx(built.dividends.years, abs=1e-12)
    with pytest.raises(sg.InputError, match="at or after"):
        rolled(today, (AS_OF - pd.Timedelta(days=1)).to_pydatetime())


def test_expired_options_leave_as_cash() -> None:
    """A short put of 110 on a spot of 100 pays 10 x 100 when it expires; a call of 110 nothing."""
    rows = [option("P", "XYZ", "P", 110.0, 1), option("C", "XYZ", "C", 110.0, 1), stock("XYZ")]
    priced = market(rows, {"XYZ": 100.0}, [{"symbol": "P", "vol": 0.3}, {"symbol": "C", "vol": 0.3}])
    held = book([("A", "P", -1.0), ("A", "C", -1.0), ("A", "XYZ", 5.0)])
    later = rolled(priced, (AS_OF + pd.Timedelta(days=2)).to_pydatetime())
    left = settled(held, later, sg.get_backend("numpy"))
    assert left.book.positions["symbol"].tolist() == ["XYZ"]
    assert left.book.accounts["cash"].tolist() == [pytest.approx(-1_000.0)]
    assert sorted(left.expired["symbol"]) == ["C", "P"]


def test_a_forecast_over_an_expiry() -> None:
    """AS_OF is the close of Friday 2026-11-20; Thanksgiving is no session. The call expires on Wednesday."""
    closes = [pd.Timestamp(close).strftime("%a %d") for close in next_closes(AS_OF.to_pydatetime(), 5)]
    assert closes == ["Mon 23", "Tue 24", "Wed 25", "Fri 27", "Mon 30"]
    priced = market([option("C", "XYZ", "C", 100.0, 5)], {"XYZ": 95.0}, [{"symbol": "C", "vol": 0.3}])
    table = forecast(book([("A", "C", -1.0)]), priced, sg.tims())
    assert table["expired"].tolist() == [0, 0, 0, 1, 1, 1]
    today = 100.0 * (call(95 * 1.15, 100.0, 0.3, 5) - call(95.0, 100.0, 0.3, 5))
    assert table["requirement"].tolist()[0] == pytest.approx(today, abs=CENT)
    assert table["requirement"].tolist()[2] > 0.0
    monday = 100.0 * (call(95 * 1.15, 100.0, 0.3, 2) - call(95.0, 100.0, 0.3, 2))
    assert table["requirement"].tolist()[1] == pytest.approx(monday, abs=CENT)
    assert table["requirement"].tolist()[3:] == [0.0, 0.0, 0.0]
    with pytest.raises(sg.InputError, match="at least one"):
        next_closes(AS_OF.to_pydatetime(), 0)


def test_a_forecast_into_an_earnings_window(tmp_path: Path) -> None:
    """Earnings on Friday 27, ranges of 40 % half as wide again from three days before: from Tuesday's
    close on, until Monday 30, 100 shares at 100 lose 20 % more. The floor of 30 % for one name is below."""
    text = (PARAMETERS / "house-rules-2026-11-20.toml").read_text(encoding="utf-8")
    own = tmp_path / "own.toml"
    choice = 'source = "a choice"', 'confidence = "unconfirmed"'
    row = "\n".join([*choice, f"range = {{ down = 0.4, up = 0.4, {', '.join(choice)} }}"])
    own.write_text(f"{text}\n[names.XYZ]\nearnings = 2026-11-27\n{row}\n", encoding="utf-8")
    held, priced = book([("A", "XYZ", 100.0)]), market([stock("XYZ")], {"XYZ": 100.0})
    table = forecast(held, priced, house_rules(own))
    scans = table["requirement"] - table["requirement"].iloc[0]
    closes = [pd.Timestamp(close).day for close in table["as_of"]]
    assert dict(zip(closes, scans.round(2), strict=True)) == {
        20: 0,
        23: 0,
        24: 2000,
        25: 2000,
        27: 2000,
        30: 0,
    }
    assert table["change"].tolist() == pytest.approx(scans.tolist())


def test_a_forecast_of_an_option_that_falls_under_nine_months() -> None:
    """A listed long option of more than nine months is worth a loan of 25 % (Cboe Margin Manual 2021-11-30);
    one that expires on 2027-08-23 is so until Monday's close, 2026-11-23, and is then paid in full."""
    days = (pd.Timestamp("2027-08-23T20:00:00Z") - AS_OF) / pd.Timedelta(days=1)
    priced = market([option("C", "XYZ", "C", 100.0, days)], {"XYZ": 95.0}, [{"symbol": "C", "vol": 0.3}])
    table = forecast(book([("A", "C", 1.0)]), priced, regt_rules(), sessions=2)
    worth = [100.0 * call(95.0, 100.0, 0.3, days - passed) for passed in (0, 3, 4)]
    expected = [0.75 * worth[0], worth[1], worth[2]]
    assert table["requirement"].tolist() == pytest.approx(expected, abs=CENT)
    assert table["equity"].tolist() == pytest.approx(worth, abs=CENT)


def test_moving_rates_is_building_on_another_curve() -> None:
    """Rates a point higher, under a call, a put, cash dividends and a yield."""
    rows = [stock("D"), option("DC", "D", "C", 100.0, 30), option("DP", "D", "P", 100.0, 200)]
    quotes = [{"symbol": "DC", "vol": 0.3}, {"symbol": "DP", "vol": 0.2}]
    spots = {"D": {"spot": 100.0, "yield_dec": 0.02}}
    dates = [(AS_OF + pd.Timedelta(days=days)).strftime("%Y-%m-%d") for days in (3, 100)]
    paid = pd.DataFrame({"underlying": "D", "ex_date": dates, "amount": [1.0, 2.0]})
    moved = rates_moved(market(rows, spots, quotes, rate=0.05, dividends=paid), 0.01).instruments
    built = market(rows, spots, quotes, rate=0.06, dividends=paid).instruments
    for column in ("slopes", "intercepts", "discount_factors", "dividends"):
        assert getattr(moved, column) == pytest.approx(getattr(built, column), abs=1e-10), column
    table = forecast(
        book([("A", "DC", -1.0)]),
        market(rows[:2], {"D": 95.0}, quotes[:1]),
        sg.tims(),
        sessions=1,
        rate_shift=0.01,
    )
    later = [100.0 * call(spot, 100.0, 0.3, 27, rate=0.06) for spot in (95.0 * 1.15, 95.0)]
    assert table["requirement"].tolist()[1] == pytest.approx(later[0] - later[1], abs=CENT)
    with pytest.raises(sg.InputError, match="finite shift"):
        rates_moved(market([stock("D")], spots), np.nan)

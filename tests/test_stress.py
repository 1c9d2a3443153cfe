"""Reverse stress, the firm's own loss, forecasts and slopes, each against a sum written out by hand."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, market, option, requirement, stock
from scipy.special import ndtr

import shockgrid as sg
from shockgrid.engine import plan
from shockgrid.reg_t import regt_rules
from shockgrid.regimes.house_rules import house_rules
from shockgrid.research.firm_loss import firm_loss
from shockgrid.research.forecast import forecast, next_closes
from shockgrid.research.grids import Grid
from shockgrid.research.moved import rates_moved, rolled, settled, shocked
from shockgrid.research.sensitivities import greeks, sticky_sides
from shockgrid.research.stress import (
    Curve,
    crossing,
    distance_to_breach,
    margin_after_stress,
    missed_between_points,
    nearest_breach,
)

PARAMETERS = Path(sg.__file__).parent / "regimes" / "parameters"
SEARCH = 2e-6  #: a price shock is narrowed down to this
CENT = 0.005


def call(spot: float, strike: float, vol: float, days: float, rate: float = 0.05) -> float:
    deviation = vol * sqrt(days / 365)
    upper = (log(spot / strike) + rate * days / 365) / deviation + deviation / 2
    return float(spot * ndtr(upper) - strike * exp(-rate * days / 365) * ndtr(upper - deviation))


def shares(cash: float) -> tuple[sg.Book, sg.Market]:
    """100 A at 100 and -50 B at 200 with some cash."""
    accounts = [{"account": "one", "cash": cash}]
    held = book([("one", "A", 100.0), ("one", "B", -50.0)], accounts)
    spots = {"A": {"spot": 100.0, "atm_vol_dec": 0.3}, "B": {"spot": 200.0, "atm_vol_dec": 0.2}}
    return held, market([stock("A"), stock("B")], spots)


def test_distance_to_breach_by_hand() -> None:
    """Equity 5,000; A and B ask 15 % of 10,000 each, so the excess is 2,000: A breaches after falling 20 %,
    B after rising 20 %, and together they cancel. The equity is gone at 50 %."""
    held, priced = shares(5_000.0)
    result = sg.margin(held, priced, sg.tims())
    table = distance_to_breach(held, priced, result, "one").set_index("name")
    assert table.loc["A", "breach_down"] == pytest.approx(-0.2, abs=SEARCH)
    assert table.loc["B", "breach_up"] == pytest.approx(0.2, abs=SEARCH)
    assert np.isnan(table.loc["A", "breach_up"])
    assert table.loc["A", "equity_gone_down"] == pytest.approx(-0.5, abs=SEARCH)
    assert table.loc["A", "in_scan_ranges"] == pytest.approx(0.2 / 0.15, abs=1e-4)
    assert table.loc["B", "in_sigmas"] == pytest.approx(0.2 / (0.2 / sqrt(252)), abs=1e-3)
    assert np.isnan(table.loc["all names together", "nearest"])


def test_distance_by_an_index_move() -> None:
    """Long 10,000 of A at beta 2, short 10,000 of B at 0.5: 15,000 x the move. An excess of 2,000 is gone
    at -2 / 15, the equity of 5,000 at -1 / 3."""
    held, _ = shares(5_000.0)
    spots = {"A": {"spot": 100.0, "beta": 2.0}, "B": {"spot": 200.0, "beta": 0.5}}
    priced = market([stock("A"), stock("B")], spots)
    table = distance_to_breach(held, priced, sg.margin(held, priced, sg.tims()), "one").set_index("name")
    row = table.loc["all names by beta"]
    assert row["breach_down"] == pytest.approx(-2 / 15, abs=SEARCH)
    assert row["equity_gone_down"] == pytest.approx(-1 / 3, abs=SEARCH)
    assert np.isnan(row["breach_up"])
    assert (
        "all names by beta"
        not in distance_to_breach(*shares(5_000.0), sg.margin(*shares(5_000.0), sg.tims()), "one")
        .set_index("name")
        .index
    )


def test_an_account_in_breach_is_at_no_distance() -> None:
    held, priced = shares(1_000.0)
    result = sg.margin(held, priced, sg.tims())
    table = distance_to_breach(held, priced, result, "one").set_index("name")
    assert table.loc["A", "nearest"] == 0.0
    assert table.loc["A", "equity_gone_down"] == pytest.approx(-0.1, abs=SEARCH)


def test_where_a_short_call_loses_an_amount() -> None:
    priced = market([option("C", "XYZ", "C", 100.0, 30)], {"XYZ": 95.0}, [{"symbol": "C", "vol": 0.3}])
    found = crossing(Curve(plan(book([("A", "C", -1.0)]), priced), None, 0.0, sg.get_backend("auto")), 500.0)
    loss = 100.0 * (call(95.0 * (1 + found.up), 100.0, 0.3, 30) - call(95.0, 100.0, 0.3, 30))
    assert loss == pytest.approx(500.0, abs=0.05)
    assert np.isnan(found.down)


def test_the_nearest_breach_on_a_surface() -> None:
    """100 shares at 100 lose 1,000 at -10 %, whatever the vol does."""
    held, priced = shares(0.0)
    grid = Grid(np.linspace(-0.2, 0.2, 41), np.linspace(-0.5, 0.5, 11))
    surface = sg.pnl_surface(held, priced, grid, account="one", symbol="A")
    price, vol, distance = nearest_breach(surface, 1_000.0 - 1e-9, price_unit=0.15, vol_unit=0.3)
    assert (price, vol) == (pytest.approx(-0.1), pytest.approx(0.0, abs=1e-15))
    assert distance == pytest.approx(0.1 / 0.15)
    assert np.isnan(nearest_breach(surface, 1e9, price_unit=0.15, vol_unit=0.3)[2])
    with pytest.raises(sg.InputError, match="above 0"):
        nearest_breach(surface, 1.0, price_unit=0.0, vol_unit=1.0)


def test_margin_after_stress_by_hand() -> None:
    """10 % up: A is worth 11,000 and B -11,000; the points ask 15 % of each anew."""
    held, priced = shares(5_000.0)
    row = margin_after_stress(held, priced, sg.tims(), "one", [0.1]).iloc[0]
    assert (row["equity"], row["requirement"]) == (pytest.approx(5_000.0), pytest.approx(3_300.0))
    assert row["excess"] == pytest.approx(1_700.0)
    with pytest.raises(sg.InputError, match="above -1"):
        shocked(priced, -1.0)
    only_a = shocked(priced, 0.1, class_groups=["A"])
    assert only_a.underlyings.spots.tolist() == [pytest.approx(110.0), 200.0]


def test_missed_between_points() -> None:
    """A short butterfly around 104.5 is worst between the points at +3 % and +6 %; shares miss nothing."""
    strikes = {"L": 100.0, "M": 104.5, "H": 109.0}
    rows = [option(name, "XYZ", "C", strike, 2) for name, strike in strikes.items()]
    priced = market(
        [*rows, stock("Z")], {"XYZ": 100.0, "Z": 10.0}, [{"symbol": s, "vol": 0.2} for s in "LMH"]
    )
    held = book([("A", "L", -10.0), ("A", "M", 20.0), ("A", "H", -10.0), ("A", "Z", 100.0)])
    table = missed_between_points(sg.margin(held, priced, sg.tims())).set_index("class_group")
    assert table.loc["Z", "missed"] == pytest.approx(0.0, abs=1e-9)
    prices = 100.0 * (1.0 + np.linspace(-0.15, 0.15, 401))
    signs = {"L": -10.0, "M": 20.0, "H": -10.0}

    def pnl(spot: float) -> float:
        gains = [
            signs[name] * 100.0 * (call(spot, strike, 0.2, 2) - call(100.0, strike, 0.2, 2))
            for name, strike in strikes.items()
        ]
        return sum(gains)

    points = [pnl(100.0 * (1 + 0.03 * k)) for k in range(-5, 6) if k]
    assert table.loc["XYZ", "regime_worst"] == pytest.approx(-min(points), abs=CENT)
    assert table.loc["XYZ", "dense_worst"] == pytest.approx(-min([*map(pnl, prices), *points]), abs=CENT)
    assert table.loc["XYZ", "missed"] > 100.0
    assert 0.03 < table.loc["XYZ", "price_shock"] < 0.06


def test_what_cannot_be_spanned_is_refused() -> None:
    held, priced = shares(0.0)
    weighted = sg.house(scenarios=sg.ScenarioSet.points([-0.1, 0.1], weight=[1.0, 0.5]))
    with pytest.raises(sg.InputError, match="unweighted"):
        missed_between_points(sg.margin(held, priced, weighted))
    groups = pd.DataFrame({"underlying": ["A", "B"], "class_group": "S"})
    rows = [{"scenario": "one", "underlying": "A", "spot_shock": -0.1}]
    joint = sg.house(scenarios=sg.ScenarioSet.joint(pd.DataFrame(rows)))
    merged = market([stock("A"), stock("B")], {"A": 100.0, "B": 200.0}, groups=groups)
    with pytest.raises(sg.InputError, match="move together"):
        missed_between_points(sg.margin(held, merged, joint))
    assert missed_between_points(sg.margin(book([]), priced, sg.tims())).empty


def test_the_firms_own_loss_by_hand() -> None:
    """A falls by half: the long one owes 5,000 - 1,000 = 4,000, its short neighbour is fine; up by half the
    short one (equity 2,000) owes 3,000. Calls and cash follow from 15 % of 10,000."""
    accounts = [{"account": "long", "cash": -9_000.0}, {"account": "short", "cash": 12_000.0}]
    held = book([("long", "A", 100.0), ("short", "A", -100.0)], accounts)
    priced = market([stock("A")], {"A": 100.0})
    result = sg.margin(held, priced, sg.tims())
    found = firm_loss(held, priced, sg.ScenarioSet.grid([-0.5, 0.0, 0.5]), result)
    assert found.scenarios["firm_loss"].tolist() == pytest.approx([4_000.0, 0.0, 3_000.0])
    assert found.scenarios["defaults"].tolist() == [1, 0, 1]
    assert found.scenarios["calls"].tolist() == [1, 1, 1]
    assert found.scenarios["cash_called"].tolist() == pytest.approx([5_500.0, 500.0, 4_500.0])
    assert found.worst == 0
    assert found.accounts["margin_group"].tolist() == ["long", "short"]
    assert found.accounts["worst_shortfall"].tolist() == pytest.approx([4_000.0, 3_000.0])
    assert found.names.to_dict("list") == {"class_group": ["A"], "pnl": [pytest.approx(-5_000.0)]}
    with pytest.raises(sg.InputError, match="margin groups differ"):
        firm_loss(held.select(["long"]), priced, sg.ScenarioSet.grid([0.0]), result)


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


def test_greeks_of_a_call_by_hand() -> None:
    priced = market([option("C", "XYZ", "C", 100.0, 60)], {"XYZ": 100.0}, [{"symbol": "C", "vol": 0.3}])
    grid = Grid(np.linspace(-0.1, 0.1, 201), np.linspace(-0.2, 0.2, 41))
    surface = sg.pnl_surface(book([("A", "C", 1.0)]), priced, grid, account="A", method="direct")
    found = greeks(surface)
    deviation = 0.3 * sqrt(60 / 365)
    upper = (0.05 * 60 / 365) / deviation + deviation / 2
    density = exp(-upper * upper / 2) / sqrt(2 * np.pi)
    assert found.delta[100, 20] == pytest.approx(100.0 * ndtr(upper), rel=1e-4)  # 1 % of 100 is 1
    assert found.gamma[100, 20] == pytest.approx(100.0 * density / (100.0 * deviation), rel=1e-3)
    vega = 100.0 * 100.0 * density * sqrt(60 / 365) * 0.3 * 0.01  # a relative vol shock of 1 %
    assert found.vega is not None
    assert found.vega[100, 20] == pytest.approx(vega, rel=1e-4)
    assert greeks(replace(surface, pnl=surface.pnl[:, :1], grid=Grid(grid.spots, np.zeros(1)))).vega is None


def test_sticky_strike_and_sticky_delta() -> None:
    """On a flat smile they agree. On a falling one a 100 call after +10 % has the vol of strike 90.909."""
    strikes = [80.0, 90.0, 100.0, 110.0, 120.0]
    rows = [option(f"C{k:.0f}", "XYZ", "C", k, 60) for k in strikes]
    held, grid = book([("A", "C100", 1.0)]), Grid(np.array([-0.05, 0.0, 0.1]), np.zeros(1))
    flat, skew = (
        market(
            rows, {"XYZ": 100.0}, [{"symbol": f"C{k:.0f}", "vol": 0.3 - s * log(k / 100)} for k in strikes]
        )
        for s in (0.0, 0.4)
    )
    same = sticky_sides(held, flat, grid, account="A")
    assert same["sticky delta"].pnl == pytest.approx(same["sticky strike"].pnl, abs=1e-9)
    sides = sticky_sides(held, skew, grid, account="A")
    vol = float(np.interp(log(100 / 1.1), np.log(strikes), [0.3 - 0.4 * log(k / 100) for k in strikes]))
    expected = 100.0 * (call(110.0, 100.0, vol, 60) - call(100.0, 100.0, 0.3, 60))
    assert sides["sticky delta"].pnl[2, 0] == pytest.approx(expected, abs=1e-6)
    assert sides["sticky delta"].pnl[1, 0] == pytest.approx(0.0, abs=1e-9)
    assert sides["sticky delta"].pnl[2, 0] > sides["sticky strike"].pnl[2, 0]
    assert requirement(sg.margin(held, skew, sg.tims())) > 0.0

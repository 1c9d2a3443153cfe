"""Back-tests: exceptions by hand, real histories through their crashes, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, requirement, stock

import shockgrid as sg
from shockgrid.research.replay import HOLDING_COLUMNS, realised_vols, replay, sweep


def test_exceptions_and_shortfalls_by_hand() -> None:
    """Margin 100; two days ahead the path is at -120, -90, then -90, -150: both windows are exceptions, one
    counts for the verdict, the largest loss beyond margin is 50, half of it."""
    days = pd.date_range("2024-08-01", periods=3)
    paths = np.array([[[-120.0, -90.0]], [[-90.0, -150.0]], [[5.0, 1.0]]])
    found = sg.backtest(pd.DataFrame({"A": 100.0}, index=days), paths, block=2)
    row = found.accounts.loc["A"]
    assert (row["observations"], row["exceptions"], row["overlapping_exceptions"]) == (2, 1, 2)
    assert (row["largest_shortfall"], row["mean_shortfall"]) == (50.0, 35.0)
    assert row["largest_in_margins"] == pytest.approx(0.5)
    assert found.pooled["rate"] == pytest.approx(2 / 3)
    window = found.windows().set_index("window")
    assert window.loc["August 2024", "exceptions"] == 2
    assert window.loc["March 2020", "cells"] == 0
    buckets = found.by_vol(pd.Series([0.1, 0.3, 0.2], index=days), buckets=3)
    assert buckets["exceptions"].tolist() == [1, 0, 1]


def test_procyclicality_by_hand() -> None:
    days = pd.date_range("2020-01-01", periods=4)
    found = sg.backtest(pd.DataFrame({"A": [100.0, 150.0, 120.0, 180.0]}, index=days), np.zeros((4, 1)))
    row = found.procyclicality().loc["A"]
    assert (row["peak_to_trough"], row["rise_1"]) == (pytest.approx(1.8), pytest.approx(0.5))
    assert np.isnan(row["rise_30"])


def test_refusals() -> None:
    days = pd.date_range("2020-01-01", periods=2)
    margins = pd.DataFrame({"A": [1.0, 1.0]}, index=days)
    for table, pnl, more, problem in (
        (margins, np.zeros((3, 1)), {}, "shape"),
        (margins, np.full((2, 1), np.nan), {}, "finite P&L"),
        (-margins, np.zeros((2, 1)), {}, ">= 0"),
        (margins[::-1], np.zeros((2, 1)), {}, "ascending"),
        (margins, np.zeros((2, 1)), {"level": 99.0}, "level"),
    ):
        with pytest.raises(sg.InputError, match=problem):
            sg.backtest(table, pnl, **more)


def histories(shared: Path, first: str, last: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = shared / "data" / "prices-skfolio"
    prices, vols = (
        pd.read_csv(folder / name, index_col=0, parse_dates=True).loc[first:last]
        for name in ("sp500_dataset.csv.gz", "sp500_implied_vol_dataset.csv.gz")
    )
    return prices, vols


def holdings(*rows: tuple[str, str, str, float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(HOLDING_COLUMNS))


def test_shares_through_march_2020(shared: Path) -> None:
    """Shares under the ten points ask 15 %; HD fell 19.8 % on 2020-03-16, AAPL 12.9 % (SOURCE.md)."""
    prices, vols = histories(shared, "2020-02-18", "2020-04-10")
    rows = holdings(("hd", "HD", "", 1.0, 0.0, 100.0), ("aapl", "AAPL", "", 1.0, 0.0, 100.0))
    found = sg.backtest(*replay(prices, vols, rows, sg.tims()))
    assert found.margins.to_numpy() == pytest.approx(1500.0)
    losses = -found.worst_pnl.loc["2020-03-13"]
    assert losses["hd"] == pytest.approx(100 * 19.8, abs=5.0)
    assert losses["aapl"] == pytest.approx(100 * 12.9, abs=5.0)
    assert found.accounts.loc["hd", "exceptions"] == 1
    assert found.accounts.loc["aapl", "exceptions"] == 0
    window = found.windows().iloc[0]
    assert (window["window"], window["exceptions"]) == ("March 2020", 1)


def test_a_short_straddle_carried_by_hand(shared: Path) -> None:
    """P&L over two days is the two values less the first, at the later vol and with the days gone."""
    prices, vols = histories(shared, "2020-03-09", "2020-03-13")
    rows = holdings(("s", "JPM", "C", 1.0, 30.0, -1.0), ("s", "JPM", "P", 1.0, 30.0, -1.0))
    run = replay(prices, vols, rows, sg.tims(), horizon=2, rate=0.01)

    def straddle(spot: float, vol: float, days: float) -> float:
        values = [
            sg.price_european(
                forwards=spot * np.exp(0.01 * days / 365),
                strikes=100.0,
                expiries=days / 365,
                vols=vol,
                discount_factors=np.exp(-0.01 * days / 365),
                is_call=right,
            )
            for right in (True, False)
        ]
        return 100.0 * float(sum(values))

    price, vol = prices["JPM"].to_numpy(), vols["JPM"].to_numpy()
    moved = straddle(100.0 * price[2] / price[0], vol[2], 28.0)
    assert run.pnl[0, 0, 1] == pytest.approx(straddle(100.0, vol[0], 30.0) - moved, abs=1e-9)
    asked = [
        straddle(100.0 * (1 + point), vol[0], 30.0) - straddle(100.0, vol[0], 30.0) for point in (-0.15, 0.15)
    ]
    assert run.margins.iloc[0, 0] == pytest.approx(max(asked), abs=1e-6)


def test_replay_asks_what_margin_asks(shared: Path) -> None:
    """The same book in a market of its own at that day's vol, through ``margin`` under the house regime."""
    prices, vols = histories(shared, "2020-03-09", "2020-03-11")
    rows = (
        ("s", "JPM", "C", 1.1, 30.0, -2.0),
        ("s", "JPM", "P", 0.9, 30.0, -1.0),
        ("s", "HD", "", 1.0, 0.0, 9.0),
    )
    run = replay(prices, vols, holdings(*rows), sg.house())
    options = [option("C", "JPM", "C", 110.0, 30), option("P", "JPM", "P", 90.0, 30)]
    vol = float(vols["JPM"].iloc[1])
    quotes = [{"symbol": name, "vol": vol} for name in "CP"]
    priced = market([*options, stock("HD")], {"JPM": 100.0, "HD": 100.0}, quotes, rate=0.0)
    held = book([("s", "C", -2.0), ("s", "P", -1.0), ("s", "HD", 9.0)])
    expected = requirement(sg.margin(held, priced, sg.house()), "s")
    assert run.margins["s"].iloc[1] == pytest.approx(expected, rel=1e-12)


def test_a_wider_range_has_fewer_exceptions(shared: Path) -> None:
    prices, vols = histories(shared, "2020-02-18", "2020-03-31")
    rows = holdings(*((name, name, "", 1.0, 0.0, 10.0) for name in ("HD", "BAC", "XOM")))
    plain = {"vol": [0.0], "contingency_rate": 0.0, "concentrated": False}
    found = sweep(prices, vols, rows, {f"{w:.0%}": sg.house(spot=[-w, w], **plain) for w in (0.06, 0.15)})
    counts = [run.exceptions.to_numpy().sum() for run in found.values()]
    assert counts[0] > counts[1] > 0


def test_offsets_lower_margin_and_correlation_breaks_show(shared: Path) -> None:
    """Long HD, short JPM: offset in full the two legs need nothing at the points, and lose what they do."""
    prices, vols = histories(shared, "2020-02-18", "2020-03-31")
    rows = holdings(("pair", "HD", "", 1.0, 0.0, 100.0), ("pair", "JPM", "", 1.0, 0.0, -100.0))
    groups = pd.DataFrame({"underlying": ["HD", "JPM"], "product_group": "P", "portfolio_group": "P"})
    asked = []
    for share in (0.0, 0.5, 1.0):
        offsets = pd.DataFrame([{"level": "product", "group": "P", "offset_dec": share}])
        run = replay(prices, vols, rows, sg.tims(), groups=groups, offsets=offsets)
        asked.append(float(run.margins.iloc[0, 0]))
    assert asked == pytest.approx([3000.0 / 2, 3000.0 / 4, 0.0], abs=1e-6)
    assert sg.backtest(*run).accounts["verdict"].tolist() == ["fail"]


def test_august_2024_on_funds_and_coins(shared: Path) -> None:
    """QQQ fell 3.0 % and ETH 10.0 % on 2024-08-05 (SOURCE.md); vols are realised ones."""
    folder = shared / "data" / "prices-etf-crypto"
    prices = pd.concat(
        {
            name: pd.read_csv(folder / f"{name}.csv", index_col=0, parse_dates=True)["Adj_Close"]
            for name in ("QQQ", "ETH-USD")
        },
        axis=1,
        sort=True,
    ).dropna()
    vols = realised_vols(prices).loc["2024-07-25":"2024-08-20"]
    rows = holdings(("fund", "QQQ", "", 1.0, 0.0, 100.0), ("coin", "ETH-USD", "", 1.0, 0.0, 100.0))
    plain = {"vol": [0.0], "contingency_rate": 0.0, "concentrated": False}
    run = replay(prices.loc[vols.index], vols, rows, sg.house(spot=[-0.06, 0.06], **plain))
    found = sg.backtest(*run)
    assert found.windows().set_index("window").loc["August 2024", "exceptions"] >= 1
    assert -found.worst_pnl.loc["2024-08-02", "fund"] == pytest.approx(300.0, abs=10.0)


def test_histories_that_do_not_fit_are_refused(shared: Path) -> None:
    prices, vols = histories(shared, "2020-03-09", "2020-03-13")
    rows = holdings(("s", "JPM", "C", 1.0, 30.0, -1.0))
    gaps = prices.copy()
    gaps.loc[gaps.index[1], "JPM"] = np.nan
    for first, second, table, more, problem in (
        (gaps, vols, rows, {}, "gaps"),
        (prices, vols[1:], rows, {}, "same dates"),
        (prices, vols, rows.drop(columns="days"), {}, "columns"),
        (prices, vols, rows.assign(underlying="IBM"), {}, "history"),
        (prices, vols, rows, {"horizon": 5}, "1 to 4"),
    ):
        with pytest.raises(sg.InputError, match=problem):
            replay(first, second, table, sg.tims(), **more)

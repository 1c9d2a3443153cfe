"""Back-tests: exact figures of the statistics, simulated books whose answer is known, real histories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, requirement, stock
from scipy.stats import binom

import shockgrid as sg
from shockgrid.research.coverage import (
    basel_zone,
    block_bootstrap,
    chi_square_p,
    fails_from,
    independence_statistic,
    kupiec,
    kupiec_statistic,
    power,
)
from shockgrid.research.replay import HOLDING_COLUMNS, realised_vols, replay, sweep

#: days, rate, accepted from, to, true size, power at 2 % (7.5 % for 5 %), at 3 %, one-sided fails from; as
#: computed independently when the back-test was designed, printed to these digits
PRINTED = [
    (250, 0.01, 1, 6, 0.095, 0.24, 0.63, 6),
    (500, 0.01, 2, 9, 0.071, 0.54, 0.93, 10),
    (1000, 0.01, 5, 16, 0.055, 0.78, 1.00, 16),
    (2500, 0.01, 16, 35, 0.044, 0.98, 1.00, 34),
    (250, 0.05, 7, 19, 0.059, 0.42, None, 19),
]
DIGIT = 0.005


@pytest.mark.parametrize(("days", "rate", "low", "high", "size", "twice", "thrice", "fails"), PRINTED)
def test_the_printed_table(
    days: int, rate: float, low: int, high: int, size: float, twice: float, thrice: float | None, fails: int
) -> None:
    found = kupiec(days, rate)
    assert (found.lowest, found.highest) == (low, high)
    assert found.size == pytest.approx(size, abs=0.0005)
    assert found.power(0.02 if rate == 0.01 else 0.075) == pytest.approx(twice, abs=DIGIT)
    if thrice is not None:
        assert found.power(0.03) == pytest.approx(thrice, abs=DIGIT)
    assert fails_from(days, rate) == fails
    # the definition, by summation
    tail = [sum(binom.pmf(range(count, days + 1), days, rate)) for count in (fails - 1, fails)]
    assert tail[0] > 0.05 >= tail[1]


def test_no_exceptions_fail_kupiec_but_not_the_verdict() -> None:
    """The two-sided test calls 0 exceptions of 250 a failure (statistic 2 x 250 x ln(1 / 0.99) = 5.03)."""
    assert float(kupiec_statistic(0, 250)) == pytest.approx(500 * np.log(1 / 0.99))
    assert chi_square_p(float(kupiec_statistic(0, 250)), 1) < 0.05
    days = pd.date_range("2020-01-01", periods=250)
    found = sg.backtest(pd.DataFrame({"safe": 100.0}, index=days), np.zeros((250, 1)))
    assert found.accounts.loc["safe", "verdict"] == "pass"
    assert found.accounts.loc["safe", "kupiec_p"] < 0.05


def test_kupiec_by_hand() -> None:
    """7 of 250 at 1 %: 2 ln((0.028^7 x 0.972^243) / (0.01^7 x 0.99^243)) = 5.497."""
    by_hand = 2 * (7 * np.log(0.028 / 0.01) + 243 * np.log(0.972 / 0.99))
    assert float(kupiec_statistic(7, 250)) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(5.497, abs=0.0005)


def test_christoffersen_by_hand() -> None:
    """0 1 1 0 0 0 1 0: of the four zeros followed by something two lead to 1, of three ones one does."""
    marks = np.array([0, 1, 1, 0, 0, 0, 1, 0], bool)
    free = 2 * np.log(0.5) + 2 * np.log(0.5) + np.log(1 / 3) + 2 * np.log(2 / 3)
    same = 3 * np.log(3 / 7) + 4 * np.log(4 / 7)
    assert independence_statistic(marks) == pytest.approx(2 * (free - same))
    assert independence_statistic(np.zeros(9, bool)) == 0.0


def test_basel_zones() -> None:
    zones = [basel_zone(count) for count in (0, 4, 5, 9, 10)]
    assert zones == ["green", "green", "yellow", "yellow", "red"]


def test_the_verdict_on_simulated_books() -> None:
    """1,000 books of right margin: at most 5 % fail. With true rate 3 % and 500 days: at least 90 % do."""
    rng = np.random.default_rng(7)
    for days in (250, 500, 1000):
        assert (rng.binomial(days, 0.01, 1000) >= fails_from(days)).mean() <= 0.05 + 0.02
        assert binom.sf(fails_from(days) - 1, days, 0.01) <= 0.05
    gains = rng.standard_normal((500, 1000))
    right, wrong = (
        sg.backtest(pd.DataFrame(np.full(gains.shape, quantile)), gains, draws=10).accounts["verdict"]
        for quantile in (2.3263478740408408, 1.8807936081512509)  # of a normal: 1 % and 3 %
    )
    assert (right == "pass").mean() >= 0.95
    assert (wrong == "fail").mean() >= 0.90
    assert power(500, 0.03) == pytest.approx(0.93, abs=DIGIT)


@pytest.mark.parametrize(("days", "share"), [(500, 0.10), (2500, 0.48)])
def test_what_christoffersen_sees_of_clusters(days: int, share: float) -> None:
    """Constant margin on GARCH(0.10, 0.88) with t5 shocks, 400 runs: printed shares, 3.5 standard errors."""
    rng = np.random.default_rng(3)
    shocks = rng.standard_t(5, (days + 500, 400)) * np.sqrt(3 / 5)
    variances, returns = np.ones(400), np.empty(shocks.shape)
    for day in range(len(shocks)):
        returns[day] = np.sqrt(variances) * shocks[day]
        variances = 0.02 + 0.10 * returns[day] ** 2 + 0.88 * variances
    kept = returns[500:]
    exceptions = kept < np.quantile(kept, 0.01)
    seen = np.mean([chi_square_p(independence_statistic(run), 1) < 0.05 for run in exceptions.T])
    assert seen == pytest.approx(share, abs=3.5 * np.sqrt(share * (1 - share) / 400))


def test_days_are_drawn_not_cells() -> None:
    """100 accounts that are one: the interval is that of one account, not a tenth of it."""
    rng = np.random.default_rng(5)
    one = rng.random(1000) < 0.02
    alike = block_bootstrap(np.tile(one[:, None], 100), 1, 2000, 1)
    single = block_bootstrap(one[:, None], 1, 2000, 1)
    assert alike.std() == pytest.approx(single.std(), rel=1e-9)
    assert single.std() == pytest.approx(np.sqrt(one.mean() * (1 - one.mean()) / 1000), rel=0.1)
    with pytest.raises(sg.InputError, match="block"):
        block_bootstrap(one[:, None], 1001, 10, 1)


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

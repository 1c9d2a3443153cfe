"""Historical simulation on real prices and VIX, against its own definition written out slowly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, requirement, stock

import shockgrid as sg
from shockgrid.regimes.historical import METHODS, value_at_risk

ROUNDING = 1e-9  #: the same sums in another order, relative to a few thousand dollars
DAYS = 500
NAMES = {"AAPL": 130.0, "XOM": 100.0, "JPM": 135.0}
MARKET = market(
    [*(stock(name) for name in NAMES), option("AC", "AAPL", "C", 135.0, 60.0)],
    NAMES,
    [{"symbol": "AC", "vol": 0.35}],
    rate=0.0,
)
HELD = {"AAPL": 100, "XOM": -80, "JPM": 50, "AC": -2}
BOOK = book([("A", *item) for item in HELD.items()])


@pytest.fixture(scope="module")
def prices(shared: Path) -> pd.DataFrame:
    path = shared / "data" / "prices-skfolio" / "sp500_dataset.csv.gz"
    return pd.read_csv(path, index_col="Date", parse_dates=True)[list(NAMES)]


@pytest.fixture(scope="module")
def vix(shared: Path) -> pd.DataFrame:
    rows = pd.read_csv(shared / "data" / "vix-cboe" / "vix-daily.csv", index_col="DATE", parse_dates=True)
    return rows[["CLOSE"]].rename(columns={"CLOSE": "VIX"})


def call(spot: float, vol: float) -> float:
    terms: dict[str, Any] = {"strikes": 135.0, "expiries": 60 / 365, "discount_factors": 1.0, "is_call": True}
    return float(sg.price_european(forwards=spot, vols=vol, **terms))


def slow_losses(prices: pd.DataFrame, vols: pd.DataFrame | None) -> list[float]:
    """Loss of the book on each of the last days, one by one."""
    joined = prices.dropna() if vols is None else prices.join(vols, how="inner").dropna()
    joined = joined.iloc[-(DAYS + 1) :]
    losses = []
    for before, after in zip(joined.iloc[:-1].iterrows(), joined.iloc[1:].iterrows(), strict=True):
        moves = after[1] / before[1]
        pnl = sum(HELD[name] * spot * (moves[name] - 1.0) for name, spot in NAMES.items())
        vol = 0.35 * (moves["VIX"] if vols is not None else 1.0)
        pnl += HELD["AC"] * 100 * (call(130.0 * moves["AAPL"], vol) - call(130.0, 0.35))
        losses.append(-pnl)
    return losses


@pytest.mark.parametrize("with_vols", [False, True])
def test_shortfall_is_the_mean_of_the_worst_days(
    prices: pd.DataFrame, vix: pd.DataFrame, with_vols: bool
) -> None:
    vols = vix if with_vols else None
    regime = sg.regimes.historical(prices, vols, days=DAYS, vol_of={"default": "VIX"})
    result = sg.margin(BOOK, MARKET, regime)
    losses = slow_losses(prices, vols)
    worst = sorted(losses, reverse=True)[:5]  # 1 % of 500 days
    scan = result.accounts[["stand_alone_sum", "hedge_benefit", "offset_benefit"]].sum(axis=1).iloc[0]
    assert scan == pytest.approx(np.mean(worst), rel=ROUNDING)
    assert result.accounts["worst_scenario"].iloc[0] == int(np.argmax(losses))
    assert (
        result.accounts["worst_scenario"].iloc[0]
        == result.scenarios("A").groupby("scenario")["pnl"].sum().argmin()
    )


@pytest.mark.parametrize(("method", "rank"), [("inverted_cdf", 6), ("higher", 5), ("lower", 6)])
def test_value_at_risk_says_which_quantile(prices: pd.DataFrame, method: str, rank: int) -> None:
    """Of 500 losses at 99 %: 495 lie at or below the sixth largest; (n - 1) x 0.99 = 494.01 lies between."""
    regime = sg.regimes.historical(prices, days=DAYS, measure="value_at_risk", quantile=method)
    result = sg.margin(BOOK, MARKET, regime)
    expected = sorted(slow_losses(prices, None), reverse=True)[rank - 1]
    scan = result.accounts[["stand_alone_sum", "hedge_benefit", "offset_benefit"]].sum(axis=1).iloc[0]
    assert scan == pytest.approx(expected, rel=ROUNDING)
    assert f"quantile by {method}" in result.notes[0]
    day = int(result.accounts["worst_scenario"].iloc[0])
    assert slow_losses(prices, None)[day] == pytest.approx(expected, rel=ROUNDING)
    assert result.positions["euler"].sum() == pytest.approx(scan, rel=ROUNDING)


@pytest.mark.parametrize("method", METHODS)
def test_a_quantile_is_made_of_the_days_around_it(method: str) -> None:
    """The shares of the days, times their losses, are the quantile; ties and both ends included."""
    pnl = np.round(np.random.default_rng(3).normal(0.0, 2.0, (200, 11)))
    for level in (0.0, 0.5, 0.9, 0.97):
        reducer = value_at_risk(level, method)
        shares = reducer.shares(pnl)  # type: ignore[attr-defined]
        quantiles = np.quantile(-pnl, level, axis=1, method=method)
        np.testing.assert_allclose(-(shares * pnl).sum(axis=1), quantiles, atol=1e-12)
        np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-12)
        assert (shares >= 0.0).all()
        assert ((shares > 0.0).sum(axis=1) <= 2).all()


def test_ties_and_gains() -> None:
    """By hand: of four losses the second largest at 75 %, and never below zero."""
    reduced = value_at_risk(0.75)(np.array([[-4.0, -2.0, 1.0, 3.0], [1.0, 2.0, 3.0, 4.0]]))
    assert reduced.losses.tolist() == [2.0, 0.0]
    assert reduced.scenarios[0] == 1


def test_filtered_returns_by_hand() -> None:
    """Log returns a, b, c; variances m = mean of squares, then 0.94 v + 0.06 r^2."""
    returns = np.array([0.01, -0.03, 0.02])
    levels = pd.DataFrame({"X": 100.0 * np.exp(np.cumsum([0.0, *returns]))}, index=pd.RangeIndex(4))
    variances = [np.mean(returns**2)]
    for value in returns:
        variances.append(0.94 * variances[-1] + 0.06 * value**2)
    scaled = [
        value * np.sqrt(variances[-1] / variance) for value, variance in zip(returns, variances, strict=False)
    ]
    regime = sg.regimes.historical(levels, filtered=True)
    shocks = regime.scenarios.spot(market([stock("X")], {"X": 1.0}))[0, :3]
    assert shocks == pytest.approx(np.expm1(scaled))


def test_the_stress_is_a_floor(prices: pd.DataFrame) -> None:
    """Calm days: half of 25 % of a share's value binds, and the rule says by how much."""
    calm = prices.loc["2017-01-01":"2017-06-30"]
    result = sg.margin(book([("A", "XOM", 10)]), MARKET, sg.regimes.historical(calm))
    assert requirement(result) == pytest.approx(0.5 * 0.25 * 1000.0)
    rule = result.rules.iloc[0]
    assert (rule["name"], bool(rule["passed"])) == ("stress", False)
    assert rule["value"] == pytest.approx(125.0)


def test_a_name_without_history_is_refused_or_has_a_proxy(prices: pd.DataFrame, vix: pd.DataFrame) -> None:
    held = book([("A", "XOM", 10)])
    with pytest.raises(sg.InputError, match="XOM"):
        sg.margin(held, MARKET, sg.regimes.historical(prices[["JPM"]], days=DAYS))
    with pytest.raises(sg.InputError, match="XOM"):
        sg.margin(held, MARKET, sg.regimes.historical(prices, vix, days=DAYS))
    by_proxy = sg.margin(
        held, MARKET, sg.regimes.historical(prices[["JPM"]], days=DAYS, proxies={"XOM": "JPM"})
    )
    own = sg.margin(book([("A", "JPM", 10)]), MARKET, sg.regimes.historical(prices[["JPM"]], days=DAYS))
    assert requirement(by_proxy) == pytest.approx(requirement(own) / 1.35)


@pytest.mark.parametrize(
    "change",
    [
        {"spots": pd.DataFrame({"X": [1.0, 0.0, 2.0, 3.0]})},
        {"spots": pd.DataFrame({"X": [1.0, 2.0]})},
        {"spots": pd.DataFrame({"X": ["a", "b", "c"]})},
        {"spots": pd.DataFrame({"X": [1.0, 2.0, 3.0]}, index=[1, 1, 2])},
        {"days": 1},
        {"measure": "worst"},
        {"measure": "value_at_risk", "quantile": "middle"},
    ],
)
def test_refusals(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {"spots": pd.DataFrame({"X": [1.0, 1.1, 1.2, 1.1]})}
    assert sg.regimes.historical(**good).name == "historical"
    with pytest.raises(sg.InputError):
        sg.regimes.historical(**{**good, **change})

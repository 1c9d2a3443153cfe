"""From price and vol histories to margins and frozen P&L: one book of standing positions, margined daily."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats
from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.engine import Plan, model_values, plan
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.requirement.assemble import group_rates
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.regime import Regime
from shockgrid.requirement.totals import total
from shockgrid.research.backtest import Backtest, backtest
from shockgrid.valuation import price_european

SPOT: Final = 100.0  #: every name on every day: histories are of returns, levels carry no strikes
AS_OF: Final = "2000-01-03T21:00:00Z"  #: a nominal instant: only times to expiry enter
MULTIPLIER: Final = 100.0
TRADING_DAYS: Final = 252.0
HOLDING_COLUMNS: Final = ("account", "underlying", "right", "moneyness", "days", "quantity")


class Replay(NamedTuple):
    """What ``backtest`` takes."""

    margins: pd.DataFrame  #: [days, accounts] money
    pnl: Floats  #: [days, accounts, n] money, gain > 0


def realised_vols(prices: pd.DataFrame, days: int = 30) -> pd.DataFrame:
    """Annualised standard deviation of the last ``days`` log returns, decimals.

    Where no implied vol is known. The first ``days`` rows are NaN.
    """
    returns = prices.apply(np.log).diff()
    vols: pd.DataFrame = returns.rolling(days).std() * np.sqrt(TRADING_DAYS)
    return vols


def replay(
    prices: pd.DataFrame,
    vols: pd.DataFrame,
    holdings: pd.DataFrame,
    regime: Regime,
    *,
    horizon: int = 1,
    every: int = 1,
    rate: float = 0.0,
    underlyings: pd.DataFrame | None = None,
    groups: pd.DataFrame | None = None,
    offsets: pd.DataFrame | None = None,
    backend: str | Backend = "auto",
) -> Replay:
    """Margin the same standing positions on every day, and carry each day's positions forward unchanged.

    On day D every name stands at 100 and its options are struck anew, at ``moneyness`` x 100 with ``days`` to
    run and the vol of that day; margin is the regime's requirement. To D+d the spot moves by the return, the
    vol to that of D+d, and the calendar days between have passed.

    Parameters
    ----------
    prices, vols : one row per day (DatetimeIndex), one column per name; adjusted prices, decimal vols.
    holdings : account, underlying, right ("C", "P" or "" for the shares), moneyness (strike / spot), days to
        expiry (calendar), quantity (short < 0; options of 100, European).
    regime : any regime of ``shockgrid``.
    horizon : n, days of the close-out.     every : margin on every so many-th day.
    rate : zero rate, continuous decimal.     underlyings : further columns of the underlyings table.
    groups, offsets : as for ``Market.from_frames``.

    Raises
    ------
    InputError : a column is missing, a name has no history, prices or vols have gaps, too few days.
    """
    _require(prices, vols, holdings, horizon)
    engine = get_backend(backend)
    names = list(dict.fromkeys(holdings["underlying"]))
    book, market = _standing(holdings, names, rate, underlyings, groups, offsets)
    starts = np.arange(0, len(prices) - horizon, every)
    levels, smiles = prices[names].to_numpy(np.float64), vols[names].to_numpy(np.float64)
    owners = market.instruments.underlyings
    column = pd.Index(names).get_indexer(pd.Index(market.underlyings.names))
    option = market.instruments.is_option
    whole, margins = plan(book, market), []
    for day in starts:
        own = np.where(option, smiles[day, column[owners]], 0.0)
        margins.append(_requirement(whole, own, regime, engine))
    table = pd.DataFrame(np.array(margins), prices.index[starts], list(whole.margin_groups))
    terms = _Terms(holdings, pd.Index(names).get_indexer(pd.Index(holdings["underlying"])), rate)
    owned = (holdings["account"].to_numpy(object)[:, None] == table.columns.to_numpy(object)).astype(float)
    pnl = np.zeros((len(starts), len(table.columns), horizon))
    passed = prices.index.to_numpy().astype("datetime64[s]").astype(np.float64) / 86_400.0
    for step in range(1, horizon + 1):
        moves = levels[starts + step] / levels[starts]
        gone = (passed[starts + step] - passed[starts])[:, None]
        gains = terms.values(SPOT * moves, smiles[starts + step], gone) - terms.values(
            np.full(moves.shape, SPOT), smiles[starts], np.zeros(gone.shape)
        )
        pnl[:, :, step - 1] = gains @ owned
    return Replay(table, pnl)


def _requirement(whole: Plan, vols: Floats, regime: Regime, backend: Backend) -> Floats:
    """What ``margin`` asks of each margin group [M] at other vols, without its frames."""
    market = replace(whole.market, instruments=replace(whole.market.instruments, vols=vols))
    today = replace(whole, market=market)
    values = model_values(today, backend)
    evaluator = Evaluator(today, regime, backend, values)
    return total(evaluator, *evaluator.run(None, None), values, group_rates(today)).totals.requirement


def sweep(
    prices: pd.DataFrame,
    vols: pd.DataFrame,
    holdings: pd.DataFrame,
    regimes: Mapping[str, Regime],
    **more: Any,
) -> dict[str, Backtest]:
    """A back-test under each of several regimes (ranges, vol shocks); ``more`` goes to ``replay``."""
    return {
        name: backtest(*replay(prices, vols, holdings, regime, **more)) for name, regime in regimes.items()
    }


class _Terms:
    """Values of the standing positions, vectorised over days."""

    def __init__(self, holdings: pd.DataFrame, columns: Codes, rate: float) -> None:
        self.columns, self.rate = columns, rate
        self.quantities = holdings["quantity"].to_numpy(np.float64)
        self.is_share = (holdings["right"] == "").to_numpy(bool)
        self.is_call = (holdings["right"] == "C").to_numpy(bool)
        self.strikes = np.where(self.is_share, SPOT, SPOT * holdings["moneyness"].to_numpy(np.float64))
        self.days = np.where(self.is_share, 0.0, holdings["days"].to_numpy(np.float64))

    def values(self, spots: Floats, vols: Floats, passed: Floats) -> Floats:
        """Money [days, positions] at spots and vols [days, names], so many calendar days [days, 1] later."""
        years = np.maximum(self.days - passed, 0.0) / 365.0
        spot, discounts = spots[:, self.columns], np.exp(-self.rate * years)
        priced = price_european(
            forwards=spot / discounts,
            strikes=self.strikes,
            expiries=years,
            vols=vols[:, self.columns],
            discount_factors=discounts,
            is_call=self.is_call,
        )
        return np.asarray(np.where(self.is_share, spot, MULTIPLIER * priced) * self.quantities)


def _require(prices: pd.DataFrame, vols: pd.DataFrame, holdings: pd.DataFrame, horizon: int) -> None:
    missing = [name for name in HOLDING_COLUMNS if name not in holdings]
    if missing:
        problem = f"expected the columns {', '.join(HOLDING_COLUMNS)}"
        raise InputError(problem, table="holdings", column=missing[0])
    if not prices.index.equals(vols.index) or not isinstance(prices.index, pd.DatetimeIndex):
        problem = "expected prices and vols on the same dates"
        raise InputError(problem, table="vols")
    if not 1 <= horizon < len(prices):
        problem = f"expected 1 to {len(prices) - 1} days"
        raise InputError(problem, column="horizon", value=horizon)
    for label, frame in (("prices", prices), ("vols", vols)):
        for name in dict.fromkeys(holdings["underlying"]):
            if name not in frame or not (frame[name] > 0.0).all():
                problem = "expected a history above 0 without gaps"
                raise InputError(problem, table=label, column=str(name))


def _standing(
    holdings: pd.DataFrame,
    names: list[str],
    rate: float,
    underlyings: pd.DataFrame | None,
    groups: pd.DataFrame | None,
    offsets: pd.DataFrame | None,
) -> tuple[Book, Market]:
    shares = (holdings["right"] == "").to_numpy(bool)
    symbols = np.where(shares, holdings["underlying"], [f"O{row}" for row in range(len(holdings))])
    expiries = pd.Timestamp(AS_OF) + pd.to_timedelta(holdings["days"].where(~shares, 0.0).astype(float), "D")
    options = pd.DataFrame(
        {
            "symbol": symbols,
            "underlying": holdings["underlying"].to_numpy(object),
            "type": "option",
            "right": holdings["right"].to_numpy(object),
            "strike": SPOT * holdings["moneyness"].to_numpy(np.float64),
            "expiry_utc": [stamp.isoformat() for stamp in expiries],
            "multiplier": MULTIPLIER,
        }
    )[~shares]
    stocks = pd.DataFrame({"symbol": names, "underlying": names, "type": "stock"})
    spots = pd.DataFrame({"underlying": names, "spot": SPOT})
    if underlyings is not None:
        spots = spots.merge(underlyings, on="underlying", how="left")
    market = Market.from_frames(
        pd.concat([options, stocks], ignore_index=True),
        spots,
        pd.DataFrame({"symbol": options["symbol"], "vol": 0.2}),
        pd.DataFrame([{"currency": "USD", "days": 365, "zero_rate_dec": rate}]),
        groups=groups,
        offsets=offsets,
        as_of=AS_OF,
    )
    positions = pd.DataFrame(
        {"account": holdings["account"].to_numpy(object), "symbol": symbols, "quantity": holdings["quantity"]}
    )
    accounts = pd.DataFrame({"account": list(dict.fromkeys(holdings["account"])), "cash": 0.0})
    return Book.from_frames(positions, accounts, lots=True), market

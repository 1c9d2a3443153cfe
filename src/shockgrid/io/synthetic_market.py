"""The market tables of the synthetic firm, with quotes at model prices.

Every number is invented. The group offsets are illustrative and come from no clearing house.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from shockgrid.arrays import Floats
from shockgrid.backends import NumpyBackend
from shockgrid.carry import Curve, Dividends
from shockgrid.errors import InputError
from shockgrid.io.synthetic_names import (
    AS_OF,
    AS_OF_STAMP,
    INDEX_NAMES,
    MOST_SINGLE_NAMES,
    draw_names,
    lay_out_series,
)
from shockgrid.market import Market
from shockgrid.market_series import series
from shockgrid.states import UNMOVED

Ints: TypeAlias = NDArray[np.int64]

FEWEST_UNDERLYINGS: Final = len(INDEX_NAMES) + 5
MULTIPLIER: Final = 100
QUARTERS: Final = 12  #: dividends ahead per payer: beyond two years and a half for all of them
CURVE: Final = (
    (1, 0.0391), (7, 0.0390), (30, 0.0387), (91, 0.0378), (182, 0.0369), (365, 0.0357), (730, 0.0351),
    (1095, 0.0352), (1826, 0.0361),
)  # fmt: skip
GROUP_COLUMNS: Final = ("underlying", "class_group", "product_group", "portfolio_group")
OFFSETS: Final = (("product", "LARGE", 0.5), ("portfolio", "BROAD", 0.25))
"""Illustrative: half of a gain offsets inside LARGE, a quarter between the groups of BROAD."""


@dataclass(frozen=True)
class SyntheticMarket:
    """The canonical tables, and what the book needs to find series: all arrays by row of ``names``.

    ``tables["instruments"]`` holds the option series first, then one row per stock or ETF.
    """

    tables: dict[str, pd.DataFrame]
    names: pd.DataFrame
    starts: Ints  #: instrument row of the first series
    expiry_counts: Ints
    share_rows: Ints  #: instrument row of the stock or ETF, -1 for an index
    hedge_rows: Ints  #: row of the name whose shares hedge this one
    series_names: Ints  #: [options] row of ``names``
    deltas: Floats  #: [options] change of the price per unit of spot


def build_market(rng: np.random.Generator, underlyings: int) -> SyntheticMarket:
    """Draw the market: ``underlyings`` names, about 133 series each.

    Raises
    ------
    InputError : fewer names than the indexes and five single names, or more than there are tickers for.
    """
    most = len(INDEX_NAMES) + MOST_SINGLE_NAMES
    if not FEWEST_UNDERLYINGS <= underlyings <= most:
        problem = f"expected between {FEWEST_UNDERLYINGS} and {most} underlyings"
        raise InputError(problem, value=underlyings)
    names = draw_names(rng, underlyings)
    listed = lay_out_series(names)
    curve = pd.DataFrame(CURVE, columns=["days", "zero_rate_dec"]).assign(currency="USD")
    dividends = _dividends(rng, names)
    vols, deltas = _vols(names, listed, curve, dividends)
    instruments, curve = _instruments(names, listed), curve[["currency", "days", "zero_rate_dec"]]
    prices = _model_prices(instruments, names, vols, curve, dividends)
    tables = {
        "instruments": instruments,
        "quotes": _quotes(rng, instruments, names, vols, prices),
        "underlyings": _underlyings(rng, names),
        "curve": curve,
        "dividends": dividends,
        "groups": names.loc[names["portfolio_type"] != "equity", list(GROUP_COLUMNS)],
        "offsets": pd.DataFrame(OFFSETS, columns=["level", "group", "offset_dec"]),
    }
    rows = np.cumsum((names["type"] != "index").to_numpy()) - 1 + len(listed)
    owners = listed["name"].to_numpy(np.int64)
    return SyntheticMarket(
        tables=tables,
        names=names,
        starts=np.searchsorted(owners, np.arange(len(names))),
        expiry_counts=listed.groupby("name")["expiry"].max().to_numpy(np.int64) + 1,
        share_rows=np.where(names["type"] == "index", -1, rows),
        hedge_rows=pd.Index(names["underlying"]).get_indexer(names["hedge"]).astype(np.int64),
        series_names=owners,
        deltas=deltas,
    )


def _dividends(rng: np.random.Generator, names: pd.DataFrame) -> pd.DataFrame:
    payers = names[names["payer"]]
    first = rng.integers(3, 91, len(payers))
    days = (first[:, None] + 91 * np.arange(QUARTERS)).ravel()
    today = np.datetime64(AS_OF[:10])
    ex_dates = np.busday_offset(today + days.astype("timedelta64[D]"), 0, roll="forward")
    quarterly = payers["spot"].to_numpy() * rng.uniform(0.004, 0.045, len(payers)) / 4.0
    return pd.DataFrame(
        {
            "underlying": np.repeat(payers["underlying"].to_numpy(object), QUARTERS),
            "ex_date": ex_dates.astype(str).astype(object),
            "amount": np.repeat(np.maximum(quarterly.round(2), 0.01), QUARTERS),
        }
    )


def _vols(
    names: pd.DataFrame, series: pd.DataFrame, curve_table: pd.DataFrame, dividend_table: pd.DataFrame
) -> tuple[Floats, Floats]:
    """Vols and deltas of every series; the delta is that of Black (1976) on the forward net of dividends."""
    curve, _ = Curve.read(curve_table)
    dividends, _ = Dividends.read(dividend_table, names["underlying"].to_numpy(object), AS_OF_STAMP)
    owners, years = series["name"].to_numpy(np.intp), series["years"].to_numpy()
    own = names.iloc[owners].reset_index(drop=True)
    spots, strikes = own["spot"].to_numpy(), series["strike"].to_numpy()
    discounts = curve.discount_factors("USD", years)
    paid = dividends.present_values(owners, years, np.full(len(names), "USD", object), curve)
    carried = np.exp(-(own["yield_dec"] + own["borrow_dec"]).to_numpy() * years)
    forwards = (spots * carried - paid) / discounts
    vols = _smile(own, np.log(strikes / forwards), years)
    calls = (series["right"] == "C").to_numpy()
    signs = np.where(calls, 1.0, -1.0)
    deviations = vols * np.sqrt(years)
    upper = np.log(forwards / strikes) / deviations + 0.5 * deviations
    return vols, signs * ndtr(signs * upper) * carried


def _model_prices(
    instruments: pd.DataFrame,
    names: pd.DataFrame,
    vols: Floats,
    curve: pd.DataFrame,
    dividends: pd.DataFrame,
) -> Floats:
    """Value of every option at its vol, American or European as its row says, in the order of ``vols``."""
    quotes = pd.DataFrame({"symbol": instruments["symbol"][: len(vols)], "vol": vols})
    spots = names[["underlying", "spot", "yield_dec", "borrow_dec"]]
    market = Market.from_frames(instruments, spots, quotes, curve, dividends=dividends, as_of=AS_OF)
    rows = pd.Index(market.instruments.symbols).get_indexer(pd.Index(quotes["symbol"]))
    options, backend = series(market, rows), NumpyBackend()
    backend.prepare([(options, UNMOVED)])
    return backend.base(options)


def _smile(own: pd.DataFrame, moneyness: Floats, years: Floats) -> Floats:
    at_money = own["atm_vol"].to_numpy() * (1.0 + own["slope"].to_numpy() * np.exp(-2.0 * years))
    deviations = np.clip(moneyness / (at_money * np.sqrt(np.maximum(years, 7 / 365))), -4.0, 4.0)
    smile = 1.0 + own["skew"].to_numpy() * deviations + own["curvature"].to_numpy() * deviations**2
    return (at_money * smile).round(6)


def _instruments(names: pd.DataFrame, series: pd.DataFrame) -> pd.DataFrame:
    own = names.iloc[series["name"]].reset_index(drop=True)
    thousandths = (series["strike"] * 1000).round().astype(np.int64).astype(str).str.zfill(8)
    cash = own["type"] == "index"
    options = pd.DataFrame(
        {
            "symbol": own["root"] + series["date"] + series["right"] + thousandths,
            "underlying": own["underlying"],
            "type": "option",
            "right": series["right"],
            "strike": series["strike"],
            "expiry_utc": series["expiry_utc"],
            "style": np.where(cash, "european", "american"),
            "multiplier": MULTIPLIER,
            "settlement_time": "pm",
            "settlement_kind": np.where(cash, "cash", "physical"),
        }
    )
    held = names[names["type"] != "index"]
    blank = {name: "" for name in ("right", "expiry_utc", "style", "settlement_time", "settlement_kind")}
    shares = held[["underlying", "type"]].assign(
        symbol=held["underlying"], multiplier=1, strike=np.nan, **blank
    )
    return pd.concat([options, shares[options.columns]], ignore_index=True).assign(currency="USD")


def _quotes(
    rng: np.random.Generator, instruments: pd.DataFrame, names: pd.DataFrame, vols: Floats, prices: Floats
) -> pd.DataFrame:
    spots = names.loc[names["type"] != "index", "spot"].to_numpy()
    marks = np.concatenate([prices.round(6), spots])
    half = np.concatenate([prices * rng.uniform(0.005, 0.03, len(prices)), spots * 0.0001])
    half = np.maximum(half, 0.01)
    return pd.DataFrame(
        {
            "symbol": instruments["symbol"],
            "bid": np.maximum(np.floor((marks - half) * 100) / 100, 0.0),
            "ask": np.ceil((marks + half) * 100) / 100,
            "mark": marks,
            "vol": np.concatenate([vols, np.full(len(spots), np.nan)]),
            "quote_utc": pd.Timestamp(AS_OF).tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )


def _underlyings(rng: np.random.Generator, names: pd.DataFrame) -> pd.DataFrame:
    kept = ["underlying", "spot", "portfolio_type", "sector", "beta", "yield_dec", "borrow_dec", "leverage"]
    shares = (names["shares"] * 1e6).where(names["type"] != "index")
    return names[kept].assign(
        currency="USD",
        atm_vol_dec=names["atm_vol"],
        market_cap=(names["spot"] * shares).round(0),
        adv=(shares * rng.uniform(0.003, 0.02, len(names))).round(0),
    )

"""Who is listed in the synthetic market: index names, invented single names, and the series of each.

Index names carry the tickers of the products they imitate, so that class groups read as on a desk; their
levels are invented. Single-name tickers are random letters and any likeness is chance.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Texts
from shockgrid.carry import years_between

AS_OF: Final = (
    "2026-11-20T10:30:00-05:00"  #: a third Friday, so that the monthly series expire that afternoon
)
AS_OF_STAMP: Final = np.datetime64("2026-11-20T15:30:00", "ns")  #: the same instant, UTC
LIQUID_SHARE: Final = 0.2
PAYER_SHARE: Final = 0.4  #: single names that pay quarterly cash dividends
BORROW_SHARE: Final = 0.08  #: single names, never payers, that are hard to borrow
SECTORS: Final = ("technology", "health", "financials", "energy", "consumer", "industrials", "utilities")


class IndexName(NamedTuple):
    """An index or index ETF; ``hedge`` is the ETF that market makers hedge it with."""

    underlying: str
    root: str
    type: str
    spot: float
    atm_vol: float
    yield_dec: float
    portfolio_type: str
    leverage: float
    tier: int
    strike_count: int
    class_group: str
    product_group: str
    portfolio_group: str
    hedge: str


_HIGH, _BROAD = "broad_index_high_cap", "broad_index"
INDEX_NAMES: Final = (
    IndexName("SPX", "SPXW", "index", 5000, 0.16, 0.013, _HIGH, 1, 2, 45, "SPX", "LARGE", "HIGH_CAP", "SPY"),
    IndexName("SPY", "SPY", "etf", 500, 0.16, 0.013, _HIGH, 1, 2, 27, "SPX", "LARGE", "HIGH_CAP", "SPY"),
    IndexName("NDX", "NDXP", "index", 18000, 0.2, 0.007, _BROAD, 1, 1, 27, "NDX", "NASDAQ", "BROAD", "QQQ"),
    IndexName("QQQ", "QQQ", "etf", 440, 0.2, 0.007, _BROAD, 1, 1, 21, "NDX", "NASDAQ", "BROAD", "QQQ"),
    IndexName("RUT", "RUTW", "index", 2100, 0.22, 0.014, _BROAD, 1, 1, 17, "RUT", "SMALL", "BROAD", "IWM"),
    IndexName("IWM", "IWM", "etf", 210, 0.22, 0.014, _BROAD, 1, 1, 13, "RUT", "SMALL", "BROAD", "IWM"),
    IndexName("UPRO", "UPRO", "etf", 80, 0.48, 0, _HIGH, 3, 0, 9, "UPRO", "LARGE", "HIGH_CAP", "UPRO"),
    IndexName("SH", "SH", "etf", 40, 0.16, 0, _HIGH, -1, 0, 5, "SH", "LARGE", "HIGH_CAP", "SH"),
)  # fmt: skip

EXPIRY_DATES: Final = (
    ("2026-11-20", 0), ("2026-11-23", 2), ("2026-11-24", 2), ("2026-11-25", 2), ("2026-12-04", 1),
    ("2026-12-11", 2), ("2026-12-18", 0), ("2027-01-15", 0), ("2027-02-19", 0), ("2027-03-19", 0),
    ("2027-06-17", 0), ("2027-09-17", 1), ("2027-12-17", 1), ("2028-01-21", 0), ("2028-06-16", 2),
    ("2028-12-15", 2), ("2029-01-19", 0), ("2029-06-15", 2), ("2029-11-16", 1),
)  # fmt: skip
"""Each date with the lowest tier that lists it: 0 every name, 1 liquid names and indexes, 2 SPX and SPY.

June 2027 expires on the Thursday, since Juneteenth is observed on the third Friday.
"""

LIQUID, ORDINARY = (1, 9), (0, 5)  #: (tier, strikes per expiry) of single names
_CONSONANTS, _VOWELS = "BDFGKLMNPRVZ", "AEIOU"
MOST_SINGLE_NAMES: Final = len(_CONSONANTS) ** 2 * len(_VOWELS) ** 2
_LADDER: Final = np.array([0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000])


def draw_names(rng: np.random.Generator, underlyings: int) -> pd.DataFrame:
    """One row per underlying: index names first, then single names, the most traded first.

    Besides the columns of IndexName: sector, beta, borrow_dec, payer, shares (millions), and the shape of the
    vols: skew, curvature, slope.
    """
    index = pd.DataFrame(INDEX_NAMES).assign(sector="index", payer=False, borrow_dec=0.0, shares=900.0)
    index["skew"] = -0.10 * np.sign(index["leverage"])
    index["beta"] = index["leverage"].astype(float)
    names = pd.concat([index, _single_names(rng, underlyings - len(index))], ignore_index=True)
    names["curvature"] = rng.uniform(0.03, 0.05, len(names))
    names["slope"] = np.where(names["sector"] == "index", -0.10, rng.normal(0.0, 0.12, len(names)))
    return names.astype({"spot": float, "yield_dec": float, "leverage": float})


def _single_names(rng: np.random.Generator, count: int) -> pd.DataFrame:
    tickers = _tickers(rng, count)
    rank = np.arange(count)
    liquid = rank < round(LIQUID_SHARE * count)
    payer, borrowed = np.zeros(count, bool), np.zeros(count, bool)
    shuffled = rng.permutation(count)
    payers = round(PAYER_SHARE * count)
    payer[shuffled[:payers]] = True
    borrowed[shuffled[payers : payers + round(BORROW_SHARE * count)]] = True
    return pd.DataFrame(
        {
            "underlying": tickers,
            "root": tickers,
            "type": "stock",
            "spot": np.clip(rng.lognormal(np.log(90.0), 0.8, count), 12.0, 1200.0).round(2),
            "atm_vol": np.clip(rng.lognormal(np.log(0.32), 0.35, count), 0.14, 1.2).round(4),
            "yield_dec": 0.0,
            "portfolio_type": "equity",
            "leverage": 1.0,
            "tier": np.where(liquid, LIQUID[0], ORDINARY[0]),
            "strike_count": np.where(liquid, LIQUID[1], ORDINARY[1]),
            "class_group": tickers,
            "product_group": tickers,
            "portfolio_group": tickers,
            "hedge": tickers,
            "sector": np.array(SECTORS, object)[rng.integers(0, len(SECTORS), count)],
            "payer": payer,
            "borrow_dec": np.where(borrowed, rng.uniform(0.02, 0.20, count).round(4), 0.0),
            "shares": np.clip(rng.lognormal(np.log(300.0), 1.0, count), 20.0, 8000.0).round(0),
            "skew": rng.uniform(-0.10, -0.02, count),
            "beta": np.clip(rng.normal(1.1, 0.35, count), 0.2, 2.5).round(2),
        }
    )


def _tickers(rng: np.random.Generator, count: int) -> Texts:
    letters: Any = np.array([*_CONSONANTS], object), np.array([*_VOWELS], object)
    shape = (len(_CONSONANTS), len(_VOWELS), len(_CONSONANTS), len(_VOWELS))
    picks = np.unravel_index(rng.choice(MOST_SINGLE_NAMES, count, replace=False), shape)
    consonants, vowels = letters
    tickers: Texts = consonants[picks[0]] + vowels[picks[1]] + consonants[picks[2]] + vowels[picks[3]]
    return tickers


def lay_out_series(names: pd.DataFrame) -> pd.DataFrame:
    """One row per option series: name (row of ``names``), expiry, place, right, strike, years, expiry_utc.

    Rows run by name, expiry, place and right (call, put); ``place`` counts strikes from the one nearest the
    spot, so that every (name, expiry) holds the same places and a leg is found by arithmetic.
    """
    dates = pd.DataFrame(EXPIRY_DATES, columns=["date", "tier"])
    closes = pd.DatetimeIndex(dates["date"] + " 16:00").tz_localize("America/New_York").tz_convert("UTC")
    years = years_between(AS_OF_STAMP, closes.tz_convert(None).to_numpy("datetime64[ns]"))
    listed = dates["tier"].to_numpy()[None, :] <= names["tier"].to_numpy()[:, None]
    name, date = np.nonzero(listed)
    counts = 2 * names["strike_count"].to_numpy()[name]
    pair = np.repeat(np.arange(len(name)), counts)
    slot = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
    place = slot // 2 - counts[pair] // 4
    spots, steps = names["spot"].to_numpy()[name], _steps(names, name, years[date])
    strikes = (np.rint(spots / steps) * steps)[pair] + place * steps[pair]
    return pd.DataFrame(
        {
            "name": name[pair],
            "expiry": (np.cumsum(listed, axis=1) - 1)[name, date][pair],
            "place": place,
            "right": np.where(slot % 2 == 0, "C", "P"),
            "strike": strikes,
            "years": years[date][pair],
            "date": closes.strftime("%y%m%d").to_numpy(object)[date][pair],
            "expiry_utc": closes.strftime("%Y-%m-%dT%H:%M:%SZ").to_numpy(object)[date][pair],
        }
    )


def _steps(names: pd.DataFrame, name: Codes, years: Floats) -> Floats:
    widths = np.clip(2.0 * names["atm_vol"].to_numpy()[name] * np.sqrt(years), 0.04, 0.5)
    gaps = 2.0 * widths * names["spot"].to_numpy()[name] / (names["strike_count"].to_numpy()[name] - 1)
    steps: Floats = _LADDER[np.abs(np.log(gaps[:, None] / _LADDER)).argmin(axis=1)]
    return steps

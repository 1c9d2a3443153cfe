"""Daily snapshots of every BTC and ETH option of Deribit or OKX, one file a venue and day.

Columns snapshot_utc, exchange, underlying, instrument, expiry (date), strike (USD), type (call, put),
mark_price, bid, ask (in coin), mark_iv, open_interest, volume_24h, underlying_price (USD). mark_iv is in per
cent at Deribit and a decimal at OKX. underlying_price is the forward to the row's expiry at Deribit, and one
spot for all expiries at OKX.

Contracts: options of both venues are European, are settled in the coin and expire at 08:00 UTC; one contract
is 1 coin at Deribit, and 0.01 BTC or 0.1 ETH at OKX (the venues' contract specifications).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from shockgrid.columns import LARGEST_PRICE, Door
from shockgrid.io.csv_files import read_csv
from shockgrid.io.refusal import refusal
from shockgrid.io.vendors.one_value import one_value, require_columns
from shockgrid.quote_table import LARGEST_VOL

EXPIRY_TIME = np.timedelta64(8, "h")  #: UTC
DATE_FORMAT = "%Y-%m-%d"
PLAUSIBLE_MEDIAN = (0.05, 5.0)  #: a file whose vols have their median outside is in another unit
COLUMNS = {
    "instrument": "symbol", "underlying": "underlying", "type": "right", "strike": "strike",
    "expiry": "expiry", "mark_price": "mark", "bid": "bid", "ask": "ask", "mark_iv": "vol",
    "underlying_price": "price", "open_interest": "open_interest", "volume_24h": "volume",
}  # fmt: skip


@dataclass(frozen=True)
class Venue:
    """An exchange: how it names options, and what one of them is."""

    name: str
    symbols: str  #: regular expression with underlying, date, strike, right
    symbol_dates: str
    vol_unit: float  #: one unit of mark_iv as a decimal
    prices_are_forwards: bool  #: underlying_price is the forward to each expiry; else one spot for all
    sizes: dict[str, float]  #: coins per contract


VENUES = {
    "deribit": Venue(
        "deribit",
        r"(?P<underlying>[A-Z]+)-(?P<date>\d{1,2}[A-Z]{3}\d{2})-(?P<strike>\d+)-(?P<right>[CP])",
        "%d%b%y",
        vol_unit=0.01,
        prices_are_forwards=True,
        sizes={"BTC": 1.0, "ETH": 1.0},
    ),
    "okx": Venue(
        "okx",
        r"(?P<underlying>[A-Z]+)-USD-(?P<date>\d{6})-(?P<strike>\d+)-(?P<right>[CP])",
        "%y%m%d",
        vol_unit=1.0,
        prices_are_forwards=False,
        sizes={"BTC": 0.01, "ETH": 0.1},
    ),
}


@dataclass
class CoinFile:
    """One file, every row kept: ``door`` knows which are turned away, ``contracts`` is aligned with it.

    ``contracts`` are symbol, underlying (as it stands there), right (C, P), strike, expiry (datetime64 UTC),
    mark, bid, ask (coin; NaN where none), vol (decimal), price (underlying_price), open_interest, volume.
    """

    file: str
    moment: pd.Timestamp
    door: Door
    contracts: pd.DataFrame

    def accepted(self) -> pd.DataFrame:
        """The contracts that become instruments, in the order of the file."""
        return self.contracts[~self.door.bad].reset_index(drop=True)


def read_coins(path: Path, venue: Venue) -> CoinFile:
    """Read one file; its moment is ``snapshot_utc``.

    Raises
    ------
    InputError : a column is missing; the file is of another exchange or of several moments; its vols are in
        another unit than the venue's; no row is an option on a coin whose contract size is known.
    """
    frame = read_csv(path)
    require_columns(path, frame, [*COLUMNS, "snapshot_utc", "exchange"])
    exchange = one_value(path, frame, "exchange")
    if exchange != venue.name:
        problem = f"expected a file of {venue.name}; one market holds one venue"
        raise refusal(path.name, problem, column="exchange", value=exchange)
    stamp = one_value(path, frame, "snapshot_utc")
    moment = pd.to_datetime(stamp, utc=True, errors="coerce", format="ISO8601")
    if pd.isna(moment):
        raise refusal(path.name, "expected an ISO instant in UTC", column="snapshot_utc", value=stamp)
    rows = frame[[*COLUMNS, "_line"]].rename(columns=COLUMNS)
    door = Door(
        path.name,
        rows,
        required=("symbol", "underlying", "strike", "price"),
        optional=[*rows.columns],
        key="symbol",
    )
    contracts = _contracts(door, venue)
    if door.bad.all():
        raise refusal(path.name, f"no row is an option on {' or '.join(venue.sizes)}", column="instrument")
    _require_unit(path, contracts["vol"][~door.bad])
    return CoinFile(path.name, pd.Timestamp(moment), door, contracts)


def _contracts(door: Door, venue: Venue) -> pd.DataFrame:
    """The columns of CoinFile, every row checked."""
    terms = _terms(door, venue)
    door.unique(terms["symbol"].to_numpy(object), "symbol")
    prices = {name: door.number(name, low=0.0, high=LARGEST_PRICE) for name in ("mark", "bid", "ask")}
    return terms.assign(
        **prices,
        vol=door.number("vol", low=0.0, high=LARGEST_VOL) * venue.vol_unit,
        price=door.number("price", above=0.0, high=LARGEST_PRICE),
        open_interest=door.number("open_interest", low=0.0),
        volume=door.number("volume", low=0.0),
    )


def _terms(door: Door, venue: Venue) -> pd.DataFrame:
    """Symbol, underlying, right, strike and expiry, once columns and symbol agree."""
    symbols, owners = door.text("symbol"), door.text("underlying")
    known = pd.Series(owners).isin(list(venue.sizes)).to_numpy(bool)
    message = f"expected {' or '.join(venue.sizes)}, whose contract size is known"
    door.reject(~known, "underlying", "E_UNDERLYING", message)
    strikes = door.number("strike", above=0.0, high=LARGEST_PRICE)
    rights = np.where(door.choice("right", ("call", "put")) == "call", "C", "P").astype(object)
    words = pd.Series(door.text("expiry"), dtype=object)
    dates = pd.to_datetime(words, format=DATE_FORMAT, errors="coerce").to_numpy("datetime64[ns]")
    door.reject(np.isnat(dates), "expiry", "E_TYPE", f"expected a date like {DATE_FORMAT}")
    named = pd.Series(symbols, dtype=object).str.extract(f"^{venue.symbols}$")
    strange = named["date"].isna().to_numpy(bool)
    door.reject(strange, "symbol", "E_SYMBOL", f"expected an option symbol of {venue.name}")
    agrees = {
        "underlying": named["underlying"] == owners,
        "expiry": pd.to_datetime(named["date"], format=venue.symbol_dates, errors="coerce") == dates,
        "strike": named["strike"].astype(float) == strikes,
        "right": named["right"] == rights,
    }
    for column, same in agrees.items():
        door.reject(~same.to_numpy(bool), column, "E_MISMATCH", f"the symbol says another {column}")
    columns = {"symbol": symbols, "underlying": owners, "right": rights, "strike": strikes}
    return pd.DataFrame({**columns, "expiry": dates + EXPIRY_TIME})


def _require_unit(path: Path, vols: pd.Series) -> None:
    median, (low, high) = float(vols[vols > 0.0].median()), PLAUSIBLE_MEDIAN
    if median < low or median > high:
        problem = f"expected vols with a median of {low:.0%} to {high:.0%}; they are in another unit"
        raise refusal(path.name, problem, column="mark_iv", value=f"{median:.2%}")

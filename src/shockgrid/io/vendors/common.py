"""What every vendor's file comes down to: one underlying, one moment, and checked rows of contracts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Floats, Mask, Texts
from shockgrid.columns import LARGEST_PRICE, Door
from shockgrid.expiries import expiry_instants
from shockgrid.io.refusal import refusal
from shockgrid.io.vendors.listings import INDEX_ROOTS, Listing, underlying_of
from shockgrid.quote_table import CROSSED, LARGEST_PLAUSIBLE_VOL, LARGEST_VOL, flag_age, flag_vols
from shockgrid.symbols import canonical, parsed

CONTRACT_COLUMNS = ("symbol", "right", "strike", "expiry", "bid", "ask")
OPTIONAL_COLUMNS = ("vol", "open_interest", "volume", "currency", "contract_size")


@dataclass
class Chain:
    """One file, every row kept: ``door`` knows which are turned away, ``contracts`` is aligned with it.

    Attributes
    ----------
    file, underlying, listing : whose options these are.
    spot, spot_moment : price per unit, and when it was so; UTC.
    moments : the instants the quotes may belong to, the vendor's own stamp first; UTC.
    door : the rows turned away, by code and line.
    contracts : symbol, right (C, P), strike, expiry (datetime64 UTC), is_morning, bid, ask, vol (NaN where
        none; a column of NaN where the vendor's is not to be trusted), open_interest, volume.
    notes : what a reader of the result should know about the file.
    """

    file: str
    underlying: str
    listing: Listing
    spot: float
    spot_moment: pd.Timestamp | None
    moments: list[pd.Timestamp]
    door: Door
    contracts: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    @property
    def is_european(self) -> bool:
        """Whether its options are exercised at expiry only, so that put-call parity holds."""
        return self.listing.type == "index"

    def accepted(self) -> pd.DataFrame:
        """The contracts that become instruments, in the order of the file."""
        return self.contracts[~self.door.bad].reset_index(drop=True)


def read_contracts(path: Path, frame: pd.DataFrame, *, date_format: str) -> tuple[str, Door, pd.DataFrame]:
    """Check the rows of one file and find whose options they are.

    Parameters
    ----------
    frame : text columns CONTRACT_COLUMNS, any of OPTIONAL_COLUMNS, and ``_line``; one row per contract.
    date_format : of ``expiry``, as strptime has it.

    Returns
    -------
    The underlying that most rows belong to, the door, and ``contracts`` as in Chain.

    Raises
    ------
    InputError : no row holds an option symbol, or the vols look like per cent.
    """
    optional = [name for name in OPTIONAL_COLUMNS if name in frame.columns]
    kept = frame[[*CONTRACT_COLUMNS, *optional, "_line"]].reset_index(drop=True)
    door = Door(path.name, kept, required=("symbol", "strike"), optional=[*kept.columns], key="symbol")
    symbols = canonical(door.text("symbol"))
    osi = parsed(symbols)
    roots = osi["root"].to_numpy(object)
    door.reject(roots == "", "symbol", "E_SYMBOL", "expected an option symbol with a date that exists")
    if door.bad.all():
        raise refusal(path.name, "no row holds an option symbol", column="symbol")
    underlying = underlying_of(str(pd.Series(roots[~door.bad]).mode()[0]))
    _check_roots(door, roots, underlying)
    strikes = door.number("strike", above=0.0, high=LARGEST_PRICE)
    calls = pd.Series(door.choice("right", ("c", "p", "call", "put"))).astype(str).str.startswith("c")
    dates = _dates(door, date_format)
    _check_symbols(door, osi, strikes, calls.to_numpy(bool), dates)
    morning = np.isin(roots.astype(str), [root for root, row in INDEX_ROOTS.items() if row.is_morning])
    expiries = expiry_instants(dates, morning)
    outside = np.isnat(expiries) & ~np.isnat(dates)
    door.reject(outside, "expiry", "E_RANGE", "expected a date the exchange's calendar knows")
    door.unique(symbols, "symbol")
    vols = door.number("vol", low=0.0, high=LARGEST_VOL)
    door.refuse_per_cent("vol", vols[vols > 0.0], LARGEST_PLAUSIBLE_VOL)
    return underlying, door, pd.DataFrame(
        {
            "symbol": symbols,
            "right": np.where(calls, "C", "P").astype(object),
            "strike": strikes,
            "expiry": expiries,
            "is_morning": morning,
            "bid": door.number("bid", low=0.0, high=LARGEST_PRICE),
            "ask": door.number("ask", low=0.0, high=LARGEST_PRICE),
            "vol": vols,
            "open_interest": door.number("open_interest", low=0.0),
            "volume": door.number("volume", low=0.0),
        }
    )  # fmt: skip


def flag_quotes(
    door: Door,
    rows: pd.DataFrame,
    moment: pd.Timestamp,
    as_of: pd.Timestamp,
    max_age: timedelta,
    *,
    trusts_vols: bool,
) -> None:
    """Turn away what has expired, then note what is odd about the rows that stay.

    ``rows`` are as in Chain, their quotes of ``moment``.

    E_EXPIRED : settled before ``as_of``.     W_AT_EXPIRY : settles at that instant, so is worth intrinsic.
    W_STALE, W_AHEAD : ``moment`` is further than ``max_age`` from ``as_of``, or after it.
    W_CROSSED : bid above ask.     W_NO_QUOTE : neither is above 0.     W_NO_BID, W_NO_ASK : one side only.
    W_NO_VOL, W_VOL : the vendor's vol is 0 or blank, or outside ``PLAUSIBLE_VOLS``.
    """
    stamp, quoted = naive(as_of), naive(moment)
    expiries = rows["expiry"].to_numpy("datetime64[ns]")
    door.reject(expiries < stamp, "expiry", "E_EXPIRED", f"settled before {as_of.isoformat()}")
    bids, asks, vols = (rows[name].to_numpy(np.float64) for name in ("bid", "ask", "vol"))
    bid, ask = bids > 0.0, asks > 0.0
    door.flag(expiries == stamp, "expiry", "W_AT_EXPIRY", "settles at as_of, worth intrinsic")
    flag_age(door, "quote_utc", np.full(len(rows), quoted), stamp, max_age)
    door.flag(bids > asks, "bid", "W_CROSSED", CROSSED)
    door.flag(~bid & ~ask, "bid", "W_NO_QUOTE", "neither bid nor ask")
    door.flag(~bid & ask, "bid", "W_NO_BID", "no bid beside the ask")
    door.flag(bid & np.isnan(asks), "ask", "W_NO_ASK", "no ask beside the bid")
    if not trusts_vols:
        return
    given = vols > 0.0
    door.flag(~given, "vol", "W_NO_VOL", "no vol from the vendor")
    flag_vols(door, np.where(given, vols, np.nan))


def naive(moment: pd.Timestamp) -> np.datetime64:
    """An instant with a zone as datetime64[ns] in UTC."""
    return np.datetime64(moment.tz_convert("UTC").tz_localize(None), "ns")


def _check_roots(door: Door, roots: Texts, underlying: str) -> None:
    own = pd.Series(roots).map(underlying_of).to_numpy(object) == underlying
    adjusted = ~own & pd.Series(roots).str.contains("[0-9]$").to_numpy(bool)
    message = "a root that ends in a digit is an adjusted contract, and the file has no deliverable for it"
    door.reject(adjusted, "symbol", "E_DELIVERABLE", message)
    door.reject(~own, "symbol", "E_UNDERLYING", f"not an option on {underlying}, like most of the file")
    if door.has("currency"):
        foreign = door.text("currency") != "USD"
        door.reject(foreign, "currency", "E_FX", "expected USD")
    if door.has("contract_size"):
        odd = door.text("contract_size") != "REGULAR"
        door.reject(odd, "contract_size", "E_DELIVERABLE", "expected REGULAR: 100 shares")


def _dates(door: Door, date_format: str) -> NDArray[np.datetime64]:
    codes, words = pd.factorize(door.text("expiry"))
    read = pd.to_datetime(pd.Series(words, dtype=object), format=date_format, errors="coerce")
    dates = read.to_numpy("datetime64[ns]")[codes]
    door.reject(np.isnat(dates), "expiry", "E_TYPE", f"expected a date like {date_format}")
    return dates


def _check_symbols(
    door: Door, osi: pd.DataFrame, strikes: Floats, calls: Mask, dates: NDArray[np.datetime64]
) -> None:
    strike = np.isclose(osi["strike"].to_numpy(np.float64), strikes, rtol=1e-9, equal_nan=True)
    door.reject(~strike, "strike", "E_MISMATCH", "the symbol says another strike")
    right = (osi["right"] == "C").to_numpy(bool) == calls
    door.reject(~right, "right", "E_MISMATCH", "the symbol says the other right")
    date = osi["expiry"].to_numpy("datetime64[ns]") == dates
    door.reject(~date, "expiry", "E_MISMATCH", "the symbol says another expiry")

"""Chains as the canonical tables of a market."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.carry import years_between
from shockgrid.io.schema import TABLES
from shockgrid.io.vendors.common import Chain, naive
from shockgrid.io.vendors.moment import Parity

MULTIPLIER = 100.0  #: of US equity and index options; adjusted contracts are turned away before


def canonical_tables(
    chains: Sequence[Chain],
    parities: dict[str, Parity],
    moments: dict[str, pd.Timestamp],
    curve: pd.DataFrame,
    dividends: pd.DataFrame | None,
    as_of: pd.Timestamp,
    *,
    trusts_vols: bool,
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """The tables by name, and notes on what was left out of them.

    Parameters
    ----------
    parities, moments : by file; the fits of European chains, and the time of each chain's quotes.
    curve, dividends : canonical tables.
    trusts_vols : write the vendor's vols; else vols stay blank, to be implied from the mid.
    """
    accepted = {chain.file: chain.accepted() for chain in chains}
    tables = {
        "instruments": pd.concat([_instruments(one, accepted[one.file]) for one in chains]),
        "quotes": pd.concat(
            [_quotes(one, accepted[one.file], moments[one.file], trusts_vols) for one in chains]
        ),
        "underlyings": pd.DataFrame([_underlying(one, moments[one.file]) for one in chains]),
        "curve": curve,
    }
    notes: list[str] = []
    if dividends is not None:
        own = dividends["underlying"].isin([chain.underlying for chain in chains])
        tables["dividends"] = dividends[own]
        if not own.all():
            notes.append(f"{int((~own).sum())} dividends of names that are not in the files were left out")
    forwards = [
        carried(_forwards(one, parities[one.file]), moments[one.file], as_of)
        for one in chains
        if one.file in parities
    ]
    if forwards:
        tables["forwards"] = pd.concat(forwards)
    grouped = [(one.underlying, one.listing.class_group) for one in chains if one.listing.class_group]
    if grouped:
        tables["groups"] = pd.DataFrame(grouped, columns=["underlying", "class_group"])
    return {name: ordered(name, frame) for name, frame in tables.items()}, notes


def iso(instants: Any) -> np.ndarray[Any, np.dtype[np.object_]]:
    """UTC instants [n] as ISO text with seconds, ``""`` for NaT.

    >>> iso(np.array(["2023-09-14T20:00", "NaT"], "datetime64[ns]")).tolist()
    ['2023-09-14T20:00:00Z', '']
    """
    codes, found = pd.factorize(np.asarray(instants, "datetime64[ns]"))
    words = [f"{word}Z" for word in np.datetime_as_string(found, unit="s")]
    return np.array([*words, ""], object)[codes]


def carried(forwards: pd.DataFrame, moment: pd.Timestamp, as_of: pd.Timestamp) -> pd.DataFrame:
    """Forwards with the time from ``moment``, of which they are, to ``as_of`` taken off.

    Each expiry keeps its rate and its carry per year: with T' years left then and T now F becomes
    S (F/S)^(T/T') and D becomes D^(T/T'). Expiries that are not after both instants are left out.

    Parameters
    ----------
    forwards : underlying, expiry (datetime64 UTC), spot, forward and, where known, discount_factor.
    """
    expiries = forwards["expiry"].to_numpy("datetime64[ns]")
    ahead = (expiries > naive(as_of)) & (expiries > naive(moment))
    kept = forwards[ahead]
    then, now = (years_between(naive(instant), expiries[ahead]) for instant in (moment, as_of))
    shares = now / then
    growths = kept["forward"] / kept["spot"]
    table = kept.assign(expiry_utc=iso(expiries[ahead]), forward=kept["forward"] * growths ** (shares - 1.0))
    if "discount_factor" in kept.columns:
        table["discount_factor"] = kept["discount_factor"] ** shares
    return table


def ordered(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame's columns in the order of its canonical table."""
    return frame[[column for column in TABLES[name].names() if column in frame.columns]].reset_index(
        drop=True
    )


def _instruments(chain: Chain, rows: pd.DataFrame) -> pd.DataFrame:
    european = chain.is_european
    options = pd.DataFrame(
        {
            "symbol": rows["symbol"],
            "underlying": chain.underlying,
            "type": "option",
            "right": rows["right"],
            "strike": rows["strike"],
            "expiry_utc": iso(rows["expiry"]),
            "style": "european" if european else "american",
            "multiplier": MULTIPLIER,
            "settlement_time": np.where(rows["is_morning"], "am", "pm").astype(object),
            "settlement_kind": "cash" if european else "physical",
        }
    )
    if european:
        return options.assign(currency="USD")
    blank = dict.fromkeys(("right", "expiry_utc", "style", "settlement_time", "settlement_kind"), "")
    own = {"symbol": chain.underlying, "underlying": chain.underlying, "type": chain.listing.type}
    share = pd.DataFrame([{**own, **blank, "strike": np.nan, "multiplier": 1.0}])
    return pd.concat([options, share], ignore_index=True).assign(currency="USD")


def _quotes(chain: Chain, rows: pd.DataFrame, moment: pd.Timestamp, trusts_vols: bool) -> pd.DataFrame:
    kept = rows[["symbol", "bid", "ask", "open_interest", "volume"]]
    if trusts_vols:
        kept = kept.assign(vol=rows["vol"].where(rows["vol"] > 0.0))
    quotes = kept.assign(quote_utc=_text(moment))
    if chain.is_european:
        return quotes
    share = pd.DataFrame([{"symbol": chain.underlying, "mark": chain.spot, "quote_utc": _text(moment)}])
    return pd.concat([quotes, share], ignore_index=True)


def _underlying(chain: Chain, moment: pd.Timestamp) -> dict[str, Any]:
    return {
        "underlying": chain.underlying,
        "spot": chain.spot,
        "currency": "USD",
        "portfolio_type": chain.listing.portfolio_type,
        "spot_utc": _text(chain.spot_moment or moment),
    }


def _forwards(chain: Chain, parity: Parity) -> pd.DataFrame:
    fits, found = parity.fits, parity.fits.reasons == ""
    return pd.DataFrame(
        {
            "underlying": chain.underlying,
            "expiry": parity.expiries[found],
            "spot": chain.spot,
            "forward": fits.forwards[found],
            "discount_factor": fits.discount_factors[found],
        }
    )


def _text(moment: pd.Timestamp) -> str:
    return str(iso(np.array([naive(moment)]))[0])

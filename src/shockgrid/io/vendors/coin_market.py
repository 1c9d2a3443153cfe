"""From a coin venue's files to one market: spot and forwards of every coin, and the canonical tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats, Mask
from shockgrid.columns import joined_rejects
from shockgrid.io.refusal import refusal
from shockgrid.io.vendors.canonical import carried, iso, ordered
from shockgrid.io.vendors.coin_files import CoinFile, Venue, read_coins
from shockgrid.io.vendors.common import flag_quotes, naive
from shockgrid.io.vendors.converted import Converted
from shockgrid.io.vendors.moment import latest_of_one_day, repriced_inside
from shockgrid.io.vendors.report import without_forward
from shockgrid.parity import fit_parity

PORTFOLIO_TYPE = "equity"  #: the widest range of the US rule, which knows no coins
LARGEST_FORWARD_GAP = 0.005  #: a row's underlying_price further from its expiry's median is flagged
KEYS = ["underlying", "expiry"]
NO_FORWARD = "too few strikes with both marks for a forward by parity: give --rate or --curve"


class Priced(NamedTuple):
    """What one file says of its expiries, as of its own moment."""

    forwards: pd.DataFrame  #: underlying, expiry, forward, and discount_factor where the venue has its own
    parity: pd.DataFrame  #: as in Converted


def convert_coins(
    venue: Venue,
    files: Sequence[Path],
    *,
    given: pd.DataFrame | None,
    as_of: pd.Timestamp | None,
    max_age: timedelta,
) -> Converted:
    """Read files of one venue into one market of inverse options; see ``convert``.

    Strikes, spots and forwards are in USD, the base currency; marks, bids and asks in the coin, whose rate in
    the fx table is its spot.

    Deribit prints the forward to each expiry: the median over its rows is taken (rows of one expiry differ by
    up to 1e-4: they are of different seconds), and the forward to the first expiry, less than a day away,
    stands for the spot, which the file lacks. No discount factor is written: holding the coin earns nothing,
    value in coin = Black / F.

    OKX prints one spot. Forward F and discount factor D of each expiry come from put-call parity of the
    marks, (C - P) x spot = D (F - K); D F / spot is not 1 at every expiry there.

    Parameters
    ----------
    given : a canonical curve, written as it is; it is used where an expiry has no forward. Without one, such
        options are turned away (E_NO_RATE), and the curve table is empty.
    """
    read = [read_coins(path, venue) for path in files]
    _require_apart(read)
    moments = {one.file: one.moment for one in read}
    instant = latest_of_one_day(moments, "UTC") if as_of is None else as_of.tz_convert("UTC")
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ("forwards", "parity", "files", "rows")}
    for one in read:
        spots = _first_forwards(one) if venue.prices_are_forwards else _stated_spots(one)
        flag_quotes(one.door, one.contracts, one.moment, instant, max_age, trusts_vols=True)
        if one.door.bad.all():
            problem = f"no contract is alive at {instant.isoformat()}"
            raise refusal(one.file, problem, column="as_of")
        found = _of_expiries(one) if venue.prices_are_forwards else _of_parity(one, rated=given is not None)
        forwards = found.forwards.assign(spot=found.forwards["underlying"].map(spots))
        rows = one.accepted().assign(moment=naive(one.moment)).merge(found.forwards, on=KEYS, how="left")
        rows["spot"] = rows["underlying"].map(spots)
        tables["forwards"].append(carried(forwards, one.moment, instant))
        tables["parity"].append(found.parity)
        tables["files"].append(_counts(one, rows, spots))
        tables["rows"].append(rows)
    joined = {name: pd.concat(frames, ignore_index=True) for name, frames in tables.items()}
    return Converted(
        tables=_tables(venue, joined["rows"], joined["forwards"], given),
        as_of=instant,
        max_age=max_age,
        rejects=joined_rejects([one.door.rejects() for one in read]),
        files=joined["files"],
        parity=joined["parity"],
        notes=[*_notes(venue, joined["files"]), *without_forward(joined["parity"])],
        zone="UTC",
    )


def _require_apart(read: Sequence[CoinFile]) -> None:
    """Each coin stands in one file: two moments of one coin are no market."""
    seen: dict[str, str] = {}
    for one in read:
        for coin in pd.unique(one.accepted()["underlying"]):
            if coin in seen:
                problem = f"{seen[coin]} holds {coin} too; expected one file each"
                raise refusal(one.file, problem)
            seen[coin] = one.file


def _of_expiries(one: CoinFile) -> Priced:
    """Where underlying_price is the forward to the expiry of its row."""
    rows = one.contracts.assign(price=one.contracts["price"].where(~one.door.bad))
    medians = rows.groupby(KEYS)["price"].transform("median").to_numpy(np.float64)
    far = np.abs(rows["price"].to_numpy(np.float64) / medians - 1.0) > LARGEST_FORWARD_GAP
    message = "far from the median of its expiry, which is used"
    one.door.flag(far, "price", "W_FORWARD", message)
    return Priced(_median_prices(one), pd.DataFrame(columns=["underlying", "expiry_utc", "reason"]))


def _median_prices(one: CoinFile) -> pd.DataFrame:
    return one.accepted().groupby(KEYS)["price"].median().rename("forward").reset_index()


def _first_forwards(one: CoinFile) -> pd.Series:
    """USD by coin, the forward to the first expiry of the file."""
    return _median_prices(one).sort_values("expiry").groupby("underlying")["forward"].first()


def _stated_spots(one: CoinFile) -> pd.Series:
    """USD by coin, where underlying_price is one spot for all expiries."""
    spots = one.accepted().groupby("underlying")["price"].agg(["first", "nunique"])
    several = spots[spots["nunique"] > 1]
    if len(several):
        problem = f"expected one spot for all options on {several.index[0]}"
        raise refusal(one.file, problem, column="underlying_price")
    return spots["first"]


def _of_parity(one: CoinFile, *, rated: bool) -> Priced:
    """Where underlying_price is one spot; without a rate an expiry without a forward is turned away."""
    rows = one.accepted()
    groups = rows.groupby(KEYS, sort=True)
    codes, expiries = np.asarray(groups.ngroup(), np.intp), groups.size().index.to_frame(index=False)
    marks = (rows["mark"] * rows["price"]).to_numpy(np.float64)
    calls, strikes = (rows["right"] == "C").to_numpy(bool), rows["strike"].to_numpy(np.float64)
    fits = fit_parity(codes, strikes, calls, marks, marks, len(expiries)).frame()
    fits = pd.concat([expiries, fits.rename(columns={"reasons": "reason"})], axis=1)
    found = fits[fits["reason"] == ""]
    if not rated:
        fitted = pd.MultiIndex.from_frame(found[KEYS])
        bare = ~pd.MultiIndex.from_frame(one.contracts[KEYS]).isin(fitted)
        one.door.reject(bare, "expiry", "E_NO_RATE", NO_FORWARD)
    forwards = found[[*KEYS, "forwards", "discount_factors"]]
    forwards = forwards.rename(columns={"forwards": "forward", "discount_factors": "discount_factor"})
    return Priced(forwards, fits.rename(columns={"expiry": "expiry_utc"}))


def _counts(one: CoinFile, rows: pd.DataFrame, spots: pd.Series) -> pd.DataFrame:
    """What became of the rows of each underlying that the file names."""
    judged, inside = _repriced(rows, one.moment)
    kept = pd.DataFrame({"judged": judged, "inside": inside}).groupby(rows["underlying"]).sum()
    named = pd.DataFrame({"underlying": one.contracts["underlying"], "rejected": one.door.bad})
    counts = named.groupby("underlying")["rejected"].agg(["size", "sum"])
    frame = pd.DataFrame({"underlying": counts.index, "rows": counts["size"], "rejected": counts["sum"]})
    frame = frame.assign(accepted=frame["rows"] - frame["rejected"]).reset_index(drop=True)
    count = frame["underlying"].map(kept["judged"]).fillna(0).astype(int)
    share = frame["underlying"].map(kept["inside"]) / count.where(count > 0)
    return frame.assign(
        file=one.file,
        spot=frame["underlying"].map(spots),
        moment=one.moment,
        share=share.astype(float),
        count=count,
        other=np.datetime64("NaT", "ns"),
        other_share=np.nan,
    )


def _repriced(rows: pd.DataFrame, moment: pd.Timestamp) -> tuple[Mask, Mask]:
    """Which rows have a two-sided quote and a forward, and which of them reprice inside it."""
    spots, forwards = (rows[name].to_numpy(np.float64) for name in ("spot", "forward"))
    factors: Floats = spots / forwards
    if "discount_factor" in rows.columns:
        factors = rows["discount_factor"].to_numpy(np.float64)
    in_currency = rows.assign(bid=rows["bid"] * spots, ask=rows["ask"] * spots)
    return repriced_inside(in_currency, moment, forwards, factors)


def _tables(
    venue: Venue,
    rows: pd.DataFrame,
    forwards: pd.DataFrame,
    given: pd.DataFrame | None,
) -> dict[str, pd.DataFrame]:
    stamps = iso(rows["moment"].to_numpy("datetime64[ns]"))
    instruments = rows.assign(
        type="option",
        expiry_utc=iso(rows["expiry"].to_numpy("datetime64[ns]")),
        style="european",
        multiplier=rows["underlying"].map(venue.sizes),
        currency=rows["underlying"],
        settlement_kind="cash",
        inverse=True,
    )
    quotes = rows.assign(quote_utc=stamps, vol=rows["vol"].where(rows["vol"] > 0.0))
    coins = rows.assign(spot_utc=stamps).drop_duplicates("underlying")
    coins = coins[["underlying", "spot", "spot_utc"]].sort_values("underlying")
    none = {"currency": pd.Series(dtype=object), "days": np.zeros(0), "zero_rate_dec": np.zeros(0)}
    tables = {
        "instruments": instruments,
        "quotes": quotes,
        "underlyings": coins.assign(currency="USD", portfolio_type=PORTFOLIO_TYPE),
        "curve": pd.DataFrame(none) if given is None else given,
        "forwards": forwards,
        "fx": coins.rename(columns={"underlying": "currency", "spot": "rate"}),
    }
    return {name: ordered(name, frame) for name, frame in tables.items()}


def _notes(venue: Venue, files: pd.DataFrame) -> list[str]:
    if not venue.prices_are_forwards:
        return ["forwards and discount factors are those of put-call parity of the marks"]
    priced = files[files["spot"].notna()]
    spots = [f"{row.underlying} {row.spot:,.2f}" for row in priced.itertuples()]
    return [f"{venue.name} prints no spot: the forward to the first expiry is used, {', '.join(spots)}"]

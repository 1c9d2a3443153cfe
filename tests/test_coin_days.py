"""Coin files of two days in one market: what keeps its moment, what is flagged, what has expired."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chains import coin_file, invoke, nothing_is_lost

import shockgrid as sg
from shockgrid.backends import get_backend
from shockgrid.calibration import calibrated
from shockgrid.io.tables import read_market, read_market_toml
from shockgrid.io.vendors import Converted, convert
from shockgrid.io.vendors.assemble import MAX_AGE

NOW = pd.Timestamp("2026-08-22T01:51:59Z")
#: Relative; a power of a ratio of years taken and undone.
ROUNDING = 1e-9


def only(source: Path, target: Path, coin: str) -> Path:
    frame = pd.read_csv(source, dtype=str, keep_default_na=False)
    frame[frame["underlying"] == coin].to_csv(target, index=False)
    return target


@pytest.fixture(params=["deribit", "okx"])
def two_days(request: pytest.FixtureRequest, coins: Path, tmp_path: Path) -> tuple[str, Path, Path]:
    """A venue, its bitcoin options of one day and its ether options of the day before."""
    venue = str(request.param)
    btc = only(coin_file(coins, venue, 22), tmp_path / "btc.csv", "BTC")
    return venue, btc, only(coin_file(coins, venue, 21), tmp_path / "eth.csv", "ETH")


def per_year(found: Converted) -> pd.DataFrame:
    """Rate and carry of every ether expiry; an expiry without a discount factor has no rate."""
    table = found.tables["forwards"]
    table = table[table["underlying"] == "ETH"].set_index("expiry_utc")
    years = (pd.to_datetime(table.index) - found.as_of) / pd.Timedelta(days=365)
    spots = found.tables["underlyings"].set_index("underlying")["spot"]
    rates = pd.DataFrame({"carry": np.log(table["forward"] / spots["ETH"])})
    if "discount_factor" in table.columns:
        rates["rate"] = -np.log(table["discount_factor"])
    return rates.div(years, axis=0)


def test_each_file_keeps_its_spot_and_its_time(two_days: tuple[str, Path, Path]) -> None:
    venue, btc, eth = two_days
    mixed, alone = convert(venue, [btc, eth], as_of=NOW), convert(venue, [eth])
    nothing_is_lost(mixed)
    moments = mixed.files.set_index("underlying")["moment"]
    assert NOW - moments["ETH"] > timedelta(hours=23)
    accepted = mixed.files.set_index("underlying")["accepted"]
    stale = mixed.rejects[mixed.rejects["code"] == "W_STALE"]
    assert set(stale["table"]) == {"eth.csv"}
    assert len(stale) == accepted["ETH"]
    assert mixed.counts()["E_EXPIRED"] == len(alone.tables["quotes"]) - accepted["ETH"] > 0
    names = mixed.tables["underlyings"].set_index("underlying")
    own = alone.tables["underlyings"].set_index("underlying")
    assert names.loc["ETH"].to_dict() == own.loc["ETH"].to_dict(), (
        "of its file, though its first expiry is over"
    )
    times = mixed.tables["quotes"].groupby(mixed.tables["instruments"]["underlying"])["quote_utc"].agg(set)
    assert times.to_dict() == {name: {time} for name, time in names["spot_utc"].items()}
    shares = [one.files.set_index("underlying").loc["ETH", "share"] for one in (mixed, alone)]
    assert shares[0] == pytest.approx(shares[1], abs=0.02), "vols are judged as of their own moment"


def test_forwards_of_another_day_keep_rate_and_carry_per_year(two_days: tuple[str, Path, Path]) -> None:
    venue, btc, eth = two_days
    mixed, own = per_year(convert(venue, [btc, eth], as_of=NOW)), per_year(convert(venue, [eth]))
    assert 5 < len(mixed) < len(own)
    pd.testing.assert_frame_equal(
        mixed, own.loc[mixed.index], check_exact=False, rtol=ROUNDING, atol=ROUNDING
    )


def test_a_price_of_another_day_gives_the_vol_of_its_day(two_days: tuple[str, Path, Path]) -> None:
    """The marks of old ether options give back the venue's vols as of their own moment only."""
    venue, btc, eth = two_days
    mixed = convert(venue, [btc, eth], as_of=NOW)
    tables = dict(mixed.tables)
    stated = tables["quotes"].set_index("symbol")["vol"]
    tables["quotes"] = tables["quotes"].assign(vol=np.nan)
    error = {}
    for max_age in (MAX_AGE, None):
        market = sg.Market.from_frames(**tables, as_of=NOW.to_pydatetime(), max_age=max_age)
        table = calibrated(market, get_backend()).instruments
        spots = market.underlyings.spots[table.underlyings]
        near = (np.abs(np.log(table.strikes / spots)) < 0.1) & (table.years < 30 / 365)
        near &= pd.Series(table.symbols).str.startswith("ETH").to_numpy(bool)
        assert near.sum() > 50
        own = stated.loc[table.symbols[near]].to_numpy(np.float64)
        error[max_age] = float(np.median(np.abs(table.vols[near] / own - 1.0)))
    assert error[MAX_AGE] < 0.005
    assert error[None] > 5 * error[MAX_AGE], "a day that had passed would have been priced in"


def test_max_age_is_an_option_for_coins_too(coins: Path, tmp_path: Path) -> None:
    arguments = ("convert", "deribit", coin_file(coins, "deribit", 22), "--as-of", "2026-08-22T03:00:00Z")
    plain = invoke(*arguments, "--out", tmp_path / "a")
    assert plain.exit_code == 0, plain.output
    assert "W_STALE" not in plain.stdout
    short = invoke(*arguments, "--max-age", "60", "--out", tmp_path / "b")
    assert "W_STALE           2,054 flagged" in short.stdout
    assert read_market_toml(tmp_path / "b" / "market.toml").max_age == timedelta(hours=1)
    old = read_market(tmp_path / "b").rejects
    old = old[old["code"] == "W_STALE"]
    assert old["table"].value_counts().to_dict() == {"quotes": 2_054, "underlyings": 2}

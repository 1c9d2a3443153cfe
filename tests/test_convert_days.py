"""Chain files of two days in one market: what is kept, what has expired, what is flagged."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chains import invoke, nothing_is_lost

import shockgrid as sg
from shockgrid.backends import get_backend
from shockgrid.calibration import calibrated
from shockgrid.errors import InputError
from shockgrid.expiries import new_york
from shockgrid.io.tables import read_market, read_market_toml
from shockgrid.io.vendors import Converted, convert
from shockgrid.io.vendors.assemble import MAX_AGE

SEPTEMBER = new_york("2023-09-14")
AUGUST = "2023-08-18T20:00:00Z"  # the files' stamps are of Sunday night, their quotes of Friday's close
FIVE = [f"{name}_quotedata_2023-09-14.csv" for name in ("spx", "xsp", "spy")]
FIVE += [f"{name}_quotedata_2023-08-20.csv" for name in ("amd", "tsla")]
#: Cboe's vols are those of another model, with dividends and early exercise, and of a mid rounded to a cent
VENDORS_OWN = 0.02


@pytest.fixture(scope="module")
def mixed(cboe: Path) -> Converted:
    return convert("cboe", [cboe / name for name in FIVE], as_of=SEPTEMBER)


def expired(file: Path, root: str) -> int:
    """Contracts of a root whose symbol names a day before 2023-09-14, counted in the text of the file."""
    days = re.findall(rf"{root}(\d{{6}})[CP]\d{{8}}", file.read_text())
    return sum(day < "230914" for day in days)


def test_every_row_of_the_five_files_is_accounted_for(cboe: Path, mixed: Converted) -> None:
    nothing_is_lost(mixed)
    files = mixed.files.set_index("underlying")
    contracts = {"SPX": 19_920, "XSP": 10_882, "SPY": 7_292, "AMD": 1_738, "TSLA": 236}
    assert files["rows"].to_dict() == contracts, "the counts of SOURCE.md beside the files"
    gone = {name: expired(cboe / FIVE[place], name) for place, name in ((3, "AMD"), (4, "TSLA"))}
    assert gone == {"AMD": 446, "TSLA": 236}, "TSLA's one expiry is 2023-08-25"
    assert files["rejected"].to_dict() == {"SPX": 0, "XSP": 0, "SPY": 0, "AMD": 446 + 80, "TSLA": 236}
    counts = mixed.counts()
    assert counts["E_EXPIRED"] == sum(gone.values())
    assert counts["E_DELIVERABLE"] == 80, "the adjusted root AMD1"
    stale = mixed.rejects[mixed.rejects["code"] == "W_STALE"]
    assert set(stale["table"]) == {FIVE[3]}
    assert len(stale) == 1_738 - 446 - 80
    assert stale["key"].is_unique


def test_spots_and_quotes_keep_their_own_moment(mixed: Converted) -> None:
    names = mixed.tables["underlyings"].set_index("underlying")
    now = "2023-09-14T20:00:00Z"
    assert names["spot_utc"].to_dict() == {"SPX": now, "XSP": now, "SPY": now, "AMD": AUGUST, "TSLA": AUGUST}
    assert names["spot"].drop("TSLA").to_dict() == {
        "SPX": 4505.1001,
        "XSP": 450.51,
        "SPY": 450.81,
        "AMD": 105.6,
    }
    # the file says 218.80, which is of Sunday night; Tesla closed at 215.49 on 2023-08-18
    assert names.loc["TSLA", "spot"] == pytest.approx(215.49, abs=0.1)
    quotes = mixed.tables["quotes"].merge(mixed.tables["instruments"], on="symbol")
    assert quotes.groupby("underlying")["quote_utc"].agg(set).to_dict() == {
        name: {moment} for name, moment in names["spot_utc"].items()
    }


def test_the_curve_is_that_of_the_day(cboe: Path, mixed: Converted) -> None:
    old = cboe / "spx_quotedata_2023-08-20.csv"
    two = convert("cboe", [old, cboe / FIVE[1]], as_of=SEPTEMBER)
    alone = convert("cboe", [cboe / FIVE[1]])
    pd.testing.assert_frame_equal(two.tables["curve"], alone.tables["curve"])
    fresh = convert("cboe", [cboe / name for name in FIVE[:3]])
    pd.testing.assert_frame_equal(mixed.tables["curve"], fresh.tables["curve"])
    pd.testing.assert_frame_equal(mixed.tables["forwards"], fresh.tables["forwards"])


def test_forwards_of_another_day_keep_rate_and_carry_per_year(cboe: Path) -> None:
    file = cboe / "spx_quotedata_2023-08-20.csv"
    later = pd.Timestamp("2023-09-01T20:00:00Z")
    frames = {}
    for name, found in (("own", convert("cboe", [file])), ("later", convert("cboe", [file], as_of=later))):
        table = found.tables["forwards"].set_index("expiry_utc")
        years = (pd.to_datetime(table.index) - found.as_of) / pd.Timedelta(days=365)
        spot = found.tables["underlyings"]["spot"].item()
        rates = {"rate": -np.log(table["discount_factor"]), "carry": np.log(table["forward"] / spot)}
        frames[name] = pd.DataFrame(rates).div(years, axis=0)
    assert 35 < len(frames["later"]) < len(frames["own"])
    own = frames["own"].loc[frames["later"].index]
    pd.testing.assert_frame_equal(frames["later"], own, check_exact=False, rtol=1e-9, atol=1e-9)


def test_a_price_of_another_day_gives_the_vol_of_its_day(mixed: Converted) -> None:
    """AMD without its vols: implied from the prices of August, they are Cboe's own of August."""
    tables = dict(mixed.tables)
    stated = tables["quotes"].set_index("symbol")["vol"]
    of_amd = tables["quotes"]["symbol"].str.match("AMD[0-9]")
    tables["quotes"] = tables["quotes"].assign(vol=tables["quotes"]["vol"].mask(of_amd))
    near: dict[bool, float] = {}
    for known in (True, False):
        market = sg.Market.from_frames(
            **tables, as_of=mixed.as_of.to_pydatetime(), max_age=MAX_AGE if known else None
        )
        table = calibrated(market, get_backend()).instruments
        rows = pd.DataFrame(
            {"symbol": table.symbols, "vol": table.vols, "strike": table.strikes, "call": table.is_call}
        )[table.is_option & (table.years > 0.0)]
        outside = (rows["strike"] > 105.6) == rows["call"]
        rows = rows[rows["symbol"].str.match("AMD[0-9]") & outside & rows["strike"].between(85.0, 126.0)]
        error = (rows["vol"] / rows["symbol"].map(stated) - 1.0).abs()
        assert len(error) > 150
        near[known] = float(error.median())
    assert near[True] < VENDORS_OWN
    assert near[False] > 5 * VENDORS_OWN, "27 days that had passed would have been priced in"


def test_convert_synth_and_run_in_one_command_each(cboe: Path, tmp_path: Path) -> None:
    files = [cboe / name for name in FIVE]
    out, drawn = tmp_path / "market", tmp_path / "book"
    refused = invoke("convert", "cboe", *files, "--out", out)
    assert refused.exit_code == 2
    assert "--as-of" in refused.stderr
    done = invoke("convert", "cboe", *files, "--as-of", "2023-09-14T16:00:00-04:00", "--out", out)
    assert done.exit_code == 0, done.output
    for line in ("E_EXPIRED           682 rejected", "W_STALE           1,212 flagged"):
        assert line in done.stdout
    assert read_market_toml(out / "market.toml").max_age == MAX_AGE
    market = read_market(out)
    old = market.rejects[market.rejects["code"] == "W_STALE"]
    # the option series, the shares of AMD and TSLA, and their spots
    assert old["table"].value_counts().to_dict() == {"quotes": 1_212 + 2, "underlyings": 2}
    assert invoke("synth", out, "--accounts", "60", "--seed", "1", "--out", drawn).exit_code == 0
    arguments = (
        "--market",
        out,
        "--book",
        drawn,
        "--policy",
        drawn / "policy.toml",
        "--out",
        tmp_path / "run",
    )
    ran = invoke("run", *arguments)
    assert ran.exit_code == 0, ran.output
    assert "regimes: tims, house" in ran.stdout
    accounts = pd.read_parquet(tmp_path / "run" / "accounts.parquet").set_index("margin_group")
    held = pd.read_parquet(tmp_path / "run" / "positions.parquet")
    on_amd = held.loc[held["symbol"].str.startswith("AMD"), "margin_group"].unique()
    assert len(on_amd) > 5
    assert set(accounts.loc[on_amd, "reliability"]) == {"STALE"}


def test_quotes_of_after_as_of_are_flagged(cboe: Path) -> None:
    file = cboe / FIVE[4]
    rows = 236
    for as_of, code in (("2023-08-18T15:00:00-04:00", "W_AHEAD"), ("2023-08-16T16:00:00-04:00", "W_STALE")):
        counts = convert("cboe", [file], rate=0.055, as_of=pd.Timestamp(as_of)).counts()
        assert {name: counts.get(name, 0) for name in ("W_AHEAD", "W_STALE")} == {
            "W_AHEAD": 0, "W_STALE": 0, code: rows,
        }  # fmt: skip


def test_max_age_is_an_option(cboe: Path, tmp_path: Path) -> None:
    arguments = ("convert", "cboe", cboe / FIVE[4], "--rate", "0.055", "--as-of", "2023-08-19T12:00:00-04:00")
    assert "W_STALE             236 flagged" in invoke(*arguments, "--out", tmp_path / "a").stdout
    weekend = invoke(*arguments, "--max-age", "1440", "--out", tmp_path / "b")
    assert "W_STALE" not in weekend.stdout
    assert "max_age_minutes = 1440" in (tmp_path / "b" / "market.toml").read_text()
    assert invoke(*arguments, "--max-age", "0", "--out", tmp_path / "c").exit_code == 2


def test_a_file_of_vols_in_per_cent_is_refused(cboe: Path, tmp_path: Path) -> None:
    lines = (cboe / FIVE[4]).read_text().split("\n")
    sides = [place for place, name in enumerate(lines[3].split(",")) if name == "IV"]
    assert len(sides) == 2
    for number, line in enumerate(lines[4:], 4):
        cells = line.split(",")
        if len(cells) > sides[1]:
            for place in sides:
                cells[place] = f"{100 * float(cells[place]):.2f}"
            lines[number] = ",".join(cells)
    path = tmp_path / "tsla.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match="column vol: looks like per cent"):
        convert("cboe", [path], rate=0.055)

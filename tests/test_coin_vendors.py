"""Every file of the coin venues, against the notes beside the data, and rows that are spoilt."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chains import coin_file, invoke, nothing_is_lost, priced

from shockgrid.io.tables import read_market
from shockgrid.io.vendors import Converted, convert

#: Coin, median of a file. The notes beside the data measured 1e-6 to 8e-6 with each row's own forward; rows
#: of one expiry are of different seconds, so the one forward an expiry is given may double that.
DERIBIT_MARK = 2e-5
#: Coin, median of a file: a tenth of the step of 1e-4 coin in which the venue quotes. Its marks and vols are
#: printed to 13 digits and more, so what is left is the second or two between them.
OKX_MARK = 1e-5
#: Of the spot, the median of an expiry: marks of 13 digits lie on one line of put-call parity.
OKX_PARITY = 1e-12
DERIBIT_DAYS, OKX_DAYS = range(8, 23), range(19, 23)
#: Rows of the smallest and of the largest file, in the notes beside the data.
ROWS = {"deribit": (1442, 2054), "okx": (1326, 1866)}
CODES = {"W_NO_BID", "W_NO_ASK", "W_NO_QUOTE", "W_VOL"}


def checked(path: Path, venue: str) -> Converted:
    """A file in which nothing is lost: as many rows as it has lines, each with its vol, expiring at 08:00."""
    found = convert(venue, [path])
    nothing_is_lost(found)
    lines = len(gzip.decompress(path.read_bytes()).splitlines()) - 1
    assert found.files["accepted"].sum() == lines
    assert set(found.files["underlying"]) == {"BTC", "ETH"}
    assert set(found.counts()) <= CODES
    quotes, options = found.tables["quotes"], found.tables["instruments"]
    missing = int((quotes["bid"].isna() & quotes["ask"].notna()).sum())
    assert found.counts()["W_NO_BID"] == missing
    assert quotes["vol"].between(0.05, 6.0).all()
    assert set(options["expiry_utc"].str[10:]) == {"T08:00:00Z"}
    assert set(found.tables["fx"]["rate"]) == set(found.tables["underlyings"]["spot"])
    return found


@pytest.mark.parametrize("day", DERIBIT_DAYS)
def test_deribit_marks(coins: Path, day: int) -> None:
    found = checked(coin_file(coins, "deribit", day), "deribit")
    assert priced(found)["error"].median() <= DERIBIT_MARK
    spots = found.tables["underlyings"].set_index("underlying")["spot"]
    first = found.tables["forwards"].sort_values("expiry_utc").groupby("underlying")["forward"].first()
    assert spots.to_dict() == first.to_dict()
    assert {"discount_factor"}.isdisjoint(found.tables["forwards"].columns)
    assert set(found.tables["instruments"]["multiplier"]) == {1.0}


@pytest.mark.parametrize("day", OKX_DAYS)
def test_okx_marks(coins: Path, day: int) -> None:
    found = checked(coin_file(coins, "okx", day), "okx")
    rows = priced(found)
    assert rows["error"].median() <= OKX_MARK
    spots = found.tables["underlyings"].set_index("underlying")["spot"]
    assert (found.parity["reason"] == "").all()
    assert (found.parity["residuals"] / found.parity["underlying"].map(spots)).max() <= OKX_PARITY
    sizes = found.tables["instruments"].groupby("underlying")["multiplier"].agg(["min", "max"])
    assert sizes.to_numpy().tolist() == [[0.01, 0.01], [0.1, 0.1]]
    flat = found.tables["forwards"].assign(forward=lambda part: part["underlying"].map(spots))
    found.tables["forwards"] = flat.assign(discount_factor=1.0)
    assert priced(found)["error"].median() > 10 * OKX_MARK, "with the spot as every forward"


def test_row_counts(coins: Path) -> None:
    for venue, days in (("deribit", DERIBIT_DAYS), ("okx", OKX_DAYS)):
        rows = [int(convert(venue, [coin_file(coins, venue, day)]).files["rows"].sum()) for day in days]
        assert (min(rows), max(rows)) == ROWS[venue]


def spoilt(source: Path, target: Path, cells: dict[int, dict[str, str]]) -> Path:
    """The file with some cells of some lines (the header is line 1) changed; plain."""
    frame = pd.read_csv(source, dtype=str, keep_default_na=False)
    for line, changes in cells.items():
        for column, value in changes.items():
            assert frame.loc[line - 2, column] != value
            frame.loc[line - 2, column] = value
    frame.to_csv(target, index=False)
    return target


#: line -> (cell to spoil, its text, column and code of the reject)
SPOILT = {
    5: ("underlying", "DOGE", "underlying", "E_UNDERLYING"),
    6: ("strike", "1", "strike", "E_MISMATCH"),
    7: ("expiry", "2026-02-31", "expiry", "E_TYPE"),
    8: ("expiry", "2029-01-26", "expiry", "E_MISMATCH"),
    9: ("type", "straddle", "right", "E_CHOICE"),
    10: ("instrument", "BTC-PERPETUAL", "symbol", "E_SYMBOL"),
    11: ("mark_price", "-0.1", "mark", "E_RANGE"),
    12: ("underlying_price", "n/a", "price", "E_TYPE"),
    13: ("bid", "0.99", "bid", "W_CROSSED"),
    14: ("mark_iv", "0", "vol", "W_NO_VOL"),
}


@pytest.mark.parametrize("venue", ["deribit", "okx"])
def test_bad_rows_are_turned_away_one_by_one(coins: Path, tmp_path: Path, venue: str) -> None:
    clean = coin_file(coins, venue, 20)
    cells = {line: {cell: text} for line, (cell, text, _, _) in SPOILT.items()}
    bad = spoilt(clean, tmp_path / "bad.csv", cells | {15: {"bid": "", "ask": ""}})
    found = convert(venue, [bad])
    nothing_is_lost(found)
    own = found.rejects[found.rejects["line"].between(5, 15)]
    codes = dict(zip(own["line"], zip(own["column"], own["code"], strict=True), strict=True))
    expected = {line: (column, code) for line, (_, _, column, code) in SPOILT.items()}
    assert codes == expected | {15: ("bid", "W_NO_QUOTE")}
    whole = convert(venue, [clean]).tables["quotes"]
    kept = found.tables["quotes"]
    assert len(whole) - len(kept) == 8
    changed = pd.read_csv(bad, dtype=str)["instrument"].iloc[[11, 12, 13]]
    others = [frame[~frame["symbol"].isin(changed)].set_index("symbol") for frame in (whole, kept)]
    pd.testing.assert_frame_equal(others[0].loc[others[1].index], others[1])


def test_a_crossed_quote_keeps_its_mark_and_vol(coins: Path, tmp_path: Path) -> None:
    bad = spoilt(coin_file(coins, "deribit", 20), tmp_path / "bad.csv", {2: {"bid": "0.9", "ask": "0.1"}})
    out = tmp_path / "market"
    assert invoke("convert", "deribit", bad, "--out", out).exit_code == 0
    market = read_market(out)
    assert len(market.instruments.symbols) == 1738
    assert np.isfinite(market.instruments.vols).all()


def test_a_forward_of_another_moment_is_flagged_and_not_used(coins: Path, tmp_path: Path) -> None:
    clean = coin_file(coins, "deribit", 20)
    odd = convert("deribit", [spoilt(clean, tmp_path / "odd.csv", {2: {"underlying_price": "50000"}})])
    assert odd.counts()["W_FORWARD"] == 1
    pair = odd.tables["forwards"].merge(
        convert("deribit", [clean]).tables["forwards"], on=["underlying", "expiry_utc"]
    )
    np.testing.assert_allclose(pair["forward_x"], pair["forward_y"], rtol=1e-4)

"""What the converters of coin venues refuse, by name: other venues, two moments of a coin, another unit."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from chains import coin_file, invoke, nothing_is_lost

from shockgrid.errors import InputError
from shockgrid.io.tables import read_market
from shockgrid.io.vendors import convert


def test_files_that_do_not_fit_one_market_are_refused(coins: Path, tmp_path: Path) -> None:
    deribit, okx = coin_file(coins, "deribit", 22), coin_file(coins, "okx", 22)
    for venue, files, match in (
        ("deribit", [okx], "expected a file of deribit; one market holds one venue"),
        ("okx", [okx, deribit], "expected a file of okx; one market holds one venue"),
        ("deribit", [deribit, coin_file(coins, "deribit", 21)], "holds BTC too"),
        ("okx", [tmp_path / "none.csv"], "no such file"),
    ):
        with pytest.raises(InputError, match=match):
            convert(venue, files)
    with pytest.raises(InputError, match="pay no dividends"):
        convert("deribit", [deribit], dividends=deribit)
    with pytest.raises(InputError, match="no contract"):
        convert("deribit", [deribit], as_of=pd.Timestamp("2033-01-01T00:00Z"))


def only(source: Path, target: Path, coin: str, **columns: str) -> Path:
    frame = pd.read_csv(source, dtype=str, keep_default_na=False)
    frame[frame["underlying"] == coin].assign(**columns).to_csv(target, index=False)
    return target


def test_coins_of_two_files_and_of_two_days(coins: Path, tmp_path: Path) -> None:
    btc = only(coin_file(coins, "deribit", 22), tmp_path / "btc.csv", "BTC")
    eth = only(
        coin_file(coins, "deribit", 22), tmp_path / "eth.csv", "ETH", snapshot_utc="2026-08-22 01:52:04"
    )
    old = only(coin_file(coins, "deribit", 21), tmp_path / "old.csv", "ETH")
    both = convert("deribit", [btc, eth])
    assert both.files["accepted"].sum() == 2054
    assert both.as_of == pd.Timestamp("2026-08-22T01:52:04Z")
    with pytest.raises(InputError, match="give --as-of to mix them"):
        convert("deribit", [btc, old])
    mixed = convert("deribit", [btc, old], as_of=pd.Timestamp("2026-08-22T01:51:59Z"))
    nothing_is_lost(mixed)
    assert mixed.counts()["E_EXPIRED"] > 0


def test_vols_in_the_other_unit_are_refused(coins: Path, tmp_path: Path) -> None:
    for venue, factor in (("deribit", 0.01), ("okx", 100.0)):
        frame = pd.read_csv(coin_file(coins, venue, 20))
        frame.assign(mark_iv=frame["mark_iv"] * factor).to_csv(tmp_path / "unit.csv", index=False)
        with pytest.raises(InputError, match="another unit"):
            convert(venue, [tmp_path / "unit.csv"])


def test_an_expiry_without_a_forward_needs_a_rate(coins: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(coin_file(coins, "okx", 20), dtype=str, keep_default_na=False)
    last = (frame["underlying"] == "BTC") & (frame["expiry"] == "2027-06-25")
    frame[~last | (frame["strike"] == "70000")].to_csv(tmp_path / "few.csv", index=False)
    bare = convert("okx", [tmp_path / "few.csv"])
    nothing_is_lost(bare)
    assert bare.counts()["E_NO_RATE"] == 2
    assert any("no parity forward (too_few_pairs)" in note for note in bare.notes)
    done = invoke("convert", "okx", tmp_path / "few.csv", "--out", tmp_path / "m", "--rate", "0.04")
    assert done.exit_code == 0, done.output
    market = read_market(tmp_path / "m")
    assert set(market.rejects["code"]) == {"W_VOL"}
    assert "BTC-USD-270625-70000-C" in market.instruments.symbols

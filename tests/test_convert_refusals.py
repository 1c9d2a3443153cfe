"""What a converter must not do: lose somebody's files, read a number otherwise than it is written, guess."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from chains import RATE, invoke

from shockgrid.errors import InputError
from shockgrid.io.vendors import convert
from shockgrid.io.vendors.cboe import read_stamp

TESLA = "tsla_quotedata_2023-08-20.csv"


def changed(source: Path, target: Path, old: str, new: str) -> Path:
    text = source.read_text(encoding="utf-8")
    assert old in text
    target.write_text(text.replace(old, new, 1), encoding="utf-8")
    return target


def test_a_folder_that_holds_anything_else_is_left_alone(cboe: Path, tmp_path: Path) -> None:
    out = tmp_path / "market"
    arguments = ("convert", "cboe", cboe / TESLA, "--rate", "0.05", "--out", out)
    assert invoke(*arguments).exit_code == 0
    assert invoke(*arguments).exit_code == 0, "a converted folder is replaced"
    (out / "dividends.csv").write_text("underlying,ex_date,amount\n")
    assert invoke(*arguments).exit_code == 2
    assert (out / "dividends.csv").is_file()


def test_a_curve_replaces_no_file(shared: Path, tmp_path: Path) -> None:
    yields = tmp_path / "yields.csv"
    yields.write_bytes((shared / "data" / "ust-par-yields" / "yield-curve-rates-1990-2023.csv").read_bytes())
    before = yields.read_bytes()
    assert invoke("curve", yields, "--date", "2023-09-14", "--out", yields).exit_code == 2
    assert yields.read_bytes() == before


@pytest.mark.parametrize("last", ["1,218.8", "218,8", "1.2.3", "0", "-5"])
def test_a_spot_is_a_plain_decimal(cboe: Path, tmp_path: Path, last: str) -> None:
    file = changed(cboe / TESLA, tmp_path / "t.csv", "Last: 218.8", f"Last: {last}")
    with pytest.raises(InputError, match="plain decimal"):
        convert("cboe", [file], rate=RATE)


@pytest.mark.parametrize(
    "stamp",
    [
        "Date: February 30, 2023 at 4:31 PM EDT",
        "Date: August 20, 2023 at 10:68 PM EDT",
        "Date: August 20, 2023 at 13:31 PM EDT",
        "Date: 23 de marzo de 2022, 10:11 GMT-40",
        "Date: 23 de marzo de 2022, 10:11 GMT+0530",
    ],
)
def test_a_stamp_no_clock_shows_is_refused(stamp: str) -> None:
    with pytest.raises(InputError, match="expected a stamp"):
        read_stamp(stamp)


def test_the_spot_is_of_the_moment_of_the_quotes(cboe: Path) -> None:
    """The file's 218.80 is of Sunday night; the quotes below it are of Friday's close at about 215.5."""
    found = convert("cboe", [cboe / TESLA], rate=0.05)
    spot = found.tables["underlyings"].set_index("underlying").loc["TSLA", "spot"]
    assert spot == pytest.approx(215.5, abs=0.2)  # Tesla closed at 215.49 on 2023-08-18
    share = found.tables["quotes"].set_index("symbol").loc["TSLA", "mark"]
    assert share == spot


def test_a_moment_at_which_nothing_is_alive_is_refused(cboe: Path) -> None:
    with pytest.raises(InputError, match="no contract"):
        convert("cboe", [cboe / TESLA], rate=RATE, as_of=pd.Timestamp("2033-08-18T16:00:00Z"))


def test_one_odd_trade_time_does_not_move_the_market(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "yahoo-chains-2026-02" / "AAPL_options.csv.gz"
    frame = pd.read_csv(source, dtype=str)
    clean = convert("yahoo", [source], rate=RATE).as_of
    frame.loc[7, "lastTradeDate"] = "2027-11-20 15:00:00+00:00"
    frame.to_csv(tmp_path / "AAPL_options.csv", index=False)
    assert convert("yahoo", [tmp_path / "AAPL_options.csv"], rate=RATE).as_of == clean

"""From vendor files to a market folder: what is turned away, what is refused, what is written."""

from __future__ import annotations

import gzip
import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chains import invoke, nothing_is_lost

import shockgrid as sg
from shockgrid.errors import InputError
from shockgrid.io.tables import read_market
from shockgrid.io.vendors import convert
from shockgrid.io.vendors.cboe import read_cboe


def spoilt(source: Path, target: Path, changes: dict[int, tuple[str, str]]) -> Path:
    lines = source.read_text().split("\n")
    for line, (old, new) in changes.items():
        assert old in lines[line - 1]
        lines[line - 1] = lines[line - 1].replace(old, new)
    target.write_text("\n".join(lines))
    return target


def test_bad_rows_are_turned_away_one_by_one(cboe: Path, tmp_path: Path) -> None:
    clean = cboe / "tsla_quotedata_2023-08-20.csv"
    whole = convert("cboe", [clean], rate=0.055)
    bad = spoilt(
        clean,
        tmp_path / "tsla.csv",
        {
            10: ("TSLA230825C00070000", "TSLA230231C00070000"),
            11: ("TSLA230825P00080000", "AAPL230825P00080000"),
            12: (",85.00,", ",86.00,"),
            13: ("Fri Aug 25 2023", "Fri Aug 32 2023"),
            14: ("TSLA230825P00095000", "TSLA230825P00020000"),
            16: ("Fri Aug 25 2023", "Fri Sep 01 2023"),
            17: ("TSLA230825C", "TSLA1230825C"),
        },
    )
    found = convert("cboe", [bad], rate=0.055)
    nothing_is_lost(found)
    wrong = found.rejects[found.rejects["code"].str.startswith("E_")]
    codes = Counter(zip(wrong["line"], wrong["code"], strict=True))
    assert codes[10, "E_SYMBOL"] == 1
    assert codes[11, "E_UNDERLYING"] == 1
    assert codes[12, "E_MISMATCH"] == 2
    assert codes[13, "E_TYPE"] == 2
    assert codes[14, "E_MISMATCH"] == 1
    assert codes[16, "E_MISMATCH"] == 2
    assert codes[17, "E_DELIVERABLE"] == 1
    assert set(wrong["line"]) == {10, 11, 12, 13, 14, 16, 17}
    others = whole.tables["quotes"]["symbol"].isin(found.tables["quotes"]["symbol"])
    kept = whole.tables["quotes"][others].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, found.tables["quotes"])


def test_a_quote_that_is_no_number_and_a_row_twice(cboe: Path, tmp_path: Path) -> None:
    clean = cboe / "tsla_quotedata_2023-08-20.csv"
    lines = clean.read_text().split("\n")
    cells = lines[19].split(",")
    cells[4], cells[15] = "n/a", "-1"
    lines[19] = ",".join(cells)
    lines.insert(25, lines[24])
    path = tmp_path / "tsla.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    found = convert("cboe", [path], rate=0.055)
    wrong = found.rejects[found.rejects["code"].str.startswith("E_")]
    assert sorted(zip(wrong["line"], wrong["code"], strict=True)) == [
        (20, "E_RANGE"), (20, "E_TYPE"), (26, "E_DUPLICATE"), (26, "E_DUPLICATE"),
    ]  # fmt: skip


def test_files_that_are_not_the_vendors_are_refused(cboe: Path, tmp_path: Path) -> None:
    clean = cboe / "tsla_quotedata_2023-08-20.csv"
    for line, old, new, match in (
        (4, "Open Interest", "Open interest", "line 4"),
        (3, "August", "ao\u00fbt", "stamp"),
        (3, "EDT", "CEST", "stamp"),
        (2, "Last", "Close", "line 2"),
    ):
        path = spoilt(clean, tmp_path / "tsla.csv", {line: (old, new)})
        with pytest.raises(InputError, match=match):
            convert("cboe", [path], rate=0.055)
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(clean.read_bytes())[:-200])
    with pytest.raises(InputError, match="damaged"):
        convert("cboe", [cut], rate=0.055)
    with pytest.raises(InputError, match="fields"):
        convert("yahoo", [clean], rate=0.055)
    with pytest.raises(InputError, match="no such file"):
        convert("cboe", [tmp_path / "none.csv"], rate=0.055)


def test_both_sides_of_a_line_bear_the_same_names(cboe: Path) -> None:
    contracts = read_cboe(cboe / "tsla_quotedata_2023-08-20.csv").contracts.set_index("symbol")
    call, put = contracts.loc["TSLA230825C00020000"], contracts.loc["TSLA230825P00020000"]
    assert (call["bid"], call["ask"], call["vol"], call["open_interest"]) == (194.5, 196.45, 0.0, 2)
    assert (put["bid"], put["ask"], put["vol"], put["open_interest"]) == (0.0, 0.01, 5.1842, 42)


def test_a_converted_folder_is_margined(cboe: Path, tmp_path: Path) -> None:
    files = [cboe / f"{name}_quotedata_2023-09-14.csv" for name in ("spx", "xsp", "spy")]
    dividends = tmp_path / "dividends.csv"
    dividends.write_text("underlying,ex_date,amount\nSPY,2023-09-15,1.58\nAAPL,2023-11-10,0.24\n")
    out = tmp_path / "market"
    done = invoke("convert", "cboe", *files, "--out", out, "--dividends", dividends)
    assert done.exit_code == 0, done.output
    assert "W_CROSSED             1 flagged: bid above ask, the mid is not used" in done.stdout
    assert "SPX: 99.3% of 17,172 vols reprice as of 2023-09-14 16:00 EDT" in done.stdout
    assert "1 dividends of names that are not in the files were left out" in done.stdout
    market = read_market(out)
    assert market.underlyings.names.tolist() == ["SPX", "SPY", "XSP"]
    assert set(market.underlyings.class_groups) == {"SPX"}
    assert set(market.rejects["code"]) <= {
        "W_CROSSED",
        "W_VOL",
        "W_NO_BID",
        "W_NO_VOL",
    }
    book = sg.Book.from_frames(
        pd.DataFrame(
            {
                "account": ["A", "A", "A", "B"],
                "symbol": ["SPXW231020P04400000", "SPX231215C04600000", "SPY", "XSP231020P00430000"],
                "quantity": [-10.0, 5.0, 400.0, -3.0],
            }
        ),
        pd.DataFrame({"account": ["A", "B"], "cash": [500_000.0, 20_000.0]}),
    )
    result = sg.margin(book, market, sg.tims())
    assert result.accounts["reliability"].tolist() == ["OK", "OK"]
    assert (result.accounts["requirement"] > 0).all()
    quotes = pd.read_parquet(out / "quotes.parquet").set_index("symbol")
    for row in result.positions.itertuples():
        if row.symbol != "SPY":
            bid, ask = quotes.loc[row.symbol, ["bid", "ask"]]
            assert bid <= row.price <= ask
    assert invoke("convert", "cboe", files[1], "--out", out).exit_code == 0, "a converted folder is replaced"
    taken = invoke("convert", "cboe", files[1], "--out", tmp_path)
    assert taken.exit_code == 2
    assert "no converted market" in taken.stderr


def test_exit_codes_and_report(cboe: Path, tmp_path: Path) -> None:
    clean = cboe / "tsla_quotedata_2023-08-20.csv"
    bad = spoilt(clean, tmp_path / "tsla.csv", {12: (",85.00,", ",86.00,")})
    assert invoke("convert", "cboe", clean, "--out", tmp_path / "a").exit_code == 2
    done = invoke("convert", "cboe", bad, "--out", tmp_path / "b", "--rate", "0.055")
    assert done.exit_code == 3
    report = pd.read_csv(tmp_path / "b" / "report" / "rejects.csv")
    assert report[report["code"] == "E_MISMATCH"]["line"].tolist() == [12, 12]
    curve = tmp_path / "curve.csv"
    curve.write_text("currency,days,zero_rate_dec\nUSD,30,0.053\nUSD,365,0.054\n")
    amd = cboe / "amd_quotedata_2023-08-20.csv"
    adjusted = invoke("convert", "cboe", amd, "--out", tmp_path / "c", "--curve", curve)
    assert adjusted.exit_code == 0, "adjusted contracts are no fault of the file"
    assert "E_DELIVERABLE        80 rejected" in adjusted.stdout
    for wrong in ("2023-08-18", "noon"):
        refused = invoke(
            "convert", "cboe", clean, "--out", tmp_path / "d", "--rate", "0.05", "--as-of", wrong
        )
        assert refused.exit_code == 2
        assert "as-of" in refused.stderr
    assert invoke("convert", "bloomberg", clean, "--out", tmp_path / "d").exit_code == 2


def test_the_same_bytes_whatever_the_order_of_files(cboe: Path) -> None:
    files = [cboe / f"{name}_quotedata_2023-08-20.csv" for name in ("spx", "amd", "tsla")]
    orders = [
        convert("cboe", list(order)) for order in itertools.islice(itertools.permutations(files), 0, 6, 5)
    ]
    first, last = (order.tables["quotes"].sort_values("symbol", ignore_index=True) for order in orders)
    pd.testing.assert_frame_equal(first, last)
    assert np.array_equal(orders[0].tables["curve"], orders[1].tables["curve"])

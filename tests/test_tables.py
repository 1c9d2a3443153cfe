"""Canonical tables: text stays text, every refusal names its line, and damage is never read as data."""

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shockgrid.errors import InputError, ShockgridError
from shockgrid.io.csv_files import LINE_LIMIT, read_csv, write_csv
from shockgrid.io.parquet_files import read_parquet, write_parquet
from shockgrid.io.schema import TABLES
from shockgrid.io.tables import read_book, read_market, read_market_toml, read_tables
from shockgrid.io.templates import write_templates

POSITIONS = "account,symbol,quantity\n000123,AAA,1\n1E5,NA,-2\n"


def written(folder: Path, data: bytes | str, name: str = "positions.csv") -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def refused(folder: Path, data: bytes | str) -> InputError:
    with pytest.raises(InputError) as caught:
        read_csv(written(folder, data))
    return caught.value


def test_types_are_never_guessed(tmp_path: Path) -> None:
    frame = read_csv(written(tmp_path, POSITIONS + "null,nan,\nTRUE,2026-01-02,-0\n"))
    assert frame["account"].tolist() == ["000123", "1E5", "null", "TRUE"]
    assert frame["symbol"].tolist() == ["AAA", "NA", "nan", "2026-01-02"]
    assert frame["quantity"].tolist() == ["1", "-2", "", "-0"]
    assert not frame.isna().any().any()


def test_lines_count_comments_blank_lines_and_the_header(tmp_path: Path) -> None:
    comment = '\ufeff# a comment with a " and a ;'
    text = "\r\n".join([comment, "", "account,symbol", "A,X", "# between", "  \t", 'B,"Y,Z"', "C,"])
    frame = read_csv(written(tmp_path, text))
    assert frame["_line"].tolist() == [4, 7, 8]
    assert frame["symbol"].tolist() == ["X", "Y,Z", ""]


def test_a_table_may_be_empty(tmp_path: Path) -> None:
    frame = read_csv(written(tmp_path, "# nothing yet\naccount,symbol,quantity"))
    assert list(frame.columns) == ["account", "symbol", "quantity", "_line"]
    assert len(frame) == 0


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        ("account;symbol\nA;X\n", 1, "semicolons; expected commas"),
        ("# c\naccount\tsymbol\n", 2, "tabs; expected commas"),
        ("account,symbol\nA,X\n\nA,X,7\n", 4, "3 fields, the header has 2"),
        ("account,symbol\n# c\nA\n", 3, "1 fields, the header has 2"),
        ("account,symbol,account\n", 1, "there twice"),
        ("account,symbol,\n", 1, "column 3 of the header has no name"),
        (b"account,symbol\nA,X\nB,\xff\xfe\n", 3, "byte 3 of the line: byte 0xff"),
        ("account,symbol\nA,X\n".encode("utf-16-le"), 1, "UTF-16"),
        ('account,symbol\nA,"X\nB,Y"\n', 2, "not closed on its line"),
        ("account,symbol\rA,X\r", 1, "carriage return"),
        ("account,symbol\nA,X\n" + "B," + "Y" * LINE_LIMIT + "\n", 3, "longer than"),
    ],
)
def test_a_refusal_names_the_line(tmp_path: Path, data: bytes | str, line: int, words: str) -> None:
    error = refused(tmp_path, data)
    assert error.line == line
    assert words in str(error)
    assert "positions.csv" in str(error)


def test_a_file_without_a_header_is_refused(tmp_path: Path) -> None:
    assert "no header" in str(refused(tmp_path, "# only a comment\n"))
    assert "no header" in str(refused(tmp_path, ""))


def test_a_long_line_is_found_across_the_pieces_a_file_is_read_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shockgrid.io.csv_files._CHUNK", 7)
    monkeypatch.setattr("shockgrid.io.csv_files.LINE_LIMIT", 16)
    assert len(read_csv(written(tmp_path, "account,symbol\n" + "A,X\n" * 9))) == 9
    assert refused(tmp_path, "account,symbol\nA,X\nA,12345678901234\nB,Y\n").line == 3


def test_a_bad_row_far_down_a_large_file_is_named(tmp_path: Path) -> None:
    rows = ["account,symbol,quantity", *(f"{n:06d},SPX{n % 97}," + "7" * 40 for n in range(200_000))]
    rows[150_000] = "torn,row"
    assert refused(tmp_path, "\n".join(rows)).line == 150_001


def test_text_that_a_spreadsheet_would_run_is_escaped_and_numbers_are_not(tmp_path: Path) -> None:
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\0x", "000123", 'a,"b"', ""]
    path = tmp_path / "out.csv"
    write_csv(pd.DataFrame({"text": texts, "number": np.arange(10) - 5.0, "_line": 1}), path)
    lines = path.read_bytes().decode().split("\n")
    assert lines[0] == "text,number"
    escaped = ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", "'\rx", "'\0x", "000123", 'a,""b""', ""]
    assert lines[1:-1] == [f'"{text}",{number}' for number, text in enumerate(escaped, start=-5)]


def test_floats_survive_csv_to_the_last_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    scales = 10.0 ** rng.integers(-300, 300, 5000)
    numbers = np.concatenate([rng.normal(size=5000) * scales, [5e-324, 0.1, 1e22]])
    path = tmp_path / "positions.csv"
    write_csv(pd.DataFrame({"account": "A", "quantity": numbers}), path)
    assert (read_csv(path)["quantity"].astype(float).to_numpy() == numbers).all()


def sample_frame() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    accounts = [f"{n:06d}" for n in rng.integers(0, 500, 3000)]
    return pd.DataFrame(
        {"account": accounts, "symbol": "XYZ", "quantity": rng.normal(size=3000), "lots": np.arange(3000)}
    )


def test_parquet_keeps_types_and_text(tmp_path: Path) -> None:
    frame = pd.DataFrame({"account": ["000123", None], "quantity": [1.5, np.nan], "_line": [2, 3]})
    write_parquet(frame, tmp_path / "t.parquet")
    read = read_parquet(tmp_path / "t.parquet")
    assert read["account"].tolist() == ["000123", ""]
    assert list(read.columns) == ["account", "quantity"]
    assert np.isnan(read["quantity"].iloc[1])


def test_no_flipped_bit_in_the_data_of_a_parquet_file_is_read_as_data(tmp_path: Path) -> None:
    frame, path = sample_frame(), tmp_path / "t.parquet"
    write_parquet(frame, path)
    clean = path.read_bytes()
    footer = int.from_bytes(clean[-8:-4], "little") + 8
    pick = random.Random(3)
    refusals = 0
    for _ in range(60):
        place, bit = pick.randrange(4, len(clean) - footer), pick.randrange(8)
        damaged = bytearray(clean)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            read = read_parquet(path)
        except InputError:
            refusals += 1
        else:
            pd.testing.assert_frame_equal(read, frame, check_exact=True, check_dtype=False)
    assert refusals > 50


def test_a_truncated_or_foreign_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_parquet(sample_frame(), path)
    clean = path.read_bytes()
    for cut in (0, 3, 100, len(clean) // 2, len(clean) - 1):
        path.write_bytes(clean[:cut])
        with pytest.raises(InputError, match="damaged"):
            read_parquet(path)


def test_a_folder_name_is_never_taken_for_data(tmp_path: Path) -> None:
    folder = tmp_path / "quantity=5"
    folder.mkdir()
    write_parquet(sample_frame()[["account"]], folder / "positions.parquet")
    assert list(read_parquet(folder / "positions.parquet").columns) == ["account"]


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.csv"
    write_csv(sample_frame(), path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for target in ("pyarrow.csv.write_csv", "os.fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(target, full)
            with pytest.raises(ShockgridError, match=r"t.csv.*No space left"):
                write_csv(sample_frame().head(1), path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]


def test_a_table_given_twice_is_refused(tmp_path: Path) -> None:
    write_templates(tmp_path, example=True)
    write_parquet(sample_frame(), tmp_path / "book" / "positions.parquet")
    with pytest.raises(InputError, match=r"positions: both positions.csv and positions.parquet"):
        read_book(tmp_path / "book")


def test_a_misspelt_or_missing_table_is_refused_by_name(tmp_path: Path) -> None:
    write_templates(tmp_path)
    market = tmp_path / "market"
    (market / "dividends.csv").rename(market / "dividend.csv")
    with pytest.raises(InputError, match=r"dividend.csv.*no canonical table"):
        read_market(market)
    (market / "dividend.csv").unlink()
    assert "dividends" not in read_tables(market, TABLES.keys() - {"positions", "accounts"})
    (market / "quotes.csv").unlink()
    with pytest.raises(InputError, match=r"quotes: .*neither quotes.csv nor quotes.parquet"):
        read_market(market)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('base_currency = "USD"', "column as_of"),
        ('as_of = "2026-01-21T16:00:00"', "has no zone"),
        ("as_of = 2026-01-21T16:00:00", "has no zone"),
        ("as_of = 2026-01-21", "expected an ISO instant"),
        ('as_of = "yesterday"', "expected an ISO instant"),
        ('as_of = "2026-01-21T16:00:00Z"\nbase = "USD"', "column base: unknown entry"),
        ("as_of = ", "cannot be read"),
    ],
)
def test_market_toml_needs_an_instant_with_a_zone(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_market_toml(written(tmp_path, text, "market.toml"))
    assert "market.toml" in str(caught.value)


def test_the_same_book_from_csv_and_parquet(tmp_path: Path) -> None:
    write_templates(tmp_path, example=True)
    from_csv = read_book(tmp_path / "book")
    for name in ("positions", "accounts"):
        path = tmp_path / "book" / f"{name}.csv"
        write_parquet(read_csv(path), path.with_suffix(".parquet"))
        path.unlink()
    from_parquet = read_book(tmp_path / "book")
    pd.testing.assert_frame_equal(from_csv.accounts, from_parquet.accounts)
    columns = ["account", "symbol", "quantity", "price_paid"]
    pd.testing.assert_frame_equal(from_csv.positions[columns], from_parquet.positions[columns])


def test_line_numbers_reach_the_rejects(tmp_path: Path) -> None:
    write_templates(tmp_path, example=True)
    path = tmp_path / "book" / "positions.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, "CASH,XYZ,many,"]) + "\n")
    rejects = read_book(tmp_path / "book").rejects
    assert rejects[["line", "column", "value"]].to_numpy().tolist() == [[len(lines) + 1, "quantity", "many"]]


@pytest.mark.parametrize("example", [False, True])
def test_templates_pass_their_own_doors(tmp_path: Path, example: bool) -> None:
    write_templates(tmp_path, example=example)
    market, book = read_market(tmp_path / "market"), read_book(tmp_path / "book")
    assert len(market.rejects) == len(book.rejects) == 0
    assert len(book.accounts) == (3 if example else 0)
    with pytest.raises(ShockgridError, match="is there already"):
        write_templates(tmp_path)

"""A file of the user's own becomes a canonical table, and what is left out is said."""

from pathlib import Path

import pandas as pd
import pytest

from shockgrid.errors import InputError, ParameterError
from shockgrid.io.column_map import ColumnMap
from shockgrid.io.csv_files import read_csv
from shockgrid.io.tables import Sources, read_tables

EXPORT = """\
ClientAccountID,LevelOfDetail,Code,Position,CostCents,Note
000123,SUMMARY,AAA,10,1250,x
000123,LOT,AAA,4,1000,x
000123,LOT,AAA,6,1400,x
1E5,SUMMARY,NA,-3,oops,y
1E5,SUMMARY,BBB,-3,,y
"""

MAP = """\
[positions]
file = "export.csv"
filter = { LevelOfDetail = "SUMMARY" }
rename = { ClientAccountID = "account", Code = "symbol", Position = "quantity", CostCents = "price_paid" }
scale = { price_paid = 0.01 }

[accounts]
constants = { currency = "EUR", cash = 0 }
"""


def column_map(folder: Path, text: str) -> ColumnMap:
    path = folder / "MAP.toml"
    path.write_text(text)
    return ColumnMap.from_toml(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "export.csv").write_text(EXPORT)
    (tmp_path / "accounts.csv").write_text("account\n000123\n1E5\n")
    return tmp_path


def test_rename_filter_scale_and_constants(folder: Path) -> None:
    sources = Sources()
    maps = column_map(folder, MAP)
    frames = read_tables(folder, ["positions", "accounts"], column_map=maps, sources=sources)
    positions = frames["positions"]
    assert list(positions.columns) == ["account", "symbol", "quantity", "price_paid", "_line"]
    assert positions["account"].tolist() == ["000123", "1E5", "1E5"]
    assert positions["symbol"].tolist() == ["AAA", "NA", "BBB"]
    assert positions["price_paid"].tolist() == ["12.5", "oops", ""]
    assert positions["_line"].tolist() == [2, 5, 6]
    assert frames["accounts"][["currency", "cash"]].to_numpy().tolist() == [["EUR", "0"], ["EUR", "0"]]
    assert sources.notes == [
        "positions: 2 rows left out, LevelOfDetail is not 'SUMMARY'",
        "positions: columns not used: LevelOfDetail, Note",
    ]
    assert [path.name for path in sources.files] == ["export.csv", "accounts.csv"]


def test_a_table_the_map_does_not_name_is_untouched(folder: Path) -> None:
    maps = column_map(folder, "[quotes]\nscale = { vol = 0.01 }")
    frame = read_csv(folder / "accounts.csv")
    assert maps.apply("accounts", frame) == (frame, [])


def test_per_cent_becomes_decimal_in_text_and_in_numbers(folder: Path) -> None:
    maps = column_map(folder, "[quotes]\nscale = { vol = 0.01 }")
    texts, _ = maps.apply("quotes", pd.DataFrame({"symbol": "A", "vol": ["25", " +1.5e1 ", "0x10", "n/a"]}))
    assert texts["vol"].tolist() == ["0.25", "0.15", "0x10", "n/a"]
    numbers, _ = maps.apply("quotes", pd.DataFrame({"symbol": ["A"], "vol": [25.0]}))
    assert numbers["vol"].tolist() == [0.25]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[position]\n", "MAP.toml: position: no canonical table; expected one of instruments"),
        ("positions = 3\n", "positions: expected a table of"),
        ("[positions]\nrenames = {}\n", "positions.renames: expected file, or a table called"),
        ('[positions]\nrename = { Acct = "acount" }\n', "positions.rename.Acct: 'acount' is no column"),
        ("[positions]\nrename = { Acct = 3 }\n", "positions.rename.Acct: 3 is no column"),
        ('[positions]\nscale = { quantity = "2" }\n', "positions.scale.quantity: expected a finite number"),
        ("[positions]\nscale = { quantity = true }\n", "positions.scale.quantity: expected a finite number"),
        ("[positions]\nfilter = { Level = 3 }\n", "positions.filter.Level: expected text in quotes"),
        ('[positions]\nfile = "../x.csv"\n', "positions.file: expected the name of a file"),
        ("[positions\n", "cannot be read"),
    ],
)
def test_a_wrong_map_names_its_place(folder: Path, text: str, words: str) -> None:
    with pytest.raises(ParameterError) as caught:
        column_map(folder, text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('filter = { level = "X" }', "positions.filter.level: no such column; the file has ClientAccountID"),
        ('rename = { Acct = "account" }', "positions.rename.Acct: no such column"),
        (
            'rename = { Code = "symbol", Note = "symbol" }',
            "positions.rename.Code: two columns",
        ),
        ("scale = { price_paid = 0.01 }", "positions.scale.price_paid: no such column"),
        (
            'rename = { Code = "symbol" }\nconstants = { symbol = "A" }',
            "positions.constants.symbol: the file already has this column",
        ),
    ],
)
def test_a_map_that_does_not_fit_the_file_names_its_place(folder: Path, text: str, words: str) -> None:
    maps = column_map(folder, f"[positions]\n{text}\n")
    with pytest.raises(ParameterError) as caught:
        maps.apply("positions", read_csv(folder / "export.csv"))
    assert words in str(caught.value)


def test_a_file_the_map_names_must_be_there(folder: Path) -> None:
    maps = column_map(folder, '[positions]\nfile = "other.csv"\n')
    (folder / "export.csv").unlink()
    with pytest.raises(InputError, match=r"the map names other.csv, not found"):
        read_tables(folder, ["positions"], column_map=maps)

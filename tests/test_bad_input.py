"""One bad row in 100,000: it is named, its own margin group is marked, every other keeps its bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from firm import BOOK_TABLES, Firm, build_firm, changed
from typer.testing import CliRunner

from shockgrid.cli import app

KEYS = {
    "positions": "account",
    "accounts": "account",
    "instruments": "symbol",
    "quotes": "symbol",
    "underlyings": "underlying",
}
FOLLOWING = {"E_INSTRUMENT", "E_UNDERLYING", "W_FILLED", "W_TIME"}
"""What a bad row brings with it: its holders' positions, its underlying's series, its quote's instrument."""
ROOT, NONE = "{root}", "nobody"  # a status that no margin group gets


@pytest.fixture(scope="module")
def firm() -> Firm:
    return build_firm()


@dataclass(frozen=True)
class Case:
    """``cells`` replace those of the victim's row, or of a copy of it at the end of the table.

    ``named`` is the table, column and code of the reject where they are not those of the first cell.
    """

    table: str
    code: str
    cells: dict[str, str] = field(default_factory=dict)
    status: str = "PARTIAL"
    append: bool = False
    named: tuple[str, str] = ("", "")

    def __str__(self) -> str:
        what = " ".join(f"{column}={value!r}" for column, value in self.cells.items())
        return f"{self.table} {'+ ' if self.append else ''}{what} {self.code}"


def cells(table: str, column: str, codes: dict[str, str], status: str = "PARTIAL") -> list[Case]:
    return [Case(table, code, {column: value}, status) for value, code in codes.items()]


NOT_A_NUMBER = {"NaN": "E_NONFINITE", "1e400": "E_NONFINITE", "1/2": "E_TYPE"}
NOT_A_PRICE = {**NOT_A_NUMBER, "-1": "E_RANGE"}
GONE = {"bid": "", "ask": "", "mark": "", "vol": ""}
POSITIONS = [
    *cells("positions", "quantity", NOT_A_NUMBER),
    *cells("positions", "quantity", {"9223372036854775808": "E_RANGE", "1,000": "E_TYPE", "": "E_MISSING"}),
    *cells("positions", "quantity", {"0x10": "E_TYPE", "١٢": "E_TYPE", "1_000": "E_TYPE"}),
    *cells("positions", "price_paid", NOT_A_PRICE),
    *cells("positions", "symbol", {f"{ROOT}281231C99999000": "E_INSTRUMENT"}),
    *cells("positions", "symbol", {"": "E_MISSING", "NOSUCH281231C00100000": "E_INSTRUMENT"}, "UNRELIABLE"),
    *cells(
        "positions", "symbol", {f"{ROOT}270231C00100000": "E_INSTRUMENT", "NA": "E_INSTRUMENT"}, "UNRELIABLE"
    ),
    *cells("positions", "symbol", {f"{ROOT}1281231C00100000": "E_DELIVERABLE"}, "UNRELIABLE"),
    Case("positions", "E_DUPLICATE", append=True, named=("positions", "symbol")),
    Case("positions", "E_ACCOUNT", {"account": "1E5"}, NONE, append=True),
    Case("positions", "E_MISSING", {"account": ""}, NONE, append=True),
]
ACCOUNTS = [
    *cells("accounts", "cash", {**NOT_A_NUMBER, "": "E_MISSING", "1e16": "E_RANGE"}),
    *cells("accounts", "equity_override", {"about 5": "E_TYPE"}),
    *cells("accounts", "currency", {"EUR": "E_FX"}),
    *cells("accounts", "program", {"nosuch": "E_PROGRAM"}),
    Case("accounts", "E_DUPLICATE", append=True, named=("accounts", "account")),
    Case("accounts", "E_MISSING", {"account": ""}, NONE, append=True),
]
INSTRUMENTS = [
    *cells("instruments", "strike", {**NOT_A_PRICE, "0": "E_RANGE", "": "E_MISSING", "12345": "E_MISMATCH"}),
    *cells("instruments", "expiry_utc", {"2020-01-17T21:00:00Z": "E_EXPIRED", "": "E_MISSING"}),
    *cells(
        "instruments", "expiry_utc", {"soon": "E_TYPE", "9999-12-31": "E_TYPE", "2100-01-15": "E_MISMATCH"}
    ),
    *cells("instruments", "right", {"X": "E_CHOICE", "": "E_MISSING"}),
    *cells("instruments", "type", {"optoin": "E_CHOICE", "flat": "E_UNSUPPORTED"}),
    *cells("instruments", "currency", {"EUR": "E_FX"}),
    *cells("instruments", "multiplier", {"-100": "E_RANGE", "1e400": "E_NONFINITE"}),
    *cells("instruments", "symbol", {f"{ROOT}270231C00100000": "E_SYMBOL"}),
    *cells("instruments", "underlying", {"NOSUCH": "E_UNDERLYING"}, "UNRELIABLE"),
    Case(
        "instruments",
        "E_DELIVERABLE",
        {"symbol": f"{ROOT}1281231C00100000"},
        named=("instruments", "units_per_contract"),
    ),
    Case("instruments", "E_DUPLICATE", append=True, named=("instruments", "symbol")),
]
QUOTES = [
    *cells("quotes", "vol", NOT_A_PRICE),
    *cells("quotes", "mark", NOT_A_PRICE),
    *cells("quotes", "quote_utc", {"noon": "E_TYPE"}),
    Case("quotes", "W_FILLED", GONE, "STALE", named=("quotes", "vol")),
    Case("quotes", "W_CROSSED", {"bid": "3.5", "ask": "3", "mark": "", "vol": ""}, "STALE"),
    Case("quotes", "W_CROSSED", {"bid": "3.5", "ask": "3"}, "OK"),
    Case("quotes", "E_DUPLICATE", append=True, named=("quotes", "symbol")),
    Case("quotes", "E_INSTRUMENT", {"symbol": "NOSUCH"}, NONE, append=True),
]
UNDERLYINGS = [
    *cells("underlyings", "spot", {**NOT_A_PRICE, "0": "E_RANGE", "": "E_MISSING"}, "UNRELIABLE"),
    *cells("underlyings", "currency", {"EUR": "E_FX"}, "UNRELIABLE"),
    *cells("underlyings", "portfolio_type", {"nano": "E_CHOICE"}),
    *cells("underlyings", "leverage", {"0": "E_RANGE"}),
    *cells("underlyings", "beta", {"high": "E_TYPE"}),
    Case("underlyings", "E_DUPLICATE", append=True, named=("underlyings", "underlying")),
]


def spoilt(case: Case, firm: Firm) -> tuple[pd.DataFrame, int]:
    """The table with its bad row, and that row's place."""
    root = firm.victim["symbol"][:-15]
    frame, row = firm.tables[case.table].copy(), firm.rows[case.table]
    if case.append:
        frame = pd.concat([frame, frame.iloc[[row]]], ignore_index=True)
        row = len(frame) - 1
    for column, value in case.cells.items():
        frame.loc[row, column] = value.replace(ROOT, root)
    return frame, row


def touched(case: Case, firm: Firm) -> set[str]:
    """The margin groups that may change."""
    if case.status == NONE:
        return {"1E5"} if case.code == "E_ACCOUNT" else set()
    if case.table in BOOK_TABLES:
        return {firm.held.loc[firm.rows["positions"], "margin_group"]}
    column = "underlying" if case.table == "underlyings" else "symbol"
    return firm.holders(column, firm.held.loc[firm.rows["positions"], column])


@pytest.mark.parametrize("case", [*POSITIONS, *ACCOUNTS, *INSTRUMENTS, *QUOTES, *UNDERLYINGS], ids=str)
def test_a_bad_row_touches_nobody_else(case: Case, firm: Firm) -> None:
    frame, row = spoilt(case, firm)
    result = firm.margin(case.table, frame)
    accounts, rejects = result.accounts.set_index("margin_group"), result.rejects

    table, column = case.named if case.named[0] else (case.table, next(iter(case.cells)))
    found = rejects[(rejects["table"] == table) & (rejects["line"] == row + 2)]
    found = found[(found["code"] == case.code) | ~found["code"].isin(FOLLOWING)]
    shown = frame.loc[row, column] if column in frame.columns else ""
    assert found[["key", "column", "value", "code"]].to_numpy().tolist() == [
        [frame.loc[row, KEYS[table]], column, shown, case.code]
    ]
    others = rejects.drop(found.index)
    assert set(others["code"]) <= FOLLOWING, "nothing else is wrong"

    marked = touched(case, firm)
    assert changed(firm.clean, result.accounts) <= marked
    if case.status not in (NONE, "OK"):
        assert set(accounts.loc[sorted(marked), "reliability"]) == {case.status}
    assert set(accounts.drop(sorted(marked))["reliability"]) == {"OK"}
    assert (accounts["requirement_low"] <= accounts["requirement"]).all()
    assert (accounts["requirement"] == accounts["requirement_high"]).all()
    assert np.isfinite(accounts.select_dtypes("number").to_numpy(np.float64)).all()


def test_the_firm_is_large_and_most_of_it_is_not_touched(firm: Firm) -> None:
    assert len(firm.tables["positions"]) > 100_000
    assert set(firm.clean["reliability"]) == {"OK"}
    holders = firm.holders("underlying", firm.underlying)
    assert 0 < len(holders) < 0.5 * len(firm.clean)
    assert 0 < len(firm.holders("symbol", firm.victim["symbol"])) < len(holders)


EXIT_CODES = [
    ("book/positions.csv", "CASH,XYZ,many,", 3),
    ("book/positions.csv", "NOBODY,XYZ,5,", 3),
    ("book/accounts.csv", "NEW,1e400" + "," * 6, 3),
    ("market/instruments.csv", "ZZZ,NOWHERE,stock" + "," * 11, 0),
    ("market/underlyings.csv", "XYZ,95" + "," * 13, 3),
    ("market/underlyings.csv", "ZZZ,-1" + "," * 13, 0),
    ("market/quotes.csv", "XYZ,-1" + "," * 6, 3),
    ("book/positions.csv", "one,two", 2),
]


def run(folder: Path) -> int:
    arguments = ["--market", folder / "market", "--book", folder / "book", "--regime", "tims"]
    return CliRunner().invoke(app, ["run", *map(str, arguments), "--out", str(folder / "run")]).exit_code


@pytest.mark.parametrize(("file", "row", "code"), EXIT_CODES)
def test_exit_codes(file: str, row: str, code: int, tmp_path: Path) -> None:
    """0 clean or a reject nobody holds, 3 a margin group is PARTIAL, 2 a file that cannot be read."""
    assert CliRunner().invoke(app, ["template", str(tmp_path), "--example"]).exit_code == 0
    assert run(tmp_path) == 0
    path = tmp_path / file
    path.write_text(path.read_text() + row + "\n")
    assert run(tmp_path) == code

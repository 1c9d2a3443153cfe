"""What the screens say: the same figures as the tables, nothing cut off, nothing unsaid."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import copytree

import pandas as pd
import pytest
from typer.testing import CliRunner

from shockgrid.cli import app


def screen(*words: str | Path, code: int = 0) -> str:
    told = CliRunner().invoke(app, [str(word) for word in words])
    assert told.exit_code == code, told.output
    return told.output


@pytest.fixture
def firm(tmp_path: Path) -> Path:
    screen("template", tmp_path / "firm", "--example")
    return tmp_path / "firm"


def run(firm: Path, name: str, *more: str, regime: str = "tims", code: int = 0) -> Path:
    folder = firm.parent / name
    tables = ("--market", firm / "market", "--book", firm / "book")
    screen("run", *tables, "--regime", regime, "--out", folder, *more, code=code)
    return folder


def rewritten(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_a_firm_without_deficits_has_no_table_of_them(firm: Path) -> None:
    rewritten(firm / "book" / "accounts.csv", "000123,1000,", "000123,5000,")
    tables = ("--market", firm / "market", "--book", firm / "book")
    told = screen("run", *tables, "--regime", "tims", "--out", firm / "run")
    assert "no deficits\n3 margin groups" in told


def test_a_share_has_no_vol_and_cash_no_positions(firm: Path) -> None:
    folder = run(firm, "run")
    shares = next(line for line in screen("explain", folder, "000456").splitlines() if "│ XYZ " in line)
    assert re.search(r"95\.0000 │ +- │", shares)
    cash = screen("explain", folder, "CASH")
    assert "no positions that can be valued" in cash
    assert "largest positions" not in cash
    assert "groups of" not in cash


def test_explain_names_the_rows_that_could_not_be_used(firm: Path) -> None:
    rewritten(firm / "book" / "positions.csv", "000456,XYZ,100,90", "000456,ABC,100,90")
    told = screen("explain", run(firm, "run", code=3), "000456")
    assert "UNRELIABLE" in told
    assert re.search(r"E_INSTRUMENT positions line \d+, column symbol: .*'ABC'", told)
    assert "E_INSTRUMENT" not in screen("explain", firm.parent / "run", "000123")


def test_why_of_a_firm_shows_whole_figures_and_the_steps_that_moved(firm: Path) -> None:
    rewritten(firm / "book" / "accounts.csv", "CASH,25000,", "CASH,1234567890,")
    other = copytree(firm, firm.parent / "other")
    rewritten(other / "book" / "accounts.csv", "CASH,1234567890,", "CASH,1234000000,")
    before = run(firm, "before")
    told = screen("why", before, run(other, "after"))
    assert "…" not in told
    row = next(line for line in told.splitlines() if line.split()[:1] == ["CASH"])
    assert row.split() == ["CASH", "1,234,567,890", "1,234,000,000", "-567,890", "-567,890", "0"]
    assert "none of them moved by price, time, vol, parameters, rejects" in told
    assert "changed, in USD" in told
    assert "the excess of 0 margin groups of 3 changed" in " ".join(screen("why", before, before).split())


def test_a_replay_shows_how_it_began_and_how_it_closed(firm: Path) -> None:
    """000123 is 30.26 short from the start: a breach that the end of the day confirms."""
    as_of = tomllib.loads((firm / "market" / "market.toml").read_text())["as_of"]
    ticks = pd.DataFrame([{"sequence": 1, "time_utc": as_of, "underlying": "XYZ", "spot": 95.0}])
    ticks.to_csv(firm / "tape.csv", index=False)
    rewritten(firm / "book" / "positions.csv", "000456,XYZ,100,90", "000456,ABC,100,90")
    tables = ("--market", firm / "market", "--book", firm / "book")
    told = screen("replay", firm / "tape.csv", *tables, "--regime", "tims", code=3)
    lines = [line.split(" ", 4)[-1] for line in told.splitlines() if "000123" in line]
    assert lines == [
        "000123: clear -> breach, short 30.26 USD, waits for end_of_day",
        "000123: breach -> confirmed, short 30.26 USD, propose",
    ]
    assert re.search(r"1 row of the book rejected, the first on line \d+", told)
    nowhere = screen("replay", firm / "nowhere", *tables, "--regime", "tims", code=2)
    assert "there is no such file or folder" in nowhere


@pytest.mark.skipif(sys.platform == "win32", reason="the C library is asked for by its POSIX name")
def test_what_a_compiled_library_prints_is_no_part_of_the_output() -> None:
    code = (
        "from ctypes import CDLL\n"
        "from shockgrid.cli_common import compiled_libraries_on_stderr\n"
        "print('before')\n"
        "with compiled_libraries_on_stderr():\n"
        "    CDLL(None).puts(b'noise')\n"
        "print('after')\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["before", "after"]
    assert told.stderr.split() == ["noise"]

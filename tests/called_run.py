"""A small run folder to make calls from, and the command line as a test speaks to it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from typer.testing import CliRunner, Result

from shockgrid.cli import app

HOSTILE = '=<script>alert("1")</script>&A'
POLICY = '[programs.default]\nexchange = "tims"\nminimum_equity = 100000\n'


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def make_run(root: Path) -> None:
    """A run of the template's accounts: a naked call (877.26 needed), and one with an unfriendly name."""
    assert invoke("template", root / "firm", "--example").exit_code == 0
    symbol = pd.read_csv(root / "firm/book/positions.csv", comment="#")["symbol"].iloc[0]
    append(root / "firm/book/accounts.csv", [HOSTILE, "500"])
    append(root / "firm/book/positions.csv", [HOSTILE, symbol, "-1"])
    (root / "firm/book/policy.toml").write_text(POLICY)
    where = ("--market", root / "firm/market", "--book", root / "firm/book", "--out", root / "run")
    done = invoke("run", *where, "--policy", root / "firm/book/policy.toml")
    assert done.exit_code == 0, done.output


def append(path: Path, cells: list[str]) -> None:
    """A row at the end of a table, blank where no cell is given."""
    text = path.read_text(encoding="utf-8")
    columns = next(line for line in text.splitlines() if line.startswith("account")).count(",") + 1
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    path.write_text(text + ",".join([*quoted, *[""] * (columns - len(cells))]) + "\n", encoding="utf-8")

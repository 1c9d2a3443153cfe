"""The numbers worked by hand through both doors: ``margin()``, and files with ``shockgrid run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from books import AS_OF, book, requirement
from hand_cases import CASES, Case
from typer.testing import CliRunner

import shockgrid as sg
from shockgrid.cli import app
from shockgrid.regimes import load_regime

OWN = Path(__file__).parent / "regimes" / "hand.py"
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def regime_of(case: Case) -> str:
    return case.regime if case.regime == "tims" else f"{OWN}:{case.regime}"


@cases
def test_through_margin(case: Case) -> None:
    priced = sg.Market.from_frames(**case.market, as_of=AS_OF.to_pydatetime())
    held = book([("0007", symbol, size) for symbol, size in case.holdings.items()])
    result = sg.margin(held, priced, load_regime(regime_of(case)))
    assert requirement(result, "0007", case.column) == pytest.approx(case.expected, abs=case.tolerance)


def written(case: Case, folder: Path) -> tuple[Path, Path]:
    market, book = folder / "market", folder / "book"
    market.mkdir()
    book.mkdir()
    (market / "market.toml").write_text(f'as_of = "{AS_OF.isoformat()}"\nbase_currency = "USD"\n')
    for name, frame in case.market.items():
        frame.to_csv(market / f"{name}.csv", index=False)
    rows: list[dict[str, Any]] = [
        {"account": "0007", "symbol": symbol, "quantity": size} for symbol, size in case.holdings.items()
    ]
    pd.DataFrame(rows).to_csv(book / "positions.csv", index=False)
    pd.DataFrame([{"account": "0007", "cash": 0}]).to_csv(book / "accounts.csv", index=False)
    return market, book


@cases
def test_through_files(case: Case, tmp_path: Path) -> None:
    market, book = written(case, tmp_path)
    folders = ["--market", str(market), "--book", str(book), "--out", str(tmp_path / "run")]
    outcome = CliRunner().invoke(app, ["run", *folders, "--regime", regime_of(case), "--json"])
    assert outcome.exit_code == 0, outcome.output
    accounts = pd.read_csv(tmp_path / "run" / "accounts.csv", dtype={"margin_group": str})
    assert accounts["margin_group"].tolist() == ["0007"]
    assert accounts[case.column].iloc[0] == pytest.approx(case.expected, abs=case.tolerance)

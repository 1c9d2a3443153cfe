"""The numbers worked by hand once more, through files and ``shockgrid run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from books import AS_OF, option, stock, tables
from typer.testing import CliRunner

from shockgrid.cli import app

CENT, TENTH = 0.0051, 0.051  # as printed, to the cent or to the tenth
OWN = Path(__file__).parent / "regimes" / "hand.py"


class Case(NamedTuple):
    """A book, a market, a regime and what the source prints."""

    regime: str
    expected: float
    market: dict[str, pd.DataFrame]
    holdings: dict[str, float]
    column: str = "requirement"
    tolerance: float = CENT


def call(days: float, vol: float, rate: float = 0.05) -> dict[str, pd.DataFrame]:
    rows = [stock("XYZ"), option("CALL", "XYZ", "C", 100.0, days)]
    return tables(rows, {"XYZ": 95.0}, [{"symbol": "CALL", "vol": vol}], rate)


def pair() -> dict[str, pd.DataFrame]:
    rows = [stock("A"), stock("B"), option("B50", "B", "C", 50.0, 90)]
    return tables(rows, {"A": 150.0, "B": 50.0}, [{"symbol": "B50", "mark": 2.0}], 0.0)


def ten_short_calls() -> dict[str, pd.DataFrame]:
    rows = [stock("XYZ"), option("C100", "XYZ", "C", 100.0, 30), option("C110", "XYZ", "C", 110.0, 30)]
    return tables(rows, {"XYZ": 95.0}, [{"symbol": "C100", "vol": 0.3}, {"symbol": "C110", "vol": 0.3}])


SHORT, PAIR = {"CALL": -1.0}, {"A": 100.0, "B50": -1.0}
UNEVEN = {"X": 100_000.0, "Y": 60_000.0, "Z": 40_000.0}
EVEN = {f"N{k}": 25_000.0 for k in range(8)}


def stocks(longs: dict[str, float]) -> dict[str, pd.DataFrame]:
    return tables([stock(name) for name in longs], dict.fromkeys(longs, 1.0))


CASES = {
    "long stock": Case("tims", 2250.0, tables([stock("A")], {"A": 150.0}), {"A": 100.0}),
    "short stock": Case("tims", 2250.0, tables([stock("A")], {"A": 150.0}), {"A": -100.0}),
    "short call": Case("tims", 877.26, call(30, 0.3), SHORT),
    "covered call": Case("tims", 1273.67, call(30, 0.3), {**SHORT, "XYZ": 100.0}),
    "30 days, vol 60 %": Case("tims", 837.35, call(30, 0.6), SHORT),
    "90 days": Case("tims", 871.1, call(90, 0.3), SHORT, tolerance=TENTH),
    "30 days, vol x 1.2": Case("relative_20", 921.4, call(30, 0.3), SHORT, tolerance=TENTH),
    "30 days, vol + 15": Case("points_15", 999.2, call(30, 0.3), SHORT, tolerance=TENTH),
    "30 days, +-20 %": Case("wide", 1310.6, call(30, 0.3), SHORT, tolerance=TENTH),
    "30 days, +-20 %, vol x 1.3": Case("wide_relative_30", 1353.4, call(30, 0.3), SHORT, tolerance=TENTH),
    "90 days, vol x 1.2": Case("relative_20", 972.8, call(90, 0.3), SHORT, tolerance=TENTH),
    "90 days, vol + 15": Case("points_15", 1135.1, call(90, 0.3), SHORT, tolerance=TENTH),
    "90 days, +-20 %": Case("wide", 1257.6, call(90, 0.3), SHORT, tolerance=TENTH),
    "90 days, +-20 %, vol x 1.3": Case("wide_relative_30", 1389.8, call(90, 0.3), SHORT, tolerance=TENTH),
    "one year": Case("tims", 906.20, call(365, 0.3, 0.04), SHORT),
    "one year, vol 60 %": Case("tims", 933.69, call(365, 0.6, 0.04), SHORT),
    "one year, stressed": Case("relative_30", 1243.92, call(365, 0.3, 0.04), SHORT),
    "one year, vol 60 %, stressed": Case("relative_30", 1614.56, call(365, 0.6, 0.04), SHORT),
    "second table, joint": Case("joint_list", 2326.26, pair(), PAIR),
    "second table, independent": Case("tims", 2819.99, pair(), PAIR),
    "second table, common shock": Case("joint_15", 2060.24, pair(), PAIR),
    "concentration binds": Case("concentrated", 50_000.0, stocks(UNEVEN), UNEVEN),
    "concentration does not bind": Case("concentrated", 30_000.0, stocks(EVEN), EVEN),
    "contingency": Case(
        "contingent", 142.50, ten_short_calls(), {"C100": -10.0, "C110": 4.0, "XYZ": 300.0}, "contingency"
    ),
}


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


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_through_files(case: Case, tmp_path: Path) -> None:
    market, book = written(case, tmp_path)
    regime = case.regime if case.regime == "tims" else f"{OWN}:{case.regime}"
    folders = ["--market", str(market), "--book", str(book), "--out", str(tmp_path / "run")]
    outcome = CliRunner().invoke(app, ["run", *folders, "--regime", regime, "--json"])
    assert outcome.exit_code == 0, outcome.output
    accounts = pd.read_csv(tmp_path / "run" / "accounts.csv", dtype={"margin_group": str})
    assert accounts["margin_group"].tolist() == ["0007"]
    assert accounts[case.column].iloc[0] == pytest.approx(case.expected, abs=case.tolerance)

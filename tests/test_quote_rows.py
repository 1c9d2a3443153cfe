"""Quotes that cross, are empty or odd, and the age market.toml allows them: what is said of each row."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from books import book, market, option, stock
from chains import invoke

import shockgrid as sg
from shockgrid.errors import InputError
from shockgrid.io.tables import read_market_toml

HOUR = timedelta(hours=1)
CALLS = [option(name, "A", "C", strike, 30) for name, strike in (("C95", 95.0), ("C100", 100.0))]


@pytest.mark.parametrize("fault", ["crossed", "no_quote"])
@pytest.mark.parametrize("beside", [{}, {"open_interest": 5.0}])
def test_a_crossed_or_zero_quote_is_no_lost_row(fault: str, beside: dict[str, float]) -> None:
    bad = {"crossed": {"bid": 3.0, "ask": 2.0}, "no_quote": {"bid": 0.0, "ask": 0.0}}[fault]
    quotes = [{"symbol": "C95", **bad, **beside}, {"symbol": "C100", "vol": 0.2}]
    result = sg.margin(
        book([("one", "C95", -1), ("other", "C100", -1)]), market(CALLS, {"A": 100.0}, quotes), sg.tims()
    )
    flags = result.rejects.set_index("code")
    assert set(flags.index) == {"W_FILLED"} | ({"W_CROSSED"} if fault == "crossed" else set())
    assert flags.loc["W_FILLED", "message"] == f"{fault}: vol 0.2 taken from C100"
    assert (flags["key"] == "C95").all()
    assert result.accounts["reliability"].tolist() == ["STALE", "OK"]
    assert result.positions["vol"].tolist() == [0.2, 0.2]


def test_one_odd_vol_is_flagged_and_a_column_of_them_refused() -> None:
    rows = [option(f"C{k}", "A", "C", 90.0 + k, 30) for k in range(5)]
    quotes = [
        {"symbol": row["symbol"], "vol": vol}
        for row, vol in zip(rows, (25.0, 0.2, 0.2, 30.0, 0.3), strict=True)
    ]
    priced = market(rows, {"A": 100.0}, quotes)
    assert priced.rejects[["key", "code"]].to_numpy().tolist() == [["C0", "W_VOL"], ["C3", "W_VOL"]]
    assert priced.instruments.vols.tolist() == [25.0, 0.2, 0.2, 30.0, 0.3]
    quotes[1]["vol"] = 20.0
    with pytest.raises(InputError, match="quotes, column vol: looks like per cent"):
        market(rows, {"A": 100.0}, quotes)


@pytest.mark.parametrize("max_age", [timedelta(0), -HOUR, 15, "15", float("nan")])
def test_a_max_age_that_is_none(max_age: Any) -> None:
    with pytest.raises(InputError, match="max_age"):
        market([stock("A")], {"A": 100.0}, max_age=max_age)


@pytest.mark.parametrize("text", ["0", "-5", "true", '"15"', "nan", "inf", "1e300", "[15]"])
def test_a_market_toml_with_an_impossible_age_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "market.toml"
    path.write_text(f'as_of = "2026-01-21T16:00:00Z"\nmax_age_minutes = {text}\n')
    with pytest.raises(InputError, match="column max_age_minutes"):
        read_market_toml(path)
    path.write_text('as_of = "2026-01-21T16:00:00Z"\nmax_age_minutes = 7.5\n')
    assert read_market_toml(path).max_age == timedelta(seconds=450)


def test_check_and_run_know_the_age_of_market_toml(tmp_path: Path) -> None:
    assert invoke("template", tmp_path, "--example").exit_code == 0
    folder = tmp_path / "market"
    lines = (folder / "quotes.csv").read_text().splitlines()
    call = next(line for line in lines if line.startswith("XYZ260220C"))
    dated = call.replace("0.30,", "0.30,2026-01-21T20:00:00Z")
    (folder / "quotes.csv").write_text("\n".join([*lines, ""]).replace(call, dated))
    assert "W_STALE" not in invoke("check", folder).stdout
    settings = (folder / "market.toml").read_text()
    (folder / "market.toml").write_text(settings.replace("# max_age_minutes = 15", "max_age_minutes = 15"))
    checked = invoke("check", folder)
    assert checked.exit_code == 0
    assert "W_STALE in quotes: 1 row" in checked.stdout
    assert "within 15 minutes of as_of" in checked.stdout
    arguments = (
        "--market",
        folder,
        "--book",
        tmp_path / "book",
        "--regime",
        "tims",
        "--out",
        tmp_path / "run",
    )
    done = invoke("run", *arguments)
    assert done.exit_code == 0
    assert "reliability: STALE 2, OK 1" in done.stdout

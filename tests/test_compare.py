"""compare() and impact(): side by side, one pass, and from the command line."""

from __future__ import annotations

import json
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, stock
from typer.testing import CliRunner

import shockgrid as sg
from shockgrid.cli import app
from shockgrid.io.templates import write_templates
from shockgrid.reg_t import regt_rules

CENT = 0.011  #: strategy-based figures are rounded to the cent, sums of two of them to two
LEGS = [
    stock("X"), stock("Y"), option("XC", "X", "C", 105.0, 60.0, style="american"),
    option("XP", "X", "P", 95.0, 60.0, style="american"),
]  # fmt: skip
QUOTES = [{"symbol": "XC", "vol": 0.4, "mark": 4.0}, {"symbol": "XP", "vol": 0.4, "mark": 3.0}]
MARKET = market(LEGS, {"X": 100.0, "Y": 50.0}, QUOTES)
ROWS = [("A", "XC", -2), ("A", "XP", -1), ("B", "X", 100), ("B", "XC", -1), ("C", "Y", -10), ("C", "XC", 1)]
CASH = [{"account": name, "cash": cash} for name, cash in (("A", 5_000.0), ("B", -8_000.0), ("C", 900.0))]
BOOK = book(ROWS, CASH)
SIDES = ["tims", "house", "regt"]


def test_each_side_is_what_it_is_by_itself() -> None:
    found = sg.compare(BOOK, MARKET, SIDES)
    for name, regime in (("tims", sg.tims()), ("house", sg.house())):
        alone = sg.margin(BOOK, MARKET, regime).accounts
        assert np.array_equal(found.accounts[name], alone["requirement"])
    strategy = sg.regt(BOOK, MARKET)
    assert np.array_equal(found.accounts["regt"], strategy.accounts["requirement"])
    assert list(found.firm["side"]) == SIDES
    assert found.firm["requirement"].tolist() == pytest.approx([found.accounts[name].sum() for name in SIDES])


def test_gross_and_freed_are_those_of_freed_capital() -> None:
    """By hand: A is short 2 x 400 + 300 of options, B 400; C is short 10 shares at 50."""
    found = sg.compare(BOOK, MARKET, SIDES)
    assert found.accounts["short_value"].tolist() == pytest.approx([1_100.0, 400.0, 500.0])
    strategy, portfolio = found.results["regt"], found.results["tims"]
    expected = sg.freed_capital(portfolio, strategy)
    assert found.gross["tims"].to_numpy() == pytest.approx(expected["portfolio_margin_gross"], abs=CENT)
    assert found.gross["regt"].to_numpy() == pytest.approx(expected["regt_gross"], abs=CENT)
    freed = found.freed("regt", "tims")
    assert freed["freed_capital"].to_numpy() == pytest.approx(expected["freed_capital"])
    assert freed["freed_share"].to_numpy() == pytest.approx(expected["freed_share"])
    pairs = found.freed_firm.set_index(["one", "other"])["freed_capital"]
    assert pairs["tims", "regt"] == pytest.approx(-freed["freed_capital"].sum())
    assert len(pairs) == 3


def test_vols_are_calibrated_and_positions_laid_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("shockgrid.requirement.margin")
    calls = {"calibrated": 0, "plan": 0}
    for name in calls:
        original = getattr(module, name)

        def counted(*arguments: object, name: str = name, original: object = original) -> object:
            calls[name] += 1
            return original(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(module, name, counted)
    sg.compare(BOOK, MARKET, ["tims", "house", "regt", "span"])
    assert calls == {"calibrated": 1, "plan": 1}


def test_sides_have_names_and_contributions_say_whose_they_are() -> None:
    found = sg.compare(BOOK, MARKET, [sg.tims(), sg.tims(), regt_rules("ib")])
    assert list(found.results) == ["tims", "tims 2", "regt-ib"]
    assert set(found.positions["side"]) == {"tims", "tims 2"}
    assert {"leave_one_out", "euler"} <= set(found.positions.columns)
    named = sg.compare(BOOK, MARKET, {"mine": sg.house(), "theirs": "tims"})
    assert list(named.results) == ["mine", "theirs"]


@pytest.mark.parametrize("sides", [[], "tims", [3], {"mine": None}, {"currency": "tims"}, sg.tims()])
def test_what_is_no_list_of_regimes_is_refused(sides: object) -> None:
    with pytest.raises(sg.InputError):
        sg.compare(BOOK, MARKET, sides)  # type: ignore[arg-type]


def test_a_name_that_is_no_regime_is_answered_with_those_that_are() -> None:
    with pytest.raises(sg.ParameterError, match=r"^nope: expected tims, .* regt, regt-ib or path/to"):
        sg.compare(BOOK, MARKET, ["tims", "nope"])


def test_a_side_that_does_not_fit_is_named() -> None:
    with pytest.raises(sg.InputError, match=r"^deribit: .*'X'"):
        sg.compare(BOOK, MARKET, ["tims", "deribit"])
    with pytest.raises(sg.InputError, match="expected one of tims"):
        sg.compare(BOOK, MARKET, ["tims"]).freed("tims", "house")


def test_impact_says_who_pays_more_and_who_gets_a_call() -> None:
    """A share moves 15 % under the old rule and 30 % under the new; equity by hand."""
    plain = {"vol": [0.0], "concentrated": False, "contingency_rate": 0.0}
    old, new = (sg.house(spot=[-move, move], **plain) for move in (0.15, 0.30))
    holdings = [("call", "X", 10), ("cured", "X", 0), ("fine", "X", 10), ("larger", "X", -10)]
    cash = [("call", -800.0), ("cured", 0.0), ("fine", 0.0), ("larger", 1_100.0)]
    held = book(holdings, [{"account": name, "cash": amount} for name, amount in cash])
    found = sg.impact(held, MARKET, old, new)
    rows = found.accounts.set_index("margin_group")
    # equities 200, 0, 1000, 100; requirements 150 -> 300 each but for the empty one
    assert rows["verdict"].to_dict() == {
        "call": "new call", "cured": "unchanged", "fine": "pays more", "larger": "larger call",
    }  # fmt: skip
    assert rows["change"].to_dict() == pytest.approx({"call": 150, "cured": 0, "fine": 150, "larger": 150})
    assert rows["new_call"].to_dict() == pytest.approx({"call": 100, "cured": 0, "fine": 0, "larger": 200})
    assert found.totals["sum_change"] == pytest.approx(450.0)
    assert (found.totals["new_calls"], found.totals["pay_more"], found.totals["unchanged"]) == (1, 3, 1)
    back = sg.impact(held, MARKET, new, old).accounts.set_index("margin_group")["verdict"]
    assert (back["call"], back["larger"]) == ("call cured", "smaller call")


@pytest.mark.parametrize("accounts", [[], [{"account": "A", "cash": 1.0}]])
def test_a_book_without_positions_asks_for_nothing(accounts: list[dict[str, object]]) -> None:
    found = sg.compare(book([], accounts), MARKET, ["tims", "house-rules", "span", "regt"])
    assert len(found.accounts) == len(accounts)
    assert (found.firm["requirement"] == 0.0).all()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    write_templates(folder, example=True)
    return folder


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments, "--backend", "numpy"] if arguments[0] != "explain" else
                                list(arguments))  # fmt: skip
    assert result.exit_code == code, result.output
    return result.output


def test_the_command_line_compares(files: Path, tmp_path: Path) -> None:
    tables = ("--market", str(files / "market"), "--book", str(files / "book"))
    sides = ("--regime", "tims", "--regime", "regt")
    shown = run("compare", *tables, *sides, "--out", str(tmp_path / "sides.csv"))
    assert "regt instead of tims takes" in shown or "regt instead of tims frees" in shown
    rows = pd.read_csv(tmp_path / "sides.csv")
    assert {"tims", "regt", "tims_gross", "regt_gross"} <= set(rows.columns)
    facts = json.loads(run("compare", *tables, *sides, "--json"))
    assert facts["sides"][0]["requirement"] == pytest.approx(rows["tims"].sum())
    run("compare", *tables, "--regime", "timms", code=2)


def test_an_explanation_prints_rules_and_overrides(files: Path, tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    shutil.copytree(files, folder)
    path = folder / "book" / "overrides.csv"
    header = "scope,parameter,value,from,until,who,why\n"
    path.write_text(header + "firm,requirement_factor,1.5,2000-01-01,,J. Doe,a test of the desk\n")
    policy = folder / "policy.toml"
    policy.write_text('overrides = "book/overrides.csv"\n[programs.default]\nhouse = "house-rules"\n')
    tables = ("--market", str(folder / "market"), "--book", str(folder / "book"), "--policy", str(policy))
    out = tmp_path / "run"
    path.rename(folder / "overrides.csv")
    policy.write_text(policy.read_text().replace("book/overrides", "overrides"))
    run("run", *tables, "--out", str(out))
    name = pd.read_csv(out / "accounts.csv", dtype={"margin_group": str})["margin_group"].iloc[0]
    shown = " ".join(run("explain", str(out), name).split())
    for words in ("rules, currencies and overrides", "J. Doe: a test", "pass", "notional limit", "override"):
        assert words in shown
    (folder / "overrides.csv").write_text(header)
    again = CliRunner().invoke(app, ["rerun", str(out), "--out", str(tmp_path / "again")])
    assert again.exit_code == 2
    assert "overrides.csv" in again.output


def test_strategy_based_margin_has_a_run_folder(files: Path, tmp_path: Path) -> None:
    tables = ("--market", str(files / "market"), "--book", str(files / "book"))
    out = tmp_path / "run"
    facts = json.loads(run("run", *tables, "--regime", "regt", "--out", str(out), "--json"))
    assert facts["regimes"] == {"exchange": "regt"}
    manifest = json.loads((out / "manifest.json").read_text())
    assert len(manifest["regimes"]["exchange"]["fingerprint"]) == 64
    rows = pd.read_csv(out / "accounts.csv", dtype={"margin_group": str})
    assert manifest["control_totals"]["sum_requirement"] == pytest.approx(rows["requirement"].sum())
    again = CliRunner().invoke(app, ["rerun", str(out), "--out", str(tmp_path / "again")])
    assert again.exit_code == 0, again.output
    name = rows["margin_group"].iloc[0]
    shown = run("explain", str(out), name)
    assert "strategy-based margin" in shown
    assert "pairing benefit" in shown

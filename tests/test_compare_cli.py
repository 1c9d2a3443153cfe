"""The command that compares, and what an explanation prints of rules and overrides."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from shockgrid.cli import app
from shockgrid.io.templates import write_templates


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


def test_the_command_line_compares_policies(files: Path) -> None:
    tables = ("--market", str(files / "market"), "--book", str(files / "book"))
    policy = files / "book" / "policy.toml"
    facts = json.loads(run("compare", *tables, "--policy", str(policy), "--regime", "tims", "--json"))
    assert [row["side"] for row in facts["sides"]] == ["tims", str(policy)]
    ran = json.loads(run("run", *tables, "--policy", str(policy), "--out", str(files / "run"), "--json"))
    totals = json.loads((files / "run" / "manifest.json").read_text())["control_totals"]
    assert ran["regimes"]
    assert facts["sides"][1]["requirement"] == pytest.approx(totals["sum_requirement"])
    assert facts["uncovered"] == []
    assert "at least one regime" in run("compare", *tables, code=2)


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

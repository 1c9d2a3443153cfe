"""The command line: exit codes, one line on refusal, JSON alone on stdout, numbers worked by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import shockgrid as sg
from shockgrid.cli import app

OWN_REGIME = '''
"""Half of the spot's fall by 40 %, whatever the vols do."""
from shockgrid.requirement import AddOn, Regime
from shockgrid.scenarios import ScenarioSet

crash = Regime("crash", ScenarioSet.points(spot=[-0.4, 0.4], vol=[0.0, 0.0]), add_ons=(
    AddOn("ticket", lambda context: context.by_position(abs(context.plan.positions.quantities))),
))
'''

OWN_MAP = """
[positions]
rename = { Acct = "account", Sym = "symbol", Qty = "quantity" }
"""


@pytest.fixture
def firm(tmp_path: Path) -> Path:
    assert invoke("template", str(tmp_path / "firm"), "--example").exit_code == 0
    return tmp_path / "firm"


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def run(firm: Path, *more: str | Path, regime: str = "tims") -> Result:
    where = ("--market", firm / "market", "--book", firm / "book", "--out", firm.parent / "run")
    return invoke("run", *where, *(("--regime", regime) if regime else ()), *more)


def requirement(folder: Path, account: str) -> float:
    accounts = pd.read_parquet(folder / "accounts.parquet").set_index("margin_group")
    return float(accounts["requirement"][account])


def test_the_example_of_the_rule_book(firm: Path, tmp_path: Path) -> None:
    done = run(firm)
    assert done.exit_code == 0, done.output
    # 95 -> 109.25 against a 100 call, and the same call covered: Black-Scholes, to the cent
    assert requirement(tmp_path / "run", "000123") == pytest.approx(877.26, abs=0.005)
    assert requirement(tmp_path / "run", "000456") == pytest.approx(1273.67, abs=0.005)
    assert requirement(tmp_path / "run", "CASH") == 0
    fallback = "backend: numpy (no CUDA device or native library in this build)"
    assert (fallback if sg.get_backend("auto").name == "numpy" else "backend: native\n") in done.stdout
    assert str(tmp_path / "run") in done.stdout


def test_json_is_one_object_and_nothing_else(firm: Path, tmp_path: Path) -> None:
    done = run(firm, "--json", "--backend", "numpy")
    facts = json.loads(done.stdout)
    assert done.stderr == ""
    assert (facts["exit_code"], facts["exit_reason"], facts["backend"]) == (0, "clean", "numpy")
    assert facts["run"] == str(tmp_path / "run")
    # 000123: 1,000 cash less a call worth 153.00 at its mark, against 877.26; 000456 has equity of its own
    deficits = {row["margin_group"]: row["deficit"] for row in facts["largest_deficits"]}
    assert deficits == {"000123": pytest.approx(877.26 - (1000 - 153), abs=0.005)}
    assert facts["totals"]["deficits"] == 1
    assert {"read", "margin", "write", "of margin"} <= set(facts["timings"])


def test_a_rejected_row_of_the_book_is_exit_3(firm: Path, tmp_path: Path) -> None:
    clean = run(firm)
    before = pd.read_parquet(tmp_path / "run" / "accounts.parquet").set_index("margin_group")
    path = firm / "book" / "positions.csv"
    path.write_text(path.read_text() + "CASH,XYZ,many,\n")
    done = run(firm, "--json")
    facts = json.loads(done.stdout)
    assert (clean.exit_code, done.exit_code, facts["exit_code"]) == (0, 3, 3)
    assert "PARTIAL" in facts["exit_reason"]
    assert "line 11" in facts["exit_reason"]
    after = pd.read_parquet(tmp_path / "run" / "accounts.parquet").set_index("margin_group")
    pd.testing.assert_frame_equal(before.drop("CASH"), after.drop("CASH"), check_exact=True)
    assert after["reliability"]["CASH"] == "PARTIAL"


def test_a_reject_that_nobody_holds_is_counted_and_clean(firm: Path) -> None:
    path = firm / "market" / "instruments.csv"
    path.write_text(path.read_text() + "ZZZ,NOWHERE,stock" + "," * 11 + "\n")
    done = run(firm, "--json")
    facts = json.loads(done.stdout)
    assert (done.exit_code, facts["rejects"]) == (0, {"E_UNDERLYING": 1})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda book: (book / "positions.csv").write_text("account;symbol;quantity\n"), "line 1"),
        (lambda book: (book / "accounts.csv").unlink(), "neither accounts.csv nor accounts.parquet"),
        (lambda book: (book / "accounts.csv").write_text("account,cahs\n"), "did you mean cash"),
        (lambda book: (book / "accounts.csv").write_text("account,cash\nA,1\nB\n"), "line 3"),
    ],
)
def test_a_refusal_is_exit_2_and_one_line(firm: Path, tmp_path: Path, spoil: object, words: str) -> None:
    assert callable(spoil)
    spoil(firm / "book")
    done = run(firm)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert not (tmp_path / "run").exists()


def test_regime_and_policy_are_chosen_by_name_file_and_toml(firm: Path, tmp_path: Path) -> None:
    own = firm / "own.py"
    own.write_text(OWN_REGIME)
    done = run(firm, regime=f"{own}:crash")
    assert done.exit_code == 0, done.output
    # 100 shares at 95 and one call, price down 40 %: 3,800 less the call's 1.532 x 100, plus 101 tickets
    assert requirement(tmp_path / "run", "000456") == pytest.approx(3800 - 153.20 + 101, abs=0.05)
    assert invoke("rerun", tmp_path / "run").exit_code == 0

    done = run(firm, "--policy", firm / "book" / "policy.toml", "--json", regime="")
    assert set(json.loads(done.stdout)["regimes"].values()) == {"tims", "house"}

    for more, regime, words in (
        ((), "", "either a regime or a policy"),
        (("--policy", firm / "book" / "policy.toml"), "tims", "not both"),
        ((), "timms", "timms"),
        ((), f"{own}:other", "other"),
        (("--backend", "quantum"), "tims", "quantum"),
    ):
        done = run(firm, *more, regime=regime)
        assert done.exit_code == 2, done.output
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_rerun_compares_and_refuses_changed_inputs(firm: Path, tmp_path: Path) -> None:
    run(firm)
    done = invoke("rerun", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("identical") == 13
    assert (tmp_path / "run-rerun").is_dir()

    (tmp_path / "run" / "groups.csv").write_text("changed")
    done = invoke("rerun", tmp_path / "run", "--out", tmp_path / "third")
    assert done.exit_code == 1
    assert "DIFFERENT  groups.csv" in done.stdout

    path = firm / "book" / "positions.csv"
    path.write_text(path.read_text().replace("-1", "-2"))
    done = invoke("rerun", tmp_path / "run")
    assert done.exit_code == 2
    assert "positions.csv: this input has changed" in done.stderr


def test_explain_prints_lines_that_add_up(firm: Path, tmp_path: Path) -> None:
    run(firm)
    done = invoke("explain", tmp_path / "run", "000456")
    assert done.exit_code == 0, done.output
    for words in (
        "stand alone sum",
        "hedge benefit",
        "1,273.67",
        "product and class group XYZ",
        "XYZ260220C00100000",
    ):
        assert words in done.stdout
    row = pd.read_parquet(tmp_path / "run" / "accounts.parquet").set_index("margin_group").loc["000456"]
    names = list(row.index)
    lines = row[names[names.index("worst_vol_shock") + 1 : names.index("requirement_zero_offsets")]]
    assert sum(lines) == pytest.approx(row["requirement"], abs=1e-9)
    unknown = invoke("explain", tmp_path / "run", "000457")
    assert unknown.exit_code == 2
    assert "did you mean 000456" in unknown.stderr


def test_check_validates_folders_and_single_files(firm: Path) -> None:
    for folders in ((firm / "market", firm / "book"), (firm,)):
        done = invoke("check", *folders)
        assert done.exit_code == 0, done.output
        assert "positions" in done.stdout
        assert "instruments" in done.stdout
    path = firm / "book" / "positions.csv"
    path.write_text(path.read_text() + "000123,XYZ260220C00100000,-5,\nA,XYZ,1e400,\n")
    done = invoke("check", path)
    assert done.exit_code == 3
    assert "E_DUPLICATE" in done.stdout
    assert "line 12, column quantity" in done.stdout
    assert "without accounts" in done.stdout
    (firm / "book" / "other.csv").write_text("Acct,Sym,Qty\nA,XYZ,1\n")
    done = invoke("check", firm / "book" / "other.csv")
    assert done.exit_code == 2
    assert "no canonical table" in done.stderr
    rename = (
        '[positions]\nfile = "other.csv"\nrename = { Acct = "account", Sym = "symbol", Qty = "quantity" }\n'
    )
    (firm / "MAP.toml").write_text(rename)
    done = invoke("check", firm / "book" / "other.csv", "--map", firm / "MAP.toml")
    assert done.exit_code == 0, done.output


def test_run_through_a_column_map(firm: Path, tmp_path: Path) -> None:
    (firm / "book" / "positions.csv").write_text("Acct,Sym,Qty\n000123,XYZ260220C00100000,-1\n")
    (firm / "MAP.toml").write_text(
        '[positions]\nrename = { Acct = "account", Sym = "symbol", Qty = "quantity" }\n'
    )
    done = run(firm, "--map", firm / "MAP.toml")
    assert done.exit_code == 0, done.output
    assert requirement(tmp_path / "run", "000123") == pytest.approx(877.26, abs=0.005)
    assert invoke("rerun", tmp_path / "run").exit_code == 0


def test_demo_writes_a_run_that_can_be_repeated(tmp_path: Path) -> None:
    done = invoke("demo", "--out", tmp_path / "demo", "--accounts", 60, "--seed", 3, "--json")
    facts = json.loads(done.stdout)
    assert done.exit_code == facts["exit_code"] == 0
    assert facts["sizes"]["accounts"] == 60
    assert set(facts["regimes"].values()) == {"tims", "house"}
    again = invoke("rerun", tmp_path / "demo")
    assert again.exit_code == 0, again.output
    worst = facts["largest_deficits"][0]["margin_group"]
    assert invoke("explain", tmp_path / "demo", worst).exit_code == 0


def test_help_and_version_load_nothing_heavy() -> None:
    probe = (
        "import sys\nfrom shockgrid.cli import main\ntry:\n    main()\nfinally:\n"
        "    heavy = {'numpy', 'pandas', 'scipy', 'pyarrow', 'pydantic'} & set(sys.modules)\n"
        "    assert not heavy, heavy"
    )
    for option in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", probe, option], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "shockgrid" in done.stdout or "Usage" in done.stdout

"""margin-calls plan and cures on the command line: what to close, what would cover."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from called_run import invoke


def test_a_plan_agrees_with_the_run_and_its_call(called_run: Path, tmp_path: Path) -> None:
    """Under tims the naked call needs 877.26 and has 847.00 of equity: 30.26 missing.

    Bought back it needs nothing, so that the excess is the equity less the costs.
    """
    account = pd.read_parquet(called_run / "run/accounts.parquet").set_index("margin_group").loc["000123"]
    done = invoke("margin-calls", "plan", called_run / "run", "000123", "--out", tmp_path / "steps.csv")
    assert done.exit_code == 0, done.output
    assert f"{account['excess']:,.2f}" == "-30.26"
    assert "excess -30.26; wanted 8.77" in done.output
    steps = pd.read_csv(tmp_path / "steps.csv", dtype={"margin_group": str})
    assert steps["quantity"].tolist() == [1.0]
    costs = steps[["half_spread", "fees", "impact"]].to_numpy().sum()
    assert steps["excess_after"].iloc[0] == pytest.approx(account["equity_at_marks"] - costs, abs=0.005)
    lacking = 100_000.0 - account["equity_at_marks"]
    assert f"equity is {lacking:,.2f} below the minimum" in done.output
    fine = invoke("margin-calls", "plan", called_run / "run", "000456")
    assert fine.exit_code == 0
    assert fine.output.startswith("000456: no deficit\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nobody",), "account 'nobody' is not in this run"),
        (("000123", "--objective", "cheapest"), "expected one of per_dollar_traded"),
        (("000123", "--buffer", "-1"), "at least 0"),
        (("000123", "--out", "steps.xls"), "ends in .csv or .parquet"),
    ],
)
def test_plans_that_are_refused(called_run: Path, arguments: tuple[str, ...], problem: str) -> None:
    done = invoke("margin-calls", "plan", called_run / "run", *arguments)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert problem in done.stderr


def test_a_plan_nobody_can_carry_out_is_exit_code_3(called_run: Path) -> None:
    done = invoke("margin-calls", "plan", called_run / "run", "000123", "--halted", "XYZ")
    assert done.exit_code == 3
    assert "closing does not cover it" in done.output
    assert "30.26 remain: to be paid in" in done.output


def test_what_would_cover_an_account(called_run: Path, tmp_path: Path) -> None:
    """30.26 missing and 8.77 of buffer: to be paid in, or the call bought back for its costs."""
    done = invoke("margin-calls", "cures", called_run / "run", "000123", "--out", tmp_path / "cures.csv")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("000123: 39.04 USD needed\n")
    ways = pd.read_csv(tmp_path / "cures.csv").set_index("cure")
    assert ways.loc["deposit", "outlay"] == pytest.approx(39.04, abs=0.0101)  # a deficit rounds up
    assert ways.loc["closings", "outlay"] == pytest.approx(ways.loc["closings", "costs"])
    assert ways.loc[["deposit", "closings"], "cures"].all()
    fine = invoke("margin-calls", "cures", called_run / "run", "000456")
    assert fine.exit_code == 0
    assert fine.output.startswith("000456: no deficit")
    refused = invoke("margin-calls", "cures", called_run / "run", "nobody")
    assert refused.exit_code == 2
    assert "is not in this run" in refused.stderr

"""margin-calls and ledger on the command line: from a run folder to calls, a page and files."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from called_run import HOSTILE, append, invoke


def test_from_a_run_to_the_ledger(called_run: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "calls.db"
    first = invoke(
        "margin-calls", "run", called_run / "run", "--ledger", ledger, "--out", tmp_path / "calls.csv"
    )
    assert first.exit_code == 0, first.output
    calls = pd.read_csv(tmp_path / "calls.csv", dtype=str, keep_default_na=False)
    accounts = pd.read_parquet(called_run / "run/accounts.parquet").set_index("margin_group")
    for row in calls.to_dict("records"):
        account = accounts.loc[row["margin_group"].removeprefix("'")]
        needed = 100_000.0 if row["kind"] == "pm_minimum_equity" else account["exchange_requirement"]
        missing = needed - account["equity_at_marks"]
        assert float(row["deficit"]) == pytest.approx(missing, abs=0.0101), "rounded up"
    assert "'" + HOSTILE in set(calls["margin_group"]), "text that looks like a formula is quoted"
    again = invoke("margin-calls", "run", called_run / "run", "--ledger", ledger)
    assert "in the ledger already" in again.output
    listed = invoke("margin-calls", "list", ledger)
    assert f"{len(calls)} calls" in listed.output
    assert "rows, all as written" in invoke("ledger", "verify", ledger).output


def test_a_call_is_met_from_the_command_line(called_run: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "calls.db"
    invoke("margin-calls", "run", called_run / "run", "--ledger", ledger)
    call = "pm_minimum_equity/2026-01-21/000123"
    done = ("--at", "2026-01-22T10:00-05:00", "--operator", "=ann", "--manner", "deposit")
    paid = invoke("margin-calls", "record", ledger, call, "cure", *done, "--amount", "1,000.01")
    assert paid.exit_code == 0, paid.output
    assert "part met" in paid.output
    assert " USD outstanding, due 2026-" in paid.output
    again = invoke("margin-calls", "record", ledger, call, "cure", *done, "--amount", "1,000.01")
    assert again.output == paid.output, "the same act counts once"
    shown = invoke("ledger", "show", ledger, call)
    assert "2 events" in shown.output
    assert "1,000.01" in shown.output
    assert invoke("ledger", "daily", ledger, "2026-01-21", "--out", tmp_path / "day.csv").exit_code == 0
    day = pd.read_csv(tmp_path / "day.csv", dtype=str)
    assert day.set_index("call_id").loc[call, "manner"] == "deposit 1000.01 on 2026-01-22"
    assert invoke("ledger", "export", ledger, "--out", tmp_path / "all.csv").exit_code == 0
    rows = pd.read_csv(tmp_path / "all.csv", dtype=str, keep_default_na=False)
    assert "'=ann" in set(rows["operator"])
    assert not any(cell.startswith(("=", "+", "@")) for column in rows for cell in rows[column])


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("margin-calls", "record", "LEDGER", "x", "waive", "--at", "soon", "--operator", "a"), "ISO 8601"),
        (("margin-calls", "record", "LEDGER", "x", "waive", "--at", "2026-01-22", "--operator", "a"), "zone"),
        (("margin-calls", "list", "nothing.db"), "there is no such ledger"),
        (("margin-calls", "run", "LEDGER", "--ledger", "LEDGER"), "not a run folder"),
        (("ledger", "verify", "LEDGER", "--tip", "abc"), "no row has the hash abc"),
        (("ledger", "show", "LEDGER", "nobody"), "no such call or margin group"),
        (("ledger", "export", "LEDGER", "--out", "all.xls"), "ends in .csv or .parquet"),
        (("ledger", "daily", "LEDGER", "yesterday", "--out", "d.csv"), "expected an ISO date"),
    ],
)
def test_refusals_are_one_line(
    called_run: Path, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    ledger = tmp_path / "calls.db"
    invoke("margin-calls", "run", called_run / "run", "--ledger", ledger)
    done = invoke(*[str(ledger) if word == "LEDGER" else word for word in arguments])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert problem in done.stderr


def test_a_bad_amount_is_refused(called_run: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "calls.db"
    invoke("margin-calls", "run", called_run / "run", "--ledger", ledger)
    act = ("record", ledger, "pm_minimum_equity/2026-01-21/000123", "cure", "--at", "2026-01-22T10:00Z")
    for amount in ("0.001", "NaN", "ten", "1e999999"):
        done = invoke("margin-calls", *act, "--operator", "a", "--manner", "deposit", "--amount", amount)
        assert done.exit_code == 2, amount


def test_what_is_held_is_exit_code_3(called_run: Path, tmp_path: Path) -> None:
    """A position whose account the accounts table does not have: PARTIAL, and nothing is called."""
    book = tmp_path / "book"
    shutil.copytree(called_run / "firm/book", book)
    symbol = pd.read_csv(book / "positions.csv", comment="#")["symbol"].iloc[0]
    append(book / "positions.csv", ["stranger", symbol, "-1"])
    where = ("--market", called_run / "firm/market", "--book", book, "--out", tmp_path / "run")
    assert invoke("run", *where, "--policy", book / "policy.toml").exit_code == 3
    done = invoke("margin-calls", "run", tmp_path / "run", "--ledger", tmp_path / "calls.db")
    assert done.exit_code == 3
    assert "held pm_deficiency of stranger: its figures are PARTIAL" in done.output
    assert "stranger" not in invoke("margin-calls", "list", tmp_path / "calls.db").output
    sheet = ("sheet", tmp_path / "run", "stranger", "--out", tmp_path / "sheet.html")
    assert invoke("margin-calls", *sheet).exit_code == 0
    assert "To be looked at by hand" in (tmp_path / "sheet.html").read_text()
    plan = invoke("margin-calls", "plan", tmp_path / "run", "stranger")
    assert plan.exit_code == 3
    assert plan.output.startswith("stranger: not planned: PARTIAL: a person decides\n")
    assert "below the minimum" not in plan.output


def test_a_tampered_ledger_is_found(called_run: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "calls.db"
    invoke("margin-calls", "run", called_run / "run", "--ledger", ledger)
    connection = sqlite3.connect(ledger)
    connection.execute("DROP TRIGGER no_update")
    connection.execute("UPDATE events SET units = units - 1 WHERE sequence = 1")
    connection.commit()
    connection.close()
    done = invoke("ledger", "verify", ledger)
    assert done.exit_code == 2
    assert "row 1 (issue of call" in done.stderr
    assert invoke("ledger", "export", ledger, "--out", tmp_path / "all.csv").exit_code == 2


def test_strategy_based_runs_are_refused_in_one_line(called_run: Path, tmp_path: Path) -> None:
    where = (
        "--market",
        called_run / "firm/market",
        "--book",
        called_run / "firm/book",
        "--out",
        tmp_path / "run",
    )
    assert invoke("run", *where, "--regime", "regt").exit_code == 0
    for command in (
        ("run", tmp_path / "run", "--ledger", tmp_path / "calls.db"),
        ("plan", tmp_path / "run", "000123"),
        ("sheet", tmp_path / "run", "000123", "--out", tmp_path / "sheet.html"),
    ):
        done = invoke("margin-calls", *command)
        assert done.exit_code == 2, command
        assert done.stderr.count("\n") == 1
        assert "strategy-based margin has no" in done.stderr
    assert not (tmp_path / "calls.db").exists()


@pytest.mark.parametrize(
    ("profile", "code", "said"),
    [
        ("eod_batch", 0, "later pm_deficiency of 000123: waits for the close: its profile is eod_batch"),
        ("intraday_with_approval", 3, "held pm_deficiency/2026-01-21/000123: is proposed: a person approves"),
        ("automatic", 0, "issue pm_deficiency/2026-01-21/000123: issued, 30."),
    ],
)
def test_the_policys_profile_decides(
    called_run: Path, tmp_path: Path, profile: str, code: int, said: str
) -> None:
    """At noon: for the close, for a person, or at once."""
    market, policy = tmp_path / "market", tmp_path / "policy.toml"
    shutil.copytree(called_run / "firm/market", market)
    text = (market / "market.toml").read_text()
    (market / "market.toml").write_text(text.replace("T16:00:00-05:00", "T12:00:00-05:00"))
    policy.write_text(f'[programs.default]\nexchange = "tims"\ncall_profile = "{profile}"\n')
    where = ("--market", market, "--book", called_run / "firm/book", "--policy", policy)
    assert invoke("run", *where, "--out", tmp_path / "run").exit_code == 0
    ledger = tmp_path / "calls.db"
    done = invoke("margin-calls", "run", tmp_path / "run", "--ledger", ledger)
    assert done.exit_code == code, done.output
    assert said in done.output
    assert "the due dates of pm_deficiency are unconfirmed" in done.output
    if profile == "intraday_with_approval":
        act = ("record", ledger, "pm_deficiency/2026-01-21/000123", "approve", "--operator", "ann")
        approved = invoke("margin-calls", *act, "--at", "2026-01-21T12:05:00-05:00")
        assert approved.exit_code == 0, approved.output
        assert "pm_deficiency/2026-01-21/000123: issued" in approved.output


def test_amounts_say_their_currency(tmp_path: Path) -> None:
    """A euro account beside one of dollars: at no place stands a bare number."""
    assert invoke("template", tmp_path / "firm", "--example").exit_code == 0
    book, market = tmp_path / "firm/book", tmp_path / "firm/market"
    symbol = pd.read_csv(book / "positions.csv", comment="#")["symbol"].iloc[0]
    (book / "accounts.csv").write_text("account,cash,currency\nE,100,EUR\nU,100,USD\n")
    (book / "positions.csv").write_text(f"account,symbol,quantity\nE,{symbol},-1\nU,{symbol},-1\n")
    (market / "fx.csv").write_text("currency,rate\nEUR,1.25\n")
    where = ("--market", market, "--book", book, "--regime", "tims")
    run, ledger, day = tmp_path / "run", tmp_path / "calls.db", tmp_path / "day.csv"
    done = invoke("run", *where, "--out", run)
    assert [line.split()[-1] for line in done.output.splitlines() if line.startswith((" E ", " U "))] == [
        "USD", "EUR"
    ]  # fmt: skip
    assert "in EUR" in invoke("explain", run, "E").output.splitlines()[0]
    assert "in EUR" in invoke("why", run, run, "E").output
    assert invoke("margin-calls", "run", run, "--ledger", ledger).output.count("EUR outstanding") == 1
    assert "EUR outstanding" in invoke("ledger", "show", ledger, "E").output.replace("\n", " ")
    assert invoke("ledger", "daily", ledger, "2026-01-21", "--out", day).exit_code == 0
    assert pd.read_csv(day).set_index("margin_group")["currency"].to_dict() == {"E": "EUR", "U": "USD"}


def test_a_row_with_two_faults_is_one_row(tmp_path: Path) -> None:
    """No symbol, and an account that nobody knows: one row turned away."""
    assert invoke("template", tmp_path / "firm", "--example").exit_code == 0
    append(tmp_path / "firm/book/positions.csv", ["stranger", "", "-1"])
    told = invoke("check", tmp_path / "firm/book")
    assert told.exit_code == 3
    assert [line.split()[-2:] for line in told.output.splitlines() if line.startswith("positions")] == [
        ["1", "rejected"]
    ]
    where = ("--market", tmp_path / "firm/market", "--book", tmp_path / "firm/book", "--regime", "tims")
    done = invoke("run", *where, "--out", tmp_path / "run")
    assert done.exit_code == 3
    assert "1 row of the book rejected" in done.output.replace("\n", " ")

"""margin-calls and ledger on the command line: from a run folder to calls, a page and files."""

from __future__ import annotations

import re
import shutil
import sqlite3
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from shockgrid.cli import app
from shockgrid.cli_calls_views import read_sheet
from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.calls_sheet import sheet_html
from shockgrid.desk.calls_table import call_rules

HOSTILE = '=<script>alert("1")</script>&A'
POLICY = '[programs.default]\nexchange = "tims"\nminimum_equity = 100000\n'


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the template's accounts: a naked call (877.26 needed), and one with an unfriendly name."""
    root = tmp_path_factory.mktemp("calls")
    assert invoke("template", root / "firm", "--example").exit_code == 0
    symbol = pd.read_csv(root / "firm/book/positions.csv", comment="#")["symbol"].iloc[0]
    append(root / "firm/book/accounts.csv", [HOSTILE, "500"])
    append(root / "firm/book/positions.csv", [HOSTILE, symbol, "-1"])
    (root / "firm/book/policy.toml").write_text(POLICY)
    where = ("--market", root / "firm/market", "--book", root / "firm/book", "--out", root / "run")
    done = invoke("run", *where, "--policy", root / "firm/book/policy.toml")
    assert done.exit_code == 0, done.output
    return root


def append(path: Path, cells: list[str]) -> None:
    """A row at the end of a table, blank where no cell is given."""
    text = path.read_text(encoding="utf-8")
    columns = next(line for line in text.splitlines() if line.startswith("account")).count(",") + 1
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    path.write_text(text + ",".join([*quoted, *[""] * (columns - len(cells))]) + "\n", encoding="utf-8")


def test_from_a_run_to_the_ledger(folder: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "calls.db"
    first = invoke("margin-calls", "run", folder / "run", "--ledger", ledger, "--out", tmp_path / "calls.csv")
    assert first.exit_code == 0, first.output
    calls = pd.read_csv(tmp_path / "calls.csv", dtype=str, keep_default_na=False)
    accounts = pd.read_parquet(folder / "run/accounts.parquet").set_index("margin_group")
    for row in calls.to_dict("records"):
        account = accounts.loc[row["margin_group"].removeprefix("'")]
        needed = 100_000.0 if row["kind"] == "pm_minimum_equity" else account["exchange_requirement"]
        assert float(row["deficit"]) == pytest.approx(needed - account["equity_at_marks"], abs=0.006)
    assert "'" + HOSTILE in set(calls["margin_group"]), "text that looks like a formula is quoted"
    again = invoke("margin-calls", "run", folder / "run", "--ledger", ledger)
    assert "in the ledger already" in again.output
    listed = invoke("margin-calls", "list", ledger)
    assert f"{len(calls)} calls" in listed.output
    assert "rows, all as written" in invoke("ledger", "verify", ledger).output


def test_a_call_is_met_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "calls.db"
    invoke("margin-calls", "run", folder / "run", "--ledger", ledger)
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
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    ledger = tmp_path / "calls.db"
    invoke("margin-calls", "run", folder / "run", "--ledger", ledger)
    done = invoke(*[str(ledger) if word == "LEDGER" else word for word in arguments])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert problem in done.stderr


def test_a_bad_amount_is_refused(folder: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "calls.db"
    invoke("margin-calls", "run", folder / "run", "--ledger", ledger)
    act = ("record", ledger, "pm_minimum_equity/2026-01-21/000123", "cure", "--at", "2026-01-22T10:00Z")
    for amount in ("0.001", "NaN", "ten", "1e999999"):
        done = invoke("margin-calls", *act, "--operator", "a", "--manner", "deposit", "--amount", amount)
        assert done.exit_code == 2, amount


def test_what_is_held_is_exit_code_3(folder: Path, tmp_path: Path) -> None:
    """A position whose account the accounts table does not have: PARTIAL, and nothing is called."""
    book = tmp_path / "book"
    shutil.copytree(folder / "firm/book", book)
    symbol = pd.read_csv(book / "positions.csv", comment="#")["symbol"].iloc[0]
    append(book / "positions.csv", ["stranger", symbol, "-1"])
    where = ("--market", folder / "firm/market", "--book", book, "--out", tmp_path / "run")
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
    assert plan.output.startswith("stranger: not_planned: PARTIAL: a person decides\n")
    assert "below the minimum" not in plan.output


def test_a_tampered_ledger_is_found(folder: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "calls.db"
    invoke("margin-calls", "run", folder / "run", "--ledger", ledger)
    connection = sqlite3.connect(ledger)
    connection.execute("DROP TRIGGER no_update")
    connection.execute("UPDATE events SET cents = cents - 1 WHERE sequence = 1")
    connection.commit()
    connection.close()
    done = invoke("ledger", "verify", ledger)
    assert done.exit_code == 2
    assert "row 1 (issue of call" in done.stderr
    assert invoke("ledger", "export", ledger, "--out", tmp_path / "all.csv").exit_code == 2


def test_a_plan_agrees_with_the_run_and_its_call(folder: Path, tmp_path: Path) -> None:
    """Under tims the naked call needs 877.26 and has 847.00 of equity: 30.26 missing.

    Bought back it needs nothing, so that the excess is the equity less the costs.
    """
    account = pd.read_parquet(folder / "run/accounts.parquet").set_index("margin_group").loc["000123"]
    done = invoke("margin-calls", "plan", folder / "run", "000123", "--out", tmp_path / "steps.csv")
    assert done.exit_code == 0, done.output
    assert f"{account['excess']:,.2f}" == "-30.26"
    assert "excess -30.26; wanted 8.77" in done.output
    steps = pd.read_csv(tmp_path / "steps.csv", dtype={"margin_group": str})
    assert steps["quantity"].tolist() == [1.0]
    costs = steps[["half_spread", "fees", "impact"]].to_numpy().sum()
    assert steps["excess_after"].iloc[0] == pytest.approx(account["equity_at_marks"] - costs, abs=0.005)
    lacking = 100_000.0 - account["equity_at_marks"]
    assert f"equity is {lacking:,.2f} below the minimum" in done.output
    fine = invoke("margin-calls", "plan", folder / "run", "000456")
    assert fine.exit_code == 0
    assert fine.output.startswith("000456: no_deficit\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nobody",), "account 'nobody' is not in this run"),
        (("000123", "--objective", "cheapest"), "expected one of per_dollar_traded"),
        (("000123", "--buffer", "-1"), "at least 0"),
        (("000123", "--out", "steps.xls"), "ends in .csv or .parquet"),
    ],
)
def test_plans_that_are_refused(folder: Path, arguments: tuple[str, ...], problem: str) -> None:
    done = invoke("margin-calls", "plan", folder / "run", *arguments)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert problem in done.stderr


def test_a_plan_nobody_can_carry_out_is_exit_code_3(folder: Path) -> None:
    done = invoke("margin-calls", "plan", folder / "run", "000123", "--halted", "XYZ")
    assert done.exit_code == 3
    assert "cannot_cure" in done.output
    assert "30.26 remain: to be paid in" in done.output


def test_strategy_based_runs_are_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    where = ("--market", folder / "firm/market", "--book", folder / "firm/book", "--out", tmp_path / "run")
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


class Page(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "action", "srcset")]

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def test_the_sheet_is_complete_in_itself_and_escapes_names(folder: Path, tmp_path: Path) -> None:
    ledger, out = tmp_path / "calls.db", tmp_path / "sheet.html"
    invoke("margin-calls", "run", folder / "run", "--ledger", ledger)
    done = invoke("margin-calls", "sheet", folder / "run", HOSTILE, "--out", out, "--ledger", ledger)
    assert done.exit_code == 0, done.output
    text = out.read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert page.links == []
    assert not re.search(r"https?:|//|@import|url\(", text.replace("<!doctype", ""))
    assert HOSTILE in page.text
    account = pd.read_parquet(folder / "run/accounts.parquet").set_index("margin_group").loc[HOSTILE]
    assert f"{account['requirement']:,.2f}" in page.text
    assert "877.26" in page.text
    assert "Margin call: " in page.text
    assert "Calls in the ledger" in page.text
    assert "due Monday 26 January 2026, 16:00 New York (2026-01-26 21:00 UTC)" in page.text


def test_the_lines_of_the_sheet_add_up(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.html"
    assert invoke("margin-calls", "sheet", folder / "run", "000456", "--out", out).exit_code == 0
    page = out.read_text(encoding="utf-8")
    part = page.split("<h2>Where the requirement comes from</h2>")[1].split("<h2>")[0]
    cells = re.findall(r'class="n">([^<]+)<', part)
    found = [float(cell.replace(",", "").replace("\N{MINUS SIGN}", "-")) for cell in cells]
    assert sum(found[:-1]) == pytest.approx(found[-1], abs=0.011)
    assert found[-1] == pytest.approx(1273.67, abs=0.005)
    assert invoke("margin-calls", "sheet", folder / "run", "nobody", "--out", out).exit_code == 2


def test_what_would_cover_an_account(folder: Path, tmp_path: Path) -> None:
    """30.26 missing and 8.77 of buffer: to be paid in, or the call bought back for its costs."""
    done = invoke("margin-calls", "cures", folder / "run", "000123", "--out", tmp_path / "cures.csv")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("000123: 39.04 USD needed\n")
    ways = pd.read_csv(tmp_path / "cures.csv").set_index("cure")
    assert ways.loc["deposit", "outlay"] == pytest.approx(39.04, abs=0.006)
    assert ways.loc["closings", "outlay"] == pytest.approx(ways.loc["closings", "costs"])
    assert ways.loc[["deposit", "closings"], "cures"].all()
    fine = invoke("margin-calls", "cures", folder / "run", "000456")
    assert fine.exit_code == 0
    assert fine.output.startswith("000456: no deficit")
    refused = invoke("margin-calls", "cures", folder / "run", "nobody")
    assert refused.exit_code == 2
    assert "is not in this run" in refused.stderr


@pytest.mark.parametrize(
    ("profile", "code", "said"),
    [
        ("eod_batch", 0, "later pm_deficiency of 000123: waits for the close: its profile is eod_batch"),
        ("intraday_with_approval", 3, "held pm_deficiency/2026-01-21/000123: is proposed: a person approves"),
        ("automatic", 0, "issue pm_deficiency/2026-01-21/000123: issued, 30."),
    ],
)
def test_the_policys_profile_decides(
    folder: Path, tmp_path: Path, profile: str, code: int, said: str
) -> None:
    """At noon: for the close, for a person, or at once."""
    market, policy = tmp_path / "market", tmp_path / "policy.toml"
    shutil.copytree(folder / "firm/market", market)
    text = (market / "market.toml").read_text()
    (market / "market.toml").write_text(text.replace("T16:00:00-05:00", "T12:00:00-05:00"))
    policy.write_text(f'[programs.default]\nexchange = "tims"\ncall_profile = "{profile}"\n')
    where = ("--market", market, "--book", folder / "firm/book", "--policy", policy)
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


@pytest.mark.parametrize(
    ("excess", "words"), [(12.0, "equity is 12.00 above"), (-12.0, "a deficit of 12.00 is")]
)
def test_a_sheet_without_a_call(folder: Path, excess: float, words: str) -> None:
    sheet = read_sheet(folder / "run", "000123", "", SessionCalendar.new_york(), call_rules(None))
    changed = {**sheet.account, "excess": excess}
    assert f"No call: {words}" in sheet_html(sheet._replace(account=changed, calls=sheet.calls.iloc[:0]))

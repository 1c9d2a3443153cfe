"""A book after a plan or after expiry, written back as a run that can be done again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, expiry, option, stock
from called_run import append, invoke

import shockgrid as sg
from shockgrid.backends import get_backend
from shockgrid.calibration import calibrated
from shockgrid.desk.expiry import at_spots
from shockgrid.desk.planned_orders import with_orders
from shockgrid.io.run_after import moved_tables
from shockgrid.io.run_folder import read_run_table

SYMBOL = "XYZ260220C00100000"
EXPIRES = ("--until", "2026-02-20T21:00:00Z")


@pytest.fixture
def folder(called_run: Path) -> Path:
    """A run of a naked call, of a covered one, and of an unfriendly name."""
    return called_run


def account(run: Path, name: str) -> pd.Series[Any]:
    return read_run_table(run, "accounts").set_index("margin_group").loc[name]


def positions(run: Path) -> pd.DataFrame:
    return pd.read_parquet(run / "inputs/book/positions.parquet").astype({"quantity": float})


def same_bytes(run: Path, out: Path) -> bool:
    done = invoke("rerun", run, "--out", out)
    return done.exit_code == 0 and "DIFFERENT" not in done.output


def test_the_run_after_a_plan(folder: Path, tmp_path: Path) -> None:
    """The naked call bought back at its mark of 1.53 needs nothing; equity is less by the costs alone."""
    steps, after = tmp_path / "steps.csv", tmp_path / "after"
    done = invoke("margin-calls", "plan", folder / "run", "000123", "--out", steps, "--after", after)
    assert done.exit_code == 0, done.output
    before, now = account(folder / "run", "000123"), account(after, "000123")
    costs = pd.read_csv(steps)[["half_spread", "fees", "impact"]].to_numpy().sum()
    assert now["requirement"] == 0.0
    assert now["equity_at_marks"] == pytest.approx(before["equity_at_marks"] - costs, abs=0.005)
    cash = pd.read_parquet(after / "inputs/book/accounts.parquet").set_index("account")["cash"].astype(float)
    old = sg.read_book(folder / "firm/book").accounts.set_index("account")["cash"]
    assert cash["000123"] == pytest.approx(old["000123"] - 153.0 - costs, abs=0.005)
    assert cash.drop("000123").equals(old.drop("000123").reindex(cash.drop("000123").index))
    pd.testing.assert_series_equal(account(after, "000456"), account(folder / "run", "000456"))
    assert same_bytes(after, tmp_path / "again")
    assert "no deficit" in invoke("margin-calls", "plan", after, "000123").output
    told = invoke("why", folder / "run", after, "000123")
    assert told.exit_code == 0, told.output


def test_the_run_after_expiry(folder: Path, tmp_path: Path) -> None:
    """Settled at 101.25 the short call costs 125 dollars. A blank settlement_kind pays cash, and is named."""
    events, after = tmp_path / "events.csv", tmp_path / "after"
    where = ("--spot", "XYZ=101.25", *EXPIRES, "--events", events, "--out", after)
    done = invoke("expire", folder / "run", *where)
    assert done.exit_code == 0, done.output
    assert f"note: {SYMBOL}: settles in cash although its underlying is a stock" in done.output
    rows = pd.read_csv(events, dtype={"account": str}).set_index("account")
    assert rows.loc["000123", ["outcome", "cash"]].tolist() == ["assigned", -125.0]
    before = sg.read_book(folder / "firm/book").accounts.set_index("account")["cash"]
    after_cash = sg.read_book(after / "inputs/book").accounts.set_index("account")["cash"]
    short = sg.read_book(folder / "firm/book").positions.query("quantity < 0")["account"]
    assert (before - after_cash)[short].tolist() == [125.0, 125.0, 125.0]
    assert (before - after_cash).sum() == 375.0, "nobody else pays"
    assert positions(after)["symbol"].tolist() == ["XYZ"]
    assert account(after, "000123")["requirement"] == 0.0
    covered = account(after, "000456")
    assert covered["equity_at_marks"] == pytest.approx(after_cash["000456"] + 100 * 101.25, abs=0.005)
    assert same_bytes(after, tmp_path / "again")


def test_rows_that_were_turned_away_stay_so(folder: Path, tmp_path: Path) -> None:
    """A second row of a closed position is not taken for a position; who was PARTIAL still is."""
    book = tmp_path / "book"
    book.mkdir()
    for name in ("positions.csv", "accounts.csv", "policy.toml"):
        (book / name).write_text((folder / "firm/book" / name).read_text())
    append(book / "positions.csv", ["000123", SYMBOL, "-7"])
    append(book / "positions.csv", ["000456", "XYZ", "many"])
    where = ("--market", folder / "firm/market", "--book", book, "--policy", book / "policy.toml")
    assert invoke("run", *where, "--out", tmp_path / "run").exit_code == 3
    done = invoke("expire", tmp_path / "run", *EXPIRES, "--out", tmp_path / "after")
    assert done.exit_code == 3, done.output
    for name in ("000123", "000456"):
        assert account(tmp_path / "after", name)["reliability"] == "PARTIAL"
    assert (
        account(tmp_path / "after", "000123")["requirement"]
        == account(tmp_path / "run", "000123")["unpriced"]
    )
    assert sorted(read_run_table(tmp_path / "after", "rejects")["code"]) == ["E_DUPLICATE", "E_TYPE"]


def test_a_policy_that_names_files_stays_where_it_is(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import shockgrid as sg\n\nmine = sg.house(contingency_rate=0.02)\n")
    (tmp_path / "policy.toml").write_text('[programs.default]\nexchange = "tims"\nhouse = "mine.py:mine"\n')
    where = ("--market", folder / "firm/market", "--book", folder / "firm/book")
    done = invoke("run", *where, "--policy", tmp_path / "policy.toml", "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert invoke("expire", tmp_path / "run", *EXPIRES, "--out", tmp_path / "after").exit_code == 0
    assert same_bytes(tmp_path / "after", tmp_path / "again")
    (tmp_path / "mine.py").write_text("import shockgrid as sg\n\nmine = sg.house(contingency_rate=0.03)\n")
    assert "has changed since" in invoke("rerun", tmp_path / "after").stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--spot", "XYZ"), "expected NAME=PRICE"),
        (("--spot", "XYZ=ten"), "expected NAME=PRICE"),
        (("--spot", "ABC=10"), "expected an underlying, an option or a future"),
        (("--until", "tomorrow"), "ISO 8601"),
        (("--out", "after"), "nothing that is held expires"),
    ],
)
def test_what_expire_refuses(folder: Path, arguments: tuple[str, str], problem: str) -> None:
    done = invoke("expire", folder / "run", *arguments)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert problem in done.stderr


def test_an_account_without_a_plan_has_no_run_after_it(folder: Path, tmp_path: Path) -> None:
    done = invoke("margin-calls", "plan", folder / "run", "000456", "--after", tmp_path / "after")
    assert done.exit_code == 2
    assert "nothing is planned for 000456" in done.stderr


def test_moved_tables_are_the_moved_market() -> None:
    """Spots, vols and given forwards as ``at_spots`` has them; a cash dividend before the later expiry."""
    near, far = (option(f"C{days}", "A", "C", 100.0, float(days)) for days in (20, 60))
    tables = {
        "instruments": pd.DataFrame([stock("A"), stock("B"), near, far, option("D", "B", "P", 50.0, 60.0)]),
        "underlyings": pd.DataFrame([{"underlying": "A", "spot": 100.0}, {"underlying": "B", "spot": 50.0}]),
        "quotes": pd.DataFrame([{"symbol": name, "bid": 2.0, "ask": 2.1} for name in ("C20", "C60", "D")]),
        "curve": pd.DataFrame([{"currency": "USD", "days": 30, "zero_rate_dec": 0.04}]),
        "dividends": pd.DataFrame([{"underlying": "A", "ex_date": "2026-12-20", "amount": 1.5}]),
        "forwards": pd.DataFrame(
            [{"underlying": "A", "expiry_utc": expiry(float(days)), "forward": value} for days, value in
             ((20, 100.3), (60, 98.9))]
        ),
    }  # fmt: skip
    backend = get_backend("numpy")
    before = calibrated(sg.Market.from_frames(**tables, as_of=AS_OF.to_pydatetime()), backend)
    moved = at_spots(before, {"A": 83.0})
    told = moved_tables(tables, before, moved)
    read = calibrated(sg.Market.from_frames(**told, as_of=AS_OF.to_pydatetime()), backend)
    for name in ("vols", "slopes", "intercepts", "discount_factors", "marks"):
        found, known = (
            getattr(table.instruments, name)[table.instruments.is_option] for table in (read, moved)
        )
        np.testing.assert_allclose(found, known, rtol=1e-13, atol=1e-13, err_msg=name)
    np.testing.assert_array_equal(read.underlyings.spots, moved.underlyings.spots)


def test_costs_are_paid_in_the_accounts_currency() -> None:
    """10 dollars of costs and 300 of a sale, in euros at 1.25 dollars: 232 more."""
    market = sg.Market.from_frames(
        pd.DataFrame([stock("A")]), pd.DataFrame([{"underlying": "A", "spot": 100.0}]),
        pd.DataFrame(columns=["symbol"]),
        pd.DataFrame([{"currency": "USD", "days": 30, "zero_rate_dec": 0.0}]),
        fx=pd.DataFrame([{"currency": "EUR", "rate": 1.25}]), as_of=AS_OF.to_pydatetime(),
    )  # fmt: skip
    held = sg.Book.from_frames(
        pd.DataFrame([("X", "A", 5.0)], columns=["account", "symbol", "quantity"]),
        pd.DataFrame([("X", 0.0, "EUR")], columns=["account", "cash", "currency"]),
    )
    step = {"margin_group": "G", "account": "X", "symbol": "A", "quantity": -3.0, "price": 100.0}
    steps = pd.DataFrame([{**step, "half_spread": 6.0, "fees": 3.0, "impact": 1.0}])
    done = with_orders(held, market, steps, {"G": "USD"})
    assert done.accounts["cash"].tolist() == [232.0]
    assert done.positions["quantity"].tolist() == [2.0]


def test_cash_of_accounts_without_a_good_row_is_not_lost(folder: Path, tmp_path: Path) -> None:
    """One that only positions name and one whose row is bad each pay 125 dollars, and stay PARTIAL."""
    book = tmp_path / "book"
    book.mkdir()
    for name in ("positions.csv", "accounts.csv", "policy.toml"):
        (book / name).write_text((folder / "firm/book" / name).read_text())
    append(book / "accounts.csv", ["bad", "much"])
    for name in ("bad", "nobody"):
        append(book / "positions.csv", [name, SYMBOL, "-1"])
    where = ("--market", folder / "firm/market", "--book", book, "--policy", book / "policy.toml")
    assert invoke("run", *where, "--out", tmp_path / "run").exit_code == 3
    done = invoke("expire", tmp_path / "run", "--spot", "XYZ=101.25", *EXPIRES, "--out", tmp_path / "after")
    assert done.exit_code == 3, done.output
    for name in ("bad", "nobody"):
        row = account(tmp_path / "after", name)
        assert (row["equity_at_marks"], row["reliability"]) == (-125.0, "PARTIAL")
    assert account(tmp_path / "after", "000456")["reliability"] == "OK"
    assert same_bytes(tmp_path / "after", tmp_path / "again")
    later = invoke("expire", tmp_path / "after", *EXPIRES)
    assert later.exit_code == 0
    assert "0 positions" in later.output


def test_assignments_of_a_run(folder: Path, tmp_path: Path) -> None:
    """A European short is never assigned early; an American call at 160 goes before a dividend of 2."""
    nothing = invoke("assignments", folder / "run")
    assert nothing.exit_code == 0, nothing.output
    assert "no short that may be assigned before 2026-" in nothing.output
    market = tmp_path / "market"
    market.mkdir()
    for table in (folder / "firm/market").iterdir():
        (market / table.name).write_text(table.read_text())
    rows = pd.read_csv(market / "instruments.csv", comment="#", dtype=str, keep_default_na=False)
    option = rows["symbol"] == SYMBOL
    for name, value in (("style", "american"), ("settlement_kind", "physical")):
        rows[name] = rows[name].mask(option, value)
    rows.to_csv(market / "instruments.csv", index=False)
    (market / "underlyings.csv").write_text("underlying,spot\nXYZ,160\n")
    (market / "quotes.csv").write_text(f"symbol,vol\n{SYMBOL},0.2\n")
    (market / "dividends.csv").write_text("underlying,ex_date,amount\nXYZ,2026-01-22,2\n")
    where = ("--market", market, "--book", folder / "firm/book", "--regime", "tims")
    assert invoke("run", *where, "--out", tmp_path / "run").exit_code == 0
    told = invoke("assignments", tmp_path / "run", "--out", tmp_path / "tonight.csv")
    assert told.exit_code == 0, told.output
    assert "may be assigned before 2026-01-22 09:30 New York" in told.output
    found = pd.read_csv(tmp_path / "tonight.csv", dtype={"account": str}).set_index("account")
    assert found.loc["000123", ["dividend_owed", "shares", "cash"]].tolist() == [200.0, -100.0, 10_000.0]
    assert set(found["currency"]) == {"USD"}

"""What is particular to a file and to a server, and ledgers of the version before."""

from __future__ import annotations

import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from called_run import invoke
from ledger_places import Place, PostgresPlace, SqlitePlace
from ledger_writer import event

from shockgrid.desk.ledger import Ledger, Row
from shockgrid.desk.ledger_postgres import PostgresStore
from shockgrid.errors import LedgerError

CUT_EVERYBODY_OFF = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    text, other = tmp_path / "text.db", tmp_path / "other.db"
    text.write_text("no database at all, " * 100)
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    for file, found in ((text, "cannot be read as a ledger"), (other, "no ledger of shockgrid")):
        with pytest.raises(LedgerError, match=found) as problem:
            Ledger.open(file)
        assert problem.value.reason == "unreadable"
    with pytest.raises(LedgerError, match="there is no such ledger"):
        Ledger.open(tmp_path / "none.db", create=False)
    with pytest.raises(LedgerError, match="cannot be read as a ledger"):
        Ledger.open(tmp_path / "none" / "none.db")


def test_the_same_rows_in_a_file_and_on_a_server(postgres: str, tmp_path: Path) -> None:
    server, file = Ledger.open(PostgresPlace.emptied(postgres).address), Ledger.open(tmp_path / "calls.db")
    coin = replace(event(9), digits=8, units=12_345_678_900)
    for batch in ([event(0), event(1)], [event(1), event(2)], [coin]):
        assert server.append(batch) == file.append(batch)
    assert list(server.rows()) == list(file.rows())
    assert server.verify() == file.verify()
    server.close()
    file.close()


def test_a_lost_connection_is_named_and_the_next_append_makes_another(postgres: str) -> None:
    place = PostgresPlace.emptied(postgres)
    ledger = Ledger.open(place.address)
    ledger.append([event(0)])
    place.change(CUT_EVERYBODY_OFF)
    with pytest.raises(LedgerError, match="the ledger cannot be used") as problem:
        ledger.append([event(1)])
    assert problem.value.reason == "unwritable"
    assert ledger.append([event(1)]) == 2
    place.change(CUT_EVERYBODY_OFF)
    with pytest.raises(LedgerError):
        ledger.known(["k0"])
    assert ledger.verify()[0] == 2
    ledger.close()


def test_a_connection_lost_within_a_batch_loses_the_batch(postgres: str) -> None:
    """What follows on the lost connection fails too: half a batch is not committed over another one."""
    place = PostgresPlace.emptied(postgres)
    store = PostgresStore(place.address, wait_seconds=1.0)
    ledger = Ledger(store)
    ledger.append([event(0)])
    store.begin()
    store.insert([Row(2, event(1), "x", "y")])
    place.change(CUT_EVERYBODY_OFF)
    for _ in range(2):
        with pytest.raises(LedgerError):
            store.commit()
    store.rollback()
    assert [row.sequence for row in ledger.rows()] == [1]
    ledger.close()


def test_the_command_line_takes_either(called_run: Path, place: Place, tmp_path: Path) -> None:
    """No ledger is there: only ``run`` makes one. Then every command reads it."""
    for command in (("ledger", "verify"), ("margin-calls", "list")):
        refused = invoke(*command, place.address)
        assert refused.exit_code == 2
        assert "there is no such ledger" in refused.stderr
    assert invoke("margin-calls", "run", called_run / "run", "--ledger", place.address).exit_code == 0
    out, day = tmp_path / "all.csv", tmp_path / "day.csv"
    for command in (("ledger", "verify"), ("ledger", "show"), ("margin-calls", "list")):
        assert invoke(*command, place.address).exit_code == 0, command
    assert invoke("ledger", "export", place.address, "--out", out).exit_code == 0
    assert invoke("ledger", "daily", place.address, "2026-01-21", "--out", day).exit_code == 0
    exported = pd.read_csv(out)
    assert len(exported) == len(pd.read_csv(day)) + 1, "the calls of the day, and the run"


@pytest.mark.usefixtures("postgres")
def test_no_server_is_named_without_the_password() -> None:
    with pytest.raises(LedgerError, match=r"^127\.0\.0\.1:1/none: ") as problem:
        Ledger.open("postgresql://ann:secret@127.0.0.1:1/none")
    assert "secret" not in str(problem.value)


def test_without_psycopg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LedgerError, match=r"pip install 'shockgrid\[postgres\]'"):
        Ledger.open("postgresql://127.0.0.1/none")


def test_a_ledger_of_before_verifies_and_goes_on(place: Place) -> None:
    """Its rows and hashes stay: they were in hundredths, and say nothing of it."""
    old = [event(number) for number in range(3)]
    tip = place.write_old(old)
    for _ in range(2):  # brought up to date, and opened again
        ledger = Ledger.open(place.address)
        assert ledger.verify(tip) == (3, tip)
        assert [row.event for row in ledger.rows()] == old
        assert {row.event.digits for row in ledger.rows()} == {2}
        ledger.close()
    ledger = Ledger.open(place.address)
    assert ledger.append([*old, replace(event(3), digits=8)]) == 4, "what is there is not written again"
    rows = list(ledger.rows())
    assert [row.has_digits for row in rows] == [False, False, False, True]
    assert (rows[3].event.digits, rows[3].previous_hash) == (8, tip)
    assert ledger.verify(tip)[0] == 4
    ledger.close()


@pytest.mark.parametrize(("row", "digits"), [(2, "2"), (2, "0"), (4, "NULL")])
def test_digits_cannot_be_added_or_taken_away(place: Place, row: int, digits: str) -> None:
    """Neither to a row of before nor from a new one: the hash says which it is."""
    place.write_old([event(number) for number in range(3)])
    ledger = Ledger.open(place.address)
    ledger.append([event(3)])
    if digits == "NULL" and isinstance(place, PostgresPlace):
        place.change(f"ALTER TABLE {place.table} DROP CONSTRAINT digits_are_written")
    place.tamper(f"UPDATE {place.table} SET digits = {digits} WHERE sequence = {row}")
    with pytest.raises(LedgerError, match=f"row {row} .* is not what was written"):
        ledger.verify()
    ledger.close()


def test_a_ledger_of_before_is_brought_up_once(place: Place) -> None:
    """Two that open it, one after the other still open, find the same ledger."""
    place.write_old([event(0)])
    first, second = Ledger.open(place.address), Ledger.open(place.address)
    assert first.append([event(1)]) == 2
    assert second.append([event(2)]) == 3
    assert first.verify() == second.verify()
    first.close()
    second.close()


def test_the_place_of_a_file_may_be_a_path(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path / "calls.db")
    ledger = Ledger.open(place.path)
    assert ledger.append([event(0)]) == 1
    ledger.close()

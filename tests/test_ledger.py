"""The ledger: what is acknowledged stays, what is changed is found, and every failure has a name."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from ledger_writer import event

import shockgrid as sg
from shockgrid.desk.calls_states import replay
from shockgrid.desk.ledger import GENESIS, Ledger
from shockgrid.errors import LedgerError

KILLS, BATCH = 10, 20
RESTART_SECONDS = 5.0
WRITER = Path(__file__).parent / "ledger_writer.py"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(path)
    yield opened
    opened.close()


def reason(problem: pytest.ExceptionInfo[LedgerError]) -> str:
    return problem.value.reason


def test_rows_are_chained(ledger: Ledger) -> None:
    assert ledger.append([event(0), event(1)]) == 2
    assert ledger.append([event(2)]) == 3
    rows = list(ledger.rows())
    assert [row.previous_hash for row in rows] == [GENESIS, rows[0].hash, rows[1].hash]
    assert ledger.verify() == (3, rows[2].hash)
    assert [row.sequence for row in ledger.rows(2)] == [3]


def test_the_same_event_is_written_once(ledger: Ledger) -> None:
    ledger.append([event(0)])
    assert ledger.append([event(0), event(1)]) == 2
    assert [row.event for row in ledger.rows()] == [event(0), event(1)]
    with pytest.raises(LedgerError, match="key 'k1' is that of another event") as problem:
        ledger.append([event(2), replace(event(1), cents=7)])
    assert reason(problem) == "conflict"
    assert len(list(ledger.rows())) == 2, "nothing of the batch was written"


def test_somebody_else_has_written(path: Path, ledger: Ledger) -> None:
    other = Ledger.open(path)
    other.append([event(0)])
    with pytest.raises(LedgerError, match="at row 1, not 0") as problem:
        ledger.append([event(1)], after=0)
    assert reason(problem) == "moved"
    assert ledger.append([event(1)], after=1) == 2
    assert [row.sequence for row in other.rows()] == [1, 2]
    other.close()


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("cents", 1, r"row 3 \(issue of call house/2026-11-20/2\) is not what was written"),
        ("margin_group", "'somebody else'", "row 3 .* is not what was written"),
        ("details", "''", "row 3 .* is not what was written"),
        ("previous_hash", "'0'", "row 3 .* does not follow the row before"),
        ("hash", "'0'", "row 3 .* is not what was written"),
        ("sequence", 99, r"row 3 is missing: row 4 .* follows row 2"),
    ],
)
def test_a_tampered_row_is_named(path: Path, ledger: Ledger, column: str, value: object, found: str) -> None:
    ledger.append([event(number) for number in range(5)])
    tamper(path, f"UPDATE events SET {column} = {value} WHERE sequence = 3")
    with pytest.raises(LedgerError, match=found) as problem:
        ledger.verify()
    assert reason(problem) == "tampered"


def test_missing_rows_are_found(path: Path, ledger: Ledger) -> None:
    ledger.append([event(number) for number in range(5)])
    _, tip = ledger.verify()
    tamper(path, "DELETE FROM events WHERE sequence = 5")
    assert ledger.verify()[0] == 4, "a chain that was cut at its end is a chain"
    with pytest.raises(LedgerError, match="no row has the hash"):
        ledger.verify(tip)
    tamper(path, "DELETE FROM events WHERE sequence = 2")
    with pytest.raises(LedgerError, match="row 2 is missing: row 3"):
        ledger.verify()


def test_a_row_rewritten_with_a_new_hash_breaks_the_next(path: Path, ledger: Ledger) -> None:
    ledger.append([event(number) for number in range(3)])
    row = replace(list(ledger.rows())[1], event=replace(event(1), cents=1))
    tamper(path, f"UPDATE events SET cents = 1, hash = '{row.expected_hash()}' WHERE sequence = 2")
    with pytest.raises(LedgerError, match=r"row 3 .* does not follow the row before"):
        ledger.verify()


def test_rows_cannot_be_changed_by_accident(path: Path, ledger: Ledger) -> None:
    ledger.append([event(0)])
    with sqlite3.connect(path) as connection:
        for statement in ("UPDATE events SET cents = 1", "DELETE FROM events"):
            with pytest.raises(sqlite3.IntegrityError, match="append only"):
                connection.execute(statement)
    connection.close()


def test_a_locked_ledger_is_named_and_loses_nothing(path: Path) -> None:
    ledger = Ledger.open(path, wait_seconds=0.1)
    ledger.append([event(0)])
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match="another process holds the ledger") as problem:
        ledger.append([event(1)])
    assert reason(problem) == "locked"
    blocker.execute("ROLLBACK")
    blocker.close()
    assert ledger.append([event(1)]) == 2
    assert ledger.verify()[0] == 2
    ledger.close()


def test_a_full_disk_is_named_and_loses_nothing(path: Path, ledger: Ledger) -> None:
    """SQLite's own limit on pages gives the same SQLITE_FULL as a disk without room."""
    ledger.append([event(0)])
    connection = ledger._store._connection  # type: ignore[attr-defined]
    used = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {used + 4}")
    with pytest.raises(LedgerError, match="no room is left on the disk") as problem:
        ledger.append([event(number) for number in range(1, 200)])
    assert reason(problem) == "full"
    assert [row.event for row in ledger.rows()] == [event(0)]
    connection.execute("PRAGMA max_page_count = 1000000")
    assert ledger.append([event(number) for number in range(1, 200)]) == 200
    assert ledger.verify()[0] == 200


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    text, other = tmp_path / "text.db", tmp_path / "other.db"
    text.write_text("no database at all, " * 100)
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    for file, found in ((text, "cannot be read as a ledger"), (other, "no ledger of shockgrid")):
        with pytest.raises(LedgerError, match=found) as problem:
            Ledger.open(file)
        assert reason(problem) == "unreadable"
    with pytest.raises(LedgerError, match="there is no such ledger"):
        Ledger.open(tmp_path / "none.db", create=False)
    with pytest.raises(LedgerError, match="cannot be read as a ledger"):
        Ledger.open(tmp_path / "none" / "none.db")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [({"key": ""}, "needs a key"), ({"cents": 1.5}, "whole cents"), ({"cents": 2**63}, "do not fit 64 bits")],
)
def test_what_is_no_event_is_refused(ledger: Ledger, changed: dict[str, object], problem: str) -> None:
    with pytest.raises(sg.InputError, match=problem):
        ledger.append([event(0), replace(event(1), **changed)])  # type: ignore[arg-type]
    with pytest.raises(sg.InputError, match="share a key"):
        ledger.append([event(0), event(0)])
    assert list(ledger.rows()) == []


def test_names_are_data_and_nothing_else(ledger: Ledger) -> None:
    hostile = [
        replace(event(number), margin_group=name)
        for number, name in enumerate(["'; DROP TABLE events;--", "=1+1", "\u202e\U0001f4a3", "\\", '"', ""])
    ]
    ledger.append(hostile)
    assert [row.event for row in ledger.rows()] == hostile
    assert ledger.verify()[0] == len(hostile)


def test_killed_at_any_instant(path: Path) -> None:
    """No row that was acknowledged is lost, none is there twice, no batch is torn, and it opens again."""
    random, acknowledged = Random(20261120), 0
    for _ in range(KILLS):
        command = [sys.executable, str(WRITER), str(path), str(BATCH)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        assert writer.stdout is not None
        assert writer.stdout.readline() == f"open {acknowledged}\n"
        time.sleep(random.uniform(0.0, 0.05))
        writer.kill()
        said = [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        writer.wait()
        writer.stdout.close()
        acknowledged = int(said[-1]) if said else acknowledged
        started = time.perf_counter()
        ledger = Ledger.open(path)
        rows = list(ledger.rows())
        replay(row.event for row in rows)
        assert time.perf_counter() - started < RESTART_SECONDS
        assert len(rows) >= acknowledged
        assert len(rows) % BATCH == 0
        assert [row.event for row in rows] == [event(number) for number in range(len(rows))]
        assert ledger.verify()[0] == len(rows)
        ledger.close()
        acknowledged = len(rows)
    assert acknowledged > 0


def tamper(path: Path, statement: str) -> None:
    """Change a ledger behind its back."""
    connection = sqlite3.connect(path)
    for trigger in ("no_update", "no_delete"):
        connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    connection.execute(statement)
    connection.commit()
    connection.close()

"""The same ledger in PostgreSQL, where SHOCKGRID_POSTGRES gives the address of a database to test in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ledger_writer import event

from shockgrid.desk.ledger import Ledger
from shockgrid.errors import LedgerError

ADDRESS = os.environ.get("SHOCKGRID_POSTGRES", "")
server = pytest.mark.skipif(not ADDRESS, reason="SHOCKGRID_POSTGRES names no server")


@pytest.fixture
def connection() -> Iterator[Any]:
    """A connection beside the ledger's, with no ledger there yet."""
    with import_module("psycopg").connect(ADDRESS, autocommit=True) as found:
        found.execute("DROP TABLE IF EXISTS shockgrid_events")
        yield found


@pytest.fixture
def ledger(connection: Any) -> Iterator[Ledger]:
    opened = Ledger.open(ADDRESS, wait_seconds=0.2)
    yield opened
    opened.close()


@server
def test_the_same_rows_as_in_a_file(ledger: Ledger, tmp_path: Path) -> None:
    file = Ledger.open(tmp_path / "calls.db")
    hostile = [
        replace(event(9), margin_group=name, key=name) for name in ("'; DROP TABLE x;--", "\t\\N", "=1")
    ]
    for batch in ([event(0), event(1)], [event(1), event(2)], [*hostile[:1]]):
        assert ledger.append(batch) == file.append(batch)
    assert list(ledger.rows()) == list(file.rows())
    assert ledger.verify() == file.verify()
    file.close()


@server
def test_names_a_conflict_a_move_and_a_lock(ledger: Ledger, connection: Any) -> None:
    ledger.append([event(0)])
    with pytest.raises(LedgerError, match="that of another event"):
        ledger.append([replace(event(0), cents=9)])
    with pytest.raises(LedgerError, match="at row 1, not 0"):
        ledger.append([event(1)], after=0)
    with connection.transaction():
        connection.execute("LOCK TABLE shockgrid_events IN EXCLUSIVE MODE")
        with pytest.raises(LedgerError, match="another process holds the ledger") as problem:
            ledger.append([event(1)])
    assert problem.value.reason == "locked"
    assert ledger.append([event(1)], after=1) == 2
    assert len(list(ledger.rows())) == 2


@server
def test_finds_what_was_tampered_with(ledger: Ledger, connection: Any) -> None:
    ledger.append([event(number) for number in range(3)])
    psycopg = import_module("psycopg")
    for statement in ("UPDATE shockgrid_events SET cents = 1", "DELETE FROM shockgrid_events"):
        with pytest.raises(psycopg.errors.RaiseException, match="append only"):
            connection.execute(statement)
    connection.execute("ALTER TABLE shockgrid_events DISABLE TRIGGER ALL")
    connection.execute("UPDATE shockgrid_events SET cents = 1 WHERE sequence = 2")
    with pytest.raises(LedgerError, match=r"row 2 \(issue of call .*\) is not what was written"):
        ledger.verify()


@server
def test_no_server_is_named_without_the_password() -> None:
    with pytest.raises(LedgerError, match=r"^127\.0\.0\.1:1/none: ") as problem:
        Ledger.open("postgresql://ann:secret@127.0.0.1:1/none")
    assert "secret" not in str(problem.value)


@pytest.mark.skipif(find_spec("psycopg") is not None, reason="psycopg is installed")
def test_without_psycopg_it_says_what_to_install() -> None:
    with pytest.raises(LedgerError, match=r"pip install 'shockgrid\[postgres\]'"):
        Ledger.open("postgresql://127.0.0.1/none")

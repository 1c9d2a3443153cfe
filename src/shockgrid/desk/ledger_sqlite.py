"""A ledger in one SQLite file: write-ahead log, flushed to the disk at every commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from shockgrid.desk.calls_states import Event
from shockgrid.desk.ledger import COLUMNS, GENESIS, NUMBERS, Row, row_of
from shockgrid.errors import LedgerError

APPLICATION_ID = 0x53474C32  #: "SGL2", written into the file
BEFORE = 0x53474C31  #: "SGL1": amounts in hundredths of any currency, their digits not written
_SCHEMA = (
    "CREATE TABLE events (sequence INTEGER PRIMARY KEY, "
    + ", ".join(f"{name} {'INTEGER' if name in NUMBERS else 'TEXT'} NOT NULL" for name in COLUMNS)
    + ", previous_hash TEXT NOT NULL, hash TEXT NOT NULL, UNIQUE (key)) STRICT",
    "CREATE TRIGGER no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'append only'); END",
    "CREATE TRIGGER no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'append only'); END",
    f"PRAGMA application_id = {APPLICATION_ID:d}",
)
_BROUGHT_UP = (
    "ALTER TABLE events RENAME COLUMN cents TO units",
    "ALTER TABLE events ADD COLUMN digits INTEGER",
    f"PRAGMA application_id = {APPLICATION_ID:d}",
)
_ALL = ", ".join(("sequence", *COLUMNS, "previous_hash", "hash"))
_INSERT = "INSERT INTO events (" + _ALL + ") VALUES (" + ", ".join("?" * (len(COLUMNS) + 3)) + ")"
_TIP = "SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1"
_AFTER = "SELECT " + _ALL + " FROM events WHERE sequence > ? ORDER BY sequence"
_KEYED = "SELECT " + _ALL + " FROM events WHERE key = ?"
_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
_UNREADABLE = ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_CANTOPEN")


class SqliteStore:
    """A ``shockgrid.desk.ledger.Store`` in one file (and its -wal and -shm beside it while it is open)."""

    def __init__(self, path: Path, *, wait_seconds: float, create: bool = True) -> None:
        self._path = path
        if not create and not path.is_file():
            problem = f"{path}: there is no such ledger"
            raise LedgerError(problem, reason="unreadable")
        with self._named():
            self._connection = sqlite3.connect(path, timeout=wait_seconds, isolation_level=None)
        try:
            with self._named():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def begin(self) -> None:
        """Start a transaction that no other writer can enter."""
        self._execute("BEGIN IMMEDIATE")

    def tip(self) -> tuple[int, str]:
        """Sequence and hash of the last row."""
        found = self._execute(_TIP).fetchone()
        return (int(found[0]), str(found[1])) if found else (0, GENESIS)

    def known(self, keys: Sequence[str]) -> dict[str, Event]:
        """Those of the keys that are there, with their events."""
        found = (self._execute(_KEYED, (key,)).fetchone() for key in keys)
        return {str(line[1]): row_of(line).event for line in found if line is not None}

    def insert(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        lines = [(row.sequence, *row.event.values, row.previous_hash, row.hash) for row in rows]
        with self._named():
            self._connection.executemany(_INSERT, lines)

    def commit(self) -> None:
        """Make them durable."""
        self._execute("COMMIT")

    def rollback(self) -> None:
        """Forget them; SQLite has done so already after some errors."""
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):  # the error that led here is the one to report
                self._connection.execute("ROLLBACK")

    def rows(self, after: int) -> Iterator[Row]:
        """Rows with a greater sequence, in order."""
        lines = self._execute(_AFTER, (after,))
        while True:
            with self._named():
                part = lines.fetchmany(1000)
            if not part:
                return
            yield from (row_of(line) for line in part)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _prepare(self) -> None:
        query = self._connection.execute
        tables = query("SELECT count(*) FROM sqlite_master").fetchone()[
            0
        ]  # first: a maker writes both at once
        found = query("PRAGMA application_id").fetchone()[0]
        if found not in (APPLICATION_ID, BEFORE) and (found or tables):
            problem = f"{self._path}: is a database, but no ledger of shockgrid"
            raise LedgerError(problem, reason="unreadable")
        query("PRAGMA journal_mode = WAL")
        query("PRAGMA synchronous = FULL")
        if found == APPLICATION_ID:
            return
        query("BEGIN IMMEDIATE")
        found = query("PRAGMA application_id").fetchone()[0]  # another process may have been first
        if found != APPLICATION_ID:
            for statement in _BROUGHT_UP if found == BEFORE else _SCHEMA:
                query(statement)
        query("COMMIT")

    def _execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        with self._named():
            return self._connection.execute(statement, values)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """SQLite's errors as LedgerError, with the file and what it means."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            problem, reason = f"{self._path}: cannot be written: {error}", "unwritable"
            if name.startswith(_LOCKED):
                problem, reason = f"{self._path}: another process holds the ledger ({error})", "locked"
            elif name.startswith("SQLITE_FULL"):
                problem, reason = f"{self._path}: no room is left on the disk ({error})", "full"
            elif name.startswith(_UNREADABLE):
                problem, reason = f"{self._path}: cannot be read as a ledger: {error}", "unreadable"
            raise LedgerError(problem, reason=reason) from error

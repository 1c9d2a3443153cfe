"""The stores a ledger may lie in, and what a test does to them behind the ledger's back."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from shockgrid.desk.calls_states import Event
from shockgrid.desk.ledger import GENESIS, Ledger

#: the columns of an event as they were before its digits were written, in the order of its hash
OLD_COLUMNS = (
    "key", "event", "at_utc", "call_id", "margin_group", "kind", "trade_date", "cents", "due_utc", "manner",
    "operator", "reason", "market_hash", "parameters_hash", "details",
)  # fmt: skip
FULL = """CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''could not extend file'' USING ERRCODE = ''disk_full''; END'"""


class Place(Protocol):
    """Where a ledger lies; nothing is there yet."""

    table: str

    @property
    def address(self) -> str:
        """What ``Ledger.open`` takes."""

    def tamper(self, statement: str) -> None:
        """Change rows that the ledger guards."""

    def change(self, statement: str) -> None:
        """Run a statement like anybody else; raises ``refusal`` where it is turned down."""

    @property
    def refusal(self) -> type[Exception]:
        """What ``change`` raises."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Another process writes for as long as the block lasts."""

    @contextmanager
    def full(self, ledger: Ledger) -> Iterator[None]:
        """The disk has hardly any room left for as long as the block lasts."""

    def write_old(self, events: Sequence[Event]) -> str:
        """Make the ledger as the version before did; the last hash."""


@dataclass(frozen=True)
class SqlitePlace:
    """A file."""

    path: Path
    table: str = "events"
    refusal: type[Exception] = sqlite3.IntegrityError

    @property
    def address(self) -> str:
        return str(self.path)

    def change(self, statement: str) -> None:
        connection = sqlite3.connect(self.path)
        try:
            with connection:
                connection.execute(statement)
        finally:
            connection.close()

    def tamper(self, statement: str) -> None:
        for trigger in ("no_update", "no_delete"):
            self.change(f"DROP TRIGGER IF EXISTS {trigger}")
        self.change(statement)

    @contextmanager
    def held(self) -> Iterator[None]:
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
        connection.close()

    @contextmanager
    def full(self, ledger: Ledger) -> Iterator[None]:
        """SQLite's own limit on pages gives the same SQLITE_FULL as a disk without room."""
        connection = ledger._store._connection  # type: ignore[attr-defined]
        used = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {used + 4}")
        yield
        connection.execute("PRAGMA max_page_count = 1000000")

    def write_old(self, events: Sequence[Event]) -> str:
        columns = ", ".join(
            f"{name} {'INTEGER' if name == 'cents' else 'TEXT'} NOT NULL" for name in OLD_COLUMNS
        )
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            f"CREATE TABLE events (sequence INTEGER PRIMARY KEY, {columns}, previous_hash TEXT NOT NULL, "
            "hash TEXT NOT NULL, UNIQUE (key)) STRICT"
        )
        for what in ("UPDATE", "DELETE"):
            connection.execute(
                f"CREATE TRIGGER no_{what.lower()} BEFORE {what} ON events "
                "BEGIN SELECT RAISE(ABORT, 'append only'); END"
            )
        connection.execute(f"PRAGMA application_id = {0x53474C31}")
        rows = old_rows(events)
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO events VALUES ({marks})", rows)
        connection.close()
        return str(rows[-1][-1])


@dataclass(frozen=True)
class PostgresPlace:
    """A database on a server."""

    address: str
    table: str = "shockgrid_events"

    @classmethod
    def emptied(cls, address: str) -> PostgresPlace:
        """The database of an address with no ledger in it."""
        made = cls(address)
        made.change(f"DROP TABLE IF EXISTS {made.table}")
        return made

    @property
    def refusal(self) -> type[Exception]:
        found: type[Exception] = import_module("psycopg").errors.RaiseException
        return found

    def change(self, statement: str) -> None:
        with self.connected() as connection:
            connection.execute(statement)

    def tamper(self, statement: str) -> None:
        with self.connected() as connection:
            connection.execute(f"ALTER TABLE {self.table} DISABLE TRIGGER ALL")
            connection.execute(statement)

    @contextmanager
    def held(self) -> Iterator[None]:
        with self.connected() as connection, connection.transaction():
            connection.execute(f"LOCK TABLE {self.table} IN EXCLUSIVE MODE")
            yield

    @contextmanager
    def full(self, ledger: Ledger) -> Iterator[None]:
        """A trigger that raises what a server without room raises."""
        with self.connected() as connection:
            connection.execute(FULL)
            connection.execute(
                f"CREATE TRIGGER no_room BEFORE INSERT ON {self.table} EXECUTE FUNCTION full_disk()"
            )
            yield
            connection.execute("DROP FUNCTION full_disk CASCADE")

    def write_old(self, events: Sequence[Event]) -> str:
        columns = ", ".join(
            f"{name} {'bigint' if name == 'cents' else 'text'} NOT NULL" for name in OLD_COLUMNS
        )
        rows = old_rows(events)
        marks = ", ".join(["%s"] * len(rows[0]))
        with self.connected() as connection:
            connection.execute(
                f"CREATE TABLE {self.table} (sequence bigint PRIMARY KEY, {columns}, "
                "previous_hash text NOT NULL, hash text NOT NULL, UNIQUE (key))"
            )
            connection.cursor().executemany(f"INSERT INTO {self.table} VALUES ({marks})", rows)
        return str(rows[-1][-1])

    @contextmanager
    def connected(self) -> Iterator[Any]:
        with import_module("psycopg").connect(self.address, autocommit=True) as connection:
            yield connection


def old_rows(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    """Rows as they were chained before: SHA-256 of the JSON list of hash, sequence and fifteen columns."""
    rows, previous = [], GENESIS
    for sequence, event in enumerate(events, start=1):
        values = astuple(event)[: len(OLD_COLUMNS)]
        text = json.dumps([previous, sequence, *values], ensure_ascii=True, separators=(",", ":"))
        found = hashlib.sha256(text.encode("ascii")).hexdigest()
        rows.append((sequence, *values, previous, found))
        previous = found
    return rows

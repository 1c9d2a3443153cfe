"""A ledger in a PostgreSQL database, for several desks on several machines (extra ``postgres``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from shockgrid.desk.calls_states import Event
from shockgrid.desk.ledger import COLUMNS, GENESIS, Row, row_of
from shockgrid.errors import LedgerError

TABLE = "shockgrid_events"
_ALL = ", ".join(("sequence", *COLUMNS, "previous_hash", "hash"))
_TYPES = {"units": "bigint", "digits": "smallint"}  #: all else is text
_COLUMNS = ", ".join(f"{name} {_TYPES.get(name, 'text')} NOT NULL" for name in COLUMNS)
_SCHEMA = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (sequence bigint PRIMARY KEY, {_COLUMNS}, "
    "previous_hash text NOT NULL, hash text NOT NULL, UNIQUE (key))",
    f"""CREATE OR REPLACE FUNCTION {TABLE}_append_only() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''append only''; END'""",
    f"""CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE}
    FOR EACH STATEMENT EXECUTE FUNCTION {TABLE}_append_only()""",
)
_BROUGHT_UP = (
    f"ALTER TABLE {TABLE} RENAME COLUMN cents TO units",
    f"ALTER TABLE {TABLE} ADD COLUMN digits smallint",
    f"ALTER TABLE {TABLE} ADD CONSTRAINT digits_are_written CHECK (digits IS NOT NULL) NOT VALID",
)
_STATE = f"""SELECT to_regclass('{TABLE}') IS NOT NULL, EXISTS (SELECT FROM pg_attribute
    WHERE attrelid = to_regclass('{TABLE}') AND attname = 'digits')"""
_LOCKED = ("55P03", "40001", "40P01")  #: lock_not_available, serialization_failure, deadlock_detected
_FULL = ("53100",)  #: disk_full


class PostgresStore:
    """A ``shockgrid.desk.ledger.Store`` in the table ``shockgrid_events`` of a database.

    One writer at a time holds the table's lock; ``synchronous_commit`` is on, so that what ``commit`` has
    returned from is on the server's disk.
    """

    def __init__(self, address: str, *, wait_seconds: float, create: bool = True) -> None:
        try:
            self._psycopg: Any = import_module("psycopg")
        except ImportError as error:
            problem = f"PostgreSQL needs psycopg: pip install 'shockgrid[postgres]' ({error})"
            raise LedgerError(problem, reason="unreadable") from error
        self._whole_address, self._address = address, address.rpartition("@")[2]  # the latter for messages
        self._wait_seconds, self._create, self._is_writing = wait_seconds, create, False
        self._connect()

    def begin(self) -> None:
        """Start a transaction that no other writer can enter."""
        self._execute("BEGIN")
        self._is_writing = True
        self._execute(f"LOCK TABLE {TABLE} IN EXCLUSIVE MODE")

    def tip(self) -> tuple[int, str]:
        """Sequence and hash of the last row."""
        found = self._execute(f"SELECT sequence, hash FROM {TABLE} ORDER BY sequence DESC LIMIT 1").fetchone()
        return (int(found[0]), str(found[1])) if found else (0, GENESIS)

    def known(self, keys: Sequence[str]) -> dict[str, Event]:
        """Those of the keys that are there, with their events."""
        lines = self._execute(f"SELECT {_ALL} FROM {TABLE} WHERE key = ANY(%s)", (list(keys),)).fetchall()
        return {str(line[1]): row_of(line).event for line in lines}

    def insert(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        with (
            self._named(),
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {TABLE} ({_ALL}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row((row.sequence, *row.event.values, row.previous_hash, row.hash))

    def commit(self) -> None:
        """Make them durable."""
        self._execute("COMMIT")
        self._is_writing = False

    def rollback(self) -> None:
        """Forget them."""
        self._is_writing = False
        with suppress(self._psycopg.Error):  # the error that led here is the one to report
            self._connection.execute("ROLLBACK")

    def rows(self, after: int) -> Iterator[Row]:
        """Rows with a greater sequence, in order, by the thousand."""
        while True:
            query = f"SELECT {_ALL} FROM {TABLE} WHERE sequence > %s ORDER BY sequence LIMIT 1000"
            lines = self._execute(query, (after,)).fetchall()
            if not lines:
                return
            yield from (row_of(line) for line in lines)
            after = int(lines[-1][0])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _connect(self) -> None:
        with self._named("unreadable"):
            self._connection = self._psycopg.connect(self._whole_address, autocommit=True)
        try:
            with self._named("unreadable"):
                milliseconds = max(1, round(self._wait_seconds * 1000.0))
                settings = {"lock_timeout": f"{milliseconds}ms", "synchronous_commit": "on"}
                for setting in settings.items():
                    self._connection.execute("SELECT set_config(%s, %s, false)", setting)
                is_there, is_new = self._connection.execute(_STATE).fetchone()
                if not (is_there or self._create):
                    problem = f"{self._address}: there is no such ledger"
                    raise LedgerError(problem, reason="unreadable")
                if not is_new:
                    self._make()
        except BaseException:
            self._connection.close()
            raise

    def _make(self) -> None:
        """Make the table, or bring that of the version before up to date; its rows stay as they are."""
        with self._connection.transaction():
            # one maker at a time: "SGL1"
            self._connection.execute("SELECT pg_advisory_xact_lock(1397181489)")
            is_there, is_new = self._connection.execute(_STATE).fetchone()
            for statement in _SCHEMA if not is_there else () if is_new else _BROUGHT_UP:
                self._connection.execute(statement)

    def _execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Run a statement, over a new connection where the last was lost and nothing is half written."""
        if self._connection.closed and not self._is_writing:
            self._connect()
        with self._named():
            return self._connection.execute(statement, values)

    @contextmanager
    def _named(self, usual: str = "unwritable") -> Iterator[None]:
        """psycopg's errors as LedgerError, with the server and what it means."""
        try:
            yield
        except self._psycopg.Error as error:
            state = getattr(error, "sqlstate", None) or ""
            reason = "locked" if state in _LOCKED else "full" if state in _FULL else usual
            words = {"locked": "another process holds the ledger", "full": "no room is left on the disk"}
            problem = f"{self._address}: {words.get(reason, 'the ledger cannot be used')}: {error}"
            raise LedgerError(problem, reason=reason) from error

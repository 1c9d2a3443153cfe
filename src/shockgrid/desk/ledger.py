"""The ledger of margin calls: append-only events, each chained to the one before by its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

from shockgrid.desk.calls_amounts import LARGEST_UNITS, MOST_DIGITS
from shockgrid.desk.calls_states import DIGITS, Calls, Event
from shockgrid.doors import require_kind
from shockgrid.errors import InputError, LedgerError

GENESIS = "0" * 64  #: hash before the first row
NUMBERS = ("units", "digits")  #: the columns of an event that are no text
_JSON = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))
COLUMNS = tuple(column.name for column in fields(Event))


@dataclass(frozen=True, slots=True)
class Row:
    """An event in its place."""

    sequence: int  #: 1, 2, 3, ...
    event: Event
    previous_hash: str
    hash: str  #: SHA-256 of all of the above
    has_digits: bool = True  #: whether the digits of the amount were written: once they were not

    def expected_hash(self) -> str:
        """What the hash must be."""
        event = self.event.values if self.has_digits else self.event.values[:-1]
        text = _JSON.encode([self.previous_hash, self.sequence, *event])
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def row_of(line: Sequence[Any]) -> Row:
    """A row of a store: sequence, ``COLUMNS``, previous_hash, hash; digits None where none were written."""
    sequence, *told, digits, previous, found = line
    has_digits = digits is not None
    values = (*told, digits if has_digits else DIGITS)
    return Row(sequence, Event(*values), previous, found, has_digits)


class Store(Protocol):
    """Where the rows lie. ``begin`` lets one writer in; what ``commit`` has returned from is durable.

    Each method raises LedgerError, with its reason, when the store fails.
    """

    def begin(self) -> None:
        """Start a transaction that no other writer can enter."""

    def tip(self) -> tuple[int, str]:
        """Sequence and hash of the last row; (0, GENESIS) where there is none."""

    def known(self, keys: Sequence[str]) -> dict[str, Event]:
        """Those of the keys that are there, with their events."""

    def insert(self, rows: Sequence[Row]) -> None:
        """Write rows."""

    def commit(self) -> None:
        """Make them durable."""

    def rollback(self) -> None:
        """Forget them."""

    def rows(self, after: int) -> Iterator[Row]:
        """Rows with a greater sequence, in order."""

    def close(self) -> None:
        """Let go of the store."""


class Ledger:
    """Events of calls, in a store that keeps them.

    An event is acknowledged when ``append`` returns: a process killed at any instant, a full disk or a locked
    database loses none of those and leaves no half of a batch.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def open(cls, place: str | Path, *, wait_seconds: float = 10.0, create: bool = True) -> Ledger:
        """The ledger in a file (SQLite), or at a ``postgresql://`` address.

        Parameters
        ----------
        wait_seconds : how long another writer is waited for before LedgerError ``locked``.
        create : make the file, or the server's table, if it is not there.
        """
        if not isinstance(place, Path):
            require_kind(place, str, "place")
        if str(place).startswith(("postgresql://", "postgres://")):
            from shockgrid.desk.ledger_postgres import PostgresStore

            return cls(PostgresStore(str(place), wait_seconds=wait_seconds, create=create))
        from shockgrid.desk.ledger_sqlite import SqliteStore

        return cls(SqliteStore(Path(place), wait_seconds=wait_seconds, create=create))

    def append(self, events: Sequence[Event], *, after: int | None = None) -> int:
        """Write a batch, all of it or nothing; the sequence of the ledger's last row, once it is durable.

        An event whose key is there already, with the same content, is not written again.

        Parameters
        ----------
        after : the last sequence the caller has seen; LedgerError ``moved`` when there is more by now.

        Raises
        ------
        LedgerError : see its reasons. Then no event of the batch has been acknowledged.
        InputError : two events of the batch share a key, an amount does not fit 64 bits,
            or a text is none.
        """
        _require_batch(events)
        with self._transaction():
            last, previous = self._store.tip()
            known = self._store.known([event.key for event in events])
            fresh = [event for event in events if _is_new(event, known)]
            if fresh and after is not None and last != after:
                problem = f"the ledger is at row {last}, not {after}: somebody else has written"
                raise LedgerError(problem, reason="moved")
            rows = []
            for sequence, event in enumerate(fresh, start=last + 1):
                row = Row(sequence, event, previous, "")
                previous = row.expected_hash()
                rows.append(Row(sequence, event, row.previous_hash, previous))
            if rows:
                self._store.insert(rows)
        return last + len(rows)

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Rows with a greater sequence, in order, as they lie in the store."""
        return self._store.rows(after)

    def known(self, keys: Sequence[str]) -> dict[str, Event]:
        """Those of the idempotency keys that have been written, with their events."""
        return self._store.known(keys)

    def verify(self, tip: str = "") -> tuple[int, str]:
        """Check every row against its hash and the row before; the number of rows and the last hash.

        Parameters
        ----------
        tip : a hash noted earlier; it must still be there, which also shows that no last rows are missing.

        Raises
        ------
        LedgerError : ``tampered``, and names the first row that is not what was written.
        """
        previous, count, met, calls = GENESIS, 0, tip in ("", GENESIS), Calls()
        for row in self._store.rows(0):
            count += 1
            found = f"row {row.sequence} ({row.event.event} of call {row.event.call_id or '-'})"
            if row.sequence != count:
                problem = f"row {count} is missing: {found} follows row {count - 1}"
            elif row.previous_hash != previous:
                problem = f"{found} does not follow the row before: its previous hash is another"
            elif row.hash != row.expected_hash():
                problem = f"{found} is not what was written: its hash does not match its content"
            else:
                _require_allowed(calls, row, found)
                previous, met = row.hash, met or row.hash == tip
                continue
            raise LedgerError(problem, reason="tampered")
        if not met:
            problem = f"no row has the hash {tip}: the ledger was cut or replaced"
            raise LedgerError(problem, reason="tampered")
        return count, previous

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._store.begin()
            yield
            self._store.commit()
        except BaseException:
            self._store.rollback()
            raise


def _require_batch(events: Sequence[Event]) -> None:
    keys = [event.key for event in events]
    if len(set(keys)) < len(keys):
        repeated = next(key for key in keys if keys.count(key) > 1)
        problem = "two events of one batch share a key"
        raise InputError(problem, table="ledger", column="key", value=repeated)
    for event in events:
        if not event.key or isinstance(event.units, bool) or not isinstance(event.units, int):
            problem = "an event needs a key and whole minor units"
            raise InputError(problem, table="ledger", column="units", value=event.units)
        if abs(event.units) > LARGEST_UNITS:
            problem = "minor units do not fit 64 bits"
            raise InputError(problem, table="ledger", column="units", value=event.units)
        if not 0 <= event.digits <= MOST_DIGITS:
            problem = f"expected 0 to {MOST_DIGITS} digits after the point"
            raise InputError(problem, table="ledger", column="digits", value=event.digits)
        for name, value in zip(COLUMNS, event.values, strict=True):
            if name not in NUMBERS and not _is_text(value):
                problem = "expected text that every store can hold: UTF-8, without NUL"
                raise InputError(problem, table="ledger", column=name, value=ascii(value))


def _is_text(value: object) -> bool:
    """Whether a value is text without NUL (PostgreSQL) and lone surrogates (which have no bytes)."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= mark <= "\udfff" for mark in value)


def _is_new(event: Event, known: dict[str, Event]) -> bool:
    found = known.get(event.key)
    if found is not None and found != event:
        problem = f"key {event.key!r} is that of another event: {found.event} of call {found.call_id}"
        raise LedgerError(problem, reason="conflict")
    return found is None


def _require_allowed(calls: Calls, row: Row, found: str) -> None:
    try:
        calls.apply(row.event)
    except InputError as error:
        problem = f"{found} could not happen: {error}"
        raise LedgerError(problem, reason="tampered") from error

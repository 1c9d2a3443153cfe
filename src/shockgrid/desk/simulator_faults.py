"""A store that fails on purpose: before anything is written, halfway, and after the commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from shockgrid.desk.calls_states import Event
from shockgrid.desk.ledger import GENESIS, Row, Store
from shockgrid.errors import LedgerError

#: where a write breaks off; after "committed" the batch is there although nobody was told
PLACES = ("begin", "insert", "half", "commit", "committed")


class Crash(BaseException):
    """The process ends here."""


class FaultyStore:
    """A ``Store`` that breaks off the next write at ``place``: by an error of the disk, or by a crash.

    ``attempted`` are the rows of the last write, whatever became of them.
    """

    def __init__(self, store: Store, random: Random) -> None:
        self._store, self._random = store, random
        self.place = ""
        self.crashes = False
        self.attempted: list[Row] = []

    def arm(self, chance: float) -> None:
        """Break the next write off with this probability."""
        self.attempted = []
        armed = self._random.random() < chance
        self.place = self._random.choice(PLACES) if armed else ""
        self.crashes = self._random.random() < 0.5

    def begin(self) -> None:
        """Start a transaction, or fail."""
        self._fail("begin")
        self._store.begin()

    def tip(self) -> tuple[int, str]:
        """As the store says."""
        return self._store.tip()

    def known(self, keys: Sequence[str]) -> dict[str, Event]:
        """As the store says."""
        return self._store.known(keys)

    def insert(self, rows: Sequence[Row]) -> None:
        """Write rows, or fail before or amid them."""
        self.attempted = list(rows)
        self._fail("insert")
        if self.place == "half":
            self._store.insert(rows[: len(rows) // 2])
        self._fail("half")
        self._store.insert(rows)

    def commit(self) -> None:
        """Make them durable, or fail before or after."""
        self._fail("commit")
        self._store.commit()
        self._fail("committed")

    def rollback(self) -> None:
        """Forget what was not committed."""
        self._store.rollback()

    def rows(self, after: int) -> Iterator[Row]:
        """As they lie in the store."""
        return self._store.rows(after)

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def _fail(self, place: str) -> None:
        if self.place != place:
            return
        self.place = ""
        if self.crashes:
            raise Crash(place)
        problem = f"simulated disk error at {place}"
        raise LedgerError(problem, reason="unwritable")


class MemoryStore:
    """A ``Store`` that outlives the desk but touches no disk, for runs by the thousand."""

    def __init__(self) -> None:
        self._kept: list[Row] = []
        self._staged: list[Row] = []

    def begin(self) -> None:
        """Start a transaction."""
        self._staged = []

    def tip(self) -> tuple[int, str]:
        """Sequence and hash of the last row."""
        return (self._kept[-1].sequence, self._kept[-1].hash) if self._kept else (0, GENESIS)

    def known(self, keys: Sequence[str]) -> dict[str, Event]:
        """Those of the keys that are there, with their events."""
        wanted = set(keys)
        return {row.event.key: row.event for row in self._kept if row.event.key in wanted}

    def insert(self, rows: Sequence[Row]) -> None:
        """Stage rows."""
        self._staged += rows

    def commit(self) -> None:
        """Keep them."""
        self._kept += self._staged
        self._staged = []

    def rollback(self) -> None:
        """Forget them."""
        self._staged = []

    def rows(self, after: int) -> Iterator[Row]:
        """Rows with a greater sequence, in order."""
        return iter(self._kept[after:])

    def close(self) -> None:
        """Nothing to let go of; what was staged is gone, as in a crash."""
        self._staged = []

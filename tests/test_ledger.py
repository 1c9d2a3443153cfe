"""The ledger, in a file and on a server: what is acknowledged stays, what is changed is found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from killing import killed
from ledger_places import Place
from ledger_writer import event

import shockgrid as sg
from shockgrid.desk.calls_states import replay
from shockgrid.desk.ledger import GENESIS, Ledger
from shockgrid.errors import LedgerError

KILLS, BATCH = 5, 20
WRITERS, BATCHES = 4, 12
RESTART_SECONDS = 5.0
WRITER = Path(__file__).parent / "ledger_writer.py"


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    opened = Ledger.open(place.address, wait_seconds=0.2)
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
        ledger.append([event(2), replace(event(1), units=7)])
    assert reason(problem) == "conflict"
    assert len(list(ledger.rows())) == 2, "nothing of the batch was written"


def test_somebody_else_has_written(place: Place, ledger: Ledger) -> None:
    other = Ledger.open(place.address)
    other.append([event(0)])
    with pytest.raises(LedgerError, match="at row 1, not 0") as problem:
        ledger.append([event(1)], after=0)
    assert reason(problem) == "moved"
    assert ledger.append([event(1)], after=1) == 2
    assert [row.sequence for row in other.rows()] == [1, 2]
    other.close()


def test_writers_at_the_same_time(place: Place) -> None:
    """Each appends its batches, all of them one event of everybody's as well: one chain, nothing twice."""

    def write(writer: int) -> None:
        opened = Ledger.open(place.address)
        for batch in range(BATCHES):
            own = [event(1_000 * (writer + 1) + 2 * batch + offset) for offset in range(2)]
            opened.append([event(batch), *own])
        opened.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    opened = Ledger.open(place.address)
    keys = [row.event.key for row in opened.rows()]
    assert len(keys) == len(set(keys)) == BATCHES + WRITERS * 2 * BATCHES == opened.verify()[0]
    for writer in range(WRITERS):
        own = [key for key in keys if key.startswith(f"k{writer + 1}0") and len(key) == len("k1000")]
        assert own == [f"k{1_000 * (writer + 1) + number}" for number in range(2 * BATCHES)]
    opened.close()


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("units", 1, r"row 3 \(issue of call house/2026-11-20/2\) is not what was written"),
        ("digits", 0, "row 3 .* is not what was written"),
        ("margin_group", "'somebody else'", "row 3 .* is not what was written"),
        ("details", "''", "row 3 .* is not what was written"),
        ("previous_hash", "'0'", "row 3 .* does not follow the row before"),
        ("hash", "'0'", "row 3 .* is not what was written"),
        ("sequence", 99, r"row 3 is missing: row 4 .* follows row 2"),
    ],
)
def test_a_tampered_row_is_named(
    place: Place, ledger: Ledger, column: str, value: object, found: str
) -> None:
    ledger.append([event(number) for number in range(5)])
    place.tamper(f"UPDATE {place.table} SET {column} = {value} WHERE sequence = 3")
    with pytest.raises(LedgerError, match=found) as problem:
        ledger.verify()
    assert reason(problem) == "tampered"


def test_missing_rows_are_found(place: Place, ledger: Ledger) -> None:
    ledger.append([event(number) for number in range(5)])
    _, tip = ledger.verify()
    place.tamper(f"DELETE FROM {place.table} WHERE sequence = 5")
    assert ledger.verify()[0] == 4, "a chain that was cut at its end is a chain"
    with pytest.raises(LedgerError, match="no row has the hash"):
        ledger.verify(tip)
    place.tamper(f"DELETE FROM {place.table} WHERE sequence = 2")
    with pytest.raises(LedgerError, match="row 2 is missing: row 3"):
        ledger.verify()


def test_a_row_rewritten_with_a_new_hash_breaks_the_next(place: Place, ledger: Ledger) -> None:
    ledger.append([event(number) for number in range(3)])
    row = replace(list(ledger.rows())[1], event=replace(event(1), units=1))
    place.tamper(f"UPDATE {place.table} SET units = 1, hash = '{row.expected_hash()}' WHERE sequence = 2")
    with pytest.raises(LedgerError, match=r"row 3 .* does not follow the row before"):
        ledger.verify()


def test_rows_cannot_be_changed_by_accident(place: Place, ledger: Ledger) -> None:
    ledger.append([event(0)])
    for statement in (f"UPDATE {place.table} SET units = 1", f"DELETE FROM {place.table}"):
        with pytest.raises(place.refusal, match="append only"):
            place.change(statement)
    assert ledger.verify()[0] == 1


def test_a_locked_ledger_is_named_and_loses_nothing(place: Place, ledger: Ledger) -> None:
    ledger.append([event(0)])
    with place.held():
        with pytest.raises(LedgerError, match="another process holds the ledger") as problem:
            ledger.append([event(1)])
        assert [row.event for row in ledger.rows()] == [event(0)], "it can be read meanwhile"
    assert reason(problem) == "locked"
    assert ledger.append([event(1)]) == 2
    assert ledger.verify()[0] == 2


def test_a_full_disk_is_named_and_loses_nothing(place: Place, ledger: Ledger) -> None:
    ledger.append([event(0)])
    with place.full(ledger):
        with pytest.raises(LedgerError, match="no room is left on the disk") as problem:
            ledger.append([event(number) for number in range(1, 200)])
        assert reason(problem) == "full"
        assert [row.event for row in ledger.rows()] == [event(0)]
    assert ledger.append([event(number) for number in range(1, 200)]) == 200
    assert ledger.verify()[0] == 200


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"key": ""}, "needs a key"),
        ({"units": 1.5}, "whole minor units"),
        ({"units": True}, "whole minor units"),
        ({"units": 2**63}, "do not fit 64 bits"),
        ({"digits": -1}, "0 to 18 digits"),
        ({"digits": 19}, "0 to 18 digits"),
        ({"margin_group": "A\0"}, "column margin_group.* without NUL"),
        ({"reason": "\ud800"}, "column reason.* UTF-8"),
        ({"operator": 5}, "column operator.* text"),
    ],
)
def test_what_is_no_event_is_refused(ledger: Ledger, changed: dict[str, object], problem: str) -> None:
    with pytest.raises(sg.InputError, match=problem):
        ledger.append([event(0), replace(event(1), **changed)])  # type: ignore[arg-type]
    with pytest.raises(sg.InputError, match="share a key"):
        ledger.append([event(0), event(0)])
    assert list(ledger.rows()) == []


def test_names_are_data_and_nothing_else(place: Place, ledger: Ledger) -> None:
    names = ["'; DROP TABLE events;--", "=1+1", "\u202e\U0001f4a3", "\\", '"', "", "\t\\N", "%s", "a\nb"]
    hostile = [replace(event(number), margin_group=name) for number, name in enumerate(names)]
    ledger.append(hostile)
    assert [row.event for row in ledger.rows()] == hostile
    assert ledger.verify()[0] == len(hostile)


def test_killed_at_any_instant(place: Place) -> None:
    """No row that was acknowledged is lost, none is there twice, no batch is torn, and it opens again."""
    random, acknowledged = Random(20261120), 0
    for lines in range(KILLS):
        after = random.uniform(0.0, 0.05)
        first, said = killed(WRITER, [place.address, str(BATCH)], after=after, lines=lines)
        assert first == f"open {acknowledged}"
        acknowledged = int(said[-1]) if said else acknowledged
        started = time.perf_counter()
        ledger = Ledger.open(place.address)
        rows = list(ledger.rows())
        replay(row.event for row in rows)
        assert time.perf_counter() - started < RESTART_SECONDS
        assert len(rows) >= acknowledged
        assert len(rows) % BATCH == 0
        assert [row.event for row in rows] == [event(number) for number in range(len(rows))]
        assert ledger.verify()[0] == len(rows)
        ledger.close()
        acknowledged = len(rows)
    assert acknowledged >= BATCH * sum(range(KILLS))

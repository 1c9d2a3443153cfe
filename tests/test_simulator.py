"""The simulated desk holds its invariants, reproduces itself, and would see a desk that does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from shockgrid.desk import calls_plan, calls_states, simulator
from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.ledger import Row
from shockgrid.desk.simulator import simulate
from shockgrid.desk.simulator_faults import MemoryStore
from shockgrid.desk.simulator_world import World

SEEDS, ON_DISK = range(50), range(1000, 1003)  #: the first few also reconcile with the engine
PLANTED = range(8)  #: seeds in which a planted fault must be seen once


def test_fifty_seeds() -> None:
    events: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for seed in SEEDS:
        report = simulate(seed, liquidate=seed % 2 == 0)
        events += report.events
        ends += report.liquidations
        faults += report.faults
    assert set(calls_states.EVENTS) <= set(events), "every event of the table has happened"
    assert ends["cured"] >= 10, ends
    assert ends["cannot_cure"] >= 1, ends
    assert all(faults[kind] >= 10 for kind in ("disk", "crash", "restart", "clock")), faults


@pytest.mark.parametrize("seed", ON_DISK)
def test_the_same_on_a_disk(seed: int, tmp_path: Path) -> None:
    on_disk = simulate(seed, tmp_path, steps=6, reconcile=True)
    assert on_disk.last_hash == simulate(seed, steps=6).last_hash


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some seed sees what was planted, and says which seed it is."""
    with pytest.raises(AssertionError, match=r"seed \d+, step \d+"):
        list(map(simulate, PLANTED))
    monkeypatch.undo()


def test_a_lost_event_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = MemoryStore.insert

    def insert(self: MemoryStore, rows: Sequence[Row]) -> None:
        whole(self, rows[:-1] if len(rows) > 3 else rows)

    monkeypatch.setattr(MemoryStore, "insert", insert)
    broken(monkeypatch)


def test_a_batch_that_is_kept_by_halves_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryStore, "rollback", MemoryStore.commit)
    broken(monkeypatch)


def test_a_due_date_of_calendar_days_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    due = SessionCalendar.due
    monkeypatch.setattr(SessionCalendar, "due", lambda self, day, count: due(self, day, count - 1))
    broken(monkeypatch)


def test_an_act_on_doubted_figures_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_plan, "DOUBTED", ())
    broken(monkeypatch)


def test_a_call_that_stacks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    measure = calls_plan.RunPlan._measure
    monkeypatch.setattr(
        calls_plan.RunPlan, "_measure", lambda self, row: measure(self, {**row, "amends": False})
    )
    broken(monkeypatch)


def test_a_clock_that_goes_back_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    apply = calls_states.Calls.apply

    def forgetful(self: calls_states.Calls, event: calls_states.Event) -> None:
        apply(self, event)
        self.last_run_utc = ""

    monkeypatch.setattr(calls_states.Calls, "apply", forgetful)
    broken(monkeypatch)


def test_a_requirement_that_does_not_add_up_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = World.requirement
    monkeypatch.setattr(World, "requirement", lambda self, name, percent: exact(self, name, percent) + 1)
    with pytest.raises(AssertionError, match="needs"):
        simulate(5, steps=1, reconcile=True)


def test_the_simulator_says_what_it_did() -> None:
    report = simulate(3, steps=4)
    assert (report.seed, report.steps) == (3, 4)
    assert report.events["run"] == 4
    assert simulator.simulate(3, steps=4) == report

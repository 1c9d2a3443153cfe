"""The simulated desk holds its invariants, reproduces itself, and would see a desk that does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from shockgrid.desk import calls_plan, calls_states, calls_transitions, simulator, simulator_firm
from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.ledger import Ledger, Row
from shockgrid.desk.simulator import simulate
from shockgrid.desk.simulator_faults import MemoryStore
from shockgrid.desk.simulator_world import World
from shockgrid.requirement.standard_rows import StandardRows

SEEDS, ON_DISK, ON_THE_DESK = range(50), range(1000, 1002), range(2000, 2004)
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
    assert set(calls_transitions.EVENTS) <= set(events), "every event of the table has happened"
    assert ends["cured"] >= 10, ends
    assert ends["cannot_cure"] >= 1, ends
    assert all(faults[kind] >= 10 for kind in ("disk", "crash", "restart", "clock")), faults


@pytest.mark.parametrize("seed", ON_DISK)
def test_the_same_on_a_disk(seed: int, tmp_path: Path) -> None:
    """The live desk beside it as well: its figures, tick by tick and trade by trade, are the exact ones."""
    on_disk = simulate(seed, tmp_path, steps=6, reconcile=True)
    assert on_disk.last_hash == simulate(seed, steps=6, reconcile=True).last_hash


@pytest.mark.parametrize("seed", ON_THE_DESK)
def test_through_the_live_desk(seed: int) -> None:
    """Invariant 5 after every step: accounts sum to class groups, and both are what the shares come to."""
    assert simulate(seed, reconcile=True).events["run"] == simulator.STEPS


def test_calls_in_yen_and_in_coin(tmp_path: Path) -> None:
    """Without a live desk the accounts are kept in four currencies: each call has the digits of its own."""
    digits = set()
    for seed in range(3):
        simulate(seed, tmp_path)
        ledger = Ledger.open(tmp_path / f"simulated-{seed}.db")
        events = [row.event for row in ledger.rows()]
        digits |= {(event.margin_group, event.digits) for event in events if event.call_id}
        ledger.close()
    assert digits == {("a1", 2), ("a2", 0), ("a3", 8), ("a4", 2), ("=cmd", 3), ("<b>", 2)}


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


def test_a_payment_that_the_desk_forgets_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator_firm.Desk, "deposit", lambda self, account, amount: None)
    with pytest.raises(AssertionError, match="cents of equity_at_marks"):
        list(map(partial(simulate, reconcile=True), PLANTED))


def test_a_sale_that_the_desk_forgets_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator_firm.Desk, "trade", lambda self, fills: None)
    with pytest.raises(AssertionError, match="the desk says"):
        list(map(partial(simulate, reconcile=True), PLANTED))


def test_accounts_that_do_not_sum_to_class_groups_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.drawn(Random(1))
    firm = simulator_firm.Firm(world)
    firm.reconciled(world)
    exact = StandardRows.of_leaves
    monkeypatch.setattr(StandardRows, "of_leaves", lambda self, group: exact(self, group) + 0.01)
    with pytest.raises(AssertionError, match=r"class group AAA differ by 0\.0"):
        firm.reconciled(world)


def test_customers_sell_lots_until_enough_is_freed() -> None:
    """Of 300 shares at 50.00 a lot frees 1,250.00 at 25 %: two lots for 1,250.01, all three for 9,999.99."""
    for wanted, freed, left in ((125_000, 125_000, 200), (125_001, 250_000, 100), (999_999, 375_000, 0)):
        for side in (1, -1):
            world = World(Random(1), pd.Timestamp("2026-11-20T15:00Z"), prices={"AAA": 5_000})
            world.shares, world.cash = {"a1": {"AAA": 300 * side}}, {"a1": 0}
            before = world.requirement("a1", 25)
            assert world.close("a1", 25, wanted) == freed == before - world.requirement("a1", 25)
            assert world.shares["a1"]["AAA"] == left * side
            assert world.equity("a1") == 300 * side * 5_000, "at the market: equity is what it was"


def test_the_simulator_says_what_it_did() -> None:
    report = simulate(3, steps=4)
    assert (report.seed, report.steps) == (3, 4)
    assert report.events["run"] == 4
    assert simulator.simulate(3, steps=4) == report

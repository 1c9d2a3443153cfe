"""A deterministic simulator of the desk: one integer drives a firm through faults, and reproduces the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random

import pandas as pd

from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.calls_desk import CallDesk
from shockgrid.desk.calls_plan import Evidence
from shockgrid.desk.calls_states import OPEN, PROPOSED, Call, Event
from shockgrid.desk.calls_table import call_rules
from shockgrid.desk.ledger import Ledger
from shockgrid.desk.ledger_sqlite import SqliteStore
from shockgrid.desk.simulator_checks import Checks
from shockgrid.desk.simulator_faults import Crash, FaultyStore, MemoryStore
from shockgrid.desk.simulator_liquidation import Floor
from shockgrid.desk.simulator_world import World
from shockgrid.errors import InputError, LedgerError

STEPS = 8
FAULT_CHANCE, RESTART_CHANCE, JUMP_CHANCE = 0.15, 0.1, 0.1
AGAIN_CHANCE = 0.2  #: that something is sent a second time although it was acknowledged


@dataclass
class Report:
    """What a simulated run went through."""

    seed: int
    steps: int
    events: Counter[str] = field(default_factory=Counter)  #: of the ledger, by name
    faults: Counter[str] = field(default_factory=Counter)  #: injected, by kind
    liquidations: Counter[str] = field(default_factory=Counter)  #: plans that were judged, by how they end
    last_hash: str = ""  #: of the ledger: the same seed gives the same


def simulate(
    seed: int,
    folder: Path | None = None,
    *,
    steps: int = STEPS,
    reconcile: bool = False,
    liquidate: bool = False,
) -> Report:
    """Drive a desk over a ledger in a folder, or in memory; after each step every invariant is checked.

    Prices, trades, doubtful figures, promises, late and part payments, extensions, waivers, corrections,
    restarts, disk errors, crashes in every part of a write, clocks that jump back; all of it from ``seed``.
    With ``reconcile`` the firm at the end is margined by the engine as well; with ``liquidate`` an account of
    spreads and covered shorts in deficit, at the prices of the end, is liquidated and each step judged.

    Raises
    ------
    AssertionError : an invariant is broken; says the seed, the step and which.
    """
    run = _Simulation(seed, folder)
    for step in range(steps):
        try:
            run.step()
        except AssertionError as error:
            problem = f"seed {seed}, step {step}: {error}"
            raise AssertionError(problem) from error
    return run.finish(steps, reconcile=reconcile, liquidate=liquidate)


class _Simulation:
    def __init__(self, seed: int, folder: Path | None) -> None:
        self.random = Random(seed)
        self.report = Report(seed, 0)
        self.world = World.drawn(self.random)
        self.calendar, self.rules = SessionCalendar.new_york(), call_rules()
        self.path = folder / f"simulated-{seed}.db" if folder else None
        self.memory = MemoryStore()
        self.checks = Checks(self.calendar, self.rules)
        self.runs = 0
        self.open()

    def open(self) -> None:
        """Start the desk, as after a crash: everything it knows is what the ledger has."""
        kept = SqliteStore(self.path, wait_seconds=1.0) if self.path else self.memory
        self.store = FaultyStore(kept, self.random)
        self.ledger = Ledger(self.store)
        self.desk = CallDesk(self.ledger, calendar=self.calendar, rules=self.rules)

    def step(self) -> None:
        """Time passes, customers act, the desk looks at a run, and everything is checked."""
        self.world.step()
        if self.random.random() < RESTART_CHANCE:
            self.report.faults["restart"] += 1
            self.ledger.close()
            self.open()
        for call in list(self.desk.calls.by_id.values()):
            self.customer(call)
        self.margin_run()
        if self.random.random() < JUMP_CHANCE:
            self.jump()
        self.checks.state(self.ledger, self.desk, self.world)

    def margin_run(self) -> None:
        """One run of the whole firm."""
        self.runs += 1
        proof = Evidence(f"run{self.runs}", f"market{self.runs}", "parameters")
        frame, before = self.world.accounts(), dict(self.desk.calls.by_id)
        held: set[str] = set()

        def act() -> list[Event]:
            outcome = self.desk.run(frame, self.world.moment, proof)
            held.update(row.call_id for row in outcome.held)
            return list(outcome.events)

        self.checks.run(before, self.act(act), held, self.desk, self.world)

    def jump(self) -> None:
        """The clock goes back an hour: a run of that moment is refused and changes nothing."""
        self.report.faults["clock"] += 1
        earlier = self.world.now - pd.Timedelta(hours=1)
        kept = dict(self.desk.calls.by_id)
        try:
            self.desk.run(self.world.accounts(), earlier.to_pydatetime(), Evidence("jumped", "m", "p"))
        except InputError:
            assert self.desk.calls.by_id == kept, "a refused run has changed a call"
        else:
            problem = "a run from before the last one was taken"
            raise AssertionError(problem)

    def customer(self, call: Call) -> None:
        """What becomes of one call before the next run: nothing, or one act of the customer or the desk."""
        chance, left = self.random.random(), call.outstanding_cents
        due = pd.Timestamp(call.due_utc)
        if call.state == PROPOSED and chance < 0.4:
            waived = chance < 0.1
            self.record(call, "waive" if waived else "approve", reason="simulated" if waived else "")
        elif call.state in OPEN and chance < 0.02:
            self.record(call, "amend", cents=call.called_cents + 1, reason="a cent more, by a person")
        elif call.state in OPEN and chance < 0.1:
            self.record(call, "promise", cents=left)
        elif call.state == "funds_pending" and chance < 0.2:
            self.record(call, "return")
        elif call.state in (*OPEN, "expired") and chance < 0.35:
            self.pay(call, left if chance < 0.25 else max(1, left // 3))
        elif call.state in OPEN and chance < 0.38:
            later = self.calendar.due(self.calendar.trade_date(self.world.moment), 3)
            if pd.Timestamp(later) > due:
                self.record(call, "extend", due=later, reason="simulated")
        elif call.state in (*OPEN, "expired") and chance < 0.40:
            self.record(call, "waive", reason="simulated")
        elif call.state == "met" and call.cured_cents > 0 and chance < 0.05:
            self.world.cash[call.margin_group] -= call.cured_cents
            if self.desk.calls.unresolved(call.margin_group, call.kind):
                self.record(call, "close", reason="the wire came back; another call takes it up")
            else:
                self.record(call, "correct", cents=-call.cured_cents, reason="the wire came back")
        elif call.state == "expired" and chance < 0.7:
            self.record(call, "liquidate")
        elif call.state == "liquidation" and chance < 0.5:
            self.pay(call, left, "liquidation")
        elif call.state in ("met", "waived") and chance < 0.3:
            self.record(call, "close")

    def pay(self, call: Call, cents: int, manner: str = "deposit") -> None:
        """Money arrives, on the account and on the call; a minimum of equity is not cured by selling."""
        if manner in self.rules.row(call.kind, self.calendar.trade_date(self.world.moment)).cures:
            self.world.cash[call.margin_group] += cents
            self.record(call, "cure", cents=cents, manner=manner)

    def record(
        self,
        call: Call,
        event: str,
        *,
        cents: int = 0,
        manner: str = "",
        reason: str = "",
        due: datetime | None = None,
    ) -> None:
        """One act of a person, a little before the run."""
        at = self.world.moment

        def act() -> list[Event]:
            before = self.desk.sequence
            self.desk.record(
                call.call_id, event, at, operator="simulator", reason=reason, cents=cents, manner=manner,
                due=due,
            )  # fmt: skip
            return [row.event for row in self.ledger.rows(before)]

        self.act(act)

    def act(self, what: Callable[[], list[Event]]) -> list[Event]:
        """Do something under a fault, look at what is left after it, and do it again without one."""
        start, again = self.desk.sequence, True
        self.store.arm(FAULT_CHANCE)
        try:
            what()
            again = self.random.random() < AGAIN_CHANCE
        except LedgerError:
            self.report.faults["disk"] += 1
            self.checks.torn(self.ledger, self.store.attempted)
        except Crash:
            self.report.faults["crash"] += 1
            attempted = self.store.attempted
            self.ledger.close()
            self.open()
            self.checks.torn(self.ledger, attempted)
        self.store.arm(0.0)
        if again:
            what()
        events = [row.event for row in self.ledger.rows(start)]
        self.checks.acknowledge(events)
        return events

    def finish(self, steps: int, *, reconcile: bool, liquidate: bool) -> Report:
        """Reconcile with the engine and liquidate where that is asked for, count, and close the ledger."""
        if liquidate:
            floor = Floor.drawn(self.random, self.world.prices, self.world.moment)
            self.report.liquidations.update(floor.liquidated())
        if reconcile:
            self.checks.reconciled(self.world)
        self.report.steps = steps
        self.report.events.update(row.event.event for row in self.ledger.rows())
        _, self.report.last_hash = self.ledger.verify()
        self.ledger.close()
        return self.report

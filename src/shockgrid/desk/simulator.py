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
from shockgrid.desk.calls_states import Call, Event
from shockgrid.desk.calls_table import call_rules
from shockgrid.desk.calls_transitions import OPEN, PROPOSED
from shockgrid.desk.ledger import Ledger
from shockgrid.desk.ledger_sqlite import SqliteStore
from shockgrid.desk.simulator_checks import Checks
from shockgrid.desk.simulator_faults import Crash, FaultyStore, MemoryStore
from shockgrid.desk.simulator_firm import Firm
from shockgrid.desk.simulator_liquidation import Floor
from shockgrid.desk.simulator_world import EXCHANGE_PERCENT, HOUSE_PERCENT, World
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

    Prices, trades, doubtful figures, promises, late and part payments, sales, extensions, waivers,
    corrections, restarts, disk errors, crashes in every part of a write, clocks that jump back; all of it
    from ``seed``. With ``reconcile`` the firm lies on a live ``Desk`` too: prices, trades and payments go
    through it, runs are made of its figures, and after every step they are held against exact sums. With
    ``liquidate`` an account of spreads and covered shorts in deficit, at the prices of the end, is liquidated
    and each step judged.

    Raises
    ------
    AssertionError : an invariant is broken; says the seed, the step and which.
    """
    run = _Simulation(seed, folder, reconcile=reconcile)
    for step in range(steps):
        try:
            run.step()
        except AssertionError as error:
            problem = f"seed {seed}, step {step}: {error}"
            raise AssertionError(problem) from error
    return run.finish(steps, liquidate=liquidate)


class _Simulation:
    def __init__(self, seed: int, folder: Path | None, *, reconcile: bool) -> None:
        self.random = Random(seed)
        self.report = Report(seed, 0)
        self.world = World.drawn(self.random)
        self.firm = Firm(self.world) if reconcile else None
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
        if self.firm is not None:
            self.firm.reconciled(self.world)

    def figures(self) -> pd.DataFrame:
        """The accounts frame of a run: the live desk's, where there is one."""
        if self.firm is None:
            self.world.taken()
            return self.world.accounts()
        self.firm.follow(self.world)
        return self.firm.accounts(self.world)

    def margin_run(self) -> None:
        """One run of the whole firm."""
        self.runs += 1
        proof = Evidence(f"run{self.runs}", f"market{self.runs}", "parameters")
        frame, before = self.figures(), dict(self.desk.calls.by_id)
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
        chance, left = self.random.random(), call.outstanding_units
        due = pd.Timestamp(call.due_utc)
        if call.state == PROPOSED and chance < 0.4:
            waived = chance < 0.1
            self.record(call, "waive" if waived else "approve", reason="simulated" if waived else "")
        elif call.state in OPEN and chance < 0.02:
            self.record(call, "amend", units=call.called_units + 1, reason="a cent more, by a person")
        elif call.state in OPEN and chance < 0.1:
            self.record(call, "promise", units=left)
        elif call.state == "funds_pending" and chance < 0.2:
            self.record(call, "return")
        elif call.state in (*OPEN, "expired") and chance < 0.3:
            self.pay(call, left if chance < 0.25 else max(1, left // 3))
        elif call.state in (*OPEN, "expired") and chance < 0.35:
            self.sell(call)
        elif call.state in OPEN and chance < 0.38:
            later = self.calendar.due(self.calendar.trade_date(self.world.moment), 3)
            if pd.Timestamp(later) > due:
                self.record(call, "extend", due=later, reason="simulated")
        elif call.state in (*OPEN, "expired") and chance < 0.40:
            self.record(call, "waive", reason="simulated")
        elif call.state == "met" and call.cured_units > 0 and chance < 0.05:
            self.world.pay(call.margin_group, -call.cured_units)
            if self.desk.calls.unresolved(call.margin_group, call.kind):
                self.record(call, "close", reason="the wire came back; another call takes it up")
            else:
                self.record(call, "correct", units=-call.cured_units, reason="the wire came back")
        elif call.state == "expired" and chance < 0.7:
            self.record(call, "liquidate")
        elif call.state == "liquidation" and chance < 0.5:
            self.sell(call)
        elif call.state in ("met", "waived") and chance < 0.3:
            self.record(call, "close")

    def pay(self, call: Call, units: int) -> None:
        """Money arrives, on the account and on the call."""
        self.world.pay(call.margin_group, units)
        self.record(call, "cure", units=units, manner="deposit")

    def sell(self, call: Call) -> None:
        """Holdings are closed until what is outstanding is freed; a minimum of equity is not cured so."""
        if "liquidation" in self.rules.row(call.kind, self.calendar.trade_date(self.world.moment)).cures:
            percent = EXCHANGE_PERCENT if call.kind == "pm_deficiency" else HOUSE_PERCENT
            freed = self.world.close(call.margin_group, percent, call.outstanding_units)
            if freed:
                cured = min(freed, call.outstanding_units)
                self.record(call, "cure", units=cured, manner="liquidation")

    def record(
        self,
        call: Call,
        event: str,
        *,
        units: int = 0,
        manner: str = "",
        reason: str = "",
        due: datetime | None = None,
    ) -> None:
        """One act of a person, a little before the run."""
        at = self.world.moment

        def act() -> list[Event]:
            before = self.desk.sequence
            self.desk.record(
                call.call_id, event, at, operator="simulator", reason=reason, units=units, manner=manner,
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

    def finish(self, steps: int, *, liquidate: bool) -> Report:
        """Liquidate where that is asked for, count, and close the ledger."""
        if liquidate:
            floor = Floor.drawn(self.random, self.world.prices, self.world.moment)
            self.report.liquidations.update(floor.liquidated())
        self.report.steps = steps
        self.report.events.update(row.event.event for row in self.ledger.rows())
        _, self.report.last_hash = self.ledger.verify()
        self.ledger.close()
        return self.report

"""``shockgrid replay``: ticks or snapshots through the desk, with a view of what happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pandas as pd
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shockgrid.cli_common import counted
from shockgrid.cli_views import console, digits_shown, exit_status, money
from shockgrid.desk import Desk
from shockgrid.desk.breaches import Breaches
from shockgrid.desk.calls_desk import CallDesk, RunOutcome
from shockgrid.desk.calls_live import LiveCalls
from shockgrid.desk.calls_states import RUN
from shockgrid.desk.ledger import Ledger
from shockgrid.desk.replay import Source, Step, replayed
from shockgrid.errors import InputError
from shockgrid.io.column_map import ColumnMap
from shockgrid.io.tables import read_book, read_market
from shockgrid.io.tapes import snapshots, tape
from shockgrid.market import Market
from shockgrid.regimes import Policy, load_regime
from shockgrid.requirement import Regime

LAST_BREACHES = 12  #: rows of the live view


def replay_tape(
    source: Path,
    book: Path,
    market: Path | None,
    regime: str,
    policy: Path | None,
    backend: str,
    *,
    lots: bool = False,
    map_file: Path | None = None,
    ledger: str = "",
) -> int:
    """Replay a tape and print what became of the firm; the exit code of ``run``.

    Raises
    ------
    InputError : a tape of ticks comes without its market, or there is not exactly one of regime and policy.
    """
    if bool(regime) == (policy is not None):
        problem = "expected either a regime or a policy file, and not both"
        raise InputError(problem, column="regime", value=regime or None)
    column_map = ColumnMap.from_toml(map_file) if map_file else None
    first, rest = _opened(source, market, column_map)
    rules: Regime | Policy
    rules = load_regime(regime) if policy is None else Policy.from_toml(policy, first.as_of)
    desk = Desk(read_book(book, lots, column_map=column_map), first, rules, backend=backend)
    breaches = Breaches(desk.accounts, desk.time, desk.call_profiles)
    opened = Ledger.open(ledger) if ledger else None
    calls = LiveCalls(desk, breaches, CallDesk(opened)) if opened else None
    outcomes = []
    screen, steps = console(), list[Step]()
    _print_breaches(screen, breaches.log.query("state_after != 'watch'"))
    with live_view(screen) as view:
        for step in replayed(desk, rest, breaches):
            steps.append(step)
            outcomes.append(calls.take(step.breaches) if calls else None)
            view.show(step, breaches)
    closed = breaches.close(desk.time)
    _print_breaches(screen, closed)
    outcomes.append(calls.take(closed, desk.time) if calls else None)
    _print_end(screen, desk, steps, breaches)
    if opened:
        _print_calls(screen, [outcome for outcome in outcomes if outcome])
        opened.close()
    code, reason = exit_status(desk.accounts, desk.result().rejects)
    if code:
        screen.print(Text(f"exit {code}: {reason}"))
    return code


def _print_calls(screen: Console, outcomes: list[RunOutcome]) -> None:
    """What was written to the ledger, and what the last run left to somebody."""
    events = [event for outcome in outcomes for event in outcome.events if event.event != RUN]
    for event in events:
        screen.print(Text(f"{event.at_utc[:19]} {event.event} {event.call_id}"))
    for held in outcomes[-1].held if outcomes else ():
        screen.print(Text(f"held {held.call_id or held.margin_group}: {held.why}"))
    screen.print(Text(f"ledger: {counted(len(events), 'event')} of calls"))


def _opened(source: Path, market: Path | None, column_map: ColumnMap | None) -> tuple[Market, Source]:
    if source.is_dir():
        markets = snapshots(source, column_map)
        first = next(markets) if market is None else read_market(market, column_map=column_map)
        return first, markets
    if not source.exists():
        problem = "there is no such file or folder"
        raise InputError(problem, table=str(source))
    if market is None:
        problem = "a tape of ticks needs --market, the market they move"
        raise InputError(problem, table=str(source))
    return read_market(market, column_map=column_map), tape(source)


class View(Protocol):
    """Something that steps are shown on."""

    def show(self, step: Step, breaches: Breaches) -> None:
        """Show a step."""


class _Lines:
    """One line a step, for anything but a terminal."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen

    def show(self, step: Step, breaches: Breaches) -> None:
        """Print the step and its new breaches."""
        moved = f"{len(step.changes)} changed, {step.seconds * 1e3:.1f} ms"
        age = f", oldest spot {step.oldest} {step.age}" if step.oldest else ""
        self._screen.print(Text(f"{step.time.isoformat(timespec='seconds')}  {moved}{age}"))
        _print_breaches(self._screen, step.breaches)


class _Screen:
    """A table that is drawn over, on a terminal."""

    def __init__(self, live: Live) -> None:
        self._live, self._slowest, self._count = live, 0.0, 0

    def show(self, step: Step, breaches: Breaches) -> None:
        """Draw the latest state."""
        self._slowest, self._count = max(self._slowest, step.seconds), self._count + 1
        top = Table(show_header=False)
        for name, value in (
            ("market time", step.time.isoformat(timespec="seconds")),
            ("updates", f"{self._count:,}"),
            ("changed by the last", f"{len(step.changes):,}"),
            ("last, slowest", f"{step.seconds * 1e3:.1f} ms, {self._slowest * 1e3:.1f} ms"),
            ("oldest spot", f"{step.oldest} {step.age}" if step.oldest else ""),
        ):
            top.add_row(Text(name), Text(value, justify="right"))
        log = breaches.log.tail(LAST_BREACHES)
        lines = [Text(_sentence(row)) for row in log.itertuples()]
        self._live.update(Group(top, *lines))


@contextmanager
def live_view(screen: Console) -> Iterator[View]:
    """What shows the steps: a table drawn over on a terminal, one line a step anywhere else."""
    if not screen.is_terminal:
        yield _Lines(screen)
        return
    with Live(console=screen, refresh_per_second=8) as live:
        yield _Screen(live)


def _print_breaches(screen: Console, log: pd.DataFrame) -> None:
    for row in log.itertuples():
        screen.print(Text(f"  {_sentence(row)}"))


def _sentence(row: object) -> str:
    at, group, before, after = (
        getattr(row, name) for name in ("at", "margin_group", "state_before", "state_after")
    )
    deficit, currency, action, reason = (
        getattr(row, name) for name in ("deficit", "currency", "action", "reason")
    )
    short = f", short {money(deficit, digits_shown(currency))} {currency}" if deficit else ""
    why = f", waits for {reason}" if reason else f", {action}" if action else ""
    return f"{at:%Y-%m-%d %H:%M:%S} {group}: {before} -> {after}{short}{why}"


def _print_end(screen: Console, desk: Desk, steps: list[Step], breaches: Breaches) -> None:
    slowest = max(steps, key=lambda step: step.seconds, default=None)
    counts = breaches.log["state_after"].value_counts().to_dict()
    codes = desk.rejects["code"].value_counts().to_dict()
    told = {
        "updates": f"{len(steps):,}, {desk.dropped:,} rows or updates dropped, {desk.gaps:,} missing",
        "slowest": "" if slowest is None else f"{slowest.seconds * 1e3:.1f} ms at {slowest.time.isoformat()}",
        "breaches": f"{counts.get('breach', 0):,}, confirmed {counts.get('confirmed', 0):,}",
        "short now": f"{int((pd.Series(breaches.states) >= 2).sum()):,} of {len(breaches.names):,}",
        "rejects": ", ".join(f"{code} {count:,}" for code, count in codes.items()) or "none",
    }
    for name, value in told.items():
        screen.print(Text(f"{name}: {value}"))

"""The bare question of a whole firm: the worst loss of every leaf of a plan, in one walk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np

from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.engine import Plan, plan
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.market_states import MarketStates
from shockgrid.scenarios import ScenarioSet

#: Parts of a firm that threads take in turn: more than there are threads, so that none waits long at the end.
SHARES = 16
#: The same of a class group by itself, and positions below which a thread costs more than it saves.
LEAF_SHARES, SMALLEST_SHARE = 4, 8_192
#: Columns whose change makes the hint of ``Backend.prepare`` worth giving again.
HINTED = ("years", "rates", "yields", "vols")
BEFORE_ALL = -1  #: where the hint is remembered: before the first instrument
#: Bytes a position takes while a plan is made, and an instrument while it is laid out and priced.
POSITION_BYTES, INSTRUMENT_BYTES = 400, 500


def worst_losses(
    plan: Plan,
    states: MarketStates,
    backend: Backend,
    *,
    reduced: int | None = None,
    units: bool = False,
    executor: Executor | None = None,
) -> Worst:
    """The worst loss of every leaf of the whole plan, and where it falls: the bare question of a firm.

    Rows come in the order of ``plan.layout``: leaves by class group and margin group, instruments by class
    group.

    Parameters
    ----------
    states : scenarios that move spots and vols alone (``MarketStates.revised`` is false).
    reduced : how many of the scenarios are reduced; the others come as rows. None for all.
    units : whether the loss of one unit of each instrument by itself is wanted.
    executor : an executor of threads, each of which takes a share of the class groups; changes no bit.

    Raises
    ------
    InputError : a scenario revises instruments, an underlying has no shock, or what is asked for does not
        fit the memory at hand.
    """
    if states.revised:
        problem = "scenarios with a vol rule, days or known P&L of their own need rows; see group_risk_arrays"
        raise InputError(problem)
    layout, count = plan.relaid(), len(states.scenarios) if reduced is None else reduced
    leaf = 16 + 8 * (len(states.scenarios) - count)
    # the parts and the whole that is made of them
    needed = 2 * len(layout.leaves) * leaf + len(layout.instruments) * (INSTRUMENT_BYTES + 32 * units)
    _require_memory(backend, needed, f"{len(layout.leaves):,} leaves of {len(layout.instruments):,} series")
    return worst_of(layout.batch(states), count, backend, units=units, executor=executor)


def worst_of(
    batch: Batch, reduced: int, backend: Backend, *, units: bool, executor: Executor | None = None
) -> Worst:
    """``Backend.worst`` with the hint given before, and the shares of the batch taken by threads."""
    _prepare(batch, backend)
    if executor is None or not len(batch):
        return backend.worst(batch, reduced, units)
    if len(batch) > 1:
        parts = executor.map(lambda part: backend.worst(part, reduced, units), batch.cut(SHARES))
    else:  # every share prices all instruments, the first one answers for them
        shares, asked = _leaf_shares(batch), [units, *[False] * LEAF_SHARES]
        parts = executor.map(lambda part, own: backend.worst(part, reduced, own), shares, asked)
    return Worst(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _leaf_shares(batch: Batch) -> list[Batch]:
    """One class group in parts of some of its leaves each; a small one as it is."""
    first, last = batch.group_leaves.tolist()
    held = batch.leaf_positions[first : last + 1]
    if held[-1] - held[0] < SMALLEST_SHARE * LEAF_SHARES:
        return [batch]
    goals = np.linspace(held[0], held[-1], LEAF_SHARES + 1)[1:-1]
    edges = np.unique(np.concatenate([[first], first + np.searchsorted(held, goals), [last]]))
    return [replace(batch, group_leaves=edges[place : place + 2]) for place in range(len(edges) - 1)]


def _prepare(batch: Batch, backend: Backend) -> None:
    """Give the hint, but not twice for the same terms, vols and rules: it takes time and moves no value."""

    def prepared() -> tuple[Backend, None]:
        backend.prepare(batch.sections())
        return backend, None

    columns = [getattr(batch.series, name) for name in HINTED]
    rules = [
        rule for states in batch.states for rule in (states.vol_shocks, states.vol_floors, states.vol_caps)
    ]
    batch.remembered.find(BEFORE_ALL, backend, [*columns, *rules], prepared)


def worst_by_tile(
    books: Iterable[Book],
    market: Market,
    scenarios: ScenarioSet,
    backend: Backend,
    *,
    executor: Executor | None = None,
) -> Iterator[tuple[Plan, Worst]]:
    """The same for a firm too large to be laid out at once: book by book, each dropped before the next.

    Every book holds some of the accounts, and all those of a margin group. A series is priced once for each
    book that holds it, so books of some ten thousand accounts cost little more than one of all of them.

    Raises
    ------
    InputError : a margin group stands in two books, or a book does not fit the memory at hand.
    """
    states, seen = MarketStates.of(scenarios, market), set[str]()
    for book in books:
        names = set(book.accounts["margin_group"])
        twice = sorted(names & seen)
        if twice:
            problem = "expected all accounts of a margin group in one book"
            raise InputError(problem, table="accounts", column="margin_group", value=twice[0])
        seen |= names
        count = len(book.positions)
        _require_memory(backend, count * POSITION_BYTES, f"a book of {count:,} positions")
        tile = plan(book, market)
        yield tile, worst_losses(tile, states, backend, executor=executor)


def _require_memory(backend: Backend, needed: int, what: str) -> None:
    free = backend.free_bytes()
    if needed > free:
        problem = f"{what} need {needed / 1e9:,.1f} GB, {free / 1e9:,.1f} GB are free: ask for fewer at once"
        raise InputError(problem)

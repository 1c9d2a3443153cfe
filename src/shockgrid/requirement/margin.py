"""margin(): a book and a market in, every requirement out, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Floats
from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.columns import joined_rejects
from shockgrid.doors import refused, require_kind, whole_number
from shockgrid.engine import Plan, model_values, plan
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.requirement.assemble import accounts_frame, group_rates
from shockgrid.requirement.evaluate import Evaluator, Progress
from shockgrid.requirement.programs import programs_of
from shockgrid.requirement.regime import HasPrograms, Program, Regime
from shockgrid.requirement.result import MarginResult, Run
from shockgrid.requirement.totals import total

COIN_NOTE = (
    "P&L in coin is converted to the base currency at today's rate in every scenario; coin held as cash "
    "is not stressed"
)


class Clock(dict[str, float]):
    """Seconds per stage."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        start = perf_counter()
        yield
        self[name] = self.get(name, 0.0) + perf_counter() - start


def margin(
    book: Book,
    market: Market,
    regime_or_policy: Regime | HasPrograms,
    *,
    backend: str | Backend = "auto",
    executor: Executor | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> MarginResult:
    """Requirement, equity and excess of every margin group.

    Parameters
    ----------
    book, market : who holds what, and what it costs.
    regime_or_policy : one regime for all, or a policy that gives each program an exchange and a house
        regime; then the requirement is the greater of the two and ``binding`` names it.
    backend : "auto", "numpy" or a Backend.
    executor : an executor of threads that runs portfolio groups through its ``map``; results do not depend
        on it.
    threads : without an executor, a thread pool of this size; None or 1 for none.
    progress : called with (portfolio groups done, all of them) under each regime.

    Raises
    ------
    InputError : a regime does not fit the market, or a policy the book.
    BackendUnavailable : a backend asked for by name cannot run here.
    """
    require_kinds(book, market, regime_or_policy, executor)
    if threads is not None:
        whole_number(threads, "threads", least=1)
    if progress is not None and not callable(progress):
        expected = "a function of two numbers, or None"
        raise refused(expected, "progress", progress)
    clock, engine = Clock(), get_backend(backend)
    told = len(_backend_notes(engine))
    laid = laid_out(book, market, engine, clock)
    pool = ThreadPoolExecutor(threads) if executor is None and threads and threads > 1 else None
    try:
        found = margined(laid, regime_or_policy, engine, clock, executor=executor or pool, progress=progress)
    finally:
        if pool is not None:
            pool.shutdown()
    return replace(found, notes=tuple(dict.fromkeys([*found.notes, *_backend_notes(engine)[told:]])))


def _backend_notes(engine: Backend) -> list[str]:
    """What a backend has had to say so far; most never have."""
    return list(getattr(engine, "notes", ()))


class Laid(NamedTuple):
    """A book laid over a calibrated market and priced as it is: what any regime starts from."""

    plan: Plan
    values: Floats  #: [N] model values


def laid_out(book: Book, market: Market, engine: Backend, clock: Clock) -> Laid:
    """Calibrate, plan and price once, for one regime or for many."""
    with clock.stage("calibrate"):
        market = calibrated(market, engine)
    with clock.stage("plan"):
        whole = plan(book, market)
        return Laid(whole, model_values(whole, engine))


def margined(
    laid: Laid,
    regime_or_policy: Regime | HasPrograms,
    engine: Backend,
    clock: Clock,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> MarginResult:
    """``margin`` from what ``laid_out`` made."""
    whole, values = laid
    programs = programs_by_name(regime_or_policy)
    sides, strays = programs_of(whole, programs)
    runs = [
        evaluated(whole, values, regime, names, engine, executor, progress, clock)
        for regime, names in assignments(whole, sides or list(programs.values()))
    ]
    with clock.stage("assemble"):
        accounts, binding, lost = accounts_frame(whole, sides, runs, values, strays["key"])
    return MarginResult(
        accounts=accounts,
        rejects=joined_rejects([whole.book.rejects, whole.market.rejects, strays, lost]),
        regimes=named_regimes(programs),
        backend=engine.name,
        notes=notes_of(whole, runs),
        timings=dict(clock),
        runs=tuple(runs),
        binding_runs=binding,
    )


def require_kinds(book: object, market: object, regime: object, executor: object = None) -> None:
    """Refuse what is no book, market, regime or executor. Raises InputError."""
    require_kind(book, Book, "book")
    require_kind(market, Market, "market")
    if not (hasattr(regime, "programs") or isinstance(regime, Regime)):
        expected = "a Regime or a Policy, such as shockgrid.tims()"
        raise refused(expected, "regime_or_policy", regime)
    if executor is not None:
        require_kind(executor, Executor, "executor", "an executor of threads, or None")


def programs_by_name(regime_or_policy: Regime | HasPrograms) -> Mapping[str, Program]:
    """The programs of a policy; of one regime alone, one without a name that serves everybody."""
    if isinstance(regime_or_policy, Regime):
        regime = regime_or_policy
        exchange = regime if regime.side == "exchange" else None
        return {"": Program(exchange, None if exchange else regime)}
    if not regime_or_policy.programs:
        msg = "a policy needs at least one program"
        raise InputError(msg, table="policy")
    return regime_or_policy.programs


def assignments(whole: Plan, sides: list[Program]) -> list[tuple[Regime, NDArray[Any] | None]]:
    """Each distinct regime with the margin groups it applies to, None for all of them."""
    members: dict[int, tuple[Regime, list[int]]] = {}
    for code, program in enumerate(sides):
        for regime in (program.exchange, program.house):
            if regime is not None:
                members.setdefault(id(regime), (regime, []))[1].append(code)
    return [
        (regime, None if len(codes) >= len(whole.margin_groups) else whole.margin_groups[codes])
        for regime, codes in members.values()
    ]


def evaluated(
    whole: Plan,
    values: Floats,
    regime: Regime,
    names: NDArray[Any] | None,
    engine: Backend,
    executor: Executor | None,
    progress: Progress | None,
    clock: Clock,
) -> Run:
    """One regime over a plan, over the margin groups ``names`` alone unless they are None."""
    part = whole
    if names is not None:
        with clock.stage("plan"):
            part = plan(whole.book.select(names), whole.market)
    with clock.stage(f"price and aggregate, {regime.name}"):
        evaluator = Evaluator(part, regime, engine, values)
        rates = group_rates(part)
        evaluation = total(evaluator, *evaluator.run(executor, progress), values, rates)
    return Run(evaluator, evaluation, values, rates)


def named_regimes(programs: Mapping[str, Program]) -> dict[str, Regime]:
    """The regimes by side, or by program and side where there are several programs."""
    named = {}
    for name, program in programs.items():
        for side in ("exchange", "house"):
            regime = getattr(program, side)
            if regime is not None:
                named[side if len(programs) == 1 else f"{name}.{side}"] = regime
    return named


def notes_of(whole: Plan, runs: Sequence[Run]) -> tuple[str, ...]:
    """What a reader of these figures must know."""
    held = np.unique(whole.positions.instruments)
    notes = [COIN_NOTE] if whole.market.instruments.inverse[held].any() else []
    for run in runs:
        regime = run.evaluation.regime
        notes += [note for note in (*regime.notes, *regime.plan_notes(whole)) if note not in notes]
    return tuple(notes)

"""Who is paired with whom: closed forms for simple books, integer programs for the rest, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import replace
from itertools import pairwise
from time import perf_counter
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.reg_t.amounts import Alone
from shockgrid.reg_t.closed_forms import simple
from shockgrid.reg_t.legs import RATE, TICKS, Ints, Legs
from shockgrid.reg_t.program import Counts, Program, Tables, Task, build, task
from shockgrid.reg_t.rounding import rounded
from shockgrid.reg_t.rules import RegtRules
from shockgrid.reg_t.spreads import greatest_losses, spreads
from shockgrid.reg_t.straddles import straddles
from shockgrid.reg_t.templates import candidates

WHOLE = 1e-6  #: how far from a whole number a count of the solver may lie: its own tolerance
HALF_A_CENT = 0.005  #: a smaller gap cannot be seen in what is reported
BATCH_LEGS = 100  #: legs of all problems of one relaxation: large enough to hide what a call costs


KINDS = ("candidates", "chains", "members")


class Pairing(NamedTuple):
    """The groups of every problem, and how much less might be due where that is not known, [Q] currency."""

    tables: Tables
    counts: Counts
    gaps: Floats


class Deadline(NamedTuple):
    """How long the integer programs may take: of one problem, and until when all of them."""

    seconds_each: float
    until: float

    def left(self) -> float:
        """Seconds for the next problem, 0 or less when time is up."""
        return min(self.seconds_each, self.until - perf_counter())


def tables_of(legs: Legs, single: Alone, rules: RegtRules, *, initial: bool) -> Tables:
    """What may be formed of these legs, and what it saves at one of the two requirements."""
    groups = candidates(legs, single, rules)
    alone, prices = (single.initial, legs.paid) if initial else (single.maintenance, legs.prices)
    return Tables(
        legs=legs,
        candidates=groups,
        chains=straddles(legs, alone, prices),
        sets=spreads(legs),
        alone=alone,
        saved=groups.saved_initial if initial else groups.saved_maintenance,
    )


def paired(
    legs: Legs,
    single: Alone,
    rules: RegtRules,
    *,
    initial: bool,
    deadline: Deadline,
    pool: Executor,
    known: Pairing | None = None,
) -> Pairing:
    """The pairing of every problem that saves the most, or the best found and its gap.

    ``known`` is the pairing at the other requirement: a problem whose amounts are the same is not solved
    again.
    """
    tables = tables_of(legs, single, rules, initial=initial)
    size = int(legs.problems[-1]) + 1 if len(legs) else 0
    (counts, left), gaps = simple(tables, size), np.zeros(size)
    if known is not None:
        same = left & _same(tables, known.tables, size)
        _put(counts, tables, same, known.counts)
        gaps[same], left = known.gaps[same], left & ~same
    if left.any():
        part, masks = _part_of(legs, single, rules, tables, left, initial)
        solved, gaps[left] = _programs(part, deadline, pool)
        for name, mask in masks.items():
            getattr(counts, name)[mask] = getattr(solved, name)
    return Pairing(tables, counts, gaps)


def _put(counts: Counts, tables: Tables, problems: Mask, others: Counts) -> None:
    """Take the counts of some problems from others made over the same legs."""
    for name, owners in _owners(tables).items():
        wanted = problems[owners]
        getattr(counts, name)[wanted] = getattr(others, name)[wanted]


def _same(tables: Tables, other: Tables, size: int) -> Mask:
    """Problems in which nothing but options is held, at the same prices: both requirements are one."""
    legs = tables.legs
    differs = ~legs.is_option | (tables.alone != other.alone) | (legs.paid != legs.prices)
    return np.asarray(np.bincount(legs.problems, differs, size) == 0, bool)


def _part_of(
    legs: Legs, single: Alone, rules: RegtRules, tables: Tables, wanted: Mask, initial: bool
) -> tuple[Tables, dict[str, Mask]]:
    """The tables of some problems alone, renumbered, and which rows of the whole they are."""
    rows = wanted[legs.problems]
    some = legs.take(rows)
    some = replace(some, problems=(np.cumsum(wanted) - 1)[some.problems])
    part = tables_of(some, Alone(*(side[rows] for side in single)), rules, initial=initial)
    return part, {name: wanted[owners] for name, owners in _owners(tables).items()}


def _owners(tables: Tables) -> dict[str, Codes]:
    """Problem of every count."""
    sets = tables.sets
    members = sets.problems[sets.member_sets]
    return dict(zip(KINDS, (tables.candidates.problems, tables.chains.problems, members), strict=True))


def _programs(tables: Tables, deadline: Deadline, pool: Executor) -> tuple[Counts, Floats]:
    counts = Counts.none(tables)
    size = int(tables.legs.problems[-1]) + 1
    whole, bounds = np.zeros(size, bool), np.full(size, -np.inf)
    members = np.zeros(len(counts.members))

    def relax(at: Task) -> tuple[Task, Program, Floats | None]:
        program = build(tables, at)
        return at, program, program.solve(whole=False).x

    batches = sorted(_batches(tables, size), key=lambda at: at.members.start - at.members.stop)
    for at, program, values in pool.map(relax, batches):
        if values is not None:
            at.put(counts, program.counts(values))
            members[at.members] = values[sum(program.sizes[:2]) : sum(program.sizes)]
            whole[at.problems] = _is_whole(program, values, at)
            bounds[at.problems] = _by_problem(program, program.costs * values, at)
    counts = rounded(tables, counts, members, whole)
    gaps = np.where(whole, 0.0, np.maximum(-bounds - saved_by(tables, counts, size) / TICKS, 0.0))
    open_ = np.flatnonzero(gaps >= HALF_A_CENT)
    sizes = np.bincount(tables.sets.problems[tables.sets.member_sets], minlength=size)
    ordered = open_[np.lexsort((open_, sizes[open_]))]

    def finish(problem: int) -> tuple[int, Task, Counts, float] | None:
        return _finished(tables, problem, deadline)

    trial = Counts(*(getattr(counts, name).copy() for name in KINDS))
    left = gaps.copy()
    for done in pool.map(finish, ordered.tolist()):
        if done is not None:
            problem, at, found, left[problem] = done
            at.put(trial, found)
    better = saved_by(tables, trial, size) >= saved_by(tables, counts, size)
    _put(counts, tables, better, trial)
    gaps = np.minimum(gaps, np.maximum(left, 0.0))
    gaps[gaps < HALF_A_CENT] = 0.0
    return counts, gaps


def _finished(tables: Tables, problem: int, deadline: Deadline) -> tuple[int, Task, Counts, float] | None:
    left = deadline.left()
    if left <= 0.0:
        return None
    at = task(tables, problem, problem + 1)
    program = build(tables, at)
    answer = program.solve(whole=True, seconds=left)
    if answer.x is None:
        return None
    gap = 0.0 if answer.status == 0 else max(float(answer.fun - answer.mip_dual_bound), 0.0)
    return problem, at, program.counts(answer.x), gap


def _batches(tables: Tables, size: int) -> Iterator[Task]:
    ends = np.searchsorted(tables.legs.problems, np.arange(1, size + 1))
    batch = ends // BATCH_LEGS
    edges = np.append(np.flatnonzero(np.diff(batch, prepend=-1)), size)
    for first, last in pairwise(edges.tolist()):
        yield task(tables, first, last)


def _is_whole(program: Program, values: Floats, at: Task) -> Mask:
    counts = values[: sum(program.sizes)]
    odd = np.abs(counts - np.rint(counts)) > WHOLE
    owners = program.owners[: len(counts)][odd] - at.problems.start
    counted = np.bincount(owners, minlength=at.problems.stop - at.problems.start)
    return np.asarray(counted == 0, bool)


def _by_problem(program: Program, values: Floats, at: Task) -> Floats:
    owners = program.owners - at.problems.start
    return np.bincount(owners, values, at.problems.stop - at.problems.start).astype(np.float64)


def saved_by(tables: Tables, counts: Counts, size: int) -> Ints:
    """What the groups of each problem save against its legs by themselves: [Q] exact, in ticks."""
    groups, chains, sets = tables.candidates, tables.chains, tables.sets
    saved = np.zeros(size, object)
    np.add.at(saved, groups.problems, tables.saved.astype(object) * counts.candidates)
    np.add.at(saved, chains.problems, chains.saved.astype(object) * counts.chains)
    worth = tables.alone[sets.member_legs].astype(object) * counts.members
    np.add.at(saved, sets.problems[sets.member_sets], worth)
    losses, _ = greatest_losses(tables.legs, sets, counts.members)
    np.add.at(saved, sets.problems, -losses * RATE)
    return saved

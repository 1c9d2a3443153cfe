"""The pairing as an integer program: which groups to form, and how many of each, so that the least is due.

Variables, per problem: how many of every named group, how many contracts of every short hide or cover in a
straddle, how many contracts of every leg stand in every limited-risk set, each set's maximum potential loss.
A leg is used at most as often as it is held; a set holds as many calls long as short, and as many puts; its
loss at every strike is at most its maximum potential loss. Sums over strikes are written as running sums, so
that a row of the program holds a handful of numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from shockgrid.arrays import Codes, Floats
from shockgrid.reg_t.bounds import most, usable
from shockgrid.reg_t.legs import MICRO, TICKS, Ints, Legs
from shockgrid.reg_t.spreads import Spreads
from shockgrid.reg_t.straddles import Straddles
from shockgrid.reg_t.templates import Candidates


@dataclass(frozen=True)
class Tables:
    """Everything a program is built from, for one of the two requirements; sorted by problem."""

    legs: Legs
    candidates: Candidates
    chains: Straddles
    sets: Spreads
    alone: Ints  #: [L]
    saved: Ints  #: [C]


@dataclass(frozen=True)
class Counts:
    """What is formed: [C] groups, [H] contracts that hide or cover, [Z] contracts in limited-risk sets."""

    candidates: Ints
    chains: Ints
    members: Ints

    @classmethod
    def none(cls, tables: Tables) -> Counts:
        """Every leg by itself."""
        sizes = (len(tables.candidates), len(tables.chains.legs), len(tables.sets.member_legs))
        return cls(*(np.zeros(size, np.int64) for size in sizes))


class Task(NamedTuple):
    """Problems to be solved in one call, as slices of the tables."""

    problems: slice
    legs: slice
    candidates: slice
    chains: slice
    sets: slice
    members: slice
    points: slice

    def put(self, into: Counts, part: Counts) -> None:
        """Write the counts of this task into those of the firm."""
        for name in ("candidates", "chains", "members"):
            getattr(into, name)[getattr(self, name)] = getattr(part, name)


def task(tables: Tables, first: int, last: int) -> Task:
    """The slices of problems ``first`` to ``last`` (exclusive)."""
    ends = np.array([first, last])
    sets = np.searchsorted(tables.sets.problems, ends)
    return Task(
        slice(first, last),
        _between(tables.legs.problems, ends),
        _between(tables.candidates.problems, ends),
        _between(tables.chains.problems, ends),
        slice(*sets.tolist()),
        _between(tables.sets.member_sets, sets),
        _between(tables.sets.point_sets, sets),
    )


def _between(sorted_codes: Codes, ends: Codes) -> slice:
    return slice(*np.searchsorted(sorted_codes, ends).tolist())


class Program(NamedTuple):
    """min costs . v over lower <= v <= upper, row_lower <= matrix v <= row_upper."""

    costs: Floats
    matrix: Any
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    owners: Codes  #: problem of each variable
    sizes: tuple[int, int, int]  #: groups, chain places, members: the variables that are whole numbers

    def counts(self, values: Floats) -> Counts:
        """The whole-number variables, rounded down but for the solver's own tolerance."""
        whole = np.floor(values[: sum(self.sizes)] + 1e-6).astype(np.int64)
        x, h, _ = self.sizes
        return Counts(whole[:x], whole[x : x + h], whole[x + h :])

    def solve(self, *, whole: bool, seconds: float = np.inf) -> Any:
        """scipy's answer, with or without the demand for whole numbers."""
        kinds = np.zeros(len(self.costs), np.int64)
        kinds[: sum(self.sizes)] = whole
        options: Any = {"mip_rel_gap": 0.0} | ({"time_limit": seconds} if np.isfinite(seconds) else {})
        return milp(
            self.costs,
            integrality=kinds,
            bounds=Bounds(self.lower, self.upper),
            constraints=LinearConstraint(self.matrix, self.row_lower, self.row_upper),
            options=options,
        )


class _Entries:
    """Numbers of a sparse matrix as they come."""

    def __init__(self) -> None:
        self.rows: list[Codes] = []
        self.columns: list[Codes] = []
        self.numbers: list[Floats] = []

    def add(self, rows: Codes, columns: Codes, numbers: Any) -> None:
        """One number for each (row, column)."""
        self.rows.append(rows)
        self.columns.append(columns)
        self.numbers.append(np.broadcast_to(np.asarray(numbers, np.float64), rows.shape))

    def matrix(self, shape: tuple[int, int]) -> Any:
        """Column by column, the way the solver reads it."""
        row, column = np.concatenate(self.rows), np.concatenate(self.columns)
        number = np.concatenate(self.numbers)
        return sparse.csc_array((number, (row, column)), shape=shape)


def build(tables: Tables, at: Task) -> Program:
    """Variables in the order: groups, chain places, members, losses, chain balances, slopes, values."""
    legs = tables.legs.take(np.arange(at.legs.start, at.legs.stop))
    groups = tables.candidates.take(at.candidates)
    x, h = len(groups), at.chains.stop - at.chains.start
    z, m = at.members.stop - at.members.start, at.sets.stop - at.sets.start
    k, size = at.points.stop - at.points.start, len(legs)
    starts = np.cumsum([0, x, h, z, m, h, k, k])
    entries = _Entries()
    _use_groups(entries, groups, at)
    last = _chain_rows(entries, tables.chains, at, size, starts)
    lower, upper = np.zeros(starts[-1]), np.full(starts[-1], np.inf)
    upper[:x] = most(legs, groups, at.legs.start)
    upper[x : x + h] = legs.sizes[tables.chains.legs[at.chains] - at.legs.start]
    rows = last + 2 * k + m
    if m:
        members = tables.sets.member_legs[at.members] - at.legs.start
        upper[starts[2] : starts[3]] = legs.sizes[members]
        ends = _set_rows(entries, tables.sets, legs, at, last, starts)
        lower[starts[5] : starts[6]] = -np.inf
        lower[ends] = upper[ends] = 0.0
    row_upper = np.zeros(rows)
    row_upper[:size] = usable(legs, groups, at.legs.start)
    row_lower = row_upper.copy()
    row_lower[:size] = -np.inf
    return Program(
        _costs(tables, at, starts),
        entries.matrix((rows, int(starts[-1]))),
        lower,
        upper,
        row_lower,
        row_upper,
        _owners(tables, at),
        (x, h, z),
    )


def _use_groups(entries: _Entries, groups: Candidates, at: Task) -> None:
    used = groups.uses > 0
    columns = np.repeat(np.arange(len(groups)), used.sum(axis=1))
    entries.add((groups.legs - at.legs.start)[used], columns, groups.uses[used])


def _chain_rows(entries: _Entries, chains: Straddles, at: Task, size: int, starts: Codes) -> int:
    """Balance after each place = balance before it + covered - hidden; at least 0."""
    places = np.arange(at.chains.stop - at.chains.start)
    entries.add(chains.legs[at.chains] - at.legs.start, starts[1] + places, 1.0)
    later = places[~chains.first[at.chains]]
    entries.add(size + places, starts[4] + places, 1.0)
    entries.add(size + later, starts[4] + later - 1, -1.0)
    entries.add(size + places, starts[1] + places, np.where(chains.hides[at.chains], 1.0, -1.0))
    return size + len(places)


def _set_rows(
    entries: _Entries, sets: Spreads, legs: Legs, at: Task, row: int, starts: Codes
) -> NDArray[np.intp]:
    """Slopes and values at every price point, and the balance of calls; gives the last slope of each set.

    A value is the set's intrinsic value at the point plus its maximum potential loss, so it is at least 0.
    Puts are carried by parity: with as many long as short their slope is that of calls at the same strikes.
    """
    members = sets.member_legs[at.members] - at.legs.start
    owners = sets.member_sets[at.members] - at.sets.start
    point_of = sets.member_points[at.members] - at.points.start
    price, first = sets.points[at.points], np.diff(sets.point_sets[at.points], prepend=-1) > 0
    k, z, m = len(price), len(members), at.sets.stop - at.sets.start
    firsts, points = np.flatnonzero(first), np.arange(k)
    later, column = points[~first], starts[2] + np.arange(z)
    units = (legs.signs * legs.multipliers)[members].astype(np.float64)
    put = ~legs.is_call[members]
    above = (legs.strikes[members] - price[firsts[owners]]) / MICRO
    step = np.diff(price, prepend=0) / MICRO
    slope, value = starts[5] + points, starts[6] + points
    entries.add(members, column, 1.0)
    entries.add(row + points, slope, 1.0)
    entries.add(row + later, slope[later] - 1, -1.0)
    entries.add(row + point_of, column, -units)
    entries.add(row + k + points, value, 1.0)
    entries.add(row + k + later, value[later] - 1, -1.0)
    entries.add(row + k + later, slope[later] - 1, -step[later])
    entries.add(row + k + firsts, starts[3] + np.arange(m), -1.0)
    entries.add(row + k + firsts[owners[put]], column[put], -(units * above)[put])
    entries.add(row + 2 * k + owners[~put], column[~put], units[~put])
    return np.asarray(starts[5] + np.append(firsts[1:], k) - 1, np.intp)


def _costs(tables: Tables, at: Task, starts: Codes) -> Floats:
    costs = np.zeros(starts[-1])
    costs[: starts[1]] = -tables.saved[at.candidates] / TICKS
    costs[starts[1] : starts[2]] = -tables.chains.saved[at.chains] / TICKS
    costs[starts[2] : starts[3]] = -tables.alone[tables.sets.member_legs[at.members]] / TICKS
    costs[starts[3] : starts[4]] = 1.0
    return costs


def _owners(tables: Tables, at: Task) -> Codes:
    sets = tables.sets
    chained, points = tables.chains.problems[at.chains], sets.problems[sets.point_sets[at.points]]
    parts = [
        tables.candidates.problems[at.candidates],
        chained,
        sets.problems[sets.member_sets[at.members]],
        sets.problems[at.sets],
        chained,
        points,
        points,
    ]
    return np.concatenate(parts)

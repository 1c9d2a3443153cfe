"""One regime over its margin groups, kept portfolio group by portfolio group so that some can be redone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.backends.contract import Backend
from shockgrid.desk.joint import JointIndex
from shockgrid.desk.joint_rows import JointLeaves
from shockgrid.desk.resized import resized, rows_of
from shockgrid.desk.runs import Runs
from shockgrid.desk.side_rows import FoldedRows
from shockgrid.desk.side_worst import WorstColumns
from shockgrid.desk.spans import account_starts
from shockgrid.engine import Plan, plan, prepare
from shockgrid.requirement.collect import Collected
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.grouped import Grouped
from shockgrid.requirement.reducers import Reduced
from shockgrid.requirement.regime import Regime
from shockgrid.requirement.result import Run
from shockgrid.requirement.totals import total


class Side:
    """The live figures of one regime.

    ``members`` are the margin groups it applies to, as codes of the whole book; its own plan counts them
    from 0. ``runs`` are those of its plan.
    """

    def __init__(
        self,
        plan: Plan,
        members: Codes,
        regime: Regime,
        backend: Backend,
        values: Floats,
        runs: Runs,
        executor: Executor | None,
    ) -> None:
        self.regime, self.members = regime, members
        self.owned = Grouped(plan.positions.margin_groups, len(plan.margin_groups))
        self._grouped: dict[str, Grouped] = {}
        evaluator = Evaluator(plan, regime, backend, values)
        self._kept = (
            WorstColumns(evaluator, runs, executor)
            if WorstColumns.serve(evaluator, executor)
            else FoldedRows(evaluator)
        )

    @cached_property
    def starts(self) -> Codes:
        """The ``account_starts`` of its plan's book, which no update of a side moves."""
        return account_starts(self.plan.book)

    @property
    def evaluator(self) -> Evaluator:
        """The regime over the plan of its own margin groups."""
        return self._kept.evaluator

    @property
    def plan(self) -> Plan:
        """The plan of its own margin groups."""
        return self.evaluator.plan

    @property
    def found(self) -> Collected:
        """The columns of all its portfolio groups in canonical order."""
        return self._kept.found

    def grouped(self, name: str, margin_groups: Codes) -> Grouped:
        """Rows by margin group, laid out once for as long as the column of this name is the same one."""
        known = self._grouped.get(name)
        if known is None or known.codes is not margin_groups:
            known = self._grouped[name] = Grouped(margin_groups, len(self.members))
        return known

    def build(self, before: Side | None, redone: Collection[str]) -> None:
        """Work out every portfolio group, but take over from ``before`` those that are not ``redone``."""
        mine, theirs = self._kept, None if before is None else before._kept
        if isinstance(mine, WorstColumns):
            mine.build(theirs if isinstance(theirs, WorstColumns) else None, redone)
        else:
            mine.build(theirs if isinstance(theirs, FoldedRows) else None, redone)

    def move(self, plan: Plan, values: Floats) -> Mask:
        """Another state of the market; which underlyings [U] its scenarios now treat in another way."""
        before = self.evaluator.states
        self._kept.evaluator = self.evaluator.moved(plan, values)
        after = self.evaluator.states
        return np.zeros(len(after.names), np.bool_) if after is before else after.differs(before)

    def resize(self, whole: Plan, accounts: Texts, symbols: Texts, runs: Runs) -> None:
        """Take over other quantities of these accounts in these symbols, of those of them it has.

        ``runs`` are those of the whole plan.
        """
        if len(self.members) == len(whole.margin_groups):
            self._hold(whole, runs)
            return
        rows = rows_of(self.plan, accounts, symbols)
        if (rows >= 0).any():
            book = whole.book.select(self.plan.margin_groups)
            own = resized(self.plan, book, rows[rows >= 0], self.starts)
            self._hold(own, Runs(own))

    def pay(self, whole: Plan) -> None:
        """Take over other cash of the whole book's accounts."""
        same = len(self.members) == len(whole.margin_groups)
        book = whole.book if same else whole.book.select(self.plan.margin_groups)
        self._hold(replace(self.plan, book=book), None)

    def _hold(self, plan: Plan, runs: Runs | None) -> None:
        self._kept.evaluator = self.evaluator.moved(plan, self.evaluator.values)
        if runs is not None and isinstance(self._kept, WorstColumns):
            self._kept.hold(runs)

    def redo(self, names: Collection[str], *, resized: bool) -> bool:
        """Work out these portfolio groups again, those of them it has; see ``FoldedRows.redo``."""
        return self._kept.redo(names, resized=resized)

    def settle(self) -> None:
        """Work out what no requirement depends on, where that was put off."""
        if isinstance(self._kept, WorstColumns):
            self._kept.settle()

    def run(self, values: Floats, rates: Floats) -> Run:
        """All that a full calculation finds; ``rates`` [M] are those of its margin groups' currencies."""
        rows = self._kept.joint_rows()
        found = total(self.evaluator, self._kept.results(), rows, values, rates)
        return Run(self.evaluator, found, values, rates)

    def joint_index(self, codes: Codes) -> JointIndex | JointLeaves | None:
        """Where the rows of these margin groups (ascending, of its own plan) stand under one joint worst,
        None where there is none; for as long as no row moves."""
        return self._kept.joint_index(codes)

    def joint_worst(self, index: JointIndex | JointLeaves | None) -> Reduced | None:
        """What the joint rows of the margin groups of an index are reduced to."""
        if isinstance(index, JointLeaves) and isinstance(self._kept, WorstColumns):
            return self._kept.joint_worst(index)
        if isinstance(index, JointIndex) and isinstance(self._kept, FoldedRows):
            return self._kept.joint_worst(index)
        return None


#: Regimes and the names of their margin groups, None for all.
Assigned: TypeAlias = Sequence[tuple[Regime, Any]]
#: A whole plan, its model values, its runs; backend and executor.
Laid: TypeAlias = tuple[Plan, Floats, Runs, Backend, Executor | None]


def sides_over(
    assigned: Sequence[tuple[Regime, Any]],
    laid: Laid,
    kept: Mapping[int, Side] | None,
    redone: Collection[str],
) -> list[Side]:
    """A side for each regime over its margin groups.

    ``kept`` are those before, by the identity of their regime: all is taken over from them but for the
    portfolio groups ``redone`` and those that scenarios now treat in another way. None works out everything.
    """
    (whole, values, runs, backend, executor), sides = laid, []
    names_of = whole.market.underlyings.portfolio_groups
    for regime, names in assigned:
        part = whole if names is None else plan(whole.book.select(names), whole.market)
        members = np.searchsorted(whole.margin_groups, part.margin_groups)
        own = runs if names is None else Runs(part)
        side = Side(part, members, regime, backend, values, own, executor)
        before = None if kept is None else kept.get(id(regime))
        if before is None:
            prepare(part, side.evaluator.states, backend)
            side.build(None, ())
        else:
            changed = side.evaluator.states.differs(before.evaluator.states)
            side.build(before, {*redone, *names_of[changed].tolist()})
        sides.append(side)
    return sides

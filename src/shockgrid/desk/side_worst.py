"""The leaves of a side of which only the worst loss is asked, as columns; some of them can be found again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Executor
from dataclasses import replace
from itertools import groupby, islice
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.again import FindsAgain, same_terms
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Series
from shockgrid.desk.joint_rows import JointLeaves, JointRows
from shockgrid.desk.runs import Run, Runs
from shockgrid.desk.spans import rows_of_accounts
from shockgrid.market_states import MarketStates
from shockgrid.requirement.collect import Collected, NodeColumns
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.priced import PortfolioResult
from shockgrid.requirement.reducers import Reduced
from shockgrid.requirement.regime import Leaves
from shockgrid.whole_firm import worst_of

Again: TypeAlias = Callable[[Series], None]


class WorstColumns:
    """What ``Evaluator.run`` finds without rows, for all leaves of a plan in canonical order."""

    @staticmethod
    def serve(evaluator: Evaluator, executor: Executor | None = None) -> bool:
        """Whether the worst losses, and rows as ``JointRows`` keep them, are all that is asked, and scenarios
        with the same tag stand together."""
        tags = [evaluator.scenarios.tags[place] for place in evaluator.other]
        asked = evaluator.reducible or JointRows.serve(evaluator, executor)
        return asked and len(list(groupby(tags))) == len(set(tags))

    def __init__(self, evaluator: Evaluator, runs: Runs, executor: Executor | None = None) -> None:
        plan, layout = evaluator.plan, evaluator.plan.relaid()
        groups = [group for groups in plan.portfolios for group in groups]
        count, units = len(layout.leaves), len(layout.instruments)
        self.evaluator, self._executor = evaluator, executor
        self._unsummed = set[str]()  #: portfolio groups whose positions' own losses are not yet added up
        self.hold(runs)
        self._longs, self._shorts = np.zeros(units), np.zeros(units)
        self._rest = np.zeros((count, len(evaluator.other)), order="F")  # read column by column
        self._shown = np.concatenate([np.zeros(0, np.intp), *(group.shown for group in groups)])
        names = {
            column: _repeated([getattr(group, column) for group in groups], layout.group_leaves)
            for column in ("name", "product_group", "portfolio_group")
        }
        tags = np.asarray(evaluator.scenarios.tags, object)[evaluator.other]
        leaves = Leaves(
            margin_groups=layout.leaves,
            class_groups=names["name"],
            product_groups=names["product_group"],
            portfolio_groups=names["portfolio_group"],
            underlyings=self._shown,
            losses=np.zeros(count),
            scenarios=np.zeros(count, np.intp),
            price_shocks=np.zeros(count),
            vol_shocks=np.zeros(count),
            tagged={str(tag): self._rest[:, _slice(tags == tag)] for tag in dict.fromkeys(tags)},
        )
        charges = np.zeros(count)
        nodes = NodeColumns(leaves.margin_groups, leaves.losses, leaves.scenarios, charges, self._shown)
        self.joint: JointRows | None = None
        top = nodes
        if not evaluator.reducible:
            self.joint, top = JointRows(evaluator, runs, layout.leaves), NodeColumns.of([])
        self.found = Collected(leaves, np.zeros(count), charges, top, nodes, None)

    def hold(self, runs: Runs) -> None:
        """Take over other quantities in the same places."""
        if self._unsummed:
            self.settle()
        self.runs = runs
        self._batches: WeakKeyDictionary[Run, tuple[MarketStates, Batch, Again | None]] = WeakKeyDictionary()

    def build(self, kept: WorstColumns | None, redone: Collection[str]) -> None:
        """Find all, but take over from ``kept`` the portfolio groups that are not to be ``redone``."""
        if kept is None:
            self._find(self.runs.every)
            self._charge(self.runs.every)
            self._unsummed.update(self.runs.names)
            return
        kept.settle()
        names, there = self.runs.names, set(kept.runs.names).difference(redone)
        known = [name for name in names if name in there]
        mine, theirs = self.runs.places(known), kept.runs.places(known)
        to, of = (
            rows_of_accounts(runs.leaf_starts, places)
            for runs, places in ((self.runs, mine), (kept.runs, theirs))
        )
        for column, given in zip(self._by_leaf(), kept._by_leaf(), strict=True):
            column[to] = given[of]
        if self.joint is not None and kept.joint is not None:
            self.joint.take_over(kept.joint, known)
        to, of = (
            rows_of_accounts(runs.column_starts, places)
            for runs, places in ((self.runs, mine), (kept.runs, theirs))
        )
        for column, given in ((self._longs, kept._longs), (self._shorts, kept._shorts)):
            column[to] = given[of]
        self.redo([name for name in names if name not in known], resized=True)

    def redo(self, names: Collection[str], *, resized: bool) -> bool:
        """Find these portfolio groups again, those of them that the plan has; ``resized`` says whether
        quantities have changed, and not the market alone. No row moves."""
        self._unsummed.update(names)
        for run in self.runs.of(names):
            self._find(run)
            if resized:
                self._charge(run)
        return False

    def results(self) -> list[PortfolioResult]:
        """What ``Evaluator.run`` would return."""
        leaves = self.found.leaves
        losses, scenarios = leaves.losses.copy(), leaves.scenarios.copy()  # updates write into these
        found = Worst(losses, scenarios, self._rest.copy(), self._longs.copy(), self._shorts.copy())
        results = list(self.evaluator.results(found))
        return results if self.joint is None else [result._replace(nodes=[]) for result in results]

    def joint_index(self, codes: Codes) -> JointLeaves | None:
        """See ``Side.joint_index``."""
        return None if self.joint is None else self.joint.index(codes)

    def joint_rows(self) -> Floats | None:
        """P&L [M, S] of all margin groups under one joint worst."""
        return None if self.joint is None else self.joint.sums()

    def joint_worst(self, index: JointLeaves) -> Reduced | None:
        """What the joint rows of these margin groups are reduced to."""
        return None if self.joint is None else self.joint.worst(index)

    def settle(self) -> None:
        """Sum what single positions lose, where that was put off."""
        for run in self.runs.of(self._unsummed):
            both = np.concatenate([self._longs[run.columns], self._shorts[run.columns]])
            self.found.stand_alone[run.leaves] = run.by_leaf.sums(run.sizes * both.take(run.held_sides))
        self._unsummed.clear()

    def _find(self, run: Run) -> None:
        leaves, states, rows = self.found.leaves, self.evaluator.standard_states, run.leaves
        if rows.start == rows.stop:  # nothing is held, and a batch of nothing has no scenarios
            return
        into = Worst(
            leaves.losses[rows],
            leaves.scenarios[rows],
            self._rest[rows],
            self._longs[run.columns],
            self._shorts[run.columns],
        )
        batch, again = self._batch(run, into)
        if again is not None:
            again(batch.series)
        else:
            standard, backend = len(self.evaluator.standard), self.evaluator.backend
            found = worst_of(batch, standard, backend, units=True, executor=self._executor)
            for column, values in zip(into, found, strict=True):
                column[:] = values
        places = self._shown[rows] * len(states.scenarios) + into.scenarios
        leaves.price_shocks[rows] = states.spot_shocks.take(places)
        leaves.vol_shocks[rows] = states.vol_shocks.take(places)

    def _charge(self, run: Run) -> None:
        groups = islice(self.evaluator.plan.class_groups(), *run.groups)
        parts = [np.zeros(0), *(self.evaluator.charges(group) for group in groups)]
        self.found.charges[run.leaves] = np.concatenate(parts)

    def _batch(self, run: Run, into: Worst) -> tuple[Batch, Again | None]:
        """The batch of a run over the market as it is, and who finds its worst losses into these arrays."""
        states, series = self.evaluator.states, run.series(self.evaluator.plan.market)
        known, backend = self._batches.get(run), self.evaluator.backend
        if known is not None and known[0] is states and same_terms(known[1].series, series):
            return replace(known[1], series=series), known[2]
        if known is not None and known[0] is states:
            batch = replace(known[1], series=series)
        else:
            batch = replace(run.layout.batch(states), series=series)
        again = None
        if self._executor is None and isinstance(backend, FindsAgain):
            rows = None if self.joint is None else self.joint.addresses[run.leaves]
            again = backend.worst_again(batch, len(self.evaluator.standard), into, rows)
        self._batches[run] = states, batch, again
        return batch, again

    def _by_leaf(self) -> tuple[Any, ...]:
        leaves = self.found.leaves
        moving = (leaves.losses, leaves.scenarios, leaves.price_shocks, leaves.vol_shocks, self._rest)
        return (*moving, self.found.stand_alone, self.found.charges)


def _repeated(names: list[str], starts: Codes) -> Any:
    return np.repeat(np.array(names, object), np.diff(starts))


def _slice(mask: Any) -> Any:
    """The columns of a mask, as a slice where they follow one upon another: a view, not a copy."""
    rows = np.flatnonzero(mask)
    return slice(int(rows[0]), int(rows[-1]) + 1)

"""The leaves of a side of which only the worst loss is asked, as columns; some of them can be found again."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Executor
from dataclasses import replace
from itertools import groupby, islice
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from shockgrid.arrays import Codes
from shockgrid.backends.batch import Batch, Worst
from shockgrid.desk.runs import Run, Runs
from shockgrid.desk.spans import rows_of_accounts
from shockgrid.market_states import MarketStates
from shockgrid.requirement.collect import Collected, NodeColumns
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.priced import PortfolioResult
from shockgrid.requirement.regime import Leaves
from shockgrid.whole_firm import worst_of


class WorstColumns:
    """What ``Evaluator.run`` finds without rows, for all leaves of a plan in canonical order."""

    @staticmethod
    def serve(evaluator: Evaluator) -> bool:
        """Whether the worst losses are all that is asked, and scenarios with the same tag stand together."""
        tags = [evaluator.scenarios.tags[place] for place in evaluator.other]
        return evaluator.reducible and len(list(groupby(tags))) == len(set(tags))

    def __init__(self, evaluator: Evaluator, runs: Runs, executor: Executor | None = None) -> None:
        plan, layout = evaluator.plan, evaluator.plan.relaid()
        groups = [group for groups in plan.portfolios for group in groups]
        count, units = len(layout.leaves), len(layout.instruments)
        self.evaluator, self._executor = evaluator, executor
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
        self.found = Collected(leaves, np.zeros(count), charges, nodes, nodes, None)

    def hold(self, runs: Runs) -> None:
        """Take over other quantities in the same places."""
        self.runs = runs
        self._batches: WeakKeyDictionary[Run, tuple[MarketStates, Batch]] = WeakKeyDictionary()

    def build(self, kept: WorstColumns | None, redone: Collection[str]) -> None:
        """Find all, but take over from ``kept`` the portfolio groups that are not to be ``redone``."""
        if kept is None:
            self._find(self.runs.every)
            self._charge(self.runs.every)
            return
        names, there = self.runs.names, set(kept.runs.names).difference(redone)
        known = [name for name in names if name in there]
        mine, theirs = self.runs.places(known), kept.runs.places(known)
        to, of = (
            rows_of_accounts(runs.leaf_starts, places)
            for runs, places in ((self.runs, mine), (kept.runs, theirs))
        )
        for column, given in zip(self._by_leaf(), kept._by_leaf(), strict=True):
            column[to] = given[of]
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
        return list(self.evaluator.results(found))

    def _find(self, run: Run) -> None:
        leaves, states = self.found.leaves, self.evaluator.standard_states
        found = worst_of(
            self._batch(run),
            len(self.evaluator.standard),
            self.evaluator.backend,
            units=True,
            executor=self._executor,
        )
        if len(found.losses) == 0:  # nothing is held, and a batch of nothing has no scenarios
            return
        rows = run.leaves
        leaves.losses[rows], leaves.scenarios[rows], self._rest[rows] = (
            found.losses,
            found.scenarios,
            found.rest,
        )
        places = self._shown[rows] * len(states.scenarios) + found.scenarios
        leaves.price_shocks[rows] = states.spot_shocks.take(places)
        leaves.vol_shocks[rows] = states.vol_shocks.take(places)
        self._longs[run.columns], self._shorts[run.columns] = found.longs, found.shorts
        alone = run.sizes * np.concatenate([found.longs, found.shorts]).take(run.held_sides)
        self.found.stand_alone[rows] = run.by_leaf.sums(alone)

    def _charge(self, run: Run) -> None:
        groups = islice(self.evaluator.plan.class_groups(), *run.groups)
        parts = [np.zeros(0), *(self.evaluator.charges(group) for group in groups)]
        self.found.charges[run.leaves] = np.concatenate(parts)

    def _batch(self, run: Run) -> Batch:
        states, series = self.evaluator.states, run.series(self.evaluator.plan.market)
        known = self._batches.get(run)
        if known is None or known[0] is not states:
            known = self._batches[run] = states, run.layout.batch(states)
        return replace(known[1], series=series)

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

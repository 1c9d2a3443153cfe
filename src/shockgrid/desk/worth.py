"""Equity of every margin group, kept leaf by leaf so that a few leaves can be valued again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends.again import FindsAgain
from shockgrid.backends.contract import Backend
from shockgrid.desk.runs import Run
from shockgrid.desk.spans import run_of
from shockgrid.engine import Plan, Positions
from shockgrid.requirement.equity import (
    Equity,
    counted_from,
    equity_leaves,
    mark_values,
    money_of,
    worth_of,
)
from shockgrid.requirement.grouped import Grouped


class Holdings(NamedTuple):
    """The leaves of some margin groups."""

    codes: Codes  #: of the margin groups, ascending
    leaves: Codes
    by_group: Grouped


class Worth:
    """What ``requirement.equity.equity`` sums, to the last bit, for the margin groups that are asked for."""

    def __init__(self, plan: Plan, values: Floats, every: Run, backend: Backend) -> None:
        self._backend = backend
        self._leaf_of, self._leaf_groups = equity_leaves(plan)
        self._sums = np.zeros((2, len(self._leaf_groups)))
        self._by_group = Grouped(self._leaf_groups, len(plan.margin_groups))
        self._paid = np.zeros(0)
        self._counted: tuple[Positions, Mask] | None = None  #: what ``_paid`` was found with
        self.hold(plan)
        self.value(plan, values, every)

    def hold(self, plan: Plan) -> None:
        """Take cash, overrides and prices paid from the plan's book."""
        money, held = money_of(plan), plan.positions
        self._rest = plan.by_margin_group(money.amounts, plan.account_groups)
        known = self._counted
        if known is None or known[0] is not held or not np.array_equal(known[1], money.counts_positions):
            self._counted = held, money.counts_positions
            self._paid = counted_from(plan, money)

    def value(self, plan: Plan, values: Floats, run: Run) -> None:
        """Value the positions of a run of the plan again; ``values`` [N] are model values."""
        rows, instruments = run.positions, run.layout.instruments
        if rows.start == rows.stop:
            return
        first, last = int(self._leaf_of[rows.start]), int(self._leaf_of[rows.stop - 1])
        paid, layout = self._paid[rows], run.layout
        into = self._sums[:, first : last + 1]
        model = values.take(instruments)
        prices = np.stack([mark_values(plan, model, instruments), model])
        # leaves are the layout's, but where two class groups of one name stand side by side
        own = into.shape[1] == len(layout.leaves)
        if own and isinstance(self._backend, FindsAgain):
            places, starts = layout.held_places, layout.leaf_positions
            into[:] = self._backend.leaf_worth(starts, places, layout.weights, paid, prices)
            return
        leaves = run.by_leaf if own else Grouped(self._leaf_of[rows] - first, into.shape[1])
        for sums, kind in zip(into, prices, strict=True):
            sums[:] = leaves.sums(worth_of(layout.weights, kind.take(layout.held_places), paid))

    def holdings(self, codes: Codes) -> Holdings:
        """The leaves of these margin groups, ascending."""
        leaves = self._by_group.rows(codes)
        own = np.searchsorted(codes, self._leaf_groups[leaves])
        return Holdings(codes, leaves, Grouped(own, len(codes)))

    def of(self, held: Holdings) -> Equity:
        """Equity of the margin groups of these holdings."""
        rest, leaves = self._rest[run_of(held.codes)], run_of(held.leaves)
        return Equity(*(held.by_group.sums(sums[leaves]) + rest for sums in self._sums))

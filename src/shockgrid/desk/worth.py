"""Equity of every margin group, kept leaf by leaf so that a few leaves can be valued again."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.engine import Plan
from shockgrid.requirement.equity import (
    Equity,
    counted_from,
    equity_leaves,
    mark_values,
    money_of,
    worth_of,
)


class Worth:
    """What ``requirement.equity.equity`` sums, to the last bit, for the margin groups that are asked for."""

    def __init__(self, plan: Plan, values: Floats) -> None:
        self._leaf_of, self._leaf_groups = equity_leaves(plan)
        self._sums = np.zeros((2, len(self._leaf_groups)))
        self._order = np.argsort(self._leaf_groups, kind="stable")
        self._starts = np.searchsorted(self._leaf_groups[self._order], np.arange(len(plan.margin_groups) + 1))
        self.hold(plan)
        self.value(plan, values, slice(0, len(self._leaf_of)))

    def hold(self, plan: Plan) -> None:
        """Take cash, overrides and prices paid from the plan's book."""
        money = money_of(plan)
        self._rest = plan.by_margin_group(money.amounts, plan.account_groups)
        self._paid = counted_from(plan, money)

    def value(self, plan: Plan, values: Floats, rows: slice) -> None:
        """Value these positions again, whole leaves of them; ``values`` [N] are model values."""
        if rows.start == rows.stop:
            return
        held = plan.positions.instruments[rows]
        model = values[held]
        first, last = int(self._leaf_of[rows.start]), int(self._leaf_of[rows.stop - 1])
        leaf_of, weights, paid = self._leaf_of[rows] - first, plan.positions.weights[rows], self._paid[rows]
        for place, prices in enumerate((mark_values(plan, model, held), model)):
            sums = np.bincount(leaf_of, worth_of(weights, prices, paid), last - first + 1)
            self._sums[place, first : last + 1] = sums

    def of(self, codes: Codes) -> Equity:
        """Equity of these margin groups, ascending."""
        lengths = self._starts[codes + 1] - self._starts[codes]
        owners = np.repeat(np.arange(len(codes)), lengths)
        firsts = np.repeat(self._starts[codes] - np.append(0, np.cumsum(lengths)[:-1]), lengths)
        leaves = self._order[firsts + np.arange(len(owners))]
        rest = self._rest[codes]
        found = (np.bincount(owners, sums[leaves], len(codes)) + rest for sums in self._sums)
        return Equity(*found)

"""The rows of one class group in the scenarios that go through the tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shockgrid.arrays import Floats
from shockgrid.backends.contract import Backend
from shockgrid.engine import ClassGroup, Plan, class_risk_arrays, group_risk_arrays, unit_blocks, weighted
from shockgrid.market_states import MarketStates
from shockgrid.requirement.by_expiry import Expiries, ExpiryRows, expiry_rows, instrument_rows, transformed
from shockgrid.requirement.leaf_figures import stand_alone
from shockgrid.requirement.tree import Tree


@dataclass(frozen=True)
class StandardRows:
    """P&L of leaves, of expiry rows and of single positions; base currency, gain > 0."""

    plan: Plan
    tree: Tree
    states: MarketStates  #: S standard scenarios
    backend: Backend
    values: Floats  #: [N] model value per unit of every instrument

    def of_leaves(self, group: ClassGroup) -> Floats:
        """P&L [L, S] of a class group's leaves."""
        if not self.tree.by_expiry:
            return class_risk_arrays(group, self.plan.market, self.states, self.backend, self.plan.laid)
        cut = self.expiry_rows(group)
        return self.leaf_rows(cut, self.raw_rows(group, cut))

    def expiry_rows(self, group: ClassGroup) -> ExpiryRows:
        """The leaves of a class group, cut by expiry."""
        return expiry_rows(group, self.plan, self.values, self.tree.sides)

    def raw_rows(self, group: ClassGroup, cut: ExpiryRows) -> Floats:
        """P&L [E, S] of the expiry rows, before transform and weights."""
        market, laid = self.plan.market, self.plan.laid
        return group_risk_arrays(group, market, self.states, self.backend, cut.weights, laid)

    def leaf_rows(self, cut: ExpiryRows, raw: Floats) -> Floats:
        """P&L [L, S] of the leaves from that of their expiry rows."""
        rows: Floats = cut.leaves @ self.transformed(raw, cut.expiries)
        return rows

    def transformed(self, raw: Floats, expiries: Expiries) -> Floats:
        """Rows as they count: through the value transform, then weighted."""
        rows = transformed(raw, expiries, self.tree.value_transform)
        return weighted(rows, self.states, expiries.underlyings)

    def stand_alone(self, group: ClassGroup, units: Floats | None) -> Floats:
        """The loss [P] of each position by itself; ``units`` [n, S] are priced here unless they are given."""
        blocks: Iterable[tuple[slice, Floats]]
        if units is None:
            blocks = unit_blocks(group, self.plan.market, self.states, self.backend, self.plan.laid)
        else:
            blocks = ((rows, units[rows]) for _, rows in group.sections)

        def losses_of(block: slice, pnl: Floats) -> tuple[Floats, Floats]:
            long, short = self._both_sides(group, block, pnl)
            return self.tree.reducer(long).losses, self.tree.reducer(short).losses

        return stand_alone(group, self.plan.positions.weights[group.positions], blocks, losses_of)

    def _both_sides(self, group: ClassGroup, block: slice, pnl: Floats) -> tuple[Floats, Floats]:
        """Unit P&L [block, S] of instruments held long and held short, each as it counts by itself."""
        if self.tree.value_transform is None:
            rows = weighted(pnl, self.states, group.sections[0][0])
            return rows, -rows
        own = group.instruments[block]
        long, short = (
            instrument_rows(own, self.plan.market, side * self.values[own]) for side in (1.0, -1.0)
        )
        return self.transformed(pnl, long), self.transformed(-pnl, short)

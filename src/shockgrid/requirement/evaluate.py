"""One regime over a plan: price and aggregate each portfolio group, and fold its tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy import sparse

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.contract import Backend
from shockgrid.engine import (
    ClassGroup,
    Plan,
    class_risk_arrays,
    group_risk_arrays,
    prepare,
    unit_blocks,
    weighted,
)
from shockgrid.errors import InputError
from shockgrid.market_states import MarketStates
from shockgrid.requirement.by_expiry import Expiries, ExpiryRows, expiry_rows, instrument_rows, transformed
from shockgrid.requirement.fold import (
    MARGIN,
    PORTFOLIO,
    Leaf,
    Nodes,
    Rows,
    folded,
    gathered,
    portfolio_counts,
    reduced_nodes,
)
from shockgrid.requirement.regime import Regime
from shockgrid.scenarios import ScenarioSet

Progress: TypeAlias = Callable[[int, int], None]

ROWS_AT_ONCE = 3  #: copies of a portfolio group's P&L rows alive at a time: as priced, folded, reduced
LADDER = tuple(step / 100 for step in (-50, -40, -30, -20, -10, 10, 20, 30, 40, 50))
STRESS = (-0.25, 0.25)  #: "at a minimum stress up and down 25 %" (FINRA portfolio margin FAQ, retired 2024)
REPORT = ScenarioSet.points([*LADDER, *STRESS], tag="report")  #: x leverage, as in any other scenario


class PortfolioResult(NamedTuple):
    """What one portfolio group comes to."""

    leaves: list[Leaf]
    nodes: list[Nodes]  #: empty where the margin group is reduced
    unoffset: list[Nodes]  #: the same without offsets; class groups where the margin group is reduced
    top: list[Rows]  #: the portfolio group's own rows, where the margin group is reduced
    expiries: list[PricedExpiries]  #: of every class group, where the tree asks for them


class PricedExpiries(NamedTuple):
    """Expiry rows of one class group and their P&L [E, other] in scenarios that are not "standard"."""

    expiries: Expiries
    leaves: Codes  #: [E] row of ClassGroup.leaves
    pnl: Floats


class Priced(NamedTuple):
    """A class group under every scenario."""

    own: Floats  #: [L, S] standard
    other: Floats  #: [L, other]
    expiries: PricedExpiries | None


class Evaluator:
    """One regime over one plan with one backend.

    ``states`` covers the regime's scenarios and the report's; ``standard`` are the positions of those that
    go through the tree, ``standard_states`` the same as a set of their own; ``values`` [N] are model values.
    """

    def __init__(self, plan: Plan, regime: Regime, backend: Backend, values: Floats) -> None:
        self.plan, self.regime, self.backend, self.values = plan, regime, backend, values
        self.scenarios = regime.scenarios + REPORT
        self.states = MarketStates.of(self.scenarios, plan.market)
        self.standard = self.scenarios.tagged("standard")
        self.scattered = bool((self.standard != np.arange(len(self.standard))).any())
        self.other = np.setdiff1d(np.arange(len(self.scenarios)), self.standard)
        self.standard_states = MarketStates.of(regime.scenarios.only("standard"), plan.market)

    def run(
        self, executor: Executor | None, progress: Progress | None
    ) -> tuple[list[PortfolioResult], Floats | None]:
        """Every portfolio group in canonical order, and the firm's rows [M, S] under one joint worst.

        Raises InputError where the P&L rows held at a time would not fit the memory at hand.
        """
        self._require_memory()
        prepare(self.plan, self.states, self.backend)
        mapped: Iterable[PortfolioResult] = (executor.map if executor else map)(
            self.portfolio, self.plan.portfolios
        )
        results = []
        joint = self.regime.tree.height == MARGIN
        total = np.zeros((len(self.plan.margin_groups), len(self.standard))) if joint else None
        counts = portfolio_counts(self.plan)
        transform, offsets = self.regime.tree.transforms.get("portfolio_group"), self.plan.market.offsets
        for result in mapped:
            for rows in result.top:
                part = gathered([rows], "portfolio_group", "joint", transform, offsets, counts)
                if total is not None:
                    total[part.margin_groups] += part.pnl
            results.append(result._replace(top=[]))
            if progress is not None:
                progress(len(results), len(self.plan.portfolios))
        return results, total

    def _require_memory(self) -> None:
        """Compute the memory of the P&L rows before it is taken."""
        leaves = [sum(len(group.leaves) for group in groups) for groups in self.plan.portfolios]
        joint = len(self.plan.margin_groups) if self.regime.tree.height == MARGIN else 0
        kept = sum(leaves) * len(self.other)
        rows = ROWS_AT_ONCE * max(leaves, default=0) * len(self.scenarios)
        needed = 8 * (kept + rows + 2 * joint * len(self.standard))
        free = self.backend.free_bytes()
        if needed > free:
            problem = (
                f"{len(self.scenarios):,} scenarios for {max(leaves, default=0):,} leaves of one portfolio "
                f"group need {needed / 1e9:,.1f} GB, {free / 1e9:,.1f} GB are free: ask for fewer"
            )
            raise InputError(problem, table=self.regime.name)

    def portfolio(self, groups: Sequence[ClassGroup]) -> PortfolioResult:
        """Everything about one portfolio group."""
        tree, offsets = self.regime.tree, self.plan.market.offsets
        leaves, rows, expiries = [], [], list[PricedExpiries]()
        for group in groups:
            own, other, parts = self._priced(group)
            reduced = tree.reducer(own)
            alone = self._stand_alone(group)
            leaves.append(Leaf(group, reduced, other, self._charges(group), alone, own if parts else None))
            rows.append(Rows(group.name, group.leaves, own))
            expiries += [] if parts is None else [parts]
        joint = tree.height == MARGIN
        height = 0 if joint else tree.height
        nodes = reduced_nodes(leaves, rows, tree, offsets, height)
        plain = reduced_nodes(leaves, rows, tree, {}, height) if offsets and height else nodes
        if joint:
            return PortfolioResult(
                leaves, [], plain, folded(groups, rows, tree, offsets, PORTFOLIO), expiries
            )
        return PortfolioResult(leaves, nodes, plain, [], expiries)

    def _priced(self, group: ClassGroup) -> Priced:
        if not self.regime.tree.by_expiry:
            pnl = class_risk_arrays(group, self.plan.market, self.states, self.backend)
            own = pnl[:, self.standard] if self.scattered else pnl[:, : len(self.standard)]
            return Priced(own, pnl[:, self.other], None)
        cut = self.expiry_rows(group)
        raw = group_risk_arrays(group, self.plan.market, self.states, self.backend, cut.weights)
        rest = weighted(raw, self.states, cut.expiries.underlyings)[:, self.other]
        own = self.leaf_rows(cut, raw[:, self.standard])
        return Priced(own, cut.leaves @ rest, PricedExpiries(cut.expiries, cut.leaf_of, rest))

    def standard_rows(self, group: ClassGroup) -> Floats:
        """P&L [L, S] of a class group's leaves in the standard scenarios."""
        if not self.regime.tree.by_expiry:
            return class_risk_arrays(group, self.plan.market, self.standard_states, self.backend)
        cut = self.expiry_rows(group)
        return self.leaf_rows(cut, self.raw_rows(group, cut))

    def expiry_rows(self, group: ClassGroup) -> ExpiryRows:
        """The leaves of a class group, cut by expiry."""
        return expiry_rows(group, self.plan, self.values, self.regime.tree.sides)

    def raw_rows(self, group: ClassGroup, cut: ExpiryRows) -> Floats:
        """P&L [E, S] of the expiry rows in the standard scenarios, before transform and weights."""
        return group_risk_arrays(group, self.plan.market, self.standard_states, self.backend, cut.weights)

    def leaf_rows(self, cut: ExpiryRows, raw: Floats) -> Floats:
        """P&L [L, S] of the leaves from that of their expiry rows."""
        rows: Floats = cut.leaves @ self.transformed(raw, cut.expiries)
        return rows

    def transformed(self, raw: Floats, expiries: Expiries) -> Floats:
        """Rows of standard scenarios as they count: through the value transform, then weighted."""
        rows = transformed(raw, expiries, self.regime.tree.value_transform)
        return weighted(rows, self.standard_states, expiries.underlyings)

    def _charges(self, group: ClassGroup) -> Floats:
        rate = self.regime.tree.minimum_per_unit
        held, table = self.plan.positions, self.plan.market.instruments
        if rate == 0.0:
            return np.zeros(len(group.leaves))
        rates = self.plan.market.spot_rates()[table.underlyings]
        per_contract = rate * (table.multipliers * rates * table.is_option)[group.instruments]
        net = sparse.csr_matrix(
            (held.quantities[group.positions], group.position_columns, group.weights.indptr),
            shape=group.weights.shape,
            copy=True,  # summing duplicates works in place
        )
        net.sum_duplicates()
        charges: Floats = abs(net) @ per_contract
        return charges

    def _stand_alone(self, group: ClassGroup) -> Floats:
        long, short = np.zeros(len(group.instruments)), np.zeros(len(group.instruments))
        reducer = self.regime.tree.reducer
        for block, pnl in unit_blocks(group, self.plan.market, self.standard_states, self.backend):
            long[block], short[block] = (reducer(rows).losses for rows in self._both_sides(group, block, pnl))
        weights = self.plan.positions.weights[group.positions]
        losses = np.where(weights > 0, long[group.position_columns], short[group.position_columns])
        return np.abs(weights) * losses

    def _both_sides(self, group: ClassGroup, block: slice, pnl: Floats) -> tuple[Floats, Floats]:
        """Unit P&L [block, S] of instruments held long and held short, each as it counts by itself."""
        if self.regime.tree.value_transform is None:
            rows = weighted(pnl, self.standard_states, group.sections[0][0])
            return rows, -rows
        instruments = group.instruments[block]
        long, short = (
            instrument_rows(instruments, self.plan.market, side * self.values[instruments])
            for side in (1.0, -1.0)
        )
        return self.transformed(pnl, long), self.transformed(-pnl, short)

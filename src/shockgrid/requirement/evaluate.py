"""One regime over a plan: price and aggregate each portfolio group, and fold its tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from copy import copy
from functools import cached_property
from itertools import accumulate, chain, islice
from typing import TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.batch import Batch
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
from shockgrid.market_states import MarketStates
from shockgrid.requirement.by_expiry import Expiries, ExpiryRows, expiry_rows, instrument_rows, transformed
from shockgrid.requirement.fold import (
    CLASS,
    MARGIN,
    PORTFOLIO,
    Leaf,
    Rows,
    folded,
    gathered,
    portfolio_counts,
    reduced_nodes,
)
from shockgrid.requirement.leaf_figures import minimum_charges, stand_alone
from shockgrid.requirement.priced import (
    Part,
    PortfolioResult,
    Priced,
    PricedExpiries,
    parts_of,
    priced_together,
    require_memory,
    results_of,
)
from shockgrid.requirement.reducers import worst
from shockgrid.requirement.regime import Regime
from shockgrid.requirement.report import REPORT
from shockgrid.whole_firm import worst_losses

Progress: TypeAlias = Callable[[int, int], None]


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
        self.standard_scenarios = regime.scenarios.only("standard")
        self.standard_states = MarketStates.of(self.standard_scenarios, plan.market)

    def moved(self, plan: Plan, values: Floats) -> Evaluator:
        """The same regime over the same holdings in another state of their market."""
        other = copy(self)
        other.__dict__.pop("batch", None)
        other.plan, other.values = plan, values
        if plan.market is not self.plan.market:
            states = MarketStates.of(self.scenarios, plan.market)
            if states.differs(self.states).any():
                other.states = states
                other.standard_states = MarketStates.of(self.standard_scenarios, plan.market)
        return other

    def run(
        self, executor: Executor | None, progress: Progress | None
    ) -> tuple[list[PortfolioResult], Floats | None]:
        """Every portfolio group in canonical order, and the firm's rows [M, S] under one joint worst.

        Raises InputError where the P&L rows held at a time would not fit the memory at hand.
        """
        joint = self.regime.tree.height == MARGIN
        sizes = (len(self.standard), len(self.other))
        require_memory(self.plan, sizes, self.backend, self.regime.name, rows=not self.reducible, joint=joint)
        mapped: Iterable[PortfolioResult]
        if self.reducible:
            mapped = self._reduced(executor)
        else:
            prepare(self.plan, self.states, self.backend)
            parts = parts_of(self.plan, len(self.scenarios))
            mapped = chain.from_iterable((executor.map if executor else map)(self._part, parts))
        results = []
        total = np.zeros((len(self.plan.margin_groups), len(self.standard))) if joint else None
        counts = portfolio_counts(self.plan)
        for result in mapped:
            for part in self.joint_parts(result, counts):
                if total is not None:
                    total[part.margin_groups] += part.pnl
            results.append(result._replace(top=[]))
            if progress is not None:
                progress(len(results), len(self.plan.portfolios))
        return results, total

    @cached_property
    def batch(self) -> Batch:
        """All class groups under all scenarios."""
        return self.plan.relaid().batch(self.states)

    @property
    def reducible(self) -> bool:
        """Whether the worst loss of each leaf is all that the tree asks of its row."""
        tree = self.regime.tree
        plain = tree.reducer is worst and tree.height == CLASS and not tree.by_expiry
        return plain and not self.states.revised and not self.scattered

    def _reduced(self, executor: Executor | None) -> Iterator[PortfolioResult]:
        """What ``portfolio`` finds, without rows: the same bytes, all class groups in one walk."""
        plan, standard = self.plan, len(self.standard)
        found = worst_losses(plan, self.states, self.backend, reduced=standard, units=True, executor=executor)
        return results_of(plan.portfolios, plan.relaid(), found, self._charges)

    @cached_property
    def _class_starts(self) -> list[int]:
        """The first class group of each portfolio group, and how many there are."""
        return [0, *accumulate(len(groups) for groups in self.plan.portfolios)]

    def portfolio_at(self, place: int) -> PortfolioResult:
        """The portfolio group at this place in the plan, without rows where it can be."""
        groups = self.plan.portfolios[place]
        if not self.reducible:
            return self.portfolio(groups)
        layout = self.plan.layout
        if layout.weights is not self.plan.positions.weights:
            layout = self.plan.relaid()
        first, last = self._class_starts[place : place + 2]
        layout = layout.part(first, last, self.plan.market)
        batch = layout.batch(self.states)
        self.backend.prepare(batch.sections())
        found = self.backend.worst(batch, len(self.standard), True)
        return next(results_of([groups], layout, found, self._charges))

    def _part(self, part: Part) -> list[PortfolioResult]:
        if not part.small or self.regime.tree.by_expiry or self.states.revised:
            return [self.portfolio(groups) for groups in part.portfolios]
        batch = self.batch.part(*part.groups)
        priced = iter(priced_together(batch, self.standard, self.other, self.backend))
        return [self.portfolio(groups, list(islice(priced, len(groups)))) for groups in part.portfolios]

    def joint_parts(self, result: PortfolioResult, counts: Codes) -> list[Rows]:
        """A portfolio group's rows as they are added into the one joint row of each margin group.

        ``counts`` [M] are the portfolio groups each margin group holds something in; none are left where the
        margin group is not the level that is reduced.
        """
        transform, offsets = self.regime.tree.transforms.get("portfolio_group"), self.plan.market.offsets
        return [
            gathered([rows], "portfolio_group", "joint", transform, offsets, counts) for rows in result.top
        ]

    def portfolio(
        self, groups: Sequence[ClassGroup], priced: Sequence[Priced] | None = None
    ) -> PortfolioResult:
        """Everything about one portfolio group; its class groups are priced here unless they are given."""
        tree, offsets = self.regime.tree, self.plan.market.offsets
        leaves, rows, expiries = [], [], list[PricedExpiries]()
        for place, group in enumerate(groups):
            own, other, parts, units = self._priced(group) if priced is None else priced[place]
            reduced, alone = tree.reducer(own), self._stand_alone(group, units)
            charges = self._charges(group)
            leaves.append(Leaf(group, reduced, other, charges, alone, own if parts else None))
            rows.append(Rows(group.name, group.leaves, own))
            expiries += [] if parts is None else [parts]
        joint = tree.height == MARGIN
        height = 0 if joint else tree.height
        nodes = reduced_nodes(leaves, rows, tree, offsets, height)
        plain = reduced_nodes(leaves, rows, tree, {}, height) if offsets and height else nodes
        top = folded(groups, rows, tree, offsets, PORTFOLIO) if joint else []
        return PortfolioResult(leaves, [] if joint else nodes, plain, top, expiries)

    def _priced(self, group: ClassGroup) -> Priced:
        if not self.regime.tree.by_expiry:
            pnl = class_risk_arrays(group, self.plan.market, self.states, self.backend, self.plan.laid)
            own = pnl[:, self.standard] if self.scattered else pnl[:, : len(self.standard)]
            return Priced(own, pnl[:, self.other])
        cut = self.expiry_rows(group)
        raw = group_risk_arrays(
            group, self.plan.market, self.states, self.backend, cut.weights, self.plan.laid
        )
        rest = weighted(raw, self.states, cut.expiries.underlyings)[:, self.other]
        own = self.leaf_rows(cut, raw[:, self.standard])
        return Priced(own, cut.leaves @ rest, PricedExpiries(cut.expiries, cut.leaf_of, rest))

    def standard_rows(self, group: ClassGroup) -> Floats:
        """P&L [L, S] of a class group's leaves in the standard scenarios."""
        if not self.regime.tree.by_expiry:
            return class_risk_arrays(
                group, self.plan.market, self.standard_states, self.backend, self.plan.laid
            )
        cut = self.expiry_rows(group)
        return self.leaf_rows(cut, self.raw_rows(group, cut))

    def expiry_rows(self, group: ClassGroup) -> ExpiryRows:
        """The leaves of a class group, cut by expiry."""
        return expiry_rows(group, self.plan, self.values, self.regime.tree.sides)

    def raw_rows(self, group: ClassGroup, cut: ExpiryRows) -> Floats:
        """P&L [E, S] of the expiry rows in the standard scenarios, before transform and weights."""
        return group_risk_arrays(
            group, self.plan.market, self.standard_states, self.backend, cut.weights, self.plan.laid
        )

    def leaf_rows(self, cut: ExpiryRows, raw: Floats) -> Floats:
        """P&L [L, S] of the leaves from that of their expiry rows."""
        rows: Floats = cut.leaves @ self.transformed(raw, cut.expiries)
        return rows

    def transformed(self, raw: Floats, expiries: Expiries) -> Floats:
        """Rows of standard scenarios as they count: through the value transform, then weighted."""
        rows = transformed(raw, expiries, self.regime.tree.value_transform)
        return weighted(rows, self.standard_states, expiries.underlyings)

    def _charges(self, group: ClassGroup) -> Floats:
        return minimum_charges(group, self.plan, self.regime.tree.minimum_per_unit)

    def _stand_alone(self, group: ClassGroup, units: Floats | None) -> Floats:
        reducer, laid = self.regime.tree.reducer, self.plan.laid
        blocks: Iterable[tuple[slice, Floats]]
        if units is None:
            blocks = unit_blocks(group, self.plan.market, self.standard_states, self.backend, laid)
        else:
            blocks = ((rows, units[rows]) for _, rows in group.sections)

        def losses_of(block: slice, pnl: Floats) -> tuple[Floats, Floats]:
            long, short = self._both_sides(group, block, pnl)
            return reducer(long).losses, reducer(short).losses

        return stand_alone(group, self.plan.positions.weights[group.positions], blocks, losses_of)

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

"""One regime over a plan: price and aggregate each portfolio group, and fold its tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from copy import copy
from functools import cached_property
from itertools import chain, islice
from typing import TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Backend
from shockgrid.engine import (
    UNIT_TILE_ELEMENTS,
    ClassGroup,
    Plan,
    group_risk_arrays,
    prepare,
    weighted,
)
from shockgrid.market_states import MarketStates
from shockgrid.requirement.by_expiry import ExpiryRows
from shockgrid.requirement.coverage import require_covered
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
from shockgrid.requirement.leaf_figures import minimum_charges
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
from shockgrid.requirement.standard_rows import StandardRows
from shockgrid.requirement.together import rows_and_units
from shockgrid.whole_firm import worst_losses

Progress: TypeAlias = Callable[[int, int], None]


class Evaluator:
    """One regime over one plan with one backend.

    ``states`` covers the regime's scenarios and the report's; ``standard`` are the positions of those that
    go through the tree, ``standard_states`` the same as a set of their own; ``values`` [N] are model values.
    """

    def __init__(self, plan: Plan, regime: Regime, backend: Backend, values: Floats) -> None:
        require_covered(regime, plan)
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
        for name in ("batch", "rows"):
            other.__dict__.pop(name, None)
        other.plan, other.values = plan, values
        if plan.market is not self.plan.market:
            states = self.states.after(plan.market)
            if states is not self.states:
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
            if not self.states.revised:  # else each revision needs tables and grids of its own
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
    def rows(self) -> StandardRows:
        """The rows of single class groups in the standard scenarios."""
        return StandardRows(self.plan, self.regime.tree, self.standard_states, self.backend, self.values)

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
        return self.results(found)

    def results(self, found: Worst) -> Iterator[PortfolioResult]:
        """Every portfolio group from the worst losses of all leaves."""
        return results_of(self.plan.portfolios, self.plan.relaid(), found, self.charges)

    def _part(self, part: Part) -> list[PortfolioResult]:
        if not part.small:
            return [self.portfolio(groups) for groups in part.portfolios]
        if self.regime.tree.by_expiry or self.states.revised:
            priced = iter(self._priced(list(chain.from_iterable(part.portfolios))))
        else:
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
            own, other, parts, units = self._one(group) if priced is None else priced[place]
            reduced, alone = tree.reducer(own), self.rows.stand_alone(group, units)
            charges = self.charges(group)
            leaves.append(Leaf(group, reduced, other, charges, alone, own if parts else None))
            rows.append(Rows(group.name, group.leaves, own))
            expiries += [] if parts is None else [parts]
        joint = tree.height == MARGIN
        height = 0 if joint else tree.height
        nodes = reduced_nodes(leaves, rows, tree, offsets, height)
        plain = reduced_nodes(leaves, rows, tree, {}, height) if offsets and height else nodes
        top = folded(groups, rows, tree, offsets, PORTFOLIO) if joint else []
        return PortfolioResult(leaves, [] if joint else nodes, plain, top, expiries)

    def _one(self, group: ClassGroup) -> Priced:
        """One class group; the units of a large one are not held, ``stand_alone`` walks them."""
        if len(group.instruments) * len(self.scenarios) <= UNIT_TILE_ELEMENTS:
            return self._priced([group])[0]
        cut = self.rows.expiry_rows(group) if self.regime.tree.by_expiry else None
        weights = group.weights if cut is None else cut.weights
        plan = self.plan
        raw = group_risk_arrays(group, plan.market, self.states, self.backend, weights, plan.laid)
        return self.counted(group, cut, raw, None)

    def _priced(self, groups: Sequence[ClassGroup]) -> list[Priced]:
        """Class groups in one call for all of them."""
        cuts = [self.rows.expiry_rows(group) if self.regime.tree.by_expiry else None for group in groups]
        pairs = list(zip(groups, cuts, strict=True))
        weights = [group.weights if cut is None else cut.weights for group, cut in pairs]
        found = rows_and_units(groups, weights, self.plan, self.states, self.backend, self.values)
        return [
            self.counted(*pair, raw, units[:, self.standard])
            for pair, (raw, units) in zip(pairs, found, strict=True)
        ]

    def counted(self, group: ClassGroup, cut: ExpiryRows | None, raw: Floats, units: Floats | None) -> Priced:
        """P&L before scenario weights as it counts: [L, S] of leaves, or [E, S] of expiry rows."""
        if cut is None:
            pnl = weighted(raw, self.states, group.sections[0][0])
            own = pnl[:, self.standard] if self.scattered else pnl[:, : len(self.standard)]
            return Priced(own, pnl[:, self.other], units=units)
        rest = weighted(raw, self.states, cut.expiries.underlyings)[:, self.other]
        own = self.rows.leaf_rows(cut, raw[:, self.standard])
        return Priced(own, cut.leaves @ rest, PricedExpiries(cut.expiries, cut.leaf_of, rest), units)

    def charges(self, group: ClassGroup) -> Floats:
        """The least charge [L] of each leaf of a class group."""
        return minimum_charges(group, self.plan, self.regime.tree.minimum_per_unit)

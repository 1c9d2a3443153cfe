"""Many changes of quantity at once: unit P&L priced once, then the regime's own tree, add-ons and formula.

Every candidate is a margin group of its own in a plan of copies, so that whatever a regime does to a margin
group is done to a candidate. ``Batch.dense`` copies everything a margin group holds. ``Batch.sparse`` copies
the portfolio group that a candidate changes and takes the nodes of all others from the margin group itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from scipy import sparse

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.contract import Backend
from shockgrid.desk.liquidation_copies import Holdings, copied
from shockgrid.engine import ClassGroup, Plan, prepare, unit_blocks
from shockgrid.requirement import Program, Regime
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.fold import (
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
from shockgrid.requirement.priced import PortfolioResult, PricedExpiries
from shockgrid.requirement.programs import programs_of
from shockgrid.requirement.regime import HasPrograms
from shockgrid.requirement.totals import Counted, counted


class Batch:
    """One regime over a plan, its unit P&L at hand."""

    def __init__(self, evaluator: Evaluator, rates: Floats) -> None:
        self.evaluator, self.rates = evaluator, rates
        plan, tree = evaluator.plan, evaluator.regime.tree
        self.joint = tree.height == MARGIN
        self.separable = not (tree.by_expiry or self.joint)
        self.place = np.full(len(plan.market.instruments.symbols), -1, np.intp)
        self.units = np.empty((0, len(evaluator.scenarios)))
        self._price(plan)

    def _price(self, plan: Plan) -> None:
        evaluator, parts, count = self.evaluator, [self.units], 0
        if not evaluator.states.revised:  # else each revision needs tables and grids of its own
            prepare(plan, evaluator.states, evaluator.backend)
        for group in plan.class_groups():
            self.place[group.instruments] = count + np.arange(len(group.instruments))
            count += len(group.instruments)
            parts += [pnl for _, pnl in unit_blocks(group, plan.market, evaluator.states, evaluator.backend)]
        self.units = np.concatenate(parts)

    def dense(self, owners: Codes, held: Holdings, exact: bool = True) -> Counted:
        """Figures of candidates that hold these positions, margin group by margin group in full.

        Without ``exact`` sums may be in another order where time passes or vols move by rule.
        """
        copies = copied(self.evaluator.plan, owners, held)
        stand_in = self._over(copies)
        if exact and stand_in.states.revised:
            return counted(stand_in, *stand_in.run(None, None), stand_in.values, self.rates[owners])
        results = [self._portfolio(stand_in, groups) for groups in copies.portfolios]
        joint = self._joined(copies, results) if self.joint else None
        return counted(stand_in, results, joint, stand_in.values, self.rates[owners])

    def _over(self, copies: Plan) -> Evaluator:
        stand_in = copy(self.evaluator)
        stand_in.plan = copies
        return stand_in

    def _portfolio(self, stand_in: Evaluator, groups: Sequence[ClassGroup]) -> PortfolioResult:
        """As ``Evaluator.portfolio``, from the unit P&L at hand; stand-alone losses are left at 0."""
        copies, tree = stand_in.plan, stand_in.regime.tree
        offsets = copies.market.offsets
        leaves, rows, expiries = [], [], list[PricedExpiries]()
        for group in groups:
            cut = stand_in.rows.expiry_rows(group) if tree.by_expiry else None
            weights = group.weights if cut is None else cut.weights
            own, other, parts, _ = stand_in.counted(group, cut, self._rows(group, weights), None)
            alone = np.zeros(group.positions.stop - group.positions.start)
            reduced, charges = tree.reducer(own), minimum_charges(group, copies, tree.minimum_per_unit)
            leaves.append(Leaf(group, reduced, other, charges, alone, own if parts else None))
            rows.append(Rows(group.name, group.leaves, own))
            expiries += [] if parts is None else [parts]
        nodes = reduced_nodes(leaves, rows, tree, offsets, 0 if self.joint else tree.height)
        top = folded(groups, rows, tree, offsets, PORTFOLIO) if self.joint else []
        return PortfolioResult(leaves, [] if self.joint else nodes, nodes, top, expiries)

    def _rows(self, group: ClassGroup, weights: Any) -> Floats:
        """P&L of these rows [E, n] over a class group's instruments, before scenario weights."""
        columns = self.place[group.instruments][weights.indices]
        shape = (weights.shape[0], len(self.units))
        matrix = sparse.csr_array((weights.data, columns, weights.indptr), shape=shape)
        return np.asarray(matrix @ self.units)

    def _joined(self, copies: Plan, results: Sequence[PortfolioResult]) -> Floats:
        tree, counts = self.evaluator.regime.tree, portfolio_counts(copies)
        rows = np.zeros((len(copies.margin_groups), len(self.evaluator.standard)))
        for top in (top for result in results for top in result.top):
            transform = tree.transforms.get("portfolio_group")
            part = gathered([top], "portfolio_group", "joint", transform, copies.market.offsets, counts)
            rows[part.margin_groups] += part.pnl
        return rows


def batches_of(
    whole: Plan, regime_or_policy: Regime | HasPrograms, backend: Backend, values: Floats, rates: Floats
) -> tuple[tuple[Batch, ...], tuple[Codes, Codes]]:
    """A batch for every regime of a policy; of each margin group [M] its exchange's and its house's, or -1.

    ``values`` [N] are model values, ``rates`` [M] of the margin groups' currencies in the base currency.
    """
    programs = _programs(whole, regime_or_policy)
    regimes = _distinct(programs)
    numbers = {id(regime): code for code, regime in enumerate(regimes)}
    exchange = [numbers.get(id(program.exchange), -1) for program in programs]
    house = [numbers.get(id(program.house), -1) for program in programs]
    batches = tuple(Batch(Evaluator(whole, regime, backend, values), rates) for regime in regimes)
    return batches, (np.array(exchange, np.intp), np.array(house, np.intp))


def _distinct(programs: Sequence[Program]) -> list[Regime]:
    both = [regime for program in programs for regime in (program.exchange, program.house)]
    return list({id(regime): regime for regime in both if regime is not None}.values())


def _programs(whole: Plan, regime_or_policy: Regime | HasPrograms) -> Sequence[Program]:
    if isinstance(regime_or_policy, Regime):
        exchange = regime_or_policy if regime_or_policy.side == "exchange" else None
        return [Program(exchange, None if exchange else regime_or_policy)] * len(whole.margin_groups)
    return programs_of(whole, regime_or_policy.programs)[0]

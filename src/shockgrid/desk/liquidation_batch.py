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

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends.contract import Backend
from shockgrid.engine import ClassGroup, Plan, plan, prepare, unit_blocks
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
from shockgrid.requirement.priced import PortfolioResult, PricedExpiries
from shockgrid.requirement.programs import programs_of
from shockgrid.requirement.regime import HasPrograms
from shockgrid.requirement.totals import Counted, counted


class Batch:
    """One regime over a plan, its unit P&L at hand."""

    def __init__(self, evaluator: Evaluator, rates: Floats, served: Mask, own: Plan) -> None:
        self.evaluator, self.rates = evaluator, rates
        self.served = served  #: [M] margin groups under this regime; the others' figures mean nothing
        plan, tree = evaluator.plan, evaluator.regime.tree
        self.joint = tree.height == MARGIN
        self.separable = not (tree.by_expiry or self.joint)
        self.place = np.full(len(plan.market.instruments.symbols), -1, np.intp)
        self.units = np.empty((0, len(evaluator.scenarios)))
        self._price(plan, own)

    def _price(self, plan: Plan, own: Plan) -> None:
        """Unit P&L of everything in the plan; ``own`` is what the served margin groups hold of it."""
        evaluator, parts, count = self.evaluator, [self.units], 0
        if not evaluator.states.revised:  # else each revision needs tables and grids of its own
            prepare(own, evaluator.states, evaluator.backend)
        for group in plan.class_groups():
            self.place[group.instruments] = count + np.arange(len(group.instruments))
            count += len(group.instruments)
            if not self.served[group.leaves].any():  # what the regime may not even speak of
                parts.append(np.zeros((len(group.instruments), len(evaluator.scenarios))))
                continue
            parts += [pnl for _, pnl in unit_blocks(group, plan.market, evaluator.states, evaluator.backend)]
        self.units = np.concatenate(parts)

    def dense(self, copies: Plan, owners: Codes, exact: bool = True) -> Counted:
        """Figures of candidates, margin group by margin group in full; ``copies`` are what they hold.

        Without ``exact`` sums may be in another order where time passes or vols move by rule.
        """
        stand_in = self._over(copies)
        if exact and stand_in.states.revised:
            return counted(stand_in, *stand_in.run(None, None), stand_in.values, self.rates[owners])
        laid = self._laid(copies)
        results = [self._portfolio(stand_in, groups, laid) for groups in copies.portfolios]
        joint = self._joined(copies, results) if self.joint else None
        return counted(stand_in, results, joint, stand_in.values, self.rates[owners])

    def _laid(self, copies: Plan) -> tuple[Floats, Floats]:
        """P&L before scenario weights of every leaf that is not cut by expiry, and its minimum charge."""
        held, tree, starts = copies.positions, self.evaluator.regime.tree, copies.layout.leaf_positions
        pnl = np.zeros((0, 0))
        if not tree.by_expiry:
            pnl = self._products(held.weights, held.instruments, starts)
        if tree.minimum_per_unit == 0.0:
            return pnl, np.zeros(len(starts) - 1)
        table = copies.market.instruments
        own = np.flatnonzero(self.place >= 0)
        worth = table.multipliers * copies.market.spot_rates()[table.underlyings] * table.is_option
        per_contract = np.zeros(len(self.units))
        per_contract[self.place[own]] = tree.minimum_per_unit * worth[own]
        parts = (held.quantities, self.place[held.instruments], starts)
        net = sparse.csr_array(parts, shape=(len(starts) - 1, len(self.units)), copy=True)
        net.sum_duplicates()  # summing duplicates works in place
        return pnl, np.asarray(abs(net) @ per_contract)

    def _over(self, copies: Plan) -> Evaluator:
        stand_in = copy(self.evaluator)
        stand_in.plan = copies
        return stand_in

    def _portfolio(
        self, stand_in: Evaluator, groups: Sequence[ClassGroup], laid: tuple[Floats, Floats]
    ) -> PortfolioResult:
        """As ``Evaluator.portfolio``, from the unit P&L at hand; stand-alone losses are left at 0."""
        copies, tree = stand_in.plan, stand_in.regime.tree
        offsets = copies.market.offsets
        starts = copies.layout.leaf_positions
        leaves, rows, expiries = [], [], list[PricedExpiries]()
        for group in groups:
            first, last = np.searchsorted(starts, (group.positions.start, group.positions.stop))
            cut = stand_in.rows.expiry_rows(group) if tree.by_expiry else None
            raw = self._rows(group, cut.weights) if cut is not None else laid[0][first:last]
            own, other, parts, _ = stand_in.counted(group, cut, raw, None)
            alone = np.zeros(group.positions.stop - group.positions.start)
            reduced = tree.reducer(own)
            leaves.append(Leaf(group, reduced, other, laid[1][first:last], alone, own if parts else None))
            rows.append(Rows(group.name, group.leaves, own))
            expiries += [] if parts is None else [parts]
        nodes = reduced_nodes(leaves, rows, tree, offsets, 0 if self.joint else tree.height)
        top = folded(groups, rows, tree, offsets, PORTFOLIO) if self.joint else []
        return PortfolioResult(leaves, [] if self.joint else nodes, nodes, top, expiries)

    def _rows(self, group: ClassGroup, weights: Any) -> Floats:
        """P&L of these rows [E, n] over a class group's instruments, before scenario weights."""
        return self._products(weights.data, group.instruments[weights.indices], weights.indptr)

    def _products(self, weights: Floats, instruments: Codes, starts: Codes) -> Floats:
        """Unit P&L of these instruments, weighed and summed row by row."""
        shape = (len(starts) - 1, len(self.units))
        matrix = sparse.csr_array((weights, self.place[instruments], starts), shape=shape)
        return np.asarray(matrix @ self.units)

    def _joined(self, copies: Plan, results: Sequence[PortfolioResult]) -> Floats:
        tree, counts = self.evaluator.regime.tree, portfolio_counts(copies)
        rows = np.zeros((len(copies.margin_groups), len(self.evaluator.standard)))
        for top in (top for result in results for top in result.top):
            transform = tree.transforms.get("portfolio_group")
            part = gathered([top], "portfolio_group", "joint", transform, copies.market.offsets, counts)
            rows[part.margin_groups] += part.pnl
        return rows


def worst_of_ladder(found: Counted, count: int) -> Floats:
    """The largest loss of each margin group [count] when every underlying moves alike, base currency."""
    leaves = found.context.leaves
    report = leaves.tagged["report"]
    worst = np.zeros(count)
    for column in range(report.shape[1]):
        worst = np.minimum(worst, np.bincount(leaves.margin_groups, report[:, column], count))
    return -worst + 0.0


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
    sides = np.array(exchange, np.intp), np.array(house, np.intp)
    batches = []
    for code, regime in enumerate(regimes):
        served = (sides[0] == code) | (sides[1] == code)
        part = whole if served.all() else plan(whole.book.select(whole.margin_groups[served]), whole.market)
        evaluator = Evaluator(part, regime, backend, values).moved(whole, values)
        batches.append(Batch(evaluator, rates, served, part))
    return tuple(batches), sides


def _distinct(programs: Sequence[Program]) -> list[Regime]:
    both = [regime for program in programs for regime in (program.exchange, program.house)]
    return list({id(regime): regime for regime in both if regime is not None}.values())


def _programs(whole: Plan, regime_or_policy: Regime | HasPrograms) -> Sequence[Program]:
    if isinstance(regime_or_policy, Regime):
        exchange = regime_or_policy if regime_or_policy.side == "exchange" else None
        return [Program(exchange, None if exchange else regime_or_policy)] * len(whole.margin_groups)
    return programs_of(whole, regime_or_policy.programs)[0]

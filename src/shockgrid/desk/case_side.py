"""What one regime requires of cases: only the nodes that an order touches are summed and reduced again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask, run_starts
from shockgrid.desk.case_tree import Found, joint_losses, node_losses
from shockgrid.desk.cases import Cases
from shockgrid.desk.late_book import LateBook
from shockgrid.desk.live import Live
from shockgrid.desk.side import Side
from shockgrid.desk.standing import SidePlaces, Standing
from shockgrid.desk.unit_rows import UnitRows, leaf_sums
from shockgrid.engine import Plan
from shockgrid.requirement.fold import CLASS, MARGIN
from shockgrid.requirement.reducers import Reduced
from shockgrid.requirement.regime import Context, Leaves
from shockgrid.requirement.totals import required

MOST_SCENARIOS = 2**13  #: of which rows by instrument are held


def direct(side: Side, standing: Standing) -> bool:
    """Whether ``requirement`` can be asked: leaves are not cut by expiry, scenarios revise no instrument, are
    not too many, and weigh the same for all underlyings of a class group."""
    states, families = side.evaluator.states, standing.families
    if side.regime.tree.by_expiry or states.revised or len(states.scenarios) > MOST_SCENARIOS:
        return False
    firsts = families.firsts[families.of_underlying]
    return not states.weighted or bool((states.weights == states.weights[firsts]).all())


def requirement(
    side: Side,
    places: SidePlaces,
    units: UnitRows,
    standing: Standing,
    live: Live,
    cases: Cases,
    values: Floats,
) -> Floats:
    """The requirement [Q] of cases of this side's margin groups, in the base currency.

    The bytes of ``margin()`` over the book with the orders in it. ``places`` are those of the side,
    ``values`` [N] model values of everything that the cases hold.
    """
    keys = cases.leaf_families * len(live.plan.margin_groups) + cases.groups[cases.leaf_cases]
    known = np.searchsorted(places.leaf_keys, keys)
    found = _leaves(side, places, units, standing, cases, known, _summed(side, places, cases))
    count, height = len(cases.groups), side.regime.tree.height
    if height == CLASS:
        losses, charges, owners = found.leaves.losses, found.charges, cases.leaf_cases
    elif height == MARGIN:
        losses, charges, owners = joint_losses(side, standing, live, cases, found)
    else:
        losses, charges, owners = node_losses(side, places, standing, live, cases, found)
    scan = np.bincount(owners, losses, count)
    top_up = np.bincount(owners, np.maximum(charges - losses, 0.0), count)
    rates = live.terms.rates[cases.groups]
    context = Context(plan_of(live, cases), found.leaves, values, rates)
    return required(side.regime, context, np.asarray(scan + top_up, np.float64))[0]


def plan_of(live: Live, cases: Cases) -> Plan:
    """The plan of the cases, without class groups; its book is made when somebody looks at it."""
    whole = live.plan
    book = LateBook(whole.book, cases, live.market)
    unpriced = whole.unpriced
    if len(unpriced):
        names = set(whole.book.accounts["account"].iloc[cases.accounts])
        unpriced = unpriced[unpriced["account"].isin(names)].reset_index(drop=True)
    return replace(
        whole,
        book=book,
        margin_groups=whole.margin_groups[cases.groups],
        account_groups=cases.account_cases,
        positions=cases.positions,
        portfolios=(),
        unpriced=unpriced,
    )


def _summed(side: Side, places: SidePlaces, cases: Cases) -> Mask:
    """Which leaves [L] are summed again: those that share a node of the tree with one that is touched."""
    height = side.regime.tree.height
    if height == CLASS:
        return cases.touched
    if height == MARGIN:
        return np.ones(len(cases.touched), np.bool_)
    keys = places.nodes[cases.leaf_families] * len(cases.groups) + cases.leaf_cases
    return np.isin(keys, keys[cases.touched])


def _leaves(
    side: Side,
    places: SidePlaces,
    units: UnitRows,
    standing: Standing,
    cases: Cases,
    known: Codes,
    summed: Mask,
) -> Found:
    evaluator, families, kept = side.evaluator, standing.families, side.found.leaves
    rows = summed.nonzero()[0]
    old = np.minimum(known, max(len(kept.losses) - 1, 0))  # of a leaf that is new any row: it is summed
    fresh = _Fresh.of(side, places, units, standing, cases, rows)

    def put(column: Any, now: Any) -> Any:
        if len(rows) == len(known):
            return now
        joined = column[old]
        joined[rows] = now
        return joined

    own = cases.leaf_families
    shown, scenarios = put(kept.underlyings, fresh.shown), put(kept.scenarios, fresh.reduced.scenarios)
    states = evaluator.standard_states
    leaves = Leaves(
        margin_groups=cases.leaf_cases,
        class_groups=families.names[own],
        product_groups=families.products[own],
        portfolio_groups=families.portfolios[own],
        underlyings=shown,
        losses=put(kept.losses, fresh.reduced.losses),
        scenarios=scenarios,
        price_shocks=states.spot_shocks[shown, scenarios],
        vol_shocks=states.vol_shocks[shown, scenarios],
        tagged={tag: put(column, fresh.tagged[tag]) for tag, column in kept.tagged.items()},
    )
    return Found(leaves, put(side.found.charges, fresh.charges), rows, fresh.pnl)


class _Fresh(NamedTuple):
    """Leaves [n] summed anew."""

    reduced: Reduced
    pnl: Floats  #: [n, S] in the standard scenarios
    tagged: dict[str, Floats]
    charges: Floats
    shown: Codes

    @classmethod
    def of(
        cls,
        side: Side,
        places: SidePlaces,
        units: UnitRows,
        standing: Standing,
        cases: Cases,
        leaves: Codes,
    ) -> _Fresh:
        evaluator, families = side.evaluator, standing.families
        owners, held = cases.leaf_families[leaves], cases.positions
        chosen, starts = _held_in(cases.leaf_starts, leaves)
        instruments, weights = held.instruments[chosen], held.weights[chosen]
        rows, where = units.of(evaluator, instruments)
        pnl = leaf_sums(rows, where, weights, starts)
        if evaluator.states.weighted:
            pnl *= evaluator.states.weights[families.firsts[owners]]
        standard = len(evaluator.standard)
        own = pnl[:, evaluator.standard] if evaluator.scattered else pnl[:, :standard]
        tagged = {tag: pnl[:, columns] for tag, columns in places.tagged.items()}
        charges = _charges(side, instruments, held.quantities[chosen], starts)
        underlyings = evaluator.plan.market.instruments.underlyings[instruments]
        ranks = starts[:-1]
        if len(ranks):
            ranks = np.minimum.reduceat(families.shown_rank[underlyings], ranks)
        return cls(side.regime.tree.reducer(own), own, tagged, charges, families.shown[ranks])


def _held_in(leaf_starts: Codes, leaves: Codes) -> tuple[slice | Codes, Codes]:
    """The positions of these leaves, ascending, and where those of each start among them."""
    if len(leaves) and leaves[-1] - leaves[0] + 1 == len(leaves):
        starts = leaf_starts[leaves[0] : leaves[-1] + 2]
        return slice(int(starts[0]), int(starts[-1])), starts - starts[0]
    lengths = leaf_starts[leaves + 1] - leaf_starts[leaves]
    starts = np.append(0, np.cumsum(lengths))
    return np.repeat(leaf_starts[leaves] - starts[:-1], lengths) + np.arange(starts[-1]), starts


def _charges(side: Side, instruments: Codes, quantities: Floats, starts: Codes) -> Floats:
    """What ``requirement.leaf_figures.minimum_charges`` gives for leaves that start there, [L + 1]."""
    rate, market, count = side.regime.tree.minimum_per_unit, side.evaluator.plan.market, len(starts) - 1
    if rate == 0.0:
        return np.zeros(count)
    table, leaf_of = market.instruments, np.repeat(np.arange(count), np.diff(starts))
    fresh = run_starts(instruments) | run_starts(leaf_of)
    net = np.bincount(np.cumsum(fresh) - 1, quantities)
    own = instruments[fresh]
    rates = market.spot_rates()[table.underlyings[own]]
    per_contract = rate * (table.multipliers[own] * rates * table.is_option[own])
    return np.bincount(leaf_of[fresh], np.abs(net) * per_contract, count).astype(np.float64)

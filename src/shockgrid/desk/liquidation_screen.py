"""The fast way: only what a candidate changes is summed and reduced again, all class groups at once.

A candidate that changes one portfolio group shares the nodes of all others with its margin group. Nodes,
reducer, transforms, minimums, add-ons and formula are the regime's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import sparse

from shockgrid.arrays import Codes, Floats
from shockgrid.desk.liquidation_batch import Batch
from shockgrid.desk.liquidation_copies import Holdings, copied_positions, with_accounts
from shockgrid.engine import Plan
from shockgrid.requirement.fold import CLASS, Rows, folded
from shockgrid.requirement.regime import AddOn, Context, Leaves
from shockgrid.requirement.totals import required
from shockgrid.requirement.tree import Tree, offset_gains


class Copies(NamedTuple):
    """M' margin groups to evaluate together; the first K are candidates."""

    owners: Codes  #: [M'] margin group each is a copy of
    portfolios: Codes  #: [M'] the only portfolio group whose positions are there; -1 for all of them
    whole: Codes  #: [M'] the copy that holds everything, as it is before the change
    before: Codes  #: [K] the copy that holds what the candidate's portfolio group held before; none of them
    #: where every copy holds everything
    held: Holdings

    @classmethod
    def whole_of(cls, owners: Codes, held: Holdings) -> Copies:
        """Candidates with everything they hold."""
        everyone = np.arange(len(owners))
        return cls(owners, np.full(len(owners), -1), everyone, everyone[:0], held)

    @classmethod
    def part_of(
        cls, owners: Codes, touched: Codes, parts: Parts, held: tuple[Holdings, Holdings, Holdings]
    ) -> Copies:
        """Candidates with the portfolio group they touch, margin groups in full, and each part before the
        change; ``held`` are what each of the three hold."""
        count, groups = len(owners), np.arange(len(parts.owners))
        shifts = (0, count, count + len(groups))
        return cls(
            np.concatenate([owners, parts.owners, parts.part_owners]),
            np.concatenate([touched, np.full(len(groups), -1), parts.part_portfolios]),
            count
            + np.concatenate([parts.owner_of, groups, np.searchsorted(parts.owners, parts.part_owners)]),
            count + len(groups) + parts.part_of,
            Holdings(
                np.concatenate([own.copies + shift for own, shift in zip(held, shifts, strict=True)]),
                np.concatenate([own.rows for own in held]),
                np.concatenate([own.quantities for own in held]),
            ),
        )


class Parts(NamedTuple):
    """The margin groups of K candidates, and what they hold in the portfolio groups that are touched."""

    owners: Codes  #: ascending
    owner_of: Codes  #: [K]
    part_owners: Codes  #: margin group of each part
    part_portfolios: Codes
    part_of: Codes  #: [K]


def parts_of(owners: Codes, touched: Codes, width: int) -> Parts:
    """The parts of candidates that touch one of ``width`` portfolio groups each."""
    groups, owner_of = np.unique(owners, return_inverse=True)
    parts, part_of = np.unique(owners * width + touched, return_inverse=True)
    return Parts(groups, owner_of, parts // width, parts % width, part_of)


class _Nodes(NamedTuple):
    """One loss and one minimum charge for each (node, copy)."""

    nodes: Codes
    copies: Codes
    losses: Floats
    charges: Floats


class Screen:
    """One regime, ready for many candidates. Its tree must be ``Batch.separable``."""

    def __init__(self, batch: Batch, families: Codes) -> None:
        evaluator = batch.evaluator
        plan, regime = evaluator.plan, evaluator.regime
        self.batch, self.evaluator, self.tree = batch, evaluator, regime.tree
        self.families = families  #: [P] class group of each position
        self.groups = list(plan.class_groups())
        tags = np.asarray(evaluator.scenarios.tags, object)
        other = [at for at in evaluator.other.tolist() if tags[at] != "report"]
        columns = np.concatenate([evaluator.standard, np.array(other, np.intp)])
        self.units = np.ascontiguousarray(batch.units[:, columns])
        self.scenarios = columns
        self.tags = {
            str(tag): len(evaluator.standard) + np.flatnonzero(tags[other] == tag)
            for tag in dict.fromkeys(tags[other])
        }
        numbers = {parts[0].portfolio_group: code for code, parts in enumerate(plan.portfolios)}
        self.portfolio_of = np.array([numbers[group.portfolio_group] for group in self.groups], np.intp)
        products = [(group.portfolio_group, group.product_group) for group in self.groups]
        order = {name: code for code, name in enumerate(dict.fromkeys(products))}
        product_of = np.array([order[name] for name in products], np.intp)
        kinds = (np.arange(len(self.groups)), product_of, self.portfolio_of)
        self.node_of: Codes = kinds[self.tree.height]
        self.names = [
            np.array([getattr(group, column) for group in self.groups], object)
            for column in ("name", "product_group", "portfolio_group")
        ]
        self.owners_of = np.array([group.sections[0][0] for group in self.groups], np.intp)
        table = plan.market.instruments
        worth = table.multipliers * plan.market.spot_rates()[table.underlyings] * table.is_option
        self.per_contract = self.tree.minimum_per_unit * worth

    def requirements(self, copies: Copies) -> Floats:
        """What every copy requires, [M'] in the base currency."""
        family, copy, starts, order = self._cut(copies)
        rows, charges = self._sums(copies, starts, order, family)
        own = rows[:, : len(self.evaluator.standard)]
        reduced = self.tree.reducer(own)
        scan = self._scan(copies, self._nodes(family, copy, own, reduced.losses, charges))
        regime = self.evaluator.regime
        if not regime.add_ons and regime.formula is None:
            return scan
        kind, owner, source = _spread(family, copy, copies, self.portfolio_of)
        leaves = self._leaves(kind, owner, reduced.losses[source], reduced.scenarios[source], rows, source)
        rates = self.batch.rates[copies.owners]
        context = Context(self._plan(copies, order), leaves, self.evaluator.values, rates)
        if len(copies.before):
            regime = replace(regime, add_ons=tuple(_completed(add_on, copies) for add_on in regime.add_ons))
        return required(regime, context, scan)[0]

    def _scan(self, copies: Copies, found: _Nodes) -> Floats:
        """Losses of the nodes with their minimum top-ups, summed by copy in canonical order."""
        count, firsts = len(copies.owners), np.unique(self.node_of, return_index=True)[1]
        _, owner, source = _spread(found.nodes, found.copies, copies, self.portfolio_of[firsts])
        losses, charges = found.losses[source], found.charges[source]
        top_ups = np.bincount(owner, np.maximum(charges - losses, 0.0), count)
        return np.asarray(np.bincount(owner, losses, count) + top_ups, np.float64)

    def _cut(self, copies: Copies) -> tuple[Codes, Codes, Codes, Codes]:
        """Class group and copy of every leaf, where its rows start, and the canonical order of the rows."""
        held = copies.held
        codes = self.families[held.rows] * len(copies.owners) + held.copies
        order = np.argsort(codes, kind="stable")
        codes = codes[order]
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        leaves = codes[starts]
        return leaves // len(copies.owners), leaves % len(copies.owners), np.append(starts, len(codes)), order

    def _sums(self, copies: Copies, starts: Codes, order: Codes, family: Codes) -> tuple[Floats, Floats]:
        """P&L and minimum charge of every leaf."""
        plan, held = self.evaluator.plan, copies.held
        instruments = plan.positions.instruments[held.rows[order]]
        quantities = held.quantities[order]
        table, columns = plan.market.instruments, self.batch.place[instruments]
        weights = quantities * table.multipliers[instruments] * table.fx_rates[instruments]
        shape = (len(starts) - 1, len(self.units))
        rows = np.asarray(sparse.csr_array((weights, columns, starts), shape=shape) @ self.units)
        states = self.evaluator.states
        if states.weighted:
            rows *= states.weights[self.owners_of[family]][:, self.scenarios]
        if self.tree.minimum_per_unit == 0.0:
            return rows, np.zeros(len(rows))
        net = sparse.csr_array(
            (quantities, instruments, starts), shape=(len(rows), len(self.per_contract)), copy=True
        )
        net.sum_duplicates()
        return rows, np.asarray(abs(net) @ self.per_contract)

    def _nodes(self, family: Codes, copy: Codes, own: Floats, losses: Floats, charges: Floats) -> _Nodes:
        """The reduced nodes: leaves as they are where nothing is folded, else through the tree."""
        height, parts = self.tree.height, []
        alone = np.bincount(self.node_of)[self.node_of] == 1
        transforms = self.tree.transforms.values()
        plain = height == CLASS or all(transform is offset_gains for transform in transforms)
        kept = (alone & plain)[family]
        parts.append(_Nodes(self.node_of[family[kept]], copy[kept], losses[kept], charges[kept]))
        for node in np.unique(self.node_of[family[~kept]]):
            inside = [code for code in np.flatnonzero(self.node_of == node) if (family == code).any()]
            groups = [self.groups[code] for code in inside]
            rows = [Rows("", copy[family == code], own[family == code]) for code in inside]
            sums = [Rows("", copy[family == code], charges[family == code][:, None]) for code in inside]
            offsets = self.evaluator.plan.market.offsets
            top = folded(groups, rows, self.tree, offsets, height)[0]
            minimum = folded(groups, sums, Tree(), {}, height)[0]
            found = self.tree.reducer(top.pnl).losses
            parts.append(_Nodes(np.full(len(found), node), top.margin_groups, found, minimum.pnl[:, 0]))
        joined = _Nodes(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        order = np.lexsort((joined.copies, joined.nodes))
        return _Nodes(joined.nodes[order], joined.copies[order], joined.losses[order], joined.charges[order])

    def _leaves(
        self, leaf: Codes, owner: Codes, losses: Floats, scenarios: Codes, rows: Floats, source: Codes
    ) -> Leaves:
        shown, states = self.owners_of[leaf], self.evaluator.standard_states
        return Leaves(
            margin_groups=owner,
            class_groups=self.names[0][leaf],
            product_groups=self.names[1][leaf],
            portfolio_groups=self.names[2][leaf],
            underlyings=shown,
            losses=losses,
            scenarios=scenarios,
            price_shocks=states.spot_shocks[shown, scenarios],
            vol_shocks=states.vol_shocks[shown, scenarios],
            tagged={tag: rows[:, columns][source] for tag, columns in self.tags.items()},
        )

    def _plan(self, copies: Copies, order: Codes) -> Plan:
        base = self.evaluator.plan
        return with_accounts(base, copies.owners, copied_positions(base, copies.held.take(order)))


def _spread(kinds: Codes, copy: Codes, copies: Copies, portfolio_of: Codes) -> tuple[Codes, Codes, Codes]:
    """For every copy the row of each kind (node or class group): its own where it has the portfolio group's
    positions, else that of the whole. ``portfolio_of`` are the kinds' portfolio groups."""
    mine = (copies.portfolios < 0) | (copies.portfolios == portfolio_of[:, None])
    place = np.full(mine.shape, -1, np.intp)
    place[kinds, copy] = np.arange(len(kinds))
    source = np.where(mine, place, place[:, copies.whole])
    kind, owner = np.nonzero(source >= 0)
    return kind, owner, source[kind, owner]


def _completed(add_on: AddOn, copies: Copies) -> AddOn:
    """The add-on for candidates of which one portfolio group's positions are there: the rest of the figure is
    that of everything less that of the same part before the change."""

    def figure(context: Context) -> Floats:
        found = add_on.figure(context).copy()
        count = len(copies.before)
        rest = found[copies.whole[:count]] - found[copies.before]
        found[:count] = np.maximum(found[:count] + rest, 0.0)
        return found

    return replace(add_on, figure=figure)

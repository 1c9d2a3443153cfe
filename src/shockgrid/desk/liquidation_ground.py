"""Margin groups laid over a market under their policy, ready to be revalued after any change of quantity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.desk.liquidation_batch import Batch, batches_of, worst_of_ladder
from shockgrid.desk.liquidation_changes import SIDES, Changes, Outcomes, unchanged
from shockgrid.desk.liquidation_copies import (
    Holdings,
    copied,
    family_codes,
    portfolio_codes,
    runs,
)
from shockgrid.desk.liquidation_screen import Copies, Screen, parts_of
from shockgrid.desk.liquidation_standing import Changed, Standing
from shockgrid.engine import Plan, model_values, plan
from shockgrid.market import Market
from shockgrid.requirement import Regime
from shockgrid.requirement.assemble import group_rates
from shockgrid.requirement.equity import equity
from shockgrid.requirement.regime import HasPrograms
from shockgrid.requirement.unpriced import unpriced_charges

DENSE_ROWS = 400_000  #: positions of candidates revalued at a time
SAME = 1e-9  #: of a requirement: sums in another order
SPARSE_NODES = 1_500_000  #: (candidate, class group) pairs revalued at a time


@dataclass(frozen=True)
class Ground:
    """What a search needs to know; ``quantities`` of the plan are where everything starts."""

    plan: Plan
    batches: tuple[Batch, ...]
    screens: tuple[Screen, ...]  #: one for each batch; none where the fast way does not give the same
    standing: Standing | None  #: faster still, where every regime allows it
    sides: tuple[Codes, Codes]  #: batch of each margin group [M], exchange and house; -1 for none
    equity: Floats  #: [M] at marks, in the margin group's currency
    rates: Floats  #: [M] value of that currency in the base currency
    charges: Floats  #: [M] for what cannot be priced
    prices: Floats  #: [N] of every held instrument: mark per unit, model value where there is none, >= 0
    portfolios: Codes  #: [P] portfolio group of each position
    classes: Codes  #: [P] class group of each position
    starts: Codes  #: [M + 1] where the margin group's positions start in ``by_owner``
    by_owner: Codes  #: [P] positions, margin group by margin group, in canonical order
    ranks: Codes  #: [P] place of each position in ``by_owner``
    before: Outcomes  #: [M] of every margin group as it stands, revalued in full

    @classmethod
    def of(
        cls, book: Book, market: Market, regime_or_policy: Regime | HasPrograms, backend: Backend
    ) -> Ground:
        """Lay a book over a calibrated market."""
        whole = plan(book, market)
        values, rates = model_values(whole, backend), group_rates(whole)
        batches, sides = batches_of(whole, regime_or_policy, backend, values, rates)
        lost, table, owners = unpriced_charges(whole), market.instruments, whole.positions.margin_groups
        marks = np.where(np.isnan(table.marks), values, table.coin_values(table.marks))
        by_owner = np.argsort(owners, kind="stable")
        classes = family_codes(whole)
        separable = all(batch.separable for batch in batches)
        nobody = Outcomes(*(np.zeros(0) for _ in range(3)))
        ground = cls(
            plan=whole,
            batches=batches,
            screens=tuple(Screen(batch, classes) for batch in batches) if separable else (),
            standing=Standing.of(batches, by_owner),
            sides=sides,
            equity=equity(whole, values).at_marks / rates,
            rates=rates,
            charges=whole.by_margin_group(lost.charges, lost.margin_groups) / rates,
            prices=np.abs(marks),
            portfolios=portfolio_codes(whole),
            classes=classes,
            starts=np.searchsorted(np.sort(owners), np.arange(len(whole.margin_groups) + 1)),
            by_owner=by_owner,
            ranks=np.argsort(by_owner, kind="stable"),
            before=nobody,
        )
        return ground._proven()

    @property
    def in_full(self) -> bool:
        """Whether every candidate is revalued in full."""
        return self.standing is None and not self.screens

    def slow(self) -> Ground:
        """The same without any faster way."""
        return replace(self, screens=(), standing=None)

    def _proven(self) -> Ground:
        """The same with what is required before anything is done; without the faster ways where they do not
        give the requirements of the full one once a position of each margin group is closed."""
        quantities, everyone = self.plan.positions.quantities, np.arange(len(self.rates))
        if self.in_full:
            return replace(self, before=self.dense(quantities, unchanged(everyone)))
        live = np.flatnonzero(quantities != 0.0)
        owners, first = np.unique(self.plan.positions.margin_groups[live], return_index=True)
        probes = Changes(owners, np.arange(len(owners)), live[first], -quantities[live[first]])
        both = Changes(np.append(owners, everyone), *probes[1:])
        found, count = self.dense(quantities, both), len(owners)
        ground = replace(self, before=Outcomes(*(column[count:] for column in found)))
        told = found.requirement[:count]
        fast = [way(quantities, probes).requirement for way in (self.full, self.sparse)]
        agrees = all(bool(np.allclose(told, other, rtol=SAME, atol=SAME)) for other in fast)
        return ground if agrees else ground.slow()

    def dense(self, quantities: Floats, changes: Changes, exact: bool = True) -> Outcomes:
        """Candidates revalued in full, starting from these quantities [P]; ``exact``: see ``Batch.dense``."""
        sizes = np.diff(self.starts)[changes.owners]
        return self._in_parts(changes, sizes, DENSE_ROWS, lambda part: self._dense(quantities, part, exact))

    def full(self, quantities: Floats, changes: Changes) -> Outcomes:
        """The same, faster, where that gives the same."""
        if not self.screens:
            return self.dense(quantities, changes)
        sizes = np.maximum(np.diff(self.starts)[changes.owners], 1)
        return self._in_parts(changes, sizes, DENSE_ROWS, lambda part: self._screened(quantities, part, True))

    def standing_at(
        self, standing: Standing, quantities: Floats, owners: Codes, changed: Changed | None = None
    ) -> Outcomes:
        """What margin groups [K] require as they are, or after a change each."""
        sides, view = np.full((2, len(owners)), np.nan), standing.view(quantities, owners)
        for code in range(len(self.batches)):
            under = [side[view.footing.owners] == code for side in self.sides]
            if (under[0] | under[1]).all():
                amounts = standing.required(code, view, changed)
                amounts = amounts / self.rates[owners] + self.charges[owners]
                for side, here in zip(sides, under, strict=True):
                    own = slice(None) if here.all() else here[view.place]
                    side[own] = amounts[own]
            elif (under[0] | under[1]).any():
                mine = self._under(code, owners)
                some = standing.view(quantities, owners[mine])
                amounts = standing.required(code, some, changed and changed.take(mine))
                self._enter(sides, code, mine, owners[mine], amounts)
        return Outcomes(sides[0], sides[1], np.full(len(owners), np.nan))

    def sparse(self, quantities: Floats, changes: Changes) -> Outcomes:
        """The same, faster still; each candidate changes one class group."""
        if self.standing is not None:
            changed = self.standing.changed(quantities, changes)
            return self.standing_at(self.standing, quantities, changes.owners, changed)
        if not self.screens:
            return self.dense(quantities, changes, exact=False)
        classes = len(self.plan.portfolios) + self.screens[0].node_of.max(initial=0)
        held = np.bincount(self._parts(), minlength=1)
        width = len(self.plan.portfolios)
        sizes = np.maximum(held[changes.owners * width + self.touched(changes)], classes)
        return self._in_parts(
            changes, sizes, SPARSE_NODES, lambda part: self._screened(quantities, part, False)
        )

    def _in_parts(
        self, changes: Changes, sizes: Codes, limit: int, revalue: Callable[[Changes], Outcomes]
    ) -> Outcomes:
        if len(changes.owners) == 0:
            return Outcomes(*(np.zeros(0) for _ in range(3)))
        part_of = np.cumsum(sizes) // limit
        parts = [revalue(changes.take(np.flatnonzero(part_of == part))) for part in np.unique(part_of)]
        return Outcomes(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def holdings(self, quantities: Floats, changes: Changes, touched: Codes | None = None) -> Holdings:
        """Everything the candidates hold after their changes, or their part of one portfolio group each."""
        first, last = self.starts[changes.owners], self.starts[changes.owners + 1]
        if touched is not None:
            width, codes = len(self.plan.portfolios), self._parts()
            wanted = changes.owners * width + touched
            first, last = (np.searchsorted(codes, wanted, side=side) for side in SIDES)
        places, counts = runs(first, last)
        copies = np.repeat(np.arange(len(counts)), counts)
        rows = self.by_owner[places]
        held = quantities[rows]
        keys, wide = copies * len(quantities) + places, len(quantities)
        held[np.searchsorted(keys, changes.candidates * wide + self.ranks[changes.positions])] += (
            changes.amounts
        )
        kept = held != 0.0
        return Holdings(copies[kept], rows[kept], held[kept])

    def positions_of(self, owners: Codes) -> Codes:
        """The positions of these margin groups, in the order of ``by_owner``."""
        every = np.sort(owners)
        return self.by_owner[runs(self.starts[every], self.starts[every + 1])[0]]

    def in_one_leaf(self, changes: Changes) -> Mask:
        """Which candidates [K] change one class group alone."""
        leaves = self.classes[changes.positions]
        first = np.searchsorted(changes.candidates, np.arange(len(changes.owners) + 1))
        alone = first[1:] > first[:-1]
        inside = leaves == leaves[np.minimum(first[changes.candidates], max(len(leaves) - 1, 0))]
        alone[changes.candidates[~inside]] = False
        return alone

    def touched(self, changes: Changes) -> Codes:
        """The portfolio group of each candidate's first change, [K]."""
        first = np.searchsorted(changes.candidates, np.arange(len(changes.owners)))
        return self.portfolios[changes.positions[first]]

    def _parts(self) -> Codes:
        """Margin group and portfolio group of each position in ``by_owner``, ascending."""
        owners = self.plan.positions.margin_groups[self.by_owner]
        return owners * len(self.plan.portfolios) + self.portfolios[self.by_owner]

    def _dense(self, quantities: Floats, changes: Changes, exact: bool) -> Outcomes:
        sides, tails = np.full((2, len(changes.owners)), np.nan), np.full(len(changes.owners), np.nan)
        copies: dict[bytes, Plan] = {}  # of the candidates under several regimes
        for code, batch in enumerate(self.batches):
            mine = self._under(code, changes.owners)
            own, key = changes.take(mine), mine.tobytes()
            if len(mine):
                if key not in copies:
                    copies[key] = copied(self.plan, own.owners, self.holdings(quantities, own))
                found = batch.dense(copies[key], own.owners, exact)
                tails[mine] = worst_of_ladder(found, len(mine)) / self.rates[own.owners]
                self._enter(sides, code, mine, own.owners, found.totals.requirement)
        return Outcomes(sides[0], sides[1], tails)

    def _screened(self, quantities: Floats, changes: Changes, full: bool) -> Outcomes:
        sides = np.full((2, len(changes.owners)), np.nan)
        for code, screen in enumerate(self.screens):
            mine = self._under(code, changes.owners)
            own = changes.take(mine)
            if len(mine):
                copies = (
                    Copies.whole_of(own.owners, self.holdings(quantities, own))
                    if full
                    else self._copies(quantities, own)
                )
                self._enter(sides, code, mine, own.owners, screen.requirements(copies)[: len(mine)])
        return Outcomes(sides[0], sides[1], np.full(len(changes.owners), np.nan))

    def _copies(self, quantities: Floats, own: Changes) -> Copies:
        touched = self.touched(own)
        parts = parts_of(own.owners, touched, len(self.plan.portfolios))
        whole, before = unchanged(parts.owners), unchanged(parts.part_owners)
        held = (
            self.holdings(quantities, own, touched),
            self.holdings(quantities, whole),
            self.holdings(quantities, before, parts.part_portfolios),
        )
        return Copies.part_of(own.owners, touched, parts, held)

    def _under(self, code: int, owners: Codes) -> Codes:
        return np.flatnonzero((self.sides[0][owners] == code) | (self.sides[1][owners] == code))

    def _enter(self, sides: Floats, code: int, mine: Codes, owners: Codes, amounts: Floats) -> None:
        for side, batch_of in enumerate(self.sides):
            here = batch_of[owners] == code
            own = owners[here]
            sides[side, mine[here]] = amounts[here] / self.rates[own] + self.charges[own]

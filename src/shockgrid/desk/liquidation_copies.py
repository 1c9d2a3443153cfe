"""A plan of copies: margin groups that hold what another one holds, at other quantities."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.engine import ClassGroup, Plan, Positions, class_groups
from shockgrid.layout import Layout


class Holdings(NamedTuple):
    """Rows of copies: copy ``copies`` holds position ``rows`` of a plan at ``quantities``; none is 0."""

    copies: Codes
    rows: Codes
    quantities: Floats

    def take(self, chosen: Codes | Mask) -> Holdings:
        """Some of the rows, in this order."""
        return Holdings(self.copies[chosen], self.rows[chosen], self.quantities[chosen])


def copied_positions(base: Plan, held: Holdings) -> Positions:
    """Positions of copies, margin groups numbered by ``held.copies``; accounts those of ``base``."""
    table, instruments = base.market.instruments, base.positions.instruments[held.rows]
    return Positions(
        accounts=base.positions.accounts[held.rows],
        margin_groups=held.copies,
        instruments=instruments,
        quantities=held.quantities,
        prices_paid=base.positions.prices_paid[held.rows],
        weights=held.quantities * table.multipliers[instruments] * table.fx_rates[instruments],
    )


def copied(base: Plan, owners: Codes, held: Holdings) -> Plan:
    """Margin groups [M] that are copies of ``owners``, accounts and names included, over the same market."""
    families = family_codes(base)
    order = np.lexsort((held.rows, held.copies, families[held.rows]))
    sorted_rows = held.take(order)
    alike = with_accounts(base, owners, copied_positions(base, sorted_rows))
    positions = alike.positions
    portfolios: dict[str, list[ClassGroup]] = {}
    layout = Layout.of(
        base.market,
        families[sorted_rows.rows],
        positions.margin_groups,
        positions.instruments,
        positions.weights,
    )
    for group in class_groups(layout, positions):
        portfolios.setdefault(group.portfolio_group, []).append(group)
    kept = tuple(tuple(part) for part in portfolios.values())
    return replace(alike, portfolios=kept, layout=layout)


def with_accounts(base: Plan, owners: Codes, positions: Positions) -> Plan:
    """The copies with accounts of their own, not cut into class groups; ``positions`` name the base's."""
    by_owner = np.argsort(base.account_groups, kind="stable")
    firsts = np.searchsorted(base.account_groups[by_owner], np.arange(len(base.margin_groups) + 1))
    places, counts = runs(firsts[owners], firsts[owners + 1])
    place_of = np.empty(len(by_owner), np.intp)
    place_of[by_owner] = np.arange(len(by_owner))
    starts, copies, kept = np.cumsum(counts) - counts, positions.margin_groups, by_owner[places]
    within = place_of[positions.accounts] - firsts[owners[copies]]
    book = replace(
        base.book,
        accounts=base.book.accounts.take(kept).reset_index(drop=True),
        account_lines=base.book.account_lines[kept],
    )
    return Plan(
        book,
        base.market,
        base.margin_groups[owners],
        np.repeat(np.arange(len(owners)), counts),
        replace(positions, accounts=starts[copies] + within),
        (),
        base.unpriced.iloc[:0],
        base.layout,
    )


def family_codes(plan: Plan) -> Codes:
    """Class group of each position, [P], numbered in canonical order."""
    codes = np.empty(len(plan.positions.quantities), np.intp)
    for code, group in enumerate(plan.class_groups()):
        codes[group.positions] = code
    return codes


def portfolio_codes(plan: Plan) -> Codes:
    """Portfolio group of each position, [P], numbered in canonical order."""
    codes = np.empty(len(plan.positions.quantities), np.intp)
    for code, groups in enumerate(plan.portfolios):
        for group in groups:
            codes[group.positions] = code
    return codes


def distinct(codes: Codes, size: int) -> tuple[Codes, Codes]:
    """The different ones of codes below ``size``, ascending, and the place of each code among them."""
    seen = np.zeros(size, np.bool_)
    seen[codes] = True
    return seen.nonzero()[0], (seen.cumsum() - 1)[codes]


def runs(first: Codes, last: Codes) -> tuple[Codes, Codes]:
    """first[0] .. last[0] - 1, first[1] .. last[1] - 1, ... one after another, and how many of each."""
    counts = last - first
    ends = counts.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) - (ends - counts - first).repeat(counts), counts

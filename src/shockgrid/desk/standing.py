"""Where everything of a margin group stands in a live desk, so that a what-if need not look for it.

Found once after the plan is laid out; ticks, deposits and fills in positions that are there change nothing.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.book import Book
from shockgrid.desk.fills import FUTURES
from shockgrid.desk.live import Live
from shockgrid.desk.side import Side
from shockgrid.desk.spans import rows_of_accounts
from shockgrid.engine import class_codes
from shockgrid.market import Market
from shockgrid.requirement.equity import account_rates
from shockgrid.requirement.fold import MARGIN


class Families:
    """The F class groups of a market in canonical order, whoever holds them."""

    def __init__(self, market: Market) -> None:
        names = market.underlyings
        self.of_underlying = class_codes(market)
        count = int(self.of_underlying.max(initial=-1)) + 1
        self.firsts = np.zeros(count, np.intp)  #: [F] an underlying of each, the first by name
        self.firsts[self.of_underlying[::-1]] = np.arange(len(names.names))[::-1]
        self.names, self.products, self.portfolios = (
            column[self.firsts] if count else column
            for column in (names.class_groups, names.product_groups, names.portfolio_groups)
        )
        fresh = self.portfolios[1:] != self.portfolios[:-1]
        joined = fresh | (self.products[1:] != self.products[:-1])
        #: [F] node of each at the heights class group, product group and portfolio group
        self.nodes = (np.arange(count), _counted(joined, count), _counted(fresh, count))
        #: underlyings from the least levered on, and the place of each: whose shocks are shown
        self.shown = np.lexsort((np.arange(len(names.names)), np.abs(names.leverages - 1.0)))
        self.shown_rank = np.empty(len(self.shown), np.intp)
        self.shown_rank[self.shown] = np.arange(len(self.shown))


def _counted(changes: Mask, count: int) -> Codes:
    return np.concatenate([np.zeros(min(count, 1), np.intp), np.cumsum(changes)])


class SidePlaces:
    """Where the leaves and nodes of each margin group stand in one side's columns."""

    def __init__(self, side: Side, families: Families, groups: int) -> None:
        leaves = side.found.leaves
        own = families.of_underlying[leaves.underlyings]
        holders = side.members[leaves.margin_groups]
        self.leaf_keys = own * groups + holders  #: ascending, like those of the nodes
        height = side.regime.tree.height
        self.nodes: Codes = families.nodes[0 if height == MARGIN else height]
        self.node_keys = np.unique(self.nodes[own] * groups + holders)
        tags = np.asarray(side.evaluator.scenarios.tags, object)
        #: scenarios of each tag that does not go through the tree
        self.tagged = {tag: _places(tags == tag) for tag in leaves.tagged}
        self.member = np.zeros(groups, np.bool_)  #: whether the side applies to each margin group
        self.member[side.members] = True


def _places(mask: Mask) -> Codes | slice:
    """Where a mask is true, as a slice where that is one run: a view, not a copy."""
    rows = np.flatnonzero(mask)
    first, last = int(rows[0]), int(rows[-1]) + 1
    return slice(first, last) if last - first == len(rows) else rows


class Standing:
    """Where positions, accounts, leaves and nodes of each margin group stand; M groups, A accounts."""

    def __init__(self, live: Live) -> None:
        self.sides = live.sides  #: other ones once the plan is laid out anew
        plan, table = live.plan, live.market.instruments
        groups = len(plan.margin_groups)
        self.rows, self.starts = _by_code(plan.positions.margin_groups, groups)
        self.accounts, self.account_starts = _by_code(plan.account_groups, groups)
        self.ranks = np.empty(len(self.accounts), np.intp)  #: of each account in its margin group
        self.ranks[self.accounts] = np.arange(len(self.accounts)) - np.repeat(
            self.account_starts[:-1], np.diff(self.account_starts)
        )
        self.families = Families(live.market)
        #: [P] of the positions in ``rows``
        self.keys = self.keys_of(live.market, plan.positions.instruments, plan.positions.accounts)[self.rows]
        self.is_future: Mask = (table.types == FUTURES[0]) | (table.types == FUTURES[1])
        self.rates: Floats = account_rates(plan)  #: [A], NaN where the currency is unknown
        self.overrides = plan.book.accounts["equity_override"].to_numpy(np.float64) * self.rates
        self._book, self._cash = plan.book, plan.book.accounts["cash"].to_numpy(np.float64)
        self.places = [SidePlaces(side, self.families, groups) for side in live.sides]

    def keys_of(self, market: Market, instruments: Codes, accounts: Codes) -> Codes:
        """Numbers that ascend along the positions of a margin group in canonical order."""
        table = market.instruments
        families = self.families.of_underlying[table.underlyings[instruments]]
        return (families * len(table.symbols) + instruments) * len(self.ranks) + accounts

    def holds(self, group: int) -> bool:
        """Whether a margin group holds something that can be priced."""
        return bool(self.starts[group] < self.starts[group + 1])

    def cash(self, book: Book) -> Floats:
        """Cash of every account of the desk's book as it is now, [A]."""
        if self._book is not book:
            self._book, self._cash = book, book.accounts["cash"].to_numpy(np.float64)
        return self._cash

    @cached_property
    def pay_rates(self) -> Floats:
        """[A] at which cash of an account is paid; 1 where its currency is unknown."""
        return np.where(np.isnan(self.rates), 1.0, self.rates)


def runs(starts: Codes, groups: Codes) -> Codes:
    """Where the rows of these margin groups stand among rows by margin group, one group after another."""
    if len(groups) == 1:
        return np.arange(starts[groups[0]], starts[groups[0] + 1])
    return rows_of_accounts(starts, groups)


def _by_code(codes: Codes, count: int) -> tuple[Codes, Codes]:
    """Rows by code, and where those of each code start, [count + 1]."""
    rows = np.argsort(codes, kind="stable")
    return rows, np.searchsorted(codes[rows], np.arange(count + 1))

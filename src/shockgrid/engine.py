"""The plan (columns laid out once) and the walk over it: who holds what, by class group, ready to reprice.

Every distinct held instrument is priced once per scenario, however many accounts hold it. Positions stand in
one canonical order (class group, margin group, instrument, account), so that a leaf's sum depends on that
leaf's own positions and on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.layout import Layout
from shockgrid.market import Market
from shockgrid.market_states import MarketStates
from shockgrid.revaluation import risk_arrays
from shockgrid.states import UNMOVED

#: Doubles of unit P&L held at a time (2 MB) when instruments are walked one by one.
UNIT_TILE_ELEMENTS = 2**18


@dataclass(frozen=True)
class ClassGroup:
    """One class group: its held instruments, its leaves (one per margin group) and their positions."""

    name: str
    product_group: str
    portfolio_group: str
    instruments: Codes  #: [n] rows of Market.instruments, grouped by underlying
    sections: tuple[tuple[int, slice], ...]  #: (underlying, its slice of ``instruments``)
    leaves: Codes  #: [L] margin-group codes, ascending
    positions: slice  #: its rows in the plan's positions
    position_leaves: Codes  #: [P] leaf of each position
    position_columns: Codes  #: [P] place in ``instruments`` of each position
    weights: Any  #: CSR [L, n], quantity x multiplier x FX
    shown: Codes  #: [L] of the underlyings each leaf holds, the one whose shocks are shown


@dataclass(frozen=True)
class Positions:
    """P priced positions in canonical order."""

    accounts: Codes  #: row of Book.accounts
    margin_groups: Codes
    instruments: Codes  #: row of Market.instruments
    quantities: Floats
    prices_paid: Floats  #: NaN where not given
    weights: Floats  #: quantity x multiplier x FX: money in the base currency per unit of price


@dataclass(frozen=True)
class Plan:
    """A book laid over a market."""

    book: Book
    market: Market
    margin_groups: Texts  #: [M] sorted names
    account_groups: Codes  #: margin-group code of each row of Book.accounts
    positions: Positions
    portfolios: tuple[tuple[ClassGroup, ...], ...]  #: class groups by portfolio group, in canonical order
    unpriced: pd.DataFrame  #: held rows that cannot be priced: account, symbol, quantity, line, code
    layout: Layout  #: the columns of all class groups, one after another

    @property
    def laid(self) -> Layout | None:
        """The layout; None where the market was replaced since, and its columns are another's."""
        return self.layout if self.layout.market is self.market else None

    def relaid(self) -> Layout:
        """The layout over the plan's own market and positions, laid anew where those were replaced."""
        held = self.positions
        if self.layout.weights is held.weights:
            return self.laid or replace(self.layout, market=self.market)
        families = class_codes(self.market)[self.market.instruments.underlyings[held.instruments]]
        return Layout.of(self.market, families, held.margin_groups, held.instruments, held.weights)

    def by_margin_group(self, values: Floats, codes: Codes | None = None) -> Floats:
        """Sum of one number per position (or per row of ``codes``) for each margin group, [M]."""
        groups = self.positions.margin_groups if codes is None else codes
        return np.bincount(groups, values, len(self.margin_groups)).astype(np.float64)

    def class_groups(self) -> Iterator[ClassGroup]:
        """All class groups in canonical order."""
        for portfolio in self.portfolios:
            yield from portfolio


def plan(book: Book, market: Market) -> Plan:
    """Join positions to instruments, sort them canonically and cut them into class groups."""
    names, account_groups = np.unique(book.accounts["margin_group"].astype(str), return_inverse=True)
    account_rows = pd.Index(book.accounts["account"]).get_indexer(pd.Index(book.positions["account"]))
    rows = pd.Index(market.instruments.symbols).get_indexer(pd.Index(book.positions["symbol"]))
    worthless = bought_for_nothing(book, market, rows)
    known = (rows >= 0) & ~worthless
    lost = book.positions[~known].assign(code=np.where(worthless, "E_RANGE", "E_INSTRUMENT")[~known])
    lost = pd.concat([lost, book.unread.assign(code="E_POSITION")], ignore_index=True)
    unpriced = lost[["account", "symbol", "quantity", "line", "code"]]
    order, families = _canonical(market, rows[known], account_groups[account_rows[known]])
    held, accounts = rows[known][order], account_rows[known][order]
    quantities = book.positions["quantity"].to_numpy(np.float64)[known][order]
    table = market.instruments
    positions = Positions(
        accounts=accounts,
        margin_groups=account_groups[accounts],
        instruments=held,
        quantities=quantities,
        prices_paid=book.positions["price_paid"].to_numpy(np.float64)[known][order],
        weights=quantities * table.multipliers[held] * table.fx_rates[held],
    )
    layout = Layout.of(market, families[order], positions.margin_groups, held, positions.weights)
    portfolios: dict[str, list[ClassGroup]] = {}
    for group in class_groups(layout, positions):
        portfolios.setdefault(group.portfolio_group, []).append(group)
    return Plan(
        book,
        market,
        names.astype(object),
        account_groups,
        positions,
        tuple(tuple(part) for part in portfolios.values()),
        unpriced,
        layout,
    )


def bought_for_nothing(book: Book, market: Market, rows: Codes) -> Mask:
    """Positions [P] in inverse futures at a price of 0, at which no amount of coin is worth their size."""
    table = market.instruments
    inverted: Mask = np.append(table.inverse & ~table.is_option, False)[rows]
    return inverted & (book.positions["price_paid"] == 0.0).to_numpy(bool)


def class_codes(market: Market) -> Codes:
    """Class-group code of each underlying, in canonical order."""
    names = market.underlyings
    families = np.zeros(len(names.names), np.intp)
    for groups in (names.portfolio_groups, names.product_groups, names.class_groups):
        codes, found = pd.factorize(groups, sort=True)
        families = families * len(found) + codes
    return np.asarray(np.unique(families, return_inverse=True)[1], np.intp)


def _canonical(market: Market, instruments: Codes, margin_groups: Codes) -> tuple[Any, Any]:
    """Order of the positions, and the class-group code (canonical order) of each."""
    owners = class_codes(market)[market.instruments.underlyings[instruments]]
    # one key for all three: sorting it takes a third of the time of sorting by each
    groups, count = int(margin_groups.max(initial=0)) + 1, len(market.instruments.symbols)
    keys = (owners * groups + margin_groups) * count + instruments
    return np.argsort(keys, kind="stable"), owners


def class_groups(layout: Layout, positions: Positions) -> Iterator[ClassGroup]:
    """The class groups of a layout of these positions, in canonical order."""
    names, columns = layout.market.underlyings, layout.group_columns.tolist()
    shown = _shown(layout.market, positions.instruments, layout.leaf_positions[:-1])
    leaf_of = np.repeat(np.arange(len(layout.leaves)), np.diff(layout.leaf_positions))
    columns_of = layout.columns.astype(np.intp)
    for place, (low, high) in enumerate(pairwise(layout.group_leaves.tolist())):
        leaves, instruments = slice(low, high), slice(columns[place], columns[place + 1])
        pointers = layout.leaf_positions[low : high + 1]
        rows = slice(int(pointers[0]), int(pointers[-1]))
        sections = layout.sections(place)
        first = sections[0][0]
        yield ClassGroup(
            str(names.class_groups[first]),
            str(names.product_groups[first]),
            str(names.portfolio_groups[first]),
            layout.instruments[instruments],
            sections,
            layout.leaves[leaves],
            rows,
            leaf_of[rows] - low,
            columns_of[rows],
            sparse.csr_matrix(
                (layout.weights[rows], layout.columns[rows], (pointers - pointers[0]).astype(np.int32)),
                shape=(high - low, instruments.stop - instruments.start),
            ),
            shown[leaves],
        )


def _shown(market: Market, instruments: Codes, starts: Codes) -> Codes:
    """The least levered underlying of each leaf (first by name on a tie): what "the price" means there."""
    names = market.underlyings
    order = np.lexsort((np.arange(len(names.names)), np.abs(names.leverages - 1.0)))
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    held = rank[market.instruments.underlyings[instruments]]
    return order[np.minimum.reduceat(held, starts)]


def prepare(plan: Plan, states: MarketStates, backend: Backend) -> None:
    """Let the backend compute at once what all class groups will need."""
    backend.prepare(plan.relaid().batch(states).sections())


def class_risk_arrays(
    group: ClassGroup, market: Market, states: MarketStates, backend: Backend, layout: Layout | None = None
) -> Floats:
    """P&L [L, S] of every leaf of a class group, in the base currency, scenario weights applied."""
    pnl = group_risk_arrays(group, market, states, backend, group.weights, layout)
    return weighted(pnl, states, group.sections[0][0])


def group_risk_arrays(
    group: ClassGroup,
    market: Market,
    states: MarketStates,
    backend: Backend,
    weights: Any,
    layout: Layout | None = None,
) -> Floats:
    """The same before scenario weights, for the rows of any CSR matrix [E, n] over its instruments.

    ``layout`` holds columns of this market that need not be laid out again.
    """
    sections = [(underlying, group.instruments[rows]) for underlying, rows in group.sections]
    return risk_arrays(sections, market, states, weights, backend, layout)


def weighted(pnl: Floats, states: MarketStates, underlyings: int | Codes) -> Floats:
    """The P&L [n, S] of one underlying, or of one per row, with the weight of each scenario."""
    return pnl * states.weights[underlyings] if states.weighted else pnl


def unit_blocks(
    group: ClassGroup, market: Market, states: MarketStates, backend: Backend, layout: Layout | None = None
) -> Iterator[tuple[slice, Floats]]:
    """Unit P&L [block, S] of a class group's instruments, in blocks of bounded size.

    Per unit of price (before quantity, multiplier and FX), scenario weights left out.
    """
    size = max(1, UNIT_TILE_ELEMENTS // max(1, len(states.scenarios)))
    for underlying, rows in group.sections:
        for low in range(rows.start, rows.stop, size):
            block = slice(low, min(low + size, rows.stop))
            own = group.instruments[block]
            identity = sparse.identity(len(own), format="csr")
            yield block, risk_arrays([(underlying, own)], market, states, identity, backend, layout)


def model_values(plan: Plan, backend: Backend) -> Floats:
    """Model value per unit at the current spot and vol for every instrument; NaN where nobody holds it."""
    values = np.full(len(plan.market.instruments.symbols), np.nan)
    layout = plan.relaid()
    backend.prepare([(layout.series, UNMOVED)])
    values[layout.instruments] = backend.get(backend.price(layout.series, UNMOVED))[0]
    return values

"""Cases: margin groups with orders booked into them, as columns; nothing of a desk changes.

Every case is a margin group of its own, with the positions and accounts of the one it is a copy of, so that
one of them may be asked about many times at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask, run_starts
from shockgrid.desk.fills import traded, turns_of
from shockgrid.desk.live import Live
from shockgrid.desk.standing import Standing, runs
from shockgrid.engine import Positions
from shockgrid.market import Instruments


class Orders(NamedTuple):
    """K orders that can be booked, each of a case."""

    cases: Codes
    accounts: Codes  #: row of Book.accounts
    instruments: Codes
    quantities: Floats  #: bought > 0
    prices: Floats  #: per unit


class Cases(NamedTuple):
    """Q cases, their A' accounts, P positions and L leaves after the orders, in canonical order."""

    groups: Codes  #: [Q] the margin group of the desk that each is a copy of
    accounts: Codes  #: [A'] rows of Book.accounts, case after case
    account_cases: Codes  #: [A']
    paid: Floats  #: [A'] cash that the orders bring in, in the account's currency
    cash: Floats  #: [A'] cash after them
    positions: Positions  #: margin groups are cases, accounts places in ``accounts``
    leaf_of: Codes  #: [P]
    leaf_starts: Codes  #: [L + 1] where the positions of each start
    leaf_cases: Codes  #: [L]
    leaf_families: Codes  #: [L] class group
    touched: Mask  #: [L] whether an order is in one of its instruments


def cases_of(live: Live, standing: Standing, groups: Codes, orders: Orders) -> Cases:
    """The margin groups ``groups`` [Q] of the desk with the orders of each case booked, in their order."""
    accounts = standing.accounts[runs(standing.account_starts, groups)]
    counts = standing.account_starts[groups + 1] - standing.account_starts[groups]
    account_cases = np.repeat(np.arange(len(groups)), counts)
    firsts = np.cumsum(counts) - counts
    held = _held(live, standing, groups, orders)
    before = standing.cash(live.plan.book)[accounts]
    cash, table = before.copy(), live.market.instruments
    payers = firsts[orders.cases] + standing.ranks[orders.accounts]
    book_orders(table, standing, held, orders, payers, cash)
    touched = np.zeros(len(held.cases), np.bool_)
    touched[held.places] = True
    families = standing.families.of_underlying[table.underlyings[held.instruments]]
    leaf_keys = families * len(groups) + held.cases
    order: Any = slice(None)
    if held.opens or len(groups) > 1:
        order = np.lexsort((held.accounts, leaf_keys * len(table.symbols) + held.instruments))
    sorted_keys = leaf_keys[order]
    fresh = run_starts(sorted_keys)
    leaf_of = np.cumsum(fresh) - 1
    leaf_starts = np.append(fresh.nonzero()[0], len(fresh))
    leaf_families, leaf_cases = np.divmod(sorted_keys[leaf_starts[:-1]], max(len(groups), 1))
    touched_leaves = np.zeros(len(leaf_cases), np.bool_)
    touched_leaves[leaf_of[touched[order]]] = True
    local = firsts[held.cases[order]] + standing.ranks[held.accounts[order]]
    positions = Positions(
        local,
        held.cases[order],
        held.instruments[order],
        held.quantities[order],
        held.paid[order],
        held.weights[order],
    )
    found = (leaf_of, leaf_starts, leaf_cases, leaf_families, touched_leaves)
    return Cases(groups, accounts, account_cases, cash - before, cash, positions, *found)


class Held(NamedTuple):
    """What the cases hold, and below it what orders open."""

    opens: bool
    places: Codes  #: of each order's position
    turns: list[Codes]  #: orders in turns, of which each has at most one of a position
    cases: Codes
    accounts: Codes  #: row of Book.accounts
    instruments: Codes
    quantities: Floats
    paid: Floats
    weights: Floats


def _held(live: Live, standing: Standing, groups: Codes, orders: Orders) -> Held:
    """Before the orders are booked: what they open has a quantity of 0."""
    held = live.plan.positions
    count, owners = len(live.market.instruments.symbols), len(standing.ranks)
    lengths = standing.starts[groups + 1] - standing.starts[groups]
    rows = standing.rows[runs(standing.starts, groups)]
    cases = np.repeat(np.arange(len(groups)), lengths)
    keys = (cases * owners + held.accounts[rows]) * count + held.instruments[rows]
    wanted = (orders.cases * owners + orders.accounts) * count + orders.instruments
    distinct, of = wanted, np.arange(len(wanted))
    if len(wanted) > 1:
        distinct, of = np.unique(wanted, return_inverse=True)
    order = np.argsort(keys)
    places = np.append(order, -1)[np.searchsorted(keys[order], distinct)]
    there = np.append(keys, -1)[places] == distinct
    columns: tuple[Any, ...] = (
        cases,
        held.accounts[rows],
        held.instruments[rows],
        held.quantities[rows],
        held.prices_paid[rows],
        held.weights[rows],
    )
    if opens := not there.all():
        fresh = distinct[~there]
        places[~there] = len(keys) + np.arange(len(fresh))
        pairs, instruments = np.divmod(fresh, count)
        fresh_cases, accounts = np.divmod(pairs, owners)
        blank = np.zeros(len(fresh))
        opened = (fresh_cases, accounts, instruments, blank, np.full(len(fresh), np.nan), blank)
        columns = tuple(np.concatenate(pair) for pair in zip(columns, opened, strict=True))
    return Held(opens, places[of], turns_of(of, len(distinct)), *columns)


def book_orders(
    table: Instruments, standing: Standing, held: Held, orders: Orders, payers: Codes, cash: Floats
) -> None:
    """Book the orders into what the cases hold, and into the cash [A'] of ``payers`` [K]."""
    for turn in held.turns:
        at, rows = held.places[turn], orders.instruments[turn]
        worth, held.quantities[at], held.paid[at] = traded(
            table, rows, orders.quantities[turn], orders.prices[turn], held.quantities[at], held.paid[at]
        )
        np.add.at(cash, payers[turn], worth / standing.pay_rates[orders.accounts[turn]])
    rows = held.instruments[held.places]
    held.weights[held.places] = held.quantities[held.places] * table.multipliers[rows] * table.fx_rates[rows]


def only(cases: Cases, chosen: Mask) -> Cases:
    """Some of the cases, counted from 0 in the same order."""
    place = np.cumsum(chosen) - 1
    accounts, held = chosen[cases.account_cases], cases.positions
    account_place = np.cumsum(accounts) - 1
    rows, leaves = chosen[held.margin_groups], chosen[cases.leaf_cases]
    leaf_place = np.cumsum(leaves) - 1
    lengths = np.diff(cases.leaf_starts)[leaves]
    return Cases(
        cases.groups[chosen],
        cases.accounts[accounts],
        place[cases.account_cases[accounts]],
        cases.paid[accounts],
        cases.cash[accounts],
        Positions(
            account_place[held.accounts[rows]],
            place[held.margin_groups[rows]],
            held.instruments[rows],
            held.quantities[rows],
            held.prices_paid[rows],
            held.weights[rows],
        ),
        leaf_place[cases.leaf_of[rows]],
        np.append(0, np.cumsum(lengths)),
        place[cases.leaf_cases[leaves]],
        cases.leaf_families[leaves],
        cases.touched[leaves],
    )

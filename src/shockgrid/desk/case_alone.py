"""One margin group with a few orders booked into it: what ``cases_of`` gives, found with fewer operations."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes, run_starts
from shockgrid.desk.cases import Cases, Held, Orders, book_orders
from shockgrid.desk.fills import turns_of
from shockgrid.desk.live import Live
from shockgrid.desk.standing import Standing
from shockgrid.engine import Positions


def case_alone(live: Live, standing: Standing, group: int, orders: Orders) -> Cases:
    """The margin group ``group`` of the desk with orders booked, all of them of case 0."""
    table, families = live.market.instruments, standing.families
    held, at = _held(live, standing, group, orders)
    accounts = standing.accounts[standing.account_starts[group] : standing.account_starts[group + 1]]
    before = standing.cash(live.plan.book)[accounts]
    cash = before.copy()
    book_orders(table, standing, held, orders, standing.ranks[orders.accounts], cash)
    own = families.of_underlying[table.underlyings[held.instruments]]
    fresh = run_starts(own)
    leaf_of = fresh.cumsum() - 1
    leaf_starts = np.append(fresh.nonzero()[0], len(own))
    leaf_families = own[leaf_starts[:-1]]
    touched = np.zeros(len(leaf_families), np.bool_)
    touched[leaf_of[at]] = True
    columns = (held.instruments, held.quantities, held.paid, held.weights)
    positions = Positions(standing.ranks[held.accounts], held.cases, *columns)
    owners = np.zeros(len(accounts), np.intp)
    leaf_cases = np.zeros(len(leaf_families), np.intp)
    found = (leaf_of, leaf_starts, leaf_cases, leaf_families, touched)
    return Cases(np.array([group]), accounts, owners, cash - before, cash, positions, *found)


def _held(live: Live, standing: Standing, group: int, orders: Orders) -> tuple[Held, Codes]:
    """What the margin group holds, with what the orders open among it at a quantity of 0, in canonical order;
    and where the orders are in it."""
    held = live.plan.positions
    run = slice(standing.starts[group], standing.starts[group + 1])
    keys, rows = standing.keys[run], standing.rows[run]
    wanted = standing.keys_of(live.market, orders.instruments, orders.accounts)
    distinct, of = wanted, np.arange(len(wanted))
    if len(wanted) > 1:
        distinct, of = np.unique(wanted, return_inverse=True)
    at = keys.searchsorted(distinct)
    new = keys.take(at, mode="clip") != distinct
    opens = bool(new.any())
    if opens:
        opened = distinct[new]
        order = np.concatenate((keys, opened)).argsort(kind="stable")
        rows = np.concatenate((rows, np.zeros(len(opened), np.intp)))[order]
        at = at + new.cumsum() - new
    accounts, instruments = held.accounts[rows], held.instruments[rows]
    quantities, paid, weights = held.quantities[rows], held.prices_paid[rows], held.weights[rows]
    if opens:
        fresh = at[new]
        pairs, accounts[fresh] = np.divmod(opened, len(standing.ranks))
        instruments[fresh] = pairs % len(live.market.instruments.symbols)
        quantities[fresh], paid[fresh], weights[fresh] = 0.0, np.nan, 0.0
    cases = np.zeros(len(rows), np.intp)
    turns = turns_of(of, len(distinct))
    return Held(opens, at[of], turns, cases, accounts, instruments, quantities, paid, weights), at

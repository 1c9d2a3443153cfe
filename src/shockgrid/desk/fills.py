"""A book after fills and deposits: quantities change and cash moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.book import LARGEST_QUANTITY, Book
from shockgrid.columns import LARGEST_CASH, LARGEST_PRICE, REJECT_COLUMNS, Door
from shockgrid.desk.spans import rows_of_accounts
from shockgrid.engine import bought_for_nothing
from shockgrid.market import Instruments, Market
from shockgrid.symbols import canonical

FUTURES = ("future", "perpetual")
FILL_COLUMNS = ("account", "symbol", "quantity", "price")


class Fills(NamedTuple):
    """The fills of one update that can be booked, and whose accounts are in doubt for those that cannot."""

    accounts: Codes  #: row of Book.accounts
    instruments: Codes
    quantities: Floats
    prices: Floats
    doubted: frozenset[str]
    rejects: pd.DataFrame
    rows: Codes  #: where each stands in the table it was read from


def read_fills(source: Any, book: Book, market: Market) -> Fills:
    """Check fills (account, symbol, quantity, price per unit) against a book and a market.

    What cannot be booked is turned away, and its account becomes PARTIAL: it holds something we do not know.
    """
    door = Door("fills", source, required=FILL_COLUMNS, key="account")
    names, symbols = door.text("account"), canonical(door.text("symbol"))
    quantities = door.number("quantity", low=-LARGEST_QUANTITY, high=LARGEST_QUANTITY)
    prices = door.number("price", low=0.0, high=LARGEST_PRICE)
    table = market.instruments
    accounts, held = (
        np.asarray(pd.Index(known, dtype=object).get_indexer(pd.Index(given, dtype=object)), np.intp)
        for known, given in ((book.accounts["account"], names), (table.symbols, symbols))
    )
    door.reject(accounts < 0, "account", "E_ACCOUNT", "expected an account of the book")
    door.reject(held < 0, "symbol", "E_INSTRUMENT", "expected a symbol of the market")
    coin = np.append(table.inverse & ~table.is_option, False)[held]
    door.reject(coin & (prices == 0.0), "price", "E_RANGE", "the price of an inverse future must be > 0")
    if coin.any():
        message = "what is held was bought at a price of 0: what it realises is not known"
        door.reject(coin & _into_worthless(book, market, names, symbols), "symbol", "E_RANGE", message)
    used = ~door.bad & (quantities != 0.0)
    doubted = frozenset(names[door.bad & (accounts >= 0)])
    rows = np.flatnonzero(used)
    return Fills(accounts[rows], held[rows], quantities[rows], prices[rows], doubted, door.rejects(), rows)


def _into_worthless(book: Book, market: Market, names: Texts, symbols: Texts) -> Mask:
    """Which fills [n] are in a position whose ``price_paid`` is no price; see ``bought_for_nothing``."""
    rows = pd.Index(market.instruments.symbols).get_indexer(pd.Index(book.positions["symbol"]))
    worthless = book.positions[bought_for_nothing(book, market, rows)]
    known = pd.MultiIndex.from_frame(worthless[["account", "symbol"]])
    return np.asarray(pd.MultiIndex.from_arrays([names, symbols]).isin(known), np.bool_)


def booked(book: Book, market: Market, fills: Fills, starts: Codes) -> Book:
    """The book after these fills, in their order; ``starts`` are its ``account_starts``.

    Cash pays quantity x multiplier x price, in the account's currency at today's rate. A future pays
    nothing; what closes realises price - price_paid of the part closed, in cash. ``price_paid`` becomes the
    quantity-weighted mean where a position grows, stays where it shrinks, and is the fill's where it opens or
    turns. A position that is closed stays in the book with a quantity of 0.
    """
    own = _own_rows(book, market, fills, starts)
    cash = book.accounts["cash"].to_numpy(np.float64).copy()
    quantities, paid = (
        np.append(book.positions[name].to_numpy(np.float64)[own.rows], np.full(len(own.fresh), blank))
        for name, blank in (("quantity", 0.0), ("price_paid", np.nan))
    )
    for turn in own.turns:
        at = own.places[turn]
        money, quantities[at], paid[at] = _booked(fills, turn, quantities[at], paid[at], book, market)
        np.add.at(cash, fills.accounts[turn], money)
    return replace(
        book,
        accounts=book.accounts.assign(cash=cash),
        positions=_put_back(book, market, fills, own, quantities, paid, starts),
        partial=book.partial | fills.doubted,
    )


class _Own(NamedTuple):
    """Where fills belong: n rows of the positions, and below them those that they open."""

    rows: Codes  #: [n] of the book's positions: all that their accounts hold
    fresh: Codes  #: of each position that is opened, the first fill
    places: Codes  #: of each fill, among both
    turns: list[Codes]  #: the fills in turns, of which each has at most one of a position


def _own_rows(book: Book, market: Market, fills: Fills, starts: Codes) -> _Own:
    accounts, symbols = np.unique(fills.accounts), pd.Index(market.instruments.symbols, dtype=object)
    rows = rows_of_accounts(starts, accounts)
    held = symbols.get_indexer(pd.Index(book.positions["symbol"].iloc[rows], dtype=object))
    owners = np.repeat(accounts, starts[accounts + 1] - starts[accounts])
    known = np.where(held >= 0, owners * len(symbols) + held, -1)  # nobody can trade the others
    wanted = fills.accounts * len(symbols) + fills.instruments
    distinct, first, of = np.unique(wanted, return_index=True, return_inverse=True)
    order = np.argsort(known, kind="stable")
    near: Codes = np.asarray(np.searchsorted(known[order], distinct), np.intp)
    there = np.append(known[order], -1)[near] == distinct
    fresh = np.sort(first[~there])
    places = np.empty(len(distinct), np.intp)
    places[there] = order[near[there]]
    places[of[fresh]] = len(rows) + np.arange(len(fresh))
    return _Own(rows, fresh, places[of], turns_of(of, len(distinct)))


def turns_of(positions: Codes, count: int) -> list[Codes]:
    """Fills in turns that each have at most one of a position; ``positions`` are codes below ``count``."""
    if count == len(positions):  # one of each
        return [np.arange(count)] if count else []
    by_position = np.argsort(positions, kind="stable")
    starts = np.searchsorted(positions[by_position], np.arange(count))
    rank = np.empty(len(positions), np.intp)
    rank[by_position] = np.arange(len(positions)) - starts[positions[by_position]]
    return [np.flatnonzero(rank == turn) for turn in range(int(rank.max(initial=-1)) + 1)]


def _booked(
    fills: Fills, turn: Codes, held: Floats, paid: Floats, book: Book, market: Market
) -> tuple[Floats, Floats, Floats]:
    """Cash to each account, new quantity and new price paid of one fill a position."""
    currencies = book.accounts["currency"].to_numpy(object)[fills.accounts[turn]]
    rates = np.array([{**market.fx, "": 1.0}.get(name, 1.0) for name in currencies], np.float64)
    rows, quantities, prices = fills.instruments[turn], fills.quantities[turn], fills.prices[turn]
    worth, after, new = traded(market.instruments, rows, quantities, prices, held, paid)
    return worth / rates, after, new


def traded(
    table: Instruments, rows: Codes, quantities: Floats, prices: Floats, held: Floats, paid: Floats
) -> tuple[Floats, Floats, Floats]:
    """Cash of fills [n] in the base currency, quantity and price paid afterwards; see ``booked``.

    ``rows`` are their instruments; ``held`` and ``paid`` quantity and price paid of each position before.
    """
    coins = table.inverse[rows].any()
    price, before = (table.coin_values(column, rows) if coins else column for column in (prices, paid))
    after, worth, kinds = held + quantities, -quantities * price, table.types[rows]
    future = (kinds == FUTURES[0]) | (kinds == FUTURES[1])
    if future.any():
        closed = np.where(held * quantities < 0.0, np.minimum(np.abs(held), np.abs(quantities)), 0.0)
        realised = np.where(closed > 0.0, np.sign(held) * closed * (price - before), 0.0)
        worth = np.where(future, np.where(np.isnan(realised), 0.0, realised), worth)
    worth = worth * table.multipliers[rows] * table.fx_rates[rows]
    grows = held * quantities > 0.0
    mean = (held * before + quantities * price) / np.where(grows, after, 1.0)
    fresh = (held == 0.0) | (held * after < 0.0)
    new = np.where(fresh, price, np.where(grows, mean, before))
    return worth, after, table.coin_values(new, rows) if coins else new


def _put_back(
    book: Book,
    market: Market,
    fills: Fills,
    own: _Own,
    quantities: Floats,
    paid: Floats,
    starts: Codes,
) -> pd.DataFrame:
    """All positions with the accounts' own as they are now, and those that are new in their places."""
    positions, columns = book.positions, {}
    for name, now in (("quantity", quantities), ("price_paid", paid)):
        columns[name] = positions[name].to_numpy(np.float64).copy()
        columns[name][own.rows] = now[: len(own.rows)]
    changed = positions.assign(**columns)
    if not len(own.fresh):
        return changed
    owners, symbols = fills.accounts[own.fresh], market.instruments.symbols[fills.instruments[own.fresh]]
    added = pd.DataFrame(
        {
            "account": book.accounts["account"].to_numpy(object)[owners],
            "symbol": symbols,
            "quantity": quantities[len(own.rows) :],
            "price_paid": paid[len(own.rows) :],
            "line": 0,
        }
    )
    order = _in_places(positions, own, owners, symbols, starts)
    return pd.concat([changed, added], ignore_index=True).iloc[order].reset_index(drop=True)


def _in_places(positions: pd.DataFrame, own: _Own, owners: Codes, symbols: Texts, starts: Codes) -> Codes:
    """The order of all positions by account and symbol, with new ones of these below them."""
    count = len(own.rows)
    held = np.append(positions["symbol"].iloc[own.rows].to_numpy(object), symbols)
    everybody = np.repeat(np.arange(len(starts) - 1), np.diff(starts))[own.rows]
    ranks = np.unique(held, return_inverse=True)[1]
    order = np.lexsort((ranks, np.append(everybody, owners)))
    old = order < count
    fresh = order[~old] - count
    before = np.cumsum(old)[~old]  # rows of their accounts, and of accounts before them that trade
    earlier = np.searchsorted(everybody, owners[fresh])
    places = starts[owners[fresh]] + before - earlier
    return np.insert(np.arange(len(positions)), places, len(positions) + fresh)


def deposited(book: Book, account: Any, amount: Any) -> tuple[Book, pd.DataFrame]:
    """The book with ``amount`` (in its own currency, < 0 for a withdrawal) more cash in an account.

    What cannot be booked leaves the book as it is; the second result is its reject.
    """
    row = pd.DataFrame({"account": [account], "amount": [amount]})
    door = Door("deposits", row, required=("account", "amount"), key="account")
    names, amounts = door.text("account"), door.number("amount", low=-LARGEST_CASH, high=LARGEST_CASH)
    known = (book.accounts["account"] == names[0]).to_numpy(bool)
    door.reject(np.array([not known.any()]), "account", "E_ACCOUNT", "expected an account of the book")
    if door.bad[0]:
        return book, door.rejects()[list(REJECT_COLUMNS)]
    cash = np.where(known, book.accounts["cash"] + amounts[0], book.accounts["cash"])
    return replace(book, accounts=book.accounts.assign(cash=cash)), door.rejects()

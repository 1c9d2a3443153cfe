"""A book after fills and deposits: quantities change and cash moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats
from shockgrid.book import LARGEST_QUANTITY, Book
from shockgrid.columns import LARGEST_CASH, LARGEST_PRICE, REJECT_COLUMNS, Door
from shockgrid.desk.spans import rows_of_accounts
from shockgrid.market import Market
from shockgrid.symbols import canonical

FUTURES = ("future", "perpetual")
KEYS = ["account", "symbol"]


class Fills(NamedTuple):
    """The fills of one update that can be booked, and whose accounts are in doubt for those that cannot."""

    accounts: Codes  #: row of Book.accounts
    instruments: Codes
    quantities: Floats
    prices: Floats
    doubted: frozenset[str]
    rejects: pd.DataFrame


def read_fills(source: Any, book: Book, market: Market) -> Fills:
    """Check fills (account, symbol, quantity, price per unit) against a book and a market.

    What cannot be booked is turned away, and its account becomes PARTIAL: it holds something we do not know.
    """
    door = Door("fills", source, required=("account", "symbol", "quantity", "price"), key="account")
    names, symbols = door.text("account"), canonical(door.text("symbol"))
    quantities = door.number("quantity", low=-LARGEST_QUANTITY, high=LARGEST_QUANTITY)
    prices = door.number("price", low=0.0, high=LARGEST_PRICE)
    table = market.instruments
    accounts = np.asarray(pd.Index(book.accounts["account"]).get_indexer(pd.Index(names)), np.intp)
    held = np.asarray(pd.Index(table.symbols).get_indexer(pd.Index(symbols)), np.intp)
    door.reject(accounts < 0, "account", "E_ACCOUNT", "expected an account of the book")
    door.reject(held < 0, "symbol", "E_INSTRUMENT", "expected a symbol of the market")
    coin = np.append(table.inverse & ~table.is_option, False)[held]
    door.reject(coin & (prices == 0.0), "price", "E_RANGE", "the price of an inverse future must be > 0")
    used = ~door.bad & (quantities != 0.0)
    doubted = frozenset(names[door.bad & (accounts >= 0)])
    return Fills(accounts[used], held[used], quantities[used], prices[used], doubted, door.rejects())


def booked(book: Book, market: Market, fills: Fills, starts: Codes) -> Book:
    """The book after these fills, in their order; ``starts`` are its ``account_starts``.

    Cash pays quantity x multiplier x price, in the account's currency at today's rate. A future pays
    nothing; what closes realises price - price_paid of the part closed, in cash. ``price_paid`` becomes the
    quantity-weighted mean where a position grows, stays where it shrinks, and is the fill's where it opens or
    turns. A position that is closed stays in the book with a quantity of 0.
    """
    frame = pd.DataFrame(
        {
            "account": book.accounts["account"].to_numpy(object)[fills.accounts],
            "symbol": market.instruments.symbols[fills.instruments],
            "owner": fills.accounts,
            "instrument": fills.instruments,
            "quantity": fills.quantities,
            "price": fills.prices,
        }
    )
    rows = rows_of_accounts(starts, np.unique(fills.accounts))
    own, fresh = _with_rows(book.positions.iloc[rows], frame[KEYS])
    index = pd.MultiIndex.from_frame(own[KEYS])
    cash = book.accounts["cash"].to_numpy(np.float64).copy()
    quantities, paid = (own[name].to_numpy(np.float64).copy() for name in ("quantity", "price_paid"))
    for _, turn in frame.groupby(frame.groupby(KEYS).cumcount()):
        at = np.asarray(index.get_indexer(pd.MultiIndex.from_frame(turn[KEYS])), np.intp)
        money, quantities[at], paid[at] = _booked(turn, quantities[at], paid[at], book, market)
        np.add.at(cash, turn["owner"].to_numpy(np.intp), money)
    own = own.assign(quantity=quantities, price_paid=paid)
    return replace(
        book,
        accounts=book.accounts.assign(cash=cash),
        positions=_put_back(book.positions, own, rows, fresh),
        partial=book.partial | fills.doubted,
    )


def _booked(
    turn: pd.DataFrame, held: Floats, paid: Floats, book: Book, market: Market
) -> tuple[Floats, Floats, Floats]:
    """Cash to each account, new quantity and new price paid of one fill a position."""
    table = market.instruments
    rows, owners = turn["instrument"].to_numpy(np.intp), turn["owner"].to_numpy(np.intp)
    quantities = turn["quantity"].to_numpy(np.float64)
    price, before = (table.coin_values(column, rows) for column in (turn["price"].to_numpy(np.float64), paid))
    after = held + quantities
    closed = np.where(held * quantities < 0.0, np.minimum(np.abs(held), np.abs(quantities)), 0.0)
    realised = np.where(closed > 0.0, np.sign(held) * closed * (price - before), 0.0)
    realised = np.where(np.isnan(realised), 0.0, realised)
    future = np.isin(table.types[rows].astype(str), FUTURES)
    worth = np.where(future, realised, -quantities * price) * table.multipliers[rows] * table.fx_rates[rows]
    currencies = book.accounts["currency"].to_numpy(object)[owners]
    rates = np.array([{**market.fx, "": 1.0}.get(name, 1.0) for name in currencies], np.float64)
    grows = held * quantities > 0.0
    mean = (held * before + quantities * price) / np.where(grows, after, 1.0)
    fresh = (held == 0.0) | (held * after < 0.0)
    new = np.where(fresh, price, np.where(grows, mean, before))
    return worth / rates, after, table.coin_values(new, rows)


def _with_rows(positions: pd.DataFrame, keys: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The positions, and below them a row of quantity 0 for every (account, symbol) that has none."""
    known = pd.MultiIndex.from_frame(positions[KEYS])
    wanted = keys[~pd.MultiIndex.from_frame(keys).isin(known)].drop_duplicates()
    fresh = wanted.assign(quantity=0.0, price_paid=np.nan, line=0)
    return (pd.concat([positions, fresh]) if len(fresh) else positions), len(fresh)


def _put_back(positions: pd.DataFrame, own: pd.DataFrame, rows: Codes, fresh: int) -> pd.DataFrame:
    """All positions with these rows as they are in ``own``, the last ``fresh`` of which are new; sorted."""
    columns = {}
    for name in ("quantity", "price_paid"):
        columns[name] = positions[name].to_numpy(np.float64).copy()
        columns[name][rows] = own[name].to_numpy(np.float64)[: len(rows)]
    changed = positions.assign(**columns)
    if not fresh:
        return changed
    joined = pd.concat([changed, own.iloc[len(rows) :]], ignore_index=True)
    return joined.sort_values(KEYS, kind="stable", ignore_index=True)


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

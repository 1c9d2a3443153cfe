"""Orders as users write them, checked and turned into columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Texts
from shockgrid.book import LARGEST_QUANTITY
from shockgrid.columns import LARGEST_PRICE
from shockgrid.desk.case_columns import CaseDesk
from shockgrid.desk.cases import Orders
from shockgrid.desk.fills import FILL_COLUMNS, read_fills
from shockgrid.desk.order_rows import order_frame
from shockgrid.doors import require_kind
from shockgrid.errors import InputError

KEYS = {"symbol", "quantity", "price"}


def account_of(desk: CaseDesk, account: str) -> int:
    """Row of an account; InputError where there is none of that name."""
    require_kind(account, str, "account")
    try:
        return int(desk.live.accounts_index.get_loc(account))
    except KeyError:
        problem = "no such account"
        raise InputError(problem, table="accounts", column="account", value=account) from None


def read_cases(desk: CaseDesk, source: Any) -> tuple[Texts, Codes, Orders]:
    """Name and margin group of each case, in order of appearance, and all orders.

    ``source`` : case, account, symbol, quantity (bought > 0) and optionally price per unit; without one the
    instrument's mark, its model value where it has none.

    Raises
    ------
    InputError : a column is unknown, an order cannot be booked, or the orders of a case are of two margin
        groups.
    """
    frame, live = _framed(source), desk.live
    given = frame["price"].to_numpy(object) if "price" in frame else np.full(len(frame), None, object)
    blank = pd.isna(given)
    named = frame.assign(price=np.where(blank, 1.0, given))  # of those without, until their symbols are read
    fills = read_fills(named[list(FILL_COLUMNS)], live.plan.book, live.market)
    if len(fills.rejects):
        bad = fills.rejects.iloc[0]
        where = {"line": int(bad["line"]), "column": bad["column"], "value": bad["value"]}
        raise InputError(bad["message"], table="orders", **where)
    accounts = live.accounts_index.get_indexer(pd.Index(frame["account"].str.strip(), dtype=object))
    owners = live.plan.account_groups[accounts]
    numbers, names = pd.factorize(frame["case"].to_numpy(object))
    groups = np.zeros(len(names), np.intp)
    groups[numbers[::-1]] = owners[::-1]
    strange = owners != groups[numbers]
    if strange.any():
        problem = "the orders of a case must be of one margin group"
        raise InputError(problem, column="case", value=frame["case"].iloc[int(strange.argmax())])
    prices = np.where(blank[fills.rows], _fair(desk, fills.instruments), fills.prices)
    columns = (fills.accounts, fills.instruments, fills.quantities, prices)
    return np.asarray(names, object), groups, Orders(numbers[fills.rows], *columns)


def read_orders(desk: CaseDesk, account: str, source: Any) -> tuple[int, Orders]:
    """The margin group of an account, and its orders as one case: symbol, quantity and optionally price."""
    row = account_of(desk, account)
    group = int(desk.live.plan.account_groups[row])
    plain = _plain(desk, row, source)
    if plain is not None:
        return group, plain
    frame = order_frame(source, "orders", ("symbol", "quantity"))
    _require_known(frame, KEYS)
    return group, read_cases(desk, frame.assign(case="orders", account=account))[2]


def in_sizes(order: Orders, quantities: Sequence[float]) -> Orders:
    """One order in each of these sizes, a case for each."""
    count = len(quantities)
    return Orders(
        np.arange(count),
        np.repeat(order.accounts, count),
        np.repeat(order.instruments, count),
        np.asarray(quantities, np.float64),
        np.repeat(order.prices, count),
    )


def _framed(source: Any) -> pd.DataFrame:
    required = ("case", "account", "symbol", "quantity")
    frame = order_frame(source, "orders", required).reset_index(drop=True)
    for column in required:
        if column not in frame:
            problem = "required column is missing"
            raise InputError(problem, table="orders", column=column)
    _require_known(frame, {"case", "account", *KEYS})
    blank = frame["case"].isna().to_numpy(bool)
    if blank.any():
        problem = "expected the name of a case, found nothing"
        raise InputError(problem, table="orders", line=int(blank.argmax()) + 2, column="case")
    return frame.assign(case=frame["case"].astype(str))


def _require_known(frame: pd.DataFrame, known: Set[str]) -> None:
    """Raise InputError for a column that no order has: a price that is spelled wrong would be the mark."""
    if frame.columns.has_duplicates:
        problem = "a column name appears twice"
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(problem, table="orders", column=str(twice))
    for column in frame.columns:
        if column not in known:
            problem = f"unknown column, expected {', '.join(sorted(known))}"
            raise InputError(problem, table="orders", column=str(column))


def _plain(desk: CaseDesk, account: int, source: Any) -> Orders | None:
    """Orders that need no reading: a list of mappings with a symbol of the market as it is spelled there and
    finite numbers within bounds. None for all others: a frame reads them, or says what is wrong."""
    if not isinstance(source, list) or not source:
        return None
    symbols, quantities, prices = [], [], []
    for order in source:
        if not isinstance(order, Mapping) or not order.keys() <= KEYS:
            return None
        symbol: Any = order.get("symbol")
        quantity: Any = order.get("quantity")
        price: Any = order.get("price", math.nan)
        if not (_is_number(quantity) and _is_number(price) and isinstance(symbol, str)):
            return None
        if not 0.0 < abs(quantity) <= LARGEST_QUANTITY or price < 0.0 or price > LARGEST_PRICE:
            return None
        symbols.append(symbol)
        quantities.append(float(quantity))
        prices.append(float(price))
    table, given = desk.live.market.instruments, np.array(prices)
    instruments = desk.directory.find("symbol", table.symbols, symbols)
    inverse = table.inverse[instruments]
    if min(instruments) < 0 or (inverse.any() and (inverse & ~table.is_option[instruments]).any()):
        return None
    if any(map(math.isnan, prices)):
        given = np.where(np.isnan(given), _fair(desk, instruments), given)
    count = len(symbols)
    return Orders(np.zeros(count, np.intp), np.full(count, account), instruments, np.array(quantities), given)


def _is_number(value: Any) -> bool:
    return type(value) is float or type(value) is int or isinstance(value, np.float64)


def _fair(desk: CaseDesk, instruments: Codes) -> Floats:
    """Mark of each instrument, its model value where there is none."""
    table = desk.live.market.instruments
    marks = table.marks[instruments]
    blank = np.isnan(marks)
    if blank.any():
        model = desk.values(instruments)[instruments]
        marks = np.where(blank, table.coin_values(model, instruments), marks)
    return marks

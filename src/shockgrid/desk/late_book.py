"""The book of cases, made only where a regime's own function looks at it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.book import Book
from shockgrid.desk.cases import Cases
from shockgrid.market import Market


class LateBook(Book):
    """A ``Book`` of Q cases: accounts and margin groups have their own names, so that they may repeat.

    A column of it is made when it is first asked for: frames take longer than a whole what-if. Positions
    are the priced ones after the orders, by case and account; what cannot be priced is left out.
    """

    def __init__(self, whole: Book, cases: Cases, market: Market) -> None:
        object.__setattr__(self, "_made_from", (whole, cases, market))

    def __getattr__(self, name: str) -> Any:
        if name not in {column.name for column in fields(Book)}:
            raise AttributeError(name)
        whole, cases, market = self.__dict__["_made_from"]
        if name == "accounts":
            made = _accounts(whole, cases)
        elif name == "positions":
            made = _positions(whole, cases, market)
        elif name == "account_lines":
            made = whole.account_lines[cases.accounts]
        elif name in ("unread", "rejects"):
            made = getattr(whole, name).iloc[:0]
        else:
            made = getattr(whole, name)
        object.__setattr__(self, name, made)
        return made


def _accounts(whole: Book, cases: Cases) -> pd.DataFrame:
    return whole.accounts.iloc[cases.accounts].reset_index(drop=True).assign(cash=cases.cash)


def _positions(whole: Book, cases: Cases, market: Market) -> pd.DataFrame:
    held, symbols = cases.positions, market.instruments.symbols[cases.positions.instruments]
    order = np.lexsort((symbols.astype(str), held.accounts))
    names = whole.accounts["account"].to_numpy(object)[cases.accounts[held.accounts]]
    columns = {
        "account": names,
        "symbol": symbols,
        "quantity": held.quantities,
        "price_paid": held.prices_paid,
        "line": np.zeros(len(symbols), np.int64),
    }
    return pd.DataFrame({name: column[order] for name, column in columns.items()})

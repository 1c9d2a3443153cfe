"""Accounts of a book found by their place: positions are sorted by account, so each has a run of rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes
from shockgrid.book import Book


def account_starts(book: Book) -> Codes:
    """Where the positions of each account start, and where the last one's end, [A + 1]."""
    owners = pd.Index(book.accounts["account"]).get_indexer(pd.Index(book.positions["account"]))
    return np.searchsorted(owners, np.arange(len(book.accounts) + 1))


def rows_of_accounts(starts: Codes, accounts: Codes) -> Codes:
    """The rows of the positions of these accounts, account after account."""
    lengths = starts[accounts + 1] - starts[accounts]
    firsts = np.repeat(starts[accounts] - np.append(0, np.cumsum(lengths)[:-1]), lengths)
    return firsts + np.arange(len(firsts))


def run_of(codes: Codes) -> Any:
    """The same ascending rows as a slice, where they follow one upon another: it is read at once."""
    if len(codes) and codes[-1] - codes[0] + 1 == len(codes):
        return slice(int(codes[0]), int(codes[-1]) + 1)
    return codes


def book_of(book: Book, accounts: Codes, starts: Codes) -> Book:
    """``Book.select`` by rows of its accounts, ascending, without a search through all positions."""
    chosen = book.accounts.iloc[accounts].reset_index(drop=True)
    unread, partial = book.unread, book.partial
    if len(unread) or partial:
        names = set(chosen["account"])
        unread = unread[unread["account"].isin(names)].reset_index(drop=True)
        partial = frozenset(partial & names)
    return replace(
        book,
        accounts=chosen,
        account_lines=book.account_lines[accounts],
        positions=book.positions.iloc[rows_of_accounts(starts, accounts)].reset_index(drop=True),
        unread=unread,
        partial=partial,
    )

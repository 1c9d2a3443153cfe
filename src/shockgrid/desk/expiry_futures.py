"""Options on futures: exercise opens a futures position at the strike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from shockgrid.book import Book
from shockgrid.columns import joined_rejects
from shockgrid.desk.expiry_settle import Expiring, account_rates
from shockgrid.desk.fills import Fills, booked
from shockgrid.desk.spans import account_starts
from shockgrid.market import Market


def with_futures(book: Book, market: Market, rows: Expiring, choice: str) -> Book:
    """The book with the futures that exercised options deliver, each booked as a fill at the strike.

    What that closes of a position on the other side realises its difference in cash.
    """
    frame, contracts = rows.frame, rows.shares(choice)
    moved = np.flatnonzero(frame["into_future"].to_numpy(bool) & (contracts != 0.0))
    if len(moved) == 0:
        return book
    accounts, instruments = (
        pd.Index(known, dtype=object).get_indexer(pd.Index(frame[column].iloc[moved], dtype=object))
        for known, column in (
            (book.accounts["account"], "account"),
            (market.instruments.symbols, "underlying"),
        )
    )
    prices = frame["strike"].to_numpy(np.float64)[moved]
    fills = Fills(
        accounts,
        instruments,
        contracts[moved],
        prices,
        frozenset(),
        joined_rejects([]),
        np.arange(len(prices)),
    )
    after = booked(book, market, fills, account_starts(book))
    unrated = np.isnan(account_rates(book, market))
    cash = np.where(unrated, book.accounts["cash"], after.accounts["cash"])
    flat = after.positions["symbol"].isin(frame["underlying"].iloc[moved]) & (
        after.positions["quantity"] == 0.0
    )
    kept = after.positions[~flat].reset_index(drop=True)
    return replace(after, accounts=after.accounts.assign(cash=cash), positions=kept)

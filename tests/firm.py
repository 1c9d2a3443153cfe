"""A firm of about 100,000 positions as tables of text, the way files are read, and one row to spoil."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import shockgrid as sg
from shockgrid.backends import NumpyBackend
from shockgrid.io.synthetic import synthetic_policy, synthetic_tables

BOOK_TABLES = ("positions", "accounts")
POLICY = synthetic_policy()
BACKEND = NumpyBackend()  # one for all: grids and premium tables of the clean firm are computed once


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Every cell as text, blank where there is nothing."""
    return frame.astype(object).where(frame.notna(), "").astype(str)


@dataclass(frozen=True)
class Firm:
    """Clean tables and results, and the victim: one short option position of a single name.

    ``rows`` is the victim's row in every table; ``holders`` are the margin groups that hold a symbol.
    """

    tables: dict[str, pd.DataFrame]
    as_of: str
    market: sg.Market
    book: sg.Book
    clean: pd.DataFrame
    rows: dict[str, int]
    held: pd.DataFrame

    @property
    def victim(self) -> pd.Series:
        return self.tables["positions"].loc[self.rows["positions"]]

    @property
    def underlying(self) -> str:
        return str(self.tables["underlyings"].loc[self.rows["underlyings"], "underlying"])

    def margin(self, table: str = "", spoilt: pd.DataFrame | None = None) -> sg.MarginResult:
        """The result with one table replaced; the untouched half is not read again."""
        tables = {**self.tables, **({} if spoilt is None else {table: spoilt})}
        book, market = self.book, self.market
        if table in BOOK_TABLES:
            book = sg.Book.from_frames(tables["positions"], tables["accounts"])
        elif table:
            market = read_market(tables, self.as_of)
        return sg.margin(book, market, POLICY, backend=BACKEND)

    def holders(self, column: str, value: str) -> set[str]:
        """Margin groups that hold this symbol, or something on this underlying."""
        return set(self.held.loc[self.held[column] == value, "margin_group"])


def read_market(tables: dict[str, pd.DataFrame], as_of: str) -> sg.Market:
    own: dict[str, Any] = {name: frame for name, frame in tables.items() if name not in BOOK_TABLES}
    return sg.Market.from_frames(**own, as_of=as_of)


def build_firm(accounts: int = 1000) -> Firm:
    drawn = synthetic_tables(accounts=accounts, underlyings=100, seed=1)
    tables = {name: as_text(frame) for name, frame in {**drawn.market, **drawn.book}.items()}
    tables["positions"] = tables["positions"].assign(price_paid="")
    tables["accounts"] = tables["accounts"].assign(equity_override="")
    market = read_market(tables, drawn.as_of)
    book = sg.Book.from_frames(tables["positions"], tables["accounts"])
    groups = tables["accounts"].set_index("account")["margin_group"]
    instruments = tables["instruments"].set_index("symbol")
    held = tables["positions"].assign(
        margin_group=tables["positions"]["account"].map(groups),
        underlying=tables["positions"]["symbol"].map(instruments["underlying"]),
    )
    single = ~held["underlying"].isin(tables["groups"]["underlying"])
    option = held["symbol"].map(instruments["type"]) == "option"
    chosen = held[single & option & held["quantity"].str.startswith("-")].iloc[5000]
    keys = {"accounts": "account", "instruments": "symbol", "quotes": "symbol", "underlyings": "underlying"}
    rows = {table: int(np.flatnonzero(tables[table][key] == chosen[key])[0]) for table, key in keys.items()}
    clean = sg.margin(book, market, POLICY, backend=BACKEND).accounts
    rows["positions"] = int(chosen.name)
    return Firm(tables, drawn.as_of, market, book, clean, rows, held)


def changed(left: pd.DataFrame, right: pd.DataFrame) -> set[str]:
    """Margin groups whose rows differ in a single bit, or that are in one frame only."""
    names = sorted(set(left["margin_group"]) & set(right["margin_group"]))
    rows = [frame.set_index("margin_group").loc[names] for frame in (left, right)]
    differ = np.zeros(len(names), bool)
    for column in left.columns.drop("margin_group"):
        cells = [frame[column].to_numpy() for frame in rows]
        if cells[0].dtype == np.float64:
            cells = [array.view(np.int64) for array in cells]
        differ |= cells[0] != cells[1]
    alone = set(left["margin_group"]) ^ set(right["margin_group"])
    return {name for name, other in zip(names, differ, strict=True) if other} | alone

"""Expiring positions as columns, and what each choice of exercise makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats, Mask
from shockgrid.book import Book
from shockgrid.market import HELD_OUTRIGHT, Market

#: what holders of pinned shorts may do, beside exercise by exception
CHOICES = ("none", "calls", "puts", "all")
EVENT_COLUMNS = (
    "account",
    "margin_group",
    "symbol",
    "underlying",
    "right",
    "strike",
    "quantity",
    "spot",
    "in_the_money",
    "settlement",
    "outcome",
    "pinned",
    "shares",
    "cash",
    "currency",
)


@dataclass(frozen=True)
class Expiring:
    """One row per expiring position: what it is, whether it is exercised, and whether that is open.

    A future is a row too: always exercised, a call struck at its own settlement price, and paid the variation
    from ``price_paid`` to that.
    """

    frame: pd.DataFrame

    def exercised(self, choice: str) -> Mask:
        """Which rows are exercised or assigned: by exception, or with pinned shorts as ``choice`` says."""
        by_rule: Mask = self.frame["by_rule"].to_numpy(bool)
        if choice == "exception":
            return by_rule
        calls, pinned = self.frame["is_call"].to_numpy(bool), self.frame["pinned"].to_numpy(bool)
        nobody = np.zeros_like(calls)
        taken = {"none": nobody, "calls": calls, "puts": ~calls, "all": ~nobody}[choice]
        return np.where(pinned, taken, by_rule)

    def shares(self, choice: str) -> Floats:
        """Units of the underlying delivered to the account, signed; contracts where that is a future."""
        frame = self.frame
        side = np.where(frame["is_call"], 1.0, -1.0)
        moved = self.exercised(choice) & frame["is_physical"].to_numpy(bool)
        return np.where(moved, side * frame["quantity"] * frame["units"] / frame["contract"], 0.0)

    def cash(self, choice: str) -> Floats:
        """Cash paid to the account, signed, in the instrument's currency."""
        frame = self.frame
        side = np.where(frame["is_call"], 1.0, -1.0)
        against = side * frame["quantity"] * (frame["extra_cash"] - frame["strike"] * frame["multiplier"])
        worth = np.where(frame["inverse"], 1.0 / frame["spot"], 1.0)
        paid = frame["quantity"] * frame["in_the_money"].clip(lower=0.0) * frame["multiplier"] * worth
        physical = np.where(frame["into_future"], 0.0, against)
        settled = np.where(frame["is_physical"], physical, paid) + frame["variation"]
        return np.where(self.exercised(choice), settled, 0.0)

    def events(self) -> pd.DataFrame:
        """The rows as a reader wants them, under exercise by exception."""
        frame, done = self.frame, self.exercised("exception")
        future = frame["is_future"].to_numpy(bool)
        took_part = np.where(frame["quantity"] > 0.0, "exercised", "assigned")
        ended = np.where(frame["is_physical"], "delivered", "settled")
        columns: dict[str, Any] = {
            "right": np.select([future, frame["is_call"]], ["", "C"], "P").astype(object),
            "strike": frame["strike"].mask(future),
            "in_the_money": frame["in_the_money"].mask(future),
            "settlement": np.where(frame["is_physical"], "physical", "cash"),
            "outcome": np.where(future, ended, np.where(done, took_part, "lapsed")),
            "shares": self.shares("exception"),
            "cash": self.cash("exception"),
        }
        shown: pd.DataFrame = frame.assign(**columns)[list(EVENT_COLUMNS)]
        return shown[frame["quantity"] != 0.0].reset_index(drop=True)


def cash_by_account(book: Book, market: Market, rows: Expiring, choice: str) -> Floats:
    """Cash each account of the book is paid, in its own currency; 0 where that has no rate."""
    amounts = rows.cash(choice) * rows.frame["fx_rate"].to_numpy(np.float64)
    codes = pd.Index(book.accounts["account"]).get_indexer(pd.Index(rows.frame["account"]))
    paid = np.bincount(codes, amounts, len(book.accounts))
    rates = account_rates(book, market)
    return np.where(np.isnan(rates), 0.0, paid / rates)


def account_rates(book: Book, market: Market) -> Floats:
    """Value of one unit of each account's currency in the base currency; NaN where there is no rate."""
    names = book.accounts["currency"].astype(object)
    return np.asarray(names.map({**market.fx, "": 1.0}).to_numpy(np.float64), np.float64)


def settled_positions(book: Book, market: Market, rows: Expiring, choice: str) -> pd.DataFrame:
    """Positions without what expired and with the delivered shares, by account and symbol.

    Futures that options delivered are ``with_futures``'s.
    """
    gone = pd.MultiIndex.from_frame(rows.frame[["account", "symbol"]])
    kept = book.positions[~pd.MultiIndex.from_frame(book.positions[["account", "symbol"]]).isin(gone)]
    names = rows.frame["underlying"]
    shares = np.where(rows.frame["into_future"], 0.0, rows.shares(choice))
    sizes = names.map(_sizes(market)).astype(np.float64).fillna(1.0).to_numpy(np.float64)
    delivered = pd.DataFrame(
        {
            "account": rows.frame["account"],
            "symbol": names,
            "quantity": shares / sizes,
            "price_paid": np.nan,
            "line": rows.frame["line"],
        }
    )[shares != 0.0]
    joined = pd.concat([kept, delivered], ignore_index=True) if len(delivered) else kept
    merged = joined.groupby(["account", "symbol"], as_index=False, sort=True).agg(
        quantity=("quantity", "sum"),
        price_paid=("price_paid", "first"),
        line=("line", "min"),
        rows=("line", "size"),
    )
    several = (merged.pop("rows") > 1).to_numpy(bool)
    merged.loc[several, "price_paid"] = np.nan  # part of it was delivered: there is no one price
    texts = {name: merged[name].astype(object) for name in ("account", "symbol")}
    flat = several & (merged["quantity"] == 0.0).to_numpy(bool)
    return merged.assign(**texts)[~flat].reset_index(drop=True)


def _sizes(market: Market) -> dict[str, float]:
    """How much of an underlying one unit of the instrument of its own name is."""
    table = market.instruments
    outright = np.flatnonzero(np.isin(table.types.astype(str), HELD_OUTRIGHT))
    own = outright[market.underlyings.names[table.underlyings[outright]] == table.symbols[outright]]
    return dict(zip(table.symbols[own].tolist(), table.multipliers[own].tolist(), strict=True))

"""Expiring positions as columns, and what each choice of exercise makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats, Mask, Texts
from shockgrid.book import Book
from shockgrid.carry import NANOSECONDS_PER_YEAR
from shockgrid.desk.calls_calendar import instant_of
from shockgrid.market import HELD_OUTRIGHT, Market

#: what holders of pinned shorts may do, beside exercise by exception
CHOICES = ("none", "calls", "puts", "all")
ROUNDING = 1e-9  #: of the strike: a difference of two prices is exact to this
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
    """One row per expiring position: what it is, whether it is exercised, and whether that is open."""

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
        """Units of the underlying delivered to the account, signed."""
        frame = self.frame
        side = np.where(frame["is_call"], 1.0, -1.0)
        moved = self.exercised(choice) & frame["is_physical"].to_numpy(bool)
        return np.where(moved, side * frame["quantity"] * frame["units"], 0.0)

    def cash(self, choice: str) -> Floats:
        """Cash paid to the account, signed, in the instrument's currency."""
        frame = self.frame
        side = np.where(frame["is_call"], 1.0, -1.0)
        against = side * frame["quantity"] * (frame["extra_cash"] - frame["strike"] * frame["multiplier"])
        worth = np.where(frame["inverse"], 1.0 / frame["spot"], 1.0)
        paid = frame["quantity"] * frame["in_the_money"].clip(lower=0.0) * frame["multiplier"] * worth
        return np.where(self.exercised(choice), np.where(frame["is_physical"], against, paid), 0.0)

    def events(self) -> pd.DataFrame:
        """The rows as a reader wants them, under exercise by exception."""
        frame, done = self.frame, self.exercised("exception")
        took_part = np.where(frame["quantity"] > 0.0, "exercised", "assigned")
        columns = {
            "right": np.where(frame["is_call"], "C", "P"),
            "settlement": np.where(frame["is_physical"], "physical", "cash"),
            "outcome": np.where(done, took_part, "lapsed"),
            "shares": self.shares("exception"),
            "cash": self.cash("exception"),
        }
        shown: pd.DataFrame = frame.assign(**columns)[list(EVENT_COLUMNS)]
        return shown[frame["quantity"] != 0.0].reset_index(drop=True)


def expiring(
    book: Book,
    market: Market,
    prices: Mapping[str, float],
    *,
    until: datetime | None,
    threshold: float,
    pin_band: float,
) -> Expiring:
    """The positions in options that expire at or before ``until``."""
    table, names = market.instruments, market.underlyings
    expired = table.is_option & (table.years <= _years_until(market, until))
    rows = pd.Index(table.symbols).get_indexer(pd.Index(book.positions["symbol"]))
    mine = (rows >= 0) & np.append(expired, False)[rows]
    rows, held = rows[mine], book.positions[mine]
    owners = table.underlyings[rows]
    frame = held[["account", "symbol", "quantity", "line"]].reset_index(drop=True)
    spot = _settlements(frame["symbol"], names.names[owners], names.spots[owners], prices)
    terms = {
        "strike": table.strikes[rows],
        "units": table.units_per_contract[rows],
        "extra_cash": table.cash_per_contract[rows],
        "multiplier": table.multipliers[rows],
        "is_call": table.is_call[rows],
        "is_physical": table.is_physical[rows],
        "inverse": table.inverse[rows],
        "fx_rate": table.fx_rates[rows],
    }
    worth = (terms["units"] * spot + terms["extra_cash"]) / terms["multiplier"] - terms["strike"]
    inside = np.where(terms["is_call"], worth, -worth)
    least = np.where(terms["inverse"], 0.0, threshold)
    near = (np.abs(inside) <= pin_band * terms["strike"]) & terms["is_physical"]
    groups = book.accounts.set_index("account")["margin_group"]
    by_rate = {rate: name for name, rate in market.fx.items()}
    coins = pd.Series(terms["fx_rate"]).map(by_rate).to_numpy(object)
    return Expiring(
        frame.assign(
            **terms,
            margin_group=frame["account"].map(groups).to_numpy(object),
            underlying=names.names[owners],
            spot=spot,
            in_the_money=np.round(inside, 9),
            by_rule=(inside >= least - ROUNDING * terms["strike"]) & (inside > 0.0),
            pinned=near & (frame["quantity"] < 0.0).to_numpy(bool),
            currency=np.where(terms["inverse"], coins, names.currencies[owners]),
        )
    )


def _settlements(symbols: pd.Series, owners: Texts, spots: Floats, prices: Mapping[str, float]) -> Floats:
    """What each settles on: the price of its own symbol, else of its underlying, else the spot."""
    own, by_name = (
        pd.Series(keys, dtype=object).map(prices).to_numpy(np.float64)
        for keys in (symbols.to_numpy(object), owners)
    )
    return np.where(np.isnan(own), np.where(np.isnan(by_name), spots, by_name), own)


def cash_by_account(book: Book, market: Market, rows: Expiring, choice: str) -> Floats:
    """Cash each account of the book is paid, in its own currency; 0 where that has no rate."""
    amounts = rows.cash(choice) * rows.frame["fx_rate"].to_numpy(np.float64)
    codes = pd.Index(book.accounts["account"]).get_indexer(pd.Index(rows.frame["account"]))
    paid = np.bincount(codes, amounts, len(book.accounts))
    rates = book.accounts["currency"].astype(object).map({**market.fx, "": 1.0}).to_numpy(np.float64)
    return np.where(np.isnan(rates), 0.0, paid / rates)


def settled_positions(book: Book, market: Market, rows: Expiring, choice: str) -> pd.DataFrame:
    """Positions without the expired options and with the delivered shares, by account and symbol."""
    gone = pd.MultiIndex.from_frame(rows.frame[["account", "symbol"]])
    kept = book.positions[~pd.MultiIndex.from_frame(book.positions[["account", "symbol"]]).isin(gone)]
    shares, names = rows.shares(choice), rows.frame["underlying"]
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


def _years_until(market: Market, until: datetime | None) -> float:
    start = pd.Timestamp(market.as_of)
    if until is None:
        end = start.tz_convert("America/New_York").normalize() + pd.DateOffset(days=1)
    else:
        end = instant_of(until, "until")
    elapsed = (end - start).value
    return float((elapsed + 0.5) / NANOSECONDS_PER_YEAR)

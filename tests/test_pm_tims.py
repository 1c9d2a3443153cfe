"""Customer portfolio margin as Cboe and OCC published it for 23 February 2007, and rows derived from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, market, option, requirement, stock

import shockgrid as sg

#: Rates were not published; these are the fit that reproduces the printed numbers.
DAYS = 56.0
EQUITY_RATE, INDEX_RATE, INDEX_YIELD = 0.0515, 0.05615, 0.02319
INDEX_FAMILY = ("SPX", "SPY")
EUROPEAN = ("SPX",)
RANGES = {
    (-0.15, 0.15): "equity",
    (-0.10, 0.10): "broad_index",
    (-0.08, 0.06): "broad_index_high_cap",
}


class Leg(NamedTuple):
    """One leg of a row: ``quantity:type:strike:[expiry:]price``; a type other than C or P is shares."""

    quantity: float
    kind: str
    strike: float
    days: float
    price: float

    @classmethod
    def read(cls, text: str) -> Leg:
        """A leg as the rows print it."""
        quantity, kind, strike, *expiry, price = text.strip().split(":")
        days = DAYS
        if expiry and expiry[0]:
            days = (pd.Timestamp(f"{expiry[0]}T21:00:00Z") - AS_OF) / pd.Timedelta(days=1)
        return cls(float(quantity), kind, float(strike or "nan"), days, float(price))

    @property
    def is_option(self) -> bool:
        """Whether it is a contract rather than shares."""
        return self.kind in ("C", "P")


def rows_of(shared: Path) -> list[dict[str, Any]]:
    """The rows of the table as text."""
    return pd.read_csv(shared / "oracles" / "pm_tims.csv", comment="#", dtype=str).to_dict("records")


def ranges(grid: str) -> dict[str, Any]:
    """``-15%..+15% in ...`` -> portfolio type and leverage with that range."""
    down, up = (float(end) / 100 for end in re.findall(r"([-+]?\d+(?:\.\d+)?)%", grid)[:2])
    for leverage in (1, -1, 2, -2, 3, -3):
        ends = sorted((round(down / leverage, 6), round(up / leverage, 6)))
        if tuple(ends) in RANGES:
            return {"portfolio_type": RANGES[tuple(ends)], "leverage": leverage}
    pytest.fail(f"no portfolio type has the range {grid}")


def laid_out(row: dict[str, Any]) -> tuple[sg.Book, sg.Market]:
    """Book and market of one row; every vol is implied from the printed premium."""
    legs = [Leg.read(text) for text in row["legs"].split("|")]
    name, spot, index = row["underlying"], float(row["spot"]), row["underlying"] in INDEX_FAMILY
    rate, style = (INDEX_RATE if index else EQUITY_RATE), "european" if name in EUROPEAN else "american"
    held: dict[str, float] = {}
    spots, instruments, quotes = {name: spot}, {}, {}
    for leg in legs:
        shares = name if leg.kind == "S" else leg.kind
        symbol = f"{name} {leg.kind} {leg.strike:g} {leg.days:g}" if leg.is_option else shares
        held[symbol] = held.get(symbol, 0.0) + leg.quantity
        if leg.is_option:
            instruments[symbol] = option(symbol, name, leg.kind, leg.strike, leg.days, style=style)
            quotes[symbol] = {"symbol": symbol, "mark": leg.price, "vol": np.nan}
        else:
            spots[shares] = leg.price
            instruments[symbol] = stock(shares, "etf" if shares in INDEX_FAMILY else "stock")
    carry = INDEX_YIELD if index else 0.0
    moves = ranges(row["grid"])
    underlyings = {each: {"spot": price, "yield_dec": carry, **moves} for each, price in spots.items()}
    groups = pd.DataFrame({"underlying": INDEX_FAMILY, "class_group": "SPX"})
    priced = market(list(instruments.values()), underlyings, list(quotes.values()), rate=rate, groups=groups)
    return book([("A", *item) for item in held.items()]), priced


def test_every_published_and_derived_row(shared: Path) -> None:
    missed = {}
    for row in rows_of(shared):
        held, priced = laid_out(row)
        result = sg.margin(held, priced, sg.tims())
        assert set(result.rejects["code"]) <= {"W_UNUSED"}  # the groups table serves every row
        got, expected, tolerance = requirement(result), float(row["expected"]), row["tol"]
        percent = tolerance.endswith("%")
        limit = abs(expected) * float(tolerance[:-1]) / 100 if percent else float(tolerance)
        if not abs(got - expected) <= limit:
            missed[row["id"]] = (row["case"], got, expected, tolerance)
    assert not missed

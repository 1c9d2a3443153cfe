"""Small books and markets for tests, spelled out as the canonical tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

import shockgrid as sg

AS_OF = pd.Timestamp("2026-11-20T21:00:00Z")


def expiry(days: float) -> str:
    """The instant so many days after AS_OF."""
    return (AS_OF + pd.Timedelta(days=days)).isoformat()


def stock(name: str, kind: str = "stock") -> dict[str, Any]:
    """An instrument that is its own underlying."""
    return {"symbol": name, "underlying": name, "type": kind}


def option(
    symbol: str, underlying: str, right: str, strike: float, days: float, **more: Any
) -> dict[str, Any]:
    """A European option, multiplier 100 unless said."""
    return {
        "symbol": symbol,
        "underlying": underlying,
        "type": "option",
        "right": right,
        "strike": strike,
        "expiry_utc": expiry(days),
        "style": "european",
        **more,
    }


def tables(
    instruments: list[dict[str, Any]],
    spots: dict[str, Any],
    quotes: list[dict[str, Any]] | None = None,
    rate: float = 0.05,
) -> dict[str, pd.DataFrame]:
    """Market tables from rows; ``spots`` maps an underlying to its spot or to its whole row."""
    underlyings = [
        {"underlying": name, **(row if isinstance(row, dict) else {"spot": row})}
        for name, row in spots.items()
    ]
    return {
        "instruments": pd.DataFrame(instruments),
        "underlyings": pd.DataFrame(underlyings),
        "quotes": pd.DataFrame(quotes or [], columns=None if quotes else ["symbol"]),
        "curve": pd.DataFrame([{"currency": "USD", "days": 365, "zero_rate_dec": rate}]),
    }


def market(*rows: Any, rate: float = 0.05, **more: Any) -> sg.Market:
    """A market from the rows ``tables`` takes and any further table by name."""
    return sg.Market.from_frames(**tables(*rows, rate=rate), **more, as_of=AS_OF.to_pydatetime())


def book(holdings: Iterable[tuple[str, str, float]], accounts: Any = None, **more: Any) -> sg.Book:
    """A book from (account, symbol, quantity); accounts default to no cash."""
    rows = pd.DataFrame(list(holdings), columns=["account", "symbol", "quantity"])
    names = dict.fromkeys(rows["account"])
    table = [{"account": name, "cash": 0.0} for name in names] if accounts is None else accounts
    frame = pd.DataFrame(table, columns=["account", "cash"]) if len(table) == 0 else pd.DataFrame(table)
    return sg.Book.from_frames(rows, frame, **more)


def requirement(result: sg.MarginResult, account: str = "A", column: str = "requirement") -> float:
    """One figure of one margin group."""
    return float(result.accounts.set_index("margin_group").loc[account, column])

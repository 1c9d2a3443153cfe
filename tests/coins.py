"""A small market of inverse contracts on one coin, and what they are worth by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
from books import book, expiry, market, option

import shockgrid as sg

SPOT, FORWARD, STRIKE, DAYS, VOL = 50_000.0, 51_000.0, 52_000.0, 90.0, 0.6


def coin_option(symbol: str, right: str, strike: float = STRIKE, **more: Any) -> dict[str, Any]:
    terms = {"currency": "BTC", "inverse": True, "multiplier": 1.0}
    return option(symbol, "BTC", right, strike, DAYS, **{**terms, **more})


CALL, PUT = coin_option("BTC-C", "C"), coin_option("BTC-P", "P")
PERPETUAL = {
    "symbol": "BTC-PERPETUAL", "underlying": "BTC", "type": "perpetual",
    "currency": "BTC", "inverse": True, "multiplier": 10.0,
}  # fmt: skip
FUTURE = {**PERPETUAL, "symbol": "BTC-F", "type": "future", "expiry_utc": expiry(DAYS)}
DELIVERING = {"type": "future", "units_per_contract": 2.0}
ROWS = [CALL, PUT, PERPETUAL, FUTURE, {"symbol": "BTC-SPOT", "underlying": "BTC", "type": "etf"}]
QUOTES = [
    {"symbol": "BTC-C", "vol": VOL},
    {"symbol": "BTC-P", "vol": VOL},
    {"symbol": "BTC-F", "mark": FORWARD},
]
FX = pd.DataFrame([{"currency": "BTC", "rate": SPOT}])
FORWARDS = pd.DataFrame([{"underlying": "BTC", "expiry_utc": expiry(DAYS), "forward": FORWARD}])


def world(rows: Any = ROWS, quotes: Any = QUOTES, **more: Any) -> sg.Market:
    return market(rows, {"BTC": SPOT}, quotes, **{"fx": FX, "forwards": FORWARDS, **more})


def black(forward: float, right: str, strike: float = STRIKE, vol: float = VOL) -> float:
    """Undiscounted Black, USD."""
    return float(
        sg.price_european(
            forwards=forward, strikes=strike, expiries=DAYS / 365, vols=vol, discount_factors=1.0,
            is_call=right == "C",
        )
    )  # fmt: skip


def worth(right: str, shock: float = 0.0, vol: float = VOL) -> float:
    """Black / F of the shocked forward, coin: Deribit's convention."""
    forward = FORWARD * (1.0 + shock)
    return black(forward, right, vol=vol) / forward


def one_point(shock: float, vol: float = 0.0) -> sg.Regime:
    return sg.Regime("point", sg.ScenarioSet.grid([shock], [vol]))


def pnl(symbol: str, quantity: float, shock: float, vol: float = 0.0, **more: Any) -> float:
    """P&L of one position in one scenario, USD."""
    result = sg.margin(book([("A", symbol, quantity)]), world(**more), one_point(shock, vol))
    assert result.accounts["reliability"].tolist() == ["OK"]
    return float(result.scenarios("A")["pnl"].iloc[0])

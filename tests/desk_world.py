"""A small firm that holds a little of everything, its regimes, and random updates of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from books import market, option, stock
from hypothesis import strategies as st

import shockgrid as sg

NAMES = ("X", "Y", "Z", "D")
SERIES = [
    option(f"{name}{right}{strike}_{days}", name, right, strike, days, style=style)
    for name, style in (("X", "european"), ("Y", "european"), ("Z", "american"), ("D", "american"))
    for right in "CP"
    for strike, days in ((90, 3.0), (110, 45.0))
]
COIN = "BTC"
COINS = [
    option("BTC-C", COIN, "C", 60_000.0, 30.0, multiplier=1.0, currency=COIN, inverse=True),
    {"symbol": "BTC-PERP", "underlying": COIN, "type": "perpetual", "multiplier": 10.0, "currency": COIN}
    | {"inverse": True},
]
FUTURE = {"symbol": "XF", "underlying": "X", "type": "future", "expiry_utc": "2027-03-19T21:00Z"} | {
    "multiplier": 50.0
}
QUOTED = [*(row["symbol"] for row in SERIES), "BTC-C"]
SYMBOLS = [*NAMES, *QUOTED, "BTC-PERP", "XF"]
SPOTS = {
    "X": 100.0,
    "Y": {"spot": 95.0, "portfolio_type": "broad_index"},
    "Z": {"spot": 105.0, "portfolio_type": "broad_index", "leverage": -2.0},
    "D": 98.0,
    COIN: 61_000.0,
}


def priced() -> sg.Market:
    """Two names that offset each other, one that pays a dividend, a future, a coin, one filled vol."""
    return market(
        [*(stock(name) for name in NAMES), *SERIES, *COINS, FUTURE],
        SPOTS,
        [{"symbol": symbol, "vol": 0.2 + 0.01 * k} for k, symbol in enumerate(QUOTED[:-2])]
        + [{"symbol": "BTC-C", "vol": 0.6}],
        groups=pd.DataFrame({"underlying": ["Y", "Z"], "product_group": ["YZ", "YZ"]}),
        offsets=pd.DataFrame([{"level": "product", "group": "YZ", "offset_dec": 0.5}]),
        dividends=pd.DataFrame([{"underlying": "D", "ex_date": "2026-12-10", "amount": 1.0}]),
        fx=pd.DataFrame([{"currency": COIN, "rate": 61_000.0}]),
    )


def coin_market() -> sg.Market:
    """The coin alone: a venue has no rule for shares."""
    fx = pd.DataFrame([{"currency": COIN, "rate": SPOTS[COIN]}])
    return market(COINS, {COIN: SPOTS[COIN]}, [{"symbol": "BTC-C", "vol": 0.6}], fx=fx)


ACCOUNTS = [
    {"account": f"A{place}", "cash": 1000.0 * place, "margin_group": f"M{place % 3}", "program": program}
    for place, program in enumerate(("", "maker", "", "", "maker"))
] + [{"account": "C", "cash": 0.1, "currency": COIN, "margin_group": "C", "program": ""}]


def held() -> sg.Book:
    """Five accounts in three margin groups and one in coin; one holds what no instrument is called."""
    rows = [
        (ACCOUNTS[place % 6]["account"], symbol, float(3 - 7 * (place % 3)))
        for place, symbol in enumerate(SYMBOLS + SYMBOLS[::2])
    ]
    frame = pd.DataFrame(rows, columns=["account", "symbol", "quantity"]).drop_duplicates(
        ["account", "symbol"]
    )
    strange = pd.DataFrame([("A2", "X261218C00100000", -2.0)], columns=frame.columns)
    paid = pd.concat([frame, strange], ignore_index=True).assign(price_paid=99.0)
    return sg.Book.from_frames(paid, pd.DataFrame(ACCOUNTS))


SMALL: dict[str, Any] = {"spot": [-0.2, -0.1, 0.0, 0.1, 0.2], "vol": [-0.3, 0.0, 0.3]}
EXCHANGE, HOUSE = sg.tims(), sg.house(**SMALL)
REGIMES: dict[str, Any] = {
    "tims": EXCHANGE,
    "house": HOUSE,
    "joint": sg.house(**SMALL, joint=True),
    "by expiry": sg.Regime(
        "by expiry",
        sg.ScenarioSet.grid(**SMALL),
        sg.requirement.Tree(
            "portfolio_group", sides=True, value_transform=lambda pnl, rows: np.minimum(pnl, 0.5 * pnl)
        ),
    ),
    "policy": sg.Policy(
        {
            "default": sg.Program(EXCHANGE, HOUSE, minimum_equity=500.0),
            "maker": sg.Program(EXCHANGE, None),
        }
    ),
}

_factor = st.floats(0.9, 1.1)
_sizes = st.integers(-9, 9).map(float)
SPOT_TICKS = st.builds(
    lambda name, factor: (
        "tick",
        {
            "underlying": name,
            "spot": factor * (SPOTS[name] if isinstance(SPOTS[name], float) else SPOTS[name]["spot"]),  # type: ignore[index]
        },
    ),
    st.sampled_from(list(SPOTS)),
    _factor,
)
VOL_TICKS = st.builds(
    lambda symbol, factor: ("tick", {"symbol": symbol, "vol": 0.3 * factor}), st.sampled_from(QUOTED), _factor
)
MARK_TICKS = st.builds(
    lambda symbol, mark: ("tick", {"symbol": symbol, "bid": mark, "ask": 1.1 * mark}),
    st.sampled_from(QUOTED[:-1]),
    st.floats(0.1, 20.0),
)
BAD_TICKS = st.sampled_from(
    [
        ("tick", {"underlying": "X", "spot": 0.0}),
        ("tick", {"underlying": "X", "spot": float("nan")}),
        ("tick", {"underlying": "nobody", "spot": 5.0}),
        ("tick", {"symbol": QUOTED[0], "bid": 2.0, "ask": 1.0}),
    ]
)
TRADES = st.builds(
    lambda account, symbol, size, price: (
        "trade",
        {"account": account, "symbol": symbol, "quantity": size, "price": price},
    ),
    st.sampled_from([row["account"] for row in ACCOUNTS]),
    st.sampled_from(SYMBOLS),
    _sizes,
    st.floats(0.01, 100.0),
)
DEPOSITS = st.builds(
    lambda account, amount: ("deposit", (account, amount)),
    st.sampled_from([row["account"] for row in ACCOUNTS]),
    st.floats(-1e5, 1e5),
)
ROLLS = st.just(("roll", pd.Timedelta(hours=7)))
UPDATES = st.one_of(SPOT_TICKS, SPOT_TICKS, VOL_TICKS, MARK_TICKS, BAD_TICKS, TRADES, DEPOSITS, ROLLS)


def apply(desk: sg.Desk, update: tuple[str, Any]) -> pd.DataFrame:
    """Carry out one update."""
    kind, what = update
    if kind == "tick":
        return desk.tick(pd.DataFrame([what]))
    if kind == "trade":
        return desk.trade(pd.DataFrame([what]))
    if kind == "deposit":
        return desk.deposit(*what)
    return desk.roll(desk.market.as_of + what)


def full(desk: sg.Desk) -> pd.DataFrame:
    """The accounts by a full calculation of what the desk holds."""
    return sg.margin(desk.book, desk.market, desk.regime_or_policy, backend=desk.backend).accounts

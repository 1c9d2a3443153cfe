"""A desk of two accounts, small enough to follow by hand."""

from __future__ import annotations

import pandas as pd
from books import book, market, option, stock

import shockgrid as sg
from shockgrid.backends import NumpyBackend

BACKEND = NumpyBackend()
CENT = 0.005
CALL, PUT = "XC", "XP"
PLAIN = market(
    [
        stock("X"),
        stock("Y"),
        option(CALL, "X", "C", 100.0, 30),
        option(PUT, "X", "P", 100.0, 30),
        {"symbol": "XF", "underlying": "X", "type": "perpetual", "multiplier": 50.0},
    ],
    {"X": 100.0, "Y": 50.0},
    [{"symbol": CALL, "vol": 0.3, "mark": 3.5}, {"symbol": PUT, "vol": 0.3, "mark": 3.2}],
)
HELD = [("A", "X", 100.0), ("A", CALL, -1.0), ("B", "Y", 10.0)]


def desk(**more: float) -> sg.Desk:
    cash = {"A": 1000.0, "B": 1000.0, **more}
    return sg.Desk(
        book(HELD, [{"account": name, "cash": amount} for name, amount in cash.items()]),
        PLAIN,
        sg.tims(),
        backend=BACKEND,
    )


def row(live: sg.Desk, name: str = "A") -> pd.Series:
    return live.accounts.set_index("margin_group").loc[name]

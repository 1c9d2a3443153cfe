"""A small world for the doors of the package, and values that are not what they ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, market, option, stock

import shockgrid as sg

CALL = "XC"
MARKET = market(
    [stock("X"), option(CALL, "X", "C", 100.0, 30)], {"X": 100.0}, [{"symbol": CALL, "vol": 0.3, "mark": 3.5}]
)
BOOK = book(
    [("A", "X", 100.0), ("B", CALL, -1.0)], [{"account": "A", "cash": 10.0}, {"account": "B", "cash": 0.0}]
)
RULE, GRID = sg.tims(), ([-0.1, 0.1], [0.0])
WORLD: dict[str, Any] = {"book": BOOK, "market": MARKET, "backend": "numpy"}
POSITIONS = pd.DataFrame([("A", "X", 1.0)], columns=["account", "symbol", "quantity"])
ACCOUNTS = pd.DataFrame([("A", 1.0)], columns=["account", "cash"])
FILL = {"account": "A", "symbol": "X", "quantity": 1.0, "price": 5.0}
ORDER = {"symbol": "X", "quantity": 1.0}
LATER = (AS_OF + pd.Timedelta(days=1)).to_pydatetime()
TABLES: dict[str, Any] = {
    "instruments": pd.DataFrame([stock("X")]),
    "underlyings": pd.DataFrame([{"underlying": "X", "spot": 1.0}]),
    "quotes": pd.DataFrame(columns=["symbol"]),
    "curve": pd.DataFrame([{"currency": "USD", "days": 365, "zero_rate_dec": 0.05}]),
    "as_of": AS_OF.to_pydatetime(),
}
NUMBERS: dict[str, Any] = {"forwards": 1.0, "strikes": 1.0, "expiries": 1.0, "discount_factors": 1.0}
RESULT = sg.margin(BOOK, MARKET, RULE, backend="numpy")


def desk() -> sg.Desk:
    return sg.Desk(BOOK, MARKET, RULE, backend="numpy")


def at(method: str) -> Callable[..., Any]:
    """A method of a fresh desk."""
    return lambda **arguments: getattr(desk(), method)(**arguments)


#: door, its arguments, an argument, what it must refuse, what the refusal says
Case: TypeAlias = tuple[Callable[..., Any], Mapping[str, Any], str, list[Any], str]


def named(case: Case) -> str:
    """Door and argument."""
    door = getattr(case[0], "func", case[0])  # of a partial
    return f"{door.__qualname__} {case[2]}"


def refuse(case: Case) -> None:
    """The door refuses every wrong value of the argument, and says so."""
    door, arguments, name, wrong, says = case
    for value in wrong:
        with pytest.raises(sg.ShockgridError) as caught:
            door(**{**arguments, name: value})
        assert says in str(caught.value), (value, str(caught.value))


NOTHING: list[Any] = [None]
STRANGE: list[Any] = [2.5, float("nan"), b"x", [], [1], {}, {1}, object(), 1j, pd.NA, np.arange(3), int]
NO_TEXT: list[Any] = [*NOTHING, *STRANGE, 3, True]
NO_NAME: list[Any] = [*NO_TEXT, "nonsense"]
NO_WHOLE: list[Any] = ["3", 2.5, -1, True, float("nan"), [1], {}, object(), pd.NA, np.arange(2)]
NO_SIZE: list[Any] = ["x", -1.0, float("nan"), True, [], {}, object(), pd.NA, np.arange(2), 1j]
NO_FLAG: list[Any] = [*NOTHING, *STRANGE, 3, "yes"]
NO_INSTANT: list[Any] = [*STRANGE, "soon", datetime(2026, 12, 1), pd.NaT, AS_OF.date()]
NO_FRAME: list[Any] = [2.5, "x", b"x", [1], {1}, object(), pd.NA, int, np.arange(3)]
NO_VALUE: list[Any] = [*NOTHING, *STRANGE, "x", pd.DataFrame()]
NO_FUNCTION: list[Any] = [2.5, "x", [], {}, object(), np.arange(3)]
NO_SHOCKS: list[Any] = ["x", b"x", {}, {1}, object(), 1j, int, [], np.ones((2, 2)), float("nan"), ["a"]]

"""Dense grids: exact worst losses of a whole firm and one account's surface, against pricing every cell.

``pytest benchmarks/test_dense_grid.py``; set OMP_NUM_THREADS=1 for the numbers in the README. The firm is
that of ``firms.py``, European; every tenth account is long far options alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from firms import CONTRACT, FIRM, RATE, Firm, Size, drawn

import shockgrid as sg
from shockgrid.engine import Plan, plan
from shockgrid.research.grids import Grid
from shockgrid.research.worst import worst_of

GRID = Grid(np.linspace(-0.15, 0.15, 401), np.linspace(-0.3, 0.3, 201))
AS_OF = pd.Timestamp("2026-11-20T21:00:00Z")
DAYS = (7, 30, 60, 120, 250)


def market_of(rows: list[tuple[str, str, str, float, float, float]], names: list[str]) -> sg.Market:
    """Rows of symbol, underlying, right, strike, days, vol on spots of 100."""
    columns = ["symbol", "underlying", "right", "strike", "days", "vol"]
    table = pd.DataFrame(rows, columns=columns)
    expiries = [(AS_OF + pd.Timedelta(days=days)).isoformat() for days in table.pop("days")]
    quotes = table[["symbol", "vol"]]
    options = table.drop(columns="vol").assign(type="option", expiry_utc=expiries, multiplier=100)
    return sg.Market.from_frames(
        options,
        pd.DataFrame({"underlying": names, "spot": 100.0}),
        quotes,
        pd.DataFrame([{"currency": "USD", "days": 365, "zero_rate_dec": 0.04}]),
        as_of=AS_OF.to_pydatetime(),
    )


def processor_seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    """Time of this process alone, so that other work on the machine weighs on neither side."""
    start = time.process_time()
    result = action()
    return time.process_time() - start, result


def held(rows: list[tuple[str, str, float]]) -> sg.Book:
    positions = pd.DataFrame(rows, columns=["account", "symbol", "quantity"])
    return sg.Book.from_frames(
        positions, pd.DataFrame({"account": positions["account"].unique(), "cash": 0.0})
    )


def flat(drawn_firm: Firm) -> Firm:
    """The same with every tenth account long alone, in the options furthest out of the money of each name."""
    size = drawn_firm.size
    sides = np.where(drawn_firm.is_call, 1.0, -1.0)
    out = (sides * np.log(drawn_firm.strikes / drawn_firm.spots)).reshape(size.names, size.series)
    furthest = np.argsort(-out, axis=1)[:, : size.series // 10]
    long = drawn_firm.accounts % 10 == 9
    firsts = drawn_firm.names * size.series
    far = firsts + furthest[drawn_firm.names, (drawn_firm.series - firsts) % furthest.shape[1]]
    return replace(
        drawn_firm,
        series=np.where(long, far, drawn_firm.series),
        quantities=np.where(long, np.abs(drawn_firm.quantities), drawn_firm.quantities),
    )


def laid(own: Firm, style: str = "european") -> Plan:
    """A firm of arrays as a book over a market, planned; lots of one account in one series are one."""
    size = own.size
    series = np.arange(len(own.spots))
    names = [f"U{place:04d}" for place in range(size.names)]
    symbols = np.array([f"{names[row // size.series]}_{row % size.series}" for row in series], object)
    expiries = [(AS_OF + pd.Timedelta(days=365.0 * years)).isoformat() for years in own.years]
    options = pd.DataFrame(
        {
            "symbol": symbols,
            "underlying": np.array(names, object)[series // size.series],
            "type": "option",
            "right": np.where(own.is_call, "C", "P"),
            "strike": own.strikes,
            "expiry_utc": expiries,
            "multiplier": CONTRACT,
            "style": style,
        }
    )
    firsts = slice(None, None, size.series)
    market = sg.Market.from_frames(
        options,
        pd.DataFrame({"underlying": names, "spot": own.spots[firsts], "yield_dec": own.yields[firsts]}),
        pd.DataFrame({"symbol": symbols, "vol": own.vols}),
        pd.DataFrame([{"currency": "USD", "days": 365, "zero_rate_dec": RATE}]),
        as_of=AS_OF.to_pydatetime(),
    )
    lots = own.accounts * len(series) + own.series
    held, places = np.unique(lots, return_inverse=True)
    positions = pd.DataFrame(
        {
            "account": [f"A{account:05d}" for account in held // len(series)],
            "symbol": symbols[held % len(series)],
            "quantity": np.bincount(places, own.quantities),
        }
    )
    accounts = pd.DataFrame({"account": positions["account"].unique(), "cash": 0.0})
    return plan(sg.Book.from_frames(positions, accounts), market)


TEN_NAMES = FIRM._replace(names=10, accounts=33, held=10)


@pytest.mark.parametrize(
    ("name", "size", "style"),
    [("native", FIRM, "european"), ("numpy", TEN_NAMES, "european"), ("native", TEN_NAMES, "american")],
)
def test_whole_firm(benchmark: Any, name: str, size: Size, style: str) -> None:
    """From a plan that is laid out: bounds, nodes, sums, search, candidates and the frames of the result."""
    try:
        backend = sg.get_backend(name)
    except sg.errors.BackendUnavailable as error:
        pytest.skip(str(error))
    whole = laid(flat(drawn(size)), style)

    def worst(method: str) -> Any:
        return worst_of(whole, GRID, backend, method=method)

    benchmark.pedantic(worst, args=("compressed",), warmup_rounds=1, rounds=3)
    timed = [processor_seconds(lambda: worst("compressed")) for _ in range(3)]
    close, close_seconds = timed[-1][1], min(seconds for seconds, _ in timed)
    direct_seconds, truth = processor_seconds(lambda: worst("direct"))
    columns = ["margin_group", "class_group", "worst_loss", "scenario"]
    assert close.groups[columns].equals(truth.groups[columns])
    assert close.accounts.equals(truth.accounts)
    benchmark.extra_info |= {
        "series": len(whole.layout.instruments),
        "positions": len(whole.positions.weights),
        "leaves": len(close.groups),
        "processor seconds": close_seconds,
        "direct, processor seconds": direct_seconds,
        "times faster than direct": direct_seconds / close_seconds,
        "leaves direct": int((close.groups["method"] == "direct").sum()),
        "largest candidates": int(close.groups["candidates"].max()),
        "candidates a leaf": float(close.groups["candidates"].mean()),
    }


def test_one_account(benchmark: Any) -> None:
    rng = np.random.default_rng(1)
    names = [f"U{place:02d}" for place in range(12)]
    rows = [
        (
            f"S{place}",
            names[place % 12],
            "CP"[place % 2],
            float(np.round(100 * np.exp(rng.uniform(-0.16, 0.16)))),
            float(rng.choice([3, *DAYS])),
            rng.uniform(0.15, 0.45),
        )
        for place in range(200)
    ]
    market = market_of(rows, names)
    book = held([("A", row[0], float(rng.choice([-1, 1]) * rng.integers(1, 21))) for row in rows])

    def surface(method: str) -> Any:
        return sg.pnl_surface(book, market, GRID, account="A", method=method)

    close = benchmark.pedantic(surface, args=("compressed",), warmup_rounds=2, rounds=10)
    close_seconds = min(processor_seconds(lambda: surface("compressed"))[0] for _ in range(10))
    direct_seconds, truth = processor_seconds(lambda: surface("direct"))
    assert (close.worst_loss, close.worst_cell) == (truth.worst_loss, truth.worst_cell)
    error = float(np.abs(close.pnl - truth.pnl).max())
    assert error <= close.bound
    benchmark.extra_info |= {
        "error": error,
        "bound": close.bound,
        "worst loss": close.worst_loss,
        "processor milliseconds": 1e3 * close_seconds,
        "times faster than direct": direct_seconds / close_seconds,
    }

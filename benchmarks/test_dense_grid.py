"""Dense grids: exact worst losses of a whole firm and one account's surface, against pricing every cell.

``pytest benchmarks/test_dense_grid.py``; set OMP_NUM_THREADS=1 for the numbers in the README. The firm has
100 European series a name (five expiries) and 33 leaves a name of 10 positions; every tenth account is long
far options alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import shockgrid as sg
from shockgrid.research.grids import Grid

NAMES, ACCOUNTS, HELD = 60, 33, 10
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


def firm(count: int) -> tuple[sg.Book, sg.Market]:
    rng = np.random.default_rng(3)
    names = [f"U{place:03d}" for place in range(count)]
    series, positions = [], []
    for name in names:
        atm = rng.uniform(0.15, 0.45)
        for place in range(100):
            strike = 80.0 + 4.0 * ((place // 2) % 10)
            vol = atm * (1 + 0.8 * abs(np.log(strike / 100)))
            series.append((f"{name}_{place}", name, "CP"[place % 2], strike, DAYS[place // 20], vol))
        for account in range(ACCOUNTS):
            flat = account % 10 == 9
            far = [
                place for place in range(100) if (place // 2) % 10 in ((9, 8) if place % 2 == 0 else (0, 1))
            ]
            chosen = rng.choice(far if flat else 100, HELD, replace=False)
            sizes = rng.integers(1, 21, HELD) * (1 if flat else rng.choice([-1, 1], HELD))
            positions += [
                (f"A{account:03d}", f"{name}_{place}", float(size))
                for place, size in zip(chosen, sizes, strict=True)
            ]
    return held(positions), market_of(series, names)


@pytest.mark.parametrize(("name", "count"), [("native", NAMES), ("numpy", NAMES // 6)])
def test_whole_firm(benchmark: Any, name: str, count: int) -> None:
    try:
        backend = sg.get_backend(name)
    except sg.BackendUnavailable as error:
        pytest.skip(str(error))
    book, market = firm(count)

    def worst(method: str) -> Any:
        return sg.worst_exact(book, market, GRID, method=method, backend=backend)

    close = benchmark.pedantic(worst, args=("compressed",), warmup_rounds=1, rounds=3)
    close_seconds = min(processor_seconds(lambda: worst("compressed"))[0] for _ in range(3))
    direct_seconds, truth = processor_seconds(lambda: worst("direct"))
    columns = ["margin_group", "class_group", "worst_loss", "scenario"]
    assert close.groups[columns].equals(truth.groups[columns])
    assert close.accounts.equals(truth.accounts)
    benchmark.extra_info |= {
        "times faster than direct": direct_seconds / close_seconds,
        "milliseconds a name": 1e3 * close_seconds / count,
        "leaves direct": int((close.groups["method"] == "direct").sum()),
        "largest candidates": int(close.groups["candidates"].max()),
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

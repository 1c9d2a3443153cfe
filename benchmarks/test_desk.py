"""The live desk: a tick of one name with 5,000 holders, trades, what-ifs, under house 31 x 7."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

import shockgrid as sg

HOLDERS, SERIES, OTHERS = 5_000, 100, 40
AS_OF = pd.Timestamp("2026-11-20T21:00:00Z")


def firm(per_name: int, other_names: int, others_each: int) -> tuple[sg.Book, sg.Market]:
    """5,000 accounts with ``per_name`` options of the name that ticks, and some of ``other_names`` names."""
    rng = np.random.default_rng(1)
    names = ["TICK", *(f"N{place:02d}" for place in range(OTHERS))]
    rows = [
        {
            "symbol": f"{name}{right}{strike}_{days}",
            "underlying": name,
            "type": "option",
            "right": right,
            "strike": float(strike),
            "expiry_utc": (AS_OF + pd.Timedelta(days=days)).isoformat(),
            "style": "european",
        }
        for name in names
        for right in "CP"
        for strike in range(80, 130, 5)
        for days in (7, 30, 60, 120, 365)
    ]
    instruments = pd.DataFrame(rows)
    quotes = pd.DataFrame({"symbol": instruments["symbol"], "vol": rng.uniform(0.2, 0.5, len(rows))})
    spots = pd.DataFrame({"underlying": names, "spot": 100.0})
    curve = pd.DataFrame([{"currency": "USD", "days": 365, "zero_rate_dec": 0.04}])
    market = sg.Market.from_frames(instruments, spots, quotes, curve, as_of=AS_OF.to_pydatetime())
    holdings = []
    for account in range(HOLDERS):
        chosen = [
            ("TICK", per_name),
            *((name, others_each) for name in rng.choice(names[1:], other_names, False)),
        ]
        for name, count in chosen:
            start = names.index(name) * SERIES
            holdings += [(account, start + place) for place in rng.choice(SERIES, count, replace=False)]
    accounts, series = np.array(holdings).T
    texts = np.array([f"A{account:05d}" for account in range(HOLDERS)], object)
    positions = pd.DataFrame(
        {
            "account": texts[accounts],
            "symbol": instruments["symbol"].to_numpy(object)[series],
            "quantity": rng.integers(1, 20, len(series)) * rng.choice([-1.0, 1.0], len(series)),
        }
    )
    return sg.Book.from_frames(positions, pd.DataFrame({"account": texts, "cash": 1e6})), market


@pytest.fixture(scope="module", params=[(10, 0, 0), (10, 8, 5)], ids=["one name", "nine names"])
def desk(request: Any) -> sg.Desk:
    return sg.Desk(*firm(*request.param), sg.house())


def test_a_tick_of_5_000_holders(benchmark: Any, desk: sg.Desk) -> None:
    rng, spent = np.random.default_rng(2), []

    def tick() -> int:
        quotes = pd.DataFrame({"underlying": ["TICK"], "spot": [100.0 * rng.uniform(0.99, 1.01)]})
        start = time.perf_counter()
        told = desk.tick(quotes)
        spent.append(time.perf_counter() - start)
        return len(told)

    assert benchmark.pedantic(tick, rounds=200, warmup_rounds=3) == HOLDERS
    milliseconds = np.percentile(np.array(spent[3:]) * 1e3, [50, 99]).round(2).tolist()
    benchmark.extra_info.update(dict(zip(("p50 ms", "p99 ms"), milliseconds, strict=True)))


def test_a_fill_in_a_position_that_is_there(benchmark: Any, desk: sg.Desk) -> None:
    held = desk.book.positions.iloc[7]
    fill = pd.DataFrame(
        {"account": [held["account"]], "symbol": [held["symbol"]], "quantity": [1.0], "price": [2.0]}
    )
    assert len(benchmark.pedantic(desk.trade, args=(fill,), rounds=20, warmup_rounds=1)) == 1


def test_a_fill_that_opens_a_position(benchmark: Any, desk: sg.Desk) -> None:
    known = pd.MultiIndex.from_frame(desk.book.positions[["account", "symbol"]])
    wanted = pd.MultiIndex.from_product([["A00007"], desk.market.instruments.symbols[:SERIES]])
    fresh = iter([symbol for _, symbol in wanted.difference(known)])

    def trade() -> int:
        fill = {"account": ["A00007"], "symbol": [next(fresh)], "quantity": [1.0], "price": [2.0]}
        return len(desk.trade(pd.DataFrame(fill)))

    assert benchmark.pedantic(trade, rounds=10, warmup_rounds=1) == 1


def test_a_deposit(benchmark: Any, desk: sg.Desk) -> None:
    assert len(benchmark.pedantic(desk.deposit, args=("A00007", 1.0), rounds=20, warmup_rounds=1)) == 1


def test_what_if(benchmark: Any, desk: sg.Desk) -> None:
    """One order, asked again and again: what the account holds was priced before."""
    order = [{"symbol": desk.market.instruments.symbols[3], "quantity": 1.0}]
    found = benchmark.pedantic(desk.what_if, args=("A00000", order), rounds=500, warmup_rounds=10)
    assert found.margin_group == "A00000"


def test_what_if_after_a_tick(benchmark: Any, desk: sg.Desk) -> None:
    """The same where the market has moved since: what the order touches is priced first."""
    rng, order = np.random.default_rng(4), [{"symbol": desk.market.instruments.symbols[3], "quantity": 1.0}]

    def moved() -> tuple[tuple[str, Any], dict[str, Any]]:
        desk.tick(pd.DataFrame({"underlying": ["TICK"], "spot": [100.0 * rng.uniform(0.99, 1.01)]}))
        return ("A00000", order), {}

    assert benchmark.pedantic(desk.what_if, setup=moved, rounds=100).margin_group == "A00000"


def test_what_ifs_of_2_000_accounts(benchmark: Any, desk: sg.Desk) -> None:
    """One order each."""
    rng, cases = np.random.default_rng(3), 2_000
    orders = pd.DataFrame(
        {
            "case": [f"{place}" for place in range(cases)],
            "account": [f"A{place:05d}" for place in range(cases)],
            "symbol": rng.choice(desk.market.instruments.symbols[:SERIES], cases),
            "quantity": 1.0,
        }
    )
    assert len(benchmark.pedantic(desk.what_ifs, args=(orders,), rounds=10, warmup_rounds=1)) == cases
    benchmark.extra_info["cases a second"] = round(cases / benchmark.stats.stats.median)


def test_max_size(benchmark: Any, desk: sg.Desk) -> None:
    """The largest sale of one series: some 64 sizes at a time."""
    symbol = desk.market.instruments.symbols[3]
    assert benchmark.pedantic(desk.max_size, args=("A00000", symbol, "sell"), rounds=20, warmup_rounds=1) > 0

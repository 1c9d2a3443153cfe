"""The live desk: a tick of one name with 5,000 holders, trades, what-ifs, under house 31 x 7."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
from firms import SMALL

import shockgrid as sg

HOLDERS, SERIES, OTHERS, NAMES = (500, 100, 40, 60) if SMALL else (5_000, 100, 40, 3_000)
AS_OF = pd.Timestamp("2026-11-20T21:00:00Z")


def tables(names: list[str]) -> tuple[pd.DataFrame, sg.Market]:
    """The instruments of these names, 100 options each, and a market of them."""
    kinds = pd.MultiIndex.from_product(
        [names, ["C", "P"], np.arange(80, 130, 5), [7, 30, 60, 120, 365]],
        names=["underlying", "right", "strike", "days"],
    ).to_frame(index=False)
    right, strike, days = (kinds[name].astype(str) for name in ("right", "strike", "days"))
    expiries = {count: (AS_OF + pd.Timedelta(days=count)).isoformat() for count in set(kinds["days"])}
    instruments = kinds.assign(
        symbol=kinds["underlying"] + right + strike + "_" + days,
        type="option",
        expiry_utc=kinds["days"].map(expiries),
        style="european",
        strike=kinds["strike"].astype(float),
    ).drop(columns="days")
    vols = np.random.default_rng(1).uniform(0.2, 0.5, len(instruments))
    quotes = pd.DataFrame({"symbol": instruments["symbol"], "vol": vols})
    spots = pd.DataFrame({"underlying": names, "spot": 100.0})
    curve = pd.DataFrame([{"currency": "USD", "days": 365, "zero_rate_dec": 0.04}])
    return instruments, sg.Market.from_frames(instruments, spots, quotes, curve, as_of=AS_OF.to_pydatetime())


def book_of(symbols: Any, accounts: Any, series: Any) -> sg.Book:
    """Accounts by number and what series they hold, in sizes drawn."""
    rng = np.random.default_rng(7)
    texts = np.array([f"A{account:05d}" for account in range(HOLDERS)], object)
    columns = {
        "account": texts[accounts],
        "symbol": symbols.to_numpy(object)[series],
        "quantity": rng.integers(1, 20, len(series)) * rng.choice([-1.0, 1.0], len(series)),
    }
    return sg.Book.from_frames(pd.DataFrame(columns), pd.DataFrame({"account": texts, "cash": 1e6}))


def firm(per_name: int, other_names: int, others_each: int) -> tuple[sg.Book, sg.Market]:
    """5,000 accounts with ``per_name`` options of the name that ticks, and some of ``other_names`` names."""
    rng = np.random.default_rng(1)
    names = ["TICK", *(f"N{place:02d}" for place in range(OTHERS))]
    instruments, market = tables(names)
    holdings = []
    for account in range(HOLDERS):
        others = 1 + rng.choice(OTHERS, other_names, replace=False)
        for name, count in [(0, per_name), *((name, others_each) for name in others)]:
            held = rng.choice(SERIES, count, replace=False)
            holdings += [(account, name * SERIES + place) for place in held]
    return book_of(instruments["symbol"], *np.array(holdings).T), market


def large_firm() -> tuple[sg.Book, sg.Market]:
    """5,000 accounts with ten options on each of 20 of 3,000 names: 300,000 series, 1,000,000 positions."""
    rng, each, per_name = np.random.default_rng(1), 20, 10
    instruments, market = tables([f"N{place:04d}" for place in range(NAMES)])
    names = np.argsort(rng.random((HOLDERS, NAMES)), axis=1)[:, :each]
    places = np.argsort(rng.random((HOLDERS * each, SERIES)), axis=1)[:, :per_name]
    series = (names.reshape(-1, 1) * SERIES + places).ravel()
    return book_of(instruments["symbol"], np.repeat(np.arange(HOLDERS), each * per_name), series), market


SIZES = {"one name": (10, 0, 0), "nine names": (10, 8, 5)}


@pytest.fixture(scope="module", params=SIZES.values(), ids=SIZES)
def desk(request: Any) -> sg.Desk:
    return sg.Desk(*firm(*request.param), sg.house())


def history(market: sg.Market, days: int) -> sg.ScenarioSet:
    """Joint daily moves of all names, drawn."""
    names = market.underlyings.names.tolist()
    moves = np.random.default_rng(5).normal(0.0, 0.02, (days, len(names)))
    return sg.ScenarioSet.history(pd.DataFrame(moves, columns=names))


def regimes(market: sg.Market) -> dict[str, Any]:
    """What else a tick is timed under."""
    joint = sg.house(scenarios=history(market, 500), joint=True)
    both = sg.Policy({"default": sg.Program(sg.tims(), sg.house())})
    return {"500 joint days": joint, "policy": both}


def timed_ticks(benchmark: Any, desk: sg.Desk, rounds: int) -> None:
    """Ticks of one name that all accounts hold, with the percentiles of what ``tick`` alone took."""
    rng, spent = np.random.default_rng(2), []

    def tick() -> int:
        quotes = pd.DataFrame({"underlying": ["TICK"], "spot": [100.0 * rng.uniform(0.99, 1.01)]})
        start = time.perf_counter()
        told = desk.tick(quotes)
        spent.append(time.perf_counter() - start)
        return len(told)

    assert benchmark.pedantic(tick, rounds=rounds, warmup_rounds=3) == HOLDERS
    milliseconds = np.percentile(np.array(spent[3:]) * 1e3, [50, 99]).round(2).tolist()
    benchmark.extra_info.update(dict(zip(("p50 ms", "p99 ms"), milliseconds, strict=True)))


def test_a_tick_of_5_000_holders(benchmark: Any, desk: sg.Desk) -> None:
    timed_ticks(benchmark, desk, 200)


def test_the_accounts_after_a_tick(benchmark: Any, desk: sg.Desk) -> None:
    """All columns of the accounts frame, most of which a tick leaves to be worked out."""
    rng = np.random.default_rng(6)

    def moved() -> None:
        desk.tick({"underlying": ["TICK"], "spot": [100.0 * rng.uniform(0.99, 1.01)]})

    found = benchmark.pedantic(lambda: desk.accounts, setup=moved, rounds=50, warmup_rounds=3)
    assert len(found) == HOLDERS


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("regime", ["500 joint days", "policy"])
def test_a_tick_of_5_000_holders_under(benchmark: Any, regime: str, size: tuple[int, int, int]) -> None:
    book, market = firm(*size)
    timed_ticks(benchmark, sg.Desk(book, market, regimes(market)[regime]), 100)


def test_a_tick_of_5_000_holders_with_two_threads(benchmark: Any) -> None:
    with ThreadPoolExecutor(2) as pool:
        timed_ticks(benchmark, sg.Desk(*firm(*SIZES["one name"]), sg.house(), executor=pool), 200)


def test_a_tick_of_all_3_000_names(benchmark: Any) -> None:
    book, market = large_firm()
    desk, rng = sg.Desk(book, market, sg.house()), np.random.default_rng(2)
    names = market.underlyings.names.tolist()

    def tick() -> int:
        return len(desk.tick({"underlying": names, "spot": 100.0 * rng.uniform(0.99, 1.01, len(names))}))

    assert benchmark.pedantic(tick, rounds=10, warmup_rounds=1) == HOLDERS


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
    rng, cases = np.random.default_rng(3), min(2_000, HOLDERS)
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

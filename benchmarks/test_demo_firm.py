"""The synthetic firm end to end: 2,000 accounts, 200,000 positions, 20,000 series, both regimes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from shockgrid.book import Book
from shockgrid.io.synthetic import synthetic_policy, synthetic_tables
from shockgrid.market import Market
from shockgrid.requirement import MarginResult, margin


@pytest.fixture(scope="module")
def tables() -> Any:
    return synthetic_tables(accounts=2000, seed=1)


def built(tables: Any) -> tuple[Book, Market]:
    market = dict(tables.market)
    names = ("instruments", "underlyings", "quotes", "curve")
    first = [market.pop(name) for name in names]
    priced = Market.from_frames(*first, **market, as_of=tables.as_of, base_currency=tables.base_currency)
    return Book.from_frames(tables.book["positions"], tables.book["accounts"]), priced


def test_frames_to_book_and_market(benchmark: Any, tables: Any) -> None:
    book, market = benchmark(built, tables)
    benchmark.extra_info.update(positions=len(book.positions), instruments=len(market.instruments.symbols))
    assert len(book.rejects) == len(market.rejects) == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_margin_under_both_regimes(benchmark: Any, tables: Any, threads: int) -> None:
    book, market = built(tables)
    policy = synthetic_policy()

    def run() -> MarginResult:
        return margin(book, market, policy, threads=threads)

    result = benchmark(run)
    benchmark.extra_info.update(positions=len(book.positions), stages=dict(result.timings))
    assert (result.accounts["reliability"] == "OK").all()
    assert (result.accounts["requirement"] >= 0).all()


def test_contributions(benchmark: Any, tables: Any) -> None:
    """Leave-one-out and Euler of every position, which a result works out only when asked."""
    book, market = built(tables)
    policy = synthetic_policy()

    def run() -> float:
        result = margin(book, market, policy)
        start = time.perf_counter()
        assert len(result.positions) == len(book.positions)
        return time.perf_counter() - start

    benchmark.extra_info["seconds of contributions alone"] = benchmark(run)

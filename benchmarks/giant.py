"""A giant firm in tiles of accounts: ``python benchmarks/giant.py``.

100,000 accounts, 10 million positions, 1 million series x 217.

Prints the seconds of each part and the most memory that the process held.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from firms import RATE, SPOTS, VOLS, Firm, Size, drawn

from shockgrid.backends import get_backend
from shockgrid.book import Book
from shockgrid.carry import Dividends
from shockgrid.market import Instruments, Market, Underlyings
from shockgrid.scenarios import ScenarioSet
from shockgrid.whole_firm import worst_by_tile

GIANT = Size(names=10_000, series=100, accounts=100_000, held=20, positions=5)
TILE = 10_000  #: accounts


def market_of(firm: Firm) -> Market:
    """The series as a market, its columns put in place without the checks of the door."""
    size, count = firm.size, len(firm.spots)
    names = np.array([f"N{k:05d}" for k in range(size.names)], object)
    spots, zeros, texts = firm.spots[:: size.series], np.zeros(count), np.full(count, "", object)
    flat = np.zeros(size.names)
    underlyings = Underlyings(
        names,
        spots,
        *(np.full(size.names, text, object) for text in ("USD", "equity")),
        flat + 1.0,
        flat + np.nan,
        firm.yields[:: size.series],
        np.full(size.names, "NaT", "datetime64[ns]"),
        np.full(size.names, "", object),
        *(flat + np.nan for _ in range(6)),
        *(names.copy() for _ in range(3)),
    )
    owners, columns = np.repeat(np.arange(size.names), size.series), firm.columns()
    instruments = Instruments(
        symbols=np.array([f"{names[k // size.series]}-{k % size.series:03d}" for k in range(count)], object),
        underlyings=owners,
        types=np.full(count, "option", object),
        is_option=columns.is_option,
        is_call=columns.is_call,
        is_american=columns.is_american,
        strikes=columns.strikes,
        years=columns.years,
        multipliers=zeros + 100.0,
        units_per_contract=zeros + 100.0,
        cash_per_contract=zeros,
        currencies=np.full(count, "USD", object),
        fx_rates=zeros + 1.0,
        slopes=columns.slopes,
        intercepts=zeros.copy(),
        discount_factors=np.exp(-RATE * columns.years),
        vols=columns.vols,
        marks=zeros + np.nan,
        dividends=zeros.copy(),
        quote_lines=np.zeros(count, np.int64),
        quote_times=np.full(count, "NaT", "datetime64[ns]"),
        price_faults=texts,
        inverse=np.zeros(count, np.bool_),
        is_physical=np.zeros(count, np.bool_),
    )
    none = pd.DataFrame()
    moment = datetime(2026, 11, 20, 21, tzinfo=UTC)
    paid = Dividends(np.zeros(0, np.intp), np.zeros(0), np.zeros(0))
    return Market(moment, "USD", None, underlyings, instruments, paid, {"USD": 1.0}, {}, none, none, none)


def books(firm: Firm, symbols: np.ndarray, size: Size, tile: int) -> Iterator[Book]:
    """So many accounts at a time, each its own margin group."""
    for first in range(0, size.accounts, tile):
        part = drawn(size._replace(accounts=min(tile, size.accounts - first)), tile=first)
        keys, places = np.unique(part.accounts * len(symbols) + part.series, return_inverse=True)
        names = np.array([f"A{first + k:06d}" for k in range(part.size.accounts)], object)
        positions = pd.DataFrame(
            {
                "account": pd.Series(names[keys // len(symbols)], dtype=object),
                "symbol": pd.Series(symbols[keys % len(symbols)], dtype=object),
                "quantity": np.bincount(places, part.quantities, len(keys)),
                "price_paid": np.nan,
                "line": np.arange(len(keys)),
            }
        )
        accounts = pd.DataFrame({"account": names, "margin_group": names})
        unread = positions.iloc[:0]
        yield Book(accounts, np.zeros(len(names), np.int64), positions, unread, frozenset(), pd.DataFrame())


def main() -> None:
    """Walk the firm tile by tile; what draws it is timed apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=GIANT.accounts)
    parser.add_argument("--tile", type=int, default=TILE)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    size, backend = GIANT._replace(accounts=asked.accounts), get_backend("native")
    firm = drawn(size._replace(accounts=1))
    market = market_of(firm)
    drawing = walking = 0.0
    positions = leaves = 0
    scenarios = ScenarioSet.grid(SPOTS, VOLS)
    source = books(firm, market.instruments.symbols, size, asked.tile)
    with ThreadPoolExecutor(asked.threads) as pool:
        while True:
            start = time.perf_counter()
            book = next(source, None)
            drawing += time.perf_counter() - start
            if book is None:
                break
            start = time.perf_counter()
            for plan, found in worst_by_tile([book], market, scenarios, backend, executor=pool):
                positions += len(plan.positions.accounts)
                leaves += len(found.losses)
            walking += time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{len(firm.spots):,} series x {len(scenarios)}, {positions:,} positions, {leaves:,} leaves")
    print(f"drawn in {drawing:.1f} s; planned, priced and reduced in {walking:.1f} s; {peak:.2f} GiB at most")


if __name__ == "__main__":
    main()

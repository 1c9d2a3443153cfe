"""Liquidation plans: one account of 200 positions, many accounts at once, and 200 books solved exactly."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shockgrid as sg
from shockgrid.calibration import calibrated
from shockgrid.desk.liquidation import closing_search, settled
from shockgrid.desk.liquidation_costs import trading_costs
from shockgrid.desk.liquidation_ground import Ground
from shockgrid.io.synthetic import synthetic_tables

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

ACCOUNTS = 1000


def european(tables: Any) -> sg.Market:
    """The synthetic market with every option priced as European, as the native kernels price them."""
    instruments = tables.market["instruments"].assign(style="european")
    return sg.Market.from_frames(**{**tables.market, "instruments": instruments}, as_of=tables.as_of)


def ground(held: sg.Book, market: sg.Market) -> Ground:
    from liquidation_books import POLICY

    backend = sg.get_backend("auto")
    return Ground.of(held, calibrated(market, backend), POLICY, backend)


def planned(laid: Ground) -> Any:
    return settled(closing_search(laid, trading_costs(), "per_dollar_traded", 0.01, frozenset()))


def largest_below(held: sg.Book, count: int) -> str:
    """The margin group whose number of positions is the nearest to ``count``."""
    owners = dict(zip(held.accounts["account"], held.accounts["margin_group"], strict=True))
    sizes = held.positions["account"].map(owners).value_counts()
    return str((sizes - count).abs().idxmin())


@pytest.fixture(scope="module")
def firm() -> tuple[sg.Book, sg.Market]:
    from liquidation_books import short_firm

    held, _ = short_firm(round(ACCOUNTS / 0.965))  # what market makers and pairs of accounts leave
    return held, european(synthetic_tables(accounts=10, underlyings=30, seed=3))


def test_one_account_of_200_positions(benchmark: Any, firm: tuple[sg.Book, sg.Market]) -> None:
    held, market = firm
    name = largest_below(held, 200)
    start = time.perf_counter()
    laid = ground(held.select([name]), market)
    priced = time.perf_counter() - start
    plans, _ = benchmark(planned, laid)
    positions = len(laid.plan.positions.quantities)
    steps = len(plans.taken[0])
    benchmark.extra_info.update({"positions": positions, "steps": steps, "seconds of pricing": priced})


def test_a_thousand_accounts(benchmark: Any, firm: tuple[sg.Book, sg.Market]) -> None:
    held, market = firm
    start = time.perf_counter()
    laid = ground(held, market)
    priced = time.perf_counter() - start
    benchmark.pedantic(planned, args=(laid,), rounds=1)
    counts = {"margin groups": len(laid.rates), "positions": len(laid.plan.positions.quantities)}
    benchmark.extra_info.update({**counts, "seconds of pricing": priced})


def test_gaps_of_200_books(benchmark: Any) -> None:
    """Market value traded over the least that cures, found by enumeration."""
    from liquidation_books import BACKEND, cheapest, free, in_deficit, random_holdings, small_market

    def gaps() -> list[float]:
        rng, found, priced, regime = np.random.default_rng(5), [], small_market(), sg.house()
        for _ in range(200):
            holdings = random_holdings(rng, int(rng.integers(2, 6)), 5)
            held = in_deficit(holdings, priced, regime, float(rng.uniform(0.02, 0.5)))
            least = cheapest(held, priced, regime)
            plan = sg.liquidation_plan(
                held, priced, regime, buffer=0.0, costs=free(), baselines=False, backend=BACKEND
            )
            assert (plan.accounts.iloc[0]["status"] == "cured") == np.isfinite(least)
            if np.isfinite(least):
                found.append(float(plan.accounts.iloc[0]["traded"] / least - 1.0))
        return found

    found = benchmark.pedantic(gaps, rounds=1)
    figures = {"books": len(found), "median": np.median(found), "p95": np.quantile(found, 0.95)}
    benchmark.extra_info.update({name: float(value) for name, value in figures.items()}, largest=max(found))

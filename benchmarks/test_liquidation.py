"""Liquidation plans: one account of 200 positions, many accounts at once, and 200 books solved exactly."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from firms import SMALL

import shockgrid as sg
from shockgrid.calibration import calibrated
from shockgrid.desk.liquidation import closing_search
from shockgrid.desk.liquidation_baselines import BASELINES
from shockgrid.desk.liquidation_costs import trading_costs
from shockgrid.desk.liquidation_ground import Ground
from shockgrid.desk.liquidation_settled import settled
from shockgrid.io.synthetic import synthetic_tables

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

ACCOUNTS, POSITIONS, BOOKS = (100, 200, 20) if SMALL else (1000, 200, 200)


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


def large_account(
    held: sg.Book, market: sg.Market, share: float, names: int | None = None
) -> tuple[sg.Book, sg.Market]:
    """One account with ``POSITIONS`` different series of the firm's, ``share`` of its requirement short.

    ``names`` restricts them to the underlyings that most positions are in.
    """
    from liquidation_books import POLICY

    table = market.instruments
    owners = dict(zip(table.symbols, market.underlyings.names[table.underlyings], strict=True))
    rows = held.positions.drop_duplicates("symbol")
    names_of = rows["symbol"].map(owners)
    if names is not None:
        rows = rows[names_of.isin(names_of.value_counts().index[:names])]
    rows = rows.iloc[:POSITIONS][["symbol", "quantity", "price_paid"]].assign(account="A")
    account = pd.DataFrame([{"account": "A", "cash": 0.0, "program": "portfolio_margin"}])
    bare = sg.margin(sg.Book.from_frames(rows, account), market, POLICY).accounts.iloc[0]
    account["cash"] = float(bare["requirement"] * (1.0 - share) - bare["equity_at_marks"])
    return sg.Book.from_frames(rows, account), market


@pytest.fixture(scope="module")
def firm() -> tuple[sg.Book, sg.Market]:
    from liquidation_books import short_firm

    held, _ = short_firm(round(ACCOUNTS / 0.965))  # what market makers and pairs of accounts leave
    return held, european(synthetic_tables(accounts=10, underlyings=30, seed=3))


@pytest.mark.parametrize("share", [0.05, 0.15])
@pytest.mark.parametrize("names", [None, 3])
def test_one_account_of_200_positions(
    benchmark: Any, firm: tuple[sg.Book, sg.Market], share: float, names: int | None
) -> None:
    """The search alone; what lies before it is in ``seconds of pricing``."""
    held, market = large_account(*firm, share, names)
    priced, rounds, laid = np.inf, 12, []
    for _ in range(rounds):
        start = time.perf_counter()
        laid.append(ground(held, market))
        priced = min(priced, time.perf_counter() - start)
    plans = benchmark.pedantic(lambda: planned(laid.pop())[0], rounds=rounds)
    assert len(held.positions) == POSITIONS
    steps = len(plans.taken[0])
    benchmark.extra_info.update({"positions": POSITIONS, "steps": steps, "seconds of pricing": priced})


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_one_account_of_60_positions_under_span(benchmark: Any, share: float) -> None:
    """Contract months are followed commodity by commodity; beside it the slow way, in ``seconds in full``."""
    from liquidation_books import in_deficit, random_holdings, small_market

    regime, priced, rounds = sg.regimes.span(), small_market(), 3
    held = in_deficit(random_holdings(np.random.default_rng(3), 60, 20), priced, regime, share)
    laid = [Ground.of(held, priced, regime, sg.get_backend("auto")) for _ in range(rounds + 1)]
    slow = laid.pop().slow()
    plans = benchmark.pedantic(lambda: planned(laid.pop())[0], rounds=rounds)
    start = time.perf_counter()
    full = planned(slow)[0]
    seconds = time.perf_counter() - start
    assert [len(plans.taken[0]), plans.sure] == [len(full.taken[0]), True]
    benchmark.extra_info.update({"steps": len(plans.taken[0]), "seconds in full": seconds})


def test_a_thousand_accounts(benchmark: Any, firm: tuple[sg.Book, sg.Market]) -> None:
    """Everything: margin, search, baselines, frames; and what a rule beats, if anything."""
    from liquidation_books import POLICY

    held, market = firm
    plan = benchmark.pedantic(sg.liquidation_plan, args=(held, market, POLICY), rounds=1)
    rows = plan.accounts
    beaten = {
        rule: int(
            ((rows["useful_per_dollar"] < rows[f"{rule}_useful_per_dollar"] * (1.0 - 1e-9)) & kept).sum()
        )
        for rule, kept in ((rule, ~rows[f"{rule}_uncovers"].astype(bool)) for rule in BASELINES)
    }
    assert not any(beaten.values()), "a rule that uncovers no short option freed more per dollar"
    freed = {rule: rows[f"{rule}_freed"].sum() / rows[f"{rule}_traded"].sum() for rule in BASELINES}
    benchmark.extra_info.update(
        {
            "margin groups": len(rows),
            "positions": len(held.positions),
            "cured": int((rows["status"] == "cured").sum()),
            "freed per dollar": float(rows["freed"].sum() / rows["traded"].sum()),
            **{f"freed per dollar, {rule}": float(figure) for rule, figure in freed.items()},
        }
    )


def test_gaps_of_200_books(benchmark: Any) -> None:
    """Market value traded over the least that cures, found by enumeration."""
    from liquidation_books import BACKEND, cheapest, free, in_deficit, random_holdings, small_market

    def gaps() -> list[float]:
        rng, found, priced, regime = np.random.default_rng(5), [], small_market(), sg.house()
        for _ in range(BOOKS):
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

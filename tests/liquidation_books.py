"""Markets and deficient books for tests of liquidation, and the cheapest way to cure by enumeration."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from books import book, market, option, stock

import shockgrid as sg
from shockgrid.backends import NumpyBackend
from shockgrid.desk.liquidation_changes import Changes
from shockgrid.desk.liquidation_costs import TradingCosts, trading_costs
from shockgrid.desk.liquidation_cover import cover_of, opens_risk
from shockgrid.desk.liquidation_ground import Ground
from shockgrid.io.synthetic import synthetic_policy, synthetic_tables

BACKEND = NumpyBackend()  # one for all: premium tables and grids are computed once
POLICY = synthetic_policy()

SPOTS = {"AAA": 100.0, "BBB": 40.0, "CCC": 250.0}
VOLS = {"AAA": 0.3, "BBB": 0.6, "CCC": 0.25}
FREE = Path(__file__).parent / "regimes" / "free_of_cost.toml"


def free() -> TradingCosts:
    """Costs of nothing at all."""
    return trading_costs(parameters=FREE)


def series() -> list[dict[str, Any]]:
    """Two expiries, five strikes, both rights on each name."""
    return [
        option(f"{name}{right}{moneyness:g}-{days}", name, right, spot * moneyness, days)
        for name, spot in SPOTS.items()
        for right in "CP"
        for moneyness in (0.8, 0.9, 1.0, 1.1, 1.2)
        for days in (30, 90)
    ]


def small_market() -> sg.Market:
    """Shares are held in lots of a hundred, so that every size is a small whole number."""
    listed = series()
    quotes = [{"symbol": row["symbol"], "vol": VOLS[row["underlying"]]} for row in listed]
    shares = [{**stock(name), "multiplier": 100} for name in SPOTS]
    return market([*shares, *listed], dict(SPOTS), quotes)


SMALL = small_market()


def random_holdings(rng: np.random.Generator, legs: int, most: int) -> list[tuple[str, str, float]]:
    """``legs`` different symbols, up to ``most`` contracts or lots each."""
    names = [*SPOTS, *(row["symbol"] for row in series())]
    chance = np.array([4.0] * len(SPOTS) + [1.0] * (len(names) - len(SPOTS)))
    chosen = rng.choice(len(names), legs, replace=False, p=chance / chance.sum())
    sizes = rng.integers(1, most + 1, legs) * rng.choice([-1, 1], legs, p=[0.6, 0.4])
    return [("A", names[at], float(size)) for at, size in zip(chosen, sizes, strict=True)]


def in_deficit(
    holdings: list[tuple[str, str, float]], priced: sg.Market, regime: Any, share: float
) -> sg.Book:
    """These holdings with cash that leaves a deficit of ``share`` of the requirement."""
    bare = sg.margin(book(holdings), priced, regime, backend="numpy").accounts.iloc[0]
    cash = float(bare["requirement"] * (1.0 - share) - bare["equity_at_marks"])
    return book(holdings, [{"account": "A", "cash": cash}])


def cheapest(held: sg.Book, priced: sg.Market, regime: Any) -> float:
    """Least market value traded that cures, over every combination of sizes: exact, by enumeration.

    Uncovered shorts may not grow, as in a plan; infinite where nothing cures.
    """
    ground = Ground.of(held, priced, regime, sg.get_backend("numpy"))
    quantities = ground.plan.positions.quantities
    sizes = np.array(list(itertools.product(*(range(int(abs(size)) + 1) for size in quantities))), float)
    amounts = -np.sign(quantities) * sizes
    count, legs = amounts.shape
    changes = Changes(
        np.zeros(count, np.intp),
        np.repeat(np.arange(count), legs),
        np.tile(np.arange(legs), count),
        amounts.ravel(),
    )
    cures = ground.equity[0] - ground.dense(quantities, changes).requirement >= 0.0
    cures &= ~opens_risk(ground, quantities, changes, cover_of(ground, quantities))
    table, instruments = priced.instruments, ground.plan.positions.instruments
    money = np.maximum(ground.prices, 0.01)[instruments] * table.multipliers[instruments]
    return float((np.abs(amounts) @ money)[cures].min(initial=np.inf))


def short_firm(accounts: int, *, largest: float = 0.25) -> tuple[sg.Book, sg.Market]:
    """The customers of a synthetic firm, every one of them 1 to 25 % of the requirement short."""
    drawn = synthetic_tables(accounts=accounts, underlyings=30, seed=3)
    market = sg.Market.from_frames(**drawn.market, as_of=drawn.as_of)
    rows = drawn.book["accounts"]
    rows = rows[rows["program"] == "portfolio_margin"].reset_index(drop=True)
    held = drawn.book["positions"]
    held = held[held["account"].isin(rows["account"])]
    bare = sg.margin(sg.Book.from_frames(held, rows), market, POLICY, backend=BACKEND).accounts
    share = np.random.default_rng(7).uniform(0.01, largest, len(bare))
    cash = bare["requirement"] * (1.0 - share) - bare["equity_at_marks"]
    first = ~rows["margin_group"].duplicated()
    cash = rows["margin_group"].map(dict(zip(bare["margin_group"], cash, strict=True)))
    return sg.Book.from_frames(held, rows.assign(cash=cash.where(first, 0.0))), market


def example(equity: float = 2500.0) -> tuple[sg.Book, sg.Market]:
    """Long 100 A at 150, short a 50 call on B at 50, worth 2.00: requirement 2,250.00 + 569.99."""
    priced = market(
        [stock("A"), stock("B"), option("BC", "B", "C", 50.0, 60)],
        {"A": 150.0, "B": 50.0},
        [{"symbol": "BC", "mark": 2.0}],
        rate=0.0,
    )
    cash = equity - 100 * 150.0 + 200.0
    return book([("X", "A", 100), ("X", "BC", -1)], [{"account": "X", "cash": cash}]), priced


def plan_of(holdings: list[tuple[str, str, float]], cash: float, regime: Any = None, **more: Any) -> Any:
    """The plan of one account over the small market, free of costs and without a buffer."""
    held = book(holdings, [{"account": "A", "cash": cash}])
    chosen = {"buffer": 0.0, "costs": free(), "backend": BACKEND, **more}
    return sg.liquidation_plan(held, SMALL, regime or sg.house(), **chosen)

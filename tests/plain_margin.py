"""A small firm as plain tables, and its requirements by plain loops: slow, and easy to check by eye."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from books import AS_OF, book, market, option, stock

import shockgrid as sg

RATE = 0.04
SPOTS = {
    "IBM": {"spot": 97.73, "portfolio_type": "equity", "yield_dec": 0.0},
    "NDX": {"spot": 210.0, "portfolio_type": "broad_index", "yield_dec": 0.01},
    "RUT": {"spot": 80.0, "portfolio_type": "broad_index", "yield_dec": 0.02},
    "SPX": {"spot": 145.1, "portfolio_type": "broad_index_high_cap", "yield_dec": 0.02},
    "SPY": {"spot": 145.3, "portfolio_type": "broad_index_high_cap", "yield_dec": 0.02},
    "TWO": {"spot": 50.0, "portfolio_type": "equity", "yield_dec": 0.0, "leverage": -2.0},
}
#: underlying -> class group, product group, portfolio group
GROUPS = {
    "IBM": ("IBM", "IBM", "IBM"),
    "NDX": ("NDX", "BROAD", "INDEX"),
    "RUT": ("RUT", "SMALL", "INDEX"),
    "SPX": ("SPX", "BROAD", "INDEX"),
    "SPY": ("SPX", "BROAD", "INDEX"),
    "TWO": ("TWO", "TWO", "TWO"),
}
OFFSETS = {("product", "BROAD"): 0.9, ("portfolio", "INDEX"): 0.5}
MARGIN_GROUPS = {"a1": "A", "a2": "A", "a3": "A", "b1": "B", "b2": "B", "c1": "C", "d1": "D"}
DIVIDEND = ("IBM", "2026-12-10", 1.65)
STOCKS = [stock(name) for name in SPOTS]
OPTIONS = [
    option(f"{name} {right} {moneyness} {days}", name, right, round(row["spot"] * moneyness, 1), days, **more)
    for name, row in SPOTS.items()
    for right in "CP"
    for moneyness, days, more in ((0.95, 10, {"multiplier": 10}), (1.02, 45, {}), (1.1, 200, {}))
]
INSTRUMENTS = {row["symbol"]: row for row in (*STOCKS, *OPTIONS)}
VOLS = {row["symbol"]: 0.15 + 0.01 * k for k, row in enumerate(OPTIONS)}


def holdings(seed: int = 4, size: int = 36) -> list[tuple[str, str, float]]:
    """Random holdings of (account, symbol, quantity), no pair twice; stock in hundreds."""
    rng = np.random.default_rng(seed)
    pairs = [(account, symbol) for account in MARGIN_GROUPS for symbol in INSTRUMENTS]
    chosen = sorted(rng.choice(len(pairs), size, replace=False))
    lots = rng.integers(1, 9, size) * rng.choice([-1.0, 1.0], size)
    return [
        (*pairs[k], float(lot * (1 if pairs[k][1] in VOLS else 100)))
        for k, lot in zip(chosen, lots, strict=True)
    ]


def laid_out(held: Iterable[tuple[str, str, float]], seed: int | None = None) -> tuple[sg.Book, sg.Market]:
    """The book and the market, with every table's rows shuffled where a seed is given."""
    rng = np.random.default_rng(seed)

    def mixed(rows: Iterable[Any]) -> list[Any]:
        rows = list(rows)
        return rows if seed is None else [rows[k] for k in rng.permutation(len(rows))]

    names = ("class_group", "product_group", "portfolio_group")
    groups = [{"underlying": name, **dict(zip(names, row, strict=True))} for name, row in GROUPS.items()]
    offsets = [{"level": level, "group": name, "offset_dec": x} for (level, name), x in OFFSETS.items()]
    priced = market(
        mixed(INSTRUMENTS.values()),
        dict(mixed(SPOTS.items())),
        mixed({"symbol": name, "vol": vol} for name, vol in VOLS.items()),
        rate=RATE,
        groups=pd.DataFrame(mixed(groups)),
        offsets=pd.DataFrame(mixed(offsets)),
        dividends=pd.DataFrame([dict(zip(("underlying", "ex_date", "amount"), DIVIDEND, strict=True))]),
    )
    return held_by(mixed(held), mixed(MARGIN_GROUPS)), priced


def held_by(held: Iterable[tuple[str, str, float]], accounts: Iterable[str] = MARGIN_GROUPS) -> sg.Book:
    """The book of these holdings."""
    rows = [{"account": name, "cash": 1000.0, "margin_group": MARGIN_GROUPS[name]} for name in accounts]
    return book(held, rows)


def years_of(row: dict[str, Any]) -> float:
    return (pd.Timestamp(row["expiry_utc"]) - AS_OF) / pd.Timedelta(days=365)


@functools.cache
def value(symbol: str, shock: float, vol_shock: float) -> float:
    """Unit value after a price shock (leverage applied by the caller) and a relative vol shock."""
    row = INSTRUMENTS[symbol]
    name = row["underlying"]
    spot = SPOTS[name]["spot"] * (1.0 + shock)
    if symbol not in VOLS:
        return spot
    years, cash = years_of(row), 0.0
    if name == DIVIDEND[0]:
        drop = (pd.Timestamp(DIVIDEND[1], tz="America/New_York") - AS_OF) / pd.Timedelta(days=365)
        cash = DIVIDEND[2] * math.exp(-RATE * drop) if drop <= years else 0.0
    return float(
        sg.price_european(
            forwards=(spot - cash) * math.exp((RATE - SPOTS[name]["yield_dec"]) * years),
            strikes=row["strike"],
            expiries=years,
            vols=VOLS[symbol] * (1.0 + vol_shock),
            discount_factors=math.exp(-RATE * years),
            is_call=row["right"] == "C",
        )
    )


def position_pnl(symbol: str, quantity: float, shock: float, vol_shock: float = 0.0) -> float:
    """P&L of a position; ``shock`` is that of the tracked index, before leverage."""
    name = INSTRUMENTS[symbol]["underlying"]
    moved = value(symbol, shock * SPOTS[name].get("leverage", 1.0), vol_shock)
    multiplier = INSTRUMENTS[symbol].get("multiplier", 100 if symbol in VOLS else 1)
    return quantity * multiplier * (moved - value(symbol, 0.0, 0.0))


def of_group(held: Iterable[tuple[str, str, float]], group: str) -> list[tuple[str, float]]:
    """What one margin group holds."""
    return [(symbol, size) for account, symbol, size in held if MARGIN_GROUPS[account] == group]


def class_worst(
    rows: list[tuple[str, float]], shocks: Iterable[tuple[float, float]], levered: bool = True
) -> dict[str, float]:
    """Each class group's worst loss over (price, vol) shocks, each class group in its own worst scenario."""
    worst: dict[str, float] = defaultdict(float)
    for shock, vol_shock in shocks:
        pnl: dict[str, float] = defaultdict(float)
        for symbol, size in rows:
            name = INSTRUMENTS[symbol]["underlying"]
            plain = shock if levered else shock / SPOTS[name].get("leverage", 1.0)
            pnl[GROUPS[name][0]] += position_pnl(symbol, size, plain, vol_shock)
        for name, amount in pnl.items():
            worst[name] = max(worst[name], -amount)
    return worst


TIMS_RANGES = {"equity": (0.15, 0.15), "broad_index": (0.10, 0.10), "broad_index_high_cap": (0.08, 0.06)}


def offset_sum(children: dict[str, float], share: float) -> float:
    """Losses in full and gains at their share; an only child as it is."""
    if len(children) == 1:
        return sum(children.values())
    return sum(x if x < 0 else share * x for x in children.values())


def tims_figures(rows: list[tuple[str, float]]) -> dict[str, float]:
    """Scan after offsets, and requirement, portfolio group by portfolio group."""
    scans: dict[str, float] = defaultdict(float)
    for point in (-1.0, -0.8, -0.6, -0.4, -0.2, 0.2, 0.4, 0.6, 0.8, 1.0):
        classes: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for symbol, size in rows:
            name = INSTRUMENTS[symbol]["underlying"]
            down, up = TIMS_RANGES[SPOTS[name]["portfolio_type"]]
            of_class, of_product, of_portfolio = GROUPS[name]
            shock = point * (down if point < 0 else up)
            classes[of_portfolio, of_product][of_class] += position_pnl(symbol, size, shock)
        products: dict[str, dict[str, float]] = defaultdict(dict)
        for (portfolio, product), children in classes.items():
            products[portfolio][product] = offset_sum(children, OFFSETS.get(("product", product), 0.0))
        for portfolio, children in products.items():
            pnl = offset_sum(children, OFFSETS.get(("portfolio", portfolio), 0.0))
            scans[portfolio] = max(scans[portfolio], -pnl)
    nets: dict[str, float] = defaultdict(float)
    for symbol, size in rows:
        nets[symbol] += size if symbol in VOLS else 0.0
    minimums: dict[str, float] = defaultdict(float)
    for symbol, size in nets.items():
        multiplier = INSTRUMENTS[symbol].get("multiplier", 100)
        minimums[GROUPS[INSTRUMENTS[symbol]["underlying"]][2]] += 0.375 * multiplier * abs(size)
    requirement = sum(max(scan, minimums[name]) for name, scan in scans.items())
    return {"scan": sum(scans.values()), "requirement": requirement}


def house_figures(rows: list[tuple[str, float]], grid: list[tuple[float, float]]) -> dict[str, float]:
    """Sum of the class groups' worst, the concentration top-up, 0.5 % on uncovered shorts."""
    scan = sum(class_worst(rows, grid).values())
    wide = class_worst(rows, [(-0.30, 0.0), (0.30, 0.0)])
    narrow = class_worst(rows, [(-0.05, 0.0), (0.05, 0.0)])
    ranked = sorted(wide, key=lambda name: -wide[name])
    concentrated = sum(wide[name] for name in ranked[:2]) + sum(narrow[name] for name in ranked[2:])
    contingency = 0.0
    for name, row in SPOTS.items():
        shares = sum(size for symbol, size in rows if symbol == name)
        for right, cover in (("C", max(shares, 0.0)), ("P", max(-shares, 0.0))):
            contingency += 0.005 * row["spot"] * max(uncovered(rows, name, right) - cover, 0.0)
    top_up = max(concentrated - scan, 0.0)
    return {
        "scan": scan,
        "concentration": top_up,
        "contingency": contingency,
        "requirement": scan + top_up + contingency,
    }


def uncovered(rows: list[tuple[str, float]], name: str, right: str) -> float:
    """Units of short options that no long of the same right expiring no earlier covers."""
    legs = []
    for symbol, size in rows:
        row = INSTRUMENTS[symbol]
        if symbol in VOLS and row["underlying"] == name and row["right"] == right:
            legs.append((years_of(row), size * row.get("multiplier", 100)))
    longs = sorted([leg for leg in legs if leg[1] > 0], reverse=True)
    open_units = 0.0
    for years, units in sorted([leg for leg in legs if leg[1] < 0], reverse=True):
        wanted = -units
        for k, (expiry, left) in enumerate(longs):
            used = min(left, wanted) if expiry >= years else 0.0
            longs[k], wanted = (expiry, left - used), wanted - used
        open_units += wanted
    return open_units

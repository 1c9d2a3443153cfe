"""A SPAN parameter file as plain values, and a small futures market."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
from books import expiry, market, option
from toml_text import written

import shockgrid as sg

SOURCE = {"source": "a number of this test", "confidence": "unconfirmed"}
SPOT, MULTIPLIER = 410.0, 500.0


def shipped() -> dict[str, Any]:
    """The file that ships, as plain values."""
    path = resources.files("shockgrid.regimes") / "parameters" / "span-2026-11-20.toml"
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return {**found, "effective": str(found["effective"])}


def commodity(**terms: Any) -> dict[str, Any]:
    """A scan range of 20 points of 500, as the S&P future of McMillan's chapter has it."""
    plain = {
        "price_range": 20.0, "price_range_is": "money", "vol_range": 0.25, "delta_unit": MULTIPLIER,
        "short_option_minimum": 0.0, "short_option_method": "gross",
    }  # fmt: skip
    return {**plain, **SOURCE, **terms}


def spread(rate: float, *legs: tuple[str, float, str]) -> dict[str, Any]:
    rows = [{"of": name, "ratio": ratio, "side": side} for name, ratio, side in legs]
    return {"legs": rows, "rate": rate, **SOURCE}


def file(folder: Path, extreme: tuple[float, float] = (2.0, 0.35), **changes: Any) -> Path:
    """A parameter file with these commodities and other changes."""
    numbers = shipped()
    for row in numbers["points"]["rows"][14:]:
        row["price"] = extreme[0] if row["price"] > 0 else -extreme[0]
        row["weight"] = extreme[1]
    commodities = {**numbers["commodities"], **changes.pop("commodities", {"SP": commodity()})}
    path = folder / "span.toml"
    path.write_text(written({**numbers, "commodities": commodities, **changes}), encoding="utf-8")
    return path


def every_charge(folder: Path) -> sg.Regime:
    """Every charge and credit switched on."""
    tiers = [{"name": "near", "from_days": 0.0}, {"name": "far", "from_days": 60.0}]
    own = commodity(
        tiers=tiers, spreads=[spread(400.0, ("near", 1.0, "A"), ("far", 1.0, "B"))],
        short_option_minimum=300.0,
    )  # fmt: skip
    both = {"SP": own, "ND": commodity(price_range=30.0)}
    inter = [spread(0.6, ("SP", 2.0, "A"), ("ND", 1.0, "B"))]
    return sg.regimes.span(file(folder, commodities=both, inter_spreads=inter))


def future(symbol: str, underlying: str, days: float, **more: Any) -> dict[str, Any]:
    return {
        "symbol": symbol, "underlying": underlying, "type": "future", "expiry_utc": expiry(days),
        "multiplier": MULTIPLIER, **more,
    }  # fmt: skip


MONTHS = {"SPZ": 30.0, "SPH": 120.0}  # each contract month is an underlying of its own
OPTIONS = [
    option("SPZ C410", "SPZ", "C", 410.0, 25.0, multiplier=MULTIPLIER),
    option("SPZ P400", "SPZ", "P", 400.0, 25.0, multiplier=MULTIPLIER),
    option("SPH C420", "SPH", "C", 420.0, 115.0, multiplier=MULTIPLIER),
]
ROWS = [*OPTIONS, *(future(name, name, days) for name, days in MONTHS.items()), future("ND", "ND", 30.0)]
GROUPS = pd.DataFrame({"underlying": list(MONTHS), "class_group": "SP"})


def world() -> sg.Market:
    """Futures on two months of SP and one of ND, options on the SP futures; no rates, so forward = spot."""
    quotes = [{"symbol": row["symbol"], "vol": 0.15} for row in OPTIONS]
    spots = {**dict.fromkeys(MONTHS, SPOT), "ND": 800.0}
    return market(ROWS, spots, quotes, rate=0.0, groups=GROUPS)

"""A house of one name: its parameter file with changes, and what of a result is looked at."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from books import market, stock
from toml_text import written

import shockgrid as sg
from shockgrid.regimes import house_rules
from shockgrid.requirement.explain import SCAN_LINES

CENT = 0.005
SHIPPED = resources.files("shockgrid.regimes") / "parameters" / "house-rules-2026-11-20.toml"
OWN = {"source": "a firm of one", "confidence": "unconfirmed"}


def merged(table: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The table with the changes laid over it, level by level."""
    both = dict(table)
    for name, value in changes.items():
        nested = isinstance(value, dict) and isinstance(both.get(name), dict)
        both[name] = merged(both[name], value) if nested else value
    return both


def regime(folder: Path, **changes: Any) -> sg.Regime:
    table = merged(tomllib.loads(SHIPPED.read_text()), changes)
    table["effective"] = str(table["effective"])
    path = folder / "house-rules.toml"
    path.write_text(written(table))
    return house_rules(path)


def one(name: str = "X", spot: float = 100.0, **columns: Any) -> sg.Market:
    return market([stock(name)], {name: {"spot": spot, **columns}})


def row(result: sg.MarginResult, account: str = "A") -> Any:
    return result.accounts.set_index("margin_group").loc[account]


def scan(result: sg.MarginResult, account: str = "A") -> float:
    return float(row(result, account)[list(SCAN_LINES)].sum())


def rules(result: sg.MarginResult, account: str = "A") -> Any:
    found = result.rules
    return found[found["margin_group"] == account].set_index("name")

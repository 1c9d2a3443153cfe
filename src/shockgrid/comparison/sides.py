"""The sides of a comparison: regimes, policies and strategy-based rules, each by a name of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats
from shockgrid.engine import Plan
from shockgrid.errors import InputError, ParameterError
from shockgrid.market import HELD_OUTRIGHT
from shockgrid.reg_t import RegtResult, RegtRules, regt_rules
from shockgrid.reg_t.rules import NAMES
from shockgrid.regimes import load_regime
from shockgrid.regimes.policy import BUILT_IN
from shockgrid.requirement import MarginResult, Regime
from shockgrid.requirement.regime import HasPrograms

Side: TypeAlias = Regime | HasPrograms | RegtRules
Result: TypeAlias = MarginResult | RegtResult

RELIABILITIES = ("OK", "STALE", "PARTIAL", "UNRELIABLE")  #: from the best to the worst
FIXED = ("margin_group", "currency", "equity_at_marks", "short_value", "reliability")


def load_side(name: str, folder: str | Path = ".") -> Regime | RegtRules:
    """A side by name: "regt", "regt-ib", or what ``load_regime`` knows. Raises ParameterError."""
    variant = next((variant for variant, known in NAMES.items() if known == name), None)
    if variant is not None:
        return regt_rules(variant)
    if ":" not in name and name not in BUILT_IN:
        problem = f"{name}: expected {', '.join([*BUILT_IN, *NAMES.values()])} or path/to/file.py:name"
        raise ParameterError(problem)
    return load_regime(name, folder)


def sides_of(regimes: Mapping[str, Side | str] | Iterable[Side | str]) -> dict[str, Side]:
    """The sides by name; a regime is called what it calls itself, the second of that name "NAME 2".

    Raises
    ------
    InputError : there is none, one is no regime, or a name is that of a column.
    """
    named: dict[str, Side] = {}
    pairs = regimes.items() if isinstance(regimes, Mapping) else ((None, entry) for entry in _listed(regimes))
    for given, entry in pairs:
        side = load_side(entry) if isinstance(entry, str) else entry
        own = _own_name(side)
        name = given or (entry if isinstance(entry, str) else own)
        taken = sum(other == name or other.startswith(f"{name} ") for other in named)
        name = f"{name} {taken + 1}" if taken and given is None else name
        if name in FIXED:
            problem = f"a side cannot be called {name}: expected none of {', '.join(FIXED)}"
            raise InputError(problem, column="regimes", value=name)
        named[name] = side
    if not named:
        problem = "expected at least one regime"
        raise InputError(problem, column="regimes")
    return named


def _listed(regimes: Iterable[Side | str]) -> list[Side | str]:
    if isinstance(regimes, str | Regime | RegtRules) or not isinstance(regimes, Iterable):
        problem = "expected a list of regimes or of their names"
        raise InputError(problem, column="regimes", value=str(regimes)[:60])
    return list(regimes)


def _own_name(side: object) -> str:
    if isinstance(side, Regime | RegtRules):
        return side.name
    if hasattr(side, "programs"):
        return "policy"
    problem = "expected a regime, its name, a policy or strategy-based rules"
    raise InputError(problem, column="regimes", value=type(side).__name__)


def short_value(plan: Plan, values: Floats) -> Floats:
    """Market value of options and shares held short, [M] in the base currency, >= 0.

    At marks, at model values [N] where there is none. A long and a short of one account in one series, or of
    two accounts of a margin group, cancel first, except shares, which are lent and borrowed apart.
    """
    held, table = plan.positions, plan.market.instruments
    prices = np.where(np.isnan(table.marks), values, table.marks)[held.instruments]
    option = table.is_option[held.instruments]
    outright = np.isin(table.types.astype(str), HELD_OUTRIGHT)[held.instruments]
    worth = held.weights * prices
    lent = outright & (worth < 0.0)
    keys = pd.DataFrame({"group": held.margin_groups, "series": held.instruments})[option]
    net = pd.Series(worth[option], index=keys.index).groupby([keys["group"], keys["series"]]).sum()
    groups = net.index.get_level_values(0).to_numpy(np.intp)
    of_options = plan.by_margin_group(np.maximum(-net.to_numpy(np.float64), 0.0), groups)
    return of_options + plan.by_margin_group(np.where(lent, -worth, 0.0))


def fitting(name: str, error: InputError) -> InputError:
    """The refusal of one side, with its name in front."""
    return InputError(f"{name}: {error}")

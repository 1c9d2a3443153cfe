"""The rules of a scenario set beside its shocks, and the checks that every set passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from shockgrid.arrays import Floats, Texts
from shockgrid.errors import InputError
from shockgrid.shocks import CommonShocks, ListedShocks, ListOfShocks
from shockgrid.vol_rules import VolRule

LARGEST_SHOCK = 10.0  #: + 1,000 %, twice the widest move of any regime we know of; beyond it, per cent


class Rule(NamedTuple):
    """How the vols of a set move and what its scenarios weigh; see ``ScenarioSet.points``."""

    vol_mode: str = "relative"
    term_power: float = 0.0
    vol_floor: float = 0.0
    vol_cap: float = np.inf
    weight: ArrayLike = 1.0
    leveraged: bool = True


class KnownPnl(Protocol):
    """P&L of one scenario that is known from elsewhere (a published risk array)."""

    def __call__(self, symbols: Texts) -> Floats:
        """P&L per contract, gain > 0, instrument currency, [n]; NaN for symbols that it does not know."""

    def digest(self) -> str:
        """SHA-256 of what it was made from."""


class Terms(NamedTuple):
    """What a set does to the instruments themselves; see ``ScenarioSet``."""

    vol_rule: VolRule | Sequence[VolRule | None] | None = None
    roll_days: float = 0.0
    averaging_minutes: float = 0.0
    known_pnl: Sequence[KnownPnl] | None = None

    def columns(self, count: int) -> dict[str, Any]:
        """One entry per scenario of each. Raises InputError for a negative or infinite time."""
        for name in ("roll_days", "averaging_minutes"):
            if not 0.0 <= getattr(self, name) < np.inf:
                problem = "expected a finite number, at least 0"
                raise InputError(problem, column=name, value=getattr(self, name))
        rules, known = np.empty(count, object), np.empty(count, object)
        rules[:], known[:] = self.vol_rule, self.known_pnl
        return {
            "vol_rules": rules,
            "roll_days": np.full(count, self.roll_days),
            "averaging_minutes": np.full(count, self.averaging_minutes),
            "known_pnl": known,
        }

    def record(self) -> tuple[object, ...]:
        """For the digest; nothing where nothing is done."""
        if self == Terms():
            return ()
        known = tuple(part.digest() for part in self.known_pnl or ())
        return (self.vol_rule, self.roll_days, self.averaging_minutes, known)


def checked_weights(
    names: Sequence[str], spot: ListOfShocks, vol: ListOfShocks, weight: ListOfShocks | None, rule: Rule
) -> Floats:
    """The weight of each scenario, [S], once shocks, weights and rule are known to be usable.

    Raises InputError for a count that does not fit, for what is not finite or out of range.
    """
    count = len(names)
    if count != spot.values.shape[-1] and not isinstance(spot, ListedShocks):
        problem = f"expected {spot.values.shape[-1]} names"
        raise InputError(problem, column="names", value=count)
    weights = np.array(np.broadcast_to(np.asarray(rule.weight, float), count))
    in_ranges = isinstance(spot, CommonShocks) and spot.scale is not None
    _check_shocks("spot_shock", spot.values, lowest=-LARGEST_SHOCK if in_ranges else -1.0)
    _check_shocks("vol_shock", vol.values, lowest=-LARGEST_SHOCK)
    _check_shocks("weight", weights if weight is None else weight.values, lowest=0.0)
    _check_rule(rule)
    return weights


def _check_shocks(column: str, values: Floats, *, lowest: float) -> None:
    flat = values.ravel()
    odd = np.flatnonzero(~np.isfinite(flat))
    if len(odd):
        problem = f"entry {odd[0]} is not finite"
        raise InputError(problem, column=column, value=float(flat[odd[0]]))
    outside = np.flatnonzero((flat < lowest) | (flat > LARGEST_SHOCK))
    if len(outside):
        problem = f"entry {outside[0]} is not in [{lowest:g}, {LARGEST_SHOCK:g}]; 0.2 is 20 %"
        raise InputError(problem, column=column, value=float(flat[outside[0]]))


def _check_rule(rule: Rule) -> None:
    if rule.vol_mode not in ("relative", "absolute"):
        problem = "expected relative or absolute"
        raise InputError(problem, column="vol_mode", value=rule.vol_mode)
    if not np.isfinite(rule.term_power):
        problem = "expected a finite power"
        raise InputError(problem, column="term_power", value=rule.term_power)
    if not 0.0 <= rule.vol_floor <= rule.vol_cap:
        problem = "expected 0 <= vol_floor <= vol_cap"
        raise InputError(problem, column="vol_floor", value=(rule.vol_floor, rule.vol_cap))

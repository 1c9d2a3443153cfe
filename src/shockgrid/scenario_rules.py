"""The rules of a scenario set beside its shocks, and the checks that every set passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from shockgrid.arrays import Floats, Texts
from shockgrid.doors import number, numbers, one_of, refused, require_kind, texts
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
            number(
                getattr(self, name), name, "a finite number, at least 0", lambda time: 0.0 <= time < np.inf
            )
        _check_lists(self.vol_rule, self.known_pnl, count)
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


def shock_list(values: Any, column: str) -> Floats:
    """Shocks as an array of one dimension; one is a list of one. Raises InputError."""
    shocks = np.atleast_1d(numbers(values, column))
    if shocks.ndim > 1:
        expected = "a list of numbers"
        raise refused(expected, column, values)
    return shocks


def paired(names: Any, spot: Any, vol: Any, **scales: object) -> tuple[list[str], Floats, Floats]:
    """Names, spot and vol shocks in lists of one length; one shock goes with all of the other kind.

    Raises InputError, also for a scale that is neither None nor a function of a market.
    """
    spots, vols = shock_list(spot, "spot"), shock_list(vol, "vol")
    if len(spots) != len(vols) and 1 not in (len(spots), len(vols)):
        expected = f"one vol shock, or {len(spots)}: as many as spot shocks"
        raise refused(expected, "vol", f"{len(vols)} of them")
    for column, scale in scales.items():
        if scale is not None and not callable(scale):
            expected = "a function of a market, or None"
            raise refused(expected, column, scale)
    spots, vols = np.broadcast_arrays(spots, vols)
    told = [f"spot {x:+.4g} vol {y:+.4g}" for x, y in zip(spots, vols, strict=True)]
    return told if names is None else texts(names, "names"), spots, vols


def checked_weights(
    names: Sequence[str], spot: ListOfShocks, vol: ListOfShocks, weight: ListOfShocks | None, rule: Rule
) -> Floats:
    """The weight of each scenario, [S], once shocks, weights and rule are known to be usable.

    Raises InputError for a count that does not fit, for what is not finite or out of range.
    """
    count = len(names)
    if count == 0:
        problem = "expected at least one scenario"
        raise InputError(problem, table="scenarios")
    if count != spot.values.shape[-1] and not isinstance(spot, ListedShocks):
        problem = f"expected {spot.values.shape[-1]} names"
        raise InputError(problem, column="names", value=count)
    weights = numbers(rule.weight, "weight")
    if weights.shape not in ((), (1,), (count,)):
        problem = f"expected one weight, or {count}"
        raise InputError(problem, column="weight", value=f"shape {weights.shape}")
    weights = np.array(np.broadcast_to(weights, count))
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
    one_of(rule.vol_mode, ("relative", "absolute"), "vol_mode")
    require_kind(rule.leveraged, bool, "leveraged")
    number(rule.term_power, "term_power", "a finite power", lambda power: bool(np.isfinite(power)))
    number(rule.vol_floor, "vol_floor", "a finite number of at least 0", lambda vol: 0.0 <= vol < np.inf)
    number(rule.vol_cap, "vol_cap", "a number of at least 0", lambda vol: vol >= 0.0)
    if not rule.vol_floor <= rule.vol_cap:
        problem = "expected 0 <= vol_floor <= vol_cap"
        raise InputError(problem, column="vol_floor", value=(rule.vol_floor, rule.vol_cap))


def _check_lists(vol_rule: object, known_pnl: object, count: int) -> None:
    """A vol rule, or one for each scenario or None; the P&L known of each scenario or None."""
    if not (vol_rule is None or callable(vol_rule) or _are_callable(vol_rule, count)):
        expected = f"a vol rule, or a list of {count} of them"
        raise refused(expected, "vol_rule", vol_rule)
    if not (known_pnl is None or _are_callable(known_pnl, count)):
        expected = f"a list of {count} functions of symbols with a digest"
        raise refused(expected, "known_pnl", known_pnl)


def _are_callable(given: object, count: int) -> bool:
    if not isinstance(given, list | tuple) or len(given) != count:
        return False
    return all(part is None or callable(part) for part in given)

"""What happens to the market: sets of price and vol shocks, laid over a market."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.shocks import (
    CommonShocks,
    ListedShocks,
    ListOfShocks,
    TypeShocks,
    digest,
    historical_shocks,
    joint_shocks,
)

Shocks: TypeAlias = Callable[[Market], Floats]


LARGEST_SHOCK = 10.0  #: + 1,000 %, twice the widest move of any regime we know of; beyond it, per cent
_PER_SCENARIO = ("relative", "term_powers", "vol_floors", "vol_caps", "weights", "leveraged")


@dataclass(frozen=True)
class ScenarioSet:
    """S scenarios, the k-th of which is the k-th point of every underlying's own range.

    Attributes
    ----------
    names : label of each scenario, length S.
    tags : what each one is for, length S ("standard" unless said); reducers and add-ons select by tag.
    spot : market -> spot shocks [U, S] as fractions (-0.15 is 15 % down), before leverage.
    vol : market -> vol shocks [U, S] as decimals, in the mode of ``relative``.
    relative, term_powers, vol_floors, vol_caps : the vol rule of each scenario, see ``States``; length S.
    weights : factor on the P&L of each scenario, length S.
    leveraged : whether an underlying's leverage multiplies its spot shock, length S.
    digest : SHA-256 of the shocks and rules, for the record; a ``spot_scale`` function is not in it.
    """

    names: tuple[str, ...]
    tags: tuple[str, ...]
    spot: Shocks = field(repr=False)
    vol: Shocks = field(repr=False)
    relative: Mask = field(repr=False)
    term_powers: Floats = field(repr=False)
    vol_floors: Floats = field(repr=False)
    vol_caps: Floats = field(repr=False)
    weights: Floats = field(repr=False)
    leveraged: Mask = field(repr=False)
    digest: str = field(repr=False)

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def grid(
        cls,
        spot: ArrayLike,
        vol: ArrayLike = (0.0,),
        vol_mode: str = "relative",
        *,
        spot_scale: Callable[[Market], Floats] | None = None,
        **rules: Any,
    ) -> ScenarioSet:
        """Every spot shock with every vol shock; scenario = spot index x len(vol) + vol index.

        Parameters
        ----------
        spot : spot shocks, fractions in [-1, inf); vol : vol shocks, decimals.
        vol_mode : "relative" (vol x (1 + y)) or "absolute" (vol + y).
        spot_scale : market -> factor [U] on the spot shocks of each underlying (k x sigma ranges).
        rules : tag, term_power, vol_floor, vol_cap, weight and leveraged as in ``points``.
        """
        spots, vols = np.atleast_1d(np.asarray(spot, float)), np.atleast_1d(np.asarray(vol, float))
        grid = np.repeat(spots, len(vols))
        return cls.points(grid, np.tile(vols, len(spots)), vol_mode, spot_scale=spot_scale, **rules)

    @classmethod
    def points(
        cls,
        spot: ArrayLike,
        vol: ArrayLike = 0.0,
        vol_mode: str = "relative",
        *,
        tag: str = "standard",
        names: Sequence[str] | None = None,
        term_power: float = 0.0,
        vol_floor: float = 0.0,
        vol_cap: float = np.inf,
        weight: ArrayLike = 1.0,
        leveraged: bool = True,
        spot_scale: Callable[[Market], Floats] | None = None,
    ) -> ScenarioSet:
        """The same list of (spot, vol) shocks for every underlying, paired by broadcasting.

        Raises InputError for a shock, weight or power that is not finite, a spot shock below -1, an unknown
        mode or a floor above its cap.
        """
        spots, vols = np.broadcast_arrays(np.atleast_1d(np.asarray(spot, float)), np.asarray(vol, float))
        labels = names or [f"spot {x:+.4g} vol {y:+.4g}" for x, y in zip(spots, vols, strict=True)]
        rule = Rule(vol_mode, term_power, vol_floor, vol_cap, weight, leveraged)
        return _built(labels, tag, CommonShocks(spots, spot_scale), CommonShocks(vols), rule)

    @classmethod
    def by_portfolio_type(
        cls, points: Mapping[str, Sequence[float]], *, tag: str = "standard", weight: ArrayLike = 1.0
    ) -> ScenarioSet:
        """A row of spot shocks for each portfolio type, vols held; all rows of one length."""
        lengths = {len(row) for row in points.values()}
        if len(lengths) != 1:
            problem = "every portfolio type needs the same number of points"
            raise InputError(problem, value=sorted(lengths))
        (count,) = lengths
        spot = TypeShocks(tuple(points), np.array(list(points.values()), float))
        labels = [f"point {j + 1}" for j in range(count)]
        return _built(labels, tag, spot, CommonShocks(np.zeros(count)), Rule(weight=weight))

    @classmethod
    def joint(cls, frame: Any, vol_mode: str = "relative", *, tag: str = "standard") -> ScenarioSet:
        """A list of joint scenarios: one row per (scenario, underlying), columns scenario, underlying,
        spot_shock and optionally vol_shock; an underlying a scenario does not name does not move in it.

        One the market does not know is an InputError at ``margin()``.
        """
        names, spot, vol = joint_shocks(frame)
        return _built(names, tag, spot, vol, Rule(vol_mode, leveraged=False))

    @classmethod
    def history(cls, frame: Any, *, tag: str = "standard") -> ScenarioSet:
        """Historical vectors: one row per date, one column per underlying, simple returns as fractions.

        Vols are held. A held underlying without a column is an error at ``margin()``: a missing history must
        not read as "does not move".
        """
        names, spot, vol = historical_shocks(frame)
        return _built(names, tag, spot, vol, Rule(leveraged=False))

    def __add__(self, other: ScenarioSet) -> ScenarioSet:
        """Both sets, one after the other."""
        joined = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _PER_SCENARIO}
        return ScenarioSet(
            self.names + other.names,
            self.tags + other.tags,
            lambda market: np.hstack([self.spot(market), other.spot(market)]),
            lambda market: np.hstack([self.vol(market), other.vol(market)]),
            **joined,
            digest=digest(self.digest, other.digest),
        )

    def only(self, tag: str) -> ScenarioSet:
        """The scenarios that carry this tag, as a set of their own."""
        rows = self.tagged(tag)
        return ScenarioSet(
            tuple(self.names[row] for row in rows),
            (tag,) * len(rows),
            lambda market: self.spot(market)[:, rows],
            lambda market: self.vol(market)[:, rows],
            **{name: getattr(self, name)[rows] for name in _PER_SCENARIO},
            digest=digest(self.digest, tag),
        )

    def tagged(self, tag: str) -> Codes:
        """Positions of the scenarios that carry this tag."""
        return np.flatnonzero(np.asarray(self.tags, object) == tag)


class Rule(NamedTuple):
    """How the vols of a set move and what its scenarios weigh; see ``ScenarioSet.points``."""

    vol_mode: str = "relative"
    term_power: float = 0.0
    vol_floor: float = 0.0
    vol_cap: float = np.inf
    weight: ArrayLike = 1.0
    leveraged: bool = True


def _built(names: Sequence[str], tag: str, spot: ListOfShocks, vol: ListOfShocks, rule: Rule) -> ScenarioSet:
    count = len(names)
    if count != spot.values.shape[-1] and not isinstance(spot, ListedShocks):
        problem = f"expected {spot.values.shape[-1]} names"
        raise InputError(problem, column="names", value=count)
    weights = np.array(np.broadcast_to(np.asarray(rule.weight, float), count))
    _check_shocks("spot_shock", spot.values, lowest=-1.0)
    _check_shocks("vol_shock", vol.values, lowest=-LARGEST_SHOCK)
    _check_shocks("weight", weights, lowest=0.0)
    _check_rule(rule)
    return ScenarioSet(
        names=tuple(names),
        tags=(tag,) * count,
        spot=spot,
        vol=vol,
        relative=np.full(count, rule.vol_mode == "relative"),
        term_powers=np.full(count, rule.term_power),
        vol_floors=np.full(count, rule.vol_floor),
        vol_caps=np.full(count, rule.vol_cap),
        weights=weights,
        leveraged=np.full(count, rule.leveraged),
        digest=digest(*names, tag, spot.digest(), vol.digest(), rule._replace(weight=weights.tolist())),
    )


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

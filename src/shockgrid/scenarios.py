"""What happens to the market: sets of price and vol shocks, laid over a market."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.scenario_lists import historical_shocks, joint_shocks

Shocks: TypeAlias = Callable[[Market], Floats]


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

        Raises InputError for a shock that is not finite, a spot shock below -1 or an unknown mode.
        """
        spots, vols = np.broadcast_arrays(np.atleast_1d(np.asarray(spot, float)), np.asarray(vol, float))
        _check(spots, vols, vol_mode)

        def scaled(market: Market) -> Floats:
            scale = np.ones(len(market.underlyings.names)) if spot_scale is None else spot_scale(market)
            shocks: Floats = scale[:, None] * spots
            return shocks

        def common(market: Market) -> Floats:
            return np.tile(vols, (len(market.underlyings.names), 1))

        labels = names or [f"spot {x:+.4g} vol {y:+.4g}" for x, y in zip(spots, vols, strict=True)]
        rule = (vol_mode == "relative", term_power, vol_floor, vol_cap, weight, leveraged)
        return _built(labels, tag, scaled, common, rule)

    @classmethod
    def by_portfolio_type(
        cls, points: Mapping[str, Sequence[float]], *, tag: str = "standard", **rules: Any
    ) -> ScenarioSet:
        """A row of spot shocks for each portfolio type, vols held; all rows of one length."""
        lengths = {len(row) for row in points.values()}
        if len(lengths) != 1:
            problem = "every portfolio type needs the same number of points"
            raise InputError(problem, value=sorted(lengths))
        table = {name: np.asarray(row, float) for name, row in points.items()}

        def spot(market: Market) -> Floats:
            kinds = market.underlyings.portfolio_types
            unknown = sorted({str(kind) for kind in kinds} - set(table))
            if unknown:
                problem = f"expected one of {', '.join(table)}"
                raise InputError(problem, table="underlyings", column="portfolio_type", value=unknown[0])
            return np.array([table[kind] for kind in kinds]).reshape(len(kinds), lengths.copy().pop())

        flat = cls.points(np.zeros(lengths.copy().pop()), tag=tag, **rules)
        labels = tuple(f"point {j + 1}" for j in range(len(flat)))
        return replace(flat, names=labels, spot=spot)

    @classmethod
    def joint(cls, frame: Any, vol_mode: str = "relative", *, tag: str = "standard") -> ScenarioSet:
        """A list of joint scenarios: one row per (scenario, underlying), columns scenario, underlying,
        spot_shock and optionally vol_shock; an underlying a scenario does not name does not move in it.

        One the market does not know is an InputError at ``margin()``.
        """
        names, spot, vol = joint_shocks(frame)
        _check(spot.values, vol.values, vol_mode)
        rule = (vol_mode == "relative", 0.0, 0.0, np.inf, 1.0, False)
        return _built(names, tag, spot, vol, rule)

    @classmethod
    def history(cls, frame: Any, *, tag: str = "standard") -> ScenarioSet:
        """Historical vectors: one row per date, one column per underlying, simple returns as fractions.

        Vols are held. A held underlying without a column is an error at ``margin()``: a missing history must
        not read as "does not move".
        """
        names, spot, vol = historical_shocks(frame)
        _check(spot.values, vol.values, "relative")
        return _built(names, tag, spot, vol, (True, 0.0, 0.0, np.inf, 1.0, False))

    def __add__(self, other: ScenarioSet) -> ScenarioSet:
        """Both sets, one after the other."""
        joined = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _PER_SCENARIO}
        return ScenarioSet(
            self.names + other.names,
            self.tags + other.tags,
            lambda market: np.hstack([self.spot(market), other.spot(market)]),
            lambda market: np.hstack([self.vol(market), other.vol(market)]),
            **joined,
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
        )

    def tagged(self, tag: str) -> Codes:
        """Positions of the scenarios that carry this tag."""
        return np.flatnonzero(np.asarray(self.tags, object) == tag)


def _check(spots: Floats, vols: Floats, vol_mode: str) -> None:
    if vol_mode not in ("relative", "absolute"):
        msg = "expected relative or absolute"
        raise InputError(msg, column="vol_mode", value=vol_mode)
    for column, values in (("spot_shock", spots), ("vol_shock", vols)):
        odd = np.flatnonzero(~np.isfinite(values))
        if len(odd):
            msg = f"shock {odd[0]} is not finite"
            raise InputError(msg, column=column, value=float(values[odd[0]]))
    low = np.flatnonzero(spots < -1.0)
    if len(low):
        problem = f"shock {low[0]} is below -1: a price cannot fall by more than 100 %"
        raise InputError(problem, column="spot_shock", value=float(spots[low[0]]))


def _built(
    names: Sequence[str],
    tag: str,
    spot: Shocks,
    vol: Shocks,
    rule: tuple[bool, float, float, float, ArrayLike, bool],
) -> ScenarioSet:
    count = len(names)
    relative, term_power, vol_floor, vol_cap, weight, leveraged = rule
    return ScenarioSet(
        tuple(names),
        (tag,) * count,
        spot,
        vol,
        np.full(count, relative),
        np.full(count, term_power),
        np.full(count, vol_floor),
        np.full(count, vol_cap),
        np.array(np.broadcast_to(np.asarray(weight, float), count)),
        np.full(count, leveraged),
    )

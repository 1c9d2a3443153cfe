"""What happens to the market: sets of price and vol shocks, laid over a market."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from shockgrid.columns import frame_of
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.states import States

Floats: TypeAlias = NDArray[np.float64]
Shocks: TypeAlias = Callable[[Market], Floats]


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
    relative: NDArray[np.bool_] = field(repr=False)
    term_powers: Floats = field(repr=False)
    vol_floors: Floats = field(repr=False)
    vol_caps: Floats = field(repr=False)
    weights: Floats = field(repr=False)
    leveraged: NDArray[np.bool_] = field(repr=False)

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
        """
        rows = frame_of(frame, "scenarios")
        for column in ("scenario", "underlying", "spot_shock"):
            if column not in rows.columns:
                msg = "required column is missing"
                raise InputError(msg, table="scenarios", column=column)
        if rows.duplicated(["scenario", "underlying"]).any():
            line = int(np.flatnonzero(rows.duplicated(["scenario", "underlying"]))[0]) + 2
            msg = "this (scenario, underlying) was already given"
            raise InputError(msg, table="scenarios", line=line)
        spots = rows["spot_shock"].to_numpy(np.float64)
        vols = rows["vol_shock"].to_numpy(np.float64) if "vol_shock" in rows.columns else np.zeros(len(rows))
        _check(spots, vols, vol_mode)
        order, names = pd.factorize(rows["scenario"].astype(str))
        owners = rows["underlying"].to_numpy(object)

        def spread(values: Floats) -> Shocks:
            def shocks(market: Market) -> Floats:
                table = np.zeros((len(market.underlyings.names), len(names)))
                found = market.underlyings.codes(owners)
                table[found[found >= 0], order[found >= 0]] = values[found >= 0]
                return table

            return shocks

        rule = (vol_mode == "relative", 0.0, 0.0, np.inf, 1.0, False)
        return _built([str(name) for name in names], tag, spread(spots), spread(vols), rule)

    @classmethod
    def history(cls, frame: Any, *, tag: str = "standard") -> ScenarioSet:
        """Historical vectors: one row per date, one column per underlying, simple returns as fractions.

        Vols are held. An underlying of the market without a column is an error at ``margin()``: a missing
        history must not read as "does not move".
        """
        table = frame_of(frame, "history")
        returns = table.to_numpy(np.float64)
        _check(returns.ravel(), np.zeros(1), "relative")
        long = pd.DataFrame(
            {
                "scenario": np.repeat([str(name) for name in table.index], table.shape[1]),
                "underlying": np.tile(table.columns.to_numpy(object), len(table)),
                "spot_shock": returns.ravel(),
            }
        )
        drawn = cls.joint(long, tag=tag)

        def complete(market: Market) -> Floats:
            absent = sorted(set(market.underlyings.names) - set(table.columns))
            if absent:
                problem = f"no column for {len(absent)} underlyings of the market"
                raise InputError(problem, table="history", value=absent[0])
            return drawn.spot(market)

        return replace(drawn, spot=complete)

    def __add__(self, other: ScenarioSet) -> ScenarioSet:
        """Both sets, one after the other."""
        arrays = ("relative", "term_powers", "vol_floors", "vol_caps", "weights", "leveraged")
        joined = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in arrays}
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
        arrays = ("relative", "term_powers", "vol_floors", "vol_caps", "weights", "leveraged")
        return ScenarioSet(
            tuple(self.names[row] for row in rows),
            (tag,) * len(rows),
            lambda market: self.spot(market)[:, rows],
            lambda market: self.vol(market)[:, rows],
            **{name: getattr(self, name)[rows] for name in arrays},
        )

    def tagged(self, tag: str) -> NDArray[np.intp]:
        """Positions of the scenarios that carry this tag."""
        return np.flatnonzero(np.asarray(self.tags, object) == tag)


@dataclass(frozen=True)
class MarketStates:
    """A scenario set laid over a market: the shocks of every underlying, compiled on demand.

    ``spot_shocks`` and ``vol_shocks`` are [U, S], leverage applied; a spot cannot fall below zero, so a
    levered shock under -100 % is -100 %.
    """

    scenarios: ScenarioSet
    spot_shocks: Floats
    vol_shocks: Floats

    @classmethod
    def of(cls, scenarios: ScenarioSet, market: Market) -> MarketStates:
        """Lay the set over the market."""
        leverage = np.where(scenarios.leveraged, market.underlyings.leverages[:, None], 1.0)
        spot = np.maximum(scenarios.spot(market) * leverage, -1.0)
        return cls(scenarios, spot + 0.0, scenarios.vol(market))

    def states(self, underlying: int) -> States:
        """The distinct states of one underlying and the index of every scenario into them."""
        shocks, spot_index = np.unique(self.spot_shocks[underlying], return_inverse=True)
        rules = np.column_stack(
            [
                self.vol_shocks[underlying],
                self.scenarios.relative,
                self.scenarios.term_powers,
                self.scenarios.vol_floors,
                self.scenarios.vol_caps,
            ]
        )
        distinct, rule_index = np.unique(rules, axis=0, return_inverse=True)
        return States(
            1.0 + shocks,
            distinct[:, 0],
            distinct[:, 1].astype(bool),
            distinct[:, 2],
            distinct[:, 3],
            distinct[:, 4],
            np.column_stack([spot_index, rule_index.ravel()]),
        )


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

"""A scenario set laid over a market."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.scenarios import ScenarioSet
from shockgrid.shocks import Scale, scales_of
from shockgrid.states import States


class Terms(NamedTuple):
    """What of a market the shocks of a set may depend on."""

    columns: tuple[Any, ...]  #: of the underlyings, but for their spots
    functions: tuple[Scale, ...] | None  #: see ``scales_of``
    scales: tuple[Floats, ...]  #: what they give

    @classmethod
    def of(cls, market: Market, functions: tuple[Scale, ...] | None) -> Terms:
        """Those of a market."""
        names, moving = market.underlyings, ("spots", "spot_times")
        columns = tuple(getattr(names, column.name) for column in fields(names) if column.name not in moving)
        return cls(columns, functions, tuple(scale(market) for scale in functions or ()))

    def stand(self, market: Market) -> bool:
        """Whether the market has the very same columns, and scales of the same values."""
        if self.functions is None:
            return False
        other = Terms.of(market, self.functions)
        columns = zip(self.columns, other.columns, strict=True)
        scales = zip(self.scales, other.scales, strict=True)
        return all(a is b for a, b in columns) and all(
            np.array_equal(a, b, equal_nan=True) for a, b in scales
        )


@dataclass(frozen=True)
class MarketStates:
    """A scenario set laid over a market: the shocks of every underlying, compiled on demand.

    ``spot_shocks`` and ``vol_shocks`` are [U, S], leverage applied; a spot cannot fall below zero, so a
    levered shock under -100 % is -100 %. NaN where the set has no shock for an underlying.
    """

    scenarios: ScenarioSet
    spot_shocks: Floats
    vol_shocks: Floats
    names: Texts  #: [U] the underlyings
    weights: Floats  #: [U, S] factors on the P&L
    weighted: bool  #: whether any of them is not 1
    revised: bool  #: whether a scenario does more than move spot and vols, see ``revaluation``
    terms: Terms  #: what of the market the shocks were found with
    _compiled: dict[bytes, States] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, scenarios: ScenarioSet, market: Market) -> MarketStates:
        """Lay the set over the market."""
        leverage = np.where(scenarios.leveraged, market.underlyings.leverages[:, None], 1.0)
        spot = np.maximum(scenarios.spot(market) * leverage, -1.0)
        haircuts = market.underlyings.haircuts[:, None]  # a flat rate is lost whichever way the market moves
        spot = np.where(np.isnan(haircuts), spot, np.sign(spot) * haircuts)
        aged = bool(scenarios.roll_days.any() or scenarios.averaging_minutes.any())
        given = (*scenarios.vol_rules, *scenarios.known_pnl)
        revised = aged or any(entry is not None for entry in given)
        weights = scenarios.weights * scenarios.weight(market)
        return cls(
            scenarios,
            spot + 0.0,
            scenarios.vol(market),
            market.underlyings.names,
            weights,
            bool((weights != 1.0).any()),
            revised,
            Terms.of(market, scales_of((scenarios.spot, scenarios.vol, scenarios.weight))),
        )

    def after(self, market: Market) -> MarketStates:
        """The same set over another state of the market: this object where no underlying is treated in
        another way."""
        if self.terms.stand(market):
            return self
        other = MarketStates.of(self.scenarios, market)
        return other if other.differs(self).any() else self

    def differs(self, other: MarketStates) -> Mask:
        """Which underlyings [U] the same set treats in another way over another state of the market."""
        changed = np.zeros(len(self.names), np.bool_)
        for name in ("spot_shocks", "vol_shocks", "weights"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine.shape != theirs.shape:  # weights are one row for all where there is no underlying
                return np.ones_like(changed)
            if mine.shape[0] == len(changed):
                changed |= ~((mine == theirs) | (np.isnan(mine) & np.isnan(theirs))).all(axis=1)
        return changed

    def distinct(self, underlyings: Codes) -> tuple[tuple[States, ...], Codes]:
        """The states of these underlyings [K], each set of them once, and which is whose, [K]."""
        found = [self.states(underlying) for underlying in underlyings.tolist()]
        numbers: dict[int, int] = {}
        codes = [numbers.setdefault(id(states), len(numbers)) for states in found]
        firsts = np.unique(codes, return_index=True)[1].tolist()
        return tuple(found[first] for first in firsts), np.array(codes, np.intp)

    def states(self, underlying: int) -> States:
        """The distinct states of one underlying and the index of every scenario into them.

        Underlyings with the same shocks have one object, compiled once. The vols of a scenario with a vol
        rule of its own are left as they are here; see ``revaluation``.

        Raises InputError where the set has no shock for it: that must not read as "does not move".
        """
        key = self.spot_shocks[underlying].tobytes() + self.vol_shocks[underlying].tobytes()
        found = self._compiled.get(key)
        if found is None:
            # of two threads that compile the same, the first is kept
            found = self._compiled.setdefault(key, self._states(underlying))
        return found

    def _states(self, underlying: int) -> States:
        if np.isnan(self.spot_shocks[underlying]).any():
            problem = "the scenarios have no shock for this underlying (no history, or no atm_vol_dec)"
            raise InputError(problem, column="underlying", value=self.names[underlying])
        shocks, spot_index = np.unique(self.spot_shocks[underlying], return_inverse=True)
        shocked = (
            np.array([rule is None for rule in self.scenarios.vol_rules], float) if self.revised else 1.0
        )
        rules = np.column_stack(
            [
                self.vol_shocks[underlying] * shocked,
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

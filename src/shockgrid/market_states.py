"""A scenario set laid over a market."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.scenarios import ScenarioSet
from shockgrid.states import States


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
        )

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

"""A scenario set laid over a market."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shockgrid.arrays import Floats, Texts
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

    @classmethod
    def of(cls, scenarios: ScenarioSet, market: Market) -> MarketStates:
        """Lay the set over the market."""
        leverage = np.where(scenarios.leveraged, market.underlyings.leverages[:, None], 1.0)
        spot = np.maximum(scenarios.spot(market) * leverage, -1.0)
        return cls(scenarios, spot + 0.0, scenarios.vol(market), market.underlyings.names)

    def states(self, underlying: int) -> States:
        """The distinct states of one underlying and the index of every scenario into them.

        Raises InputError where the set has no shock for it: that must not read as "does not move".
        """
        if np.isnan(self.spot_shocks[underlying]).any():
            problem = "the scenarios have no shock for this underlying (no history, or no atm_vol_dec)"
            raise InputError(problem, column="underlying", value=self.names[underlying])
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

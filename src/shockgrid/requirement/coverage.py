"""Which instruments a regime speaks of."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Mask
from shockgrid.engine import Plan
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.market_states import MarketStates
from shockgrid.requirement.regime import Regime


def covered_by(regime: Regime, market: Market) -> Mask:
    """The instruments [N] that a regime speaks of and has a shock for in every scenario."""
    shocks = MarketStates.of(regime.scenarios, market).spot_shocks
    unknown = np.isnan(shocks[market.instruments.underlyings])
    covered: Mask = regime.covers(market) & ~np.any(unknown, axis=1)
    return covered


def require_covered(regime: Regime, plan: Plan) -> None:
    """Raise InputError, with the symbol, where an instrument is held that the regime does not speak of."""
    held = np.unique(plan.positions.instruments)
    strange = held[~regime.covers(plan.market)[held]]
    if len(strange):
        problem = f"{regime.name} does not cover this instrument"
        raise InputError(problem, column="symbol", value=plan.market.instruments.symbols[strange[0]])

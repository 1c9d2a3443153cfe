"""The market states one underlying is repriced in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask


@dataclass(frozen=True)
class States:
    """The distinct market states one underlying is repriced in, and which scenario uses which.

    Scenario s has spot ``spot * spot_factors[index[s, 0]]`` and, for an instrument with vol v and d days
    to expiry, the vol of rule ``r = index[s, 1]``:

    ``relative[r]``:  v * (1 + vol_shocks[r] * g),   else  v + vol_shocks[r] * g,
    with g = (30 / max(d, 1)) ** term_powers[r], clipped to [vol_floors[r], vol_caps[r]].
    """

    spot_factors: Floats  #: [NP], >= 0; 1 is no move
    vol_shocks: Floats  #: [NV], decimals
    relative: Mask  #: [NV]
    term_powers: Floats  #: [NV], 0 for no term scaling
    vol_floors: Floats  #: [NV], >= 0
    vol_caps: Floats  #: [NV]
    index: Codes  #: [S, 2], columns: spot factor, vol rule

    def block(self, start: int, stop: int) -> States:
        """The same states for scenarios start..stop only."""
        return replace(self, index=self.index[start:stop])


#: the market as it is: one scenario that moves nothing
UNMOVED = States(
    spot_factors=np.ones(1),
    vol_shocks=np.zeros(1),
    relative=np.ones(1, np.bool_),
    term_powers=np.zeros(1),
    vol_floors=np.zeros(1),
    vol_caps=np.full(1, np.inf),
    index=np.zeros((1, 2), np.intp),
)

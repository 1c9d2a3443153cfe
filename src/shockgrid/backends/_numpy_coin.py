"""Values in currency turned into coin, for inverse instruments."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.backends.contract import SMALLEST_CONVERSION, Series
from shockgrid.states import States


def in_coin(series: Series, states: States, values: Floats) -> Floats:
    """Values [S, n] in coin of inverse instruments, from ``values`` in currency; see ``Series``."""
    spots = series.spots * np.maximum(states.spot_factors, SMALLEST_CONVERSION)[:, None]
    rows = states.index[:, 0]
    linear = -1.0 / (series.slopes * spots + series.intercepts)
    return np.where(series.is_option, values / spots[rows], linear[rows])

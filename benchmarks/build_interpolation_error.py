"""Tabulate how far Chebyshev interpolation of an option's value can be off: writes interpolation_error.npz.

Run by hand, ``python benchmarks/build_interpolation_error.py``; a few minutes. The table is read by
``shockgrid.research.interpolation_error``, which says what its axes are.
"""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
from scipy.special import ndtr

from shockgrid.arrays import Floats
from shockgrid.research.chebyshev import lift, lobatto, polynomials, roots, to_coefficients
from shockgrid.research.interpolation_error import (
    DISTANCES,
    LEVELS,
    MONEYNESS,
    RATIOS,
    RHOS,
    TABLE,
    VOL_NODES,
)

HALF_RANGES = tuple(np.geomspace(0.005, 0.7, 6))
DEVIATIONS = tuple(np.geomspace(0.001, 2.5, 15))
INSIDE = (0.84, 0.92, 1.0)  #: of the upper end of a bin of rho; the lower end is at 0.79
STRIKES_A_BIN = 20
#: where errors are looked at: six between neighbours of the finest level, crowded at the ends like them
POINTS = lobatto(769)
NOISE = 1e-15  #: rounding of a value: nothing smaller is claimed


def call(logs: Floats, deviations: Floats) -> Floats:
    """Undiscounted call over its strike; ``logs`` are of forward / strike."""
    upper = logs / deviations + 0.5 * deviations
    return np.exp(logs) * ndtr(upper) - ndtr(upper - deviations)


def time_value(logs: Floats, deviations: Floats) -> Floats:
    """The call or the put over its strike, whichever is out of the money."""
    sides = np.where(logs > 0.0, -1.0, 1.0)
    upper = logs / deviations + 0.5 * deviations
    return sides * (np.exp(logs) * ndtr(sides * upper) - ndtr(sides * (upper - deviations)))


def price_errors(count: int) -> Floats:
    """Largest error over strike and half-range, [rhos, moneyness bins]: never falling in rho."""
    matrix = lift(count, POINTS)
    found = np.zeros((len(RHOS), len(MONEYNESS) - 1))
    for row, rho in enumerate(RHOS):
        for place, (low, high) in enumerate(pairwise(MONEYNESS)):
            strikes = np.linspace(low, high, STRIKES_A_BIN)[:, None]
            # outside the range the error rises and falls again with rho: look inside the bin as well
            for half, part in product(HALF_RANGES, INSIDE):
                deviation = np.float64(half / (rho * part))
                at_nodes = call(half * (lobatto(count) - strikes), deviation)
                gaps = np.abs(at_nodes @ matrix - call(half * (POINTS - strikes), deviation)).max(axis=1)
                scale = half * np.minimum(1.0, np.exp(half * (1.0 - strikes[:, 0])))
                found[row, place] = max(found[row, place], (gaps / scale).max())
    return np.maximum.accumulate(np.maximum(found, NOISE), axis=0)


def vol_errors(count: int) -> Floats:
    """Largest error over moneyness and deviation, [ratios, distances]: never rising in the distance."""
    matrix = polynomials(count, POINTS) @ to_coefficients(count)
    sizes = np.linspace(0.0, 12.0, 481)
    found = np.zeros((len(RATIOS), len(DISTANCES)))
    for row, ratio in enumerate(RATIOS):
        slope = (ratio - 1.0) / (ratio + 1.0)
        for middle in DEVIATIONS:
            top = middle * (1.0 + slope)
            for side in (-1.0, 1.0):
                logs = side * sizes[:, None] * top
                at_nodes = time_value(logs, middle * (1.0 + slope * roots(count)))
                gaps = np.abs(at_nodes @ matrix.T - time_value(logs, middle * (1.0 + slope * POINTS))).max(
                    axis=1
                )
                gaps /= middle * np.minimum(1.0, np.exp(logs[:, 0]))
                reach = np.maximum.accumulate(gaps[::-1])[::-1]  # the largest at this distance or beyond
                found[row] = np.maximum(found[row], reach[np.searchsorted(sizes, DISTANCES)])
    return np.maximum.accumulate(np.maximum(found, NOISE), axis=0)


def main() -> None:
    """Compute both tables and write them."""
    price = np.stack([price_errors(count) for count in LEVELS])
    vol = np.stack([vol_errors(count) for count in VOL_NODES])
    np.savez_compressed(TABLE, price=price, vol=vol)


if __name__ == "__main__":
    main()

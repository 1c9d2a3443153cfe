"""How far an interpolated option value can be from the true one: a bound for each instrument.

The table behind it was built by ``benchmarks/build_interpolation_error.py`` as the largest error seen over
strikes, half-ranges and vols inside each cell; what is read from it is doubled. It holds for Black's value of
a European option, as a function of ln(1 + shock) at one vol, and as a function of the vol at one spot.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from shockgrid.arrays import Floats, Mask

TABLE = Path(__file__).with_name("interpolation_error.npz")
SAFETY: Final = 2.0
#: of forward plus strike: sums of up to 129 x 17 products of that size, 2e-16 each, whatever their order
ROUNDING: Final = 1e-12

LEVELS: Final = (17, 33, 65, 129)  #: price nodes, each set inside the next
VOL_NODES: Final = (5, 7, 9, 13, 17, 33)
#: half of the log price range over the smallest vol x sqrt(years): upper ends of the bins
RHOS: Final = 0.25 * 2.0 ** (np.arange(1, 28) / 3.0)
#: ends of the bins of ln(strike / middle of the range) over half of the range; the outer bins hold all beyond
MONEYNESS: Final = np.concatenate([[-6.0], np.arange(-2.5, 2.51, 0.25), [6.0]])
#: highest vol of a grid over its lowest: upper ends of the bins
RATIOS: Final = 2.0 ** (np.arange(1, 25) / 8.0)
#: from the strike to the nearest price of the grid, in the largest vol x sqrt(years): lower ends of the bins
DISTANCES: Final = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0])
LARGEST_HALF_RANGE: Final = 0.7
LARGEST_DEVIATION: Final = 2.5  #: vol x sqrt(years) in the middle of the vols


class Options(NamedTuple):
    """What the bound asks of n options; forwards and strikes per unit, undiscounted."""

    lowest_forwards: Floats
    highest_forwards: Floats
    strikes: Floats
    lowest_deviations: Floats  #: vol x sqrt(years) at the lowest vol of the grid
    highest_deviations: Floats

    @property
    def half_ranges(self) -> Floats:
        """[n] of the log forward."""
        return 0.5 * np.log(self.highest_forwards / self.lowest_forwards)


@cache
def _table(name: str) -> Floats:
    with np.load(TABLE) as tables:
        found: Floats = tables[name]
    return found


def price_errors(options: Options) -> Floats:
    """Bounds [levels, n] of the error of interpolating in the price, undiscounted; inf beyond the table."""
    halves = options.half_ranges
    flat = options.lowest_deviations <= 0.0
    rhos = np.where(flat, np.inf, halves / np.where(flat, 1.0, options.lowest_deviations))
    middles = np.sqrt(options.lowest_forwards * options.highest_forwards)
    moneyness = np.log(options.strikes / middles) / np.maximum(halves, 1e-300)
    columns = np.clip(np.searchsorted(MONEYNESS, moneyness, side="right") - 1, 0, len(MONEYNESS) - 2)
    rows = np.searchsorted(RHOS, rhos)
    inside = (rows < len(RHOS)) & (halves <= LARGEST_HALF_RANGE)
    found = _table("price")[:, np.where(inside, rows, 0), columns]
    scale = SAFETY * halves * np.minimum(options.strikes, options.highest_forwards)
    return np.where(inside, found * scale, np.inf)


def vol_errors(options: Options) -> Floats:
    """Bounds [vol node counts, n] of the error of interpolating in the vol; inf beyond the table."""
    low, high = options.lowest_deviations, options.highest_deviations
    still = high <= 0.0
    ratios = high / np.where(low > 0.0, low, np.nan)
    gaps = np.maximum(
        np.log(options.strikes / options.highest_forwards), np.log(options.lowest_forwards / options.strikes)
    )
    distances = np.maximum(gaps, 0.0) / np.where(still, 1.0, high)
    columns = np.searchsorted(DISTANCES, distances, side="right") - 1
    rows = np.searchsorted(RATIOS, ratios)  # NaN sorts last
    middle = 0.5 * (low + high)
    inside: Mask = (rows < len(RATIOS)) & (middle <= LARGEST_DEVIATION)
    found = _table("vol")[:, np.where(inside, rows, 0), columns]
    scale = SAFETY * middle * np.minimum(options.strikes, options.highest_forwards)
    return np.where(still, 0.0, np.where(inside, found * scale, np.inf))


def rounding(options: Options) -> Floats:
    """[n] what floating point adds to either error."""
    return ROUNDING * (options.highest_forwards + options.strikes)

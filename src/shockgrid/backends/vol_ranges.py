"""The fixed ranges of vols on which premiums are tabulated.

They are the same whatever vols are at hand: a value then depends on its own vol alone, not on the company
it is computed in.
"""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes, Floats

#: Ends of the ranges; of most listed options one range holds the vol and all its shocks.
EDGES = (0.002, 0.0125, 0.1, 0.8, 8.0, 64.0)
RANGES = len(EDGES) - 1
SMALLEST_VOL, LARGEST_VOL = EDGES[0], EDGES[-1]
#: The last range is for the days before expiry, when a few cents are a vol of thousands of per cent.
WILD_VOL, LONGEST_WILD = (
    EDGES[-2],
    10.0 / 365.0,
)  #: where it starts, and years to expiry up to which it serves
_LOWER = np.array(EDGES[:-1])
_LOG_RATIOS = np.log(np.array(EDGES[1:]) / _LOWER)


def range_of(vols: Floats) -> Codes:
    """The range, from 0, of each vol in [SMALLEST_VOL, LARGEST_VOL); others are put in the first or last."""
    ranges = np.zeros(np.shape(vols), np.intp)
    for edge in EDGES[1:-1]:  # faster than a search for each
        ranges += vols >= edge
    return ranges


def nearest_tabulated(vols: Floats, years: Floats) -> Floats:
    """Each vol, or the nearest one that is tabulated for so many years to expiry; the two broadcast."""
    most = np.where(years > LONGEST_WILD, WILD_VOL, LARGEST_VOL)
    return np.asarray(np.clip(vols, SMALLEST_VOL, np.nextafter(most, 0.0)))


def place_in(ranges: Codes, vols: Floats) -> Floats:
    """Where in its range the log of a vol lies: -1 at the lower end, 1 at the upper."""
    return np.asarray(2.0 * np.log(vols / _LOWER[ranges]) / _LOG_RATIOS[ranges] - 1.0)


def vols_at(ranges: Codes, places: Floats | float) -> Floats:
    """The vol at each place, the inverse of ``place_in``; the two broadcast."""
    return np.asarray(_LOWER[ranges] * np.exp(_LOG_RATIOS[ranges] * (0.5 * (places + 1.0))))

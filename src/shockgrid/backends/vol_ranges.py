"""The fixed lattice of vol ranges on which premiums are tabulated.

A range is [0.125 * 4**k, 0.125 * 4**(k + 1)), whatever vols are at hand: a value then depends on its own vol
alone, not on the company it is computed in.
"""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes, Floats

ANCHOR, RATIO = 0.125, 4.0  #: listed options mostly lie in 12.5-50 % and 50-200 %
LOWEST, HIGHEST = -3, 2  #: ranges in use: 0.2 % to 800 %
SMALLEST_VOL, LARGEST_VOL = ANCHOR * RATIO**LOWEST, ANCHOR * RATIO ** (HIGHEST + 1)


def range_of(vols: Floats) -> Codes:
    """The range k of each vol in [SMALLEST_VOL, LARGEST_VOL); others are put in the first or the last."""
    edges = ANCHOR * RATIO ** np.arange(LOWEST + 1, HIGHEST + 1)
    ranges = np.full(np.shape(vols), LOWEST, np.intp)
    for edge in edges:  # faster than a search for each
        ranges += vols >= edge
    return ranges


def place_in(ranges: Codes, vols: Floats) -> Floats:
    """Where in its range the log of a vol lies: -1 at the lower end, 1 at the upper."""
    logs = np.log(vols / ANCHOR) / np.log(RATIO)
    return np.asarray(2.0 * (logs - ranges) - 1.0)


def vols_at(ranges: Codes, places: Floats | float) -> Floats:
    """The vol at each place, the inverse of ``place_in``; the two broadcast."""
    return np.asarray(ANCHOR * RATIO ** (ranges + 0.5 * (places + 1.0)))

"""How finely each premium table is computed, and how many numbers it holds: decided by its own terms alone.

A premium is at most the interest on the strike, rate * years, and errors are in proportion to it. So a table
of little interest has few nodes, and the puts at its nodes few steps and points. Which are enough was
measured against sixteen nodes and twelve steps, by the drift (rate - yield) sqrt(years) / vol of the put and
its deviation vol sqrt(years): 1.5e-6 x spot over 24,000 random options with vols of 5-100 %, up to 3 years,
rates and yields of 0-10 %.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.backends._numpy_boundary import Effort, Puts
from shockgrid.backends.vol_ranges import RANGES, vols_at


class Shape(NamedTuple):
    """Numbers of a table."""

    vols: int  #: nodes in the log of the vol
    gaps: int  #: nodes in t


SHAPES = (Shape(8, 12), Shape(10, 14), Shape(12, 14), Shape(16, 16))
LARGEST = SHAPES[-1]
#: Interest up to which the first three are enough where the yield is at most the rate. A yield above it bends
#: premiums sharply in the vol: then a twentieth of that interest, and in the last two ranges a hundredth.
SHAPE_INTEREST, BENT, BENT_WIDE = (0.015, 0.06, 0.15), 20.0, 100.0
#: Largest deviation of a table of the first two shapes, and of the third.
SHAPE_WIDTHS = (4.4, 8.0)

#: START and FLAT keep the boundary that they start from: at high drifts steps of few points make it worse.
START = Effort(nodes=4, points=4, steps=0, premium_points=9)
BRIEF = Effort(nodes=4, points=4, steps=2, premium_points=9)
SHORT = Effort(nodes=6, points=6, steps=3, premium_points=11)
STEEP = Effort(nodes=7, points=7, steps=1, premium_points=12)
USUAL = Effort(nodes=8, points=8, steps=4, premium_points=14)
LONG = Effort(nodes=8, points=8, steps=5, premium_points=15)
FLAT = Effort(nodes=7, points=7, steps=0, premium_points=13)
FALLING = Effort(nodes=7, points=7, steps=2, premium_points=22)
FINE = Effort(nodes=10, points=12, steps=5, premium_points=18)
EFFORTS = (START, BRIEF, SHORT, STEEP, USUAL, LONG, FLAT, FALLING, FINE)
#: Ends of the columns of ``_CHOICE``, drifts, and of its rows, interest.
DRIFTS, INTEREST = (-3.0, 1.0, 2.0, 4.0, 6.0), (0.004, 0.03, 0.08, 0.15)
_CHOICE = np.array(
    [
        [EFFORTS.index(effort) for effort in row]
        for row in (
            (START, BRIEF, START, START, START, START),
            (FALLING, SHORT, SHORT, STEEP, START, START),
            (FALLING, USUAL, USUAL, USUAL, STEEP, FLAT),
            (FALLING, LONG, LONG, LONG, STEEP, FLAT),
            (FINE, FINE, FINE, FINE, FINE, FINE),
        )
    ],
    np.uint8,
)
#: Deviations from which a put is computed as one of the next row, of the last but one, and of the last.
WIDE, WIDER, WIDEST = 1.0, 2.0, 4.0


def shapes_for(years: Floats, rates: Floats, yields: Floats, ranges: Codes) -> Codes:
    """Which of ``SHAPES`` each table needs, [M]."""
    bent = np.where(ranges < RANGES - 2, BENT, BENT_WIDE)
    need = rates * years * np.where(yields > rates, bent, 1.0)
    widest = vols_at(ranges, 1.0) * np.sqrt(years)
    found = np.searchsorted(SHAPE_INTEREST, need)
    least = np.searchsorted(SHAPE_WIDTHS, widest)
    return np.asarray(np.maximum(found, np.where(least > 0, least + 1, 0)))


def efforts_for(puts: Puts) -> NDArray[np.uint8]:
    """Which of ``EFFORTS`` each put of strike 1 needs, [L]."""
    roots = np.sqrt(puts.years)
    deviations, last = puts.vols * roots, len(INTEREST)
    rows = np.searchsorted(INTEREST, puts.rates * puts.years)
    rows = np.where(deviations < WIDE, rows, np.maximum(rows, np.minimum(rows + 1, last - 1)))
    rows = np.where(deviations < WIDER, rows, np.maximum(rows, last - 1))
    columns = np.searchsorted(DRIFTS, (puts.rates - puts.yields) * roots / puts.vols)
    return np.asarray(_CHOICE[np.where(deviations < WIDEST, rows, last), columns])

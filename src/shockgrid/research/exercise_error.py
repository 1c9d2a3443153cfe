"""How far an interpolated American value can be from the true one, beyond what a European one can.

At the exercise boundary B the value meets what exercise pays with its slope but not with its curvature. Where
exercise pays, holding on costs r K - q S a year for a put, q S - r K for a call. Source: P. Carr, R. Jarrow,
R. Myneni, "Alternative characterizations of American put options", Mathematical Finance 2 (1992). By Black's
equation the second derivative in the log price jumps by J = 2 / vol**2 times that cost at B. A bend
(x - b)**2 / 2 on one side, times J, is what interpolation sees of it: in the price at one vol and, as the
boundary moves with the vol, in the vol at one price. How far the polynomial through the nodes is from such a
bend is computed; it is doubled, and the doubled error of the European value added.

That is the leading term and no proof: J is taken as constant, the rest of the value as no rougher than the
European one, and how fast a boundary moves (``STEEPEST``) was measured. So the sum is a bound as far as it
was tried: ``benchmarks/check_interpolation_error.py`` counts how often it is broken, on random options and on
those whose boundary lies just inside the grid, rates and yields of either sign.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import numpy as np

from shockgrid.arrays import Floats, Mask
from shockgrid.backends._numpy_routes import TABLE, off_tables, routes
from shockgrid.backends.contract import Series
from shockgrid.research.chebyshev import lift, lobatto, polynomials, roots, to_coefficients
from shockgrid.research.interpolation_error import LEVELS, SAFETY, VOL_NODES, Options

#: of forward plus strike: premium tables are read piecewise, each good to this, so that pieces may not meet
PIECES: Final = 5e-6
#: change of ln(K / B) with ln(vol), over ln(K / B), at most: 2 for a perpetual put whose boundary is near its
#: strike; 2.15 was the largest of 4,000 boundaries of up to 12 years, vols of 4-200 %, yields of -15 to 15 %
STEEPEST: Final = 2.2
BENDS, POINTS = np.linspace(-1.0, 1.0, 801), lobatto(769)


class Exercise(NamedTuple):
    """What the bound asks of n American options, beside ``Options``; per unit."""

    drifts: Floats  #: the most that holding on can cost where exercise may pay: money a year
    depths: Floats  #: from the strike to the furthest price of the grid where exercise may pay, as a log
    roots_of_years: Floats


def read_from_tables(terms: Series, lowest_vols: Floats, highest_vols: Floats) -> Mask:
    """[n] American options that premium tables serve at all vols between these."""
    inside = ~off_tables(terms, lowest_vols) & ~off_tables(terms, highest_vols)
    return np.asarray((routes(terms) == TABLE) & inside)


def exercise_of(terms: Series, lowest: float, highest: float) -> Exercise:
    """``Exercise`` on a grid between these price shocks; of no meaning where an option is not American."""
    spots = terms.units * terms.spots
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.log(terms.strikes / (spots * (1.0 + lowest)))
        above = np.log(spots * (1.0 + highest) / terms.strikes)
    tops = spots * (1.0 + highest)
    calls = np.maximum(terms.yields, 0.0) * tops + np.maximum(-terms.rates, 0.0) * terms.strikes
    puts = np.maximum(terms.rates, 0.0) * terms.strikes
    puts += np.maximum(-terms.yields, 0.0) * np.minimum(tops, terms.strikes)
    drifts, depths = np.where(terms.is_call, calls, puts), np.where(terms.is_call, above, below)
    return Exercise(drifts, np.maximum(depths, 0.0), np.sqrt(terms.years))


def price_bends(options: Options, exercise: Exercise) -> Floats:
    """Bounds [levels, n] of what a boundary adds to the error of interpolating in the price."""
    sizes = _jumps(options, exercise) * options.half_ranges**2
    return SAFETY * np.outer([price_bend(count) for count in LEVELS], sizes) + _pieces(options)


def vol_bends(options: Options, exercise: Exercise) -> Floats:
    """Bounds [vol node counts, n] of what it adds to that of interpolating in the vol."""
    low, high = options.lowest_deviations, options.highest_deviations
    moves = STEEPEST * exercise.depths * 0.5 * (high - low) / low
    sizes = _jumps(options, exercise) * moves**2
    return SAFETY * np.outer([vol_bend(count) for count in VOL_NODES], sizes) + _pieces(options)


def _jumps(options: Options, exercise: Exercise) -> Floats:
    """J at the lowest vol, where it is greatest."""
    vols = options.lowest_deviations / exercise.roots_of_years
    return 2.0 * exercise.drifts / vols**2


def _pieces(options: Options) -> Floats:
    return PIECES * (options.highest_forwards + options.strikes)


@cache
def price_bend(count: int) -> float:
    """Largest error of the polynomial at ``lobatto(count)`` for max(x - b, 0)**2 / 2, over x and b."""
    return _worst(lobatto(count), lift(count, POINTS))


@cache
def vol_bend(count: int) -> float:
    """The same for the polynomial at ``roots(count)``."""
    return _worst(roots(count), (polynomials(count, POINTS) @ to_coefficients(count)).T)


def _worst(nodes: Floats, matrix: Floats) -> float:
    def bends(points: Floats) -> Floats:
        return 0.5 * np.maximum(points[None, :] - BENDS[:, None], 0.0) ** 2

    return float(np.abs(bends(nodes) @ matrix - bends(POINTS)).max())

"""Early-exercise premiums of American options with a continuous yield, for all strikes and spots at once.

Of puts of strike 1 with one expiry, rate and yield, the premium over the European value is one smooth
function of the vol and of z = log(spot / boundary) / unit: nothing is left of spot and strike. A
table holds it for one range of vols (``vol_ranges``) as a polynomial of t = 2 - 9 / (z + 3), whose
coefficients are Chebyshev series in the log of the vol. Beyond z = 6 the premium is taken as 0, at z <= 0 the
put is exercised. It moves when expiry, rate or yield move, not when the spot does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.backends._numpy_boundary import (
    Effort,
    Puts,
    combined,
    interpolation_rows,
    normal,
    quadrature,
    solve,
)
from shockgrid.backends.premium_effort import EFFORTS, Shape
from shockgrid.backends.vol_ranges import vols_at

FARTHEST = 6.0  #: deviations above the boundary beyond which the premium is nothing
#: Deviations above the boundary beyond which a later flow counts as none: of the interest earned then at most
#: N(-7) = 1.3e-12 is expected.
FARTHEST_FLOW = 7.0
GAP_POLE, GAP_SCALE, GAP_TOP = 3.0, 9.0, 2.0  #: see ``t_of``
LANES = 512  #: puts worked on together: their points and nodes fit the cache
BATCH = 2048  #: tables whose premiums are held at once


@dataclass(frozen=True)
class Tables:
    """M tables of one shape."""

    coefficients: Floats  #: [M, vols, gaps] premium over strike: Chebyshev in the vol, powers of t
    boundaries: Floats  #: [M, vols] log of the boundary over vol sqrt(T), Chebyshev in the vol


def lanes_of(years: Floats, rates: Floats, yields: Floats, ranges: Codes, shape: Shape) -> Puts:
    """The puts that M tables are computed from, [M * vols]: those of a table side by side."""
    return lanes_of_shapes(years, rates, yields, ranges, [(shape, len(years))])


def lanes_of_shapes(
    years: Floats, rates: Floats, yields: Floats, ranges: Codes, shapes: Sequence[tuple[Shape, int]]
) -> Puts:
    """The same of tables of several shapes, so many of each one after another."""
    places = np.concatenate([np.tile(ends_and_between(shape.vols), count) for shape, count in shapes])
    rows = np.repeat(
        np.arange(len(years)), np.concatenate([np.full(count, shape.vols) for shape, count in shapes])
    )
    return Puts(years[rows], vols_at(ranges[rows], places), rates[rows], yields[rows])


def build(puts: Puts, efforts: NDArray[np.uint8], shape: Shape) -> Tables:
    """Tables of the ``lanes_of`` them, rates > 0, by the efforts [L] for each, which is computed alone."""
    count = len(efforts) // shape.vols
    coefficients = np.empty((count, shape.vols, shape.gaps))
    boundaries = np.empty((count, shape.vols))
    for start in range(0, count, BATCH):
        part, rows = slice(start, start + BATCH), slice(start * shape.vols, (start + BATCH) * shape.vols)
        premiums, edges = _all_sampled(Puts(*(column[rows] for column in puts)), efforts[rows], shape.gaps)
        series = combined(chebyshev_matrix(shape.gaps), premiums)
        powers = combined(power_matrix(shape.gaps), series).reshape(shape.gaps, -1, shape.vols)
        by_vol = np.ascontiguousarray(powers.transpose(2, 1, 0)).reshape(shape.vols, -1)
        fitted = combined(vol_matrix(shape.vols), by_vol).reshape(shape.vols, -1, shape.gaps)
        coefficients[part] = fitted.transpose(1, 0, 2)
        boundaries[part] = combined(vol_matrix(shape.vols), edges.reshape(-1, shape.vols).T).T
    return Tables(coefficients, boundaries)


def _all_sampled(puts: Puts, efforts: NDArray[np.uint8], gaps: int) -> tuple[Floats, Floats]:
    """``_sampled`` of puts of all efforts, a few of one effort at a time."""
    premiums, edges = np.empty((gaps, len(efforts))), np.empty(len(efforts))
    for number, effort in enumerate(EFFORTS):
        members = np.flatnonzero(efforts == number)
        for start in range(0, len(members), LANES):
            lanes = members[start : start + LANES]
            premiums[:, lanes], edges[lanes] = _sampled(puts.only(lanes), effort, gaps)
    return premiums, edges


def _sampled(puts: Puts, effort: Effort, gaps: int) -> tuple[Floats, Floats]:
    """Premiums over strike at the nodes in z, [gaps, L], and logs of the boundary in deviations, [L]."""
    limits, squares = puts.log_limits(), solve(puts, effort)
    edges, deviations = limits - np.sqrt(squares[0]), puts.vols * np.sqrt(puts.years)
    units = unit(deviations, puts.years, puts.rates, puts.yields)
    logs = edges + distances(gaps)[:, None] * units
    spots, total = np.exp(logs), np.zeros_like(logs)
    abscissae, weights = quadrature(effort.premium_points, early=True)
    rows = interpolation_rows(np.sqrt(1.0 - abscissae**2), effort.nodes)
    past = limits - np.sqrt(np.maximum(combined(rows, squares), 0.0))
    y, span = abscissae[:, None], weights[:, None] * puts.years
    elapsed, spread = puts.years * y * y, (y * deviations)[:, None]
    moved = (puts.rates - puts.yields) * elapsed - past
    earned = span * puts.rates * np.exp(-puts.rates * elapsed)
    paid = span * puts.yields * np.exp(-puts.yields * elapsed)
    low = (logs + moved[:, None]) / spread - 0.5 * spread
    flows = earned[:, None] * normal(-low)[0] - paid[:, None] * spots * normal(-(low + spread))[0]
    flows[low > FARTHEST_FLOW] = 0.0
    for flow in flows:
        total += flow
    return total, edges / deviations


def ends_and_between(count: int) -> Floats:
    """Chebyshev nodes of the second kind: neighbouring ranges share the end, so values meet there."""
    return np.asarray(np.cos(np.pi * np.arange(count) / (count - 1)))


@cache
def vol_matrix(count: int) -> Floats:
    """From values at those nodes to Chebyshev coefficients, [count, count]."""
    orders, places = np.arange(count)[:, None], np.arange(count)
    ends = np.where((np.arange(count) == 0) | (np.arange(count) == count - 1), 0.5, 1.0)
    scale = 2.0 / (count - 1) * ends[:, None] * ends
    return np.asarray(scale * np.cos(orders * np.pi * places / (count - 1)))


def _nodes(count: int) -> Floats:
    """Chebyshev nodes of the first kind in (-1, 1)."""
    return np.asarray(np.cos(np.pi * (2.0 * np.arange(count) + 1.0) / (2.0 * count)))


def unit(deviations: Floats, years: Floats, rates: Floats, yields: Floats) -> Floats:
    """What z counts in logs of the spot: the deviation, and a sixth of what the spot falls by in the life."""
    return np.asarray(deviations + np.maximum((yields - rates) * years, 0.0) / FARTHEST)


def distances(count: int) -> Floats:
    """The nodes in z."""
    return np.asarray(GAP_SCALE / (GAP_TOP - _nodes(count)) - GAP_POLE)


def t_of(z: Floats) -> Floats:
    """What premiums are polynomials of: from -1 at z = 0 to 1 at ``FARTHEST``, steepest near the boundary.

    Of Moebius maps the one with this pole wants the fewest powers, and fewer than a square root.
    """
    return np.asarray(GAP_TOP - GAP_SCALE / (z + GAP_POLE))


@cache
def chebyshev_matrix(count: int) -> Floats:
    """From values at the nodes to Chebyshev coefficients, [count, count]."""
    orders, places = np.arange(count)[:, None], np.arange(count)
    scale = np.where(orders > 0, 2.0, 1.0) / count
    return np.asarray(scale * np.cos(orders * np.pi * (2.0 * places + 1.0) / (2.0 * count)))


@cache
def power_matrix(count: int) -> Floats:
    """From Chebyshev coefficients to those of powers, [count, count]: whole numbers.

    In two steps, because the product of the two matrices turns an ulp of a premium into 1e5 ulps of a power.
    """
    powers = np.zeros((count, count))
    for order in range(count):
        powers[: order + 1, order] = chebyshev.cheb2poly(np.eye(count)[order][: order + 1])
    return powers

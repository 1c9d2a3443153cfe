"""Early-exercise premiums of American options with a continuous yield, for all strikes and spots at once.

Of puts of strike 1 with one expiry, rate and yield, the premium over the European value is one smooth
function of the vol and of z = log(spot / boundary) / unit: nothing is left of spot and strike. A
table holds it for one range of vols (``vol_ranges``) as a polynomial of t = 2 sqrt(z / 6) - 1, whose
coefficients are Chebyshev series in the log of the vol. Beyond z = 6 the premium is taken as 0, at z <= 0 the
put is exercised. It moves when expiry, rate or yield move, not when the spot does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev

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
from shockgrid.backends.vol_ranges import vols_at

FARTHEST = 6.0  #: deviations above the boundary beyond which the premium is nothing
LANES = 1024  #: puts worked on together; a dozen such rows of nodes fit the cache


class Scheme(NamedTuple):
    """How finely a table is computed, and how many numbers it holds."""

    effort: Effort
    vols: int  #: nodes in the log of the vol
    gaps: int  #: nodes in sqrt(z)


#: Measured against ``pricing.american`` over 12,000 draws: 2.1e-6 x spot for vols of 5-100 %, up to 3 years,
#: rates and yields of 0-10 % (3.6e-6 over 18,000 with yields near the rate); 3.1e-6 for 0.2-800 %, 10
#: minutes to 10 years, rates to 30 %, yields of any sign, within ``_numpy_routes.LARGEST_FALLS``.
SHORT = Scheme(Effort(nodes=6, points=6, steps=2, premium_points=11), vols=10, gaps=16)
USUAL = Scheme(Effort(nodes=7, points=7, steps=3, premium_points=13), vols=12, gaps=16)
FINE = Scheme(Effort(nodes=10, points=12, steps=5, premium_points=18), vols=16, gaps=16)
SCHEMES = (SHORT, USUAL, FINE)
#: Deviation, drift over it and growth up to which the first and the second are enough.
SHORT_LIMITS, USUAL_LIMITS = (0.45, 1.0, 0.05), (1.0, 2.0, 0.2)


@dataclass(frozen=True)
class Tables:
    """M tables of one scheme."""

    coefficients: Floats  #: [M, vols, gaps] premium over strike: Chebyshev in the vol, powers of t
    boundaries: Floats  #: [M, vols] log of the boundary over vol sqrt(T), Chebyshev in the vol


def schemes_for(years: Floats, rates: Floats, yields: Floats, ranges: Codes) -> Codes:
    """Which of ``SCHEMES`` each table needs, [M]; decided by the table's own numbers alone."""
    root = np.sqrt(years)
    widest, narrowest = vols_at(ranges, 1.0) * root, vols_at(ranges, -1.0) * root
    drift = np.abs(rates - yields) * years / narrowest
    growth = np.maximum(np.abs(rates), np.abs(yields)) * years
    found = np.zeros(len(years), np.intp)
    for most in (SHORT_LIMITS, USUAL_LIMITS):
        found += (widest > most[0]) | (drift > most[1]) | (growth > most[2])
    return found


def build(years: Floats, rates: Floats, yields: Floats, ranges: Codes, scheme: Scheme) -> Tables:
    """Tables of puts, [M] of each; ``rates`` > 0. Every table is computed by itself."""
    count = len(years)
    coefficients = np.empty((count, scheme.vols, scheme.gaps))
    boundaries = np.empty((count, scheme.vols))
    width = max(1, LANES // scheme.vols)
    places = ends_and_between(scheme.vols)[:, None]
    for start in range(0, count, width):
        part = slice(start, start + width)
        shape = (scheme.vols, len(years[part]))
        spread = [np.broadcast_to(a[part], shape).ravel() for a in (years, rates, yields)]
        lanes = Puts(spread[0], vols_at(ranges[part], places).ravel(), *spread[1:])
        premiums, edges = _sampled(lanes, scheme)
        series = combined(chebyshev_matrix(scheme.gaps), premiums)
        powers = combined(power_matrix(scheme.gaps), series).reshape(scheme.gaps, *shape)
        by_vol = np.ascontiguousarray(powers.transpose(1, 2, 0)).reshape(scheme.vols, -1)
        fitted = combined(vol_matrix(scheme.vols), by_vol).reshape(scheme.vols, -1, scheme.gaps)
        coefficients[part] = fitted.transpose(1, 0, 2)
        boundaries[part] = combined(vol_matrix(scheme.vols), edges.reshape(shape)).T
    return Tables(coefficients, boundaries)


def _sampled(puts: Puts, scheme: Scheme) -> tuple[Floats, Floats]:
    """Premiums over strike at the nodes in z, [gaps, L], and logs of the boundary in deviations, [L]."""
    limits, squares = puts.log_limits(), solve(puts, scheme.effort)
    edges, deviations = limits - np.sqrt(squares[0]), puts.vols * np.sqrt(puts.years)
    units = unit(deviations, puts.years, puts.rates, puts.yields)
    logs = edges + distances(scheme.gaps)[:, None] * units
    spots, total = np.exp(logs), np.zeros_like(logs)
    abscissae, weights = quadrature(scheme.effort.premium_points, early=True)
    rows = interpolation_rows(np.sqrt(1.0 - abscissae**2), scheme.effort.nodes)
    for y, weight, row in zip(abscissae, weights, rows, strict=True):
        past = limits - np.sqrt(np.maximum(combined(row, squares), 0.0))
        elapsed, spread = puts.years * y * y, y * deviations
        low = (logs - past + (puts.rates - puts.yields) * elapsed) / spread - 0.5 * spread
        span = weight * puts.years
        earned = span * puts.rates * np.exp(-puts.rates * elapsed)
        paid = span * puts.yields * np.exp(-puts.yields * elapsed)
        total += earned * normal(-low)[0] - paid * spots * normal(-(low + spread))[0]
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
    return np.asarray(FARTHEST * np.square(0.5 * (1.0 + _nodes(count))))


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

"""The exercise boundary of American puts of strike 1: the fixed point of Andersen, Lake and Offengenden."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from shockgrid.arrays import Floats, Mask

NODES, POINTS = 20, 48  #: collocation nodes before expiry; quadrature points of the fixed point
MOST_ITERATIONS = 40
STEP_TOLERANCE = 1e-9  #: change of the log of the boundary, in deviations of the whole life
NEWTON_STEPS, FARTHEST_START = 6, 8.0  #: of the QD+ start, kept within so many deviations of the limit
EARLY_SLOPE = 0.639  #: of the boundary just before expiry where the yield is above the rate, in deviations
#: Drift is |r - q| sqrt(T) / vol. FP-A up to the first, FP-B up to the second; above it the boundary is at
#: its perpetual level for all but the last thousandth of the life, and that level is used.
FP_A_DRIFT, FLAT_DRIFT = 0.5, 30.0
ROOT_TWO_PI = float(np.sqrt(2.0 * np.pi))


@dataclass(frozen=True)
class Boundaries:
    """Boundaries of m puts: B(t) = limit * exp(-sqrt(H(t))), t the time left, H a polynomial in sqrt(t)."""

    log_limits: Floats  #: [m] log of the boundary just before expiry, min(1, r / q)
    squares: Floats  #: [m, NODES] H at the nodes, the longest time first; H is 0 at expiry

    def logs(self, roots: Floats) -> Floats:
        """Log of the boundary, [m, points], at sqrt(time left / whole life) of the same shape."""
        heights = _interpolate(roots, self.squares)
        return self.log_limits[:, None] - np.sqrt(np.maximum(heights, 0.0))

    def today(self) -> Floats:
        """Log of the boundary with the whole life left, [m]."""
        return self.log_limits - np.sqrt(self.squares[:, 0])


@cache
def quadrature(points: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre abscissae and weights on (0, 1)."""
    abscissae, weights = np.polynomial.legendre.leggauss(points)
    return 0.5 * (1.0 + abscissae), 0.5 * weights


def solve_boundaries(years: Floats, vols: Floats, rates: Floats, yields: Floats) -> Boundaries:
    """Exercise boundaries of m American puts of strike 1.

    Parameters
    ----------
    years, vols : [m], > 0, with vols * sqrt(years) > 1e-10.
    rates : [m], > 0: below that there is no boundary, or there are two.
    yields : [m], of any sign.

    Source: L. Andersen, M. Lake, D. Offengenden, "High-performance American option pricing", J. Computational
    Finance 20 (2016): fixed points FP-A and FP-B, collocation of the squared log of the boundary in
    sqrt(time left); started from QD+ (M. Li, "Analytical approximations for the critical stock prices of
    American options", 2010). The plain fixed point is iterated until it stands still. The quadrature is
    Gauss-Legendre in the angle whose sine is sqrt(elapsed / time left): it has no root at either end.
    """
    capped = yields > rates
    limits = np.log(np.where(capped, rates / np.where(capped, yields, 1.0), 1.0))
    drifts = np.abs(rates - yields) * np.sqrt(years) / vols
    flat = drifts > FLAT_DRIFT
    logs = np.repeat(limits[:, None], NODES, axis=1)
    logs[flat] = _perpetual(vols[flat], rates[flat], yields[flat])[:, None]
    for chosen, of_density in ((drifts <= FP_A_DRIFT, True), (~flat & (drifts > FP_A_DRIFT), False)):
        rows = np.flatnonzero(chosen)
        if len(rows):
            puts = _Puts(*(column[rows, None] for column in (years, vols, rates, yields, limits)))
            logs[rows] = _iterate(puts, of_density=of_density)
    return Boundaries(limits, np.square(logs - limits[:, None]))


class _Puts(NamedTuple):
    """Columns of m puts, each [m, 1]."""

    years: Floats
    vols: Floats
    rates: Floats
    yields: Floats
    log_limits: Floats

    def only(self, rows: Mask) -> _Puts:
        return _Puts(*(column[rows] for column in self))


class _Parts(NamedTuple):
    """What the fixed point needs of m puts and does not change: [m, NODES], then [m, NODES, POINTS]."""

    drifts: Floats
    deviations: Floats
    point_drifts: Floats
    point_deviations: Floats
    earned: Floats  #: r exp(r u) du at each point
    paid: Floats  #: q exp(q u) du

    def only(self, rows: Mask) -> _Parts:
        return _Parts(*(array[rows] for array in self))


def _iterate(puts: _Puts, *, of_density: bool) -> Floats:
    """Log of the boundary at the nodes, [m, NODES]; a put leaves the iteration when it stands still."""
    result = logs = _start(puts)
    parts = _parts(puts)
    going = np.arange(len(logs))
    for _ in range(MOST_ITERATIONS):
        new = np.minimum(_fixed_point(logs, puts.log_limits, parts, of_density=of_density), puts.log_limits)
        moved = np.abs(new - logs).max(axis=1) > STEP_TOLERANCE * (puts.vols * np.sqrt(puts.years))[:, 0]
        result[going] = new
        if not moved.any():
            break
        going, logs, puts, parts = going[moved], new[moved], puts.only(moved), parts.only(moved)
    return result


def _parts(puts: _Puts) -> _Parts:
    sines, weights, left, _ = _tables()
    times = puts.years * _node_roots()[:-1] ** 2
    drifts, deviations = (puts.rates - puts.yields) * times, puts.vols * np.sqrt(times)
    lefts, spans = puts.years[..., None] * left**2, times[..., None] * weights
    rates, yields = puts.rates[..., None], puts.yields[..., None]
    return _Parts(
        drifts,
        deviations,
        drifts[..., None] * sines**2,
        deviations[..., None] * sines,
        rates * np.exp(rates * lefts) * spans,
        yields * np.exp(yields * lefts) * spans,
    )


def _fixed_point(logs: Floats, log_limits: Floats, parts: _Parts, *, of_density: bool) -> Floats:
    """One step: B = K exp(-(r - q) t) N / D, N and D of FP-A (densities) or FP-B (probabilities)."""
    heights = np.zeros((len(logs), NODES * POINTS))
    for square, row in zip(np.square(logs - log_limits).T, _tables()[3], strict=True):
        heights += square[:, None] * row  # a matrix product would sum in an order that depends on its size
    past = log_limits - np.sqrt(np.maximum(heights, 0.0))
    lower = (logs[..., None] - past.reshape(parts.earned.shape) + parts.point_drifts) / parts.point_deviations
    lower -= 0.5 * parts.point_deviations
    upper = lower + parts.point_deviations
    low = (logs + parts.drifts) / parts.deviations - 0.5 * parts.deviations
    high = low + parts.deviations
    if of_density:
        bells = _density(upper) / parts.point_deviations
        top = _density(low) / parts.deviations
        top += np.sum(parts.earned * (_density(lower) / parts.point_deviations), axis=2)
        bottom = ndtr(high) + _density(high) / parts.deviations
        bottom += np.sum(parts.paid * (ndtr(upper) + bells), axis=2)
    else:
        top = ndtr(low) + np.sum(parts.earned * ndtr(lower), axis=2)
        bottom = ndtr(high) + np.sum(parts.paid * ndtr(upper), axis=2)
    return np.asarray(np.log(top / bottom) - parts.drifts)


def _start(puts: _Puts) -> Floats:
    """QD+ boundary at the nodes, [m, NODES]: Newton's method on Li's equation for the critical price.

    Where the limit r / q is so deep in the money that the European put is certain, QD+ has no digits left,
    and the start is limit * exp(-0.639 vol sqrt(t)) (J. Evans, R. Kuske, J. Keller, "American options on
    assets with dividends near expiry", Math. Finance 12, 2002).
    """
    times = puts.years * _node_roots()[:-1] ** 2
    r, q, variance = puts.rates, puts.yields, np.square(puts.vols)
    deviation = puts.vols * np.sqrt(times)
    discount, carry, earned = np.exp(-r * times), np.exp(-q * times), -np.expm1(-r * times)
    omega = 2.0 * (r - q) / variance - 1.0
    root = np.sqrt(omega**2 + 8.0 * r / (variance * earned))
    slope = 2.0 * r / (variance * earned**2 * root)
    alpha = -2.0 / (variance * root)
    beta = alpha * discount * r * (1.0 / earned - slope / root) + 0.5 * (omega + root)
    logs = np.repeat(puts.log_limits, NODES, axis=1)
    floor = np.maximum(logs - FARTHEST_START * deviation, _perpetual(puts.vols, r, q))
    for _ in range(NEWTON_STEPS):
        boundary = np.exp(logs)
        high = (logs + (r - q) * times) / deviation + 0.5 * deviation
        low = high - deviation
        stock, cash, bell = carry * ndtr(-high), discount * ndtr(-low), carry * _density(high)
        decay = r * cash - q * boundary * stock - 0.5 * variance * boundary * bell / deviation
        charm = -bell * ((r - q) / deviation - 0.5 * low / times) - q * stock
        gain = 1.0 - boundary - cash + boundary * stock
        miss = (1.0 - stock) * boundary - beta * gain + alpha * decay
        steep = (1.0 - stock) * (1.0 + beta) + bell / deviation + alpha * charm
        step = np.clip(miss / (steep * boundary), -0.5, 0.5)
        logs = np.clip(logs - step, floor, puts.log_limits)
    deep = puts.log_limits < -FARTHEST_START * deviation[:, :1]
    return np.where(deep, np.maximum(puts.log_limits - EARLY_SLOPE * deviation, floor), logs)


def _perpetual(vols: Floats, rates: Floats, yields: Floats) -> Floats:
    """Log of the boundary of a put without expiry, x / (1 + x), -x the negative root of the characteristic
    quadratic vol^2 x (x + 1) / 2 - (r - q) x - r = 0."""
    half, earned = (rates - yields) / vols**2 - 0.5, 2.0 * rates / vols**2
    size = np.sqrt(half * half + earned)
    root = np.where(half > 0, half + size, earned / np.where(half > 0, 1.0, size - half))
    return -np.log1p(1.0 / root)


def _density(x: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * x * x) / ROOT_TWO_PI)


def _node_roots() -> Floats:
    """sqrt(time left / whole life) at the nodes, [NODES + 1], 1 first and 0 last: Chebyshev-Lobatto."""
    return np.asarray(0.5 * (1.0 + np.cos(np.pi * np.arange(NODES + 1) / NODES)))


def _interpolate(roots: Floats, values: Floats) -> Floats:
    """Values [m, NODES] at the nodes, 0 at expiry, taken to roots [m, points] by the barycentric formula."""
    weights = (-1.0) ** np.arange(NODES + 1)
    weights[[0, -1]] *= 0.5
    above, below = np.zeros_like(roots), np.zeros_like(roots)
    for index, node in enumerate(_node_roots()):
        gap = roots - node
        share = weights[index] / np.where(np.abs(gap) < 1e-15, 1e-15, gap)
        below += share
        if index < NODES:
            above += share * values[:, index, None]
    return np.asarray(above / below)


@cache
def _tables() -> tuple[Floats, Floats, Floats, Floats]:
    """Sines and weights of the quadrature [POINTS], sqrt(time left / life) at its points [NODES, POINTS], and
    the matrix that takes values at the nodes to those points, [NODES, NODES * POINTS]."""
    abscissae, weights = quadrature(POINTS)
    angles = 0.5 * np.pi * abscissae
    left = _node_roots()[:-1, None] * np.cos(angles)
    matrix = _interpolate(np.tile(left.reshape(-1), (NODES, 1)), np.eye(NODES))
    return np.sin(angles), 0.5 * np.pi * weights * np.sin(2.0 * angles), left, matrix

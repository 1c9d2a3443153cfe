"""Exercise boundaries for the premium tables: the fixed point of Andersen, Lake and Offengenden in few steps.

``shockgrid.pricing.boundary`` iterates until the boundary stands still. Here every number of steps is fixed
and every lane (one put of strike 1) is computed by itself, so that a lane's bits do not depend on its company
and a kernel can do the same. Arrays have the lanes last.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats

#: Of the QD+ start: at the longest time, and at each of the others from where its neighbour went.
FIRST_NEWTON_STEPS, NEWTON_STEPS = 8, 2
FARTHEST = 8.0  #: deviations of the limit within which a boundary is kept
EARLY_SLOPE = 0.639  #: of the boundary just before expiry where the yield is above the rate, in deviations
#: Drift is (r - q) sqrt(T) / vol: FP-A up to the first, FP-B above it; the perpetual level where its size is
#: above the second.
FP_A_DRIFT, FLAT_DRIFT = 0.7, 30.0
FP_B_STRIDE = 1.3  #: a step of FP-B goes so many times as far as the fixed point says, and FP-A as far
ROOT_TWO_PI = float(np.sqrt(2.0 * np.pi))
#: Of ``rough_ratio`` in boundary.h, which says what they are.
DENSITY_SCALE, LARGEST, POLE = float(np.sqrt(0.5 / np.log(2.0))), 31.0, 4.5
MIDDLE, STRETCH = 1.290322580645161290323, 10.30645161290322580645
TAIL = (
    0.000196584752956156118146,
    -0.0001469506654818309310898,
    -0.002949978663926187627236,
    0.01606414311804785859454,
    -0.05268058809399268994158,
    0.130661196151913031977,
    -0.2615612904506020835234,
    0.4358440171299903883161,
    -0.6141423047349176449661,
    0.7364400757924401170049,
)


class Effort(NamedTuple):
    """How finely boundaries and premiums are computed."""

    nodes: int  #: collocation nodes of the boundary before expiry
    points: int  #: quadrature points of the fixed point
    steps: int  #: of the fixed point
    premium_points: int  #: quadrature points of the premium


class Puts(NamedTuple):
    """Puts of strike 1, a lane each: columns of length L."""

    years: Floats
    vols: Floats
    rates: Floats  #: > 0
    yields: Floats  #: of any sign

    def only(self, lanes: Codes) -> Puts:
        """The same columns for some lanes."""
        return Puts(*(column[lanes] for column in self))

    def log_limits(self) -> Floats:
        """Log of the boundary just before expiry, min(1, rate / yield)."""
        capped = self.yields > self.rates
        return np.asarray(np.log(np.where(capped, self.rates / np.where(capped, self.yields, 1.0), 1.0)))


class Rule(NamedTuple):
    """Gauss-Legendre in the angle whose sine is y = sqrt(elapsed / time left): no root at either end."""

    abscissae: Floats  #: [points] in y
    weights: Floats  #: [points] of d(elapsed) / time left
    left: Floats  #: [nodes, points] sqrt(time left / life) at each point
    rows: Floats  #: [nodes, points, nodes] interpolation of squared logs at the nodes to the points


def solve(puts: Puts, effort: Effort) -> Floats:
    """Squared log of boundary over its limit, [nodes, L], the longest time first; 0 at expiry.

    Source: L. Andersen, M. Lake, D. Offengenden, "High-performance American option pricing", J. Computational
    Finance 20 (2016): collocation in sqrt(time left), fixed points FP-A (densities) and FP-B (probabilities).
    """
    limits, years, vols, rates, yields = puts.log_limits(), *puts
    drifts = (rates - yields) * np.sqrt(years) / vols
    logs = np.repeat(_perpetual(puts)[None], effort.nodes, axis=0)
    curved, near = np.abs(drifts) <= FLAT_DRIFT, drifts <= FP_A_DRIFT
    for chosen, of_density in ((curved & near, True), (curved & ~near, False)):
        lanes = np.flatnonzero(chosen)
        if len(lanes):
            logs[:, lanes] = _iterate(puts.only(lanes), limits[lanes], effort, of_density=of_density)
    return np.square(logs - limits)


def _iterate(puts: Puts, limits: Floats, effort: Effort, *, of_density: bool) -> Floats:
    rule = _rule(effort.nodes, effort.points)
    times = puts.years * node_roots(effort.nodes)[:-1, None] ** 2
    drifts, deviations = (puts.rates - puts.yields) * times, puts.vols * np.sqrt(times)
    floors = _floors(puts, limits, deviations)
    logs = _start(puts, limits, times)
    y, left = rule.abscissae[:, None], puts.years * rule.left[..., None] ** 2
    span, spread = rule.weights[:, None] * times[:, None], y * deviations[:, None]
    earned = puts.rates * np.exp(puts.rates * left) * span
    paid = puts.yields * np.exp(puts.yields * left) * span
    for _ in range(effort.steps):
        now = (logs + drifts) / deviations - 0.5 * deviations
        past = limits - np.sqrt(np.maximum(combined(rule.rows, np.square(logs - limits)), 0.0))
        low = (logs[:, None] - past + y * y * drifts[:, None]) / spread - 0.5 * spread
        top, bottom = _parts(now, deviations, of_density=of_density)
        tops, bottoms = _parts(low, spread, of_density=of_density)
        tops *= earned
        bottoms *= paid
        for point in range(effort.points):
            top += tops[:, point]
            bottom += bottoms[:, point]
        found = np.log(top / bottom) - drifts
        found = found if of_density else logs + FP_B_STRIDE * (found - logs)
        logs = np.minimum(np.maximum(found, floors), limits)
    return logs


def _parts(low: Floats, spread: Floats, *, of_density: bool) -> tuple[Floats, Floats]:
    """Of the numerator and the denominator of the fixed point: FP-A of densities, FP-B of probabilities."""
    below, bells = normal(low + spread)
    if of_density:
        return density(low) / spread, below + bells / (ROOT_TWO_PI * spread)
    return normal(low)[0], below


def _start(puts: Puts, limits: Floats, times: Floats) -> Floats:
    """QD+ boundary at the nodes, [nodes, L], after Newton's method; see ``pricing.boundary`` for the source.

    M. Li, "Analytical approximations for the critical stock prices of American options" (2010); where the
    limit is deep in the money, J. Evans, R. Kuske, J. Keller (2002).
    """
    deviations = puts.vols * np.sqrt(times)
    floors = _floors(puts, limits, deviations)
    logs = np.empty_like(times)
    for node, (time, deviation) in enumerate(zip(times, deviations, strict=True)):
        begun, steps = limits, FIRST_NEWTON_STEPS
        if node:
            begun = limits + (logs[node - 1] - limits) * (deviation / deviations[node - 1])
            steps = NEWTON_STEPS
        logs[node] = _qd_plus(puts, time, np.maximum(begun, floors[node]), (floors[node], limits), steps)
    deep = limits < -FARTHEST * deviations[0]
    return np.where(deep, np.maximum(limits - EARLY_SLOPE * deviations, floors), logs)


def _floors(puts: Puts, limits: Floats, deviations: Floats) -> Floats:
    """Logs below which no boundary is looked for, [nodes, L]."""
    return np.asarray(np.maximum(limits - FARTHEST * deviations, _perpetual(puts)))


def _qd_plus(puts: Puts, times: Floats, logs: Floats, ends: tuple[Floats, Floats], steps: int) -> Floats:
    """Log of the QD+ boundary after so many steps from ``logs``, within the ends, [L]."""
    r, q, variance = puts.rates, puts.yields, np.square(puts.vols)
    deviation = puts.vols * np.sqrt(times)
    discount, carry, earned = np.exp(-r * times), np.exp(-q * times), -np.expm1(-r * times)
    omega = 2.0 * (r - q) / variance - 1.0
    root = np.sqrt(omega**2 + 8.0 * r / (variance * earned))
    slope = 2.0 * r / (variance * earned**2 * root)
    alpha = -2.0 / (variance * root)
    beta = alpha * discount * r * (1.0 / earned - slope / root) + 0.5 * (omega + root)
    for _ in range(steps):
        boundary = np.exp(logs)
        high = (logs + (r - q) * times) / deviation + 0.5 * deviation
        low = high - deviation
        below, bells = normal(-high)
        stock, cash, bell = carry * below, discount * normal(-low)[0], carry * bells / ROOT_TWO_PI
        decay = r * cash - q * boundary * stock - 0.5 * variance * boundary * bell / deviation
        charm = -bell * ((r - q) / deviation - 0.5 * low / times) - q * stock
        gain = 1.0 - boundary - cash + boundary * stock
        miss = (1.0 - stock) * boundary - beta * gain + alpha * decay
        steep = (1.0 - stock) * (1.0 + beta) + bell / deviation + alpha * charm
        logs = np.clip(logs - np.clip(miss / (steep * boundary), -0.5, 0.5), *ends)
    return logs


def _perpetual(puts: Puts) -> Floats:
    """Log of the boundary of a put without expiry: the negative root of the characteristic quadratic."""
    variance = np.square(puts.vols)
    half, earned = (puts.rates - puts.yields) / variance - 0.5, 2.0 * puts.rates / variance
    size = np.sqrt(half * half + earned)
    root = np.where(half > 0, half + size, earned / np.where(half > 0, 1.0, size - half))
    return np.asarray(-np.log1p(1.0 / root))


def density(x: Floats) -> Floats:
    """The normal density."""
    return np.asarray(np.exp(-0.5 * x * x) / ROOT_TWO_PI)


def normal(x: Floats) -> tuple[Floats, Floats]:
    """N(x) and exp(-x^2 / 2); the smaller of N(x) and N(-x) is right to 2e-7 of it."""
    distances = np.minimum(DENSITY_SCALE * np.abs(x), LARGEST)
    bells = np.exp(-0.5 * np.square(distances / DENSITY_SCALE))
    inverses = 1.0 / (distances + POLE)
    place = MIDDLE - STRETCH * inverses
    tails = np.full_like(place, TAIL[0])
    for coefficient in TAIL[1:]:
        tails *= place
        tails += coefficient
    tails *= bells * inverses
    return np.where(x < 0.0, tails, 1.0 - tails), bells


def combined(row: Floats, columns: Floats) -> Floats:
    """Sum over k of row[..., k] * columns[k], in order: [L] or [nodes, L], without a library's own order."""
    total = row[..., 0, None] * columns[0]
    for index in range(1, len(columns)):
        total = total + row[..., index, None] * columns[index]
    return np.asarray(total)


def node_roots(nodes: int) -> Floats:
    """sqrt(time left / life) at the nodes, [nodes + 1], 1 first and 0 last: Chebyshev-Lobatto."""
    return np.asarray(0.5 * (1.0 + np.cos(np.pi * np.arange(nodes + 1) / nodes)))


def interpolation_rows(roots: Floats, nodes: int) -> Floats:
    """Weights of the nodes before expiry at each root, [..., nodes], by the barycentric formula."""
    weights = (-1.0) ** np.arange(nodes + 1)
    weights[[0, -1]] *= 0.5
    gaps = roots[..., None] - node_roots(nodes)
    shares = weights / np.where(np.abs(gaps) < 1e-15, 1e-15, gaps)
    return np.asarray(shares[..., :nodes] / shares.sum(axis=-1, keepdims=True))


@cache
def quadrature(points: int, *, early: bool = False) -> tuple[Floats, Floats]:
    """Gauss-Legendre on (0, 1) for y, the sine of an angle: abscissae, and weights of d(y^2).

    ``early`` for the root of the angle: points lie close where y is near 0.
    """
    places, weights = np.polynomial.legendre.leggauss(points)
    x = 0.5 * (1.0 + places)
    angles, slopes = 0.5 * np.pi * x, np.full(points, 0.5 * np.pi)
    if early:
        angles, slopes = angles * x, 2.0 * slopes * x
    return np.sin(angles), 0.5 * weights * slopes * np.sin(2.0 * angles)


@cache
def _rule(nodes: int, points: int) -> Rule:
    y, weights = quadrature(points)
    left = node_roots(nodes)[:-1, None] * np.sqrt(1.0 - y * y)
    return Rule(y, weights, left, interpolation_rows(left, nodes))

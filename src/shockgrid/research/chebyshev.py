"""Chebyshev nodes and the matrices that take values at them to any point."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Floats


def lobatto(count: int) -> Floats:
    """``count`` Chebyshev-Lobatto points, ascending, both ends of [-1, 1] among them.

    The sets of 2^k + 1 points nest: every second point of one is the set before it.
    """
    return np.asarray(-np.cos(np.pi * np.arange(count) / (count - 1)))


def lift(count: int, points: Floats) -> Floats:
    """Matrix [count, points] from values at ``lobatto(count)`` to values of their polynomial at the points.

    Barycentric form: J.-P. Berrut, L. N. Trefethen, "Barycentric Lagrange interpolation", SIAM Review 46
    (2004), section 5.
    """
    signs = (-1.0) ** np.arange(count)
    signs[[0, -1]] *= 0.5
    gaps = points[None, :] - lobatto(count)[:, None]
    met = gaps == 0.0
    terms = signs[:, None] / np.where(met, 1.0, gaps)
    with np.errstate(invalid="ignore"):
        matrix = terms / terms.sum(axis=0)
    return np.asarray(np.where(met.any(axis=0), met.astype(np.float64), matrix))


def lobatto_coefficients(count: int) -> Floats:
    """Matrix [count, count] from values at ``lobatto(count)`` (rows) to Chebyshev coefficients (columns).

    Trefethen, "Approximation Theory and Approximation Practice", SIAM 2013, chapter 3: a cosine transform.
    """
    angles = np.pi * np.arange(count)[::-1] / (count - 1)
    matrix = np.cos(np.outer(angles, np.arange(count))) * (2.0 / (count - 1))
    matrix[[0, -1]] *= 0.5
    matrix[:, [0, -1]] *= 0.5
    return np.asarray(matrix)


def roots(count: int) -> Floats:
    """``count`` Chebyshev points of the first kind, descending, inside (-1, 1)."""
    return np.asarray(np.cos(np.pi * (2 * np.arange(count) + 1) / (2 * count)))


def to_coefficients(count: int) -> Floats:
    """Matrix [count, count] from values at ``roots(count)`` to Chebyshev coefficients."""
    rows = np.cos(np.outer(np.arange(count), np.pi * (2 * np.arange(count) + 1) / (2 * count)))
    rows[1:] *= 2.0
    return np.asarray(rows / count)


def polynomials(count: int, points: Floats) -> Floats:
    """T_0 .. T_(count-1) at points in [-1, 1], matrix [points, count]."""
    return np.asarray(np.cos(np.arccos(np.clip(points, -1.0, 1.0))[:, None] * np.arange(count)))

"""Spreads formed in order of priority from opposite deltas, for charges and for credits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Floats


class Leg(NamedTuple):
    """One side of a spread: which delta it uses up, and how much of it."""

    column: int
    ratio: float  #: delta per spread, > 0
    side: int  #: 1 or -1: legs of unlike sides need deltas of opposite sign


class Matched(NamedTuple):
    """Spreads formed, and what is left."""

    counts: Floats  #: [M, spreads], >= 0
    long: Floats  #: [M, C] long delta left, >= 0
    short: Floats  #: [M, C] short delta left, >= 0


def matched(long: Floats, short: Floats, spreads: Sequence[Sequence[Leg]]) -> Matched:
    """Form as many of each spread as the deltas left allow, one spread after the other.

    ``long`` and ``short`` [M, C] are sizes, >= 0, of M margin groups in C tiers. Each spread is tried both
    ways round: its first side long, then short.

    >>> legs = [Leg(0, 1.0, 1), Leg(1, 2.0, -1)]
    >>> matched(np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]]), [legs]).counts
    array([[2.]])
    """
    long, short = long.copy(), short.copy()
    counts = np.zeros((len(long), len(spreads)))
    for place, legs in enumerate(spreads):
        for direction in (1, -1):
            pools = [long if leg.side * direction > 0 else short for leg in legs]
            available = [pool[:, leg.column] / leg.ratio for pool, leg in zip(pools, legs, strict=True)]
            formed = np.minimum.reduce(available)
            for pool, leg in zip(pools, legs, strict=True):
                pool[:, leg.column] -= formed * leg.ratio
            counts[:, place] += formed
    return Matched(counts, np.maximum(long, 0.0), np.maximum(short, 0.0))

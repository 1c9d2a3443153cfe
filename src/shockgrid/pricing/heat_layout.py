"""Options for the heat grid, and how many nodes and times each needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask

Rows: TypeAlias = Codes

STEP = 1.0 / 32.0  #: between nodes, in deviations of the whole life
LARGEST_MOVE = 0.1  #: of the log of the spot between nodes
REACH = 5.0  #: deviations covered beyond strike, drift, dividends and the price where waiting costs nothing
FARTHEST_TURN = 100.0  #: deviations at most to that price
LANES = 64  #: node counts are multiples of this and one, so that options share grids
MOST_NODES = 10_001
TIMES = 100  #: steps of a life without dividends, per deviation above 1; a part has its square root of them
FEWEST_TIMES = 12


@dataclass(frozen=True)
class Options:
    """m options whose cash dividends fall at the same fractions of their lives."""

    spots: Floats  #: [m], > 0, as all that follow where nothing else is said
    strikes: Floats
    years: Floats
    vols: Floats
    rates: Floats  #: of any sign
    yields: Floats  #: of any sign
    is_call: Mask
    left: Floats  #: [dividends] years from ex-date to expiry over years to expiry, ascending, in [0, 1)
    cash: Floats  #: [m, dividends] in that order, in currency, >= 0

    def only(self, rows: Rows) -> Options:
        return Options(
            self.spots[rows],
            self.strikes[rows],
            self.years[rows],
            self.vols[rows],
            self.rates[rows],
            self.yields[rows],
            self.is_call[rows],
            self.left,
            self.cash[rows],
        )


def layout(options: Options, *, escrowed: bool) -> tuple[Floats, Floats, Floats, Floats]:
    """Of each option the node at the strike, the number of nodes, their distance, the number of times; [m].

    Distances are in deviations of the whole life, vol sqrt(T). At a price of r K / q interest and yield on
    what exercise moves are equal: exercise may begin there, so the grid reaches it. Where the deviation is so
    small that dividends are hundreds of them, nodes lie farther apart, and are still close in currency.
    """
    deviations = options.vols * np.sqrt(options.years)
    growth = (options.rates - options.yields) * options.years
    drifts = growth / deviations + np.where(options.is_call, 0.5, -0.5) * deviations
    turning = options.rates * options.yields > 0
    ratio = np.where(turning, options.rates, 1.0) / np.where(turning, options.yields, 1.0)
    turns = np.clip(np.log(ratio) / deviations, -FARTHEST_TURN, FARTHEST_TURN)
    shifts = np.log1p(options.cash.sum(axis=1) / options.strikes) / deviations
    below = REACH - np.minimum(drifts, 0.0) - np.minimum(turns, 0.0)
    above = REACH + np.maximum(drifts, 0.0) + np.maximum(turns, 0.0) + (0.0 if escrowed else shifts)
    steps = np.minimum(STEP, LARGEST_MOVE / deviations)
    counts = LANES * np.ceil((below + above) / steps / LANES)
    wide = counts >= MOST_NODES
    steps = np.where(wide, (below + above) / (MOST_NODES - 3), steps)
    times = TIMES * np.ceil(np.maximum(deviations, 1.0))
    return np.ceil(below / steps), np.where(wide, MOST_NODES, counts + 1.0), steps, times


def times_between(steps: int, origin: float, start: float, end: float) -> Floats:
    """Fractions of the life from ``start`` to ``end``, evenly in the root of the distance to ``origin``."""
    count = max(FEWEST_TIMES, int(np.ceil(steps * np.sqrt(end - origin))))
    times = origin + np.linspace(np.sqrt(start - origin), np.sqrt(end - origin), count + 1) ** 2
    times[0], times[-1] = start, end
    return np.asarray(times)


def interpolate(level: Floats, places: Floats) -> Floats:
    """Cubic through the four nodes around each place, [m, k]; ``level`` [m, nodes], places in nodes."""
    first = np.clip(np.floor(places), 1, level.shape[1] - 3).astype(np.intp)
    x = places - first
    before, here, after, beyond = (np.take_along_axis(level, first + shift, axis=1) for shift in range(-1, 3))
    inner = (x + 1.0) * (x - 2.0) * ((x - 1.0) * here - x * after) / 2.0
    return np.asarray(inner + x * (x - 1.0) * ((x + 1.0) * beyond - (x - 2.0) * before) / 6.0)

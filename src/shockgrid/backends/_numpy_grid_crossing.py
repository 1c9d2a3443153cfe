"""The first ex-date of a call, when it is near, crossed by a formula instead of the grid.

Just before an ex-date a call is worth the better of exercise and what is held, which has a kink. A short time
before, the kink is rounded over less than a few nodes, and moves with the vol by more: no interpolation sees
it. Both sides of the kink are smooth, so the grid carries what is held to today, and the reader adds

    E[max(g, 0)],  g = exercise - held, just before the ex-date, as a cubic around its root.

For x = u + normal, E[(a x + b x^2 / 2 + c x^3 / 6) 1(x > 0)] is E[a x + ...] N(u) + n(u) (a + b u / 2 +
c (u^2 + 2) / 6). The first expectation is known without expansion: exercise at the ex-date is worth that much
more than holding on.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from shockgrid.arrays import Floats
from shockgrid.backends._numpy_grid_frame import NODES, Contracts, Frame

ROUNDS = 4  #: of Newton's method for the root of a cubic that is almost a line
NOWHERE = -40.0  #: deviations to a root that does not exist
LEAST_WIDTH = 1e-9


class Crossing:
    """The gain by exercise at the first ex-date, for n calls whose ``level`` [n, NODES] leaves it out."""

    def __init__(self, contracts: Contracts, here: Frame, level: Floats) -> None:
        waits = contracts.ex_years[:, 0]
        self.stock, self.bond = np.exp(-contracts.yields * waits), np.exp(-contracts.rates * waits)
        self.width = np.maximum(np.sqrt(waits / contracts.years) / here.steps, LEAST_WIDTH)  # in nodes
        logs = (np.arange(NODES) - here.zeros[:, None]) * (here.steps * here.deviations)[:, None]
        logs -= here.falls[:, None]
        ahead = self.stock[:, None] - self.bond[:, None] * np.exp(logs) - level
        excess = ahead.copy()
        bend = ahead[:, 2:] - 2.0 * ahead[:, 1:-1] + ahead[:, :-2]
        excess[:, 1:-1] -= (0.5 * self.width**2)[:, None] * bend
        self._root(excess)

    def _root(self, excess: Floats) -> None:
        """Place of the root of g, and its derivatives there, in nodes; g > 0 towards node 0."""
        count = (excess > 0).sum(axis=1)
        self.exists = count > 0
        first = np.clip(count - 1, 1, NODES - 3)
        rows = np.arange(len(excess))
        before, here, after, beyond = (excess[rows, first + shift] for shift in range(-1, 3))
        third = (beyond - 3.0 * after + 3.0 * here - before) / 6.0
        second = 0.5 * (after - 2.0 * here + before)
        slope = after - here - second - third
        fall = here - after
        x = np.clip(here / np.where(fall > 0, fall, 1.0), 0.0, 1.0)
        for _ in range(ROUNDS):
            rise = slope + x * (2.0 * second + 3.0 * third * x)
            value = here + x * (slope + x * (second + x * third))
            x = np.clip(x - value / np.where(rise < 0, rise, -1.0), -1.0, 2.0)
        self.place = first + x
        self.terms = (
            -(slope + x * (2.0 * second + 3.0 * third * x)),
            2.0 * second + 6.0 * third * x,
            -6.0 * third,
        )

    def gains(self, logs: Floats, places: Floats, held: Floats) -> Floats:
        """What exercise at the ex-date adds [P, n], over spot, by ``logs`` of K / S and ``held`` there."""
        width, (first, second, third) = self.width, self.terms
        distance = np.where(self.exists, (self.place - places) / width, NOWHERE)
        distance = np.clip(distance, NOWHERE, -NOWHERE)
        density = np.exp(-0.5 * distance**2) / np.sqrt(2.0 * np.pi)
        spread = first + width * (0.5 * second * distance + width * third * (distance**2 + 2.0) / 6.0)
        ahead = self.stock - self.bond * np.exp(logs) - held
        return np.asarray(np.maximum(ahead * ndtr(distance) + density * width * spread, 0.0))

"""One step in time of many heat equations at once, each above its own obstacle, in place."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Floats, Mask
from shockgrid.backends._numpy_grid_frame import Frame
from shockgrid.backends._numpy_grid_kinds import HELD, TWO_SIDES

COMPACT = 1.0 / 12.0
#: A front held at whole nodes ends, on average, this part of curvature x squared step too low.
SAG = 1.0 / 24.0
NEVER = -1e300
ROWS = 24  #: of the explicit half at once, to stay in cache


class Stepper:
    """Memory and constants of a block of L lanes of one kind."""

    def __init__(self, frame: Frame, ratios: Floats, kind: int) -> None:
        self.frame, self.ratios, self.kind = frame, ratios, kind
        self.nodes, lanes = ratios.shape
        self.spare, self.right, self.obstacle = np.empty((3, self.nodes, lanes))
        if kind == TWO_SIDES:
            self.mirror, self.other = np.empty((2, self.nodes, lanes))
        self.term = np.empty(lanes)

    def step(self, level: Floats, start: Floats, end: Floats, idle: Mask) -> Floats:
        """Values [nodes, L] at ``end`` [L] from those at ``start``, whose memory is used again.

        The elimination has the pivot of an endless grid at every node. That leaves the constants of a step
        two numbers a lane, and is exact but for the far end, whose neighbour enters as it was.
        Exercise is not possible where ``idle``.
        """
        steps = self.frame.steps
        ratio = (end - start) / steps**2
        compact = np.minimum(COMPACT, 0.25 * ratio)  # so that "side" is never above 0
        explicit, side = compact + 0.25 * ratio, compact - 0.25 * ratio
        pivot = 0.5 * (1.0 - 2.0 * side + np.sqrt(1.0 - 4.0 * side))
        pull = -side / pivot
        self._obstacles(end, idle)
        first, last = self._ends(level, end - start)
        self._explicit(level, explicit / pivot, (1.0 - 2.0 * explicit) / pivot)
        result = self.spare
        if self.kind == TWO_SIDES:
            self.mirror[:] = self.right
            seed = first - pull * level[1]
            self._sweep(self.mirror[::-1], self.obstacle[::-1], pull, last, seed, self.other[::-1])
        self._sweep(self.right, self.obstacle, pull, first, last - pull * level[-2], result)
        if self.kind == TWO_SIDES:
            np.maximum(result, self.other, out=result)
        result[0], result[-1] = first, last
        self.spare = level
        return result

    def settle(self, level: Floats, times: Floats, idle: Mask) -> Floats:
        """Put what lies on the raised obstacle on the true one."""
        if self.kind == HELD:
            return level
        self._obstacles(times, idle)
        own, other = np.exp(self.frame.rates * times), self.frame.rates - self.frame.falls
        true = own - np.exp(other * times) * self.ratios
        return np.where((level <= self.obstacle) & ~idle, true, level)

    def _obstacles(self, times: Floats, idle: Mask) -> None:
        """What exercise gives, raised by SAG x curvature x step^2 of the value beside the front.

        By the equation, that curvature is 2 (rate x own - yield x other), both in the units of the march.
        """
        if self.kind == HELD:
            return
        frame = self.frame
        raised = 2.0 * SAG * frame.steps**2
        own = np.exp(frame.rates * times) * (1.0 + raised * frame.rates)
        other = np.exp((frame.rates - frame.falls) * times) * (1.0 + raised * frame.yields)
        own = np.where(idle, NEVER, own)
        for start in range(0, self.nodes, ROWS):
            rows = slice(start, start + ROWS)
            np.multiply(self.ratios[rows], other, out=self.obstacle[rows])
            np.subtract(own, self.obstacle[rows], out=self.obstacle[rows])

    def _ends(self, level: Floats, length: Floats) -> tuple[Floats, Floats]:
        """First and last node after the step: a line in R moves exactly; exercise binds there too."""
        growth = np.expm1(0.5 * self.frame.deviations**2 * length)
        ends = []
        for end, beside in ((0, 1), (-1, -2)):
            slope = (level[beside] - level[end]) / (self.ratios[beside] - self.ratios[end])
            value = level[end] + slope * self.ratios[end] * growth
            ends.append(value if self.kind == HELD else np.maximum(value, self.obstacle[end]))
        return ends[0], np.maximum(ends[1], 0.0)

    def _explicit(self, level: Floats, beside: Floats, here: Floats) -> None:
        for start in range(1, self.nodes - 1, ROWS):
            rows = slice(start, min(start + ROWS, self.nodes - 1))
            right, spare = self.right[rows], self.spare[rows]
            np.add(level[rows.start - 1 : rows.stop - 1], level[rows.start + 1 : rows.stop + 1], out=right)
            right *= beside
            np.multiply(level[rows], here, out=spare)
            right += spare

    def _sweep(
        self, right: Floats, obstacle: Floats, pull: Floats, first: Floats, seed: Floats, out: Floats
    ) -> None:
        """Eliminate from the last node to the first, then substitute back, projecting on the way.

        With two boundaries a sweep is right on the far side of the region of exercise and too low on the
        near one, so the greater of both ways is the solution.
        """
        term, above, below = self.term, seed, out[0]
        rows = list(right)
        for row in rows[-2:0:-1]:
            np.multiply(pull, above, out=term)
            row += term
            above = row
        below[:] = first
        for row, value, floor in zip(rows[1:-1], list(out)[1:-1], list(obstacle)[1:-1], strict=True):
            np.multiply(pull, below, out=term)
            np.add(row, term, out=value)
            if self.kind != HELD:
                np.maximum(value, floor, out=value)
            below = value

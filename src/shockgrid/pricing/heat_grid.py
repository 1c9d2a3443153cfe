"""Finite differences on one heat equation that serves every option: only obstacles and jumps are its own."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.errors import InputError
from shockgrid.pricing.certain import certain_values
from shockgrid.pricing.european import black
from shockgrid.pricing.free_boundary import heat_step, solve_above, solve_free
from shockgrid.pricing.heat_layout import Options, interpolate, layout, times_between

FIRST = 0.002  #: part of the life left where the grid starts, from European values
CELLS_AT_ONCE = 60_000
LARGEST_DEVIATION = 25.0  #: of the log of the spot by expiry; vol of 400 % for 39 years


def grid_values(options: Options, *, american: bool, escrowed: bool) -> Floats:
    """Values of m options in currency, [m].

    Let t be the fraction of the life left, v = vol sqrt(T), and y = (log(S / K) + drift t) / v. A put over
    its discounted strike, with drift (r - q) T - v^2 / 2, and a call over its spot less yield, with drift
    (r - q) T + v^2 / 2, both obey w_t = w_yy / 2: one grid in (y, t) and one matrix serve all options.
    Nodes lie fixed to the strike, not to the spot. ``escrowed`` says that the lognormal price is the spot
    less the present value of the dividends to come; else the spot itself drops on each ex-date, and values
    move from S - D to S by cubic interpolation (S - D below 0 counts as 0). Outside the grid the spot
    follows its forward and is exercised at the best moment. American options are held above what
    exercise gives at every step, and just before every ex-date.

    Raises InputError if vol sqrt(T) is above 25, where float64 cannot hold the grid.
    """
    deviations = options.vols * np.sqrt(options.years)
    if deviations.max(initial=0.0) > LARGEST_DEVIATION:
        problem = (
            f"vol * sqrt(years) must be at most {LARGEST_DEVIATION:g} where finite differences are needed"
        )
        raise InputError(problem, value=float(deviations.max()))
    result, kind = np.empty(len(options.spots)), (american, escrowed)
    zeros, *shape = layout(options, escrowed=escrowed)
    shapes, which = np.unique(np.stack(shape, axis=1), axis=0, return_inverse=True)
    for index, (count, step, times) in enumerate(shapes):
        rows = np.flatnonzero(which.reshape(-1) == index)
        at_once = max(1, CELLS_AT_ONCE // int(count))
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            result[part] = _values(options.only(part), int(count), zeros[part], float(step), int(times), kind)
    return result


def _values(
    options: Options, nodes: int, zeros: Floats, step: float, times: int, kind: tuple[bool, bool]
) -> Floats:
    """Values of options with the same nodes; those that differ by their spot alone are solved once."""
    terms = np.column_stack(
        [
            *(options.strikes, options.years, options.vols, options.rates, options.yields),
            *(options.is_call, zeros, options.cash),
        ]
    )
    _, firsts, owners = np.unique(terms, axis=0, return_index=True, return_inverse=True)
    solved = _Grid(options.only(firsts), nodes, zeros[firsts], step, *kind)
    level = solved.solve(times)
    reader = _Grid(options, nodes, zeros, step, *kind)
    return reader.read(level[owners.reshape(-1)])


class _Grid:
    """The grid of a few options with the same nodes: amounts over strikes, rows are options."""

    def __init__(
        self, options: Options, nodes: int, zeros: Floats, step: float, american: bool, escrowed: bool
    ) -> None:
        self.options, self.nodes, self.step = options, nodes, step
        self.american, self.escrowed = american, escrowed
        self.is_call, self.zeros = options.is_call[:, None], zeros[:, None]
        self.years, self.rates, self.yields = (
            column[:, None] for column in (options.years, options.rates, options.yields)
        )
        self.deviations = (options.vols * np.sqrt(options.years))[:, None]
        half = np.where(self.is_call, 0.5, -0.5) * self.deviations**2
        self.drifts = (self.rates - self.yields) * self.years + half
        self.growth = np.where(self.is_call, self.yields, self.rates) * self.years
        self.cash = options.cash / options.strikes[:, None]
        logs = (np.arange(nodes) - self.zeros) * (step * self.deviations)
        self.ratios = np.exp(np.where(self.is_call, -logs, logs))  # S / K of a put, K / S of a call
        self.falls = np.where(self.is_call, self.drifts, -self.drifts)
        self.passed = 0  # dividends between now and expiry, counted from expiry

    def solve(self, steps: int) -> Floats:
        """Values now at the nodes, [m, nodes]; ``steps`` in time are taken in a life without dividends."""
        left = np.maximum(self.options.left, 1e-9)
        clock = min(FIRST, 0.5 * float(left[0])) if len(left) else FIRST
        origin, level = 0.0, self._start(clock)
        for end in (*left.tolist(), 1.0):
            if end > clock:
                level = self._march(level, times_between(steps, origin, clock, end))
            if self.passed < len(left):
                level = self._jump(level, end)
            origin = clock = end
        return level

    def _stock(self, time: float, nodes: slice = slice(None)) -> Floats:
        """Lognormal price over strike at the nodes."""
        ratios = self.ratios[:, nodes] * np.exp(self.falls * time)
        return np.where(self.is_call, 1.0 / ratios, ratios)

    def _units(self, stock: Floats, time: float | Floats) -> Floats:
        """What one unit of the grid is worth, over strike, where the lognormal price is ``stock``."""
        return np.asarray(np.where(self.is_call, stock, 1.0) * np.exp(-self.growth * time))

    def _escrow(self, time: float | Floats) -> Floats:
        """Value over strike of the dividends passed, discounted to ``time`` before expiry."""
        total = np.zeros_like(self.years * time)
        for index in range(self.passed):
            wait = self.years * (time - self.options.left[index])
            total += self.cash[:, index, None] * np.exp((self.yields - self.rates) * wait)
        return total

    def _exercise(self, time: float) -> Floats:
        """What exercise gives, in the units of the grid; may be negative."""
        paid = self._escrow(time) if self.escrowed else np.zeros_like(self.years)
        own, other = np.where(self.is_call, 1.0, 1.0 - paid), np.where(self.is_call, 1.0 - paid, 1.0)
        return np.asarray(
            (own - other * np.exp(self.falls * time) * self.ratios) * np.exp(self.growth * time)
        )

    def _start(self, time: float) -> Floats:
        """European values shortly before expiry; dividends are still ahead in the march.

        Where an ex-date asks for a start too early to round off the kink at the strike, the node there takes
        up what sampling misses: the terms of Poisson's summation formula, h^2 / 12 of the jump in slope at 0.
        """
        years, vols = self.years * time, self.deviations / np.sqrt(self.years)
        stock = self._stock(time)
        forwards = stock * np.exp((self.rates - self.yields) * years)
        level = black(forwards, 1.0, years, vols, np.exp(-self.rates * years), self.is_call)
        level = level / self._units(stock, time)
        level = np.maximum(level, self._exercise(time)) if self.american else level
        waves = 2.0 * (np.pi * np.arange(1, 100)) ** 2
        missed = float(np.sum(np.exp(-waves * time / self.step**2) / waves))
        at_strike = np.arange(self.nodes) == self.zeros
        return np.asarray(level + at_strike * (self.deviations * self.step * missed))

    def _certain(self, stock: Floats, times: float | Floats) -> Floats:
        """Values over strike, [m, k], of a lognormal price [m, k] that follows its forward."""
        spots = stock + self._escrow(times) if self.escrowed else stock
        years = self.years * times + np.zeros_like(stock)
        dividends = [
            (years - self.years * self.options.left[index], self.cash[:, index, None])
            for index in reversed(range(self.passed))
        ]
        inputs = (spots, np.ones_like(stock), years, self.rates, self.yields, self.is_call, dividends)
        return certain_values(*inputs, american=self.american, absorbed=not self.escrowed)

    def _march(self, level: Floats, times: Floats) -> Floats:
        """Crank-Nicolson from the first of ``times`` to the last."""
        ends = []
        for end in (slice(1), slice(-1, None)):
            stock = np.concatenate([self._stock(float(time), end) for time in times[1:]], axis=1)
            ends.append(self._certain(stock, times[1:]) / self._units(stock, times[1:]))
        held = np.zeros((len(level), self.nodes - 2), np.bool_)
        for index, length in enumerate(np.diff(times)):
            bounds = (ends[0][:, index], ends[1][:, index])
            right, side = heat_step(level, bounds, float(length) / self.step**2)
            level = np.empty_like(level)
            level[:, 0], level[:, -1] = bounds
            if self.american:
                obstacle = self._exercise(float(times[index + 1]))[:, 1:-1]
                level[:, 1:-1], held = solve_above(right, side, obstacle, held)
            else:
                level[:, 1:-1] = solve_free(right, side)
        return level

    def _jump(self, level: Floats, time: float) -> Floats:
        """Cross the next ex-date: what is held there, or what exercise just before it gives."""
        if not self.escrowed:
            stock = self._stock(time)
            after = stock - self.cash[:, self.passed, None]
            inside = after >= stock[:, :1]
            places = np.log(np.where(inside, after, stock) / stock[:, :1]) / (self.step * self.deviations)
            moved = interpolate(level, places) * self._units(after, time)
            if not inside.all():
                moved = np.where(inside, moved, self._certain(np.maximum(after, 0.0), time))
            level = moved / self._units(stock, time)
        self.passed += 1
        return np.maximum(level, self._exercise(time)) if self.american else level

    def read(self, level: Floats) -> Floats:
        """Values in currency, [m], at the spots of today, from the solved ``level`` [m, nodes]."""
        self.passed = len(self.options.left)
        strikes = self.options.strikes[:, None]
        stock = self.options.spots[:, None] / strikes
        if self.escrowed:
            stock = stock - self._escrow(1.0)
        logs = np.log(np.where(stock > 0, stock, 1.0)) + self.drifts
        places = np.where(stock > 0, logs / (self.step * self.deviations) + self.zeros, -1.0)
        inside = (places >= 0) & (places <= self.nodes - 1)
        value = interpolate(level, np.where(inside, places, 1.0)) * self._units(stock, 1.0)
        if not inside.all():
            value = np.where(inside, value, self._certain(stock, 1.0))
        return np.maximum(strikes * value, 0.0)[:, 0]

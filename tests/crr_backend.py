"""A plain binomial tree as a backend: early exercise where a series is American."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shockgrid.backends import NumpyBackend, Series
from shockgrid.states import UNMOVED, States

Floats = NDArray[np.float64]
DAYS_PER_YEAR = 365.0


def binomial(
    spots: Floats,
    strikes: Floats,
    years: Floats,
    vols: Floats,
    growths: Floats,
    discount_factors: Floats,
    is_call: NDArray[np.bool_],
    is_american: NDArray[np.bool_],
    steps: int,
) -> Floats:
    """Values of m options, [m], on the tree of Cox, Ross and Rubinstein (1979).

    ``growths`` are forward / spot to expiry. Raises ValueError where the tree has no probability: the vol
    of a step must exceed its drift.
    """
    up = np.exp(vols * np.sqrt(years / steps))
    drift, discount = growths ** (1.0 / steps), discount_factors ** (1.0 / steps)
    moving = up > 1.0
    chance = (drift - 1.0 / up) / np.where(moving, up - 1.0 / up, 1.0)
    if not np.all(np.where(moving, (chance >= 0.0) & (chance <= 1.0), drift == 1.0)):
        msg = "the vol of a step must exceed its drift"
        raise ValueError(msg)
    sides = np.where(is_call, 1.0, -1.0)
    # a spot of zero stays zero: its options are worth the same at every node
    nodes = spots * up ** np.arange(-steps, steps + 1, 2.0)[:, None]
    values = np.maximum(sides * (nodes - strikes), 0.0)
    exercise = is_american.any()
    for _ in range(steps):
        values = discount * (chance * values[1:] + (1.0 - chance) * values[:-1])
        if exercise:
            nodes = nodes[:-1] * up
            early = sides * (nodes - strikes)
            values = np.maximum(values, np.where(is_american, early, -np.inf))
    return values[0]


def shocked_vols(series: Series, states: States) -> Floats:
    """Vols [S, n] by the rule written at ``States``."""
    rules = states.index[:, 1]
    powers = states.term_powers[rules][:, None]
    scale = (30.0 / np.maximum(series.years * DAYS_PER_YEAR, 1.0)) ** powers
    moves = states.vol_shocks[rules][:, None] * scale
    vols = np.where(states.relative[rules][:, None], series.vols * (1.0 + moves), series.vols + moves)
    return np.clip(vols, states.vol_floors[rules][:, None], states.vol_caps[rules][:, None])


class CrrBackend:
    """Options on a tree of ``steps`` steps, European or American as each series says; the rest is NumPy's.

    Proportional carry only: an American option on a forward with a fixed part is refused.
    """

    def __init__(self, steps: int = 400) -> None:
        plain = NumpyBackend()
        self.name = f"crr {steps}"
        self.xp = plain.xp
        self.prices_american = True
        self.put, self.get = plain.put, plain.get
        self.black, self.implied_vol = plain.black, plain.implied_vol
        self.free_bytes = plain.free_bytes
        self.steps = steps

    def price(self, series: Series, states: States) -> Floats:
        """Unit values [S, n]."""
        if np.any(series.is_option & (series.intercepts != 0.0)):
            msg = "cash dividends and cash deliverables are not on this tree"
            raise ValueError(msg)
        shocked = series.spots * states.spot_factors[states.index[:, 0]][:, None]
        values = series.slopes * shocked + series.intercepts
        options = series.take(series.is_option)
        if len(options) == 0:
            return values
        columns = [
            shocked[:, series.is_option],
            options.strikes,
            options.years,
            shocked_vols(options, states),
            options.slopes,
            options.discount_factors,
            options.is_call,
            options.is_american,
        ]
        shape = columns[0].shape
        flat = [np.broadcast_to(column, shape).ravel() for column in columns]
        values[:, series.is_option] = binomial(*flat, steps=self.steps).reshape(shape)
        return values

    def risk_arrays(self, sections: Sequence[tuple[Series, States]], weights: Any) -> Floats:
        """P&L [L, S] of each leaf."""
        units = [self.price(series, states) - self.price(series, UNMOVED) for series, states in sections]
        return np.asarray(weights @ np.hstack(units).T)

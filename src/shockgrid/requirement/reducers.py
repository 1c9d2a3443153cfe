"""Reducers: from a row of P&L per scenario to one number and the scenario it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats, row_sums
from shockgrid.errors import InputError


class Reduced(NamedTuple):
    """What a reducer makes of pnl [n, S]."""

    losses: Floats  #: [n], >= 0
    scenarios: Codes  #: [n], the scenario that says most about the loss; lowest index on a tie


#: pnl [n, S] -> Reduced. One that weighs several scenarios also has ``shares``: pnl [n, S] -> the part of
#: the loss that each scenario has, rows adding up to 1; without it all of the loss is its scenario's.
Reducer: TypeAlias = Callable[[Floats], Reduced]


def worst(pnl: Floats) -> Reduced:
    """The greatest loss over the scenarios, not below zero, and the scenario it falls in.

    >>> import numpy as np
    >>> worst(np.array([[5.0, -3.0, -3.0], [1.0, 2.0, 4.0]]))
    Reduced(losses=array([3., 0.]), scenarios=array([1, 0]))
    """
    scenarios = np.argmin(pnl, axis=1)
    lowest = pnl[np.arange(len(pnl)), scenarios]
    return Reduced(np.maximum(-lowest, 0.0) + 0.0, scenarios)


def shares_of(reducer: Reducer, pnl: Floats, scenarios: Codes) -> tuple[Codes, Floats]:
    """The scenarios [n, k] that make up the losses of these rows, and the part of each, [n, k]."""
    several: Reducer | None = getattr(reducer, "shares", None)
    if several is None:
        return scenarios[:, None], np.ones((len(scenarios), 1))
    every = np.broadcast_to(np.arange(pnl.shape[1]), pnl.shape)
    return every, np.asarray(several(pnl), np.float64)


def expected_shortfall(level: float) -> Shortfall:
    """Reducer: mean loss over the worst (1 - level) share of the scenarios, not below zero.

    With n scenarios the worst (1 - level) x n count in full and the next one with the remaining fraction
    (Acerbi and Tasche, On the coherence of expected shortfall, 2002, definition 2.6). The scenario returned
    is the worst one.

    Raises
    ------
    InputError : level outside [0, 1).
    """
    if not 0.0 <= level < 1.0:
        msg = "expected a level in [0, 1)"
        raise InputError(msg, column="level", value=level)
    return Shortfall(level)


@dataclass(frozen=True)
class Shortfall:
    """See ``expected_shortfall``."""

    level: float

    def __call__(self, pnl: Floats) -> Reduced:
        """The mean of the tail, and the worst scenario."""
        mean = row_sums(np.sort(pnl, axis=1), self._weights(pnl.shape[1]))
        return Reduced(np.maximum(-mean, 0.0) + 0.0, np.argmin(pnl, axis=1))

    def shares(self, pnl: Floats) -> Floats:
        """The weight of each scenario in the mean, [n, S]; of equal ones the first counts first."""
        weights = np.broadcast_to(self._weights(pnl.shape[1]), pnl.shape)
        shares = np.zeros(pnl.shape)
        np.put_along_axis(shares, np.argsort(pnl, axis=1, kind="stable"), weights, axis=1)
        return shares

    def _weights(self, count: int) -> Floats:
        """Of the sorted scenarios, the worst first."""
        tail = (1.0 - self.level) * count
        weights: Floats = np.clip(tail - np.arange(count), 0.0, 1.0) / tail
        return weights

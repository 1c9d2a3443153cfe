"""Reducers: from a row of P&L per scenario to one number and the scenario it comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats, row_sums
from shockgrid.errors import InputError


class Reduced(NamedTuple):
    """What a reducer makes of pnl [n, S]."""

    losses: Floats  #: [n], >= 0
    scenarios: Codes  #: [n], the scenario that says most about the loss; lowest index on a tie


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


def expected_shortfall(level: float) -> Reducer:
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

    def reduce(pnl: Floats) -> Reduced:
        tail = (1.0 - level) * pnl.shape[1]
        weights = np.clip(tail - np.arange(pnl.shape[1]), 0.0, 1.0) / tail
        mean = row_sums(np.sort(pnl, axis=1), weights)
        return Reduced(np.maximum(-mean, 0.0) + 0.0, np.argmin(pnl, axis=1))

    return reduce

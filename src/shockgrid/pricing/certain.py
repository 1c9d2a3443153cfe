"""Options on a spot without randomness: it earns rate less yield and drops by each cash dividend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from shockgrid.arrays import Floats

Dividends: TypeAlias = Sequence[tuple[Floats, Floats]]


def certain_values(
    spots: Floats,
    strikes: Floats,
    years: Floats,
    rates: Floats,
    yields: Floats,
    is_call: ArrayLike,
    dividends: Dividends = (),
    *,
    american: bool = True,
    absorbed: bool = True,
) -> Floats:
    """Largest present value of any exercise, at least 0, when the spot follows its forward.

    Parameters
    ----------
    spots, strikes : in currency, >= 0; all arrays broadcast.
    years : to expiry, >= 0. rates, yields : continuous decimals, of any sign.
    dividends : pairs (years to the ex-date, cash), in order of time, each not after expiry.
    american : whether exercise is possible before expiry.
    absorbed : whether a spot that a dividend would take below 0 stays at 0.

    Between ex-dates the gain K exp(-r t) - S exp(-q t) has its one stationary point where
    t = log(r K / (q S)) / (r - q); both ends of every stretch and that point are tried.
    """
    sign = np.where(is_call, -1.0, 1.0)
    clock = np.zeros_like(years)
    discount, stock = np.ones_like(years), spots
    best = np.zeros(np.broadcast_shapes(*(np.shape(a) for a in (spots, strikes, years, rates, is_call))))
    for moment, cash in (*dividends, (years, np.zeros_like(years))):
        length = moment - clock
        if american:
            for wait in (np.zeros_like(length), _turn(stock, strikes, length, rates, yields), length):
                gain = strikes * np.exp(-rates * wait) - stock * np.exp(-yields * wait)
                best = np.maximum(best, discount * sign * gain)
        stock = stock * np.exp((rates - yields) * length) - cash
        stock = np.maximum(stock, 0.0) if absorbed else stock
        discount, clock = discount * np.exp(-rates * length), moment
    return np.maximum(best, discount * sign * (strikes - stock))


def _turn(stock: Floats, strikes: Floats, length: Floats, rates: Floats, yields: Floats) -> Floats:
    """Time of the stationary point where it lies within the stretch, else 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        turn = np.log(rates * strikes / (yields * stock)) / (rates - yields)
    return np.where((turn > 0) & (turn < length), turn, 0.0)

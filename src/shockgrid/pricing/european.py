"""European options on a forward (Black 1976), written for correctness and used to test the backends."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from shockgrid.arrays import Floats


def black(
    forwards: ArrayLike,
    strikes: ArrayLike,
    years: ArrayLike,
    vols: ArrayLike,
    discount_factors: ArrayLike,
    is_call: ArrayLike,
) -> Floats:
    """Discounted Black (1976) values, elementwise under broadcasting.

    Parameters
    ----------
    forwards : forward of what is delivered, in currency; zero or less means that cash dividends are worth
        more than the spot, and the option is then worth its discounted intrinsic value on the forward.
    strikes : in currency, >= 0.
    years : time to expiry in years (ACT/365F), >= 0.
    vols : decimals per square root of a year, >= 0 (0.25 is 25 %).
    discount_factors : from now to expiry, > 0.
    is_call : True for a call, False for a put.

    Returns
    -------
    Values in currency, float64, of the broadcast shape, >= 0. Zero time or zero vol gives the discounted
    intrinsic value on the forward. Inputs are not checked here; see ``shockgrid.price_european``.

    The side out of the money is priced and the other follows from put-call parity, so parity holds to
    rounding. Source: F. Black, "The pricing of commodity contracts" (1976); E. G. Haug, "The Complete
    Guide to Option Pricing Formulas", 2nd ed., section 1.1.
    """
    forward, strike, discount = (np.asarray(a, np.float64) for a in (forwards, strikes, discount_factors))
    call = np.asarray(is_call, np.bool_)
    deviation = np.asarray(vols, np.float64) * np.sqrt(np.asarray(years, np.float64))
    exercise = np.where(call, forward - strike, strike - forward)
    time_value = _time_values(forward, strike, deviation)
    return np.asarray(discount * (np.maximum(exercise, 0.0) + time_value), np.float64)


def _time_values(forwards: Floats, strikes: Floats, deviations: Floats) -> Floats:
    """Undiscounted value of the side out of the money; 0 where nothing is random."""
    random = (deviations > 0) & (forwards > 0) & (strikes > 0)
    low = np.where(random, np.minimum(forwards, strikes), 1.0)
    high = np.where(random, np.maximum(forwards, strikes), 1.0)
    deviation = np.where(random, deviations, 1.0)
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        upper = np.log(low / high) / deviation + 0.5 * deviation
        value = low * ndtr(upper) - high * ndtr(upper - deviation)
    return np.where(random, np.maximum(value, 0.0), 0.0)

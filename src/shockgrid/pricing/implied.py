"""Implied vol of discounted Black (1976) prices, vectorised, each element on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfcx, ndtri

from shockgrid.arrays import Floats, Mask
from shockgrid.pricing.european import black

Step: TypeAlias = Callable[[Floats, Floats], tuple[Floats, Floats]]

#: Time value in the money is a difference of two numbers, known to this part of the larger.
ROUNDING = 8 * np.finfo(np.float64).eps
REPRICING_TOLERANCE = 1e-10
STEP_TOLERANCE = 4 * np.finfo(np.float64).eps
MOST_STEPS = 60
BLOCK = 8192
ROOT_HALF = np.sqrt(0.5)


def implied_vol(
    prices: ArrayLike,
    forwards: ArrayLike,
    strikes: ArrayLike,
    years: ArrayLike,
    discount_factors: ArrayLike,
    is_call: ArrayLike,
) -> tuple[Floats, NDArray[np.str_]]:
    """The vols at which Black's formula gives the prices, elementwise under broadcasting.

    Parameters
    ----------
    prices : discounted option values, in currency.
    forwards, strikes, years, discount_factors, is_call : as in ``pricing.european.black``.

    Returns
    -------
    vols : float64, decimals per square root of a year, of the broadcast shape; 0.0 where there is a reason.
    reasons : text of the same shape; empty where solved, and then the vol gives the price back to
        1e-10 x forward. Otherwise, in the order in which they are tested:

        ``no_time``          years is zero.
        ``below_intrinsic``  the price is below the discounted intrinsic value on the forward.
        ``above_max``        at or above what any vol gives: discounted forward for a call, strike for a put.
        ``no_time_value``    the price less intrinsic is zero: out of the money, not above 0; in the money,
                             not above 8 ulp (1.8e-15) of the discounted forward or strike, the larger.
        ``not_reproduced``   a vol was found but does not give the price back (amounts below the smallest
                             normal float64, which have lost their digits).

    The start depends on nothing but the element. Newton's method runs in a transform of the price of the
    side out of the money that is almost linear in the vol: below the inflection point vol * sqrt(years) =
    sqrt(2 |log(F/K)|) the root of -1/log(price), above it the normal quantile of the distance to the
    largest price. Source for splitting there: P. Jaeckel, "Let's be rational" (2015).
    """
    columns = (prices, forwards, strikes, years, discount_factors)
    arrays = np.broadcast_arrays(*(np.asarray(a, np.float64) for a in columns), np.asarray(is_call, np.bool_))
    shape = arrays[0].shape
    vols = np.zeros(shape)
    reasons = np.zeros(shape, "U15")
    flat_vols, flat_reasons = vols.reshape(-1), reasons.reshape(-1)
    for start in range(0, vols.size, BLOCK):
        part = slice(start, start + BLOCK)
        block = [array.flat[part] for array in arrays]
        flat_vols[part], flat_reasons[part] = _block(*block)
    return vols, reasons


def _block(
    prices: Floats, forwards: Floats, strikes: Floats, years: Floats, discounts: Floats, calls: Mask
) -> tuple[Floats, NDArray[np.str_]]:
    exercise = discounts * np.where(calls, forwards - strikes, strikes - forwards)
    time_values = prices - np.maximum(exercise, 0.0)
    larger = discounts * np.maximum(np.abs(forwards), strikes)
    noise = np.where(exercise > 0, ROUNDING * larger, 0.0)
    most = discounts * np.maximum(np.minimum(forwards, strikes), 0.0)
    reasons = np.select(
        [years <= 0, time_values < -noise, time_values > np.maximum(most, noise), time_values <= noise],
        ["no_time", "below_intrinsic", "above_max", "no_time_value"],
        "",
    ).astype("U15")
    reasons[(reasons == "") & (time_values >= most)] = "above_max"
    rows = np.flatnonzero(reasons == "")
    vols = np.zeros(len(prices))
    if len(rows) == 0:
        return vols, reasons
    with np.errstate(over="ignore", under="ignore"):
        logs = -np.abs(np.log(forwards[rows] / strikes[rows]))
        deviations = _solve(logs, time_values[rows] / most[rows], (most - time_values)[rows] / most[rows])
        vols[rows] = deviations / np.sqrt(years[rows])
        inputs = (forwards[rows], strikes[rows], years[rows], vols[rows], discounts[rows], calls[rows])
        miss = np.abs(black(*inputs) - prices[rows])
    wrong = rows[~(miss <= REPRICING_TOLERANCE * forwards[rows])]
    reasons[wrong] = "not_reproduced"
    vols[wrong] = 0.0
    return vols, reasons


def _solve(logs: Floats, shares: Floats, gaps: Floats) -> Floats:
    """Deviation at which a call out of the money (log F/K <= 0) is worth ``shares`` of its forward.

    ``gaps`` is 1 - shares, passed in because it keeps its digits where the share is close to 1.
    """
    inflections = np.sqrt(-2.0 * logs)
    scaled = erfcx(ROOT_HALF * inflections)
    limits = 0.5 * (1.0 - scaled)
    low = shares < limits
    result = inflections.copy()
    if low.any():
        start = inflections[low] * np.sqrt(np.log(limits[low]) / np.log(shares[low]))
        target = 1.0 / np.sqrt(-np.log(shares[low]))
        result[low] = _newton(_low_side, start, target, logs[low], np.zeros_like(start), inflections[low])
    high = ~low
    if high.any():
        target = -ndtri(0.5 * gaps[high])
        start = inflections[high] + 2.0 * (target + ndtri(0.25 * (1.0 + scaled[high])))
        ceiling = np.full_like(start, np.inf)
        result[high] = _newton(_high_side, start, target, logs[high], inflections[high], ceiling)
    return result


def _low_side(logs: Floats, deviations: Floats) -> tuple[Floats, Floats]:
    """(-log share) ** -0.5 and its slope in the deviation, for d1 <= 0."""
    upper = logs / deviations + 0.5 * deviations
    difference = erfcx(-ROOT_HALF * upper) - erfcx(-ROOT_HALF * (upper - deviations))
    level = 0.5 * upper * upper - np.log(0.5 * difference)
    value = 1.0 / np.sqrt(level)
    return value, value / level / difference * np.sqrt(0.5 / np.pi)


def _high_side(logs: Floats, deviations: Floats) -> tuple[Floats, Floats]:
    """Normal quantile of 1 - gap / 2 and its slope in the deviation, for d1 >= 0."""
    upper = logs / deviations + 0.5 * deviations
    scaled = 0.25 * (erfcx(ROOT_HALF * upper) + erfcx(-ROOT_HALF * (upper - deviations)))
    value = -ndtri(np.exp(-0.5 * upper * upper) * scaled)
    return value, 0.5 * np.exp(0.5 * (value * value - upper * upper))


def _newton(step: Step, start: Floats, target: Floats, logs: Floats, low: Floats, high: Floats) -> Floats:
    """Bracketed Newton; an element leaves when it has converged, so no element depends on another."""
    result = start.copy()
    rows = np.arange(len(start))
    x = start
    for _ in range(MOST_STEPS):
        value, slope = step(logs, x)
        miss = target - value
        low, high = np.where(miss > 0, x, low), np.where(miss < 0, x, high)
        new = x + miss / slope
        outside = ~((new > low) & (new < high)) & (miss != 0)
        new[outside] = np.where(np.isinf(high), 2.0 * x, 0.5 * (low + high))[outside]
        result[rows] = new
        going = np.abs(new - x) > STEP_TOLERANCE * x
        if not going.any():
            break
        rows, x, target, logs = rows[going], new[going], target[going], logs[going]
        low, high = low[going], high[going]
    return result

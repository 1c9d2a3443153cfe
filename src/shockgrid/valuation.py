"""European and American values and implied vols as functions of plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shockgrid.arrays import Floats, Mask
from shockgrid.backends import Backend, get_backend
from shockgrid.backends.contract import PricesChecked
from shockgrid.doors import refused, shown
from shockgrid.errors import InputError
from shockgrid.pricing.dividends import with_dividends

ANY, NOT_NEGATIVE, POSITIVE = "finite", "finite and >= 0", "finite and > 0"
BITS_OF_INFINITY = np.float64(np.inf).view(np.uint64)  #: only finite numbers from 0 on are below
LARGEST_AMOUNT = 1e100  #: of currency, where an American value is asked for
LARGEST_AMERICAN_VOL = 1000.0  #: 100,000 %: beyond it the exercise boundary is lost to rounding
LARGEST_GROWTH = 100.0  #: of rate * years and yield * years, in size: a factor of 1e43


def price_european(
    *,
    forwards: ArrayLike,
    strikes: ArrayLike,
    expiries: ArrayLike,
    vols: ArrayLike,
    discount_factors: ArrayLike,
    is_call: ArrayLike,
    backend: str | Backend = "auto",
) -> Floats:
    """Values of European options on a forward, Black (1976).

    Arguments broadcast against each other under NumPy's rules; the broadcast is not held in memory.

    Parameters
    ----------
    forwards : forward price of what is delivered at expiry, in currency. Zero or less is allowed: cash
        dividends are then worth more than the spot, and the option its intrinsic value on the forward.
    strikes : in currency, >= 0.
    expiries : time to expiry in years (ACT/365F), >= 0.
    vols : decimals per square root of a year, >= 0 (0.25 is 25 %).
    discount_factors : from now to expiry, > 0.
    is_call : True for a call, False for a put.
    backend : a name for ``get_backend``, or a backend.

    Returns
    -------
    Values in currency, float64, of the broadcast shape, >= 0, never NaN. The error is below 1e-14 of the
    larger of forward and value. Zero time or zero vol gives the discounted intrinsic value.

    Raises
    ------
    InputError : an argument is not finite or is out of range; names it, the index and the value.
    BackendUnavailable : the backend asked for by name cannot run here.

    Source: F. Black, "The pricing of commodity contracts", J. Financial Economics 3 (1976); E. G. Haug,
    "The Complete Guide to Option Pricing Formulas", 2nd ed., section 1.1. Its example:

    >>> float(price_european(forwards=19, strikes=19, expiries=0.75, vols=0.28,
    ...                      discount_factors=0.92774348632855, is_call=True).round(4))
    1.7011
    """
    given = {"forwards": (forwards, ANY), "strikes": (strikes, NOT_NEGATIVE)}
    given |= {"expiries": (expiries, NOT_NEGATIVE), "vols": (vols, NOT_NEGATIVE)}
    given |= {"discount_factors": (discount_factors, POSITIVE)}
    chosen = get_backend(backend)
    if isinstance(chosen, PricesChecked):
        numbers, calls = _numbers(given), _flags(is_call)
        _check_shapes({**numbers, "is_call": calls})
        values = chosen.black_checked(*numbers.values(), calls)
        if values is not None:
            return values
    inputs, calls = _checked(given), _flags(is_call)
    _check_shapes({**inputs, "is_call": calls})
    arrays = [chosen.put(array) for array in (*inputs.values(), calls)]
    return np.asarray(chosen.get(chosen.black(*arrays)), np.float64)


def price_american(
    *,
    spots: ArrayLike,
    strikes: ArrayLike,
    expiries: ArrayLike,
    vols: ArrayLike,
    rates: ArrayLike,
    yields: ArrayLike,
    is_call: ArrayLike,
    dividends: Sequence[tuple[float, float]] = (),
    backend: str | Backend = "auto",
) -> Floats:
    """Values of American options with a continuous yield, cash dividends, or both.

    Arguments broadcast against each other under NumPy's rules.

    Parameters
    ----------
    spots, strikes : in currency, >= 0, at most 1e100.
    expiries : time to expiry in years (ACT/365F), >= 0.
    vols : decimals per square root of a year (0.25 is 25 %), >= 0, at most 1,000.
    rates, yields : continuous decimals of any sign; times expiries at most 100 in size. The cost of borrowing
        the spot is a yield.
    is_call : True for a call, False for a put.
    dividends : pairs (years to the ex-date, cash per unit of the spot), for all options, in any order.
        Between ex-dates the spot is lognormal, on each it drops by the cash, to 0 at most. Those at 0 years
        have been paid; those after an option's expiry do not touch it.
    backend : as in ``price_european``; checked, but ``shockgrid.pricing`` computes on the host.

    Returns
    -------
    Values in currency, float64, of the broadcast shape, never NaN, at least the value of exercise now. The
    error is below 5e-6 of the spot (vols of 5-100 %, up to 3 years), 5e-5 with cash dividends or where
    exercise lies between two boundaries. Zero time gives the value of exercise, zero vol that of exercise
    at the best moment.

    Raises
    ------
    InputError : an argument is not finite or is out of range; names it, the index and the value. Also with
        cash dividends before expiry where vol * sqrt(expiry) is above 25.
    BackendUnavailable : the backend asked for by name cannot run here.

    Source: L. Andersen, M. Lake, D. Offengenden, "High-performance American option pricing", J. Computational
    Finance 20 (2016); with cash dividends finite differences, ``shockgrid.pricing.heat_grid``.

    >>> float(price_american(spots=100, strikes=100, expiries=180 / 365, vols=0.3, rates=0.04, yields=0,
    ...                      is_call=False, dividends=[(45 / 365, 1.2), (136 / 365, 1.2)]).round(2))
    8.66
    """
    given = {"spots": (spots, NOT_NEGATIVE), "strikes": (strikes, NOT_NEGATIVE)}
    given |= {"expiries": (expiries, NOT_NEGATIVE), "vols": (vols, NOT_NEGATIVE)}
    given |= {"rates": (rates, ANY), "yields": (yields, ANY)}
    inputs, calls = _checked(given), _flags(is_call)
    _check_shapes({**inputs, "is_call": calls})
    pairs = _pairs(dividends)
    _check_sizes({**inputs, "dividends": pairs})
    get_backend(backend)
    spot, strike, years, vol, rate, dividend_yield = inputs.values()
    return with_dividends(spot, strike, years, vol, rate, dividend_yield, calls, pairs[:, 0], pairs[:, 1])


def implied_vol(
    *,
    prices: ArrayLike,
    forwards: ArrayLike,
    strikes: ArrayLike,
    expiries: ArrayLike,
    discount_factors: ArrayLike,
    is_call: ArrayLike,
    backend: str | Backend = "auto",
) -> tuple[Floats, NDArray[np.str_]]:
    """The vols at which ``price_european`` gives the prices back.

    Parameters
    ----------
    prices : discounted option values, in currency; any finite number.
    forwards, strikes, expiries, discount_factors, is_call, backend : as in ``price_european``.

    Returns
    -------
    vols : float64 decimals of the broadcast shape, never NaN; 0.0 where no vol is defined.
    reasons : text of the same shape, empty where a vol was found: it then gives the price back to
        1e-10 x forward. Else ``no_time``, ``below_intrinsic``, ``above_max``, ``no_time_value`` or
        ``not_reproduced``; see ``shockgrid.pricing.implied.implied_vol`` for their exact meaning.

    Raises
    ------
    InputError : an argument is not finite or is out of range; names it, the index and the value.
    BackendUnavailable : the backend asked for by name cannot run here.

    >>> vols, reasons = implied_vol(prices=[1.7011, 25.0], forwards=19, strikes=19, expiries=0.75,
    ...                             discount_factors=0.92774348632855, is_call=True)
    >>> vols.round(4).tolist(), reasons.tolist()
    ([0.28, 0.0], ['', 'above_max'])
    """
    given = {"prices": (prices, ANY), "forwards": (forwards, ANY), "strikes": (strikes, NOT_NEGATIVE)}
    given |= {"expiries": (expiries, NOT_NEGATIVE), "discount_factors": (discount_factors, POSITIVE)}
    inputs = _checked(given)
    calls = _flags(is_call)
    _check_shapes({**inputs, "is_call": calls})
    chosen = get_backend(backend)
    arrays = [chosen.put(array) for array in (*inputs.values(), calls)]
    vols, reasons = chosen.implied_vol(*arrays)
    return np.asarray(chosen.get(vols), np.float64), np.asarray(chosen.get(reasons))


def _numbers(arguments: Mapping[str, tuple[ArrayLike, str]]) -> dict[str, Floats]:
    arrays = {}
    for name, (argument, _) in arguments.items():
        try:
            arrays[name] = np.asarray(argument, np.float64)
        except (TypeError, ValueError) as error:
            problem = f"{name} must hold numbers: {error}"
            raise InputError(problem) from error
    return arrays


def _checked(arguments: Mapping[str, tuple[ArrayLike, str]]) -> dict[str, Floats]:
    arrays = _numbers(arguments)
    for name, array in arrays.items():
        expected = arguments[name][1]
        if not _within(array, expected):
            good = np.isfinite(array)
            if expected != ANY:
                good &= array >= 0 if expected == NOT_NEGATIVE else array > 0
            _require(name, array, good, expected)
    return arrays


def _within(array: Floats, expected: str) -> bool:
    if expected == NOT_NEGATIVE:  # -0.0, which is good, is looked at again
        return bool(array.view(np.uint64).max(initial=0) < BITS_OF_INFINITY)
    low, high = array.min(initial=np.inf), array.max(initial=-np.inf)  # NaN where there is one
    return bool((-np.inf if expected == ANY else 0.0) < low and high < np.inf)


def _flags(is_call: ArrayLike) -> Mask:
    try:
        array = np.asarray(is_call)
    except ValueError as error:
        expected = "True or False"
        raise refused(expected, "is_call", is_call) from error
    if array.dtype != np.bool_:
        good = (array == 0) | (array == 1) if array.dtype.kind in "iuf" else np.zeros(array.shape, np.bool_)
        _require("is_call", array, np.asarray(good), "True or False")
    return array.astype(np.bool_, copy=False)


def _require(name: str, array: NDArray[np.generic], good: Mask, expected: str) -> None:
    if good.all():
        return
    index = np.unravel_index(int(np.argmin(good)), array.shape)
    place = f"{name}[{', '.join(str(int(i)) for i in index)}]" if array.ndim else name
    problem = f"{place} must be {expected}"
    raise InputError(problem, value=shown(array[index]))


def _check_shapes(arrays: Mapping[str, NDArray[np.generic]]) -> None:
    try:
        np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError as error:
        shapes = (f"{name} {array.shape}" for name, array in arrays.items())
        problem = f"arguments do not broadcast together: {', '.join(shapes)}"
        raise InputError(problem) from error


def _check_sizes(inputs: Mapping[str, Floats]) -> None:
    sizes = {name: (inputs[name], LARGEST_AMOUNT) for name in ("spots", "strikes", "dividends")}
    sizes["vols"] = (inputs["vols"], LARGEST_AMERICAN_VOL)
    for name in ("rates", "yields"):
        with np.errstate(over="ignore"):
            sizes[f"{name} * expiries"] = (np.abs(inputs[name] * inputs["expiries"]), LARGEST_GROWTH)
    for name, (array, most) in sizes.items():
        _require(name, array, np.asarray(array <= most), f"at most {most:g} in size")


def _pairs(dividends: Sequence[tuple[float, float]]) -> Floats:
    pairs = _checked({"dividends": (dividends, NOT_NEGATIVE)})["dividends"]
    if pairs.size and (pairs.ndim != 2 or pairs.shape[1] != 2):
        problem = f"dividends must be pairs (years, cash), not an array of shape {pairs.shape}"
        raise InputError(problem)
    return pairs if pairs.size else np.zeros((1, 2))

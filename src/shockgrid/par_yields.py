"""From par yields to zero rates: each tenor in turn, so that its par bond is worth 100 on the curve."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from shockgrid.arrays import Floats
from shockgrid.carry import Curve
from shockgrid.errors import InputError

PERIOD = 0.5  #: years between coupons
LARGEST_PAR_YIELD = 0.5  #: decimal; beyond it a yield is a typing error
_RATES = (-1.0, 1.0)  #: between which a zero rate is sought
_TOLERANCE = 1e-15


def zero_rates(years: Floats, par_yields: Floats) -> Floats:
    """Continuous zero rates at the tenors of a par curve.

    A par yield is bond-equivalent, with semi-annual compounding. Up to half a year it is that of a single
    payment, exp(-z t) = (1 + y / 2) ** (-2 t); beyond, a bond that pays y / 2 at maturity and every half
    year before it is worth 1. Between tenors the discount factor is log-linear and before the first the zero
    rate is flat, as in ``Curve``.

    Parameters
    ----------
    years : tenors, > 0 and ascending; from one year on in half years.     par_yields : decimals.

    Raises
    ------
    InputError : tenors that do not ascend or are no half years, a yield that is not finite or looks like
        per cent, or one that no zero rate fits.
    """
    years, par_yields = np.asarray(years, np.float64), np.asarray(par_yields, np.float64)
    _check(years, par_yields)
    rates = np.zeros(len(years))
    for place, (tenor, par) in enumerate(zip(years.tolist(), par_yields.tolist(), strict=True)):
        rates[place] = 2.0 * np.log1p(0.5 * par)
        if tenor > PERIOD:
            rates[place] = _fitted(years[: place + 1], rates[:place], par)
    return rates


def par_bond_price(curve: Curve, tenor: float, par_yield: float, currency: str = "USD") -> float:
    """What a bond of this tenor (years, in half years) with this coupon is worth on a curve; 1 is par."""
    payments = PERIOD * np.arange(1, round(tenor / PERIOD) + 1, dtype=np.float64)
    factors = curve.discount_factors(currency, payments)
    return float(PERIOD * par_yield * factors.sum() + factors[-1])


def _fitted(years: Floats, known: Floats, par_yield: float) -> float:
    """The zero rate of the last tenor, given those before it."""

    def excess(rate: float) -> float:
        curve = Curve({"USD": (years, np.append(known, rate))})
        return par_bond_price(curve, float(years[-1]), par_yield) - 1.0

    if not excess(_RATES[0]) > 0.0 > excess(_RATES[1]):
        msg = f"no zero rate at {years[-1]:g} years makes its par bond worth 100"
        raise InputError(msg, column="par yield", value=par_yield)
    return float(brentq(excess, *_RATES, xtol=_TOLERANCE))


def _check(years: Floats, par_yields: Floats) -> None:
    if len(years) == 0 or years.shape != par_yields.shape:
        msg = "expected as many tenors as yields, and at least one"
        raise InputError(msg, column="par yield")
    if not (np.diff(years, prepend=0.0) > 0.0).all():
        msg = "expected tenors above 0 that ascend"
        raise InputError(msg, column="years", value=years.tolist())
    bonds = years[years > PERIOD] / PERIOD
    if not (bonds == np.rint(bonds)).all():
        msg = "expected tenors beyond half a year in half years"
        raise InputError(msg, column="years", value=years.tolist())
    wrong = ~(np.abs(par_yields) <= LARGEST_PAR_YIELD)
    if wrong.any():
        msg = "expected a yield as a decimal (0.05 is 5 %)"
        raise InputError(msg, column="par yield", value=float(par_yields[wrong][0]))

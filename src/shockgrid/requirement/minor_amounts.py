"""Amounts in whole minor units of their currency (cents, yen, satoshis), and who falls short by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Floats
from shockgrid.minor_units import minor_digits

SMALLEST = 1e-4  #: of a minor unit; less is what sums of binary fractions are off by


def digits_of(currencies: pd.Series) -> NDArray[np.int64]:
    """Digits after the point of each currency; see ``shockgrid.minor_units``.

    Raises InputError for one that is blank.
    """
    codes, names = pd.factorize(currencies, use_na_sentinel=False)
    return np.array([minor_digits(name) for name in names], np.int64)[codes]


def in_units(amounts: Any, digits: Any) -> Floats:
    """Amounts in whole minor units of so many digits, rounded half up; NaN stays."""
    scaled = np.asarray(amounts, np.float64) * 10.0 ** np.asarray(digits, np.float64)
    return np.floor(np.round(scaled, 6) + 0.5)


def units_held(amounts: Any, digits: Any) -> Floats:
    """Amounts in whole minor units of so many digits, rounded down: what there is in full; NaN stays."""
    return np.floor(np.asarray(amounts, np.float64) * 10.0 ** np.asarray(digits, np.float64) + SMALLEST)


def shortfalls(needed: Any, held: Any, digits: Any) -> Floats:
    """What is missing to what is needed, in whole minor units; 0 where nothing is. NaN stays.

    What is needed is a figure in minor units (rounded half up), what is held counts in full ones: so what is
    missing rounds up, and once it is paid nothing is missing.

    >>> shortfalls([2819.993, 100.0, 0.0], [2500.0, 99.996, -7.001], 2).tolist()
    [31999.0, 1.0, 701.0]
    """
    needs, has = np.asarray(needed, np.float64), np.asarray(held, np.float64)
    scale = 10.0 ** np.asarray(digits, np.float64)
    missing = np.maximum(in_units(needs, digits) - units_held(has, digits), 0.0)
    short: Floats = np.where((needs - has) * scale <= SMALLEST, 0.0, missing)
    return short


def deficits_of(accounts: pd.DataFrame) -> pd.Series:
    """What each row of an accounts frame lacks of its requirement, in its currency; 0 where nothing.

    Rounded like a margin call, so that who pays what is called is in deficit no more.
    """
    digits = digits_of(accounts["currency"])
    missing = shortfalls(accounts["requirement"], accounts["equity_at_marks"], digits)
    return pd.Series(missing / 10.0**digits, accounts.index)


def falls_short(accounts: pd.DataFrame) -> pd.Series:
    """Mask of the rows of an accounts frame in deficit; see ``deficits_of``."""
    return deficits_of(accounts) > 0.0

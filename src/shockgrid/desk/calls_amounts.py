"""Amounts of calls: whole minor units of a currency, and the digits that they count."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shockgrid.errors import InputError
from shockgrid.requirement.minor_amounts import in_units

LARGEST_UNITS = 2**63 - 1
MOST_DIGITS = 18  #: of an amount: one of the currency still fits 64 bits


def to_units(amounts: Any, digits: Any) -> NDArray[np.int64]:
    """Whole minor units of amounts of money, rounded half up.

    >>> to_units([319.99, -0.005, 2819.985], 2).tolist()
    [31999, 0, 281999]
    """
    return in_units(amounts, digits).astype(np.int64)


def rescaled(units: int, digits: int, finer: int) -> int:
    """Units of so many digits as units of as many or more, exactly.

    >>> rescaled(1050, 2, 8)
    1050000000
    """
    factor: int = 10 ** (finer - digits)
    return units * factor


def value_of(units: int, digits: int) -> float:
    """Units as an amount of the currency, the nearest float."""
    return float(Decimal(units).scaleb(-digits))


def amount_text(units: int, digits: int, *, sign: str = "-", grouped: bool = True) -> str:
    """Units as an amount of the currency, exactly; ``sign`` as in a format: "+" shows that of a gain too.

    >>> amount_text(123456789, 8), amount_text(-31999, 2), amount_text(1500, 0)
    ('1.23456789', '-319.99', '1,500')
    """
    return f"{Decimal(units).scaleb(-digits):{sign}{',' if grouped else ''}.{digits}f}"


def whole_units(amount: str, digits: int) -> int:
    """Minor units of an amount as a person writes it, exactly.

    Raises InputError where it is no amount or has more decimals than its currency.

    >>> whole_units("319.99", 2), whole_units("-1,250", 2), whole_units("0.00000001", 8)
    (31999, -125000, 1)
    """
    problem = (
        f"expected an amount with at most {digits} decimals, such as {amount_text(123 * 10**digits, digits)}"
    )
    try:
        units = Decimal(amount.replace(",", "")).scaleb(digits)
    except ArithmeticError as error:
        raise InputError(problem, column="amount", value=amount) from error
    if not units.is_finite() or units != units.to_integral_value() or abs(units) > LARGEST_UNITS:
        raise InputError(problem, column="amount", value=amount)
    return int(units)

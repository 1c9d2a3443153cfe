"""With which numbers a backend looks for worst scenarios. What it finds is the same to the byte."""

from __future__ import annotations

from shockgrid.errors import InputError

#: Everything in float64; or European options screened in float32, and in float64 what may be the worst.
DOUBLE, MIXED = "double", "mixed"
PRECISIONS = (DOUBLE, MIXED)
SUFFIX = f"-{MIXED}"  #: of the name of a backend


def require_precision(precision: str) -> str:
    """The precision itself. Raises InputError for one that does not exist."""
    if precision not in PRECISIONS:
        problem = f"expected one of {', '.join(PRECISIONS)}"
        raise InputError(problem, column="precision", value=precision)
    return precision


def named(name: str, precision: str) -> str:
    """The name of a backend of that precision: ``native``, or ``native-mixed``."""
    return f"{name}{SUFFIX}" if precision == MIXED else name

"""Arguments checked at the door: each refusal names the argument, what was expected and what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.errors import InputError

Kinds: TypeAlias = type | tuple[type, ...]

LONGEST_SHOWN = 60  #: letters of a value in a refusal
_WORDS = {int: "a whole number", str: "text", bool: "True or False", Mapping: "a mapping"}


def shown(value: object) -> object:
    """An argument as a refusal shows it, cut to a length one can read; what is no plain value by its kind."""
    if isinstance(value, np.generic):
        return shown(value.item())
    if isinstance(value, Real):
        return value
    if isinstance(value, str):
        return value[:LONGEST_SHOWN]
    plain = isinstance(value, bytes | list | tuple | dict | set | frozenset) or value is None
    return repr(value)[:LONGEST_SHOWN] if plain else type(value).__name__


def refused(expected: str, column: str, value: object) -> InputError:
    """The error for an argument that is not what was expected."""
    return InputError(f"expected {expected}", column=column, value=shown(value))


def require_kind(value: object, kind: Kinds, column: str, words: str = "") -> None:
    """Raises InputError, naming the argument, where ``value`` is of another kind; a bool is no number."""
    if kind is int:
        fits = isinstance(value, Integral)
    elif kind is bool:
        fits = isinstance(value, bool | np.bool_)
    else:
        fits = isinstance(value, kind)
    if not fits or (isinstance(value, bool) and kind is not bool):
        known = _WORDS.get(kind) if isinstance(kind, type) else None
        first = kind if isinstance(kind, type) else kind[0]
        raise refused(words or known or f"a {first.__name__}", column, value)


def whole_number(value: Any, column: str, *, least: int) -> int:
    """A whole number of at least ``least``. Raises InputError."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        expected = f"a whole number of at least {least}"
        raise refused(expected, column, value)
    return int(value)


def number(value: Any, column: str, expected: str, fits: Callable[[float], bool]) -> float:
    """A number that ``fits``; ``expected`` says in words which those are. Raises InputError."""
    good = isinstance(value, Real) and not isinstance(value, bool)
    if not good or not fits(float(value)):
        raise refused(expected, column, value)
    return float(value)


def numbers(values: Any, column: str) -> Floats:
    """An array of numbers, as ``np.asarray`` makes it. Raises InputError; NaN is left to the caller."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        expected = "numbers"
        raise refused(expected, column, values) from error


def one_of(value: Any, choices: Sequence[str], column: str) -> str:
    """One of these texts. Raises InputError."""
    if not isinstance(value, str) or value not in choices:
        expected = f"one of {', '.join(choices)}"
        raise refused(expected, column, value)
    return value


def text(value: Any, column: str) -> str:
    """A text. Raises InputError."""
    require_kind(value, str, column)
    return str(value)


def texts(values: Any, column: str) -> list[str]:
    """Several texts; a single one is a list of one. Raises InputError."""
    if isinstance(values, str):
        return [values]
    expected = "a list of texts"
    if not isinstance(values, Iterable) or isinstance(values, bytes | Mapping):
        raise refused(expected, column, values)
    found = list(values)
    for value in found:
        if not isinstance(value, str):
            raise refused(expected, column, value)
    return found

"""Refusing an argument of another kind at the door, by name."""

from __future__ import annotations

from shockgrid.errors import InputError


def require_kind(value: object, kind: type, column: str) -> None:
    """Raises InputError, naming the argument, where ``value`` is of another kind; a bool is no number."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        problem = f"expected {_WORDS.get(kind, f'a {kind.__name__}')}"
        raise InputError(problem, column=column, value=repr(value)[:60])


_WORDS = {int: "a whole number", str: "text"}

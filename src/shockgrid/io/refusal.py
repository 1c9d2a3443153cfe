"""The one way files are refused: by file, line and column."""

from __future__ import annotations

from shockgrid.errors import InputError


def refusal(
    table: str, problem: str, *, line: int | None = None, column: str = "", value: object = None
) -> InputError:
    """An InputError for a file; ``table`` is its name or path."""
    return InputError(problem, table=table, line=line, column=column, value=value)

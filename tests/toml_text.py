"""Plain values as TOML text, for parameter files made in tests."""

from __future__ import annotations

from typing import Any


def written(table: dict[str, Any]) -> str:
    """A table of texts, numbers, lists and tables."""
    return "\n".join(f"{name} = {_value(value)}" for name, value in table.items()) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{name}" = {_value(part)}' for name, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(part) for part in value) + "]"
    if isinstance(value, str):
        return value if value[:4].isdigit() and value.count("-") == 2 else f'"{value}"'
    return repr(value)

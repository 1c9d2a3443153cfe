"""Columns that say the same on every line of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from shockgrid.cells import numbers
from shockgrid.io.refusal import refusal


def require_columns(path: Path, frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse a file without these columns, naming the first that is missing, or without a row."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise refusal(path.name, "a required column is missing", column=missing[0])
    if frame.empty:
        raise refusal(path.name, "the file has no rows")


def one_value(path: Path, frame: pd.DataFrame, column: str) -> str:
    """The text that every line holds; two different ones are an InputError that names the line."""
    values = frame[column].to_numpy(object)
    other = np.flatnonzero(values != values[0])
    if len(other):
        line = int(frame["_line"].iloc[other[0]])
        problem = f"expected {values[0]} as on the first line"
        raise refusal(path.name, problem, line=line, column=column, value=values[other[0]])
    return str(values[0])


def one_number(path: Path, frame: pd.DataFrame, column: str) -> float:
    """The positive, finite number that every line holds."""
    text = one_value(path, frame, column)
    value = float(numbers(pd.Series([text]))[0][0])
    if not 0.0 < value < np.inf:
        raise refusal(path.name, "expected a number > 0", column=column, value=text)
    return value

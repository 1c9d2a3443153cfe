"""Instants as the desk keeps them: in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from shockgrid.errors import InputError


def utc(instant: datetime, column: str) -> datetime:
    """The same instant in UTC; InputError, naming ``column``, for one without a zone or no instant at all."""
    if not isinstance(instant, datetime):
        problem = "expected a datetime with its zone"
        raise InputError(problem, column=column, value=type(instant).__name__)
    if instant.tzinfo is None:
        problem = "an instant needs its zone"
        raise InputError(problem, column=column, value=instant.isoformat())
    return instant.astimezone(UTC)


def stamp(instant: datetime, column: str) -> np.datetime64:
    """The same as datetime64[ns]."""
    return np.datetime64(utc(instant, column).replace(tzinfo=None), "ns")

"""Orders and fills in the shapes people write them in, as a frame with a row for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from shockgrid.columns import frame_of
from shockgrid.doors import refused
from shockgrid.errors import InputError

SHAPES = "a frame, a list of orders (mappings) or a mapping of columns"


def order_frame(source: Any, table: str, columns: Sequence[str]) -> pd.DataFrame:
    """Rows as a DataFrame: a frame, a list of mappings, one mapping of columns or of a single order, or a
    table with ``__arrow_c_stream__``. ``columns`` are those of an empty list.

    Raises
    ------
    InputError : another shape, an order of a list that is no mapping, or columns that are not of one length.
    """
    if isinstance(source, Mapping):
        return _of_mapping(source, table)
    if isinstance(source, list | tuple):
        for place, row in enumerate(source):
            if not isinstance(row, Mapping):
                problem = f"expected {SHAPES}"
                raise InputError(problem, table=table, line=place + 2, value=type(row).__name__)
        return pd.DataFrame(list(source), columns=None if len(source) else list(columns))
    if isinstance(source, pd.DataFrame) or hasattr(source, "__arrow_c_stream__"):
        return frame_of(source, table)
    raise refused(SHAPES, table, source)


def _of_mapping(source: Mapping[str, Any], table: str) -> pd.DataFrame:
    lists = [pd.api.types.is_list_like(column) for column in source.values()]
    try:
        return pd.DataFrame(dict(source) if any(lists) else [dict(source)])
    except ValueError as error:
        problem = f"expected columns of one length: {error}"
        raise InputError(problem, table=table) from error

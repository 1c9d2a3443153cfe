"""Files of unit P&L, such as OCC's theoretical profit and loss, made canonical by a column map."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from shockgrid.io.column_map import ColumnMap
from shockgrid.io.tables import read_file

TABLE = "unit_pnl"


def read_unit_pnl(path: Path | str, column_map: Path | str | None = None) -> pd.DataFrame:
    """The table ``shockgrid.regimes.imported`` takes: symbol, pnl_1 .. pnl_K, with the line of each row.

    Parameters
    ----------
    path : CSV or Parquet file.
    column_map : a TOML file with a section ``[unit_pnl]`` that renames the file's own columns, scales them
        (-1 where losses are positive) and filters rows; see ``shockgrid.io.column_map``.

    Raises
    ------
    InputError : the file cannot be read.     ParameterError : the map does not fit it.
    """
    frame = read_file(Path(path))
    if column_map is not None:
        frame, _ = ColumnMap.from_toml(Path(column_map)).apply(TABLE, frame)
    return frame

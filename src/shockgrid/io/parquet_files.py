"""Parquet in and out with page checksums: a flipped bit is an error, never a wrong number."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from shockgrid.io.atomic import replacing
from shockgrid.io.refusal import refusal


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame (without its index and ``_line``) as zstd Parquet; every page carries a checksum."""
    table = pa.Table.from_pandas(frame.drop(columns="_line", errors="ignore"), preserve_index=False)
    with replacing(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata(None), temporary, compression="zstd", write_page_checksum=True
        )


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file with its types; page checksums are verified, missing text is ``""``.

    Raises
    ------
    InputError : the file is damaged, cut short or not Parquet.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise refusal(path.name, f"damaged, cut short or not a Parquet file: {reason}") from error
    _require_distinct(path, table.column_names)
    columns = [_filled(column) for column in table.columns]
    frame: pd.DataFrame = pa.table(columns, names=table.column_names).to_pandas()
    return frame


def _require_distinct(path: Path, names: list[str]) -> None:
    for place, name in enumerate(names):
        if name in names[:place]:
            raise refusal(path.name, "the column is there twice", column=name)


def _filled(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return pc.fill_null(column, "") if text else column

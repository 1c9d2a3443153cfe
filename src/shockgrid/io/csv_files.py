"""CSV in and out: every cell is read as text, numbers are written by repr, text is safe in a spreadsheet."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.csv as pacsv  # type: ignore[import-untyped]
from numpy.typing import NDArray

from shockgrid.arrays import Mask
from shockgrid.errors import InputError
from shockgrid.io.atomic import replacing
from shockgrid.io.refusal import refusal

LINE_LIMIT = 1 << 20
"""Longest line that is read, in bytes."""
FILE_LIMIT = 1 << 31
"""Largest file that is read, in bytes; a million positions take about 33 MB."""

_CHUNK = 1 << 24
_BLOCK = 4 * LINE_LIMIT
_FORMULA = r"^[=+\-@\t\r\x00]"
_STRUCTURE = '[",\r\n]'


def read_csv(
    path: Path, *, preamble: int = 0, rename: Callable[[list[str]], list[str]] | None = None
) -> pd.DataFrame:
    """Read a comma-separated UTF-8 file; every column is text, ``""`` where blank, plus an int ``_line``.

    Types are never inferred: account ``000123``, ``1E5`` and ticker ``NA`` stay as they are. A byte order
    mark, CRLF and gzip are accepted; lines that start with ``#`` and blank lines are skipped. ``_line`` is
    the line of the file, counted from 1. ``preamble`` lines stand before the header; ``rename`` gives the
    columns other names before they are looked at.

    Raises
    ------
    InputError : not UTF-8, another separator, a row with more or fewer fields than the header, a column
        named twice, a line over ``LINE_LIMIT``; each names the line.
    """
    data = _read_bytes(path)
    buffer = np.frombuffer(data, dtype=np.uint8)
    starts, keep = _lines(path, data, buffer)
    keep[:preamble] = False
    numbers = np.flatnonzero(keep) + 1
    if not len(numbers):
        raise refusal(path.name, "the file has no header line")
    header = int(numbers[0])
    stop = int(starts[header]) if header < len(starts) else len(data)
    names = _header(path, data[starts[header - 1] : stop].decode(), header, rename)
    body: memoryview | NDArray[np.uint8] = memoryview(data)[stop:]
    if not keep[header:].all():
        lengths = np.diff(starts[header:], append=len(data))
        body = buffer[stop:][np.repeat(keep[header:], lengths)]
    frame = _parse(path, body, names, numbers[1:])
    frame["_line"] = numbers[1:]
    return frame


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame so that floats read back to the same bits and no text cell is taken for a formula.

    Text that starts with ``= + - @``, TAB, CR or NUL gets a leading ``'``; numbers stay numbers; a missing
    value is an empty cell. The index and a ``_line`` column are not written.
    """
    table = pa.Table.from_pandas(frame.drop(columns="_line", errors="ignore"), preserve_index=False)
    columns = [_safe_text(column) for column in table.columns]
    table = pa.table(columns, names=table.column_names)
    texts = [column for column in columns if pa.types.is_string(column.type)]
    plain = len(columns) > 1 and not any(_any_match(column, _STRUCTURE) for column in texts)
    options = pacsv.WriteOptions(include_header=False, quoting_style="none" if plain else "needed")
    with replacing(path) as temporary:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(table.column_names)
        with temporary.open("ab") as file:
            pacsv.write_csv(table, file, options)


def read_head(path: Path, lines: int) -> list[str]:
    """The first lines of a plain or gzipped UTF-8 file, without their ends; fewer where it is shorter."""
    with _opened(path) as file:
        data = b"".join(file.readline(LINE_LIMIT) for _ in range(lines))
    _require_utf8(path, data)
    return data.removeprefix(b"\xef\xbb\xbf").decode().splitlines()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The content of a file, unpacked where it is gzip; damage there is a refusal."""
    with path.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        if not packed:
            yield plain
            return
        try:
            with gzip.open(plain) as file:
                yield cast("BinaryIO", file)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise refusal(path.name, f"damaged or cut short: {error}") from error


def _read_bytes(path: Path) -> bytes:
    chunks: list[bytes] = []
    line, carried, total = 1, 0, 0
    with _opened(path) as file:
        while chunk := file.read(_CHUNK):
            ends = np.flatnonzero(np.frombuffer(chunk, dtype=np.uint8) == 10)
            lengths = np.diff(ends, prepend=-1 - carried, append=len(chunk))
            if lengths.max() > LINE_LIMIT:
                over = line + int(np.argmax(lengths > LINE_LIMIT))
                raise refusal(path.name, f"the line is longer than {LINE_LIMIT} bytes", line=over)
            line, carried, total = line + len(ends), int(lengths[-1]) - 1, total + len(chunk)
            if total > FILE_LIMIT:
                raise refusal(path.name, f"the file is larger than {FILE_LIMIT} bytes", line=line)
            chunks.append(chunk)
    data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    _require_utf8(path, data)
    return data.removeprefix(b"\xef\xbb\xbf")


def _require_utf8(path: Path, data: bytes) -> None:
    problem, at = "", -1
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        problem, at = f"byte 0x{data[error.start]:02x} is not UTF-8 text", error.start
    if at < 0 and (at := data.find(b"\0")) >= 0:
        problem = "a NUL byte: the file is binary or UTF-16, expected UTF-8 text"
    if at >= 0:
        line, column = data.count(b"\n", 0, at) + 1, at - data.rfind(b"\n", 0, at)
        raise refusal(path.name, f"byte {column} of the line: {problem}", line=line)


def _lines(path: Path, data: bytes, buffer: NDArray[np.uint8]) -> tuple[NDArray[np.int64], Mask]:
    """First byte of every line, and whether the line is neither blank nor a comment."""
    starts = np.concatenate(([0], np.flatnonzero(buffer == 10) + 1)).astype(np.int64)
    starts = starts[starts < len(buffer)]
    if not len(starts):
        return starts, np.zeros(0, dtype=bool)
    _require_whole_lines(path, data, buffer, starts)
    first = buffer[starts]
    keep = first != ord("#")
    if (first <= 32).any():
        keep &= np.logical_or.reduceat(buffer > 32, starts)
    return starts, keep


def _require_whole_lines(
    path: Path, data: bytes, buffer: NDArray[np.uint8], starts: NDArray[np.int64]
) -> None:
    """Refuse line ends inside a quoted value or by CR alone: lines could no longer be counted."""
    if data.count(b"\r") != data.count(b"\r\n"):
        alone = np.flatnonzero((buffer == 13) & (np.append(buffer[1:], 0) != 10))
        line = int(np.searchsorted(starts, alone[0], side="right"))
        raise refusal(path.name, "a carriage return without a line feed; expected LF or CRLF", line=line)
    if b'"' in data:
        quotes = np.add.reduceat(buffer == ord('"'), starts, dtype=np.int64)
        odd = (quotes % 2 == 1) & (buffer[starts] != ord("#"))
        if odd.any():
            line = int(np.argmax(odd)) + 1
            raise refusal(path.name, 'a quote (") is not closed on its line', line=line)


def _header(path: Path, text: str, line: int, rename: Callable[[list[str]], list[str]] | None) -> list[str]:
    for mark, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if text.count(mark) > text.count(","):
            raise refusal(path.name, f"columns are separated by {word}; expected commas", line=line)
    names = [name.strip() for name in next(csv.reader([text.strip("\r\n")]))]
    names = rename(names) if rename else names
    for place, name in enumerate(names, start=1):
        if not name:
            raise refusal(path.name, f"column {place} of the header has no name", line=line)
        if name in names[: place - 1]:
            raise refusal(path.name, "the column is there twice", line=line, column=name)
    return names


def _parse(
    path: Path, body: memoryview | NDArray[np.uint8], names: list[str], lines: NDArray[np.int64]
) -> pd.DataFrame:
    if not len(lines):
        return pd.DataFrame({name: pd.Series([], dtype="str") for name in names})
    buffer = pa.py_buffer(body)
    convert = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
    )
    read = pacsv.ReadOptions(column_names=names, block_size=_BLOCK)
    try:
        table = pacsv.read_csv(pa.BufferReader(buffer), read, convert_options=convert)
    except pa.ArrowInvalid as error:
        raise _explain(path, buffer, names, lines, error) from error
    if table.num_rows != len(lines):
        problem = f"{table.num_rows} rows were read from {len(lines)} lines"
        raise InputError(problem, table=path.name)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _explain(
    path: Path, buffer: pa.Buffer, names: list[str], lines: NDArray[np.int64], error: pa.ArrowInvalid
) -> InputError:
    """Read once more on one thread, which alone can say which row has the wrong number of fields."""
    rows: list[pacsv.InvalidRow] = []

    def note(row: pacsv.InvalidRow) -> str:
        rows.append(row)
        return "skip"

    read = pacsv.ReadOptions(column_names=names, block_size=_BLOCK, use_threads=False)
    pacsv.read_csv(pa.BufferReader(buffer), read, pacsv.ParseOptions(invalid_row_handler=note))
    if not rows:
        return InputError(str(error), table=path.name)
    problem = f"the row has {rows[0].actual_columns} fields, the header has {len(names)}"
    return InputError(problem, table=path.name, line=int(lines[rows[0].number - 1]), value=rows[0].text[:80])


def _safe_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    text = pc.fill_null(column.cast(pa.string()), "")
    if not _any_match(text, _FORMULA):
        return text
    return pc.if_else(
        pc.match_substring_regex(text, _FORMULA), pc.binary_join_element_wise("'", text, ""), text
    )


def _any_match(column: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, pattern)).as_py())

"""Sources of ticks: a recorded tape, a folder that files are put into, a queue, a row of market folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from queue import Queue
from time import sleep

import numpy as np
import pandas as pd

from shockgrid.columns import Door
from shockgrid.desk.replay import Batch
from shockgrid.desk.ticks import OPTIONAL
from shockgrid.errors import InputError
from shockgrid.io.column_map import ColumnMap
from shockgrid.io.tables import MARKET_TOML, SUFFIXES, read_file, read_market
from shockgrid.market import Market


def tape(path: Path | str) -> Iterator[Batch]:
    """The batches of a CSV or Parquet file, in the order of its rows.

    Columns: sequence (whole number), time_utc, and those of ``Desk.tick``. Rows of one sequence that follow
    each other are one batch, at the latest of their times.

    Raises
    ------
    InputError : a row has no sequence or no time, so that nobody knows when it was; names the line.
    """
    source = Path(path)
    frame = read_file(source)
    door = Door(source.name, frame, required=("sequence", "time_utc"), optional=OPTIONAL, key="sequence")
    sequences, times = door.number("sequence", low=1.0, high=2.0**53), door.instant("time_utc")
    door.reject(sequences % 1.0 != 0.0, "sequence", "E_RANGE", "expected a whole number")
    if door.bad.any():
        first = door.rejects().iloc[0]
        raise InputError(
            first["message"],
            table=source.name,
            line=int(first["line"]),
            column=first["column"],
            value=first["value"],
        )
    rows = frame.drop(columns=["sequence", "time_utc"])
    starts = np.flatnonzero(np.diff(sequences, prepend=-1.0))
    for low, high in zip(starts, np.append(starts[1:], len(frame)), strict=True):
        at = pd.Timestamp(times[low:high].max(), tz="UTC").to_pydatetime()
        yield Batch(int(sequences[low]), at, rows.iloc[low:high].reset_index(drop=True))


def watched(folder: Path | str, finished: Callable[[], bool], *, seconds: float = 0.5) -> Iterator[Batch]:
    """The batches of every tape that is put into a folder, file by file in the order of their names.

    Between looks it sleeps for ``seconds``; it ends at the first look that finds nothing new once
    ``finished`` says so. A file must appear complete (write it elsewhere, then rename it); what comes after a
    later one is read late, and the desk drops its batches as too old.
    """
    done: set[str] = set()
    while True:
        last = finished()
        fresh = sorted(
            path.name for path in Path(folder).iterdir() if path.suffix in SUFFIXES and path.name not in done
        )
        for name in fresh:
            yield from tape(Path(folder) / name)
            done.add(name)
        if not fresh:
            if last:
                return
            sleep(seconds)


def queued(batches: Queue[Batch | None]) -> Iterator[Batch]:
    """The batches of a queue of this process, until it gives None."""
    while (batch := batches.get()) is not None:
        yield batch


def snapshots(folder: Path | str, column_map: ColumnMap | None = None) -> Iterator[Market]:
    """The markets of the market folders within a folder, in the order of their as_of.

    Raises
    ------
    InputError : there are none, or two of one moment.
    """
    folders = sorted(path.parent for path in Path(folder).glob(f"*/{MARKET_TOML}"))
    if not folders:
        problem = f"expected market folders, each with its {MARKET_TOML}"
        raise InputError(problem, table=str(folder))
    found = (read_market(path, column_map=column_map) for path in folders)
    markets = sorted(found, key=lambda market: market.as_of)
    moments = [market.as_of for market in markets]
    for earlier, later in pairwise(moments):
        if earlier == later:
            problem = "two market folders are of one moment"
            raise InputError(problem, table=str(folder), value=later.isoformat())
    yield from markets

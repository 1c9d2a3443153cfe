"""A desk driven by a source of ticks or of whole markets, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from shockgrid.desk.breaches import Breaches
from shockgrid.desk.changes import Changes
from shockgrid.desk.desk import Desk
from shockgrid.market import Market


class Batch(NamedTuple):
    """Rows of ticks that arrived together: what a source of ticks is an iterator of."""

    sequence: int
    time: datetime  #: market time, with its zone
    rows: Any  #: an Arrow table or record batch, or a DataFrame; columns as for ``Desk.tick``


Source: TypeAlias = Iterable[Batch | Market]


class Step(NamedTuple):
    """What one batch or market did."""

    time: datetime
    changes: Changes  #: as ``Desk.tick`` returns them
    breaches: pd.DataFrame  #: new rows of the log of ``Breaches``
    seconds: float  #: it took
    age: timedelta  #: of the oldest held spot
    oldest: str  #: the underlying it belongs to, "" where nothing is held


def replayed(desk: Desk, source: Source, breaches: Breaches) -> Iterator[Step]:
    """Send everything from the source through the desk and the breach filter.

    A batch is a ``tick``. A whole market is a ``roll``: positions stay, and what the new market does not list
    any more is charged as unpriced.
    """
    for item in source:
        started = perf_counter()
        if isinstance(item, Market):
            changes = desk.roll(item.as_of, item)
        else:
            changes = desk.tick(item.rows, sequence=item.sequence, at=item.time)
        told = breaches.update(changes, desk.time)
        seconds = perf_counter() - started
        ages = desk.stale(timedelta(days=-36_500))
        oldest = "" if ages.empty else str(ages["underlying"].iloc[0])
        age = timedelta(0) if ages.empty else ages["age"].iloc[0].to_pytimedelta()
        yield Step(desk.time, changes, told, seconds, age, oldest)

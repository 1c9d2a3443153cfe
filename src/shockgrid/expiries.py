"""When things happen on the New York exchange: expiry instants, sessions, closes."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Mask

Instants: TypeAlias = NDArray[np.datetime64]

EXCHANGE = "XNYS"  #: its sessions and early closes are those of the US options exchanges
FIRST, LAST = "1990-01-01", "2035-12-31"  #: the library's own range follows the clock, ours must not
NEW_YORK = "America/New_York"


def expiry_instants(dates: Any, is_morning: Any) -> Instants:
    """When options that name these expiry dates settle.

    Parameters
    ----------
    dates : datetime64 or ISO text [n]; the time of day is ignored. NaT stays NaT.
    is_morning : True for AM settlement, which is the session's open (09:30 New York); False for PM, its
        close (16:00, and 13:00 on an early close). One value or [n].

    Returns
    -------
    UTC datetime64[ns] [n]. A date that is no session falls to the session before it, open and close alike.
    NaT outside ``FIRST`` .. ``LAST``, where the calendar says nothing.

    Source: exchange_calendars, calendar XNYS (sessions, holidays and early closes of the NYSE). Cboe,
    "S&P 500 Index Options" specifications: SPX settles on the opening prices of its expiry date, SPXW and XSP
    at the close.

    >>> expiry_instants(["2019-04-19", "2023-11-24"], [True, False]).astype("datetime64[m]").tolist()
    [datetime.datetime(2019, 4, 18, 13, 30), datetime.datetime(2023, 11, 24, 18, 0)]
    """
    days = pd.DatetimeIndex(dates).to_numpy("datetime64[D]")
    morning = np.broadcast_to(np.asarray(is_morning, np.bool_), days.shape)
    places, found = pd.factorize(days)
    session_dates, opens, closes = sessions()
    rows = np.searchsorted(session_dates, found, side="right") - 1
    known = (rows >= 0) & (found <= np.datetime64(LAST))
    never = np.datetime64("NaT", "ns")
    table = np.stack([np.where(known, instants[rows], never) for instants in (closes, opens)])
    settled = np.append(table, np.full((2, 1), never), axis=1)[morning.astype(np.intp), places]
    return np.asarray(settled, "datetime64[ns]")


def last_close(instant: pd.Timestamp) -> pd.Timestamp | None:
    """The latest close at or before an instant with a zone, in UTC; None outside the calendar."""
    _, _, closes = sessions()
    stamp = np.datetime64(instant.tz_convert("UTC").tz_localize(None), "ns")
    row = int(np.searchsorted(closes, stamp, side="right")) - 1
    if row < 0 or stamp > np.datetime64(LAST) + np.timedelta64(1, "D"):
        return None
    return pd.Timestamp(closes[row], tz="UTC")


def is_session(dates: Any) -> Mask:
    """Whether the exchange opens on these dates: bool of their shape [n]; False for NaT."""
    days = pd.DatetimeIndex(dates).to_numpy("datetime64[D]")
    return np.isin(days, sessions()[0])


def new_york(date: Any, time: str = "16:00") -> pd.Timestamp:
    """A wall-clock time in New York on a date, in UTC.

    >>> new_york("2019-05-13").isoformat(), new_york("2019-01-14").isoformat()
    ('2019-05-13T20:00:00+00:00', '2019-01-14T21:00:00+00:00')
    """
    day = pd.Timestamp(date).strftime("%Y-%m-%d")
    return pd.Timestamp(f"{day} {time}", tz=NEW_YORK).tz_convert("UTC")


@cache
def sessions() -> tuple[Instants, Instants, Instants]:
    """Dates, opens and closes of every session, ascending; the instants in UTC."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Series.values returning an ndarray that drops timezone")
        import exchange_calendars  # type: ignore[import-untyped]

        schedule = exchange_calendars.get_calendar(EXCHANGE, start=FIRST, end=LAST).schedule
    dates = pd.DatetimeIndex(schedule.index).to_numpy("datetime64[D]")
    opens, closes = (
        schedule[name].dt.tz_convert(None).to_numpy("datetime64[ns]") for name in ("open", "close")
    )
    return dates, opens, closes

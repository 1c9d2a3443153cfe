"""Trade dates and due dates, counted in sessions of the exchange."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

import numpy as np
import pandas as pd

from shockgrid.doors import require_kind
from shockgrid.errors import InputError
from shockgrid.expiries import Instants, sessions


@dataclass(frozen=True)
class SessionCalendar:
    """Sessions of an exchange: dates ascending, with open and close in UTC, all [n]."""

    dates: Instants
    opens: Instants
    closes: Instants

    @classmethod
    def new_york(cls, *, closed: Iterable[Any] = ()) -> SessionCalendar:
        """The New York Stock Exchange, 1990 to 2035, less dates on which it was shut unforeseen.

        Source: exchange_calendars, XNYS: holidays and early closes (13:00 New York), in UTC across DST.
        """
        dates, opens, closes = sessions()
        try:
            shut = pd.DatetimeIndex([pd.Timestamp(day) for day in closed]).to_numpy("datetime64[D]")
        except (TypeError, ValueError) as error:
            problem = f"expected dates on which the exchange is shut: {error}"
            raise InputError(problem, column="closed") from error
        kept = ~np.isin(dates, shut)
        return cls(dates[kept], opens[kept], closes[kept])

    def trade_date(self, as_of: datetime) -> date:
        """The session an instant belongs to: the last one that has opened.

        Before the open, at night and on a weekend it is the session before: that is whose prices are known.
        """
        return self._date(self._opened(as_of))

    def due(self, trade_date: date, count: int) -> datetime:
        """The close, in UTC, of the n-th session after a trade date.

        Raises
        ------
        InputError : the trade date is no session, the calendar ends before, or the number is below 0.
        """
        require_kind(trade_date, date, "trade_date")
        require_kind(count, int, "count")
        if count < 0:
            problem = "expected a number of sessions of at least 0"
            raise InputError(problem, table="calls", column="count", value=count)
        row = int(np.searchsorted(self.dates, np.datetime64(trade_date)))
        if row >= len(self.dates) or self._date(row) != trade_date:
            problem = "expected a session of the exchange"
            raise InputError(problem, table="calls", column="trade_date", value=str(trade_date))
        if row + count >= len(self.closes):
            problem = f"the calendar ends on {self._date(len(self.dates) - 1)}, before the call is due"
            raise InputError(problem, table="calls", column="trade_date", value=str(trade_date))
        return _utc(self.closes[row + count])

    def is_session(self, as_of: datetime) -> bool:
        """Whether the exchange opens on the New York date of an instant."""
        day = instant_of(as_of).tz_convert("America/New_York").tz_localize(None).to_datetime64()
        row = int(np.searchsorted(self.dates, day.astype("datetime64[D]")))
        return row < len(self.dates) and bool(self.dates[row] == day.astype("datetime64[D]"))

    def in_session(self, as_of: datetime) -> bool:
        """Whether the exchange is open at an instant; at the instant of the close it is not any more."""
        stamp = _bare(as_of)
        row = int(np.searchsorted(self.opens, stamp, side="right")) - 1
        return row >= 0 and bool(stamp < self.closes[row])

    def next_open(self, as_of: datetime) -> pd.Timestamp:
        """The first open after an instant, in UTC. Raises InputError where the calendar ends before."""
        row = int(np.searchsorted(self.opens, _bare(as_of), side="right"))
        if row >= len(self.opens):
            problem = f"the calendar ends on {self._date(len(self.dates) - 1)}, before the next open"
            raise InputError(problem, column="as_of", value=str(as_of))
        return pd.Timestamp(self.opens[row], tz="UTC")

    def _opened(self, as_of: datetime) -> int:
        row = int(np.searchsorted(self.opens, _bare(as_of), side="right")) - 1
        if row < 0 or row >= len(self.dates) - 1:
            problem = f"expected an instant between {self._date(0)} and {self._date(len(self.dates) - 1)}"
            raise InputError(problem, column="as_of", value=str(as_of))
        return row

    def _date(self, row: int) -> date:
        found: date = self.dates[row].astype("datetime64[D]").item()
        return found


def checked_calendar(calendar: object) -> SessionCalendar:
    """The calendar to count in, New York's for None. Raises InputError for anything else."""
    if calendar is None:
        return SessionCalendar.new_york()
    require_kind(calendar, SessionCalendar, "calendar")
    return cast("SessionCalendar", calendar)


def _bare(as_of: datetime) -> np.datetime64:
    return instant_of(as_of).tz_convert("UTC").tz_localize(None).to_datetime64()


def instant_text(instant: datetime) -> str:
    """An instant with its zone as ISO 8601 text in UTC, always of one length, so that text sorts as time.

    >>> instant_text(pd.Timestamp("2026-11-20T16:00:00-05:00"))
    '2026-11-20T21:00:00.000000+00:00'
    """
    stamp = instant_of(instant).tz_convert("UTC").floor("us")
    return str(stamp.to_pydatetime().isoformat(timespec="microseconds"))


def instant_of(text: datetime | str, column: str = "as_of") -> pd.Timestamp:
    """An instant with its zone, from a datetime or ISO 8601 text; InputError where it is none."""
    try:
        stamp = pd.Timestamp(text)
    except (TypeError, ValueError) as error:
        problem = "expected an ISO 8601 instant with its zone"
        raise InputError(problem, column=column, value=str(text)) from error
    if pd.isna(stamp) or stamp.tzinfo is None:
        problem = "an instant needs its zone, such as 2026-11-20T16:00:00-05:00"
        raise InputError(problem, column=column, value=str(text))
    return stamp


def _utc(instant: np.datetime64) -> datetime:
    return pd.Timestamp(instant, tz="UTC").to_pydatetime()

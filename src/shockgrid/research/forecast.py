"""What the requirement becomes over the next sessions if nothing is traded and nothing moves."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.errors import InputError
from shockgrid.expiries import expiry_instants, is_session
from shockgrid.market import Market
from shockgrid.requirement.margin import margin
from shockgrid.requirement.regime import HasPrograms, Regime
from shockgrid.research.moved import rolled, settled

LONGEST_GAP: Final = 10  #: calendar days within which the exchange opens again


def next_closes(as_of: datetime, count: int) -> list[datetime]:
    """The closes of the next ``count`` sessions of the New York exchange after an instant, UTC.

    Raises InputError for a count below 1, or sessions beyond the calendar (end of 2035).
    """
    if count < 1:
        problem = "expected at least one session"
        raise InputError(problem, column="sessions", value=count)
    stamp = pd.Timestamp(as_of).tz_convert("UTC")
    dates = pd.date_range(stamp.tz_convert("America/New_York").date(), periods=LONGEST_GAP + 2 * count)
    open_days = dates[is_session(dates)]
    closes = pd.DatetimeIndex(expiry_instants(open_days, False)).tz_localize("UTC")
    ahead = closes[closes > stamp][:count]
    if len(ahead) < count:
        problem = "the calendar of sessions ends before"
        raise InputError(problem, column="as_of", value=str(as_of))
    return [close.to_pydatetime() for close in ahead]


def forecast(
    book: Book,
    market: Market,
    regime_or_policy: Regime | HasPrograms,
    *,
    sessions: int = 5,
    backend: str | Backend = "auto",
) -> pd.DataFrame:
    """Requirement of every margin group now and at the close of each of the next sessions.

    Spots and vols stay; time passes, dividends go ex, and options expire into cash at their intrinsic value
    (``moved.settled``). Equity is at model values throughout.

    Returns
    -------
    One row per instant and margin group: as_of, margin_group, requirement, equity, excess, change (of the
    requirement since now), expired (positions that have left the book by then).

    Raises
    ------
    InputError : see ``next_closes`` and ``margin``.
    """
    engine = get_backend(backend)
    today = calibrated(market, engine)
    frames = []
    for instant in (today.as_of, *next_closes(today.as_of, sessions)):
        later = rolled(today, instant)
        left = settled(book, later, engine)
        rows = margin(left.book, later, regime_or_policy, backend=engine).accounts
        owners = book.accounts.set_index("account")["margin_group"]
        expired = left.expired["account"].map(owners).value_counts()
        frame = rows[["margin_group", "requirement"]].assign(
            as_of=instant,
            equity=rows["equity_at_model"],
            excess=rows["equity_at_model"] - rows["requirement"],
            expired=rows["margin_group"].map(expired).fillna(0).astype(np.int64),
        )
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    first = frames[0].set_index("margin_group")["requirement"]
    table["change"] = table["requirement"] - table["margin_group"].map(first)
    return table[["as_of", "margin_group", "requirement", "equity", "excess", "change", "expired"]]

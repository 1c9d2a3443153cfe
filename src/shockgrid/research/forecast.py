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
from shockgrid.engine import model_values, plan
from shockgrid.errors import InputError
from shockgrid.expiries import expiry_instants, is_session
from shockgrid.market import Market
from shockgrid.reg_t import RegtRules
from shockgrid.reg_t.margin import planned_regt
from shockgrid.requirement.margin import margin
from shockgrid.requirement.regime import HasPrograms, Regime
from shockgrid.research.moved import rates_moved, rolled, settled

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
    rules: Regime | HasPrograms | RegtRules,
    *,
    sessions: int = 5,
    rate_shift: float = 0.0,
    backend: str | Backend = "auto",
) -> pd.DataFrame:
    """Requirement of every margin group now and at the close of each of the next sessions.

    Spots and vols stay; time passes, dividends go ex, and options expire into cash at their intrinsic value
    (``moved.settled``). A rule that looks at the calendar sees the later date: ``house_rules`` widens the
    ranges of names near their earnings, strategy-based rules lend nothing on a long option from nine months
    before its expiry on. Equity is at model values throughout.

    Parameters
    ----------
    rules : a regime, a policy, or strategy-based rules (``shockgrid.reg_t.regt_rules()``).
    rate_shift : parallel move of all zero rates from the first of those closes on (0.0025 is a quarter of a
        point).

    Returns
    -------
    One row per instant and margin group, in its currency: as_of, margin_group, requirement (>= 0), equity,
    excess, change (of the requirement since now, > 0: more), expired (positions that have left the book by
    then).

    Raises
    ------
    InputError : see ``next_closes``, ``moved.rates_moved``, ``margin`` and ``regt``.
    """
    engine = get_backend(backend)
    today = calibrated(market, engine)
    frames = []
    for instant in (today.as_of, *next_closes(today.as_of, sessions)):
        later = rolled(today, instant)
        if rate_shift and instant != today.as_of:
            later = rates_moved(later, rate_shift)
        left = settled(book, later, engine)
        owners = book.accounts.set_index("account")["margin_group"]
        expired = left.expired["account"].map(owners).value_counts()
        frame = _figures(left.book, later, rules, engine).assign(as_of=instant)
        frame["expired"] = frame["margin_group"].map(expired).fillna(0).astype(np.int64)
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    table["excess"] = table["equity"] - table["requirement"]
    first = frames[0].set_index("margin_group")["requirement"]
    table["change"] = table["requirement"] - table["margin_group"].map(first)
    return table[["as_of", "margin_group", "requirement", "equity", "excess", "change", "expired"]]


def _figures(
    book: Book, market: Market, rules: Regime | HasPrograms | RegtRules, backend: Backend
) -> pd.DataFrame:
    """margin_group, requirement and equity at model values; ``market`` has no marks."""
    if isinstance(rules, RegtRules):
        whole = plan(book, market)
        strategy = planned_regt(whole, model_values(whole, backend), rules, backend=backend.name).accounts
        return strategy.rename(columns={"equity_at_marks": "equity"})[
            ["margin_group", "requirement", "equity"]
        ]
    found = margin(book, market, rules, backend=backend).accounts
    return found.rename(columns={"equity_at_model": "equity"})[["margin_group", "requirement", "equity"]]

"""Intraday margin deficits: how far a day's trades and withdrawals took an account below maintenance."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.columns import Door
from shockgrid.desk.calls import require_clean
from shockgrid.desk.calls_calendar import SessionCalendar, checked_calendar, instant_of
from shockgrid.desk.calls_states import Call
from shockgrid.desk.calls_table import CallRules, checked_rules
from shockgrid.desk.calls_transitions import UNRESOLVED
from shockgrid.requirement.minor_amounts import digits_of, shortfalls

KINDS = ("trade", "withdrawal", "deposit", "market")
REDUCING = ("trade", "withdrawal")  #: what can be a reducing transaction; a fall of the market is none
LARGEST = 1e15


def intraday_deficits(
    changes: pd.DataFrame, opening: pd.DataFrame, *, rules: CallRules | None = None
) -> pd.DataFrame:
    """The intraday margin deficit of one day, for margin accounts that are not portfolio margin.

    The intraday margin level is what could be withdrawn while maintenance is still met; below 0 it is
    needed. The deficit is the size of the lowest level right after a trade or withdrawal that reduced it.

    Parameters
    ----------
    changes : one row per change of the level: margin_group, kind (trade, withdrawal, deposit, market),
        change (signed, in currency), at_utc. Where the order cannot be shown (the same instant, or at_utc
        blank) the order of the highest deficit is taken: what reduces comes first, and the rest last.
    opening : margin_group, level (at the start of the day), equity, [currency (default: the table's)].

    Returns
    -------
    margin_group, kind ("intraday"), deficit: one row per margin group whose deficit counts, in the form of
    ``measured`` of ``margin_calls``. A deficit of no more than the lesser of 5 % of equity and 1,000 does
    not count; in another currency than that amount's everything does. Rounded up to the minor unit.

    Raises
    ------
    InputError : a row of either table cannot be used; names the first. A deficit is not measured in part.

    Source: FINRA 4210(d)(2) as amended by SR-FINRA-2025-017 (Rel. 34-105226), effective 2026-06-04.

    >>> rows = [("A", "trade", -30_000.0), ("A", "deposit", 9_000.0)]
    >>> day = pd.DataFrame(rows, columns=["margin_group", "kind", "change"])
    >>> start = pd.DataFrame([("A", 10_000.0, 50_000.0)], columns=["margin_group", "level", "equity"])
    >>> intraday_deficits(day, start)["deficit"].tolist()
    [20000.0]
    """
    rules = checked_rules(rules)
    start = _opening(opening, rules.currency)
    rows = _changes(changes, start.index)
    reducing = (rows["kind"].isin(REDUCING) & (rows["change"] < 0.0)).to_numpy(bool)
    lowers = (rows["change"] < 0.0).to_numpy(bool)
    instants = rows["at_utc"].to_numpy("datetime64[ns]").astype(np.int64)
    unknown = np.isnat(rows["at_utc"].to_numpy("datetime64[ns]"))
    ends = np.iinfo(np.int64)
    places = np.where(unknown, np.where(lowers, ends.min, ends.max), instants)
    order = np.lexsort((~lowers, places))
    ordered = rows.iloc[order]
    levels = ordered.groupby("margin_group")["change"].cumsum() + ordered["margin_group"].map(start["level"])
    lowest = levels[reducing[order]].groupby(ordered["margin_group"][reducing[order]]).min()
    start = start.reindex(lowest.index)
    digits = digits_of(start["currency"])
    found = pd.Series(shortfalls(0.0, lowest, digits) / 10.0**digits, lowest.index)
    share = rules.intraday_ignored_share.value * start["equity"].clip(lower=0.0)
    ignored = share.clip(upper=rules.intraday_ignored_amount.value)
    ignored = ignored.where(start["currency"] == rules.currency, 0.0)
    counted = found[found > ignored].sort_index()
    return pd.DataFrame(
        {"margin_group": counted.index.to_numpy(object), "kind": "intraday", "deficit": counted.to_numpy()}
    )


def intraday_freezes(
    calls: dict[str, Call], as_of: datetime, calendar: SessionCalendar, *, rules: CallRules | None = None
) -> pd.DataFrame:
    """Intraday deficits that are still outstanding after the close of the fifth session.

    A customer who makes a practice of this may not create or increase shorts or debits for 90 calendar days;
    whether it is a practice is the firm's to say. Columns: margin_group, call_id, missed_utc, frozen_until
    (the date, if it is a practice).

    Source: SR-FINRA-2025-017 (Rel. 34-105226).
    """
    rules, calendar = checked_rules(rules), checked_calendar(calendar)
    now, found = instant_of(as_of), []
    for call in calls.values():
        if call.kind != "intraday" or call.state not in UNRESOLVED or call.outstanding_units == 0:
            continue
        traded = datetime.fromisoformat(call.trade_date).date()
        missed = pd.Timestamp(calendar.due(traded, rules.intraday_freeze_sessions.value))
        if missed < now:
            until = missed.tz_convert("America/New_York") + pd.Timedelta(
                days=rules.intraday_freeze_days.value
            )
            found.append((call.margin_group, call.call_id, missed, until.date()))
    return pd.DataFrame(found, columns=["margin_group", "call_id", "missed_utc", "frozen_until"])


def _changes(source: pd.DataFrame, known: pd.Index[Any]) -> pd.DataFrame:
    columns = ("margin_group", "kind", "change", "at_utc")
    door = Door("changes", source, required=columns[:3], optional=columns[3:], key="margin_group")
    groups, kinds = door.text("margin_group"), door.choice("kind", KINDS)
    amounts, instants = door.number("change", low=-LARGEST, high=LARGEST), door.instant("at_utc")
    strange = ~pd.Series(groups).isin(known).to_numpy(bool)
    door.reject(strange, "margin_group", "E_ACCOUNT", "expected a margin group of the opening table")
    require_clean(door)
    return pd.DataFrame(dict(zip(columns, (groups, kinds, amounts, instants), strict=True)))


def _opening(source: pd.DataFrame, currency: str) -> pd.DataFrame:
    needed = ("margin_group", "level", "equity")
    door = Door("opening", source, required=needed, optional=("currency",), key="margin_group")
    groups = door.text("margin_group")
    columns: dict[str, Any] = {
        name: door.number(name, low=-LARGEST, high=LARGEST) for name in ("level", "equity")
    }
    columns["currency"] = door.text("currency", currency)
    door.unique(groups, "margin_group")
    require_clean(door)
    return pd.DataFrame(columns, index=pd.Index(groups, name="margin_group"))

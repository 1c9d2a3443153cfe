"""margin_calls(): which margin groups are called, for how much, by when, and what would cure it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Texts
from shockgrid.columns import Door
from shockgrid.desk.calls_calendar import SessionCalendar, checked_calendar
from shockgrid.desk.calls_figures import amounts_of
from shockgrid.desk.calls_table import CallRules, checked_rules
from shockgrid.errors import InputError
from shockgrid.requirement import MarginResult
from shockgrid.requirement.minor_amounts import shortfalls

MEASURED = ("fed", "intraday")  #: kinds that a margin run does not see
#: what a call profile does with a deficit while the exchange is open; at any other time it is called
IN_SESSION: Mapping[str, str] = {
    "eod_batch": "wait",
    "intraday_with_approval": "approve",
    "automatic": "call",
}
DOUBTED = ("PARTIAL", "UNRELIABLE")  #: nothing is done automatically on figures of these
MONEY = (
    "deficit",
    "exchange_deficit",
    "house_deficit",
    "equity",
    "exchange_requirement",
    "house_requirement",
    "minimum_equity",
)
COLUMNS = (
    "margin_group",
    "kind",
    "trade_date",
    "due_utc",
    *MONEY,
    "currency",
    "worst_scenario",
    "worst_price_shock",
    "worst_vol_shock",
    "reliability",
    "call_profile",
    "action",
    "cures",
    "source",
    "confidence",
)
_FROM_RULES = ("ignore_below", "amends", "source", "confidence")


def margin_calls(
    result: MarginResult | pd.DataFrame,
    as_of: datetime,
    calendar: SessionCalendar | None = None,
    *,
    rules: CallRules | None = None,
    measured: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The calls that a margin run gives reason for.

    Parameters
    ----------
    result : what ``margin`` returned, or the accounts table of a run folder.
    as_of : an instant with its zone; its session is the trade date. No clock is read.
    calendar : the sessions that due dates are counted in; default ``SessionCalendar.new_york()``.
    rules : kinds, due dates and cures; default ``call_rules()``, a dated table with the source of each.
    measured : deficits that a margin run does not see, such as Regulation T's (``fed``) and those of
        ``intraday_deficits``: margin_group, kind, deficit.

    Returns
    -------
    One row per margin group and kind with a deficit, sorted: margin_group, kind, trade_date (date), due_utc,
    deficit (what is called), exchange_deficit and house_deficit (both sides, whichever is called; NaN for a
    side that was not asked for), equity, exchange_requirement, house_requirement, minimum_equity, currency,
    the worst scenario, reliability, call_profile, action, cures, and the source and confidence of the rule.

    Money is in the margin group's currency, in its minor unit (a cent, a yen, 1e-8 of a coin): requirements
    rounded half up, equity rounded down, so that a deficit, the difference of the two, rounds up, and who has
    paid it is in deficit no more. Deficits measured elsewhere round up.

    ``action`` goes by the program's ``call_profile``: ``call``; while the exchange is open also ``wait``
    (``eod_batch``: calls are made on the figures of the close) and ``approve`` (``intraday_with_approval``:
    a call that a person must agree to). It is ``held`` where the figures are PARTIAL or UNRELIABLE: there a
    person decides. Without a policy the profile is ``eod_batch``.

    Kinds: below the exchange's requirement ``pm_deficiency`` under a portfolio margin regime, else
    ``exchange``; below the house's ``house``; equity below the program's minimum ``pm_minimum_equity``. A
    margin group can have several at once; paying the greatest pays all.

    Raises
    ------
    InputError : ``as_of`` has no zone or is outside the calendar, or ``measured`` cannot be used.

    Source: rules and due dates in ``regimes/parameters/calls-2026-06-04.toml``.
    """
    rules, calendar = checked_rules(rules), checked_calendar(calendar)
    found = deficits(result, as_of, calendar, rules=rules, measured=measured)
    wanted = found[found["deficit"] > found["ignore_below"]]
    return wanted[list(COLUMNS)].reset_index(drop=True)


def deficits(
    result: MarginResult | pd.DataFrame,
    as_of: datetime,
    calendar: SessionCalendar,
    *,
    rules: CallRules,
    measured: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """``margin_calls`` for every margin group and kind that applies, those without a deficit (0) as well.

    Also ``ignore_below`` (0 in another currency than the table's), ``digits`` of the currency, and
    ``amends``: whether an open call of the kind takes a new deficit up.
    """
    accounts = amounts_of(result)
    trade_date = calendar.trade_date(as_of)
    places, kinds, amounts = _measured_here(accounts, rules)
    if measured is not None:
        elsewhere = _measured(measured, accounts)
        places, kinds, amounts = (
            np.concatenate(pair) for pair in zip((places, kinds, amounts), elsewhere, strict=True)
        )
    rows = accounts.take(places)
    digits = rows["digits"].to_numpy(np.int64)
    codes, names = pd.factorize(kinds)
    facts = [rules.row(kind, trade_date) for kind in names]
    dues = pd.DatetimeIndex([calendar.due(trade_date, row.sessions) for row in facts], tz="UTC")
    columns: dict[str, Any] = {
        "kind": kinds,
        "deficit": shortfalls(0.0, -amounts, digits) / 10.0**digits,
        "trade_date": trade_date,
        "due_utc": dues.take(codes),
        **{name: np.array([getattr(row, name) for row in facts])[codes] for name in _FROM_RULES},
        "cures": np.array([", ".join(row.cures) for row in facts], object)[codes],
        "action": _actions(rows, calendar.in_session(as_of)),
    }
    columns["ignore_below"] = np.where(rows["currency"] == rules.currency, columns["ignore_below"], 0.0)
    rows = rows.assign(**columns)
    return rows.sort_values(["margin_group", "kind"], kind="stable", ignore_index=True)


def _actions(rows: pd.DataFrame, in_session: bool) -> Texts:
    """What is done about each deficit."""
    codes, profiles = pd.factorize(rows["call_profile"])
    strange = [profile for profile in profiles if profile not in IN_SESSION]
    if strange:
        problem = f"expected one of {', '.join(IN_SESSION)}"
        raise InputError(problem, table="accounts", column="call_profile", value=strange[0])
    chosen = [IN_SESSION[profile] if in_session else "call" for profile in profiles]
    doubted = rows["reliability"].isin(DOUBTED).to_numpy(bool)
    return np.where(doubted, "held", np.array([*chosen, ""], object)[codes])


def _measured_here(accounts: pd.DataFrame, rules: CallRules) -> tuple[Codes, Texts, Floats]:
    """What a margin run itself measures: rows of ``accounts``, kinds of call, and deficits."""
    exchange, house = (accounts[f"{side}_deficit"].to_numpy(np.float64) for side in ("exchange", "house"))
    portfolio = accounts["exchange_regime"].isin(rules.portfolio_margin.regimes).to_numpy(bool)
    minimum, lacking = (accounts[f"minimum_{name}"].to_numpy(np.float64) for name in ("equity", "deficit"))
    parts = (
        ("pm_deficiency", ~np.isnan(exchange) & portfolio, exchange),
        ("exchange", ~np.isnan(exchange) & ~portfolio, exchange),
        ("house", ~np.isnan(house), house),
        ("pm_minimum_equity", minimum > 0.0, lacking),
    )
    places = np.concatenate([np.flatnonzero(mask) for _, mask, _ in parts])
    kinds = np.repeat(np.array([kind for kind, _, _ in parts], object), [mask.sum() for _, mask, _ in parts])
    return places, kinds, np.concatenate([amounts[mask] for _, mask, amounts in parts])


def _measured(source: pd.DataFrame, accounts: pd.DataFrame) -> tuple[Codes, Texts, Floats]:
    """Deficits from elsewhere, beside the row of their margin group."""
    door = Door("measured", source, required=("margin_group", "kind", "deficit"), key="margin_group")
    groups, kinds = door.text("margin_group"), door.choice("kind", MEASURED)
    amounts = door.number("deficit", low=0.0, high=1e15)
    places = pd.Index(accounts["margin_group"]).get_indexer(pd.Index(groups))
    door.reject(places < 0, "margin_group", "E_ACCOUNT", "expected a margin group of the run")
    door.unique((pd.Series(kinds) + "/" + pd.Series(groups)).to_numpy(object), "kind")
    require_clean(door)
    return places, kinds, amounts


def require_clean(door: Door) -> None:
    """Refuse a table with a row that cannot be used, naming the first: a deficit is not measured in part."""
    rejects = door.rejects()
    if len(rejects):
        row = rejects.iloc[0]
        raise InputError(
            row["message"], table=door.table, line=int(row["line"]), column=row["column"], value=row["value"]
        )

"""margin_calls(): which margin groups are called, for how much, by when, and what would cure it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Texts
from shockgrid.columns import Door
from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.calls_table import CallRules, call_rules
from shockgrid.errors import InputError
from shockgrid.requirement import MarginResult
from shockgrid.requirement.equity import in_cents

MEASURED = ("fed", "intraday")  #: kinds that a margin run does not see
LARGEST_AMOUNT = 9e16  #: in cents it just fits 64 bits
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
    "action",
    "cures",
    "source",
    "confidence",
)
_FROM_RULES = ("ignore_below", "amends", "source", "confidence")
_FROM_ACCOUNTS = ("currency", "worst_scenario", "worst_price_shock", "worst_vol_shock", "reliability")


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
    the worst scenario, reliability, action, cures, and the source and confidence of the rule.

    Money is in the margin group's currency, each amount rounded half up to the cent; deficits are
    differences of the rounded amounts, so that what is shown adds up. ``action`` is ``call``, or ``held``
    where the figures are PARTIAL or UNRELIABLE: there a person decides.

    Kinds: below the exchange's requirement ``pm_deficiency`` under a portfolio margin regime, else
    ``exchange``; below the house's ``house``; equity below the program's minimum ``pm_minimum_equity``. A
    margin group can have several at once; paying the greatest pays all.

    Raises
    ------
    InputError : ``as_of`` has no zone or is outside the calendar, or ``measured`` cannot be used.

    Source: rules and due dates in ``regimes/parameters/calls-2026-06-04.toml``.
    """
    rules, calendar = rules or call_rules(), calendar or SessionCalendar.new_york()
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

    Also ``ignore_below``, and ``amends``: whether an open call of the kind takes a new deficit up.
    """
    accounts = _amounts(result if isinstance(result, pd.DataFrame) else result.accounts)
    trade_date = calendar.trade_date(as_of)
    places, kinds, amounts = _measured_here(accounts, rules)
    if measured is not None:
        elsewhere = _measured(measured, accounts)
        places, kinds, amounts = (
            np.concatenate(pair) for pair in zip((places, kinds, amounts), elsewhere, strict=True)
        )
    rows = accounts.take(places)
    codes, names = pd.factorize(kinds)
    facts = [rules.row(kind, trade_date) for kind in names]
    dues = pd.DatetimeIndex([calendar.due(trade_date, row.sessions) for row in facts], tz="UTC")
    columns: dict[str, Any] = {
        "kind": kinds,
        "deficit": to_cents(amounts) / 100.0,
        "trade_date": trade_date,
        "due_utc": dues.take(codes),
        **{name: np.array([getattr(row, name) for row in facts])[codes] for name in _FROM_RULES},
        "cures": np.array([", ".join(row.cures) for row in facts], object)[codes],
        "action": np.where(rows["reliability"].isin(DOUBTED), "held", "call"),
    }
    rows = rows.assign(**columns)
    return rows.sort_values(["margin_group", "kind"], kind="stable", ignore_index=True)


def _measured_here(accounts: pd.DataFrame, rules: CallRules) -> tuple[Codes, Texts, Floats]:
    """What a margin run itself measures: rows of ``accounts``, kinds of call, and deficits."""
    exchange, house = (accounts[f"{side}_deficit"].to_numpy(np.float64) for side in ("exchange", "house"))
    portfolio = accounts["exchange_regime"].isin(rules.portfolio_margin.regimes).to_numpy(bool)
    minimum, equity = (accounts[name].to_numpy(np.float64) for name in ("minimum_equity", "equity"))
    parts = (
        ("pm_deficiency", ~np.isnan(exchange) & portfolio, exchange),
        ("exchange", ~np.isnan(exchange) & ~portfolio, exchange),
        ("house", ~np.isnan(house), house),
        ("pm_minimum_equity", minimum > 0.0, np.maximum(minimum - equity, 0.0)),
    )
    places = np.concatenate([np.flatnonzero(mask) for _, mask, _ in parts])
    kinds = np.repeat(np.array([kind for kind, _, _ in parts], object), [mask.sum() for _, mask, _ in parts])
    return places, kinds, np.concatenate([amounts[mask] for _, mask, amounts in parts])


def to_cents(amounts: Any) -> NDArray[np.int64]:
    """Whole cents of amounts of money, rounded half up.

    >>> to_cents([319.99, -0.005, 2819.985]).tolist()
    [31999, 0, 281999]
    """
    return in_cents(amounts).astype(np.int64)


def _amounts(accounts: pd.DataFrame) -> pd.DataFrame:
    """The columns of an accounts frame that calls need, money to the cent, and both sides' deficits."""
    needed = ["margin_group", "equity_at_marks", "exchange_requirement", "house_requirement"]
    needed += ["minimum_equity", "exchange_regime", *_FROM_ACCOUNTS]
    missing = [name for name in needed if name not in accounts.columns]
    if "pairing_benefit" in accounts.columns:
        problem = (
            "strategy-based margin has no exchange and house side: its deficits can be given as measured"
        )
        raise InputError(problem, table="accounts", column=missing[0])
    if missing:
        problem = "required column is missing: expected the accounts of a margin run"
        raise InputError(problem, table="accounts", column=missing[0])
    columns: dict[str, Any] = {name: accounts[name].to_numpy() for name in ("margin_group", *_FROM_ACCOUNTS)}
    columns["exchange_regime"] = accounts["exchange_regime"].to_numpy(object)
    for name in ("equity_at_marks", "exchange_requirement", "house_requirement", "minimum_equity"):
        _require_amounts(accounts, name, may_lack=name.endswith("_requirement"))
    columns["equity"] = _to_the_cent(accounts["equity_at_marks"])
    for name in ("exchange_requirement", "house_requirement", "minimum_equity"):
        columns[name] = _to_the_cent(accounts[name])
    for side in ("exchange", "house"):
        lacking = np.maximum(columns[f"{side}_requirement"] - columns["equity"], 0.0)
        columns[f"{side}_deficit"] = _to_the_cent(lacking)
    return pd.DataFrame(columns)


def _require_amounts(accounts: pd.DataFrame, name: str, *, may_lack: bool) -> None:
    values = accounts[name].to_numpy(np.float64)
    fits = np.abs(values) <= LARGEST_AMOUNT
    bad = np.flatnonzero(~(fits | (np.isnan(values) & may_lack)))
    if len(bad):
        problem = f"margin group {accounts['margin_group'].iloc[bad[0]]}: expected an amount of money"
        raise InputError(problem, table="accounts", column=name, value=float(values[bad[0]]))


def _to_the_cent(amounts: pd.Series | Floats) -> Floats:
    """Amounts rounded half up to the cent; NaN stays."""
    values = np.asarray(amounts, np.float64)
    known = np.isfinite(values)
    rounded = np.full(values.shape, np.nan)
    rounded[known] = to_cents(values[known]) / 100.0
    return rounded


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

"""The figures of a margin run that calls are made from: whole minor units, both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.errors import InputError
from shockgrid.reg_t.result import RegtResult
from shockgrid.requirement import MarginResult
from shockgrid.requirement.minor_amounts import digits_of, in_units, shortfalls, units_held

LARGEST_AMOUNT = 9e18  #: in minor units: it just fits 64 bits
STRATEGY_BASED = "strategy-based margin has no exchange and house side: its deficits can be given as measured"
#: what a deficit is called, by what is not met
DEFICITS = {
    "exchange_requirement": "exchange_deficit",
    "house_requirement": "house_deficit",
    "minimum_equity": "minimum_deficit",
}
_FROM_ACCOUNTS = ("currency", "worst_scenario", "worst_price_shock", "worst_vol_shock", "reliability")


def amounts_of(result: object) -> pd.DataFrame:
    """The columns of a run's accounts that calls need, money to the minor unit, what is missing rounded up.

    ``digits`` are those of the margin group's currency.

    Raises
    ------
    InputError : this is no run's result, or an amount is none.
    """
    accounts = _frame(result)
    needed = ["margin_group", "equity_at_marks", "exchange_requirement", "house_requirement"]
    needed += ["minimum_equity", "exchange_regime", "call_profile", *_FROM_ACCOUNTS]
    missing = [name for name in needed if name not in accounts.columns]
    if "pairing_benefit" in accounts.columns:
        raise InputError(STRATEGY_BASED, table="accounts", column="pairing_benefit")
    if missing:
        problem = "required column is missing: expected the accounts of a margin run"
        raise InputError(problem, table="accounts", column=missing[0])
    repeated = accounts["margin_group"].duplicated().to_numpy(bool)
    if repeated.any():
        twice, problem = accounts["margin_group"][repeated].iloc[0], "expected one row for each margin group"
        raise InputError(problem, table="accounts", column="margin_group", value=twice)
    columns: dict[str, Any] = {name: accounts[name].to_numpy() for name in ("margin_group", *_FROM_ACCOUNTS)}
    for name in ("exchange_regime", "call_profile"):
        columns[name] = accounts[name].to_numpy(object)
    columns["digits"] = digits = digits_of(accounts["currency"])
    for name in ("equity_at_marks", "exchange_requirement", "house_requirement", "minimum_equity"):
        _require_amounts(accounts, name, digits, may_lack=name.endswith("_requirement"))
    equity = accounts["equity_at_marks"].to_numpy(np.float64)
    columns["equity"] = units_held(equity, digits) / 10.0**digits
    for name in ("exchange_requirement", "house_requirement", "minimum_equity"):
        amounts = accounts[name].to_numpy(np.float64)
        columns[name] = in_units(amounts, digits) / 10.0**digits
        columns[DEFICITS[name]] = shortfalls(amounts, equity, digits) / 10.0**digits
    return pd.DataFrame(columns)


def _require_amounts(accounts: pd.DataFrame, name: str, digits: NDArray[np.int64], *, may_lack: bool) -> None:
    try:
        values = accounts[name].to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        problem = f"expected amounts of money: {error}"
        raise InputError(problem, table="accounts", column=name) from error
    fits = np.abs(values) <= LARGEST_AMOUNT / 10.0**digits
    bad = np.flatnonzero(~(fits | (np.isnan(values) & may_lack)))
    if len(bad):
        problem = f"margin group {accounts['margin_group'].iloc[bad[0]]}: expected an amount of money"
        raise InputError(problem, table="accounts", column=name, value=float(values[bad[0]]))


def _frame(result: object) -> pd.DataFrame:
    if isinstance(result, pd.DataFrame):
        return result
    if isinstance(result, MarginResult):
        return result.accounts
    if isinstance(result, RegtResult):
        raise InputError(STRATEGY_BASED, table="accounts")
    problem = "expected what margin() returns, or the accounts table of a run"
    raise InputError(problem, column="result", value=type(result).__name__)

"""What an account is worth: cash plus everything it holds, at marks and at model values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.engine import Plan


class Equity(NamedTuple):
    """Net liquidating equity per margin group, base currency."""

    at_marks: Floats  #: [M] positions at their mark, at model value where there is none
    at_model: Floats  #: [M] positions at model value, current spot and last accepted vol


def equity(plan: Plan, model_values: Floats) -> Equity:
    """Cash, stocks and options marked long and short; futures by price - price_paid, 0 without one; inverse
    futures by 1 / price_paid - 1 / price, in coin.

    ``model_values`` are per unit and instrument [N]. An account's ``equity_override`` replaces its equity.
    Cash and override in a currency without a rate count nothing.
    """
    table, held = plan.market.instruments, plan.positions
    rows = held.instruments
    marks = np.where(np.isnan(table.marks), model_values, table.coin_values(table.marks))
    future = np.isin(table.types.astype(str), ("future", "perpetual"))[rows]
    paid = np.where(future, table.coin_values(held.prices_paid, rows), 0.0)
    by_account: list[Floats] = []
    for prices in (marks, model_values):
        worth = held.weights * (prices[rows] - paid)
        worth = np.where(np.isnan(paid), 0.0, worth)
        by_account.append(np.bincount(held.accounts, worth, len(plan.book.accounts)).astype(np.float64))
    accounts = plan.book.accounts
    rates = account_rates(plan)
    known = np.isfinite(rates)
    cash = np.where(known, accounts["cash"].to_numpy(np.float64) * rates, 0.0)
    override = accounts["equity_override"].to_numpy(np.float64) * rates
    sums = []
    for worth in by_account:
        total = np.where(np.isnan(override), cash + worth, override)
        sums.append(plan.by_margin_group(total, plan.account_groups))
    return Equity(*sums)


def account_rates(plan: Plan) -> Floats:
    """Value of one unit of each account's currency in the base currency; NaN where the currency is unknown.

    An account in an unknown currency is PARTIAL and among the rejects (E_FX).
    """
    currencies = plan.book.accounts["currency"].astype(object)
    rates = currencies.map({**plan.market.fx, "": 1.0})
    return np.asarray(rates, np.float64)

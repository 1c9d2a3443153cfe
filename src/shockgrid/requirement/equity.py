"""What an account is worth: cash plus everything it holds, at marks and at model values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.engine import Plan


class Equity(NamedTuple):
    """Net liquidating equity per margin group, base currency."""

    at_marks: Floats  #: [M] positions at their mark, at model value where there is none
    at_model: Floats  #: [M] positions at model value, current spot and last accepted vol


class Money(NamedTuple):
    """What each account has beside its positions, base currency."""

    amounts: Floats  #: [A] cash, or the ``equity_override`` in place of everything
    counts_positions: Mask  #: [A] false where there is an override


def equity(plan: Plan, model_values: Floats) -> Equity:
    """Cash, stocks and options marked long and short; futures by price - price_paid, 0 without one; inverse
    futures by 1 / price_paid - 1 / price, in coin.

    ``model_values`` are per unit and instrument [N]. An account's ``equity_override`` replaces its equity.
    Cash and override in a currency without a rate count nothing. Positions are summed leaf by leaf (margin
    group x class group), then the leaves in canonical order, then the money is added.
    """
    money, (leaf_of, leaf_groups) = money_of(plan), equity_leaves(plan)
    rest = plan.by_margin_group(money.amounts, plan.account_groups)
    every = np.arange(len(model_values))
    paid, weights = counted_from(plan, money), plan.positions.weights
    sums = []
    for prices in (mark_values(plan, model_values, every), model_values):
        worth = worth_of(weights, prices[plan.positions.instruments], paid)
        leaves = np.bincount(leaf_of, worth, len(leaf_groups)).astype(np.float64)
        sums.append(plan.by_margin_group(leaves, leaf_groups) + rest)
    return Equity(*sums)


def mark_values(plan: Plan, model_values: Floats, instruments: Codes) -> Floats:
    """Mark of these instruments [n] as worth, their model value (``model_values`` [n]) where none is."""
    table = plan.market.instruments
    marks = table.marks[instruments]
    worth: Floats = np.where(np.isnan(marks), model_values, table.coin_values(marks, instruments))
    return worth


def worth_of(weights: Floats, prices: Floats, paid: Floats) -> Floats:
    """weights x (prices - paid), 0 where ``paid`` is NaN; see ``counted_from``."""
    worth: Floats = weights * (prices - paid)
    worth[np.isnan(paid)] = 0.0
    return worth


def counted_from(plan: Plan, money: Money) -> Floats:
    """The price from which each position counts towards equity [P]: what was paid for futures, 0 for all
    else; NaN where it counts nothing (a future without it, an account with an override)."""
    table, held = plan.market.instruments, plan.positions
    future = np.isin(table.types.astype(str), ("future", "perpetual"))[held.instruments]
    paid = np.where(future, table.coin_values(held.prices_paid, held.instruments), 0.0)
    return np.where(money.counts_positions[held.accounts], paid, np.nan)


def equity_leaves(plan: Plan) -> tuple[Codes, Codes]:
    """The leaf of each position, counted in canonical order, [P], and the margin group of each leaf."""
    held, groups = plan.positions, plan.market.underlyings.class_groups
    families = pd.factorize(groups)[0][plan.market.instruments.underlyings[held.instruments]]
    fresh = (np.diff(families, prepend=-1) != 0) | (np.diff(held.margin_groups, prepend=-1) != 0)
    return np.cumsum(fresh) - 1, held.margin_groups[fresh]


def money_of(plan: Plan) -> Money:
    """Cash or override of every account of the book; see ``equity``."""
    accounts, rates = plan.book.accounts, account_rates(plan)
    cash = np.where(np.isfinite(rates), accounts["cash"].to_numpy(np.float64) * rates, 0.0)
    override = accounts["equity_override"].to_numpy(np.float64) * rates
    counts = np.isnan(override)
    return Money(np.where(counts, cash, override), counts)


def account_rates(plan: Plan) -> Floats:
    """Value of one unit of each account's currency in the base currency; NaN where the currency is unknown.

    An account in an unknown currency is PARTIAL and among the rejects (E_FX).
    """
    codes, found = pd.factorize(plan.book.accounts["currency"].to_numpy(object))
    known = {**plan.market.fx, "": 1.0}
    return np.array([*(known.get(name, np.nan) for name in found), np.nan], np.float64)[codes]

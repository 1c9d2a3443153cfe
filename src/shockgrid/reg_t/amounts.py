"""What a single leg must carry: stocks and options by themselves, per contract or share, exact.

Sources: 12 CFR 220.12 (initial margin of stock), FINRA 4210(c) (maintenance), Cboe Margin Manual, edition of
2021-11-30 (options). P is the option's price, U the underlying, K the strike, b the rate of its class, L the
leverage of an ETF.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.reg_t.legs import MICRO, RATE, Ints, Legs
from shockgrid.reg_t.rules import RegtRules


class Alone(NamedTuple):
    """Requirement [L] of each leg by itself, in ticks, the price of long options left out.

    Gross of proceeds: a short option's premium and a short sale's proceeds are in it. A long-dated option
    is below zero by its loan value.
    """

    initial: Ints
    maintenance: Ints


def rate(value: float | Floats) -> Ints:
    """A rate in steps of a hundredth of a per cent."""
    return np.asarray(np.rint(np.asarray(value) * RATE), np.int64)


def dollars(value: float) -> int:
    """An amount of money in ticks."""
    return round(value * MICRO) * RATE


def alone(legs: Legs, rules: RegtRules) -> Alone:
    """Every leg by itself.

    Stock: half of a long's cost at first, then a quarter of its value; of a short its proceeds and as much
    again as ``short_stock`` says. A long option is paid in full, a listed one over nine months to 75 %. A
    short option: P + max(b L U - out-of-the-money amount, 10 % L U for a call and 10 % L K for a put). In a
    cash account: stock in full, a put its strike, a call on a stock the stock, on an index its strike.
    """
    long, option = legs.signs > 0, legs.is_option
    sides = []
    for prices, initial in ((legs.paid, True), (legs.prices, False)):
        stock = np.where(long, long_stock(legs, rules, initial), short_stock(legs, rules, initial))
        loan = rate(1.0 - rules.long_dated_rate) * np.where(legs.long_dated & ~legs.cash_account, prices, 0)
        short = np.where(legs.cash_account, _cash_secured(legs), naked(legs, rules, prices))
        sides.append(np.where(option, np.where(long, -loan, short), stock))
    return Alone(*sides)


def naked(legs: Legs, rules: RegtRules, prices: Ints) -> Ints:
    """A short option in a margin account, its premium in it."""
    base = np.where(legs.is_broad, rules.naked_broad, rules.naked)
    wanted = rate(base * legs.leverages) * legs.spots - RATE * out_of_the_money(legs)
    least = rate(rules.naked_minimum * legs.leverages) * np.where(legs.is_call, legs.spots, legs.exercise)
    floor = dollars(rules.naked_floor) * legs.multipliers
    return np.asarray(RATE * prices + np.maximum(np.maximum(wanted, least), floor), np.int64)


def out_of_the_money(legs: Legs) -> Ints:
    """max(K - U, 0) for calls and max(U - K, 0) for puts, in millionths."""
    beyond = legs.exercise - legs.spots
    return np.maximum(np.where(legs.is_call, beyond, -beyond), 0)


def stock_rate(legs: Legs, value: float) -> Ints:
    """A maintenance rate of stock, times the leverage of an ETF, up to 100 %."""
    return np.minimum(rate(value * legs.leverages), RATE)


def long_stock(legs: Legs, rules: RegtRules, initial: bool) -> Ints:
    """A long share or the shares behind one contract; in a cash account all of it."""
    if initial:
        return np.where(legs.cash_account, RATE, rate(rules.stock_initial)) * legs.paid
    return np.where(legs.cash_account, RATE, stock_rate(legs, rules.stock_maintenance)) * legs.spots


def short_stock(legs: Legs, rules: RegtRules, initial: bool) -> Ints:
    """A short share: its proceeds and 50 %; then its value and the greater of $5 and 30 %, or below $5 a
    share of $2.50 and 100 %.
    """
    if initial:
        return (RATE + rate(rules.stock_initial)) * legs.paid
    return RATE * legs.spots + short_stock_maintenance(legs, rules)


def short_stock_maintenance(legs: Legs, rules: RegtRules) -> Ints:
    """What a short share must carry beyond its own value."""
    cheap = RATE * legs.spots < dollars(rules.cheap_stock)
    usual = stock_rate(legs, rules.short_stock_maintenance) * legs.spots
    usual = np.maximum(usual, dollars(rules.short_stock_floor))
    low = rate(rules.cheap_stock_maintenance) * legs.spots
    low = np.maximum(low, dollars(rules.cheap_stock_floor))
    return np.asarray(np.where(cheap, low, usual), np.int64)


def _cash_secured(legs: Legs) -> Ints:
    return RATE * np.where(legs.is_call & ~legs.is_index, legs.spots, legs.exercise)

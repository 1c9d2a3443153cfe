"""Stock with options: covered and protective positions, conversions, reversals and collars.

Amounts are per contract, in ticks, gross of proceeds and without the price of long options. Source of every
formula: Cboe Margin Manual, edition of 2021-11-30; FINRA 4210(f)(2)(H)(v) for protective options,
conversions, reversals and collars; 12 CFR 220.12 for the initial margin of their stock.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from shockgrid.arrays import Codes
from shockgrid.reg_t.amounts import long_stock, out_of_the_money, rate, short_stock_maintenance, stock_rate
from shockgrid.reg_t.legs import RATE, Ints, Legs
from shockgrid.reg_t.matching import (
    COLLAR,
    CONVERSION,
    COVERED_CALL,
    COVERED_PUT,
    PROTECTIVE_CALL,
    PROTECTIVE_PUT,
    REVERSE_CONVERSION,
    Part,
    joined,
    one,
    part,
)
from shockgrid.reg_t.rules import RegtRules


def with_stock(legs: Legs, rules: RegtRules) -> list[Part]:
    """Every group of stock and options; in a cash account covered calls alone."""
    stock, option = ~legs.is_option & (legs.sizes > 0), legs.is_option & (legs.shares > 0)
    margin, short = ~legs.cash_account, legs.signs < 0
    call, put = option & legs.is_call, option & ~legs.is_call
    long_stocks, short_stocks = stock & ~short, stock & short & margin
    series = ["problem", "family", "expiry", "multiplier"]
    protected = joined(legs, [long_stocks & margin, put & ~short, call & short], [["problem"], series])
    reversed_ = joined(legs, [short_stocks, call & ~short, put & short], [["problem"], [*series, "strike"]])
    return [
        _covered_calls(legs, rules, *joined(legs, [long_stocks, call & short], [["problem"]])),
        _covered_puts(legs, rules, *joined(legs, [short_stocks, put & short], [["problem"]])),
        _protective_puts(
            legs,
            rules,
            *joined(legs, [long_stocks & margin, put & ~short & legs.is_american], [["problem"]]),
        ),
        _protective_calls(legs, rules, *joined(legs, [short_stocks, call & ~short], [["problem"]])),
        _conversions(legs, rules, *protected),
        _collars(legs, rules, *protected),
        _reverse_conversions(legs, rules, *reversed_),
    ]


def _covered_calls(legs: Legs, rules: RegtRules, stocks: Codes, calls: Codes) -> Part:
    """50 % U; then 25 % of min(U, K), the stock worth no more than K.

    As Interactive Brokers: 50 % U and 80 % of the call; then the greater of the call's intrinsic value with
    the stock's margin at min(U, K), and min(U, max(call, stock's margin)).
    """
    call, bought, share = legs.take(calls), _shares(legs, stocks, calls), stock_rates(legs, rules, stocks)
    initial = long_stock(bought, rules, True)
    initial = initial + rate(rules.covered_call_premium) * call.paid
    inside = RATE * np.maximum(call.spots - call.exercise, 0)
    maintenance, caps = share * np.minimum(call.spots, call.exercise), inside
    if rules.variant == "ib":
        floor = np.minimum(RATE * call.spots, np.maximum(RATE * call.prices, share * call.spots))
        maintenance, caps = np.maximum(inside + maintenance, floor), np.zeros_like(inside)
    return part(COVERED_CALL, [stocks, calls], [call.shares, one(calls)], initial, maintenance, caps)


def _covered_puts(legs: Legs, rules: RegtRules, stocks: Codes, puts: Codes) -> Part:
    """Proceeds, 50 % U and max(K - U, 0); then U, the margin of the short stock and max(K - U, 0)."""
    put, sold = legs.take(puts), _shares(legs, stocks, puts)
    inside = RATE * np.maximum(put.exercise - put.spots, 0)
    initial = (RATE + rate(rules.stock_initial)) * sold.paid + inside
    maintenance = RATE * put.spots + _short_margin(legs, rules, stocks, put) + inside
    return part(COVERED_PUT, [stocks, puts], [put.shares, one(puts)], initial, maintenance)


def _protective_puts(legs: Legs, rules: RegtRules, stocks: Codes, puts: Codes) -> Part:
    """50 % U; then the lesser of 10 % K with the out-of-the-money amount, and 25 % U."""
    put, bought = legs.take(puts), _shares(legs, stocks, puts)
    hedged = rate(rules.hedged_strike) * put.exercise + RATE * out_of_the_money(put)
    maintenance = np.minimum(hedged, stock_rates(legs, rules, stocks) * put.spots)
    initial = long_stock(bought, rules, True)
    return part(PROTECTIVE_PUT, [stocks, puts], [put.shares, one(puts)], initial, maintenance)


def _protective_calls(legs: Legs, rules: RegtRules, stocks: Codes, calls: Codes) -> Part:
    """Proceeds and 50 % U; then U and the lesser of 10 % K with the out-of-the-money amount, and the margin
    of the short stock.
    """
    call, sold = legs.take(calls), _shares(legs, stocks, calls)
    hedged = rate(rules.hedged_strike) * call.exercise + RATE * out_of_the_money(call)
    maintenance = RATE * call.spots + np.minimum(hedged, _short_margin(legs, rules, stocks, call))
    initial = (RATE + rate(rules.stock_initial)) * sold.paid
    return part(PROTECTIVE_CALL, [stocks, calls], [call.shares, one(calls)], initial, maintenance)


def _conversions(legs: Legs, rules: RegtRules, stocks: Codes, puts: Codes, calls: Codes) -> Part:
    """50 % U; then 10 % K, the stock worth no more than K."""
    same = legs.strikes[puts] == legs.strikes[calls]
    stocks, puts, calls = stocks[same], puts[same], calls[same]
    call, bought = legs.take(calls), _shares(legs, stocks, calls)
    inside = RATE * np.maximum(call.spots - call.exercise, 0)
    initial = long_stock(bought, rules, True) + (inside if rules.variant == "ib" else 0)
    maintenance = rate(rules.hedged_strike) * call.exercise
    uses = [call.shares, one(puts), one(calls)]
    return part(CONVERSION, [stocks, puts, calls], uses, initial, maintenance, inside)


def _collars(legs: Legs, rules: RegtRules, stocks: Codes, puts: Codes, calls: Codes) -> Part:
    """50 % U; then the lesser of 10 % of the put's strike with its out-of-the-money amount, and 25 % of the
    call's strike, the stock worth no more than that.
    """
    below = legs.strikes[puts] < legs.strikes[calls]
    stocks, puts, calls = stocks[below], puts[below], calls[below]
    put, call, bought = legs.take(puts), legs.take(calls), _shares(legs, stocks, calls)
    inside = RATE * np.maximum(call.spots - call.exercise, 0)
    initial = long_stock(bought, rules, True) + (inside if rules.variant == "ib" else 0)
    hedged = rate(rules.hedged_strike) * put.exercise + RATE * out_of_the_money(put)
    maintenance = np.minimum(hedged, stock_rates(legs, rules, stocks) * call.exercise)
    uses = [call.shares, one(puts), one(calls)]
    return part(COLLAR, [stocks, puts, calls], uses, initial, maintenance, inside)


def _reverse_conversions(legs: Legs, rules: RegtRules, stocks: Codes, calls: Codes, puts: Codes) -> Part:
    """Proceeds, and 10 % K when K is below the sale price or else 50 % U; then 110 % K and max(K - U, 0)."""
    put, sold = legs.take(puts), _shares(legs, stocks, puts)
    inside = RATE * np.maximum(put.exercise - put.spots, 0)
    hedged, half = rate(rules.hedged_strike) * put.exercise, rate(rules.stock_initial) * sold.paid
    extra = half + inside if rules.variant == "ib" else np.where(put.exercise < sold.paid, hedged, half)
    maintenance = RATE * put.exercise + hedged + inside
    uses = [put.shares, one(calls), one(puts)]
    rows = [stocks, calls, puts]
    return part(REVERSE_CONVERSION, rows, uses, RATE * sold.paid + extra, maintenance)


def stock_rates(legs: Legs, rules: RegtRules, stocks: Codes) -> Ints:
    """Maintenance rate of the long stock behind each group."""
    stock = legs.take(stocks)
    return np.where(stock.cash_account, RATE, stock_rate(stock, rules.stock_maintenance))


def _shares(legs: Legs, stocks: Codes, options: Codes) -> Legs:
    """The stock behind one contract as a leg of its own."""
    stock, shares = legs.take(stocks), legs.shares[options]
    columns = {column.name: getattr(stock, column.name) for column in fields(stock)}
    return Legs(**{**columns, "spots": stock.spots * shares, "paid": stock.paid * shares})


def _short_margin(legs: Legs, rules: RegtRules, stocks: Codes, options: Legs) -> Ints:
    """Maintenance of the shares behind one contract, beyond their value."""
    return short_stock_maintenance(legs.take(stocks), rules) * options.shares

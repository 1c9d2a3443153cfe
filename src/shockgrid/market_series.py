"""Instruments of a market as the columns a backend needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.contract import Series
from shockgrid.market import Market

#: Columns of the instruments that a series is made of, beside ``vols``.
TERMS = (
    "underlyings",
    "is_option",
    "is_call",
    "is_american",
    "strikes",
    "years",
    "multipliers",
    "units_per_contract",
    "cash_per_contract",
    "slopes",
    "intercepts",
    "discount_factors",
    "dividends",
    "inverse",
)
LARGEST_GROWTH = 50.0  #: rate or yield times age, in size: a factor of 5e21, no market's


def series(market: Market, rows: Codes) -> Series:
    """The columns of these instruments [n]; see ``Series`` for their units.

    What a contract delivers beside the underlying is cash at expiry: it is taken from the strike.
    """
    table = market.instruments
    spots = market.underlyings.spots[table.underlyings[rows]]
    option, years, factors = table.is_option[rows], table.years[rows], table.discount_factors[rows]
    units = np.where(option, table.units_per_contract[rows] / table.multipliers[rows], 1.0)
    cash = np.where(option, table.cash_per_contract[rows] / table.multipliers[rows], 0.0)
    live = option & (years > 0.0)
    span = np.where(live, years, 1.0)
    rates = np.where(live, -np.log(factors) / span, 0.0) + 0.0
    growths = np.where(live, table.slopes[rows] / units, 1.0)
    ex_years, ex_cash = _ex_dates(market, rows)
    return Series(
        spots=spots,
        slopes=table.slopes[rows],
        intercepts=table.intercepts[rows] - cash,
        strikes=table.strikes[rows] - cash,
        years=years,
        vols=table.vols[rows],
        discount_factors=factors,
        is_option=option,
        is_call=table.is_call[rows],
        is_american=table.is_american[rows],
        units=units,
        rates=rates,
        yields=np.where(live, rates - np.log(growths) / span, 0.0),
        ex_years=ex_years,
        ex_cash=ex_cash,
        inverse=table.inverse[rows],
    )


def moved_series(known: Series, before: Market, market: Market, rows: Codes) -> Series:
    """``series(market, rows)``, from the columns ``known`` of the same rows in the market ``before``."""
    kept = all(getattr(market.instruments, name) is getattr(before.instruments, name) for name in TERMS)
    if not kept or market.dividends is not before.dividends:
        return series(market, rows)
    table = market.instruments
    spots = market.underlyings.spots.take(table.underlyings.take(rows))
    return replace(known, spots=spots, vols=table.vols.take(rows))


def as_quoted(series: Series, ages: Floats) -> Series:
    """The series as of ``ages`` [n] years earlier, with today's spot; later where an age is below 0.

    Rate and yield of each stay what they are per year, cash dividends what they are in cash: with T years
    left now and T' = T + age then, a discount factor D is D^(T'/T) and an ex-date lies an age further ahead.
    A dividend that went ex between then and now is not known any more, so its price is taken as if it had
    none. What would have expired or, where American, gone ex by then stays as it is, and so does what would
    grow beyond ``LARGEST_GROWTH``.
    """
    first = np.min(series.ex_years, axis=1, initial=np.inf)
    growths = np.maximum(np.abs(series.rates), np.abs(series.yields)) * np.abs(ages)
    moved = (np.minimum(series.years, first) + ages > 0.0) & (growths <= LARGEST_GROWTH)
    ages = np.where(moved, ages, 0.0)
    return replace(
        series,
        years=series.years + ages,
        slopes=series.slopes * np.exp((series.rates - series.yields) * ages),
        intercepts=series.intercepts * np.exp(-series.yields * ages),
        discount_factors=series.discount_factors * np.exp(-series.rates * ages),
        ex_years=series.ex_years + ages[:, None],
    )


def _ex_dates(market: Market, rows: Codes) -> tuple[Floats, Floats]:
    """Years to the ex-dates and the cash, [n, D], of American options; the forward of others holds them."""
    table, paid = market.instruments, market.dividends
    counted = paid.amounts > 0.0
    owners, years, amounts = paid.underlyings[counted], paid.years[counted], paid.amounts[counted]
    names = table.underlyings[rows]
    first = np.searchsorted(owners, names, side="left")
    most = int((np.searchsorted(owners, names, side="right") - first).max(initial=0))
    places = first[:, None] + np.arange(most)
    inside = places < len(owners)
    places = np.where(inside, places, 0)
    # where dividends and a given forward contradict each other, the forward holds (see carry.add_forwards)
    honoured = (table.is_american[rows] & (table.dividends[rows] > 0.0))[:, None] & inside
    if most:
        honoured &= (owners[places] == names[:, None]) & (years[places] <= table.years[rows][:, None])
    used = int(honoured.sum(axis=1).max(initial=0))
    honoured, places = honoured[:, :used], places[:, :used]
    if not used:
        return np.empty((len(rows), 0)), np.empty((len(rows), 0))
    return np.where(honoured, years[places], np.inf), np.where(honoured, amounts[places], 0.0)

"""Instruments of a market as the columns a backend needs."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.contract import Series
from shockgrid.market import Market


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
        honoured &= (owners[places] == names[:, None]) & (years[places] < table.years[rows][:, None])
    used = int(honoured.sum(axis=1).max(initial=0))
    honoured, places = honoured[:, :used], places[:, :used]
    if not used:
        return np.empty((len(rows), 0)), np.empty((len(rows), 0))
    return np.where(honoured, years[places], np.inf), np.where(honoured, amounts[places], 0.0)

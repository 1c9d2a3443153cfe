"""Which way an American option is priced, decided by its own terms alone."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends.contract import Series
from shockgrid.backends.vol_ranges import LARGEST_VOL, LONGEST_WILD, SMALLEST_VOL, WILD_VOL

EUROPEAN, TABLE, GRID = 0, 1, 2
#: Rate * years up to which a rate counts as 0: its premium is at most as much of the strike, and with less
#: the start of the boundary has no digits left.
NOTHING = 1e-11
LONGEST, LARGEST_GROWTH = 12.0, 4.0  #: years, and rate * years in size, up to which tables were measured
#: (yield - rate) * sqrt(years) / vol of a put up to which they were: how fast the spot falls to the boundary.
#: The second holds where the spot falls by more than a fifth of its log in the life.
LARGEST_FALLS, DEEP = (25.0, 3.0), 0.2
#: vol sqrt(years) up to which tables are right to 1e-5 of the spot, rates to 10 %.
LARGEST_DEVIATION = 12.0
#: Kernels may round a shocked vol up to the last range, which has no tables of long lives.
ROUNDING = 1e-12


def routes(series: Series) -> Codes:
    """EUROPEAN, TABLE or GRID for each of n options.

    Stated for puts; a call is the put with rate and yield exchanged. With cash dividends, and where the yield
    is below a rate of 0 or less (two exercise boundaries): finite differences. With a rate above 0: the table
    of premiums. Else, and for contracts whose cash exceeds the strike, exercise never pays before expiry.
    """
    rates, yields = put_rates(series)
    growth, carry = rates * series.years, (rates - yields) * series.years
    cash = np.zeros(len(series), np.bool_)
    if series.ex_cash.shape[1]:
        cash = series.ex_cash[:, 0] > 0.0
    codes = np.where(growth > NOTHING, TABLE, np.where(carry <= NOTHING, EUROPEAN, GRID))
    codes = np.where(cash, GRID, codes)
    return np.where(series.is_american & (series.years > 0.0) & (series.strikes > 0.0), codes, EUROPEAN)


def put_rates(series: Series) -> tuple[Floats, Floats]:
    """Rate and yield of the put that each option is: exchanged for calls."""
    swapped = series.is_call
    return (
        np.where(swapped, series.yields, series.rates),
        np.where(swapped, series.rates, series.yields),
    )


def least_vols(series: Series) -> Floats:
    """Vol [n] from which the terms of each option are tabulated; inf where they are at no vol."""
    growth = np.maximum(np.abs(series.rates), np.abs(series.yields)) * series.years
    beyond = (series.years > LONGEST) | (growth > LARGEST_GROWTH)
    rates, yields = put_rates(series)
    falls = (yields - rates) * series.years
    most = np.where(falls > DEEP, LARGEST_FALLS[1], LARGEST_FALLS[0])
    roots = np.sqrt(np.where(series.years > 0.0, series.years, 1.0))
    return np.where(beyond, np.inf, np.maximum(falls, 0.0) / (most * roots))


def tabulated_vols(series: Series) -> tuple[Floats, Floats]:
    """Vols [n] from which and below which each option is tabulated; ``shockgrid.pricing`` prices others."""
    most = np.where(series.years > LONGEST_WILD, WILD_VOL * (1.0 - ROUNDING), LARGEST_VOL)
    roots = np.sqrt(np.where(series.years > 0.0, series.years, 1.0))
    return np.maximum(least_vols(series), SMALLEST_VOL), np.minimum(most, LARGEST_DEVIATION / roots)


def off_tables(series: Series, vols: Floats) -> Mask:
    """Where vols [..., n] or terms lie outside what is tabulated."""
    least, most = tabulated_vols(series)
    return np.asarray((vols < least) | (vols >= most))

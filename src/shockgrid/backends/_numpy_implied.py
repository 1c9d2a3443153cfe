"""Implied vols of American options, from the values the backend itself gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends._numpy_routes import EUROPEAN, GRID, routes
from shockgrid.backends.contract import Series
from shockgrid.backends.vol_ranges import SMALLEST_VOL, WILD_VOL
from shockgrid.pricing.certain import certain_values
from shockgrid.pricing.implied import ROUNDING, implied_vol

REPRICING_TOLERANCE = 1e-10  #: of the spot delivered
#: Of the spot: where two ranges of vols meet, values tabulated with two efforts may differ by as much.
LARGEST_JUMP = 1e-5
MOST_STEPS = 80
USUAL_START = 0.3  #: where the price has no European vol
LONGEST_STEP = 0.5  #: of the log of the vol: what lies farther was perhaps never needed
NARROWEST = 1e-13  #: bracket of the log of the vol
FARTHEST = 4.0  #: deviations up to which grids are exact, and shocked vols are still on them
NEAR_TOP = 0.7  #: below the highest log: the search does not begin at its end
LOWEST_LOG, HIGHEST_LOG = float(np.log(SMALLEST_VOL)), float(np.log(WILD_VOL)) - 1e-12

#: Vols and reasons of prices that have a vol; by ``solve``, or faster.
Solver: TypeAlias = Callable[[Series, Floats], tuple[Floats, NDArray[np.str_]]]


def implied(
    series: Series, prices: Floats, european: Callable[..., tuple[Any, Any]], solver: Solver
) -> tuple[Floats, NDArray[np.str_]]:
    """Vols and reasons of any instruments: ``european`` inverts plain prices, ``solver`` American ones."""
    vols, reasons = np.zeros(len(series)), np.full(len(series), "below_intrinsic", "U15")
    prices = np.where(series.inverse, prices * series.spots, prices)
    forwards = series.slopes * series.spots + series.intercepts
    early = routes(series) != EUROPEAN
    plain = np.flatnonzero(~early & (forwards > 0.0))
    own = series.take(plain)
    columns = (prices[plain], forwards[plain], own.strikes, own.years, own.discount_factors, own.is_call)
    vols[plain], reasons[plain] = european(*columns)
    american = np.flatnonzero(early)
    if len(american):
        found = implied_american(series.take(american), prices[american], solver)
        vols[american], reasons[american] = found
    return vols, reasons


def implied_american(series: Series, prices: Floats, solver: Solver) -> tuple[Floats, NDArray[np.str_]]:
    """Vols at which American options have these prices [n], and reasons as in ``pricing.implied``.

    ``below_intrinsic`` is a price below the best exercise at any moment if the spot moves with its forward,
    ``no_time_value`` one that is exactly that of exercise now: every low vol gives it. The start is the
    European vol of the same price; the rest is the secant method in the log of the vol, bracketed by 0.2 %
    and 800 %, or vol sqrt(T) = 4 with dividends if that is less. Each option is solved by itself.
    """
    reasons = np.full(len(series), "", "U15")
    spots = series.units * series.spots
    gains = np.maximum(np.where(series.is_call, 1.0, -1.0) * (spots - series.strikes), 0.0)
    certain = _certain(series)
    noise = ROUNDING * np.maximum(spots, series.strikes)
    for told, reason in (
        (prices <= gains + noise, "no_time_value"),
        (prices < np.maximum(certain, gains) - noise, "below_intrinsic"),
        (prices >= np.where(series.is_call, spots, series.strikes), "above_max"),
        (series.years <= 0.0, "no_time"),
    ):
        reasons[told] = reason
    open_rows = np.flatnonzero(reasons == "")
    vols = np.zeros(len(series))
    if len(open_rows):
        part, own = series.take(open_rows), prices[open_rows]
        vols[open_rows], reasons[open_rows] = solver(part, own)
    return vols, reasons


def tops(series: Series) -> Floats:
    """Log of the highest vol that is tried."""
    readable = np.log(FARTHEST / np.sqrt(series.years))
    return np.where(routes(series) == GRID, np.minimum(readable, HIGHEST_LOG), HIGHEST_LOG)


def _certain(series: Series) -> Floats:
    late = np.minimum(series.ex_years, series.years[:, None])
    cash = series.units[:, None] * series.ex_cash
    dividends = [(late[:, index], cash[:, index]) for index in range(late.shape[1])]
    spots = series.units * series.spots
    columns = (spots, series.strikes, series.years, series.rates, series.yields, series.is_call)
    return certain_values(*columns, dividends)


def first_logs(
    series: Series, prices: Floats, highest: Floats, european: Callable[..., tuple[Any, Any]] = implied_vol
) -> Floats:
    """Log of the vol that is tried first; ``european`` finds that of a European option of the same price."""
    forwards = series.slopes * series.spots + series.intercepts
    found = np.zeros(len(series))
    live = (forwards > 0.0) & (series.strikes > 0.0)
    own = series.take(live)
    columns = (prices[live], forwards[live], own.strikes, own.years, own.discount_factors, own.is_call)
    found[live] = european(*columns)[0]
    started = np.maximum(np.where(found > 0.0, found, USUAL_START), 2.0 * SMALLEST_VOL)
    return np.minimum(np.log(started), highest - NEAR_TOP)


def solve(
    series: Series, prices: Floats, values_of: Callable[[Series], Floats]
) -> tuple[Floats, NDArray[np.str_]]:
    """Vols at which ``values_of`` gives the prices."""
    count = len(series)
    highest, misses = tops(series), np.zeros(count)
    logs = first_logs(series, prices, highest)
    before, missed = logs.copy(), np.zeros(count)
    low, high = np.full(count, LOWEST_LOG), highest.copy()
    best, least = logs.copy(), np.full(count, np.inf)
    scales = series.units * series.spots
    going = np.arange(count)
    for step in range(MOST_STEPS):
        misses[going] = values_of(replace(series.take(going), vols=np.exp(logs[going]))) - prices[going]
        own = misses[going]
        low[going] = np.where(own < 0.0, logs[going], low[going])
        high[going] = np.where(own < 0.0, high[going], logs[going])
        better = going[np.abs(own) < least[going]]
        best[better], least[better] = logs[better], np.abs(misses[better])
        left = (np.abs(own) > REPRICING_TOLERANCE * scales[going]) & (high[going] - low[going] > NARROWEST)
        going = going[left]
        if len(going) == 0:
            break
        following = _next(going, step, logs, misses, before, missed, low, high)
        before[going], missed[going], logs[going] = logs[going], misses[going], following
    reasons = np.where(least <= LARGEST_JUMP * scales, "", "not_reproduced").astype("U15")
    reasons[(reasons != "") & (best > highest - 1e-6)] = "above_max"
    return np.where(reasons == "", np.exp(best), 0.0), reasons


def _next(
    rows: Codes,
    step: int,
    logs: Floats,
    misses: Floats,
    before: Floats,
    missed: Floats,
    low: Floats,
    high: Floats,
) -> Floats:
    """The log to try next: by the secant, or the middle of the bracket where that leaves it or is slow."""
    x, y, bottom, top = logs[rows], misses[rows], low[rows], high[rows]
    middle = 0.5 * (bottom + top)
    rise, run = y - missed[rows], x - before[rows]
    steep = (run != 0.0) & (rise * run > 0.0)
    secant = x - np.where(steep, y * run / np.where(steep, rise, 1.0), 0.0)
    usable: Mask = steep & (secant > bottom) & (secant < top) & (step % 4 != 3)
    first = x - np.sign(y) * 0.02  # a second point near the start
    tried = np.where(usable, secant, first if step == 0 else middle)
    return np.asarray(np.clip(np.clip(tried, x - LONGEST_STEP, x + LONGEST_STEP), bottom, top))

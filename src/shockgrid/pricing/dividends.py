"""Options on a spot that pays cash dividends, written for correctness and used to test the backends."""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.pricing.american import american, is_certain
from shockgrid.pricing.certain import certain_values
from shockgrid.pricing.european import black
from shockgrid.pricing.heat_grid import grid_values
from shockgrid.pricing.heat_layout import Options

Rows: TypeAlias = Codes


def with_dividends(
    spots: ArrayLike,
    strikes: ArrayLike,
    years: ArrayLike,
    vols: ArrayLike,
    rates: ArrayLike,
    yields: ArrayLike,
    is_call: ArrayLike,
    ex_years: ArrayLike,
    cash: ArrayLike,
    *,
    exercise: Literal["american", "european"] = "american",
    model: Literal["spot", "escrowed"] = "spot",
) -> Floats:
    """Values of options on a spot with cash dividends, elementwise under broadcasting.

    Parameters
    ----------
    spots, strikes, years, vols, rates, yields, is_call : as in ``pricing.american.american``.
    ex_years, cash : [..., dividends], the leading shape broadcast with the others: years to the ex-date, and
        currency per unit of the spot, >= 0, in any order. A dividend counts if 0 < ex_years <= years, so rows
        of different length can be padded with zeros.
    exercise : ``"american"`` at any time, or ``"european"`` at expiry.
    model : ``"spot"``: the spot is lognormal between ex-dates and drops by the cash on each (to 0 at most);
        ``"escrowed"``: the spot less the present value of its dividends to expiry is lognormal, each
        discounted by exp(-(rate - yield) t).

    Returns
    -------
    Values in currency, float64, of the broadcast shape. Inputs are not checked here.

    Without a dividend that counts, and European and escrowed, the boundary method or the closed form answers;
    otherwise finite differences (``grid_values``), measured within 1e-5 of the spot (vols of 1-400 %, up to
    two years and eight dividends), and InputError where vol * sqrt(years) is above 25. Options that
    share expiry and ex-dates are solved together, so pass chains and not single options. Models:
    R. Hull, "Options, Futures and Other Derivatives", on dividends; M. Vellekoop, J. Nieuwenhuis, "Efficient
    pricing of derivatives on assets with discrete dividends", Appl. Math. Finance 13 (2006).
    """
    columns = [np.asarray(a, np.float64) for a in (spots, strikes, years, vols, rates, yields)]
    dates, amounts = np.broadcast_arrays(np.asarray(ex_years, np.float64), np.asarray(cash, np.float64))
    call, width = np.asarray(is_call, np.bool_), dates.shape[-1]
    shape = np.broadcast_shapes(*(a.shape for a in columns), call.shape, dates.shape[:-1])
    spot, strike, year, vol, rate, dividend_yield = (np.broadcast_to(a, shape).reshape(-1) for a in columns)
    dates, amounts = (np.broadcast_to(a, (*shape, width)).reshape(len(spot), width) for a in (dates, amounts))
    counted = (dates > 0) & (dates <= year[:, None]) & (amounts > 0)
    dates, amounts = np.where(counted, dates, 0.0), np.where(counted, amounts, 0.0)
    calls = np.broadcast_to(call, shape).reshape(-1)
    terms = _Terms(spot, strike, year, vol, rate, dividend_yield, calls, dates, amounts)
    return _route(terms, early=exercise == "american", escrowed=model == "escrowed").reshape(shape)


class _Terms(NamedTuple):
    """Columns of m options; dividends that do not count are (0, 0)."""

    spots: Floats
    strikes: Floats
    years: Floats
    vols: Floats
    rates: Floats
    yields: Floats
    is_call: Mask
    dates: Floats  #: [m, dividends]
    amounts: Floats  #: [m, dividends]

    def only(self, rows: Rows) -> _Terms:
        return _Terms._make(column[rows] for column in self)


def _route(terms: _Terms, *, early: bool, escrowed: bool) -> Floats:
    waits = (terms.rates - terms.yields)[:, None] * terms.dates
    present = np.sum(terms.amounts * np.exp(-waits), axis=1)
    plain = ~(terms.amounts > 0).any(axis=1)
    certain = is_certain(terms.spots, terms.strikes, terms.years, terms.vols)
    certain |= escrowed & (terms.spots <= present)
    boundary, closed = plain & early, (plain | escrowed) & (not early)
    values = np.empty(len(present))
    for chosen, price in (
        (boundary, _boundary),
        (closed, partial(_closed, present=present)),
        (certain & ~boundary & ~closed, partial(_certain, early=early, escrowed=escrowed)),
        (~(certain | boundary | closed), partial(_grids, early=early, escrowed=escrowed)),
    ):
        rows = np.flatnonzero(chosen)
        if len(rows):
            values[rows] = price(terms, rows)
    if early:
        now = np.where(terms.is_call, terms.spots - terms.strikes, terms.strikes - terms.spots)
        values = np.maximum(values, now)
    return values


def _boundary(terms: _Terms, rows: Rows) -> Floats:
    part = terms.only(rows)
    return american(part.spots, part.strikes, part.years, part.vols, part.rates, part.yields, part.is_call)


def _closed(terms: _Terms, rows: Rows, *, present: Floats) -> Floats:
    part = terms.only(rows)
    forwards = (part.spots - present[rows]) * np.exp((part.rates - part.yields) * part.years)
    discounts = np.exp(-part.rates * part.years)
    return black(forwards, part.strikes, part.years, part.vols, discounts, part.is_call)


def _certain(terms: _Terms, rows: Rows, *, early: bool, escrowed: bool) -> Floats:
    part = terms.only(rows)
    order = np.argsort(part.dates, axis=1)
    dates = np.take_along_axis(part.dates, order, axis=1)
    amounts = np.take_along_axis(part.amounts, order, axis=1)
    inputs = (part.spots, part.strikes, part.years, part.rates, part.yields, part.is_call)
    dividends = list(zip(dates.T, amounts.T, strict=True))
    return certain_values(*inputs, dividends, american=early, absorbed=not escrowed)


def _grids(terms: _Terms, rows: Rows, *, early: bool, escrowed: bool) -> Floats:
    """Options whose dividends fall at the same fractions of their lives go to the grid together."""
    part = terms.only(rows)
    years = part.years[:, None]
    left = np.where(part.amounts > 0, (years - part.dates) / years, np.inf)
    order = np.argsort(left, axis=1)
    schedules, which = np.unique(np.take_along_axis(left, order, axis=1), axis=0, return_inverse=True)
    amounts = np.take_along_axis(part.amounts, order, axis=1)
    values = np.empty(len(rows))
    for index, schedule in enumerate(schedules):
        group = np.flatnonzero(which.reshape(-1) == index)
        count = int(np.isfinite(schedule).sum())
        one = part.only(group)
        columns = (one.spots, one.strikes, one.years, one.vols, one.rates, one.yields, one.is_call)
        options = Options(*columns, schedule[:count], amounts[group, :count])
        values[group] = grid_values(options, american=early, escrowed=escrowed)
    return values

"""American options with a continuous yield, written for correctness and used to test the backends."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.pricing.boundary import Boundaries, quadrature, solve_boundaries
from shockgrid.pricing.certain import certain_values
from shockgrid.pricing.european import black
from shockgrid.pricing.heat_grid import LARGEST_DEVIATION, grid_values
from shockgrid.pricing.heat_layout import Options

POINTS = 64  #: quadrature points of each of the two panels of the premium
SURE = 8.0  #: deviations beyond which the sign of a normal variable is certain, to 1e-15
CERTAIN = 1e-10  #: deviation vol * sqrt(years) up to which the spot is taken as certain: at most 4e-11 of it
REMOTE = 1e-15  #: spot over strike, or the other way round, up to which exercise is certain or out of sight
NOTHING = 1e-14  #: rate * years up to which a rate counts as 0: it is worth less than rounding
HIGHEST_LOG = 300.0  #: of spot over strike where a premium is sought; above it there is none
BLOCK = 64


def american(
    spots: ArrayLike,
    strikes: ArrayLike,
    years: ArrayLike,
    vols: ArrayLike,
    rates: ArrayLike,
    yields: ArrayLike,
    is_call: ArrayLike,
) -> Floats:
    """Values of American options with a continuous yield, elementwise under broadcasting.

    Parameters
    ----------
    spots, strikes : in currency, >= 0.
    years : time to expiry in years (ACT/365F), >= 0.
    vols : decimals per square root of a year, >= 0 (0.25 is 25 %).
    rates, yields : continuous decimals, of any sign; times years at most 100 in size.
    is_call : True for a call, False for a put.

    Returns
    -------
    Values in currency, float64, of the broadcast shape, at least the European value and that of exercise now.
    Inputs are not checked here; see ``shockgrid.price_american``.

    A call is the put with spot and strike, rate and yield exchanged (McDonald and Schroder 1998). A put is

    ======================  =========================================================================
    nothing random          exercised at the best moment of a certain spot (``certain_values``)
    rate > 0                exercised at one boundary (``solve_boundaries``): European value plus premium
    yield >= rate <= 0      never exercised early: European
    yield < rate <= 0       exercised between two boundaries: finite differences (``heat_grid``); European
                            above vol * sqrt(years) = 25, where all are worth the discounted strike
    ======================  =========================================================================

    Measured against QuantLib 1.44: 3e-7 x spot with one boundary (vol 0.1-400 %, to 10 years), 1e-5 with two.
    Source: L. Andersen, M. Lake, D. Offengenden, "High-performance American option pricing", J. Computational
    Finance 20 (2016), and J. Kim, "The analytic valuation of American options" (1990) for the premium.
    """
    columns = (spots, strikes, years, vols, rates, yields)
    arrays = np.broadcast_arrays(*(np.asarray(a, np.float64) for a in columns), np.asarray(is_call, np.bool_))
    spot, strike, year, vol, rate, dividend_yield, call = (array.reshape(-1) for array in arrays)
    puts = _Puts(
        np.where(call, strike, spot),
        np.where(call, spot, strike),
        year,
        vol,
        np.where(call, dividend_yield, rate),
        np.where(call, rate, dividend_yield),
    )
    return _route(puts).reshape(arrays[0].shape)


class _Puts(NamedTuple):
    """Columns of m puts, [m] each."""

    spots: Floats
    strikes: Floats
    years: Floats
    vols: Floats
    rates: Floats
    yields: Floats

    def only(self, rows: Codes) -> _Puts:
        return _Puts(*(column[rows] for column in self))


def is_certain(spots: Floats, strikes: Floats, years: Floats, vols: Floats) -> Mask:
    """Where the value is that of a spot which follows its forward, to rounding."""
    calm = vols * np.sqrt(years) <= CERTAIN
    return calm | (spots <= REMOTE * strikes) | (strikes <= REMOTE * spots)


def _route(puts: _Puts) -> Floats:
    certain = is_certain(puts.spots, puts.strikes, puts.years, puts.vols)
    wild = puts.vols * np.sqrt(puts.years) > LARGEST_DEVIATION
    one = puts.rates * puts.years > NOTHING
    none = ~one & (wild | ((puts.rates - puts.yields) * puts.years <= NOTHING))
    values = np.empty(len(puts.spots))
    for chosen, price in (
        (certain, _certain),
        (~certain & one, _one_boundary),
        (~certain & none, _european),
        (~certain & ~one & ~none, _two_boundaries),
    ):
        rows = np.flatnonzero(chosen)
        if len(rows):
            values[rows] = price(puts.only(rows))
    return np.maximum(np.maximum(values, _european(puts)), puts.strikes - puts.spots)


def _certain(puts: _Puts) -> Floats:
    return certain_values(puts.spots, puts.strikes, puts.years, puts.rates, puts.yields, np.False_)


def _european(puts: _Puts) -> Floats:
    forwards = puts.spots * np.exp((puts.rates - puts.yields) * puts.years)
    return black(forwards, puts.strikes, puts.years, puts.vols, np.exp(-puts.rates * puts.years), False)


def _two_boundaries(puts: _Puts) -> Floats:
    count = len(puts.spots)
    options = Options(*puts, np.zeros(count, np.bool_), np.zeros(0), np.zeros((count, 0)))
    return grid_values(options, american=True, escrowed=False)


def _one_boundary(puts: _Puts) -> Floats:
    values = _european(puts)
    terms = np.stack([puts.years, puts.vols, puts.rates, puts.yields], axis=1)
    distinct, kinds = np.unique(terms, axis=0, return_inverse=True)  # one boundary for all spots and strikes
    kinds = kinds.reshape(-1)
    solved = [solve_boundaries(*distinct[low : low + BLOCK].T) for low in range(0, len(distinct), BLOCK)]
    limits, squares = (
        np.concatenate([getattr(part, name) for part in solved]) for name in ("log_limits", "squares")
    )
    for start in range(0, len(values), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(values)))
        part = puts.only(rows)
        boundaries = Boundaries(limits[kinds[rows]], squares[kinds[rows]])
        logs = np.log(part.spots) - np.log(part.strikes)
        held = values[rows] + part.strikes * _premiums(part, logs, boundaries)
        values[rows] = np.where(logs > boundaries.today(), held, part.strikes - part.spots)
    return values


def _premiums(puts: _Puts, logs: Floats, boundaries: Boundaries) -> Floats:
    """Early-exercise premium over strike, [m]; ``logs`` is log(spot / strike). Kim (1990), equation (10).

    The integral over the time t elapsed runs in the angle whose sine is sqrt(t / T), in two panels that part
    where the spot, with its drift, has left the boundary of today behind for certain; before the first
    the integrand is 0. A step in time is thus resolved however small the vol.
    """
    years, vols, rates, yields = (
        column[:, None] for column in (puts.years, puts.vols, puts.rates, puts.yields)
    )
    abscissae, weights = quadrature(POINTS)
    total = np.zeros(len(logs))
    edges = _panels(puts, np.maximum(logs - boundaries.today(), 0.0))
    for low, high in pairwise(edges):
        angles = low[:, None] + (high - low)[:, None] * abscissae
        sines = np.sin(angles)
        elapsed, deviations = years * sines**2, vols * np.sqrt(years) * sines
        gaps = logs[:, None] - boundaries.logs(np.cos(angles)) + (rates - yields) * elapsed
        lower = gaps / deviations - 0.5 * deviations
        flow = rates * np.exp(-rates * elapsed) * ndtr(-lower)
        flow -= (
            yields
            * np.exp(np.minimum(logs, HIGHEST_LOG)[:, None] - yields * elapsed)
            * ndtr(-lower - deviations)
        )
        total += (high - low) * puts.years * (flow * np.sin(2.0 * angles) * weights).sum(axis=1)
    return total


def _panels(puts: _Puts, gaps: Floats) -> tuple[Floats, Floats, Floats]:
    """Angles between which it is uncertain whether the spot is above a boundary ``gaps`` below it; pi / 2.

    The roots in y = sqrt(t) of gaps + (r - q) y^2 = SURE vol y (drift away) or +-SURE vol y (drift towards).
    """
    drifts, reach, root = puts.rates - puts.yields, SURE * puts.vols, np.sqrt(puts.years)
    inside = reach**2 - 4.0 * drifts * gaps
    size = np.sqrt(np.maximum(inside, 0.0))
    speed = np.abs(drifts)
    first = np.where(inside < 0, root, np.minimum(2.0 * gaps / (reach + size), root))
    last = np.where((reach + size >= 2.0 * speed * root) | (inside < 0), root, 0.0)
    last = np.where(last > 0, last, (reach + size) / np.where(speed > 0, 2.0 * speed, 1.0))
    return np.arcsin(first / root), np.arcsin(last / root), np.full_like(root, 0.5 * np.pi)

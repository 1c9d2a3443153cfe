"""Prices in every scenario, read from solved grids: combine the vol nodes once, then interpolate spots."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends._numpy_grid_crossing import Crossing
from shockgrid.backends._numpy_grid_frame import NODES, Contracts, Frame, crosses_soon, frame
from shockgrid.backends._numpy_grid_kinds import per_octave
from shockgrid.backends.vol_lattice import STENCIL, first_nodes, is_on_lattice, node_weights
from shockgrid.errors import InputError
from shockgrid.pricing.certain import certain_values
from shockgrid.pricing.dividends import with_dividends

CERTAIN = 1e-6  #: deviation vol * sqrt(years) up to which the spot is certain, to 4e-7 of it
#: Deviation above which ``with_dividends`` answers, at tens of milliseconds each. Between 4 and this the grid
#: errs by up to 5e-4 x spot in puts, which are then worth nearly the strike.
WILD = 6.0
WILDEST = 25.0  #: and above which an option is worth what it is at this one, its bound, to rounding
COARSE = 0.8  #: deviations between nodes above which ``with_dividends`` answers
READABLE, SURE, TRUTH, BOUND = range(4)  #: routes of an option at a vol


def routes(contracts: Contracts, vols: Floats) -> Codes:
    """How each option is priced at each of its vols, codes in the shape [Q, n] of ``vols``.

    ========  ====================================================================================
    READABLE  from a grid
    SURE      no time or no vol: the best exercise of a certain spot
    TRUTH     ``with_dividends``: nodes too far apart (large dividends at a vol near 0), vol sqrt(T) above
              6, a call with its first two ex-dates in close succession shortly, or a vol off the lattice
    BOUND     vol sqrt(T) above 25
    ========  ====================================================================================
    """
    deviations = vols * np.sqrt(contracts.years)
    sure = deviations <= CERTAIN
    safe = np.where(sure, 1.0, vols)
    steps = frame(_alive(contracts), safe).steps
    hard = (steps > COARSE) | crosses_soon(contracts)[1] | ~is_on_lattice(vols, per_octave(contracts))
    result = np.where(hard | (deviations > WILD), TRUTH, READABLE)
    return np.where(sure, SURE, np.where(deviations > WILDEST, BOUND, result))


def _alive(contracts: Contracts) -> Contracts:
    return contracts._replace(years=np.where(contracts.years > 0, contracts.years, 1.0))


def read_lanes(
    lanes: Floats,
    places: Codes,
    firsts: Codes,
    contracts: Contracts,
    spots: Floats,
    vols: Floats,
    index: Codes,
) -> Floats:
    """Values [S, n] in currency; the grids are ``lanes[places]``. See ``read``."""
    return read(lanes[places], firsts, contracts, spots, vols, index)


def read(
    grids: Floats, firsts: Codes, contracts: Contracts, spots: Floats, vols: Floats, index: Codes
) -> Floats:
    """Values [S, n] in currency.

    Parameters
    ----------
    grids, firsts : [n, V, NODES] from ``solve``, and the lattice node [n] of its first vol.
    contracts : the n options that were solved.
    spots : [P, n], >= 0. vols : [Q, n], >= 0, each option's own.
    index : [S, 2] rows of ``spots`` and ``vols`` that make up each scenario.

    At least intrinsic and 0. Outside the grid, and where no grid serves (``routes``), other methods answer.
    Raises InputError if a vol that is read from the grid lies outside the nodes that were solved.
    """
    ways = routes(contracts, vols)
    values = np.empty((len(index), vols.shape[1]))
    require_nodes(ways, firsts, contracts, vols, grids.shape[1])
    with np.errstate(divide="ignore"):
        logs = np.log(spots) - np.log(contracts.strikes)
    logs = np.where(contracts.is_call, -logs, logs)
    for state in np.unique(index[:, 1]):
        wanted, rows = np.flatnonzero(index[:, 1] == state), np.flatnonzero(ways[state] == READABLE)
        at = index[wanted, 0]
        if len(rows) == vols.shape[1]:
            block = _interpolated(grids, firsts, contracts, spots[at], logs[at], vols[state])
            values[wanted] = np.maximum(block, _floors(contracts, spots[at]))
        elif len(rows):
            own, there = contracts.only(rows), spots[at][:, rows]
            block = _interpolated(grids[rows], firsts[rows], own, there, logs[at][:, rows], vols[state, rows])
            values[wanted[:, None], rows] = np.maximum(block, _floors(own, there))
    put_unread(values, ways, contracts, spots, vols, index)
    return values


def put_unread(
    values: Floats, ways: Codes, contracts: Contracts, spots: Floats, vols: Floats, index: Codes
) -> None:
    """The values [S, n] that no grid serves, in place; ``ways`` from ``routes``."""
    if (ways == READABLE).all():
        return
    for state in np.unique(index[:, 1]):
        wanted = np.flatnonzero(index[:, 1] == state)
        for way, price in ((SURE, _sure), (TRUTH, _truth), (BOUND, _bound)):
            rows = np.flatnonzero(ways[state] == way)
            if len(rows):
                own, there = contracts.only(rows), spots[index[wanted, 0]][:, rows]
                block = price(own, there, vols[state, rows])
                values[wanted[:, None], rows] = np.maximum(block, _floors(own, there))


def require_nodes(ways: Codes, firsts: Codes, contracts: Contracts, vols: Floats, count: int) -> None:
    """Raise InputError if a vol that is read lies outside the ``count`` nodes solved from ``firsts`` on."""
    offsets = first_nodes(np.where(ways == READABLE, vols, 1.0), per_octave(contracts)) - firsts
    bad = np.argwhere((ways == READABLE) & ((offsets < 0) | (offsets > count - STENCIL)))
    if len(bad):
        problem = f"the vol of option {bad[0, 1]} lies outside the nodes that were solved"
        raise InputError(problem, column="vols", value=float(vols[tuple(bad[0])]))


def _floors(contracts: Contracts, spots: Floats) -> Floats:
    sign = np.where(contracts.is_call, 1.0, -1.0)
    return np.maximum(sign * (spots - contracts.strikes), 0.0)


def _interpolated(
    grids: Floats, firsts: Codes, contracts: Contracts, spots: Floats, logs: Floats, vols: Floats
) -> Floats:
    """Values [P, n] at one vol each [n]."""
    here = frame(contracts, vols)
    level = _combined(grids, firsts, vols, per_octave(contracts))
    places = (logs + here.falls) / (here.steps * here.deviations) + here.zeros
    inside = (places >= 0) & (places <= NODES - 1)
    places, logs = np.where(inside, places, 1.0), np.where(inside, logs, 0.0)
    values = _cubic(level, places)
    soon = np.flatnonzero(crosses_soon(contracts)[0])
    if len(soon):
        part = Frame(*(column[soon] for column in here))
        crossing = Crossing(contracts.only(soon), part, level[soon])
        values[:, soon] += crossing.gains(logs[:, soon], places[:, soon], values[:, soon])
    values *= np.where(contracts.is_call, spots, contracts.strikes)
    if not inside.all():
        state, row = np.nonzero(~inside)
        values[state, row] = _certain(contracts.only(row), spots[state, row])
    return values


def _combined(grids: Floats, firsts: Codes, vols: Floats, fineness: Codes) -> Floats:
    """Grids [n, NODES] at one vol each, by the four lattice nodes around it."""
    lattice = first_nodes(vols, fineness)
    offsets = lattice - firsts
    weights = node_weights(vols, lattice, fineness)
    rows = np.arange(len(vols))
    level: Floats = grids[rows, offsets] * weights[0, :, None]
    for node in range(1, STENCIL):
        level += grids[rows, offsets + node] * weights[node, :, None]
    return level


def _cubic(level: Floats, places: Floats) -> Floats:
    """Cubic through the four nodes around each place [P, n] of the rows of ``level`` [n, NODES]."""
    first = np.floor(places)
    np.clip(first, 1.0, NODES - 3.0, out=first)
    x = places - first
    index = first.astype(np.intp)
    index += np.arange(len(level)) * NODES
    flat = level.reshape(-1)
    after = x - 1.0
    outer = x * after / 6.0
    values = flat.take(index - 1) * (outer * (2.0 - x))
    values += flat.take(index + 2) * (outer * (x + 1.0))
    outer = (x + 1.0) * (x - 2.0) * 0.5
    values += flat.take(index) * (outer * after)
    values -= flat.take(index + 1) * (outer * x)
    return values


def _certain(contracts: Contracts, spots: Floats) -> Floats:
    """Values [..., n] of options on a spot [..., n] that follows its forward."""
    dividends = list(zip(contracts.ex_years.T, contracts.cash.T, strict=True))
    inputs = (spots, contracts.strikes, contracts.years, contracts.rates, contracts.yields)
    return certain_values(*inputs, contracts.is_call, dividends)


def _sure(contracts: Contracts, spots: Floats, vols: Floats) -> Floats:
    return _certain(contracts, spots)


def _truth(contracts: Contracts, spots: Floats, vols: Floats) -> Floats:
    inputs = (contracts.strikes, contracts.years, vols, contracts.rates, contracts.yields, contracts.is_call)
    return with_dividends(spots, *inputs, contracts.ex_years, contracts.cash)


def _bound(contracts: Contracts, spots: Floats, vols: Floats) -> Floats:
    """Put: the strike, for the spot is soon next to nothing, paid then or at expiry; call: so the spot."""
    rates = np.where(contracts.is_call, contracts.yields, contracts.rates)
    most = np.where(contracts.is_call, spots, contracts.strikes)
    return np.asarray(most * np.exp(np.maximum(-rates * contracts.years, 0.0)))

"""Which nodes each instrument needs, and how far its interpolated values can then be off."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends._numpy_routes import EUROPEAN, routes
from shockgrid.backends.contract import Series
from shockgrid.research.chebyshev import lift, lobatto, polynomials, roots, to_coefficients
from shockgrid.research.exercise_error import exercise_of, price_bends, read_from_tables, vol_bends
from shockgrid.research.grids import Grid
from shockgrid.research.interpolation_error import (
    LARGEST_HALF_RANGE,
    LEVELS,
    VOL_NODES,
    Options,
    price_errors,
    rounding,
    vol_errors,
)
from shockgrid.vol_rules import DAYS_PER_YEAR, REFERENCE_DAYS

PRICE_TOLERANCE: Final = 1e-6  #: of the strike: a level is fine enough for an instrument within it
VOL_TOLERANCE: Final = 2e-6  #: of the strike: so are the vol nodes for all instruments within it
LARGEST_VOL_ERROR: Final = 1e-4  #: of the strike: an instrument beyond it even so is not interpolated
AMERICAN_ROOM: Final = 20.0  #: how much more of each an American option may have: it is dear to price
#: part of a forward that does not move with the spot (cash dividends) up to which the table is used
LARGEST_FIXED: Final = 0.1
DENSE: Final = len(LEVELS)  #: level of instruments priced at every price of the grid, in the vol nodes alone
DIRECT: Final = -1  #: level of instruments that are not interpolated at all
WORTH_A_LEVEL: Final = 400  #: instruments that make a coarser level pay for itself


class Axes(NamedTuple):
    """The nodes of one grid: prices by level (the last level is the grid's own), vols."""

    shocks: tuple[Floats, ...]  #: by level
    lifts: tuple[Floats, ...]  #: by level: matrix [nodes, P] to the prices of the grid; none for the last
    norms: Floats  #: [levels + 1] largest gain of an error at the nodes
    nested: tuple[Floats, ...]  #: matrix from each level to the next
    vols: Floats  #: [nv]
    to_coefficients: Floats  #: [nv, nv]
    values: Floats  #: [V, nv] from coefficients to the vols of the grid


class Limits(NamedTuple):
    """What interpolation costs each of n instruments, discounted, per unit of price."""

    price: Floats  #: [levels + 1, n] error bounds of interpolating in the price; the last level's is rounding
    vol: Floats  #: [vol node counts, n] error bounds of interpolating in the vol
    fine: Mask  #: [levels, n] whether a level is fine enough
    enough: Mask  #: [vol node counts, n] whether so many vol nodes are
    usable: Mask  #: [n] whether the table knows the instrument
    early: Mask  #: [n] American options that may be worth exercising

    @classmethod
    def none(cls, count: int) -> Limits:
        """Of instruments that are not interpolated."""
        no = np.zeros(count, np.bool_)
        price, vol = np.zeros((DENSE + 1, count)), np.zeros((len(VOL_NODES), count))
        return cls(price, vol, np.tile(no, (DENSE, 1)), np.tile(~no, (len(VOL_NODES), 1)), no, no)

    def take(self, rows: Any) -> Limits:
        """The same for a selection of instruments (slice, mask or index array)."""
        price, vol, fine, enough, usable, early = self
        narrow = price[:, rows], vol[:, rows], fine[:, rows], enough[:, rows]
        return Limits(*narrow, usable[rows], early[rows])

    def without_early(self) -> Limits:
        """The same with options that may be worth exercising left out, as not interpolated."""
        return self._replace(enough=self.enough | self.early, usable=self.usable & ~self.early)


class Resolved(NamedTuple):
    """What the n instruments of a part need."""

    levels: Codes  #: [n]
    errors: Floats  #: [n] bound of the error of a unit value; 0 where direct
    vol_count: int


def log_points(grid: Grid) -> tuple[float, float, Floats]:
    """Middle and half of the log price range, and the grid's prices on it as points of [-1, 1]."""
    ends = np.log1p(grid.spots[[0, -1]])
    middle, half = float(ends.mean()), 0.5 * float(ends[1] - ends[0])
    return middle, half, np.clip((np.log1p(grid.spots) - middle) / half, -1.0, 1.0)


def axes(grid: Grid, vol_count: int) -> Axes:
    """The nodes of a grid of at least two prices, all above -100 %."""
    middle, half, points = log_points(grid)
    lifts = tuple(lift(count, points) for count in LEVELS)
    vols, matrix, values = vol_axes(grid, vol_count)
    return Axes(
        shocks=(*(np.expm1(middle + half * lobatto(count)) for count in LEVELS), grid.spots),
        lifts=lifts,
        norms=np.array([*(np.abs(matrix).sum(axis=0).max() for matrix in lifts), 1.0]),
        nested=tuple(lift(low, lobatto(high)) for low, high in pairwise(LEVELS)),
        vols=vols,
        to_coefficients=matrix,
        values=values,
    )


def vol_axes(grid: Grid, vol_count: int) -> tuple[Floats, Floats, Floats]:
    """``vols``, ``to_coefficients`` and ``values`` of ``Axes``."""
    middle, half = grid.vols[[0, -1]].mean(), 0.5 * (grid.vols[-1] - grid.vols[0])
    places = (grid.vols - middle) / half if half > 0.0 else np.zeros(1)
    return middle + half * roots(vol_count), to_coefficients(vol_count), polynomials(vol_count, places)


def limits_of(terms: Series, leverages: Floats, grid: Grid) -> Limits:
    """What interpolation costs n instruments, of one underlying or several, with leverages [n]."""
    if grid.spots[0] <= -1.0 or len(grid.spots) < 2:
        return Limits.none(len(terms))
    options, fits, early = _options(terms, grid)
    option, strikes = terms.is_option, options.strikes
    factors = np.where(option, terms.discount_factors, 1.0)
    # a forward is an exponential of the log price: up to a width 17 nodes give it to the last digit
    narrow = np.log((1.0 + grid.spots[-1]) / (1.0 + grid.spots[0])) <= 2.0 * LARGEST_HALF_RANGE
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        exercise = exercise_of(terms, float(grid.spots[0]), float(grid.spots[-1]))
        price = price_errors(options) * factors + np.where(early, price_bends(options, exercise), 0.0)
        vol = vol_errors(options) * factors + np.where(early, vol_bends(options, exercise), 0.0)
    price = np.where(option, price, 0.0 if narrow else np.inf)
    vol = np.where(option, vol, 0.0)
    room = np.where(early, AMERICAN_ROOM, 1.0) * strikes
    usable = ~terms.inverse & (fits | ~option) & (vol[-1] <= LARGEST_VOL_ERROR * room)
    if grid.leveraged:
        usable &= leverages == 1.0
    fine = price <= PRICE_TOLERANCE * room
    enough = (vol <= VOL_TOLERANCE * room) | ~usable
    nothing = np.zeros((1, len(terms)))
    errors = np.vstack([price, nothing]) + rounding(options) * factors
    return Limits(errors, vol, fine, enough, usable, early)


def resolved(limits: Limits, grid: Grid, norms: Floats) -> Resolved:
    """Level and error bound of each instrument of a part, of ``limits``; ``norms`` are those of ``Axes``.

    Few instruments of one level join the next that is in use.
    """
    levels = _joined(coarsest(limits, len(grid.spots)))
    (node,) = vol_nodes_of(limits, np.zeros(1, np.intp))
    return Resolved(levels, errors_of(limits, levels, norms, node), VOL_NODES[node])


def vol_nodes_of(limits: Limits, starts: Codes) -> Codes:
    """Place in ``VOL_NODES`` of the fewest that do for each run of instruments; ``starts`` [G]."""
    if not limits.enough.shape[1]:
        return np.zeros(len(starts), np.intp)
    together = np.logical_and.reduceat(limits.enough, starts, axis=1)
    return np.where(together.any(axis=0), np.argmax(together, axis=0), len(VOL_NODES) - 1)


def errors_of(limits: Limits, levels: Codes, norms: Floats, nodes: Codes) -> Floats:
    """[n] bound of the error of a unit value at these levels and places in ``VOL_NODES``; 0 where direct."""
    everyone = np.arange(len(levels))
    errors = limits.price[levels, everyone] + norms[levels] * limits.vol[nodes, everyone]
    return np.where(levels == DIRECT, 0.0, errors)


def _options(terms: Series, grid: Grid) -> tuple[Options, Mask, Mask]:
    """The instruments as the bound sees them, whether it knows their kind, and which may be exercised."""
    forwards = [
        terms.slopes * terms.spots * (1.0 + shock) + terms.intercepts for shock in grid.spots[[0, -1]]
    ]
    lowest, highest = forwards
    days = np.maximum(terms.years * DAYS_PER_YEAR, 1.0)
    scale = (REFERENCE_DAYS / days) ** grid.term_power
    moved = [
        terms.vols * (1.0 + shock * scale) if grid.vol_mode == "relative" else terms.vols + shock * scale
        for shock in grid.vols[[0, -1]]
    ]
    roots_of_time = np.sqrt(terms.years)
    # a vol that meets its floor or cap has a kink there
    smooth = (moved[0] >= grid.vol_floor) & (moved[1] <= grid.vol_cap)
    early = read_from_tables(terms, *moved)
    fits = ((routes(terms) == EUROPEAN) | early) & (terms.strikes > 0.0) & (lowest > 0.0) & smooth
    fits &= np.abs(terms.intercepts) <= LARGEST_FIXED * lowest
    positive = np.where(fits, lowest, 1.0), np.where(fits, highest, 2.0)
    strikes = np.where(fits, terms.strikes, np.maximum(highest, 1.0))
    options = Options(*positive, strikes, moved[0] * roots_of_time, moved[1] * roots_of_time)
    return options, fits, early & fits


def coarsest(limits: Limits, prices: int) -> Codes:
    """[n] the coarsest level that is fine enough on a grid of so many prices."""
    fine = limits.fine
    levels = np.where(fine.any(axis=0), np.argmax(fine, axis=0), DENSE)
    levels[np.append(LEVELS, 0)[levels] >= prices] = DENSE
    levels[~limits.usable] = DIRECT
    return levels


def _joined(levels: Codes) -> Codes:
    """Few instruments of one level join the next that is in use."""
    for level in range(DENSE - 1):
        mine, finer = levels == level, (levels > level) & (levels < DENSE)
        if finer.any() and mine.sum() < WORTH_A_LEVEL:
            levels[mine] = levels[finer].min()
    return levels

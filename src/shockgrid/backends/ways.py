"""How instruments are priced and which premium tables they read: decided once for all compiled backends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends import _numpy_routes as numpy_routes
from shockgrid.backends._numpy_block import shocked_vols
from shockgrid.backends._numpy_routes import off_tables, put_rates, tabulated_vols
from shockgrid.backends._numpy_store import Kept, PremiumStore
from shockgrid.backends.contract import Series
from shockgrid.backends.vol_ranges import LONGEST_WILD, RANGES, range_of
from shockgrid.states import States

#: ``Route`` of scenarios.h and device_sections.h: by the forward, as a European option, as one that is worth
#: at least what exercise gives, from premium tables, or by values that NumPy finds.
LINEAR, EUROPEAN, FLOORED, TABLE, GIVEN = range(5)
#: Kernel and NumPy may round a shocked vol to either side of an edge between two ranges.
ROUNDING = 1e-12


def routes_of(series: Series) -> NDArray[np.uint8]:
    """The route of each instrument [n]; its own terms alone decide."""
    ways = numpy_routes.routes(series)
    codes = np.where(series.is_american, FLOORED, EUROPEAN)
    codes = np.where(ways == numpy_routes.TABLE, TABLE, codes)
    codes = np.where(series.is_option, codes, LINEAR)
    return np.where((ways == numpy_routes.GRID) | series.inverse, GIVEN, codes).astype(np.uint8)


class Ways(NamedTuple):
    """How each of n instruments is priced under R vol rules and at its own vol, whatever the spot."""

    routes: NDArray[np.uint8]  #: [n]
    given: Codes  #: rows of the G instruments that values are found for outside the kernels
    flags: Mask  #: [R + 1, G] under which rules they are; at the own vol last
    rows: Codes  #: of the T instruments that read tables
    first: Codes  #: [T] the lowest range of vols that they read
    last: Codes  #: [T] the highest
    terms: Floats  #: [3, H] what tables depend on, see ``table_terms``, of the runs of neighbours among the T
    lengths: Codes  #: [H] rows of each run; may be 0

    @classmethod
    def of(cls, series: Series, states: States) -> Ways:
        """What is off the tables under every rule is given; what is under some rules, under those."""
        firsts, lengths = runs_of(series)
        heads = series.take(firsts)
        head_routes = routes_of(heads)
        routes, tabulated = np.repeat(head_routes, lengths), head_routes == TABLE
        rows = np.flatnonzero(routes == TABLE)
        own = series
        if len(rows) < len(series):
            own, heads, lengths = series.take(rows), heads.take(tabulated), lengths[tabulated]
        vols = _with_own(shocked_vols(own, states, extreme_rules(states)), own)
        lowest, highest = vols.min(axis=0), vols.max(axis=0)
        least, most = (np.repeat(limit, lengths) for limit in tabulated_vols(heads))
        near = np.flatnonzero((lowest < least) | (highest >= most))  # few: the rest is skipped
        beyond = np.zeros((len(states.vol_shocks) + 1, 0), np.bool_)
        if len(near):
            beside = own.take(near)
            beyond = off_tables(beside, _with_own(shocked_vols(beside, states), beside))
        hopeless = beyond.all(axis=0)
        off, some = near[hopeless], rows[near[~hopeless]]
        routes[rows[off]] = GIVEN
        whole = np.flatnonzero(routes == GIVEN)
        sure = np.ones((len(beyond), len(whole)), np.bool_)
        if len(off):
            rows, lowest, highest = (np.delete(column, off) for column in (rows, lowest, highest))
            runs = np.searchsorted(np.cumsum(lengths), off, side="right")
            lengths = lengths - np.bincount(runs, minlength=len(lengths))
        return cls(
            routes,
            np.concatenate([whole, some]),
            np.hstack([sure, beyond[:, ~hopeless]]),
            rows,
            range_of(lowest * (1.0 - ROUNDING)),
            range_of(highest * (1.0 + ROUNDING)),
            table_terms(heads),
            lengths,
        )


def runs_of(series: Series) -> tuple[Codes, Codes]:
    """First rows and lengths of the runs of neighbours that differ at most in spot, strike and vol."""
    same = np.ones(max(len(series) - 1, 0), np.bool_)
    kinds = (series.is_option, series.is_call, series.is_american, series.inverse, series.strikes > 0.0)
    for column in (series.years, series.rates, series.yields, *kinds, *(series.ex_cash[:, :1].T > 0.0)):
        same &= column[1:] == column[:-1]
    starts = np.zeros(len(series), np.bool_)
    starts[:1], starts[1:] = True, ~same
    firsts = np.flatnonzero(starts)
    return firsts, np.diff(firsts, append=len(series))


def _with_own(vols: Floats, series: Series) -> Floats:
    """Shocked vols [R, n], and below them the vols as they are."""
    return np.concatenate([vols, series.vols[None]])


def extreme_rules(states: States) -> Codes:
    """The least and the greatest shock of each kind of vol rule: of every option the others lie between."""
    kinds = np.stack([states.vol_caps, states.vol_floors, states.term_powers, states.relative])
    order = np.lexsort([states.vol_shocks, *kinds])
    ordered = kinds[:, order]
    differ = np.ones(len(order) + 1, np.bool_)
    differ[1:-1] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    return np.union1d(order[differ[:-1]], order[differ[1:]])


def table_terms(series: Series) -> Floats:
    """What premium tables depend on beside the range of vols, [3, n]: years, rate and yield of the put."""
    return np.stack([series.years, *put_rates(series)])


class WantedTables:
    """The premium tables that options on tables need, by their ``table_terms`` and ranges of vols.

    The n options are given as runs [H] of neighbours with the same terms, and how long each is.
    """

    def __init__(self, terms: Floats, lengths: Codes) -> None:
        codes = np.zeros(len(lengths), np.int64)
        for column in terms:  # far faster than whole rows
            values, numbers = np.unique(column, return_inverse=True)
            codes = codes * len(values) + numbers
        _, firsts, self._kinds_of_runs = np.unique(codes, return_index=True, return_inverse=True)
        self._lengths = lengths
        self._kinds = np.repeat(self._kinds_of_runs, lengths)
        self._distinct = terms[:, firsts].T
        self._wanted = np.zeros((len(self._distinct), RANGES), np.bool_)
        self._long = self._distinct[:, 0] > LONGEST_WILD  # has no table of the last range

    @property
    def order(self) -> Codes:
        """Rows in an order in which those of the same terms lie together."""
        return np.argsort(self._kinds, kind="stable")

    def add(self, rows: Codes | slice, ranges: Codes) -> None:
        """Want those of these rows in these ranges [..., rows]."""
        self._wanted[self._kinds[rows], ranges] = True

    def add_between(self, first: Codes, last: Codes) -> None:
        """Want those of all rows from one range [n] to another."""
        filled = np.flatnonzero(self._lengths)
        if len(filled):
            starts = np.cumsum(self._lengths)[filled] - self._lengths[filled]
            bits = (2 << last) - (1 << first)  # one for each range
            found = np.bitwise_or.reduceat(bits, starts)
            runs, ranges = np.nonzero(found[:, None] >> np.arange(RANGES) & 1)
            self._wanted[self._kinds_of_runs[filled[runs]], ranges] = True

    def find(self, store: PremiumStore) -> tuple[NDArray[np.int32], Kept]:
        """Place of each table [n, RANGES] in those returned with it, -1 where it is not wanted."""
        self._wanted[:, -2] |= self._wanted[:, -1] & self._long
        self._wanted[self._long, -1] = False
        which, ranges = np.nonzero(self._wanted)
        found, kept = store.find(np.column_stack([self._distinct[which], ranges]))
        places = np.full(self._wanted.shape, -1, np.int32)
        places[which, ranges] = found
        places[self._long, -1] = places[self._long, -2]  # read for vols whose values are given
        return np.take(places, self._kinds, axis=0), kept

"""How instruments are priced and which premium tables they read: decided once for all compiled backends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends import _numpy_routes as numpy_routes
from shockgrid.backends._numpy_block import shocked_vols
from shockgrid.backends._numpy_routes import off_tables, put_rates
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

    @classmethod
    def of(cls, series: Series, states: States) -> Ways:
        """What is off the tables under every rule is given; what is under some rules, under those."""
        routes = routes_of(series)
        rows = np.flatnonzero(routes == TABLE)
        own = series if len(rows) == len(series) else series.take(rows)
        vols = np.vstack([shocked_vols(own, states), own.vols])
        lowest, highest = vols.min(axis=0), vols.max(axis=0)
        near = np.flatnonzero(
            off_tables(own, np.stack([lowest, highest])).any(axis=0)
        )  # few: the rest is skipped
        beyond = off_tables(own.take(near), vols[:, near])
        hopeless = beyond.all(axis=0)
        routes[rows[near[hopeless]]] = GIVEN
        whole, some = np.flatnonzero(routes == GIVEN), near[~hopeless]
        sure = np.ones((len(vols), len(whole)), np.bool_)
        read = np.delete(np.arange(len(rows)), near[hopeless])
        return cls(
            routes,
            np.concatenate([whole, rows[some]]),
            np.hstack([sure, beyond[:, ~hopeless]]),
            rows[read],
            range_of(lowest[read] * (1.0 - ROUNDING)),
            range_of(highest[read] * (1.0 + ROUNDING)),
        )


def table_terms(series: Series) -> Floats:
    """What premium tables depend on beside the range of vols, [n, 3]: years, rate and yield of the put."""
    return np.stack([series.years, *put_rates(series)], axis=1)


class WantedTables:
    """The premium tables that n options on tables need, by their ``table_terms`` and ranges of vols."""

    def __init__(self, terms: Floats) -> None:
        # rows of one expiry and right mostly lie together: only the first of a run is looked up
        new = np.ones(len(terms), np.bool_)
        new[1:] = (terms[1:] != terms[:-1]).any(axis=1)
        runs = np.flatnonzero(new)
        codes = np.zeros(len(runs), np.int64)
        for column in terms[runs].T:  # far faster than whole rows
            values, numbers = np.unique(column, return_inverse=True)
            codes = codes * len(values) + numbers
        _, firsts, kinds = np.unique(codes, return_index=True, return_inverse=True)
        self._kinds = np.repeat(kinds, np.diff(runs, append=len(terms)))
        self._distinct = terms[runs[firsts]]
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
        for ahead in range(int((last - first).max(initial=0)) + 1):
            self.add(slice(None), np.minimum(first + ahead, last))

    def find(self, store: PremiumStore) -> tuple[NDArray[np.int32], Kept]:
        """Place of each table [n, RANGES] in those returned with it, -1 where it is not wanted."""
        self._wanted[:, -2] |= self._wanted[:, -1] & self._long
        self._wanted[self._long, -1] = False
        which, ranges = np.nonzero(self._wanted)
        found, kept = store.find(np.column_stack([self._distinct[which], ranges]))
        places = np.full(self._wanted.shape, -1, np.int32)
        places[which, ranges] = found
        places[self._long, -1] = places[self._long, -2]  # read for vols whose values are given
        return np.ascontiguousarray(places[self._kinds]), kept

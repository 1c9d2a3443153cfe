"""What the kernels read American options from: routes, premium tables, and values that NumPy finds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends import _numpy_routes as numpy_routes
from shockgrid.backends._native_library import (
    EARLY_NUMBERS,
    RULES,
    SERIES_NUMBERS,
    Columns,
    EarlyColumns,
    not_finite,
)
from shockgrid.backends._numpy import NumpyBackend
from shockgrid.backends._numpy_block import shocked_vols
from shockgrid.backends._numpy_routes import off_tables, put_rates
from shockgrid.backends._numpy_store import Kept, PremiumStore
from shockgrid.backends.contract import Series
from shockgrid.backends.vol_ranges import HIGHEST, LOWEST, range_of
from shockgrid.errors import InputError
from shockgrid.states import States

LINEAR, EUROPEAN, FLOORED, TABLE, GIVEN = range(5)  #: ``Route`` of scenarios.h
RANGES = HIGHEST - LOWEST + 1  #: ``TABLE_RANGES`` of american.h
#: Kernel and NumPy may round a shocked vol to either side of an edge between two ranges.
ROUNDING = 1e-12


class WantedTables:
    """The premium tables that n options on tables need, by their terms and ranges of vols."""

    def __init__(self, series: Series) -> None:
        terms = np.stack([series.years, *put_rates(series)], axis=1)
        codes = np.zeros(len(series), np.int64)
        for column in terms.T:  # far faster than whole rows
            values, numbers = np.unique(column, return_inverse=True)
            codes = codes * len(values) + numbers
        _, firsts, self._kinds = np.unique(codes, return_index=True, return_inverse=True)
        self._distinct = terms[firsts]
        self._wanted = np.zeros((len(self._distinct), RANGES), np.bool_)

    @property
    def order(self) -> Codes:
        """Rows in an order in which those of the same terms lie together."""
        return np.argsort(self._kinds, kind="stable")

    def add(self, rows: Codes | slice, ranges: Codes) -> None:
        """Want those of these rows in these ranges [..., rows]."""
        self._wanted[self._kinds[rows], ranges - LOWEST] = True

    def find(self, store: PremiumStore) -> tuple[NDArray[np.int32], Kept]:
        """Place of each table [n, RANGES] in those returned with it, -1 where it is not wanted."""
        which, ranges = np.nonzero(self._wanted)
        found, kept = store.find(np.column_stack([self._distinct[which], ranges + LOWEST]))
        places = np.full(self._wanted.shape, -1, np.int32)
        places[which, ranges] = found
        return np.ascontiguousarray(places[self._kinds]), kept


class Early:
    """How each of n instruments is priced, and the tables they need under R vol rules and at their own vols.

    Values of options on grids, off the tables, and in coin are found here and given to the tile.
    """

    def __init__(self, series: Series, states: States, plain: NumpyBackend) -> None:
        self._series, self._states, self._plain = series, states, plain
        _require_numbers(series, states)
        self.routes = _routes(series)
        rows = np.flatnonzero(self.routes == TABLE)
        own = series.take(rows)
        vols = np.vstack([shocked_vols(own, states), own.vols])
        beyond = off_tables(own, vols)
        hopeless = beyond.all(axis=0)
        self.routes[rows[hopeless]] = GIVEN
        kept = ~hopeless
        wanted = WantedTables(own.take(kept))
        first = range_of(vols[:, kept].min(axis=0) * (1.0 - ROUNDING))
        last = range_of(vols[:, kept].max(axis=0) * (1.0 + ROUNDING))
        for ahead in range(RANGES):
            wanted.add(slice(None), np.minimum(first + ahead, last))
        found, self._kept = wanted.find(plain.premiums)
        self._tables = np.full((len(series), RANGES), -1, np.int32)
        self._tables[rows[kept]] = found
        some = kept & beyond.any(axis=0)
        whole = np.flatnonzero(self.routes == GIVEN)
        self._given = np.concatenate([whole, rows[some]])
        sure = np.ones((len(vols), len(whole)), np.bool_)
        self._flags: Mask = np.hstack([sure, beyond[:, some]])
        self._bases: Floats | None = None

    @property
    def given(self) -> int:
        """For how many instruments NumPy finds values."""
        return len(self._given)

    def columns(self, part: slice, *, less_base: bool) -> EarlyColumns:
        """For the scenarios of a slice; base values are found where they are wanted."""
        arrays: dict[str, NDArray[Any]] = {
            "tables": self._tables,
            "coefficients": self._kept.coefficients,
            "boundaries": self._kept.boundaries,
        }
        counts = {"premium_count": len(self._kept.fine)}
        if self.given:
            arrays |= self._given_values(self._states.block(part.start, part.stop), less_base=less_base)
            counts |= {"given_count": self.given, "given_scenarios": part.stop - part.start}
        return EarlyColumns(self.routes, counts, arrays)

    def _given_values(self, states: States, *, less_base: bool) -> dict[str, NDArray[Any]]:
        own = self._series.take(self._given)
        places = np.full(len(self.routes), -1, np.int32)
        places[self._given] = np.arange(self.given)
        if less_base and self._bases is None:
            self._bases = self._plain.base(own)
        return {
            "places": places,
            "values": np.ascontiguousarray(self._plain.price(own, states).T),
            "bases": np.zeros(self.given) if self._bases is None else self._bases,
            "flags": np.ascontiguousarray(self._flags[states.index[:, 1]].T),
            "base_flags": np.ascontiguousarray(self._flags[-1]),
        }


def given_rows(series: Series) -> Mask:
    """Which of n instruments NumPy finds every value of, whatever their vols."""
    return np.asarray(_routes(series) == GIVEN)


def _routes(series: Series) -> NDArray[np.uint8]:
    ways = numpy_routes.routes(series)
    codes = np.where(series.is_american, FLOORED, EUROPEAN)
    codes = np.where(ways == numpy_routes.TABLE, TABLE, codes)
    codes = np.where(series.is_option, codes, LINEAR)
    return np.where((ways == numpy_routes.GRID) | series.inverse, GIVEN, codes).astype(np.uint8)


def _require_numbers(series: Series, states: States) -> None:
    """What Python looks at before the library does must be in order."""
    columns = {name: getattr(series, name) for name in (*SERIES_NUMBERS, *EARLY_NUMBERS, "ex_cash")}
    columns |= {name: getattr(states, name) for name in ("spot_factors", *RULES[:-1])}
    for name, column in columns.items():
        bad = np.argwhere(~np.isfinite(column))
        if len(bad):
            raise not_finite(name, float(column[tuple(bad[0])]), int(bad[0, 0]))
    counts = (len(states.spot_factors), len(states.vol_shocks))
    if ((states.index < 0) | (states.index >= counts)).any():
        problem = "a scenario has a spot state or vol rule that is not there"
        raise InputError(problem)


class Laid:
    """One (series, states) pair, to be laid out for the library as a whole or a few scenarios at a time."""

    def __init__(self, series: Series, states: States, plain: NumpyBackend) -> None:
        self._series, self._states = series, states
        plain_terms = not (series.is_american.any() or series.inverse.any())
        self._early = None if plain_terms else Early(series, states, plain)
        self.given = 0 if self._early is None else self._early.given

    def columns(self, part: slice, *, less_base: bool) -> Columns:
        """What the library is given for the scenarios of a slice, base values if they are wanted."""
        whole = part == slice(0, len(self._states.index))
        states = self._states if whole else self._states.block(part.start, part.stop)
        early = None if self._early is None else self._early.columns(part, less_base=less_base)
        return Columns(self._series, states, early)

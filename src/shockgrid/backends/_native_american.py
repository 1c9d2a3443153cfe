"""What the kernels read American options from: routes, premium tables, and values that NumPy finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

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


#: ``Remembered.find`` from one instrument on.
Recall: TypeAlias = Callable[[object, Sequence[NDArray[Any]], Callable[[], tuple[object, Any]]], Any]


def found_anew(
    _owner: object, _columns: Sequence[NDArray[Any]], find: Callable[[], tuple[object, Any]]
) -> Any:
    """The ``Recall`` of what nothing is kept beside."""
    return find()[1]


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


class Ways(NamedTuple):
    """How each of n instruments is priced under R vol rules and at its own vol, whatever the spot."""

    routes: NDArray[np.uint8]  #: [n]
    tables: NDArray[np.int32]  #: [n, RANGES] places in those of the store; -1 where none is wanted
    given: Codes  #: rows of the instruments that NumPy finds values for
    flags: Mask  #: [R + 1, given] under which rules it does; at the own vol last
    era: object  #: of the tables, see ``Kept``

    @classmethod
    def of(cls, series: Series, states: States, store: PremiumStore) -> tuple[Ways, Kept]:
        """With the tables that are wanted, built where they are missing."""
        ways = _routes(series)
        rows = np.flatnonzero(ways == TABLE)
        own = series.take(rows)
        vols = np.vstack([shocked_vols(own, states), own.vols])
        beyond = off_tables(own, vols)
        hopeless = beyond.all(axis=0)
        ways[rows[hopeless]] = GIVEN
        kept = ~hopeless
        wanted = WantedTables(own.take(kept))
        first = range_of(vols[:, kept].min(axis=0) * (1.0 - ROUNDING))
        last = range_of(vols[:, kept].max(axis=0) * (1.0 + ROUNDING))
        for ahead in range(RANGES):
            wanted.add(slice(None), np.minimum(first + ahead, last))
        found, at_hand = wanted.find(store)
        tables = np.full((len(series), RANGES), -1, np.int32)
        tables[rows[kept]] = found
        some = kept & beyond.any(axis=0)
        whole = np.flatnonzero(ways == GIVEN)
        sure = np.ones((len(vols), len(whole)), np.bool_)
        flags = np.hstack([sure, beyond[:, some]])
        given = np.concatenate([whole, rows[some]])
        return cls(ways, tables, given, flags, at_hand.era), at_hand


class Early:
    """What n instruments are priced from; see ``Ways``.

    Values of options on grids, off the tables, and in coin are found here and given to the tile.
    """

    def __init__(self, series: Series, states: States, plain: NumpyBackend, recall: Recall) -> None:
        self._series, self._states, self._plain = series, states, plain
        _require_numbers(series, states)
        store = plain.premiums
        self._ways: Ways = recall(store.kept.era, _ways_follow_from(series, states), self._found)
        self._kept = store.kept  # looked at last: of the same era it holds every table found before
        if self._kept.era is not self._ways.era:
            self._ways, self._kept = Ways.of(series, states, store)
        self._bases: Floats | None = None

    def _found(self) -> tuple[object, Ways]:
        ways, _ = Ways.of(self._series, self._states, self._plain.premiums)
        return ways.era, ways

    @property
    def given(self) -> int:
        """For how many instruments NumPy finds values."""
        return len(self._ways.given)

    def columns(self, part: slice, *, less_base: bool) -> EarlyColumns:
        """For the scenarios of a slice; base values are found where they are wanted."""
        arrays: dict[str, NDArray[Any]] = {
            "tables": self._ways.tables,
            "coefficients": self._kept.coefficients,
            "boundaries": self._kept.boundaries,
        }
        counts = {"premium_count": len(self._kept.fine)}
        if self.given:
            arrays |= self._given_values(self._states.block(part.start, part.stop), less_base=less_base)
            counts |= {"given_count": self.given, "given_scenarios": part.stop - part.start}
        return EarlyColumns(self._ways.routes, counts, arrays)

    def _given_values(self, states: States, *, less_base: bool) -> dict[str, NDArray[Any]]:
        own, flags = self._series.take(self._ways.given), self._ways.flags
        places = np.full(len(self._series), -1, np.int32)
        places[self._ways.given] = np.arange(self.given)
        if less_base and self._bases is None:
            self._bases = self._plain.base(own)
        return {
            "places": places,
            "values": np.ascontiguousarray(self._plain.price(own, states).T),
            "bases": np.zeros(self.given) if self._bases is None else self._bases,
            "flags": np.ascontiguousarray(flags[states.index[:, 1]].T),
            "base_flags": np.ascontiguousarray(flags[-1]),
        }


def given_rows(series: Series) -> Mask:
    """Which of n instruments NumPy finds every value of, whatever their vols."""
    if not (series.is_american.any() or series.inverse.any()):
        return np.zeros(len(series), np.bool_)
    return np.asarray(_routes(series) == GIVEN)


def _ways_follow_from(series: Series, states: States) -> list[NDArray[Any]]:
    """All that ``Ways`` are found from; of a strike whether there is one, of the spot nothing."""
    names = ("is_option", "is_call", "is_american", "inverse", "years", "rates", "yields", "vols", "ex_cash")
    columns = [getattr(series, name) for name in names]
    rules = [getattr(states, name) for name in (*RULES, "relative")]
    return [*columns, series.strikes > 0.0, *rules]


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
        finite = np.isfinite(column)
        if not finite.all():
            bad = np.argwhere(~finite)
            raise not_finite(name, float(column[tuple(bad[0])]), int(bad[0, 0]))
    counts = (len(states.spot_factors), len(states.vol_shocks))
    if ((states.index < 0) | (states.index >= counts)).any():
        problem = "a scenario has a spot state or vol rule that is not there"
        raise InputError(problem)


class Laid:
    """One (series, states) pair, to be laid out for the library as a whole or a few scenarios at a time."""

    def __init__(
        self, series: Series, states: States, plain: NumpyBackend, recall: Recall = found_anew
    ) -> None:
        self._series, self._states = series, states
        plain_terms = not (series.is_american.any() or series.inverse.any())
        self._early = None if plain_terms else Early(series, states, plain, recall)
        self.given = 0 if self._early is None else self._early.given

    def columns(self, part: slice, *, less_base: bool) -> Columns:
        """What the library is given for the scenarios of a slice, base values if they are wanted."""
        whole = part == slice(0, len(self._states.index))
        states = self._states if whole else self._states.block(part.start, part.stop)
        early = None if self._early is None else self._early.columns(part, less_base=less_base)
        return Columns(self._series, states, early)

"""What the kernels read American options from: routes, premium tables, and values that NumPy finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Floats, Mask
from shockgrid.backends._native_library import (
    EARLY_NUMBERS,
    RULES,
    SERIES_NUMBERS,
    Columns,
    EarlyColumns,
    not_finite,
)
from shockgrid.backends._numpy import NumpyBackend
from shockgrid.backends._numpy_store import Kept, PremiumStore
from shockgrid.backends.contract import Series
from shockgrid.backends.vol_ranges import RANGES
from shockgrid.backends.ways import GIVEN, WantedTables, Ways, routes_of
from shockgrid.errors import InputError
from shockgrid.states import States

#: ``Remembered.find`` from one instrument on.
Recall: TypeAlias = Callable[[object, Sequence[NDArray[Any]], Callable[[], tuple[object, Any]]], Any]


def found_anew(
    _owner: object, _columns: Sequence[NDArray[Any]], find: Callable[[], tuple[object, Any]]
) -> Any:
    """The ``Recall`` of what nothing is kept beside."""
    return find()[1]


class Found(NamedTuple):
    """The ways of n instruments, and where their tables are."""

    ways: Ways
    tables: NDArray[np.int32]  #: [n, RANGES] places in those of the store; -1 where none is wanted
    era: object  #: of the tables, see ``Kept``

    @classmethod
    def of(cls, series: Series, states: States, store: PremiumStore) -> tuple[Found, Kept]:
        """With the tables that are wanted, built where they are missing."""
        ways = Ways.of(series, states)
        wanted = WantedTables(ways.terms, ways.lengths)
        wanted.add_between(ways.first, ways.last)
        tables, at_hand = wanted.find(store)
        if len(ways.rows) < len(series):
            places, tables = tables, np.full((len(series), RANGES), -1, np.int32)
            tables[ways.rows] = places
        return cls(ways, tables, at_hand.era), at_hand


class Early:
    """What n instruments are priced from; see ``Found``.

    Values of options on grids, off the tables, and in coin are found here and given to the tile.
    """

    def __init__(self, series: Series, states: States, plain: NumpyBackend, recall: Recall) -> None:
        self._series, self._states, self._plain = series, states, plain
        _require_numbers(series, states)
        store = plain.premiums
        found: Found = recall(store.kept.era, _ways_follow_from(series, states), self._found)
        self._kept = store.kept  # looked at last: of the same era it holds every table found before
        if self._kept.era is not found.era:
            found, self._kept = Found.of(series, states, store)
        self._ways, self._tables = found.ways, found.tables
        self._bases: Floats | None = None

    def _found(self) -> tuple[object, Found]:
        found, _ = Found.of(self._series, self._states, self._plain.premiums)
        return found.era, found

    @property
    def given(self) -> int:
        """For how many instruments NumPy finds values."""
        return len(self._ways.given)

    def columns(self, part: slice, *, less_base: bool) -> EarlyColumns:
        """For the scenarios of a slice; base values are found where they are wanted."""
        arrays: dict[str, NDArray[Any]] = {
            "tables": self._tables,
            "coefficients": self._kept.coefficients,
            "boundaries": self._kept.boundaries,
            "orders": self._kept.orders,
        }
        counts = {"premium_count": len(self._kept)}
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
    return np.asarray(routes_of(series) == GIVEN)


def _ways_follow_from(series: Series, states: States) -> list[NDArray[Any]]:
    """All that they are found from; of a strike whether there is one, of the spot nothing."""
    names = ("is_option", "is_call", "is_american", "inverse", "years", "rates", "yields", "vols", "ex_cash")
    columns = [getattr(series, name) for name in names]
    rules = [getattr(states, name) for name in (*RULES, "relative")]
    return [*columns, series.strikes > 0.0, *rules]


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

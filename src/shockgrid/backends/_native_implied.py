"""Implied vols of American options: the Python side of ``kernels/implied_american.h``."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.backends import _numpy_implied
from shockgrid.backends._native_library import PREMIUMS, Library, pointer, require
from shockgrid.backends._numpy_implied import LOWEST_LOG, first_logs, tops
from shockgrid.backends._numpy_routes import LARGEST_DEVIATION, TABLE, least_vols, routes
from shockgrid.backends._numpy_store import PremiumStore
from shockgrid.backends.contract import Series
from shockgrid.backends.vol_ranges import range_of
from shockgrid.backends.ways import WantedTables, runs_of, table_terms

#: By ``Reason`` of implied.h.
REASONS = np.array(
    ["", "no_time", "below_intrinsic", "above_max", "no_time_value", "not_reproduced"], dtype="U15"
)
ABOVE_MAX = REASONS.tolist().index("above_max")
WITHIN = 1e-12  #: of the log of the vol: that a search keeps from the largest deviation of the tables
OFF_TABLES, WANTS_TABLE = 15, 16  #: codes of implied_american.h beside those
NUMBERS = ("prices", "forwards", "strikes", "years", "discount_factors", "delivered", "rates", "yields")
TERMS = ("strikes", "years", "discount_factors", "rates", "yields")
SEARCH = ("first_logs", "lowest_logs", "highest_logs", "least_vols")


class AmericanQuotes(ctypes.Structure):
    """``AmericanQuotes`` of native_implied.h: pointers to columns, which must outlive it."""

    _fields_ = (
        ("count", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in (*NUMBERS, *SEARCH, "is_call", "tables")),
        ("premium_count", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in PREMIUMS),
    )


class NativeImplied:
    """Solves American prices for vols; see ``_numpy_implied.Solver``.

    Options on tables are solved by the kernel; those on grids, and those that try a vol at which tables do
    not hold, by ``_numpy_implied.solve`` from ``values_of``. None depends on its company.
    """

    def __init__(
        self,
        library: Library,
        store: PremiumStore,
        european: Callable[..., tuple[Any, Any]],
        values_of: Callable[[Series], Floats],
    ) -> None:
        self._library, self._store = library, store
        self._european, self._values_of = european, values_of

    def __call__(self, series: Series, prices: Floats) -> tuple[Floats, NDArray[np.str_]]:
        vols, codes = np.zeros(len(series)), np.full(len(series), OFF_TABLES, np.uint8)
        rows = np.flatnonzero(routes(series) == TABLE)
        if len(rows):
            vols[rows], codes[rows] = self._read(series.take(rows), prices[rows])
        reasons = REASONS.take(np.minimum(codes, len(REASONS) - 1))
        rest = np.flatnonzero(codes == OFF_TABLES)
        if len(rest):
            found = _numpy_implied.solve(series.take(rest), prices[rest], self._values_of)
            vols[rest], reasons[rest] = found
        return vols, reasons

    def _read(self, series: Series, prices: Floats) -> tuple[Floats, NDArray[np.uint8]]:
        farthest = np.log(LARGEST_DEVIATION / np.sqrt(series.years)) - WITHIN
        highest = np.minimum(tops(series), farthest)
        columns = {
            "prices": prices,
            "forwards": series.slopes * series.spots + series.intercepts,
            **{name: getattr(series, name) for name in TERMS},
            "delivered": series.units * series.spots,
            "first_logs": first_logs(series, prices, highest, self._european),
            "lowest_logs": np.full(len(series), LOWEST_LOG),
            "highest_logs": highest,
            "least_vols": least_vols(series),
        }
        firsts, lengths = runs_of(series)
        wanted = WantedTables(table_terms(series.take(firsts)), lengths)
        left = wanted.order  # neighbours that share a table are read faster
        wanted.add(left, range_of(np.exp(columns["first_logs"])))
        vols, codes = np.empty(len(series)), np.empty(len(series), np.uint8)
        while len(left):
            own = {name: column[left] for name, column in columns.items()}
            vols[left], codes[left] = self._solve(own, series.is_call[left], wanted, left)
            left = left[codes[left] >= WANTS_TABLE]
            wanted.add(left, codes[left].astype(np.intp) - WANTS_TABLE)
        codes[(codes == ABOVE_MAX) & (highest == farthest)] = OFF_TABLES
        return vols, codes

    def _solve(
        self, columns: dict[str, Floats], is_call: NDArray[np.bool_], wanted: WantedTables, rows: Codes
    ) -> tuple[Floats, NDArray[np.uint8]]:
        tables, kept = wanted.find(self._store)
        laid: dict[str, NDArray[Any]] = {
            **{name: np.ascontiguousarray(column, np.float64) for name, column in columns.items()},
            "is_call": np.ascontiguousarray(is_call),
            "tables": np.ascontiguousarray(tables[rows]),
            "coefficients": kept.coefficients,
            "boundaries": kept.boundaries,
            "orders": kept.orders,
        }
        count = len(rows)
        quotes = AmericanQuotes(
            count, premium_count=len(kept), **{name: array.ctypes.data for name, array in laid.items()}
        )
        vols, codes = np.empty(count), np.empty(count, np.uint8)
        status = self._library.call("american_implied", ctypes.byref(quotes), pointer(vols), pointer(codes))
        require(status, {name: laid[name] for name in (*NUMBERS, *SEARCH[:3])})
        return vols, codes

"""The backend of compiled kernels on the CPU."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from shockgrid.arrays import Codes, Floats
from shockgrid.backends._native_grids import NativeSolver
from shockgrid.backends._native_library import (
    DONE,
    Columns,
    Library,
    Section,
    not_finite,
    overflow,
    pointer,
    require_numbers,
    whole,
)
from shockgrid.backends._native_premium import NativeBuilder
from shockgrid.backends._native_worst import worst_of_both
from shockgrid.backends._numpy import NumpyBackend
from shockgrid.backends._numpy_routes import EUROPEAN, routes
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Series
from shockgrid.errors import InputError
from shockgrid.pricing.implied import implied_vol
from shockgrid.states import UNMOVED, States

INPUTS = ("forwards", "strikes", "years", "vols", "discount_factors")


class NativeBackend:
    """Prices and aggregates on the CPU with compiled kernels (``kernels/``); holds no state between calls.

    Parameters
    ----------
    instruction_set : see ``_native_library.Library``; None for the fastest of this processor.
    tile_elements : about how many float64 values ``risk_arrays`` holds at once; should fit the second-level
        cache.
    block_elements : options handed over at once by ``black``.

    None changes a bit of any result, nor do row order, company or threads. The interpreter's lock is free
    while the kernels run. Options that early exercise is worth something for, and instruments settled in
    coin, are priced by the NumPy backend, from premium tables and grids that kernels compute.

    Raises
    ------
    BackendUnavailable : this installation has no native library, or the processor cannot run it.
    """

    def __init__(
        self, instruction_set: str | None = None, *, tile_elements: int = 65_536, block_elements: int = 32_768
    ) -> None:
        self._library = Library(instruction_set)
        self._plain = NumpyBackend(builder=NativeBuilder(self._library), solver=NativeSolver(self._library))
        self.name = "native"
        self.instruction_set = self._library.name
        self.xp: ModuleType = np
        self.tile_elements = tile_elements
        self.block_elements = block_elements

    def put(self, array: ArrayLike) -> NDArray[Any]:
        """The array itself: the kernels compute where NumPy's data is."""
        return np.asarray(array)

    def get(self, array: ArrayLike) -> NDArray[Any]:
        """The array itself."""
        return np.asarray(array)

    def prepare(self, sections: Sequence[tuple[Series, States]]) -> None:
        """What ``NumpyBackend.prepare`` does, for what NumPy prices."""
        self._plain.prepare(sections)

    def price(self, series: Series, states: States) -> Floats:
        """Unit values, shape [S, n]: row s holds every instrument's value in scenario s; see ``Series``.

        In memory an instrument's values lie side by side. Raises InputError where a number is not finite.
        """
        own, other = _divided(series)
        if len(other) == 0:
            return self._price(series, states).T
        values = np.empty((len(series), len(states.index)))
        values[own] = self._price(series.take(own), states)
        values[other] = self._plain.price(series.take(other), states).T
        return values.T

    def _price(self, series: Series, states: States) -> Floats:
        columns, count = Columns(series, states), len(states.index)
        values = np.empty((len(series), count))
        status = self._library.call("price", ctypes.byref(columns.section), whole(count), pointer(values))
        require_numbers(status, [columns], values)
        return values

    def base(self, series: Series) -> Floats:
        """Unit values at the current spot and vol, shape [n], from the kernel that prices scenarios."""
        values: Floats = self.price(series, UNMOVED)[0]
        return values

    def black(
        self,
        forwards: ArrayLike,
        strikes: ArrayLike,
        years: ArrayLike,
        vols: ArrayLike,
        discount_factors: ArrayLike,
        is_call: ArrayLike,
    ) -> Floats:
        """Discounted Black (1976) values, elementwise under broadcasting; see ``pricing.european.black``.

        The broadcast is not held in memory. Raises InputError where a number is not finite.
        """
        numbers = [np.asarray(a, np.float64) for a in (forwards, strikes, years, vols, discount_factors)]
        operands: list[Any] = [*numbers, np.asarray(is_call, np.bool_), None]
        read, write = ["readonly", "contig", "aligned"], ["writeonly", "allocate", "contig", "aligned"]
        access: list[Any] = [*[read] * 6, write]
        types: list[Any] = [*[np.float64] * 5, np.bool_, np.float64]
        walk = np.nditer(
            operands,
            flags=["external_loop", "buffered", "zerosize_ok"],
            op_flags=access,
            op_dtypes=types,
            order="C",
            buffersize=self.block_elements,
        )
        with walk:
            for block in walk:
                self._black_block(list(block))
            return np.asarray(walk.operands[6])

    def _black_block(self, block: list[NDArray[Any]]) -> None:
        arguments = [pointer(array) for array in block]
        if self._library.call("black", whole(len(block[0])), *arguments) == DONE:
            return
        for name, column in zip(INPUTS, block, strict=False):
            bad = ~np.isfinite(column)
            if bad.any():
                raise not_finite(name, float(column[bad.argmax()]))
        raise overflow()

    def implied_vol(
        self,
        prices: ArrayLike,
        forwards: ArrayLike,
        strikes: ArrayLike,
        years: ArrayLike,
        discount_factors: ArrayLike,
        is_call: ArrayLike,
    ) -> tuple[Floats, NDArray[np.str_]]:
        """Vols and reason codes, as NumPy finds them: ``pricing.implied.implied_vol`` has no kernel yet."""
        return implied_vol(prices, forwards, strikes, years, discount_factors, is_call)

    def implied(self, series: Series, prices: Floats) -> tuple[Floats, NDArray[np.str_]]:
        """See ``NumpyBackend.implied``, which finds them."""
        return self._plain.implied(series, prices)

    def risk_arrays(self, sections: Sequence[tuple[Series, States]], weights: Any) -> Floats:
        """P&L of each leaf in each scenario, shape [L, S], in the currency of the weights, gain > 0.

        See ``Backend.risk_arrays``. A tile of unit P&L is priced and its leaves are summed while it is in
        cache; the full matrix is never held. A leaf's instruments that NumPy prices are summed by
        themselves, in order, and added last. Raises InputError where a number is not finite.
        """
        rows = weights if getattr(weights, "format", "") == "csr" else csr_array(weights)
        if not rows.has_sorted_indices:
            rows = rows.sorted_indices()
        count = len(sections[0][1].index) if sections else 0
        _require_fit(sections, count, rows)
        parts = [_divided(series) for series, _ in sections]
        if not any(len(other) for _, other in parts):
            return self._sums(sections, count, rows)
        starts = np.cumsum([0, *(len(series) for series, _ in sections)])
        results = []
        for side, sums in enumerate((self._sums, self._plain_sums)):
            taken = [part[side] for part in parts]
            kept = [(series.take(own), states) for (series, states), own in zip(sections, taken, strict=True)]
            columns = np.concatenate([own + start for own, start in zip(taken, starts, strict=False)])
            results.append(sums(kept, count, rows[:, columns]))
        return np.asarray(results[0] + results[1])

    def _plain_sums(self, sections: Sequence[tuple[Series, States]], count: int, rows: Any) -> Floats:
        return self._plain.risk_arrays(sections, rows)

    def _sums(self, sections: Sequence[tuple[Series, States]], count: int, rows: Any) -> Floats:
        laid = [Columns(series, states) for series, states in sections]
        # these three must live until the call is over
        pointers = np.ascontiguousarray(rows.indptr, np.int64)
        instruments = np.ascontiguousarray(rows.indices, np.int32)
        numbers = np.ascontiguousarray(rows.data, np.float64)
        result = np.empty((rows.shape[0], count))
        status = self._library.call(
            "risk_arrays",
            (Section * len(laid))(*(part.section for part in laid)),
            *(whole(size) for size in (len(laid), count, rows.shape[0])),
            *(pointer(array) for array in (pointers, instruments, numbers)),
            whole(self.tile_elements),
            pointer(result),
        )
        require_numbers(status, laid, result)
        return result

    def worst(self, batch: Batch, reduced: int, units: bool = False) -> Worst:
        """The worst loss of every leaf of a batch; see ``Backend.worst``.

        One call of the library for all class groups that it prices whole; the others by their rows.
        """
        priced = np.zeros(len(batch.series), np.bool_)
        priced[_divided(batch.series)[0]] = True
        return worst_of_both(self, self._library, batch, reduced, units, priced, self.tile_elements)

    def free_bytes(self) -> int:
        """Memory that may be taken now, in bytes; see ``NumpyBackend.free_bytes``."""
        return self._plain.free_bytes()


def _divided(series: Series) -> tuple[Codes, Codes]:
    """Rows that the kernels price, and rows that NumPy prices; an instrument's own terms alone decide."""
    own = ~series.inverse
    if series.is_american.any():
        own &= routes(series) == EUROPEAN
    return np.flatnonzero(own), np.flatnonzero(~own)


def _require_fit(sections: Sequence[tuple[Series, States]], count: int, rows: Any) -> None:
    """The library trusts sizes: check them here."""
    held = sum(len(series) for series, _ in sections)
    if any(len(states.index) != count for _, states in sections):
        problem = "all sections must have the same number of scenarios"
        raise InputError(problem)
    if rows.shape[1] != held:
        problem = f"weights must have a column for each of {held} instruments"
        raise InputError(problem, value=rows.shape)
    if rows.nnz and not 0 <= rows.indices.min() <= rows.indices.max() < held:
        problem = "a weight stands in a column that is not there"
        raise InputError(problem, value=rows.shape)

"""The backend of compiled kernels on the CPU."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.backends import _numpy_implied
from shockgrid.backends._native_again import ValuesAgain, WorstAgain, leaf_worth, plain_terms, worst_of_sums
from shockgrid.backends._native_american import Laid, given_rows
from shockgrid.backends._native_arrays import NativeArrays
from shockgrid.backends._native_dense import native_worst_cells
from shockgrid.backends._native_grid_read import NativeReader
from shockgrid.backends._native_grids import NativeSolver
from shockgrid.backends._native_implied import REASONS, NativeImplied
from shockgrid.backends._native_library import (
    Columns,
    Library,
    Section,
    pointer,
    require_numbers,
    whole,
)
from shockgrid.backends._native_premium import NativeBuilder
from shockgrid.backends._native_screen import screened_worst
from shockgrid.backends._native_worst import native_worst, worst_in_parts
from shockgrid.backends._numpy import WORST_ELEMENTS, NumpyBackend
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Series
from shockgrid.backends.dense import Surfaces, WorstCells
from shockgrid.backends.leaf_weights import checked_weights
from shockgrid.backends.plain_worst import plain_worst
from shockgrid.backends.precisions import DOUBLE, MIXED, named, require_precision
from shockgrid.states import UNMOVED, States

#: Values that NumPy finds, handed to one call of the library: 16 MB.
GIVEN_ELEMENTS = 2_000_000


class NativeBackend:
    """Prices and aggregates on the CPU with compiled kernels (``kernels/``); holds no state between calls.

    Parameters
    ----------
    instruction_set : see ``_native_library.Library``; None for the fastest of this processor.
    tile_elements : about how many float64 values ``risk_arrays`` holds at once; should fit the second-level
        cache.
    precision : ``double`` or ``mixed``; see ``get_backend``. Concerns ``worst`` alone.
    block_elements : options handed over at once by ``black`` and ``implied_vol``.

    None changes a bit of any result, nor do row order, company or threads. The interpreter's lock is free
    while the kernels run. Options on grids are read by a kernel of their own, which hands their values to the
    tile; so does NumPy with what no table or grid serves and with instruments settled in coin.

    Raises
    ------
    BackendUnavailable : this installation has no native library, or the processor cannot run it.
    """

    def __init__(
        self,
        instruction_set: str | None = None,
        *,
        precision: str = DOUBLE,
        tile_elements: int = 65_536,
        block_elements: int = 32_768,
    ) -> None:
        self._library = Library(instruction_set)
        self.precision = require_precision(precision)
        self._plain = NumpyBackend(
            builder=NativeBuilder(self._library),
            solver=NativeSolver(self._library),
            reader=NativeReader(self._library),
        )
        self._solver = NativeImplied(self._library, self._plain.premiums, self.implied_vol, self.base)
        self.name = named("native", precision)
        self.instruction_set = self._library.name
        self.xp: ModuleType = np
        self.tile_elements = tile_elements
        self._arrays = NativeArrays(self._library, block_elements)

    def put(self, array: ArrayLike) -> NDArray[Any]:
        """The array itself: the kernels compute where NumPy's data is."""
        return np.asarray(array)

    def get(self, array: ArrayLike) -> NDArray[Any]:
        """The array itself."""
        return np.asarray(array)

    def prepare(self, sections: Sequence[tuple[Series, States]]) -> None:
        """Nothing: tables and grids are computed where they are wanted, by all threads that walk."""

    def price(self, series: Series, states: States) -> Floats:
        """Unit values, shape [S, n]: row s holds every instrument's value in scenario s; see ``Series``.

        In memory an instrument's values lie side by side. Raises InputError where a number is not finite.
        """
        count = len(states.index)
        values = np.empty((len(series), count))
        columns = Laid(series, states, self._plain).columns(slice(0, count), less_base=False)
        status = self._library.call("price", ctypes.byref(columns.section), whole(count), pointer(values))
        require_numbers(status, [columns], values)
        return values.T

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
        return self._arrays.black(forwards, strikes, years, vols, discount_factors, is_call)

    def black_checked(self, *columns: NDArray[Any]) -> Floats | None:
        """``black`` of its arguments in their order, or None; see ``PricesChecked``."""
        return self._arrays.black_checked(*columns)

    def implied_vol(
        self,
        prices: ArrayLike,
        forwards: ArrayLike,
        strikes: ArrayLike,
        years: ArrayLike,
        discount_factors: ArrayLike,
        is_call: ArrayLike,
    ) -> tuple[Floats, NDArray[np.str_]]:
        """Vols and reason codes, elementwise under broadcasting; see ``pricing.implied.implied_vol``.

        The broadcast is not held in memory. Raises InputError where a number is not finite.
        """
        columns = (prices, forwards, strikes, years, discount_factors, is_call)
        vols, codes = self._arrays.implied_vol(*columns)
        return vols, REASONS.take(codes)

    def implied(self, series: Series, prices: Floats) -> tuple[Floats, NDArray[np.str_]]:
        """Vols at which ``base`` gives these prices [n], and reason codes; see ``NumpyBackend.implied``."""
        return _numpy_implied.implied(series, prices, self.implied_vol, self._solver)

    def risk_arrays(self, sections: Sequence[tuple[Series, States]], weights: Any) -> Floats:
        """P&L of each leaf in each scenario, shape [L, S], in the currency of the weights, gain > 0.

        See ``Backend.risk_arrays``. A tile of unit P&L is priced and its leaves are summed while it is in
        cache; the full matrix is never held. Raises InputError where a number is not finite.
        """
        rows, count = checked_weights(sections, weights)
        laid = [Laid(series, states, self._plain) for series, states in sections]
        given = sum(part.given for part in laid)
        width = max(1, GIVEN_ELEMENTS // given) if given else count
        if count <= width:
            return self._sums([part.columns(slice(0, count), less_base=True) for part in laid], count, rows)
        result = np.empty((rows.shape[0], count))
        for start in range(0, count, width):
            cut = slice(start, min(start + width, count))
            own = [part.columns(cut, less_base=True) for part in laid]
            result[:, cut] = self._sums(own, cut.stop - cut.start, rows)
        return result

    def _sums(self, laid: list[Columns], count: int, rows: Any) -> Floats:
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

        One call of the library for as many class groups as ``GIVEN_ELEMENTS`` values of NumPy's allow; one
        that needs more by itself goes by its rows.
        """

        def lay(series: Series, states: States, first: int) -> Columns:
            laid = Laid(series, states, self._plain, partial(batch.remembered.find, first))
            return laid.columns(slice(0, len(states.index)), less_base=True)

        def own(part: Batch) -> Worst:
            if self.precision == MIXED:
                return screened_worst(self._library, part, reduced, units, self.tile_elements, lay)[0]
            return native_worst(self._library, part, reduced, units, self.tile_elements, lay)

        def by_rows(part: Batch) -> Worst:
            return plain_worst(self, part, reduced, units, WORST_ELEMENTS)

        given = given_rows(batch.series.take(batch.instruments))
        return worst_in_parts(batch, given, GIVEN_ELEMENTS, own, by_rows)

    def worst_again(
        self, batch: Batch, reduced: int, into: Worst, rows: NDArray[np.uint64] | None = None
    ) -> WorstAgain | None:
        """See ``FindsAgain``; for linear and European instruments."""
        if not len(batch) or not plain_terms(batch.series):
            return None
        return WorstAgain(self._library, batch, reduced, into, rows, self.tile_elements)

    def worst_of_sums(self, starts: Codes, rows: NDArray[np.uint64], scenarios: int) -> tuple[Floats, Codes]:
        """See ``FindsAgain``."""
        return worst_of_sums(self._library, starts, rows, scenarios)

    def values_again(self, series: Series) -> ValuesAgain | None:
        """See ``FindsAgain``; for linear and European instruments."""
        return ValuesAgain(self._library, series) if plain_terms(series) else None

    def leaf_worth(
        self, starts: Codes, places: Codes, weights: Floats, paid: Floats, prices: Floats
    ) -> Floats:
        """See ``FindsAgain``."""
        return leaf_worth(self._library, starts, places, weights, paid, prices)

    def worst_cells(self, surfaces: Surfaces) -> WorstCells:
        """The exact worst cell of every smooth leaf on a dense grid; see ``FindsWorstCells``."""
        return native_worst_cells(self._library, surfaces)

    def free_bytes(self) -> int:
        """Memory that may be taken now, in bytes; see ``NumpyBackend.free_bytes``."""
        return self._plain.free_bytes()

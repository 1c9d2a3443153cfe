"""The backend of CUDA kernels: the headers of the CPU library, a thread a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shockgrid.arrays import Floats
from shockgrid.backends._cupy_batches import FEWEST, Batches, HostParts, Work, on_host
from shockgrid.backends._cupy_black import black
from shockgrid.backends._cupy_device import INSTALL, device_of
from shockgrid.backends._cupy_early import given_of, parts_of
from shockgrid.backends._cupy_screen import screened_worst_of
from shockgrid.backends._cupy_sections import checked, require_good
from shockgrid.backends._cupy_tables import CupyBuilder, CupySolver
from shockgrid.backends._cupy_tile import Tiles, Wanted
from shockgrid.backends._cupy_worst import device_worst
from shockgrid.backends._native_library import overflow
from shockgrid.backends._numpy import NumpyBackend
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Series
from shockgrid.backends.precisions import DOUBLE, MIXED, named, require_precision
from shockgrid.errors import BackendUnavailable, InputError
from shockgrid.states import UNMOVED, States


class CupyBackend:
    """Prices and aggregates on a CUDA device; results stay there until ``get``.

    Computed on the device: European options, linear instruments, American options read from premium tables,
    the tables themselves, grids, and the sums and worst scenarios of leaves. Computed on the host, by native
    kernels where they are installed: reading grids (cash dividends, two boundaries) and implied vols; by
    NumPy: instruments settled in coin and options outside what is tabulated. What one instrument needs
    decides, never the company it is in.

    Parameters
    ----------
    device : number of the CUDA device.
    precision : ``double`` or ``mixed``; see ``get_backend``. Concerns ``worst`` and ``lowest`` alone.
    tile_elements : about how many float64 values ``risk_arrays`` holds at once; None for half the device's
        second-level cache.
    block_elements : the most options handed over at once by ``black``.

    The last three change no bit of any result. Threads may share a backend; see ``CupyDevices`` for several
    devices.

    Where the device has no memory left, batches are halved; one of 32 rows that still does not fit is
    computed on the host, and ``notes`` gets a line. A result with such a part is a NumPy array.

    Raises
    ------
    BackendUnavailable : CuPy is not installed, or no such device answers. Later, from any verb: the device
        has failed in a way that ends CUDA for this process.
    """

    def __init__(
        self,
        device: int = 0,
        *,
        precision: str = DOUBLE,
        tile_elements: int | None = None,
        block_elements: int = 1 << 24,
    ) -> None:
        self.precision = require_precision(precision)
        self._device = device_of(device)
        self.name = named("cupy", precision)
        self.xp: ModuleType = self._device.cupy
        self.tile_elements = tile_elements or self._device.cache_bytes // 16
        self.block_elements = block_elements
        host = on_host()
        self._host, self._batches = host.backend, Batches(self._device, host.backend.name)
        build_tables = CupyBuilder(self._device, self._batches, host.builder)
        solve_grids = CupySolver(self._device, self._batches, host.solver)
        self._plain = NumpyBackend(builder=build_tables, solver=solve_grids, reader=host.reader)
        self._premiums = self._plain.premiums
        self._tiles = Tiles(self._device)
        self._probe()

    @property
    def notes(self) -> list[str]:
        """What the host computed for want of memory on the device, a line each time, the latest last."""
        return self._batches.notes

    def _probe(self) -> None:
        """One value through compiler, device and back: an expired call, worth exactly its intrinsic 5."""
        cuda = self.xp.cuda
        try:
            priced = self.black([105.0], [100.0], [0.0], [0.0], [1.0], [True])
            found = priced.tolist() if self.notes else self._device.get(priced).tolist()
        except (RuntimeError, OSError, cuda.compiler.CompileException) as error:
            problem = f"the CUDA kernels cannot be compiled or run ({error}): {INSTALL}"
            raise BackendUnavailable(problem) from error
        if self.notes or found != [5.0]:
            problem = f"the CUDA device does not work: {found} in place of [5.0]. {' '.join(self.notes)}"
            raise BackendUnavailable(problem)

    def put(self, array: ArrayLike) -> Any:
        """Copy an array to the device, through pinned memory; an array of the device is left as it is."""
        if isinstance(array, self.xp.ndarray):
            return array
        with self._device.turn():
            return self._device.put(np.asarray(array))

    def get(self, array: Any) -> NDArray[Any]:
        """Wait for an array of the device and copy it to the host; what lies there already is left as it is.

        Raises InputError where a number is NaN: finite inputs were beyond the range of float64.
        """
        if not isinstance(array, self.xp.ndarray):
            return np.asarray(array)
        found: NDArray[Any] = self._device.get(array)
        if found.dtype == np.float64 and np.isnan(found).any():
            rows = found.T if found.ndim == 2 and found.flags.f_contiguous else found
            raise overflow(int(np.argwhere(np.isnan(rows))[0, 0]) if found.ndim else None)
        return found

    def prepare(self, sections: Sequence[tuple[Series, States]]) -> None:
        """Solve the grids that pricing these will read, all together, and keep them on the host."""
        self._plain.prepare(sections)

    def price(self, series: Series, states: States) -> Any:
        """Unit values on the device, shape [S, n]: row s holds every instrument's value in scenario s.

        In memory an instrument's values lie side by side. Raises InputError where a number is not finite.
        """
        require_good(series, states)
        try:
            parts, kept = parts_of([(series, states)], self._premiums)
            given = given_of(parts, self._plain)
            with self._device.turn():
                return self._tiles.filled(Wanted(parts, kept, given, len(states.index)), less_base=False).T
        except MemoryError:
            self._batches.note("prices")
            return self._host.price(series, states)

    def base(self, series: Series) -> Any:
        """Unit values at the current spot and vol on the device, shape [n]."""
        return self.price(series, UNMOVED)[0]

    def black(
        self, forwards: Any, strikes: Any, years: Any, vols: Any, discount_factors: Any, is_call: Any
    ) -> Any:
        """Discounted Black (1976) values on the device, elementwise under broadcasting.

        Takes arrays of the host or of the device, and does not look whether they are finite.
        """
        given = (forwards, strikes, years, vols, discount_factors, is_call)
        try:
            return black(self._tiles, self._batches, self._host, given, self.block_elements)
        except MemoryError:
            self._batches.note("values of options")
            return self._host.black(*self._fetched(given))

    def _fetched(self, columns: Sequence[Any]) -> list[Any]:
        """The same on the host."""
        return [self._device.get(own) if isinstance(own, self.xp.ndarray) else own for own in columns]

    def implied_vol(
        self, prices: Any, forwards: Any, strikes: Any, years: Any, discount_factors: Any, is_call: Any
    ) -> tuple[Any, NDArray[np.str_]]:
        """Vols and reason codes on the host; see ``NumpyBackend.implied_vol``."""
        columns = (prices, forwards, strikes, years, discount_factors, is_call)
        return self._host.implied_vol(*self._fetched(columns))

    def implied(self, series: Series, prices: Floats) -> tuple[Any, NDArray[np.str_]]:
        """Vols and reason codes on the host; see ``NumpyBackend.implied``."""
        return self._host.implied(series, prices)

    def risk_arrays(self, sections: Sequence[tuple[Series, States]], weights: Any) -> Any:
        """P&L of each leaf in each scenario on the device, shape [L, S], in currency, gain > 0.

        See ``Backend.risk_arrays``. A tile of unit P&L is priced and its leaves are summed while it is in
        the device's cache; the full matrix is never held. Raises InputError where a number is not finite.
        """
        rows, count = checked(sections, weights)
        host_parts: HostParts = []
        try:
            with self._device.turn():
                result = self.xp.empty((rows.shape[0], count))

            def consume(wanted: Wanted, laid: Any, start: int) -> None:
                self._tiles.sum_leaves(laid, self._tiles.filled(wanted, less_base=True), start, result)

            def on_host(start: int, stop: int) -> None:
                found = self._host_sums(sections, rows, start, stop)
                host_parts.append(((slice(None), slice(start, stop)), found))

            self._walk(sections, rows, count, consume, on_host)
            return self._batches.joined(result, host_parts)
        except MemoryError:
            self._batches.note("risk arrays")
            return self._host_sums(sections, rows, 0, count)

    def worst(self, batch: Batch, reduced: int, units: bool = False) -> Worst:
        """See ``Backend.worst``."""
        return device_worst(self, batch, reduced, units)

    def lowest(self, sections: Sequence[tuple[Series, States]], weights: Any) -> tuple[Any, Any]:
        """Lowest P&L of each leaf [L] and the lowest scenario that has it [L], on the device.

        The risk arrays are not held. ``get`` raises InputError where a P&L is NaN. There must be a scenario.
        """
        rows, count = checked(sections, weights)
        if not count:
            problem = "there is no scenario, so none is the worst"
            raise InputError(problem)
        try:
            with self._device.turn():
                values = self.xp.empty(rows.shape[0])
                scenarios = self.xp.empty(rows.shape[0], np.int64)

            def consume(wanted: Wanted, laid: Any, start: int) -> None:
                find = screened_worst_of if self.precision == MIXED else Tiles.worst_of
                find(self._tiles, wanted, laid, start, values, scenarios)

            def on_host(start: int, stop: int) -> None:
                raise MemoryError

            self._walk(sections, rows, count, consume, on_host)
            return values, scenarios
        except MemoryError:
            self._batches.note("worst scenarios")
            pnl = self._host_sums(sections, rows, 0, count)
            return pnl.min(axis=1), pnl.argmin(axis=1)

    def _walk(
        self,
        sections: Sequence[tuple[Series, States]],
        rows: Any,
        count: int,
        consume: Callable[[Wanted, Any, int], None],
        on_host: Work,
    ) -> None:
        """Have tiles of all instruments by a run of scenarios filled and consumed, in turn."""
        parts, kept = parts_of(sections, self._premiums)
        with self._device.turn():
            laid = self._tiles.laid(rows)

        def on_device(start: int, stop: int) -> None:
            own = [part._replace(states=part.states.block(start, stop)) for part in parts]
            given = given_of(own, self._plain)
            with self._device.turn():
                consume(Wanted(own, kept, given, stop - start), laid, start)

        fitting = self.tile_elements // max(1, rows.shape[1]) // FEWEST * FEWEST
        self._batches.run(count, max(FEWEST, fitting), on_device, on_host, "risk arrays")

    def _host_sums(
        self, sections: Sequence[tuple[Series, States]], rows: Any, start: int, stop: int
    ) -> Floats:
        part = [(series, states.block(start, stop)) for series, states in sections]
        return np.asarray(self._host.risk_arrays(part, rows))

    def free_bytes(self) -> int:
        """Memory that may be taken now on the device, or on the host where that is less, in bytes."""
        return min(self._device.free_bytes(), self._plain.free_bytes())

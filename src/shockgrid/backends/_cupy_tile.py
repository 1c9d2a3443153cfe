"""Tiles of unit values on the device, and the sums of leaves over them: the launches of ``CupyBackend``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from shockgrid.backends._cupy_device import Device
from shockgrid.backends._cupy_early import Given
from shockgrid.backends._cupy_sections import Part, Rows, lay_out
from shockgrid.backends._cupy_upload import Upload
from shockgrid.backends._numpy_store import Kept

WARP = 32
MOST_THREADS, MOST_EARLY_THREADS = 256, 128  #: of a block, as the kernels' ``__launch_bounds__`` say


class Weights(NamedTuple):
    """A CSR matrix of weights on the device; ``block`` holds what the addresses point to."""

    block: Any
    leaves: int
    pointers: int
    instruments: int
    values: int


class Placed(NamedTuple):
    """Sections, tables and given values on the device; ``block`` holds them."""

    block: Any
    upload: Upload
    rows: Rows
    tables: int
    given: int


class Wanted(NamedTuple):
    """What a tile is filled from: sections, tables, given values, and the number of scenarios."""

    parts: Sequence[Part]
    kept: Kept
    given: Given | None
    scenarios: int


class Tiles:
    """Launches for one device; every method is called inside ``Device.turn``."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._kept: tuple[Kept, Any, Any, Any] | None = None

    def filled(self, wanted: Wanted, *, less_base: bool) -> Any:
        """Unit values or unit P&L, [rows of all parts, count]."""
        parts, kept, given, count = wanted
        return self.fill(self.placed(parts, kept, given), count, less_base=less_base)

    def placed(self, parts: Sequence[Part], kept: Kept, given: Given | None) -> Placed:
        """All that a tile is filled from, brought to the device."""
        upload = Upload()
        total = sum(len(part.series) for part in parts)
        rows = lay_out(upload, parts, np.full(total, -1, np.intp) if given is None else given.rows)
        tables, values = self._add_tables(upload, kept), _add_given(upload, given)
        return Placed(self.device.upload(upload), upload, rows, tables, values)

    def fill(
        self, placed: Placed, count: int, *, less_base: bool, runs: tuple[int, int] | None = None
    ) -> Any:
        """Unit values or unit P&L of what was placed, [rows of all parts, count].

        ``runs``: address and number of runs of rows, where not all rows are to be filled.
        """
        device, at, rows = self.device, placed.upload.at, placed.rows
        tile = device.cupy.empty((rows.rows, count))
        address, wanted = (at(rows.runs), rows.run_count) if runs is None else runs
        run_count, early = (wanted, rows.early_count) if count else (0, 0)
        device.launch(
            *("european", "unit_values", run_count, threads_for(count, MOST_THREADS)),
            *(at(rows.sections), address, run_count, count, less_base, tile),
        )
        device.launch(
            *("american", "early_values", early, threads_for(count, MOST_EARLY_THREADS)),
            *(at(rows.sections), at(placed.tables), at(placed.given), at(rows.early)),
            *(early, count, less_base, tile),
        )
        return tile

    def _add_tables(self, upload: Upload, kept: Kept) -> int:
        """``PremiumTables`` of american.h; the tables themselves stay until others are built."""
        if self._kept is None or self._kept[0] is not kept:
            self._kept = None
            arrays = (kept.coefficients, kept.boundaries, kept.orders)
            self._kept = (kept, *(self.device.put(array) for array in arrays))
        words = [len(kept), *(array.data.ptr for array in self._kept[1:])]
        return upload.add_structure(np.array(words, np.uint64), np.zeros(4, np.bool_))

    def laid(self, rows: Any) -> Weights:
        """A CSR matrix [L, n] brought to the device."""
        upload = Upload()
        offsets = (
            upload.add(np.asarray(rows.indptr, np.int64)),
            upload.add(np.asarray(rows.indices, np.int32)),
            upload.add(np.asarray(rows.data, np.float64)),
        )
        block = self.device.upload(upload)
        return Weights(block, rows.shape[0], *(upload.at(offset) for offset in offsets))

    def sum_leaves(self, laid: Weights, tile: Any, start: int, pnl: Any) -> None:
        """P&L of leaves under a tile, into columns ``start`` and following of ``pnl`` [L, S]."""
        count = tile.shape[1]
        self.device.launch(
            *("leaves", "leaf_pnl", laid.leaves, threads_for(count, MOST_THREADS)),
            *(laid.leaves, laid.pointers, laid.instruments, laid.values),
            *(count, tile, start, pnl.shape[1], pnl),
        )

    def worst_of(self, wanted: Wanted, laid: Weights, start: int, values: Any, scenarios: Any) -> None:
        """Merge the worst P&L of leaves, in scenarios ``start`` and following, into what was found."""
        leaves, width = laid.leaves, wanted.scenarios
        pnl = self.device.cupy.empty((leaves, width))
        self.sum_leaves(laid, self.filled(wanted, less_base=True), 0, pnl)
        self.device.launch(
            *("leaves", "leaf_worst", leaves, threads_for(width, MOST_THREADS)),
            *(leaves, width, pnl, start, values, scenarios),
        )

    def black(self, columns: Sequence[Any], values: Any) -> None:
        """Discounted Black values of contiguous columns, elementwise."""
        count = values.size
        blocks = -(-count // MOST_THREADS)
        self.device.launch("european", "black_values", blocks, MOST_THREADS, count, *columns, values)


def threads_for(count: int, most: int) -> int:
    """Threads of a block that has ``count`` things to do: whole warps."""
    return min(most, max(1, -(-count // WARP)) * WARP)


def _add_given(upload: Upload, given: Given | None) -> int:
    """``GivenValues`` of american.cu; never read where there are none."""
    words = np.zeros(4, np.uint64)
    if given is not None:
        arrays = (given.values, given.bases, given.flags, given.base_flags)
        words = np.array([upload.add(array) for array in arrays], np.uint64)
    return upload.add_structure(words, np.full(4, given is not None))

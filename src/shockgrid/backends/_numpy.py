"""The backend that runs everywhere: NumPy, blocked and in place."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.backends import _numpy_implied
from shockgrid.backends._numpy_american import Exercise
from shockgrid.backends._numpy_black import Workspace, black
from shockgrid.backends._numpy_block import Block, forwards_of, shocked_vols
from shockgrid.backends._numpy_coin import in_coin
from shockgrid.backends._numpy_grid_read import read_lanes
from shockgrid.backends._numpy_grid_solve import solve
from shockgrid.backends._numpy_grids import GridStore, Reader, Solver, prepare_grids, price_grids
from shockgrid.backends._numpy_premium import build
from shockgrid.backends._numpy_routes import GRID, TABLE, routes
from shockgrid.backends._numpy_store import Builder, PremiumStore
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Series
from shockgrid.backends.leaf_weights import checked_weights
from shockgrid.backends.plain_worst import plain_worst
from shockgrid.pricing.implied import implied_vol
from shockgrid.states import UNMOVED, States

MEMINFO = Path("/proc/meminfo")
#: A name of so many options or fewer is cut by scenarios only; a larger one keeps half as many together.
WHOLE_NAME = 256
#: P&L of ``worst`` held at once (4 MB): several small names together, still in the third cache.
WORST_ELEMENTS = 2**19


class NumpyBackend:
    """Prices and aggregates on the CPU with NumPy alone.

    Between calls it keeps nothing but premium tables and grids, which depend on their own terms alone.

    Parameters
    ----------
    tile_elements : largest number of float64 values held at once by ``risk_arrays``.
    block_elements : values worked on at once; a few buffers of this size should fit the cache.
    builder, solver, reader : what computes premium tables and grids, and reads the grids.

    The first two change no bit of any result.
    """

    def __init__(
        self,
        *,
        tile_elements: int = 2_000_000,
        block_elements: int = 32_768,
        builder: Builder = build,
        solver: Solver = solve,
        reader: Reader = read_lanes,
    ) -> None:
        self.name = "numpy"
        self._reader = reader
        self.premiums, self.grids = PremiumStore(builder), GridStore(solver)
        self.xp: ModuleType = np
        self.tile_elements = tile_elements
        self.block_elements = block_elements

    def put(self, array: ArrayLike) -> NDArray[Any]:
        """The array itself: NumPy computes where the data is."""
        return np.asarray(array)

    def get(self, array: ArrayLike) -> NDArray[Any]:
        """The array itself."""
        return np.asarray(array)

    def prepare(self, sections: Sequence[tuple[Series, States]]) -> None:
        """Build the tables and grids that pricing these will read together: faster, and changes no value."""
        needed = []
        for series, states in sections:
            ways = routes(series)
            on_grids, on_tables = np.flatnonzero(ways == GRID), np.flatnonzero(ways == TABLE)
            if len(on_grids):
                own = series.take(on_grids)
                needed.append((own, shocked_vols(own, states)))
            if len(on_tables):
                own = series.take(on_tables)
                Exercise(own, shocked_vols(own, states), self.premiums)  # finding its tables builds them
        prepare_grids(needed, self.grids)

    def price(self, series: Series, states: States) -> Floats:
        """Unit values, shape [S, n]: row s holds every instrument's value in scenario s; see ``Series``."""
        values = np.empty((len(states.index), len(series)))
        self._price_into(series, states, values)
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
        """Discounted Black (1976) values, elementwise under broadcasting; see ``pricing.european.black``."""
        numbers = [np.asarray(a, np.float64) for a in (forwards, strikes, years, vols, discount_factors)]
        return black([*numbers, np.asarray(is_call, np.bool_)], self.block_elements)

    def implied_vol(
        self,
        prices: ArrayLike,
        forwards: ArrayLike,
        strikes: ArrayLike,
        years: ArrayLike,
        discount_factors: ArrayLike,
        is_call: ArrayLike,
    ) -> tuple[Floats, NDArray[np.str_]]:
        """Vols and reason codes, elementwise under broadcasting; see ``pricing.implied.implied_vol``."""
        return implied_vol(prices, forwards, strikes, years, discount_factors, is_call)

    def implied(self, series: Series, prices: Floats) -> tuple[Floats, NDArray[np.str_]]:
        """Vols at which ``base`` gives these prices [n], and reason codes; ``series.vols`` are not looked at.

        See ``pricing.implied.implied_vol`` for the codes and ``implied_american`` for their American sense.
        """
        solver = partial(_numpy_implied.solve, values_of=self.base)
        return _numpy_implied.implied(series, prices, self.implied_vol, solver)

    def risk_arrays(self, sections: Sequence[tuple[Series, States]], weights: Any) -> Floats:
        """P&L of each leaf in each scenario, shape [L, S], in the currency of the weights, gain > 0.

        See ``Backend.risk_arrays``. A tile [n, scenarios] is priced, the base value subtracted, and the
        leaves summed at once; the full matrix is never held.
        """
        rows, count = checked_weights(sections, weights)
        total = sum(len(series) for series, _ in sections)
        bases = [self.base(series) for series, _ in sections]
        width = max(1, self.tile_elements // max(1, total))
        if count <= width:
            return np.asarray(rows @ self._tile(sections, bases, slice(0, count)))
        result = np.empty((rows.shape[0], count))
        for start in range(0, count, width):
            part = slice(start, min(start + width, count))
            result[:, part] = rows @ self._tile(sections, bases, part)
        return result

    def _tile(
        self, sections: Sequence[tuple[Series, States]], bases: Sequence[Floats], part: slice
    ) -> Floats:
        """Value less base value, [n, scenarios], contiguous along the scenarios."""
        tile = np.empty((sum(len(base) for base in bases), part.stop - part.start))
        top = 0
        for (series, states), base in zip(sections, bases, strict=True):
            rows = tile[top : top + len(series)]
            self._price_into(series, states.block(part.start, part.stop), rows.T)
            rows -= base[:, None]
            top += len(series)
        return tile

    def worst(self, batch: Batch, reduced: int, units: bool = False) -> Worst:
        """The worst loss of every leaf of a batch; see ``Backend.worst``."""
        return plain_worst(self, batch, reduced, units, WORST_ELEMENTS)

    def free_bytes(self) -> int:
        """Memory that may be taken now, in bytes.

        Where the system does not say what is free, all that is installed; where it says neither,
        ``sys.maxsize``: then nothing is refused for want of memory.
        """
        if MEMINFO.exists():
            fields = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
            return int(fields["MemAvailable"].split()[0]) * 1024
        names = getattr(os, "sysconf_names", {})
        if "SC_PHYS_PAGES" not in names:
            return sys.maxsize
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    def _price_into(self, series: Series, states: States, values: Floats) -> None:
        self._price_in_currency(series, states, values)
        inverse = np.flatnonzero(series.inverse)
        width = max(1, self.block_elements // max(1, len(states.index)))
        for low in range(0, len(inverse), width):
            columns = _run(inverse[low : low + width])
            values[:, columns] = in_coin(series.take(columns), states, values[:, columns])

    def _price_in_currency(self, series: Series, states: States, values: Floats) -> None:
        linear = np.flatnonzero(~series.is_option)
        if len(linear):
            forwards = forwards_of(series.take(linear), states.spot_factors)
            values[:, linear] = forwards[states.index[:, 0]]
        on_grids = routes(series) == GRID
        rest = np.flatnonzero(series.is_option & ~on_grids)
        if len(rest):
            self._price_blocks(series.take(rest), states, rest, values)
        gridded = np.flatnonzero(on_grids)
        if len(gridded):
            own = series.take(gridded)
            values[:, gridded] = price_grids(own, shocked_vols(own, states), states, self.grids, self._reader)

    def _price_blocks(self, series: Series, states: States, columns: Codes, values: Floats) -> None:
        """Price options, which stand at these columns of ``values``, in blocks that fit the cache."""
        exercise = None
        if series.is_american.any():
            exercise = Exercise(series, shocked_vols(series, states), self.premiums)
        together = len(series) if len(series) <= WHOLE_NAME else WHOLE_NAME // 2
        height = max(1, self.block_elements // together)
        for start in range(0, len(states.index), height):
            block = Block(states.block(start, start + height))
            parts = -(-len(series) * block.height // self.block_elements)
            width = -(-len(series) // parts)
            work = Workspace(block.height * width)
            for low in range(0, len(series), width):
                part = slice(low, low + width)
                found = block.price(series.take(part), part, exercise, work)
                values[start : start + height, _run(columns[part])] = found


def _run(columns: Codes) -> Any:
    """The columns as a slice where they are consecutive."""
    first, last = int(columns[0]), int(columns[-1])
    return slice(first, last + 1) if last - first + 1 == len(columns) else columns

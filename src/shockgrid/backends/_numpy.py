"""The backend that runs everywhere: NumPy, blocked and in place."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from shockgrid.arrays import Codes, Floats
from shockgrid.backends._numpy_black import Workspace, black, deviations, log_ratios, values_of
from shockgrid.backends.contract import Series
from shockgrid.pricing.implied import implied_vol
from shockgrid.states import UNMOVED, States

DAYS_PER_YEAR = 365.0
MEMINFO = Path("/proc/meminfo")
#: A name of so many options or fewer is cut by scenarios only; a larger one keeps half as many together.
WHOLE_NAME = 256


class NumpyBackend:
    """Prices and aggregates on the CPU with NumPy alone; holds no state between calls.

    Parameters
    ----------
    tile_elements : largest number of float64 values held at once by ``risk_arrays``.
    block_elements : values worked on at once; a few buffers of this size should fit the cache.

    Neither changes a bit of any result. American options are priced as European ones.
    """

    def __init__(self, *, tile_elements: int = 2_000_000, block_elements: int = 32_768) -> None:
        self.name = "numpy"
        self.prices_american = False
        self.xp: ModuleType = np
        self.tile_elements = tile_elements
        self.block_elements = block_elements

    def put(self, array: ArrayLike) -> NDArray[Any]:
        """The array itself: NumPy computes where the data is."""
        return np.asarray(array)

    def get(self, array: ArrayLike) -> NDArray[Any]:
        """The array itself."""
        return np.asarray(array)

    def price(self, series: Series, states: States) -> Floats:
        """Unit values in currency, shape [S, n]: row s holds every instrument's value in scenario s."""
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

    def risk_arrays(self, sections: Sequence[tuple[Series, States]], weights: Any) -> Floats:
        """P&L of each leaf in each scenario, shape [L, S], in the currency of the weights, gain > 0.

        See ``Backend.risk_arrays``. A tile [n, scenarios] is priced, the base value subtracted, and the
        leaves summed at once; the full matrix is never held.
        """
        rows = csr_array(weights, copy=False)
        if not rows.has_sorted_indices:
            rows = rows.sorted_indices()
        count = len(sections[0][1].index) if sections else 0
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
        linear = np.flatnonzero(~series.is_option)
        if len(linear):
            forwards = _forwards(series.take(linear), states.spot_factors)
            values[:, linear] = forwards[states.index[:, 0]]
        options = np.flatnonzero(series.is_option)
        if len(options) == 0:
            return
        together = len(options) if len(options) <= WHOLE_NAME else WHOLE_NAME // 2
        height = max(1, self.block_elements // together)
        for start in range(0, len(states.index), height):
            block = _Block(states.block(start, start + height))
            parts = -(-len(options) * block.height // self.block_elements)
            width = -(-len(options) // parts)
            work = Workspace(block.height * width)
            for columns in _runs(options, width):
                values[start : start + height, columns] = block.price(series.take(columns), work)


class _Block:
    """A few scenarios with the market states that they use."""

    def __init__(self, states: States) -> None:
        self.height = len(states.index)
        spots, self.spot_rows = _used(states.index[:, 0], len(states.spot_factors))
        rules, self.vol_rows = _used(states.index[:, 1], len(states.vol_shocks))
        self.spot_factors = states.spot_factors[spots]
        self.rules = [
            column[rules][:, None]
            for column in (
                states.vol_shocks,
                states.relative,
                states.term_powers,
                states.vol_floors,
                states.vol_caps,
            )
        ]

    def price(self, series: Series, work: Workspace) -> Floats:
        """Values of a few options, [height, m], in memory of ``work``."""
        shape = (self.height, len(series))
        forwards = _forwards(series, self.spot_factors)
        deviation = deviations(self._vols(series), series.years)
        scratch = iter([work.single(slot, shape) for slot in range(1, 5)])
        logs, inverses, halves, assets = (
            np.take(table, rows, axis=0, out=next(scratch), mode="clip")
            for table, rows in (
                (log_ratios(forwards, series.strikes), self.spot_rows),
                (1.0 / deviation, self.vol_rows),
                (0.5 * deviation, self.vol_rows),
                (forwards * series.discount_factors, self.spot_rows),
            )
        )
        strikes = series.discount_factors * series.strikes
        return values_of(logs, inverses, halves, assets, strikes, np.where(series.is_call, 0.5, -0.5), work)

    def _vols(self, series: Series) -> Floats:
        """The shocked vols [rules, m]; the rule is the one of ``States``."""
        shocks, relative, powers, floors, caps = self.rules
        scaled = shocks
        if powers.any():
            months = np.log(30.0 / np.maximum(series.years * DAYS_PER_YEAR, 1.0))
            scaled = shocks * np.exp(powers * months)
        vols: Floats = np.where(relative, series.vols * (1.0 + scaled), series.vols + scaled)
        np.maximum(vols, floors, out=vols)
        np.minimum(vols, caps, out=vols)
        return vols


def _forwards(series: Series, spot_factors: Floats) -> Floats:
    forwards: Floats = series.slopes * series.spots * spot_factors[:, None] + series.intercepts
    return forwards


def _used(index: Codes, count: int) -> tuple[Any, Codes]:
    """Which of ``count`` states a block tabulates, and the index into those."""
    if count <= len(index):
        return slice(None), index
    return np.unique(index, return_inverse=True)


def _runs(columns: Codes, width: int) -> Iterator[Any]:
    """Blocks of columns, as slices where they are consecutive."""
    for start in range(0, len(columns), width):
        block = columns[start : start + width]
        first, last = int(block[0]), int(block[-1])
        yield slice(first, last + 1) if last - first + 1 == len(block) else block

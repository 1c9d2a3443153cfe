"""Worst cells of interpolated surfaces in the CPU library: the Python side of ``kernels/native_dense.h``."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Floats
from shockgrid.backends._native_library import DONE, Columns, Library, overflow
from shockgrid.backends.dense import Surfaces, WorstCells

#: Prices and vols are padded to whole steps of the widest registers.
PRICE_STEP, VOL_STEP = 16, 8

SIZES = ("groups", "levels", "coefficients_width", "prices_width", "values_width", "most_cells")
POINTERS = (
    *("section", "instruments_of", "leaves_of", "positions_of", "columns", "weights"),
    *("level_of", "errors", "nodes_of", "smooth", "price_nodes", "vol_nodes", "polynomials"),
)


class Nodes(ctypes.Structure):
    """``PriceNodes`` and ``VolNodes`` of native_surfaces.h: a count and pointers."""

    _fields_ = (("count", ctypes.c_int64), *((name, ctypes.c_void_p) for name in ("places", "transform")))


class NodesWithValues(ctypes.Structure):
    """``VolNodes`` of native_surfaces.h."""

    _fields_ = (*Nodes._fields_, ("values", ctypes.c_void_p))


class Dense(ctypes.Structure):
    """``Dense`` of native_surfaces.h; what it points to must outlive it."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in SIZES),
        *((name, ctypes.c_void_p) for name in POINTERS),
    )


class DenseFound(ctypes.Structure):
    """``DenseFound`` of native_surfaces.h."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in WorstCells._fields)


def native_worst_cells(library: Library, surfaces: Surfaces) -> WorstCells:
    """See ``FindsWorstCells.worst_cells``; instruments that are interpolated must be linear or European.

    Raises InputError where a number is not finite.
    """
    count = len(surfaces.leaf_positions) - 1
    found = WorstCells(
        np.zeros(count), np.zeros(count, np.int64), np.zeros(count), np.full(count, -1, np.int64)
    )
    laid = _Laid(surfaces)
    into = DenseFound(*(array.ctypes.data for array in found))
    if library.call("dense", ctypes.byref(laid.firm), ctypes.byref(into)) != DONE:
        for error in laid.columns.not_finite():
            raise error
        raise overflow()
    return found


class _Laid:
    """Surfaces as the library takes them; holds what it points to."""

    def __init__(self, surfaces: Surfaces) -> None:
        self._kept: list[Any] = []
        self.columns = Columns(surfaces.series, surfaces.grid)
        most = len(surfaces.polynomials)
        width = -(-most // PRICE_STEP) * PRICE_STEP
        prices = [
            Nodes(
                len(nodes.spot_factors),
                self._held(nodes.spot_factors, np.float64),
                self._held(_padded(nodes.transform, width), np.float64),
            )
            for nodes in surfaces.price_nodes
        ]
        vols = [
            NodesWithValues(
                len(nodes.shocks),
                self._held(nodes.shocks, np.float64),
                self._held(nodes.transform, np.float64),
                # no vol beyond the last may be lower than those of the grid
                self._held(_padded(nodes.values, VOL_STEP, mode="edge"), np.float64),
            )
            for nodes in surfaces.vol_nodes
        ]
        polynomials = _padded(surfaces.polynomials, PRICE_STEP)
        sizes = (
            len(surfaces.group_leaves) - 1,
            len(prices),
            width,
            polynomials.shape[1],
            -(-len(surfaces.grid.vol_shocks) // VOL_STEP) * VOL_STEP,
            surfaces.most_candidates,
        )
        starts = (surfaces.group_instruments, surfaces.group_leaves, surfaces.leaf_positions)
        self._section = (type(self.columns.section) * 1)(self.columns.section)
        self._nodes = (Nodes * len(prices))(*prices), (NodesWithValues * len(vols))(*vols)
        self.firm = Dense(
            *sizes,
            ctypes.addressof(self._section),
            *(self._held(array, np.int64) for array in starts),
            self._held(surfaces.columns, np.int32),
            self._held(surfaces.weights, np.float64),
            self._held(surfaces.levels, np.int32),
            self._held(surfaces.errors, np.float64),
            self._held(surfaces.vol_sets, np.int32),
            self._held(surfaces.smooth, np.bool_),
            *(ctypes.addressof(nodes) for nodes in self._nodes),
            self._held(polynomials, np.float64),
        )

    def _held(self, array: NDArray[Any], kind: type) -> int:
        self._kept.append(np.ascontiguousarray(array, kind))
        address: int = self._kept[-1].ctypes.data
        return address


def _padded(numbers: Floats, step: int, mode: Any = "constant") -> Floats:
    """Rows filled up to a whole number of steps: with zeros, or with their last entry (mode "edge")."""
    return np.pad(numbers, [(0, 0), (0, -numbers.shape[1] % step)], mode)

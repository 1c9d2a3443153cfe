"""Values read from grids by the CPU library: the Python side of ``kernels/native_grid_read.h``."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.backends._native_library import Library, pointer, require
from shockgrid.backends._numpy_grid_frame import Contracts, crosses_soon
from shockgrid.backends._numpy_grid_kinds import per_octave
from shockgrid.backends._numpy_grid_read import READABLE, put_unread, require_nodes, routes
from shockgrid.backends.vol_lattice import first_nodes

SIZES = ("count", "dividends", "width", "spots", "vols", "scenarios")
TERMS = ("strikes", "years", "rates", "yields", "ex_years", "cash")
NUMBERS = ("lanes", *TERMS, "spot_values", "vol_values", "x")
CODES = ("places", "firsts", "is_call", "soon", "readable", "index")


class GridReading(ctypes.Structure):
    """``GridReading`` of native_grid_read.h: pointers to columns, which must outlive it."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in SIZES),
        *((name, ctypes.c_void_p) for name in (*NUMBERS, *CODES)),
    )


class NativeReader:
    """``_numpy_grid_read.read_lanes`` in the native library: the same values to rounding, faster.

    Bit for bit the same on every instruction set and in any company. What no grid serves is priced by NumPy.
    """

    def __init__(self, library: Library) -> None:
        self._library = library

    def __call__(
        self,
        lanes: Floats,
        places: Codes,
        firsts: Codes,
        contracts: Contracts,
        spots: Floats,
        vols: Floats,
        index: Codes,
    ) -> Floats:
        """Values [S, n] in currency; see ``_numpy_grid_read.read``."""
        ways = routes(contracts, vols)
        require_nodes(ways, firsts, contracts, vols, places.shape[1])
        readable = ways == READABLE
        safe = np.where(readable, vols, 1.0)
        fineness = per_octave(contracts)
        nodes = first_nodes(safe, fineness)
        numbers: dict[str, Any] = {
            "lanes": lanes,
            **{name: getattr(contracts, name) for name in TERMS},
            "spot_values": spots,
            "vol_values": safe,
            "x": fineness * np.log2(safe) - nodes - 1.0,
        }
        offsets = np.where(readable, nodes - firsts, 0)
        laid: dict[str, NDArray[Any]] = {
            **{name: np.ascontiguousarray(column, np.float64) for name, column in numbers.items()},
            "places": np.ascontiguousarray(places, np.int32),
            "firsts": np.ascontiguousarray(offsets, np.int32),
            "is_call": np.ascontiguousarray(contracts.is_call),
            "soon": np.ascontiguousarray(crosses_soon(contracts)[0]),
            "readable": np.ascontiguousarray(readable),
            "index": np.ascontiguousarray(index, np.int64),
        }
        sizes = (len(firsts), contracts.cash.shape[1], places.shape[1], len(spots), len(vols), len(index))
        values = np.empty((len(firsts), len(index)))
        addresses = {name: array.ctypes.data for name, array in laid.items()}
        reading = GridReading(*sizes, **addresses)
        status = self._library.call("read_grids", ctypes.byref(reading), pointer(values))
        require(status, {name: laid[name] for name in (*TERMS[:4], "spot_values")})
        put_unread(values.T, ways, contracts, spots, vols, index)
        return values.T

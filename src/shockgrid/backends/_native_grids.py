"""Grids of American options from the CPU library: the Python side of ``kernels/native_grids.h``."""

from __future__ import annotations

import ctypes

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends._native_library import DONE, NOT_A_NUMBER, Library, overflow, pointer
from shockgrid.backends._numpy_grid_frame import NODES, Contracts
from shockgrid.backends._numpy_grid_kinds import per_octave
from shockgrid.backends.vol_lattice import node_vols
from shockgrid.errors import InputError

COLUMNS = ("strikes", "years", "rates", "yields", "ex_years", "cash")
POSITIVE = ("strikes", "years", "vols")


class GridContracts(ctypes.Structure):
    """``GridContracts`` of native_grids.h: pointers to columns, which must outlive it."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("count", "nodes", "dividends")),
        *((name, ctypes.c_void_p) for name in (*COLUMNS, "vols", "is_call")),
    )


class NativeSolver:
    """``_numpy_grid_solve.solve`` in the native library: the same values to 1e-11 of the unit, faster.

    Bit for bit the same on every instruction set and in any company. The interpreter's lock is free
    meanwhile.
    """

    def __init__(self, library: Library) -> None:
        self._library = library

    def __call__(self, contracts: Contracts, firsts: Codes, count: int, into: Floats | None = None) -> Floats:
        """Values [n, count, NODES] now, at lattice nodes ``firsts`` [n] and those that follow; see ``solve``.

        ``into``, where it is given, is contiguous.
        Raises InputError where a number is not finite, or a strike, life or vol is not above 0.
        """
        columns = {name: np.ascontiguousarray(getattr(contracts, name), np.float64) for name in COLUMNS}
        nodes, fineness = firsts[:, None] + np.arange(count), per_octave(contracts)[:, None]
        vols = np.ascontiguousarray(node_vols(nodes, fineness), np.float64)
        is_call = np.ascontiguousarray(contracts.is_call, np.bool_)
        values = np.empty((*vols.shape, NODES)) if into is None else into
        sizes = (*vols.shape, contracts.cash.shape[1])
        laid = GridContracts(*sizes, *(pointer(column) for column in (*columns.values(), vols, is_call)))
        status = self._library.call("grids", ctypes.byref(laid), pointer(values))
        if status == NOT_A_NUMBER:
            raise overflow(int(np.isnan(values).any(axis=(1, 2)).argmax()))
        if status != DONE:
            raise _refusal({**columns, "vols": vols})
        return values


def _refusal(columns: dict[str, Floats]) -> InputError:
    """Name the first number that the library does not take."""
    for name, column in columns.items():
        bad = ~np.isfinite(column) | (column <= 0 if name in POSITIVE else False)
        if bad.any():
            place = int(bad.argmax())
            expected = "a finite number above 0" if name in POSITIVE else "a finite number"
            row = place // max(column[0].size, 1)
            return InputError(f"expected {expected}", line=row, column=name, value=float(column.flat[place]))
    message = "the native library refuses what looks in order"
    raise AssertionError(message)

"""Premium tables from the CPU library: ``_numpy_premium.build`` node for node, with the same constants."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shockgrid.backends import _numpy_boundary as boundary
from shockgrid.backends import _numpy_premium as premium
from shockgrid.backends._native_library import DONE, NOT_FINITE, Library, pointer, whole
from shockgrid.backends._numpy_boundary import Effort, Puts
from shockgrid.backends._numpy_premium import Tables
from shockgrid.backends.premium_effort import EFFORTS, Shape
from shockgrid.errors import InputError

TERMS = {"years": 0.0, "rates": 0.0, "yields": -np.inf}  #: columns of puts, and what they must be above
SIZES = ("nodes", "points", "steps", "premium_points", "vols", "gaps", "first_newton_steps", "newton_steps")
LIMITS = ("fp_a_drift", "flat_drift", "fp_b_stride", "farthest", "early_slope")
ARRAYS = (
    *("times", "abscissae", "inverses", "weights", "left", "rows"),
    *("premium_abscissae", "premium_inverses", "premium_weights", "premium_rows"),
    *("distances", "chebyshev_matrix", "power_matrix", "vol_matrix"),
)
#: What the kernels have room for: MOST_NODES and so on of boundary.h and premium.h.
LEAST = {"steps": 0}
MOST = {"nodes": 16, "points": 32, "vols": 16, "gaps": 16}


class _Plan(ctypes.Structure):
    """``Plan`` of boundary.h: pointers to arrays, which must outlive it."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in SIZES),
        *((name, ctypes.c_double) for name in LIMITS),
        *((name, ctypes.c_void_p) for name in ARRAYS),
    )


class Plan:
    """An effort and a shape laid out for the library; holds what it points to.

    Raises InputError where the kernels have no room for it.
    """

    def __init__(self, effort: Effort, shape: Shape) -> None:
        nodes, points, _, premium_points = effort
        roots = boundary.node_roots(nodes)[:-1]
        abscissae, weights = boundary.quadrature(points)
        left = roots[:, None] * np.sqrt(1.0 - abscissae * abscissae)
        premium_abscissae, premium_weights = boundary.quadrature(premium_points, early=True)
        premium_roots = np.sqrt(1.0 - premium_abscissae**2)
        arrays = (
            *(
                roots**2,
                abscissae,
                1.0 / abscissae,
                weights,
                left**2,
                boundary.interpolation_rows(left, nodes),
            ),
            *(premium_abscissae, 1.0 / premium_abscissae, premium_weights),
            boundary.interpolation_rows(premium_roots, nodes),
            *(premium.distances(shape.gaps), premium.chebyshev_matrix(shape.gaps)),
            *(premium.power_matrix(shape.gaps), premium.vol_matrix(shape.vols)),
        )
        self.arrays = [np.ascontiguousarray(array, np.float64) for array in arrays]
        newton = (boundary.FIRST_NEWTON_STEPS, boundary.NEWTON_STEPS)
        sizes = (*effort, shape.vols, shape.gaps, *newton)
        limits = (
            *(boundary.FP_A_DRIFT, boundary.FLAT_DRIFT, boundary.FP_B_STRIDE),
            *(boundary.FARTHEST, boundary.EARLY_SLOPE),
        )
        for name, size in zip(SIZES, sizes, strict=True):
            if not LEAST.get(name, 1) <= size <= MOST.get(name, size):
                problem = f"the kernels compute tables of at most {MOST.get(name)} {name}"
                raise InputError(problem, value=size)
        self.structure = _Plan(*sizes, *limits, *(array.ctypes.data for array in self.arrays))


class Plans:
    """The plans of all ``EFFORTS`` for a shape side by side; holds what they point to."""

    def __init__(self, shape: Shape) -> None:
        self._plans = [Plan(effort, shape) for effort in EFFORTS]
        self.structures = (_Plan * len(EFFORTS))(*(plan.structure for plan in self._plans))


@cache
def plans_of(shape: Shape) -> Plans:
    """Laid out once."""
    return Plans(shape)


class NativeBuilder:
    """Builds premium tables with the kernels of one instruction set; see ``_numpy_store.Builder``."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def __call__(self, puts: Puts, efforts: NDArray[np.uint8], shape: Shape) -> Tables:
        """Tables of puts of strike 1 by their efforts; no bit depends on their order or company.

        Years and rates > 0. Raises InputError where a number is not finite, or not above 0.
        """
        count = len(efforts) // shape.vols
        columns = [np.ascontiguousarray(column, np.float64) for column in puts]
        kinds = np.ascontiguousarray(efforts, np.uint8)
        tables = Tables(np.empty((count, shape.vols, shape.gaps)), np.empty((count, shape.vols)))
        plans = plans_of(shape)  # held until the call is over: of two laid out at once the cache has one
        status = self._library.call(
            "premium_tables",
            plans.structures,
            whole(count),
            *(pointer(column) for column in columns),
            pointer(kinds),
            pointer(tables.coefficients),
            pointer(tables.boundaries),
        )
        if status != DONE:
            raise refused(status, puts, shape)
        return tables


def refused(status: int, puts: Puts, shape: Shape) -> InputError:
    """What to raise for what the library refused: names the column, the table's row and the value."""
    if status == NOT_FINITE:
        for name, least in TERMS.items():
            column = getattr(puts, name)
            bad = ~(np.isfinite(column) & (column > least))
            if bad.any():
                lane = int(bad.argmax())
                problem = "expected a finite number" + (" above 0" if least == 0.0 else "")
                return InputError(problem, line=lane // shape.vols, column=name, value=float(column[lane]))
    problem = "a premium is beyond the range of float64; expected rates and years nearer to 0"
    return InputError(problem)

"""Premium tables from the CPU library: ``_numpy_premium.build`` node for node, with the same constants."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends import _numpy_boundary as boundary
from shockgrid.backends import _numpy_premium as premium
from shockgrid.backends._native_library import DONE, NOT_FINITE, Library, pointer, whole
from shockgrid.backends._numpy_premium import Scheme, Tables
from shockgrid.backends.vol_ranges import vols_at
from shockgrid.errors import InputError

TERMS = ("years", "rates", "yields")
SIZES = ("nodes", "points", "steps", "premium_points", "vols", "gaps", "first_newton_steps", "newton_steps")
LIMITS = ("fp_a_drift", "flat_drift", "fp_b_stride", "farthest", "early_slope")
ARRAYS = (
    *("times", "abscissae", "weights", "left", "rows"),
    *("premium_abscissae", "premium_weights", "premium_rows"),
    *("distances", "chebyshev_matrix", "power_matrix", "vol_matrix"),
)
#: What the kernels have room for: MOST_NODES and so on of boundary.h and premium.h.
MOST = {"nodes": 16, "points": 32, "vols": 16, "gaps": 16}


class _Plan(ctypes.Structure):
    """``Plan`` of boundary.h: pointers to arrays, which must outlive it."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in SIZES),
        *((name, ctypes.c_double) for name in LIMITS),
        *((name, ctypes.c_void_p) for name in ARRAYS),
    )


class Plan:
    """A scheme laid out for the library; holds what it points to.

    Raises InputError where the kernels have no room for it.
    """

    def __init__(self, scheme: Scheme) -> None:
        effort = scheme.effort
        nodes, points, _, premium_points = effort
        roots = boundary.node_roots(nodes)[:-1]
        abscissae, weights = boundary.quadrature(points)
        left = roots[:, None] * np.sqrt(1.0 - abscissae * abscissae)
        premium_abscissae, premium_weights = boundary.quadrature(premium_points, early=True)
        premium_roots = np.sqrt(1.0 - premium_abscissae**2)
        arrays = (
            *(roots**2, abscissae, weights, left**2, boundary.interpolation_rows(left, nodes)),
            *(premium_abscissae, premium_weights, boundary.interpolation_rows(premium_roots, nodes)),
            *(premium.distances(scheme.gaps), premium.chebyshev_matrix(scheme.gaps)),
            *(premium.power_matrix(scheme.gaps), premium.vol_matrix(scheme.vols)),
        )
        self.arrays = [np.ascontiguousarray(array, np.float64) for array in arrays]
        newton = (boundary.FIRST_NEWTON_STEPS, boundary.NEWTON_STEPS)
        sizes = (*effort, scheme.vols, scheme.gaps, *newton)
        limits = (
            *(boundary.FP_A_DRIFT, boundary.FLAT_DRIFT, boundary.FP_B_STRIDE),
            *(boundary.FARTHEST, boundary.EARLY_SLOPE),
        )
        for name, size in zip(SIZES, sizes, strict=True):
            if not 0 < size <= MOST.get(name, size):
                problem = f"the kernels compute tables of at most {MOST.get(name)} {name}"
                raise InputError(problem, value=size)
        self.structure = _Plan(*sizes, *limits, *(array.ctypes.data for array in self.arrays))


@cache
def plan_of(scheme: Scheme) -> Plan:
    """The scheme's plan, laid out once."""
    return Plan(scheme)


class NativeBuilder:
    """Builds premium tables with the kernels of one instruction set; see ``_numpy_store.Builder``."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def __call__(self, years: Floats, rates: Floats, yields: Floats, ranges: Codes, scheme: Scheme) -> Tables:
        """Tables of puts of strike 1, [M] of each; no bit depends on their order or company.

        ``years``, ``rates`` > 0. Raises InputError where a number is not finite, or not above 0.
        """
        count = len(years)
        vols = vols_at(ranges[:, None], premium.ends_and_between(scheme.vols))
        spread = [np.repeat(np.asarray(column, np.float64), scheme.vols) for column in (years, rates, yields)]
        columns = [spread[0], np.ascontiguousarray(vols, np.float64), *spread[1:]]
        tables = Tables(np.empty((count, scheme.vols, scheme.gaps)), np.empty((count, scheme.vols)))
        status = self._library.call(
            "premium_tables",
            ctypes.byref(plan_of(scheme).structure),
            whole(count),
            *(pointer(column) for column in columns),
            pointer(tables.coefficients),
            pointer(tables.boundaries),
        )
        if status != DONE:
            raise refused(status, years, rates, yields)
        return tables


def refused(status: int, years: Floats, rates: Floats, yields: Floats) -> InputError:
    """What to raise for what the library refused: names the column, the row and the value."""
    if status == NOT_FINITE:
        for name, column, least in zip(TERMS, (years, rates, yields), (0.0, 0.0, -np.inf), strict=True):
            bad = ~(np.isfinite(column) & (column > least))
            if bad.any():
                row = int(bad.argmax())
                problem = "expected a finite number" + (" above 0" if least == 0.0 else "")
                return InputError(problem, line=row, column=name, value=float(column[row]))
    problem = "a premium is beyond the range of float64; expected rates and years nearer to 0"
    return InputError(problem)

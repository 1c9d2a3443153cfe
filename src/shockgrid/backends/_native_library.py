"""Finding the CPU library, loading it, and calling it: the Python side of ``kernels/native.cpp``."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Floats
from shockgrid.backends.contract import Series
from shockgrid.errors import BackendUnavailable, InputError
from shockgrid.states import States

#: A library to take in place of the installed one: a build with sanitizers, say.
VARIABLE = "SHOCKGRID_NATIVE_LIBRARY"
#: Has no fused multiply-add in hardware and is some fifty times slower: never taken unless it is asked for.
SLOW = "baseline"
HELP = "install shockgrid where a C++ compiler is, or use 'numpy' or 'auto'"

SERIES_NUMBERS = ("spots", "slopes", "intercepts", "strikes", "years", "vols", "discount_factors")
SERIES_FLAGS = ("routes", "is_call")
EARLY_NUMBERS = ("units", "rates", "yields")
PREMIUMS = ("coefficients", "boundaries", "orders")
GIVEN = ("places", "values", "bases", "flags", "base_flags")
RULES = ("vol_shocks", "term_powers", "vol_floors", "vol_caps")

FUNCTIONS = (
    *("black", "black_checked", "implied_vol", "american_implied", "price", "risk_arrays", "worst"),
    *("leaf_worth", "worst_of_sums"),
    *("premium_tables", "grids", "read_grids", "dense", "screened_worst", "screened_units"),
)
DONE, NO_MEMORY, NO_STATE, NOT_FINITE, NOT_A_NUMBER, NO_TABLE = range(6)  #: ``Status`` of native.cpp


@dataclass(frozen=True)
class EarlyColumns:
    """What ``Columns`` needs beside the series; arrays contiguous and native, named as in ``Section``."""

    routes: NDArray[np.uint8]  #: [n], ``Route`` of scenarios.h
    counts: dict[str, int]
    arrays: dict[str, NDArray[Any]]


class Section(ctypes.Structure):
    """``Section`` of scenarios.h: pointers to columns of one (series, states) pair, which must outlive it."""

    _fields_ = (
        ("count", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in (*SERIES_NUMBERS, *SERIES_FLAGS, *EARLY_NUMBERS, "tables")),
        ("premium_count", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in PREMIUMS),
        *((name, ctypes.c_int64) for name in ("given_count", "given_scenarios")),
        *((name, ctypes.c_void_p) for name in GIVEN),
        ("spot_states", ctypes.c_int64),
        ("vol_rules", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("spot_factors", *RULES, "relative", "index")),
    )


class Columns:
    """One (series, states) pair laid out for the library, contiguous and native; holds what it points to.

    The columns of one length lie in one block, so that few addresses have to be asked for. ``early``: what
    instruments need that are neither linear nor European; None where there are none.
    """

    def __init__(self, series: Series, states: States, early: EarlyColumns | None = None) -> None:
        routes = series.is_option if early is None else early.routes
        self._blocks: dict[tuple[str, ...], NDArray[Any]] = {
            SERIES_NUMBERS: np.array([getattr(series, name) for name in SERIES_NUMBERS], np.float64),
            SERIES_FLAGS: np.array([routes, series.is_call], np.uint8),
            ("spot_factors",): np.array([states.spot_factors], np.float64),
            RULES: np.array([getattr(states, name) for name in RULES], np.float64),
            ("relative",): np.array([states.relative], np.bool_),
            ("index",): np.array([states.index], np.int64),
        }
        counts = {"spot_states": len(states.spot_factors), "vol_rules": len(states.vol_shocks)}
        if early is not None:
            counts |= early.counts
            self._blocks |= {(name,): array[None] for name, array in early.arrays.items()}
            numbers = [getattr(series, name) for name in EARLY_NUMBERS]
            self._blocks[EARLY_NUMBERS] = np.array(numbers, np.float64)
        addresses = {
            name: start + row * block.strides[0]
            for names, block in self._blocks.items()
            for start in (block.ctypes.data,)
            for row, name in enumerate(names)
        }
        self.section = Section(len(series), **counts, **addresses)

    def move(self, spots: Floats, vols: Floats) -> None:
        """Take other spots and vols [n] in place of those before."""
        numbers = self._blocks[SERIES_NUMBERS]
        numbers[SERIES_NUMBERS.index("spots")] = spots
        numbers[SERIES_NUMBERS.index("vols")] = vols

    def not_finite(self) -> Iterator[InputError]:
        """The first bad value of each column that has one, as an error."""
        columns = (
            (name, array)
            for names, block in self._blocks.items()
            for name, array in zip(names, block, strict=True)
        )
        for name, array in columns:
            if name in (*PREMIUMS, *GIVEN):
                continue
            bad = np.isnan(array) if name == "vol_caps" else ~np.isfinite(array)
            if bad.any():
                row = int(bad.argmax())
                yield not_finite(name, float(array[row]), row)


class Library:
    """The functions of one instruction set.

    Parameters
    ----------
    name : ``v4`` or ``v3`` (x86-64 with AVX-512 or AVX2), ``generic`` (aarch64), or ``baseline``, which runs
        on every x86-64 and gives the same bits far slower; None for the fastest this processor has.

    Raises
    ------
    BackendUnavailable : there is no library, it cannot be loaded, it is of another version, or the processor
        cannot run that set.
    """

    def __init__(self, name: str | None = None) -> None:
        self._handle = loaded(library_path())
        names = instruction_sets()
        self.name = names[0] if name is None else name
        if name is None and self.name == SLOW:
            problem = f"this processor has no fused multiply-add (FMA): {HELP}"
            raise BackendUnavailable(problem)
        if self.name not in names:
            problem = f"this processor does not run the instruction set {name!r}, only {', '.join(names)}"
            raise BackendUnavailable(problem)
        self._functions = {key: function(self._handle, f"{key}_{self.name}") for key in FUNCTIONS}

    def call(self, name: str, *arguments: Any) -> int:
        """The status of the function of that name; the interpreter's lock is free meanwhile.

        Raises MemoryError, or InputError where a scenario has a state that is not there.
        """
        status: int = self._functions[name](*arguments)
        if status == NO_MEMORY:
            problem = f"no memory left for {name} in the native library"
            raise MemoryError(problem)
        if status == NO_STATE:
            problem = "a scenario has a spot state or vol rule that is not there"
            raise InputError(problem)
        if status == NO_TABLE:
            problem = "a premium table was not laid out for the native library"
            raise AssertionError(problem)
        return status


def instruction_sets() -> tuple[str, ...]:
    """Names of the sets in the library that this processor runs, the fastest first."""
    ask = function(loaded(library_path()), "instruction_sets")
    ask.restype = ctypes.c_char_p
    return tuple(ask().decode().split())


def library_path() -> Path:
    """Where the library is: in the package as installed, or in ``build`` of the source tree.

    Raises BackendUnavailable where there is none.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    installed = find_spec("shockgrid._kernels")
    if installed is not None and installed.origin:
        return Path(installed.origin)
    tree = Path(__file__).parents[3]
    built = tree / "build" / "_kernels.so"
    if (tree / "kernels" / "native.cpp").is_file() and built.is_file():
        return built
    problem = f"this installation has no native library: it was built without a C++ compiler; {HELP}"
    raise BackendUnavailable(problem)


@cache
def loaded(path: Path) -> ctypes.CDLL:
    """The library at that path. Raises BackendUnavailable where it cannot be loaded."""
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        problem = f"the native library cannot be loaded: {error}; {HELP}"
        raise BackendUnavailable(problem) from error


def function(library: ctypes.CDLL, name: str) -> Any:
    """A function of the library. Raises BackendUnavailable where a library of another version lacks it."""
    try:
        return getattr(library, f"shockgrid_{name}")
    except AttributeError as error:
        problem = f"{library._name} lacks shockgrid_{name}: it is of another version, build it again; {HELP}"
        raise BackendUnavailable(problem) from error


def pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    """Where the elements of a contiguous array start."""
    return ctypes.c_void_p(array.ctypes.data)


def whole(count: int) -> ctypes.c_int64:
    """A count as the library takes it."""
    return ctypes.c_int64(count)


def not_finite(column: str, value: float, row: int | None = None) -> InputError:
    """What to raise for a number that must not get in."""
    return InputError("expected a finite number", line=row, column=column, value=value)


def overflow(row: int | None = None) -> InputError:
    """What to raise where finite numbers gave a NaN."""
    return InputError("a value is beyond the range of float64; expected smaller amounts", line=row)


def require_numbers(status: int, columns: list[Columns], values: Floats) -> None:
    """Raise InputError for what the library refused: names the column, the row and the value."""
    if status == DONE:
        return
    for error in (error for part in columns for error in part.not_finite()):
        raise error
    raise overflow(int(np.isnan(values).any(axis=-1).argmax()) if values.size else 0)


def require(status: int, columns: dict[str, NDArray[Any]]) -> None:
    """Raise InputError for what the library refused of named columns [..., n]."""
    if status == DONE:
        return
    for name, column in columns.items():
        bad = np.argwhere(~np.isfinite(column))
        if len(bad):
            raise not_finite(name, float(column[tuple(bad[0])]), int(bad[0, -1]))
    raise overflow()

"""Every backend that runs on this machine: NumPy, the native kernels once for each instruction set, and
those of CUDA on the host, where there is a compiler.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from host_cupy import Fetched
from host_kernels import has_compiler

from shockgrid.backends import Backend, NativeBackend, NumpyBackend, Series
from shockgrid.backends._native_library import instruction_sets
from shockgrid.errors import BackendUnavailable

#: Set where a compiler is, so that a library that was not built is an error and not a skip.
REQUIRED = "SHOCKGRID_REQUIRE_NATIVE"


def native_sets() -> tuple[str, ...]:
    """Names of the instruction sets, the fastest first; none without a native library."""
    try:
        return instruction_sets()
    except BackendUnavailable:
        return ()


def required_sets() -> tuple[str, ...]:
    """The same for a test module that is about them: it is skipped, or fails, where there are none."""
    sets = native_sets()
    if not sets:
        message = "no native library: shockgrid was installed without a C++ compiler"
        if os.environ.get(REQUIRED):
            pytest.fail(message, pytrace=False)
        pytest.skip(message, allow_module_level=True)
    return sets


def option_rows(count: int, **columns: Any) -> Series:
    """European calls and puts in turn, 100 at 100 for a year at 20 % unless said."""
    given = {"spots": 100.0, "slopes": 1.0, "intercepts": 0.0, "strikes": 100.0, "years": 1.0, "vols": 0.2}
    numbers = {
        name: np.broadcast_to(np.asarray(value, np.float64), count)
        for name, value in {**given, "discount_factors": 1.0, **columns}.items()
    }
    flags = {"is_option": np.ones(count, np.bool_), "is_call": np.arange(count) % 2 == 0}
    zeros, none = np.zeros(count), np.empty((count, 0))
    unused = {"units": np.ones(count), "rates": zeros, "yields": zeros, "ex_years": none, "ex_cash": none}
    no = np.zeros(count, np.bool_)
    return Series(**numbers, **flags, **unused, is_american=no, inverse=no)


#: name -> what makes such a backend; takes ``tile_elements`` and ``block_elements``
DOUBLE: dict[str, Callable[..., Any]] = {
    "numpy": NumpyBackend,
    **{f"native {name}": partial(NativeBackend, name) for name in native_sets()},
    **({"cupy on the host": Fetched} if has_compiler() else {}),
}
#: the same that screen worst losses in float32, of those that can
MIXED = {
    f"{name} mixed": partial(make, precision="mixed") for name, make in DOUBLE.items() if name != "numpy"
}
MAKERS = DOUBLE | MIXED
BACKENDS: dict[str, Backend] = {name: make() for name, make in DOUBLE.items()}

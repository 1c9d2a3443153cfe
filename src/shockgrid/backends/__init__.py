"""Where the numbers are computed: a backend is a value passed as an argument."""

from __future__ import annotations

from shockgrid.backends._native import NativeBackend
from shockgrid.backends._numpy import NumpyBackend
from shockgrid.backends.contract import Backend, Series
from shockgrid.backends.precisions import DOUBLE, MIXED, SUFFIX, require_precision
from shockgrid.doors import refused
from shockgrid.errors import BackendUnavailable, InputError

__all__ = ["Backend", "NativeBackend", "NumpyBackend", "Series", "get_backend"]

CHOICES = ("auto", "numpy", "native", "cupy")
VERBS = ("name", "put", "get", "price", "risk_arrays")  #: some of those that every backend has


def get_backend(name: str | Backend = "auto", precision: str = DOUBLE) -> Backend:
    """The backend of that name, or the object itself if it is already one.

    ``auto`` takes the fastest backend that runs here: ``cupy`` where CuPy is installed and a CUDA device
    answers, else ``native``, or ``numpy`` where shockgrid was installed without a C++ compiler or the
    processor has no fused multiply-add. A result names the one that ran.

    Parameters
    ----------
    precision : ``double``, or ``mixed`` for a device with few float64 units: worst losses are looked for in
        float32, with a bound of the error, and every scenario that may be the worst is priced again in
        float64. Each figure and each scenario is that of ``double``, to the byte. Such a backend is named
        ``native-mixed`` or ``cupy-mixed``; these names, and ``auto-mixed``, are taken here as well.
        Screened are European options; American options, futures and stocks are priced in float64.

    Raises
    ------
    BackendUnavailable : the backend exists in name but cannot run here.
    InputError : no backend or no precision has that name; NumPy is asked for ``mixed``; a backend that is
        given computes in double, or is none.
    """
    require_precision(precision)
    expected = f"one of {', '.join(CHOICES)}, or a Backend"
    if isinstance(name, str):
        plain = name.removesuffix(SUFFIX)
        if plain not in CHOICES:
            raise refused(expected, "backend", name)
        asked = precision if plain == name else MIXED
        return _fastest(asked) if plain == "auto" else _made(plain, asked)
    if isinstance(name, type) or not all(hasattr(name, verb) for verb in VERBS):
        raise refused(expected, "backend", name)
    if precision == MIXED and not name.name.endswith(SUFFIX):
        problem = f"the backend that is given, {name.name}, was made for {DOUBLE}"
        raise InputError(problem, column="precision", value=precision)
    return name


def _made(name: str, precision: str) -> Backend:
    if name == "numpy":
        if precision == MIXED:
            problem = (
                "numpy computes in float64 alone, it has no kernels that screen; use auto, native or cupy"
            )
            raise InputError(problem, column="precision", value=precision)
        return NumpyBackend()
    if name == "native":
        return NativeBackend(precision=precision)
    from shockgrid.backends._cupy_devices import cupy_backend

    return cupy_backend(precision)


def _fastest(precision: str) -> Backend:
    for name in ("cupy", "native"):
        try:
            return _made(name, precision)
        except BackendUnavailable:
            continue
    if precision == MIXED:
        problem = "precision 'mixed' needs a CUDA device or the native library; neither answers: use 'double'"
        raise BackendUnavailable(problem)
    return NumpyBackend()

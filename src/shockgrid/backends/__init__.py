"""Where the numbers are computed: a backend is a value passed as an argument."""

from __future__ import annotations

from shockgrid.backends._native import NativeBackend
from shockgrid.backends._numpy import NumpyBackend
from shockgrid.backends.contract import Backend, Series
from shockgrid.doors import refused
from shockgrid.errors import BackendUnavailable

__all__ = ["Backend", "NativeBackend", "NumpyBackend", "Series", "get_backend"]

CHOICES = ("auto", "numpy", "native", "cupy")
VERBS = ("name", "put", "get", "price", "risk_arrays")  #: some of those that every backend has


def get_backend(name: str | Backend = "auto") -> Backend:
    """The backend of that name, or the object itself if it is already one.

    ``auto`` takes the fastest backend that runs here: ``cupy`` where CuPy is installed and a CUDA device
    answers, else ``native``, or ``numpy`` where shockgrid was installed without a C++ compiler or the
    processor has no fused multiply-add. A result names the one that ran.

    Raises
    ------
    BackendUnavailable : the backend exists in name but cannot run here.
    InputError : no backend has that name, or it is none.
    """
    if isinstance(name, str) and name in CHOICES:
        return _fastest() if name == "auto" else _made(name)
    if isinstance(name, str | type) or not all(hasattr(name, verb) for verb in VERBS):
        expected = f"one of {', '.join(CHOICES)}, or a Backend"
        raise refused(expected, "backend", name)
    return name


def _made(name: str) -> Backend:
    if name == "numpy":
        return NumpyBackend()
    if name == "native":
        return NativeBackend()
    from shockgrid.backends._cupy_devices import cupy_backend

    return cupy_backend()


def _fastest() -> Backend:
    for name in ("cupy", "native"):
        try:
            return _made(name)
        except BackendUnavailable:
            continue
    return NumpyBackend()

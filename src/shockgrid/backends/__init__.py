"""Where the numbers are computed: a backend is a value passed as an argument."""

from __future__ import annotations

from shockgrid.backends._native import NativeBackend
from shockgrid.backends._numpy import NumpyBackend
from shockgrid.backends.contract import Backend, Series
from shockgrid.errors import BackendUnavailable, InputError

__all__ = ["Backend", "NativeBackend", "NumpyBackend", "Series", "get_backend"]

CHOICES = ("auto", "numpy", "native", "cupy")


def get_backend(name: str | Backend = "auto") -> Backend:
    """The backend of that name, or the object itself if it is already one.

    ``auto`` takes the fastest backend that runs here: ``cupy`` where CuPy is installed and a CUDA device
    answers, else ``native``, or ``numpy`` where shockgrid was installed without a C++ compiler or the
    processor has no fused multiply-add. A result names the one that ran.

    Raises
    ------
    BackendUnavailable : the backend exists in name but cannot run here.
    InputError : no backend has that name.
    """
    if not isinstance(name, str):
        return name
    if name == "auto":
        return _fastest()
    if name not in CHOICES:
        problem = f"backend must be one of {', '.join(CHOICES)}, or a Backend"
        raise InputError(problem, value=name)
    return _made(name)


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

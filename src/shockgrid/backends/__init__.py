"""Where the numbers are computed: a backend is a value passed as an argument."""

from __future__ import annotations

from shockgrid.backends._numpy import NumpyBackend
from shockgrid.backends.contract import Backend, Series
from shockgrid.errors import BackendUnavailable, InputError

__all__ = ["Backend", "NumpyBackend", "Series", "get_backend"]

CHOICES = ("auto", "numpy", "native", "cupy")


def get_backend(name: str | Backend = "auto") -> Backend:
    """The backend of that name, or the object itself if it is already one.

    ``auto`` takes the fastest backend that runs here; this version has ``numpy`` only.

    Raises
    ------
    BackendUnavailable : the backend exists in name but cannot run here.
    InputError : no backend has that name.
    """
    if not isinstance(name, str):
        return name
    if name in ("auto", "numpy"):
        return NumpyBackend()
    if name in CHOICES:
        problem = f"the {name} backend is not part of this version; use 'numpy' or 'auto'"
        raise BackendUnavailable(problem)
    problem = f"backend must be one of {', '.join(CHOICES)}, or a Backend"
    raise InputError(problem, value=name)

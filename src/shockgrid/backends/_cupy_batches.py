"""What the device has no memory for: smaller batches, in the end the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from shockgrid.arrays import Floats
from shockgrid.backends._cupy_device import Device
from shockgrid.backends._native import NativeBackend
from shockgrid.backends._native_grid_read import NativeReader
from shockgrid.backends._native_grids import NativeSolver
from shockgrid.backends._native_library import Library
from shockgrid.backends._native_premium import NativeBuilder
from shockgrid.backends._numpy import NumpyBackend
from shockgrid.backends._numpy_grid_read import read_lanes
from shockgrid.backends._numpy_grid_solve import solve
from shockgrid.backends._numpy_grids import Reader, Solver
from shockgrid.backends._numpy_premium import build
from shockgrid.backends._numpy_store import Builder
from shockgrid.backends.contract import Backend
from shockgrid.errors import BackendUnavailable

FEWEST = 32  #: rows of a batch that is not halved any more

#: Computes rows start .. stop of some work.
Work: TypeAlias = Callable[[int, int], None]
#: What the host computed of an array, and where it stands.
HostParts: TypeAlias = list[tuple[tuple[slice, ...], Floats]]


class Batches:
    """Cuts work into batches, and keeps note of what the host had to compute."""

    def __init__(self, device: Device, host: str) -> None:
        self._device, self._host = device, host
        self.notes: list[str] = []

    def run(self, count: int, first: int, on_device: Work, on_host: Work, what: str) -> None:
        """Work on rows 0 .. count, ``first`` at a time; half as many where the device has no memory left."""
        start, size = 0, first
        while start < count:
            stop = min(start + size, count)
            try:
                on_device(start, stop)
            except MemoryError:
                with self._device.turn():
                    self._device.pool.free_all_blocks()
                if stop - start > FEWEST:
                    size = max(FEWEST, (stop - start) // 2)
                    continue
                self.note(what)
                on_host(start, stop)
            start = stop

    def joined(self, array: Any, host_parts: HostParts) -> Any:
        """The array; where the host computed some of it, all of it as a NumPy array."""
        if not host_parts:
            return array
        found = self._device.get(array)
        for place, values in host_parts:
            found[place] = values
        return found

    def note(self, what: str) -> None:
        """Say that the host computed some of this."""
        self.notes.append(f"the CUDA device had no memory left for some {what}: {self._host} computed those")


class HostMeans(NamedTuple):
    """What computes where the device cannot."""

    backend: Backend
    builder: Builder  #: of premium tables
    solver: Solver  #: of grids
    reader: Reader  #: of grids


def on_host() -> HostMeans:
    """The native kernels where they are installed, else NumPy."""
    try:
        library = Library()
    except BackendUnavailable:
        return HostMeans(NumpyBackend(), build, solve, read_lanes)
    return HostMeans(NativeBackend(), NativeBuilder(library), NativeSolver(library), NativeReader(library))

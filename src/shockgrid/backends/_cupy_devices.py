"""Several CUDA devices: each thread of the caller keeps to one of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from threading import local
from types import ModuleType
from typing import Any

from numpy.typing import ArrayLike, NDArray

from shockgrid.arrays import Floats
from shockgrid.backends._cupy import CupyBackend
from shockgrid.backends._cupy_device import device_count
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Backend, Series
from shockgrid.backends.precisions import DOUBLE, named
from shockgrid.states import States


def cupy_backend(precision: str = DOUBLE) -> Backend:
    """The backend of all CUDA devices. Raises BackendUnavailable where none answers."""
    found = device_count()
    return CupyDevices(found, precision) if found > 1 else CupyBackend(precision=precision)


class CupyDevices:
    """A ``CupyBackend`` for each of ``devices`` CUDA devices.

    Threads take devices in turn when they first call, and keep them: ``margin(..., threads=n)`` then uses n
    devices, a single thread one. Devices of one kind give the same bytes, so which of them ran changes none.
    """

    def __init__(self, devices: int, precision: str = DOUBLE) -> None:
        self._backends = [CupyBackend(number, precision=precision) for number in range(devices)]
        self._turns, self._thread = count(), local()
        self.name = named("cupy", precision)
        self.xp: ModuleType = self._backends[0].xp

    def _own(self) -> CupyBackend:
        if not hasattr(self._thread, "backend"):
            self._thread.backend = self._backends[next(self._turns) % len(self._backends)]
        own: CupyBackend = self._thread.backend
        return own

    @property
    def notes(self) -> list[str]:
        """See ``CupyBackend.notes``; of all devices."""
        return [note for backend in self._backends for note in backend.notes]

    def put(self, array: ArrayLike) -> Any:
        """To the thread's device; see ``CupyBackend.put``."""
        return self._own().put(array)

    def get(self, array: Any) -> NDArray[Any]:
        """From whichever device the array lies on; see ``CupyBackend.get``."""
        if not isinstance(array, self.xp.ndarray):
            return self._own().get(array)
        number: int = array.device.id
        return self._backends[number].get(array)

    def prepare(self, sections: Sequence[tuple[Series, States]]) -> None:
        """On the thread's device; see ``CupyBackend.prepare``."""
        self._own().prepare(sections)

    def price(self, series: Series, states: States) -> Any:
        """On the thread's device; see ``CupyBackend.price``."""
        return self._own().price(series, states)

    def black(
        self, forwards: Any, strikes: Any, years: Any, vols: Any, discount_factors: Any, is_call: Any
    ) -> Any:
        """On the thread's device; see ``CupyBackend.black``."""
        return self._own().black(forwards, strikes, years, vols, discount_factors, is_call)

    def implied_vol(
        self, prices: Any, forwards: Any, strikes: Any, years: Any, discount_factors: Any, is_call: Any
    ) -> tuple[Any, Any]:
        """See ``CupyBackend.implied_vol``."""
        return self._own().implied_vol(prices, forwards, strikes, years, discount_factors, is_call)

    def implied(self, series: Series, prices: Floats) -> tuple[Any, Any]:
        """See ``CupyBackend.implied``."""
        return self._own().implied(series, prices)

    def risk_arrays(self, sections: Sequence[tuple[Series, States]], weights: Any) -> Any:
        """On the thread's device; see ``CupyBackend.risk_arrays``."""
        return self._own().risk_arrays(sections, weights)

    def worst(self, batch: Batch, reduced: int, units: bool = False) -> Worst:
        """On the thread's device; see ``CupyBackend.worst``."""
        return self._own().worst(batch, reduced, units)

    def free_bytes(self) -> int:
        """Of the device that has least, in bytes."""
        return min(backend.free_bytes() for backend in self._backends)

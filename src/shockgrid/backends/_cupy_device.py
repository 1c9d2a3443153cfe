"""One CUDA device: its streams, its memory, its kernels, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shockgrid.backends._cupy_source import OPTIONS, joined
from shockgrid.backends._cupy_upload import Slot, Upload
from shockgrid.errors import BackendUnavailable

#: After these the process cannot use CUDA any more (CUDA Runtime API, cudaError: "leaves the process in an
#: inconsistent state"): uncorrectable memory, illegal address, timeout, failed assert, stack, illegal
#: instruction, misaligned address, address space, program counter, launch failure, NVLink.
STICKY = (214, 220, 700, 702, 710, 714, 715, 716, 717, 718, 719)
OUT_OF_MEMORY = 2  #: cudaErrorMemoryAllocation; a launch may need memory too, for the threads' own arrays
INSTALL = "pip install 'shockgrid[cuda12]' (CUDA 12) or 'shockgrid[cuda13]' (CUDA 13), or use 'auto'"
BLOCKS_PER_MULTIPROCESSOR = 32  #: of a launch at most; the kernels walk on from there

#: Why this process can use CUDA no more: CUDA keeps that for the process, not for a device or a backend.
_lost: list[str] = []


@contextmanager
def guarded(cupy: Any) -> Iterator[None]:
    """Around calls of CUDA: none is made once the process has lost it.

    Raises MemoryError where the device has no memory left, BackendUnavailable where CUDA is lost.
    """
    if _lost:
        raise BackendUnavailable(_lost[0])
    try:
        yield
    except (cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError) as error:
        status = int(error.status)
        if status == OUT_OF_MEMORY:
            problem = f"the CUDA device has no memory left: {error}"
            raise MemoryError(problem) from error
        if status not in STICKY:
            raise
        _lost.append(
            f"the CUDA device failed ({error}); what it held is lost, and this process can use CUDA no more: "
            "start a new process, or go on with backend='native' or 'numpy'"
        )
        raise BackendUnavailable(_lost[0]) from error


def cupy_module() -> Any:
    """CuPy. Raises BackendUnavailable where it is not installed or cannot be imported."""
    if find_spec("cupy") is None:
        problem = f"CuPy is not installed: {INSTALL}"
        raise BackendUnavailable(problem)
    try:
        return import_module("cupy")
    except (ImportError, OSError) as error:
        problem = f"CuPy cannot be imported ({error}): {INSTALL}"
        raise BackendUnavailable(problem) from error


def device_count() -> int:
    """CUDA devices of this machine. Raises BackendUnavailable where none answers."""
    cupy = cupy_module()
    try:
        with guarded(cupy):
            return int(cupy.cuda.runtime.getDeviceCount())
    except (cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError) as error:
        problem = f"no CUDA device answers ({error}): a GPU and its driver are needed, or use 'auto'"
        raise BackendUnavailable(problem) from error


class Device:
    """Kernels, streams and memory of one device; made by ``device_of``.

    One stream computes, another copies what is uploaded. Threads take turns to enqueue (``turn``), so that
    all results are in order; nothing waits for the device but ``get``.

    Raises
    ------
    BackendUnavailable : no device of that number answers; says why.
    """

    def __init__(self, number: int) -> None:
        self.cupy, self.number = cupy_module(), number
        cuda, found = self.cupy.cuda, device_count()
        if not 0 <= number < found:
            problem = f"there is no CUDA device {number}: {found} were found"
            raise BackendUnavailable(problem)
        with guarded(self.cupy), self.current():
            self.pool = cuda.MemoryPool()
            self.stream = cuda.Stream(non_blocking=True)
            self.copies = cuda.Stream(non_blocking=True)
            self._slots = [Slot(self.cupy), Slot(self.cupy)]
            attributes = self.current().attributes
        self.multiprocessors = int(attributes["MultiProcessorCount"])
        self.cache_bytes = int(attributes["L2CacheSize"])
        self._turn = RLock()
        self._modules: dict[str, Any] = {}

    def current(self) -> Any:
        """What makes this the device of a thread, in ``with``; it remembers the one before, so a new one."""
        return self.cupy.cuda.Device(self.number)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Around what one thread enqueues; arrays made inside come from the device's own pool."""
        allocator = self.cupy.cuda.using_allocator(self.pool.malloc)
        with self._turn, guarded(self.cupy), self.current(), self.stream, allocator:
            yield

    def upload(self, upload: Upload) -> Any:
        """Enqueue a copy of the upload's arrays, and return the device memory that will hold them.

        Two buffers take turns: while the one is copied, the next upload fills the other.
        """
        block = self.cupy.empty(upload.size, np.uint8)
        if upload.size:
            slot = self._slots[0]
            self._slots.reverse()
            slot.send(upload, block, self.copies, self.stream)
        return block

    def launch(self, module: str, kernel: str, blocks: int, threads: int, *words: Any) -> None:
        """Enqueue ``kernel`` of ``module``.cu; words are counts, addresses or arrays of the device."""
        if blocks == 0:
            return
        most = self.multiprocessors * BLOCKS_PER_MULTIPROCESSOR
        given = [word if hasattr(word, "dtype") and word.ndim else np.uint64(int(word)) for word in words]
        self._kernel(module, kernel)((min(blocks, most),), (threads,), tuple(given))

    def _kernel(self, module: str, kernel: str) -> Any:
        if module not in self._modules:
            self._modules[module] = self.cupy.RawModule(code=joined(module), options=OPTIONS)
        return self._modules[module].get_function(kernel)

    def put(self, array: NDArray[Any]) -> Any:
        """Enqueue a copy of one array, and return it as an array of the device."""
        upload = Upload()
        upload.add(array)
        block = self.upload(upload)[: array.nbytes]
        return block.view(array.dtype).reshape(array.shape)

    def get(self, array: Any) -> NDArray[Any]:
        """The array on the host, when all that was enqueued before is done; its layout in memory is kept."""
        with guarded(self.cupy), self.current(), self.stream:
            return np.asarray(self.cupy.asnumpy(array, stream=self.stream, order="A"))

    def free_bytes(self) -> int:
        """Device memory that may be taken now: what is free, and what the pool keeps unused."""
        device = self.current()
        with guarded(self.cupy), device:
            return int(device.mem_info[0]) + int(self.pool.free_bytes())


@cache
def device_of(number: int) -> Device:
    """The device of that number, set up once in a process."""
    return Device(number)

"""A stand-in for CuPy on a machine without a GPU, for what ``CupyBackend`` uses of it and nothing else.

Device arrays are memory of the host that only kernels and copies may touch: NumPy cannot see into them.
Kernels are the real texts, compiled with g++ (``host_kernels``). A stream is a list of work that is done as
late as can be, when the host waits for it, or, a stream of copies, as early as can be; freed memory is handed
out again at once. So a missing event, or a buffer overwritten too early, gives wrong numbers every time.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from threading import local
from types import ModuleType, SimpleNamespace
from typing import Any

import host_kernels
import numpy as np
from host_memory import (
    Array,
    CompileException,
    CUDADriverError,
    CUDARuntimeError,
    Event,
    Memory,
    Pool,
    Stream,
    Unpooled,
    World,
)

from shockgrid.backends._cupy import CupyBackend
from shockgrid.backends._cupy_device import device_of


class Cupy(ModuleType):
    """The module: install it as ``sys.modules["cupy"]``."""

    ndarray = Array

    def __init__(self, world: World) -> None:
        super().__init__("cupy")
        self.__spec__ = ModuleSpec("cupy", None)
        self.world, self._current = world, local()

        def stream(*, non_blocking: bool) -> Stream:
            assert non_blocking
            world.streams.append(Stream(world, self._current))
            world.streams[-1].early = world.copies_early and len(world.streams) == 2
            return world.streams[-1]

        runtime = SimpleNamespace(getDeviceCount=self._count, CUDARuntimeError=CUDARuntimeError)
        self.cuda = SimpleNamespace(
            runtime=runtime,
            driver=SimpleNamespace(CUDADriverError=CUDADriverError),
            compiler=SimpleNamespace(CompileException=CompileException),
            Device=self._device,
            MemoryPool=lambda: Pool(world),
            Memory=lambda size: Memory(Unpooled(world), size),
            MemoryPointer=lambda memory, offset: memory,
            Stream=stream,
            Event=lambda *, disable_timing: Event(world),
            using_allocator=self._using,
            alloc_pinned_memory=lambda size: bytearray(size),
        )

    def _count(self) -> int:
        self.world.call("getDeviceCount")
        if not self.world.devices:
            raise CUDARuntimeError(100)  # cudaErrorNoDevice
        return self.world.devices

    @contextmanager
    def _current_device(self, number: int) -> Iterator[None]:
        before = getattr(self._current, "device", None)
        self._current.device = number
        try:
            yield
        finally:
            self._current.device = before

    def _device(self, number: int) -> Any:
        cupy = self

        class Device:
            attributes = {"MultiProcessorCount": 2, "L2CacheSize": 1 << 20}  # noqa: RUF012

            def __enter__(self) -> None:
                cupy.world.call("setDevice")
                self.entered = [*getattr(self, "entered", []), cupy._current_device(number)]
                self.entered[-1].__enter__()

            def __exit__(self, *_: object) -> None:
                self.entered.pop().__exit__(None, None, None)

            @property
            def mem_info(self) -> tuple[int, int]:
                cupy.world.call("memGetInfo")
                return cupy.world.memory - cupy.world.used, cupy.world.memory

        assert 0 <= number < self.world.devices
        return Device()

    @contextmanager
    def _using(self, allocator: Callable[[int], Memory]) -> Iterator[None]:
        before = getattr(self._current, "allocator", None)
        self._current.allocator = allocator
        try:
            yield
        finally:
            self._current.allocator = before

    def enqueue(self, work: Callable[[], object]) -> None:
        """Add work to the current stream."""
        assert self._current.streams, "this would run on the default stream"
        assert self._current.device is not None, "no device is current"
        self._current.streams[-1].add(work)

    def empty(self, shape: Any, dtype: Any = np.float64) -> Array:
        size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize
        assert self._current.allocator is not None, "this would come from the default pool"
        memory = self._current.allocator(size)
        host = memory.bytes[:size].view(dtype).reshape(shape)
        self.enqueue(lambda: host.reshape(-1).view(np.uint8).fill(0xFF))
        return Array(self, host, memory, self._current.device)

    def broadcast_to(self, array: Array, shape: Any) -> Array:
        return Array(self, np.broadcast_to(array.host, shape), array.memory, array.device.id)

    def ascontiguousarray(self, array: Array, dtype: Any) -> Array:
        if array.host.flags.c_contiguous and array.dtype == dtype:
            return array
        copy = self.empty(array.shape, dtype)
        copy[...] = array
        return copy

    def asnumpy(self, array: Array, *, stream: Stream, order: str) -> np.ndarray[Any, Any]:
        self.world.call("asnumpy")
        assert self._current.streams[-1] is stream, "a copy on the way would run elsewhere"
        self.world.fetched.append(array.shape)
        stream.run(len(stream.work))
        return np.array(array.host, order=order)

    def RawModule(self, *, code: str, options: tuple[str, ...]) -> Any:
        assert "--fmad=false" in options
        assert "#include" not in code, "CuPy's cache would not see it"
        if self.world.without_compiler:
            message = "libnvrtc.so: cannot open shared object file"
            raise CompileException(message)
        kernels = host_kernels.library(code, *self.world.flags)
        return SimpleNamespace(get_function=lambda name: lambda *given: self._launch(kernels, name, *given))

    def _launch(self, kernels: Any, name: str, grid: Any, block: Any, given: Any) -> None:
        self.world.call("launch")
        self.world.launched.append(name)
        assert 0 < grid[0] < 2**31
        assert 0 < block[0] <= 1024
        if self.world.failing_launch:
            status, self.world.failing_launch = self.world.failing_launch, 0
            self.world.status = status if status >= 700 else 0
            raise CUDADriverError(status)
        words = []
        for word in given:
            assert word.dtype.itemsize == 8 or word.ndim, "a parameter that is not 8 bytes"
            assert not word.ndim or word.host.flags.c_contiguous, "kernels know no strides"
            words.append(word.data.ptr if word.ndim else int(word))
        threads, blocks = min(block[0], self.world.threads), min(grid[0], self.world.most_blocks)
        self.enqueue(lambda: host_kernels.launch(kernels, name, blocks, threads, words))


@contextmanager
def installed(world: World) -> Iterator[None]:
    """This machine is the one that ``import cupy`` finds."""
    before = sys.modules.get("cupy")
    sys.modules["cupy"] = Cupy(world)
    device_of.cache_clear()
    try:
        yield
    finally:
        device_of.cache_clear()
        del sys.modules["cupy"]
        if before is not None:
            sys.modules["cupy"] = before


def backend(world: World | None = None, **options: Any) -> CupyBackend:
    """A backend on a machine of its own."""
    with installed(world or World()):
        return CupyBackend(**options)


class Fetched:
    """A backend with its results on the host, for tests that compute with what they get."""

    def __init__(self, *, threads: int = 2, **options: Any) -> None:
        self._own = backend(World(threads=threads), **options)
        self.name, self.xp = self._own.name, np

    def put(self, array: Any) -> Any:
        return array

    def get(self, array: Any) -> Any:
        return array

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._own, name)
        if not callable(verb):
            return verb

        def fetched(*given: Any) -> Any:
            found = verb(*given)
            if type(found) is tuple:
                return tuple(self._own.get(part) for part in found)
            return self._own.get(found) if isinstance(found, Array) else found

        return fetched

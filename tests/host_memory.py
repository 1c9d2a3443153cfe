"""Device memory, streams and arrays of the stand-in for CuPy; see ``host_cupy``."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from threading import RLock, local
from types import SimpleNamespace
from typing import Any
from weakref import finalize

import numpy as np

GRAIN = 512  #: bytes; CuPy's pool hands out multiples of it


class CUDARuntimeError(RuntimeError):
    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"cudaError{status}")


class CUDADriverError(CUDARuntimeError):
    pass


class CompileException(Exception):
    pass


class OutOfMemoryError(MemoryError):
    pass


@dataclass
class World:
    """One pretended machine, and what is to go wrong on it."""

    devices: int = 1
    threads: int = 1  #: of every block
    most_blocks: int = 3
    copies_early: bool = False
    memory: int = 1 << 32  #: bytes of the device
    failing_allocations: int = 0  #: this many of the next fail
    failing_launch: int = 0  #: the status that the next launch fails with
    without_compiler: bool = False
    flags: tuple[str, ...] = ()
    used: int = 0
    status: int = 0  #: of a failure that ended CUDA for the process
    calls_after: list[str] = field(default_factory=list)
    launched: list[str] = field(default_factory=list)
    fetched: list[tuple[int, ...]] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    lock: Any = field(default_factory=RLock)

    def finish(self) -> None:
        """Wait for the device, as cudaFree does."""
        for stream in self.streams:
            stream.run(len(stream.work))

    def call(self, name: str) -> None:
        """Every function of CUDA begins with this."""
        if self.status:
            self.calls_after.append(name)
            raise CUDARuntimeError(self.status)


class Stream:
    def __init__(self, world: World, current: local) -> None:
        self.world, self.current = world, current
        self.work: list[Callable[[], object]] = []
        self.done = 0
        self.early = False

    def add(self, work: Callable[[], object]) -> None:
        with self.world.lock:
            self.work.append(work)
            if self.early:
                self.run(len(self.work))

    def run(self, until: int) -> None:
        with self.world.lock:
            self._run(until)

    def _run(self, until: int) -> None:
        while self.done < until:
            work, self.work[self.done] = self.work[self.done], _nothing
            self.done += 1
            work()

    def wait_event(self, event: Event) -> None:
        self.world.call("wait_event")
        stream, place = event.stream, event.place
        if stream is not None:
            self.add(lambda: stream.run(place))

    def __enter__(self) -> Stream:
        self.current.streams = [*getattr(self.current, "streams", []), self]
        return self

    def __exit__(self, *_: object) -> None:
        self.current.streams = self.current.streams[:-1]


def _nothing() -> None:
    """What is left of work that is done."""


class Event:
    def __init__(self, world: World) -> None:
        self.world = world
        self.stream: Stream | None = None
        self.place = 0

    def record(self, stream: Stream) -> None:
        self.world.call("record")
        self.stream, self.place = stream, len(stream.work)

    def synchronize(self) -> None:
        self.world.call("synchronize")
        if self.stream is not None:
            self.stream.run(self.place)


class Memory:
    """A piece of device memory; given back to its pool when nothing holds it."""

    def __init__(self, pool: Pool, size: int) -> None:
        self.bytes = pool.taken(size)
        finalize(self, pool.take_back, self.bytes)


class Pool:
    def __init__(self, world: World) -> None:
        self.world = world
        self.free: dict[int, list[Any]] = {}

    def taken(self, size: int) -> Any:
        kept = self.free.get(size)
        if kept:
            return kept.pop()
        if self.world.used + size > self.world.memory:
            message = f"out of memory allocating {size} bytes"
            raise OutOfMemoryError(message)
        self.world.used += size
        return np.empty(size, np.uint8)

    def take_back(self, piece: Any) -> None:
        self.free.setdefault(len(piece), []).append(piece)

    def malloc(self, size: int) -> Memory:
        self.world.call("malloc")
        if self.world.failing_allocations:
            self.world.failing_allocations -= 1
            message = f"out of memory allocating {size} bytes"
            raise OutOfMemoryError(message)
        return Memory(self, -(-max(size, 1) // GRAIN) * GRAIN)

    def free_bytes(self) -> int:
        self.world.call("free_bytes")
        return sum(size * len(kept) for size, kept in self.free.items())

    def free_all_blocks(self) -> None:
        self.world.call("free_all_blocks")
        self.world.finish()
        self.world.used -= self.free_bytes()
        self.free.clear()


class Unpooled(Pool):
    """Memory that goes back to the device at once."""

    def take_back(self, piece: Any) -> None:
        self.world.finish()
        self.world.used -= len(piece)


class Pointer:
    def __init__(self, array: Array) -> None:
        self._array, self.ptr = array, array.host.ctypes.data

    def _copy(self, source: int, size: int, stream: Stream) -> None:
        assert size <= self._array.host.nbytes, "a copy beyond the end"
        stream.world.call("memcpy")
        stream.add(partial(ctypes.memmove, self.ptr, source, size))

    def copy_from_host_async(self, source: int, size: int, stream: Stream) -> None:
        self._copy(source, size, stream)

    def copy_from_device_async(self, source: Pointer, size: int, stream: Stream) -> None:
        self._copy(source.ptr, size, stream)


class Array:
    """``cupy.ndarray``: NumPy refuses it, as it does CuPy's."""

    def __init__(self, cupy: Any, host: np.ndarray[Any, Any], memory: Memory, device: int) -> None:
        self.cupy, self.host, self.memory, self.device = cupy, host, memory, SimpleNamespace(id=device)
        self.shape, self.dtype, self.size, self.nbytes = host.shape, host.dtype, host.size, host.nbytes
        self.ndim = host.ndim

    def __array__(self, *_: object, **__: object) -> None:
        message = "Implicit conversion to a NumPy array is not allowed"
        raise TypeError(message)

    def _like(self, host: np.ndarray[Any, Any]) -> Array:
        assert np.shares_memory(host, self.host) or not host.size, "this would copy on the device"
        return Array(self.cupy, host, self.memory, self.device.id)

    @property
    def T(self) -> Array:
        return self._like(self.host.T)

    @property
    def data(self) -> Pointer:
        return Pointer(self)

    def reshape(self, *shape: Any) -> Array:
        return self._like(self.host.reshape(*shape))

    def view(self, dtype: Any) -> Array:
        return self._like(self.host.view(dtype))

    def __len__(self) -> int:
        return len(self.host)

    def __getitem__(self, key: Any) -> Array:
        found = self.host[key]
        return self._like(found if isinstance(found, np.ndarray) else self.host[key : key + 1].reshape(()))

    def __setitem__(self, key: Any, value: Array) -> None:
        target, source = self.host[key], value.host
        self.cupy.enqueue(lambda: np.copyto(target, source, casting="unsafe"))

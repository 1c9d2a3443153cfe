"""Columns of the host packed into one block, and the buffers through which blocks reach the device."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 256  #: bytes; what cudaMalloc gives
FEWEST_BYTES = 1 << 16


class Upload:
    """Arrays that travel together. ``add`` gives each its place; addresses are known once it is uploaded."""

    def __init__(self) -> None:
        self._arrays: list[tuple[int, NDArray[Any]]] = []
        self._structures: list[tuple[int, NDArray[np.uint64], NDArray[np.bool_]]] = []
        self.size, self.address = 0, 0

    def add(self, array: NDArray[Any]) -> int:
        """Room for an array, and its offset."""
        own = np.ascontiguousarray(array)
        place, self.size = self.size, self.size + -(-own.nbytes // ALIGNMENT) * ALIGNMENT
        self._arrays.append((place, own))
        return place

    def add_structure(self, words: NDArray[np.uint64], is_offset: NDArray[np.bool_]) -> int:
        """Room for words of 8 bytes; those that are offsets in this upload become addresses of the device."""
        place = self.add(words)
        self._structures.append((place, words, is_offset))
        return place

    def at(self, offset: int) -> int:
        """The address of what has this offset."""
        return self.address + offset

    def write(self, to: NDArray[np.uint8], address: int) -> None:
        """Lay everything out in a buffer that will lie at that address of the device."""
        self.address = address
        for place, array in self._arrays:
            to[place : place + array.nbytes] = array.reshape(-1).view(np.uint8)
        for place, words, is_offset in self._structures:
            moved = np.where(is_offset, words + np.uint64(address), words)
            to[place : place + moved.nbytes] = moved.reshape(-1).view(np.uint8)


class Slot:
    """One of two pairs of buffers through which uploads go: pinned on the host, and on the device."""

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy
        self._pinned: Any = None
        self._bytes: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._device: Any = None
        self._copied = cupy.cuda.Event(disable_timing=True)
        self._used = cupy.cuda.Event(disable_timing=True)

    def send(self, upload: Upload, to: Any, copies: Any, stream: Any) -> None:
        """Enqueue the copy of an upload to ``to``, where it arrives in the order of ``stream``."""
        self._copied.synchronize()  # the last copy from here; no kernel holds it up
        if upload.size > len(self._bytes):
            self._grow(upload.size, stream)
        upload.write(self._bytes, to.data.ptr)
        copies.wait_event(self._used)
        self._device.data.copy_from_host_async(self._bytes.ctypes.data, upload.size, copies)
        self._copied.record(copies)
        stream.wait_event(self._copied)
        to.data.copy_from_device_async(self._device.data, upload.size, stream)
        self._used.record(stream)

    def _grow(self, size: int, stream: Any) -> None:
        room = max(FEWEST_BYTES, 1 << (size - 1).bit_length())
        self._bytes, self._device = np.empty(0, np.uint8), None
        self._device = self._cupy.empty(room, np.uint8)
        self._pinned = self._cupy.cuda.alloc_pinned_memory(room)
        self._bytes = np.frombuffer(self._pinned, np.uint8, room)
        self._used.record(stream)  # the pool may give memory that kernels enqueued before still read

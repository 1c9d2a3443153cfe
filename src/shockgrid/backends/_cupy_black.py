"""Discounted Black (1976) values of arrays of the device, elementwise under broadcasting."""

from __future__ import annotations

from typing import Any

import numpy as np

from shockgrid.backends._cupy_batches import Batches, HostParts
from shockgrid.backends._cupy_tile import Tiles

TYPES = (*[np.float64] * 5, np.bool_)


def black(tiles: Tiles, batches: Batches, host: Any, given: tuple[Any, ...], most: int) -> Any:
    """Values of six arrays, ``most`` at a time, cut along the longest axis of the broadcast."""
    device, xp = tiles.device, tiles.device.cupy
    with device.turn():
        operands = [
            array if isinstance(array, xp.ndarray) else device.put(np.asarray(array, dtype))
            for array, dtype in zip(given, TYPES, strict=True)
        ]
    wanted = np.broadcast_shapes(*(operand.shape for operand in operands))
    shape = wanted or (1,)
    axis = int(np.argmax(shape))
    with device.turn():
        values = xp.empty(shape)
        columns = [xp.broadcast_to(operand, shape) for operand in operands]
    host_parts: HostParts = []

    def part_of(start: int, stop: int) -> tuple[slice, ...]:
        return (*(slice(None),) * axis, slice(start, stop))

    def on_device(start: int, stop: int) -> None:
        part = part_of(start, stop)
        with device.turn():
            own = [
                xp.ascontiguousarray(column[part], dtype)
                for column, dtype in zip(columns, TYPES, strict=True)
            ]
            found = xp.empty(own[0].shape)
            tiles.black(own, found)
            values[part] = found

    def on_host(start: int, stop: int) -> None:
        part = part_of(start, stop)
        own = [np.broadcast_to(device.get(operand), shape)[part] for operand in operands]
        host_parts.append((part, host.black(*own)))

    rows = max(1, most * shape[axis] // max(1, int(np.prod(shape))))
    batches.run(shape[axis], rows, on_device, on_host, "values of options")
    return batches.joined(values, host_parts).reshape(wanted)

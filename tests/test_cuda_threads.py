"""Threads on the CUDA backend: sharing one device, and several devices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
from every_backend import required_sets
from host_cupy import World, backend, installed
from host_kernels import require_compiler
from scipy.sparse import csr_array
from test_numpy_american import drawn
from test_numpy_backend import grid, joint_list, random_series, same_bytes

from shockgrid.backends import NativeBackend, NumpyBackend, get_backend

require_compiler()
required_sets()

NATIVE = NativeBackend()


def test_threads_share_a_backend() -> None:
    own, plain = backend(tile_elements=200), NumpyBackend()
    parts = [(drawn(12, seed), grid(7, 3)) for seed in range(6)]
    weights = csr_array(np.eye(12))
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda part: own.get(own.risk_arrays([part], weights)), parts))
    for part, mine in zip(parts, found, strict=True):
        np.testing.assert_allclose(mine, plain.risk_arrays([part], weights), rtol=0, atol=1e-9)


def test_several_devices_take_a_thread_each() -> None:
    """Every thread keeps to its own device, and what it got there can be fetched from any thread."""
    with installed(World(devices=3)):
        own = get_backend("cupy")
    parts = [(random_series(12, seed), joint_list(50)) for seed in range(6)]
    weights, here = csr_array(np.eye(12)), Barrier(3)

    def work(number: int) -> Any:
        here.wait(timeout=60)
        return [own.risk_arrays([part], weights) for part in parts[2 * number : 2 * number + 2]]

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(work, range(3)))
    assert sorted(pair[0].device.id for pair in found) == [0, 1, 2]
    assert all(pair[0].device.id == pair[1].device.id for pair in found)
    for part, mine in zip(parts, (array for pair in found for array in pair), strict=True):
        assert same_bytes(own.get(mine), NATIVE.risk_arrays([part], weights))
    assert own.get(own.put(np.ones(2))).tolist() == [1.0, 1.0]

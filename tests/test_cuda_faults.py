"""The CUDA backend where things go wrong: no device, no memory, a failure that ends CUDA, missing order."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import host_memory
import numpy as np
import pytest
from every_backend import required_sets
from host_cupy import Cupy, World, backend, installed
from host_kernels import require_compiler
from scipy.sparse import csr_array
from test_native_grids import dividend_series
from test_numpy_american import drawn
from test_numpy_backend import grid, joint_list, random_series, same_bytes, sections_and_weights

from shockgrid.backends import NativeBackend, _cupy_device, get_backend
from shockgrid.errors import BackendUnavailable

require_compiler()
required_sets()

NATIVE = NativeBackend()
ILLEGAL_ADDRESS = 700


@pytest.fixture(autouse=True)
def _with_cuda_as_before() -> Iterator[None]:
    """What a test has lost stays lost in the process, so it is given back here."""
    yield
    _cupy_device._lost.clear()


def everything(own: Any) -> list[Any]:
    """Results of each verb that computes on the device."""
    sections, weights = sections_and_weights()
    verbs = [
        own.price(random_series(70), joint_list(90)),
        own.price(drawn(20, 3), grid(5, 3)),
        own.risk_arrays(sections, weights),
        *own.lowest(sections, weights),
        own.black(np.linspace(50.0, 150.0, 101), 100.0, 0.5, 0.3, 0.9, True),
        own.price(dividend_series(6), grid(3, 2)),
    ]
    return [np.ascontiguousarray(own.get(found)) for found in verbs]


@pytest.fixture(scope="module")
def undisturbed() -> list[Any]:
    return everything(backend())


def same(left: list[Any], right: list[Any]) -> bool:
    return all(same_bytes(a, b) for a, b in zip(left, right, strict=True))


def test_no_device_and_no_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    with installed(World(devices=0)):
        with pytest.raises(BackendUnavailable, match=r"no CUDA device answers \(cudaError100\)"):
            get_backend("cupy")
        assert get_backend("auto").name == "native"
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BackendUnavailable, match=r"CuPy is not installed: pip install 'shockgrid\[cuda12\]'"):
        get_backend("cupy")
    assert get_backend("auto").name == "native"


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ({"without_compiler": True}, r"cannot be compiled or run \(libnvrtc"),
        ({"failing_allocations": 10**9}, "does not work.*no memory left"),
        ({"failing_launch": 1}, r"cannot be compiled or run \(cudaError1\)"),
        ({"failing_launch": ILLEGAL_ADDRESS}, "can use CUDA no more"),
    ],
)
def test_a_device_that_does_not_work_is_not_taken(trouble: dict[str, Any], message: str) -> None:
    with installed(World(**trouble)), pytest.raises(BackendUnavailable, match=message):
        get_backend("cupy")
    with installed(World(**trouble)):
        assert get_backend("auto").name == "native"


def test_auto_takes_a_device_that_answers() -> None:
    with installed(World()):
        assert get_backend("auto").name == get_backend("cupy").name == "cupy"
    with installed(World()), pytest.raises(BackendUnavailable, match="no CUDA device 1: 1 were found"):
        _cupy_device.device_of(1)


def test_results_stay_on_the_device_until_they_are_fetched() -> None:
    world = World()
    own = backend(world)
    before = len(world.fetched)
    sections, weights = sections_and_weights()
    found = [own.price(*sections[0]), own.risk_arrays(sections, weights), *own.lowest(sections, weights)]
    assert all(isinstance(array, own.xp.ndarray) for array in found)
    assert len(world.fetched) == before, "nothing waits for the device in between"
    assert own.put(found[0]) is found[0]
    assert own.get(own.put(np.arange(3))).tolist() == [0, 1, 2]
    columns = [own.put(np.float32(number)) for number in (100.0, 90.0, 1.0, 0.25, 1.0)]
    assert own.get(own.black(*columns, own.put(np.int8(1)))) == NATIVE.black(
        100.0, 90.0, 1.0, 0.25, 1.0, True
    )


@pytest.mark.parametrize("early", [False, True])
def test_results_do_not_depend_on_when_work_is_done(early: bool, undisturbed: list[Any]) -> None:
    assert same(everything(backend(World(copies_early=early), tile_elements=500)), undisturbed)


@pytest.mark.parametrize("early", [False, True])
def test_the_stand_in_sees_an_event_that_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, early: bool
) -> None:
    """Kernels that do not wait for a copy, and copies that do not wait for kernels, spoil the numbers."""
    monkeypatch.setattr(host_memory.Stream, "wait_event", lambda self, event: None)
    with pytest.raises(BackendUnavailable, match="does not work"):
        backend(World(copies_early=early))


def test_the_stand_in_sees_a_buffer_that_is_overwritten_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host does not wait until the last copy from a pinned buffer is done."""
    own = backend()
    series = [random_series(70, seed) for seed in range(5)]
    expected = [own.get(own.price(part, joint_list(90))) for part in series]
    monkeypatch.setattr(host_memory.Event, "synchronize", lambda self: None)
    found = [own.price(part, joint_list(90)) for part in series]
    assert not same_bytes(own.get(found[0]), expected[0])


@pytest.mark.parametrize("failing", [1, 2, 5])
def test_out_of_memory_for_a_moment(failing: int, undisturbed: list[Any]) -> None:
    """Batches are halved; where one is small already, or the result has no room, the host computes."""
    world = World()
    own = backend(world)
    for place in range(3):
        world.failing_allocations = failing
        sections, weights = sections_and_weights()
        found = own.risk_arrays(sections, weights)
        assert same_bytes(np.ascontiguousarray(own.get(found)), undisturbed[2]), place
    world.failing_allocations = 0
    assert same(everything(own), undisturbed)


def test_batches_are_halved_before_the_host_computes() -> None:
    world = World()
    own = backend(world)
    series, states = random_series(40), joint_list(1000)
    weights = csr_array(np.eye(40))
    own.get(own.risk_arrays([(series, states)], weights))
    world.launched.clear()
    world.memory = world.used + 200_000  # a tile of 40 x 1000 takes 320 kB, one of 40 x 500 half as much
    own._device.pool.free_all_blocks()
    world.memory = world.used + 320_000 + 200_000
    found = own.risk_arrays([(series, states)], weights)
    assert isinstance(found, own.xp.ndarray)
    assert world.launched.count("leaf_pnl") > 1
    assert own.notes == []
    assert same_bytes(own.get(found), NATIVE.risk_arrays([(series, states)], weights))


def test_out_of_memory_always(undisturbed: list[Any]) -> None:
    world = World()
    own = backend(world)
    world.failing_allocations = 10**9
    found = everything(own)
    assert same(found[2:5], undisturbed[2:5]), "the native library has the same bits"
    for mine, other in zip(found, undisturbed, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-10)
    text = "\n".join(own.notes)
    for what in ("prices", "risk arrays", "worst scenarios", "values of options", "premium tables", "grids"):
        assert f"no memory left for some {what}: native computed those" in text


def test_a_launch_without_memory_is_out_of_memory() -> None:
    """The threads' own arrays are allocated at a launch."""
    world = World()
    own = backend(world)
    world.failing_launch = 2  # cudaErrorMemoryAllocation
    series, states = random_series(9), grid(3, 2)
    assert same_bytes(own.get(own.price(series, states)), NATIVE.price(series, states))
    assert own.notes


def test_after_an_illegal_address_no_call_is_made() -> None:
    world = World()
    own = backend(world)
    sections, weights = sections_and_weights()
    kept = own.price(*sections[0])
    world.failing_launch = ILLEGAL_ADDRESS
    with pytest.raises(
        BackendUnavailable, match=r"cudaError700.*start a new process, or go on with backend="
    ):
        own.risk_arrays(sections, weights)
    calls: list[Any] = [
        lambda: own.price(*sections[0]),
        lambda: own.risk_arrays(sections, weights),
        lambda: own.lowest(sections, weights),
        lambda: own.black(1.0, 1.0, 1.0, 0.2, 1.0, True),
        lambda: own.get(kept),
        lambda: own.put(np.ones(3)),
        own.free_bytes,
        lambda: own.price(dividend_series(6), grid(3, 2)),
    ]
    for call in calls:
        with pytest.raises(BackendUnavailable, match="this process can use CUDA no more"):
            call()
    with installed(World()):
        with pytest.raises(BackendUnavailable, match="this process can use CUDA no more"):
            get_backend("cupy")
        assert get_backend("auto").name == "native"
    assert world.calls_after == []


def test_another_error_is_passed_on() -> None:
    world = World()
    own = backend(world)
    world.failing_launch = 1  # cudaErrorInvalidValue: ours, and the device is well
    with pytest.raises(host_memory.CUDADriverError):
        own.price(random_series(9), grid(3, 2))
    assert own.get(own.price(random_series(9), grid(3, 2))).shape == (6, 9)


def test_the_stand_in_refuses_what_cupy_refuses() -> None:
    own = backend()
    assert isinstance(own.xp, Cupy)
    array = own.put(np.ones(3))
    with pytest.raises(TypeError, match="Implicit conversion"):
        np.asarray(array)

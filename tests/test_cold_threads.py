"""Threads that share a cold backend whose stores have next to no room: the bytes of one that has it all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import pytest
from every_backend import required_sets
from gpu_cases import book_of_every_kind, grid
from screened_books import batch_of
from test_worst import same_bytes

from shockgrid.backends import (
    NativeBackend,
    Series,
    _native_premium,
    _numpy_grid_shelf,
    _numpy_grids,
    _numpy_store,
)
from shockgrid.backends._numpy_grid_shelf import Shelf
from shockgrid.backends.batch import Worst
from shockgrid.backends.precisions import PRECISIONS

SETS = required_sets()
GROUPS, THREADS, WALKS = 24, 4, 2


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns a thousand times as often as they do by themselves."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 1000.0)
    yield
    sys.setswitchinterval(usual)


def books(seed: int) -> Series:
    """Three books of every kind one after another."""
    parts = [book_of_every_kind(3 * seed + number) for number in range(3)]
    columns = ([getattr(part, field.name) for part in parts] for field in fields(Series))
    return Series(*map(np.concatenate, columns))


def without_room(monkeypatch: pytest.MonkeyPatch, precision: str, most_lanes: int) -> NativeBackend:
    """A backend that grows and forgets in the middle of a walk; nothing is laid out yet."""
    monkeypatch.setattr(_numpy_store, "MOST_TABLES", 3)
    monkeypatch.setattr(_numpy_store, "FIRST_ROOM", 1)
    monkeypatch.setattr(_numpy_store, "GROWTH", 2)
    monkeypatch.setattr(_numpy_grid_shelf, "FIRST_ROOM", 1)
    monkeypatch.setattr(_numpy_grids, "CLAIM", 1)
    _native_premium.plans_of.cache_clear()
    backend = NativeBackend(SETS[0], precision=precision)
    grids = backend._plain.grids
    grids.most_lanes, grids._shelf = most_lanes, Shelf(1)
    return backend


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("most_lanes", [10, 10_000], ids=["forgotten", "grown"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("restless")
def test_what_threads_grow_and_forget_changes_no_byte(
    monkeypatch: pytest.MonkeyPatch, seed: int, most_lanes: int, precision: str
) -> None:
    """Every kind of instrument, so that tables, grids, given values and screens meet in each class group."""
    states = grid(7, 3)
    batch = batch_of(books(seed), states, GROUPS, 3, seed)
    reduced = len(states.index) - 2
    expected = NativeBackend(SETS[0]).worst(batch, reduced, True)
    backend, parts = without_room(monkeypatch, precision, most_lanes), batch.cut(GROUPS)
    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(backend.worst, part, reduced, True) for _ in range(WALKS) for part in parts]
        found = [own.result() for own in asked]
    for walk in range(WALKS):
        own = found[walk * len(parts) : (walk + 1) * len(parts)]
        assert same_bytes(Worst(*(np.concatenate(column) for column in zip(*own, strict=True))), expected)

"""What the store of premium tables keeps: those asked for last, as there is memory; no byte depends on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shockgrid.backends import _numpy_store, memory
from shockgrid.backends._numpy_premium import Tables, build
from shockgrid.backends._numpy_store import PremiumStore

RANGE = 3.0  #: of vols, the same for all


class Counting:
    """A builder that knows of how many tables it was asked."""

    def __init__(self) -> None:
        self.built = 0

    def __call__(self, *terms: Any) -> Tables:
        tables = build(*terms)
        self.built += len(tables.boundaries)
        return tables


def keys(*days: int) -> Any:
    """Puts of one rate and yield that expire in so many days."""
    years = np.array(days) / 365.0
    return np.column_stack(
        [years, np.full(len(days), 0.04), np.full(len(days), 0.01), np.full(len(days), RANGE)]
    )


def read(store: PremiumStore, *days: int) -> bytes:
    """The tables as they are found now."""
    places, kept = store.find(keys(*days))
    return kept.coefficients[places].tobytes() + kept.boundaries[places].tobytes()


def test_those_asked_for_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of nine the half of eight: the last three, and the first, which was asked for again."""
    monkeypatch.setattr(_numpy_store, "MOST_TABLES", 8)
    builder = Counting()
    store = PremiumStore(builder)
    for day in (*range(1, 9), 1, 9):
        store.find(keys(day))
    assert builder.built == 9
    store.find(keys(1, 7, 8, 9))
    assert builder.built == 9
    assert len(store.kept) == 4
    store.find(keys(6))
    assert builder.built == 10


def test_a_long_day_takes_no_more_memory_than_may_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty moments of twenty tables each: those of the present one are always at hand."""
    monkeypatch.setattr(_numpy_store, "MOST_TABLES", 60)
    builder = Counting()
    store = PremiumStore(builder)
    for moment in range(60):
        now = keys(*(100 * day + moment for day in range(1, 21)))
        store.find(now)
        assert builder.built == 20 * (moment + 1)
        store.find(now)
        assert builder.built == 20 * (moment + 1)
        assert len(store.kept) <= 60 + 20


PLAIN = PremiumStore()


@settings(max_examples=10)
@given(asked=st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True), max_size=8))
def test_what_is_forgotten_changes_no_byte(asked: list[list[int]]) -> None:
    patch = pytest.MonkeyPatch()
    with patch.context() as forgetful:
        forgetful.setattr(_numpy_store, "MOST_TABLES", 4)
        store = PremiumStore()
        found = [read(store, *days) for days in asked]
    assert found == [read(PLAIN, *days) for days in asked]


def test_what_was_found_stays_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_numpy_store, "MOST_TABLES", 2)
    store = PremiumStore()
    places, kept = store.find(keys(1, 2, 3))
    before = kept.coefficients[places].copy()
    for day in range(4, 12):
        store.find(keys(day))
    assert store.kept.era is not kept.era
    assert np.array_equal(kept.coefficients[places], before)


def test_a_small_machine_keeps_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a megabyte a sixteenth, tables of some 2 kB."""
    limit = tmp_path / "limit"
    limit.write_text("1048576\n")
    monkeypatch.setattr(memory, "CONTAINER_LIMITS", (limit,))
    store = PremiumStore()
    store.find(keys(*range(1, 80)))
    store.find(keys(1))
    assert 0 < len(store.kept) <= 1048576 // 16 // 1000 // 2

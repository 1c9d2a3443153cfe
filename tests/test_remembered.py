"""What a batch remembers between walks: never used once a byte differs that it was found from."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from every_backend import required_sets
from test_worst import american, random_batch, same_bytes

from shockgrid.arrays import Floats, Mask
from shockgrid.backends import NativeBackend, _numpy_store
from shockgrid.backends._native_american import Found
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.remembered import Remembered
from shockgrid.errors import InputError

SETS = required_sets()
pytestmark = pytest.mark.skipif(not SETS, reason="needs the native library")


def american_batch() -> Batch:
    return american(random_batch(), list(range(7)))


def walked(backend: NativeBackend, batch: Batch) -> Worst:
    return backend.worst(batch, 40, units=True)


def anew(batch: Batch) -> Worst:
    """The same walk by a backend and a batch that remember nothing."""
    return walked(NativeBackend(SETS[0]), replace(batch, remembered=Remembered()))


def with_series(batch: Batch, **columns: Any) -> Batch:
    return replace(batch, series=replace(batch.series, **columns))


def with_states(batch: Batch, **columns: Any) -> Batch:
    return replace(batch, states=tuple(replace(states, **columns) for states in batch.states))


def third(batch: Batch) -> Mask:
    """Every third instrument."""
    return np.arange(len(batch.series)) % 3 == 0


def paid(batch: Batch, value: float) -> Floats:
    """One dividend of every third instrument: this for it, and 0 for the others."""
    return np.where(third(batch), value, 0.0)[:, None]


MOVES: dict[str, Callable[[Batch], Batch]] = {
    "spots": lambda batch: with_series(batch, spots=1.01 * batch.series.spots),
    "strikes": lambda batch: with_series(batch, strikes=1.01 * batch.series.strikes),
    "no strikes": lambda batch: with_series(
        batch, strikes=np.where(third(batch), -1.0, batch.series.strikes)
    ),
    "dividends": lambda batch: with_series(batch, ex_years=paid(batch, 0.002), ex_cash=paid(batch, 0.5)),
    "years": lambda batch: with_series(batch, years=0.5 * batch.series.years),
    "rates": lambda batch: with_series(batch, rates=1.5 * batch.series.rates),
    "no rates": lambda batch: with_series(batch, rates=0.0 * batch.series.rates),
    "yields": lambda batch: with_series(batch, yields=2.0 * batch.series.yields),
    "vols": lambda batch: with_series(batch, vols=1.7 * batch.series.vols),
    "wild vols": lambda batch: with_series(batch, vols=np.where(batch.series.vols > 0.3, 9.0, 0.3)),
    "linear": lambda batch: with_series(batch, is_option=batch.series.is_option & ~third(batch)),
    "rights": lambda batch: with_series(batch, is_call=~batch.series.is_call),
    "European": lambda batch: with_series(batch, is_american=np.zeros(len(batch.series), np.bool_)),
    "not inverse": lambda batch: with_series(batch, inverse=np.zeros(len(batch.series), np.bool_)),
    "vol shocks": lambda batch: with_states(batch, vol_shocks=batch.states[0].vol_shocks + 0.5),
    "absolute": lambda batch: with_states(batch, relative=~batch.states[0].relative),
    "term powers": lambda batch: with_states(batch, term_powers=batch.states[0].term_powers + 0.5),
    "floors": lambda batch: with_states(batch, vol_floors=batch.states[0].vol_floors + 0.9),
    "caps": lambda batch: with_states(batch, vol_caps=np.full(len(batch.states[0].vol_caps), 0.2)),
}


@pytest.mark.parametrize("move", MOVES)
def test_what_moves_is_seen(move: str) -> None:
    """There, back again, and the other way round."""
    backend, before = NativeBackend(SETS[0]), american_batch()
    after = MOVES[move](before)
    expected = anew(before), anew(after)
    for order in ((0, 1, 0), (1, 0, 1)):
        remembered = Remembered()
        for turn in order:
            batch = replace((before, after)[turn], remembered=remembered)
            assert same_bytes(walked(backend, batch), expected[turn])


@pytest.mark.parametrize("column", ["years", "rates", "vols", "is_call", "is_american"])
def test_what_is_written_over_in_place_is_seen(column: str) -> None:
    backend, batch = NativeBackend(SETS[0]), american_batch()
    walked(backend, batch)
    own = getattr(batch.series, column)
    own[...] = ~own if own.dtype == np.bool_ else 1.5 * own
    assert same_bytes(walked(backend, batch), anew(batch))


def test_a_tick_looks_for_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, batch = NativeBackend(SETS[0]), american_batch()
    walked(backend, batch)
    ticked = MOVES["spots"](batch)
    expected = anew(ticked)

    def refused(*_: object) -> None:
        pytest.fail("found anew")

    monkeypatch.setattr(Found, "of", refused)
    assert same_bytes(walked(backend, ticked), expected)


def test_tables_that_the_store_forgot_are_found_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, batch = NativeBackend(SETS[0]), american_batch()
    expected = walked(backend, batch)
    monkeypatch.setattr(_numpy_store, "MOST_TABLES", 0)
    others = replace(MOVES["vols"](batch), remembered=Remembered())
    walked(backend, others)
    assert same_bytes(walked(backend, batch), expected)


def test_a_store_that_keeps_forgetting_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads walk two batches of other terms, each of which makes the store forget what the other found."""
    backend, batch = NativeBackend(SETS[0]), american_batch()
    batches = (batch, MOVES["vols"](batch))
    expected = [anew(each) for each in batches]
    monkeypatch.setattr(_numpy_store, "MOST_TABLES", 0)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda turn: walked(backend, batches[turn % 2]), range(24)))
    assert all(same_bytes(one, expected[turn % 2]) for turn, one in enumerate(found))


def test_another_backend_finds_its_own() -> None:
    batch = american_batch()
    expected = anew(batch)
    for name in SETS:
        assert same_bytes(walked(NativeBackend(name), batch), expected)


def test_parts_of_any_cut_and_threads_remember_side_by_side() -> None:
    backend, batch = NativeBackend(SETS[0]), american_batch()
    expected = anew(batch)
    with ThreadPoolExecutor(2) as pool:
        for parts in (1, 3, 7, 3, 1):
            found = list(pool.map(lambda part: walked(backend, part), batch.cut(parts)))
            together = Worst(*(np.concatenate(column) for column in zip(*found, strict=True)))
            assert same_bytes(together, expected)


def test_a_number_that_went_bad_is_refused_by_name() -> None:
    backend, batch = NativeBackend(SETS[0]), american_batch()
    walked(backend, batch)
    for name in ("spots", "vols", "units"):
        bad = with_series(batch, **{name: np.where(np.arange(len(batch.series)) == 5, np.nan, 1.0)})
        with pytest.raises(InputError, match=name):
            walked(backend, bad)


def test_the_sign_of_a_zero_and_the_owner_count() -> None:
    remembered, owner, found = Remembered(), object(), list[float]()

    def ask(column: Any, by: object = owner) -> object:
        def find() -> tuple[object, float]:
            found.append(float(column[0]))
            return by, found[-1]

        return remembered.find(0, by, [column], find)

    zero = np.zeros(1)
    assert ask(zero) == ask(zero.copy()) == 0.0
    assert len(found) == 1
    ask(-zero)
    assert len(found) == 2
    ask(-zero, by=object())
    assert len(found) == 3
    ask(np.zeros(2))
    assert len(found) == 4
    remembered.find(0, owner, [zero, zero], lambda: (owner, None))  # another number of columns
    ask(zero)
    assert len(found) == 5

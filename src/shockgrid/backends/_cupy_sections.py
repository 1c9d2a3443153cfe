"""Sections (instruments on one underlying, and states) laid out for the CUDA kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends._cupy_upload import Upload
from shockgrid.backends._native_library import not_finite
from shockgrid.backends.contract import Series
from shockgrid.backends.leaf_weights import checked_weights
from shockgrid.backends.ways import FLOORED, Ways
from shockgrid.errors import InputError
from shockgrid.states import States

MOST_STATES, MOST_ROWS = 1024, 8  #: of european.cu

CHECKED = ("spots", "slopes", "intercepts", "strikes", "years", "vols", "discount_factors")
NUMBERS = (*CHECKED, "units", "rates", "yields")
STATE_NUMBERS = ("spot_factors", "vol_shocks", "term_powers", "vol_floors", "vol_caps")
#: ``Section`` of device_sections.h, word for word; the first two are counts, the others addresses.
WORDS = (
    *("spot_states", "vol_rules"),
    *NUMBERS,
    *STATE_NUMBERS,
    *("index", "tables", "routes", "is_call", "relative"),
)


class Part(NamedTuple):
    """One section: how each of n instruments is priced, and what that needs."""

    series: Series
    states: States
    ways: Ways
    tables: NDArray[np.int32]  #: [n, RANGES] places in the premium tables, -1 for none


@dataclass(frozen=True)
class Rows:
    """Where sections lie in an upload: offsets in it, and how many rows of which kind there are."""

    sections: int
    runs: int
    run_count: int
    early: int
    early_count: int
    rows: int  #: of the tile


def lay_out(upload: Upload, parts: Sequence[Part], given_rows: Codes) -> Rows:
    """Add sections to an upload. ``given_rows`` [rows of all]: row of the given values, or -1."""
    words, runs, early, top = [], [], [], 0
    for number, part in enumerate(parts):
        count, states = len(part.series), part.states
        words.append(_section(upload, part))
        together = max(1, min(MOST_ROWS, MOST_STATES // (len(states.spot_factors) + len(states.vol_shocks))))
        firsts = np.arange(0, count, together)
        columns = (np.full_like(firsts, number), firsts, np.minimum(together, count - firsts), top + firsts)
        runs.append(np.column_stack(columns))
        rows = np.flatnonzero(part.ways.routes >= FLOORED)
        places = given_rows[top + rows]
        early.append(np.column_stack([np.full_like(rows, number), rows, top + rows, places]))
        top += count
    is_offset = np.tile(np.arange(len(WORDS)) >= 2, (len(parts), 1))
    all_runs = np.concatenate(runs or [np.empty((0, 4))]).astype(np.int64)
    all_early = np.concatenate(early or [np.empty((0, 4))]).astype(np.int64)
    laid = np.array(words, np.uint64).reshape(len(parts), len(WORDS))
    return Rows(
        sections=upload.add_structure(laid, is_offset),
        runs=upload.add(all_runs),
        run_count=len(all_runs),
        early=upload.add(all_early),
        early_count=len(all_early),
        rows=top,
    )


def _section(upload: Upload, part: Part) -> list[int]:
    series, states = part.series, part.states
    numbers = upload.add(np.array([getattr(series, name) for name in NUMBERS], np.float64))
    row = 8 * len(series)
    columns = [numbers + place * row for place in range(len(NUMBERS))]
    return [
        len(states.spot_factors),
        len(states.vol_shocks),
        *columns,
        *(upload.add(np.asarray(getattr(states, name), np.float64)) for name in STATE_NUMBERS),
        upload.add(np.asarray(states.index, np.int64)),
        upload.add(part.tables),
        upload.add(part.ways.routes),
        upload.add(np.asarray(series.is_call, np.uint8)),
        upload.add(np.asarray(states.relative, np.uint8)),
    ]


def require_good(series: Series, states: States) -> None:
    """Raise InputError for a number that is not finite or a state that is not there.

    The kernels trust both.
    """
    for name in (*CHECKED, *STATE_NUMBERS):
        column: Floats = np.asarray(getattr(series if name in CHECKED else states, name), np.float64)
        bad = np.isnan(column) if name == "vol_caps" else ~np.isfinite(column)
        if bad.any():
            row = int(bad.argmax())
            raise not_finite(name, float(column[row]), row)
    index: NDArray[np.integer] = np.asarray(states.index)
    there: Mask = (index >= 0) & (index < [len(states.spot_factors), len(states.vol_shocks)])
    if not there.all():
        problem = "a scenario has a spot state or vol rule that is not there"
        raise InputError(problem)


def checked(sections: Sequence[tuple[Series, States]], weights: Any) -> tuple[Any, int]:
    """Weights [L, n] as CSR with their columns in order, and the number of scenarios.

    Raises InputError where weights and sections do not fit, or a number is not finite.
    """
    rows, count = checked_weights(sections, weights)
    for series, states in sections:
        require_good(series, states)
    return rows, count

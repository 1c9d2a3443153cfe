"""The worst of leaves with European options screened in float32: the launches of ``screened_*.cu``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes
from shockgrid.backends._cupy_sections import MOST_ROWS, MOST_STATES, Part
from shockgrid.backends._cupy_tile import MOST_THREADS, Tiles, Wanted, Weights, threads_for
from shockgrid.backends._cupy_upload import Upload
from shockgrid.backends.ways import EUROPEAN

MOST_LEAF_THREADS = 128  #: of a block, as the ``__launch_bounds__`` of screened_leaves.cu say
#: Numbers of ``ScreenedSpot``, ``Deviation`` and ``RowBound``.
SPOT_NUMBERS, VOL_NUMBERS, BOUND_NUMBERS = 5, 2, 4
#: Words of ``ScreenedTile``, in their order.
WORDS = ("scenarios", "sections", "places", "spots", "vols", "exact", "values", "bounds", "pnl", "limits")


class Lines(NamedTuple):
    """The rows of a tile, as screened_tile.h has them."""

    places: NDArray[np.int64]  #: [rows, 4] ``Place``
    others: NDArray[np.int64]  #: [runs, 4] ``Rows`` of what is not screened
    spots: int  #: entries of the tables
    vols: int

    @classmethod
    def of(cls, parts: Sequence[Part]) -> Lines:
        """Tables have an entry for each state of every row, of those too that are not screened."""
        places, others, top, spots, vols = [], [], 0, 0, 0
        for number, part in enumerate(parts):
            rows = np.arange(len(part.series))
            spot_states, rules = len(part.states.spot_factors), len(part.states.vol_shocks)
            starts = (spots + rows * spot_states, vols + rows * rules)
            places.append(np.column_stack([np.full_like(rows, number), rows, *starts]))
            most = max(1, min(MOST_ROWS, MOST_STATES // (spot_states + rules)))
            firsts, counts = _runs(np.flatnonzero(part.ways.routes != EUROPEAN), most)
            others.append(np.column_stack([np.full_like(firsts, number), firsts, counts, top + firsts]))
            top, spots, vols = top + len(rows), spots + len(rows) * spot_states, vols + len(rows) * rules
        none = np.empty((0, 4), np.int64)
        return cls(np.concatenate([none, *places]), np.concatenate([none, *others]), spots, vols)


def _runs(rows: Codes, most: int) -> tuple[Codes, Codes]:
    """First row and number of neighbours, ``most`` at most, of ascending rows."""
    breaks = np.flatnonzero((np.diff(rows) != 1) | (rows[1:] % most == 0)) + 1
    edges = np.concatenate([[0], breaks, [len(rows)]]) if len(rows) else np.zeros(1, np.intp)
    return rows[edges[:-1]], np.diff(edges)


def screened_worst_of(
    tiles: Tiles, wanted: Wanted, laid: Weights, start: int, values: Any, scenarios: Any
) -> None:
    """``Tiles.worst_of`` to the byte, most of it in float32. Nothing waits for the device.

    American options, linear instruments and given values are priced in float64 throughout.
    """
    device, cupy, (parts, kept, given, count) = tiles.device, tiles.device.cupy, wanted
    lines, placed = Lines.of(parts), tiles.placed(parts, kept, given)
    rows, sections = placed.rows.rows, placed.upload.at(placed.rows.sections)
    upload = Upload()
    others, places = upload.add(lines.others), upload.add(lines.places)
    block = device.upload(upload)
    arrays = {
        "exact": tiles.fill(placed, count, less_base=True, runs=(upload.at(others), len(lines.others))),
        "spots": cupy.empty((lines.spots, SPOT_NUMBERS), np.float32),
        "vols": cupy.empty((lines.vols, VOL_NUMBERS), np.float32),
        "values": cupy.empty((rows, count), np.float32),
        "bounds": cupy.empty((rows, BOUND_NUMBERS)),
        "pnl": cupy.empty((laid.leaves, count), np.float32),
        "limits": cupy.empty(laid.leaves),
    }
    words = {name: array.data.ptr for name, array in arrays.items()}
    words |= {"scenarios": count, "sections": sections, "places": upload.at(places)}
    shared = device.put(np.array([words[name] for name in WORDS], np.uint64))
    runs, run_count = placed.upload.at(placed.rows.runs), placed.rows.run_count
    leaf_words = (laid.leaves, laid.pointers, laid.instruments, laid.values)
    leaf_threads = threads_for(count, MOST_LEAF_THREADS)
    blocks = -(-rows // MOST_THREADS)
    device.launch("screened_values", "screened_bases", blocks, MOST_THREADS, shared, rows)
    device.launch("screened_values", "screened_tables", run_count, MOST_THREADS, shared, runs, run_count)
    threads = threads_for(count, MOST_THREADS)
    device.launch("screened_values", "screened_values", rows, threads, shared, rows)
    device.launch("screened_leaves", "screened_leaves", laid.leaves, leaf_threads, shared, *leaf_words)
    device.launch(
        *("screened_leaves", "worst_of_screened", laid.leaves, leaf_threads),
        *(shared, *leaf_words, start, values, scenarios),
    )
    del block

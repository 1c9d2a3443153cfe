"""One joint worst over all that a margin group holds: rows of portfolio groups added up a block at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.desk.spans import run_of
from shockgrid.requirement.fold import Rows
from shockgrid.requirement.priced import PART_ELEMENTS
from shockgrid.requirement.reducers import Reduced, Reducer

#: The rows of each portfolio group, in canonical order.
Parts = Mapping[str, Sequence[Rows]]


class _Piece(NamedTuple):
    """Rows of one part that are added into one block."""

    portfolio: str
    number: int  #: of the part among those of its portfolio group
    rows: Any  #: of the part
    places: Any  #: in the block


class JointIndex:
    """Where the rows of some margin groups stand in all parts, found once for as long as no row moves."""

    def __init__(self, parts: Parts, codes: Codes, scenarios: int) -> None:
        self._count, self._scenarios = len(codes), scenarios
        self._size = max(1, PART_ELEMENTS // max(1, scenarios))  # a block should stay in cache
        self._blocks: list[list[_Piece]] = [[] for _ in range(0, len(codes), self._size)]
        for portfolio, own in parts.items():
            for number, part in enumerate(own):
                self._add(portfolio, number, part.margin_groups, codes)

    def _add(self, portfolio: str, number: int, margin_groups: Codes, codes: Codes) -> None:
        places = np.flatnonzero(np.isin(codes, margin_groups))
        rows = np.searchsorted(margin_groups, codes[places])
        edges = np.searchsorted(places, np.arange(len(self._blocks) + 1) * self._size).tolist()
        for block, pieces in enumerate(self._blocks):
            own = slice(edges[block], edges[block + 1])
            if own.start < own.stop:
                within = places[own] - block * self._size
                pieces.append(_Piece(portfolio, number, run_of(rows[own]), run_of(within)))

    def rows(self, parts: Parts) -> Floats:
        """P&L [n, S] of the margin groups: their rows in all parts, added up in canonical order."""
        total = np.zeros((self._count, self._scenarios))
        for block, pieces in enumerate(self._blocks):
            _add_up(parts, pieces, total[block * self._size : (block + 1) * self._size])
        return total

    def reduced(self, parts: Parts, reducer: Reducer) -> Reduced:
        """What a reducer makes of these rows, which are never held all at once."""
        found = Reduced(np.zeros(self._count), np.zeros(self._count, np.intp))
        buffer = np.empty((min(self._size, self._count), self._scenarios))
        for block, pieces in enumerate(self._blocks):
            own = slice(block * self._size, min((block + 1) * self._size, self._count))
            total = buffer[: own.stop - own.start]
            _add_up(parts, pieces, total)
            found.losses[own], found.scenarios[own] = reducer(total)
        return found


def _add_up(parts: Parts, pieces: Sequence[_Piece], total: Floats) -> None:
    """Put 0 + the first piece + the second ... into ``total``, whatever stands there."""
    for number, piece in enumerate(pieces):
        rows = parts[piece.portfolio][piece.number].pnl[piece.rows]
        if number == 0 and len(rows) == len(total):
            np.add(rows, 0.0, out=total)
            continue
        if number == 0:
            total.fill(0.0)
        total[piece.places] += rows
    if not pieces:
        total.fill(0.0)

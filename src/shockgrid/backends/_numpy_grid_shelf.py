"""Solved lanes in one growing array, found by contract and lattice node."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends._numpy_grid_frame import NODES

LOWEST, HIGHEST = -128, 64  #: lattice nodes kept: wider than the vols that are read
LANE_BYTES = 8 * NODES
FIRST_ROOM = 1 << 10  #: lanes
#: Room is made so many times larger at once: what is copied then is little, and memory is taken page by page.
GROWTH = 8


class Wanted(NamedTuple):
    """Lattice nodes that n contracts want, each a run of at most V."""

    nodes: Codes  #: [n, V]
    there: Mask  #: [n, V] false beyond the end of the run
    columns: Codes  #: [n, V] of the nodes in the table of places; beyond the end, the first's

    @classmethod
    def between(cls, lowest: Codes, highest: Codes) -> Wanted:
        width = int((highest - lowest).max(initial=0)) + 1
        nodes = lowest[:, None] + np.arange(width)
        there = nodes <= highest[:, None]
        return cls(nodes, there, np.where(there, nodes, lowest[:, None]) - LOWEST)

    def only(self, rows: Codes) -> Wanted:
        return Wanted._make(column[rows] for column in self)


class Shelf:
    """Lanes by contract and lattice node; what stands here is not written again."""

    def __init__(self, most: int) -> None:
        self._most = most  #: lanes, about: room for more is not made in advance
        self.numbers: dict[bytes, int] = {}  #: of the contracts
        self.places = np.full((0, HIGHEST - LOWEST), -1, np.int32)  #: in ``lanes``; -1 where there is none
        self.lanes, self.count = np.empty((FIRST_ROOM, NODES)), 0

    @property
    def size(self) -> int:
        """About how many lanes would take as much memory: a contract's name and places count as one."""
        return self.count + len(self.numbers)

    def rows(self, names: list[bytes]) -> Codes:
        """The row of ``places`` of each contract, new ones added."""
        numbers = self.numbers
        found = list(map(numbers.get, names))
        if None in found:
            found = [numbers.setdefault(name, len(numbers)) for name in names]
        if len(numbers) > len(self.places):
            room = np.full((max(len(numbers), len(self.places)), HIGHEST - LOWEST), -1, np.int32)
            self.places = np.concatenate([self.places, room])
        return np.array(found, np.intp)

    def missing(self, rows: Codes, wanted: Wanted) -> tuple[Mask, Codes]:
        """Which lanes are not there, and places of those that are, [n, V]."""
        places = self.places[rows[:, None], wanted.columns]
        return wanted.there & (places < 0), np.asarray(places)

    def take(self, older: Shelf, names: list[bytes], rows: Codes, wanted: Wanted, missing: Mask) -> None:
        """What an older shelf has of what is missing here."""
        known = np.flatnonzero([name in older.numbers for name in names])
        if not len(known):
            return
        lanes = np.full(missing.shape, -1)
        stood = older.rows([names[row] for row in known])
        lanes[known] = older.missing(stood, wanted.only(known))[1]
        own, which = np.nonzero(missing & (lanes >= 0))
        self.put(rows[own], wanted.columns[own, which], older.lanes[lanes[own, which]])

    def put(self, rows: Codes, columns: Codes, lanes: Floats) -> None:
        """Keep those of ``lanes`` [L, NODES] that are not there yet."""
        new = self.places[rows, columns] < 0
        if not new.all():
            rows, columns, lanes = rows[new], columns[new], lanes[new]
        first, last = self.count, self.count + len(lanes)
        if last > len(self.lanes):
            room = min(GROWTH * len(self.lanes), max(self._most, 2 * len(self.lanes)))
            larger = np.empty((max(last, room), NODES))
            larger[:first] = self.lanes[:first]
            self.lanes = larger
        self.lanes[first:last] = lanes
        self.count = last
        self.places[rows, columns] = np.arange(first, last)

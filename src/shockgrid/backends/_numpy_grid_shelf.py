"""Solved lanes in one growing array, found by contract and lattice node."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends._numpy_grid_frame import NODES

LOWEST, HIGHEST = -128, 64  #: lattice nodes kept: wider than the vols that are read
LANE_BYTES = 8 * NODES
#: Lanes, and contracts, that there is room for at first. The next room is for all that may be kept, so that
#: little is copied: memory is taken page by page, and pages can be dearer than what is computed into them.
FIRST_ROOM = 1 << 10


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
        #: in ``lanes``, counted from 1: pages of zeros cost nothing until something is put there
        self._places = np.zeros((0, HIGHEST - LOWEST), np.int32)
        self.lanes, self.count = np.empty((1, NODES)), 0  # one, so that any place may be asked for

    @property
    def size(self) -> int:
        """About how many lanes would take as much memory: a contract's name and places count as one."""
        return self.count + len(self.numbers)

    def rows(self, names: list[bytes]) -> Codes:
        """The number of each contract, new ones added."""
        numbers = self.numbers
        found = list(map(numbers.get, names))
        if None in found:
            found = [numbers.setdefault(name, len(numbers)) for name in names]
        if len(numbers) > len(self._places):
            larger = np.zeros((self._room(len(numbers), len(self._places)), HIGHEST - LOWEST), np.int32)
            larger[: len(self._places)] = self._places
            self._places = larger
        return np.array(found, np.intp)

    def missing(self, rows: Codes, wanted: Wanted) -> tuple[Mask, Codes]:
        """Which lanes are not there, and places of those that are, [n, V]."""
        places = self._places[rows[:, None], wanted.columns] - 1
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
        new = self._places[rows, columns] == 0
        if not new.all():
            rows, columns, lanes = rows[new], columns[new], lanes[new]
        first = self.reserved(len(lanes))
        self.lanes[first : first + len(lanes)] = lanes
        self._places[rows, columns] = np.arange(first, first + len(lanes)) + 1

    def put_reserved(self, rows: Codes, columns: Codes, first: int, lanes: Floats) -> None:
        """The same for lanes written where they stand: from place ``first`` of ``reserved`` on."""
        if lanes.base is not self.lanes:  # a larger room has been made since
            self.lanes[first : first + len(lanes)] = lanes
        new = self._places[rows, columns] == 0
        self._places[rows[new], columns[new]] = np.flatnonzero(new) + first + 1

    def reserved(self, count: int) -> int:
        """The first of ``count`` places that are nobody else's, empty until something is put there."""
        first, last = self.count, self.count + count
        if last > len(self.lanes):
            larger = np.empty((self._room(last, len(self.lanes)), NODES))
            larger[:first] = self.lanes[:first]
            self.lanes = larger
        self.count = last
        return first

    def _room(self, needed: int, present: int) -> int:
        return FIRST_ROOM if needed <= FIRST_ROOM else max(needed, self._most, 2 * present)

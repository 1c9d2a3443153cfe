"""Premium tables kept by what defines them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.backends._numpy_boundary import Puts
from shockgrid.backends._numpy_premium import Tables, build, lanes_of_shapes
from shockgrid.backends.memory import memory_bytes
from shockgrid.backends.premium_effort import LARGEST, SHAPES, Shape, efforts_for, shapes_for

#: Kept at a time, 2 kB each: 3,000 names of eight expiries need some 50,000 for 31 x 7 shocks. Fewer where
#: they took more than this part of the memory.
MOST_TABLES, SHARE = 200_000, 16
#: Tables that there is room for at first, and how many times as much when that is full: copying is rare, and
#: memory is taken page by page.
FIRST_ROOM, GROWTH = 1 << 9, 8
#: Tables of puts, computed by the efforts for them; see ``_numpy_premium.build``.
Builder: TypeAlias = Callable[[Puts, NDArray[np.uint8], Shape], Tables]


@dataclass(frozen=True)
class Kept:
    """Tables of all shapes in arrays of the largest; what a shape has not is 0."""

    coefficients: Floats  #: [M, LARGEST.vols, LARGEST.gaps]
    boundaries: Floats  #: [M, LARGEST.vols]
    orders: NDArray[np.uint8]  #: [M] in the vol
    era: object  #: the same as long as tables are added and none is forgotten: their places stay

    def __len__(self) -> int:
        return len(self.orders)

    def at(self, tables: Codes, places: Floats) -> tuple[Floats, Floats]:
        """Premium over strike in powers of t, [gaps, ...], and log boundary in deviations, [...].

        ``tables`` [...], ``places`` [...] of the vols in their ranges; see ``_numpy_premium``.
        """
        before, basis = np.ones_like(places), places
        coefficients, boundaries = self.coefficients[tables, 0], self.boundaries[tables, 0]
        for order in range(1, int(self.orders[tables].max(initial=1))):
            coefficients += basis[..., None] * self.coefficients[tables, order]
            boundaries += basis * self.boundaries[tables, order]
            before, basis = basis, 2.0 * places * basis - before
        return np.ascontiguousarray(np.moveaxis(coefficients, -1, 0)), boundaries


COLUMNS = ("coefficients", "boundaries", "orders", "asked")


class _Room:
    """Arrays of zeros with room for more tables than there are; what stands in them is not written again."""

    def __init__(self, room: int) -> None:
        self.coefficients = np.zeros((room, LARGEST.vols, LARGEST.gaps))
        self.boundaries = np.zeros((room, LARGEST.vols))
        self.orders = np.empty(room, np.uint8)
        self.asked = np.zeros(room, np.int64)  #: the turn in which each was last asked for

    @property
    def table_bytes(self) -> int:
        """What a table takes."""
        return sum(getattr(self, name)[:1].nbytes for name in COLUMNS)

    def first(self, count: int, era: object) -> Kept:
        """The first tables, as a view."""
        return Kept(self.coefficients[:count], self.boundaries[:count], self.orders[:count], era)

    def larger(self, count: int, needed: int) -> _Room:
        """With room for as many as are needed and the first ``count`` tables in it."""
        found = _Room(max(GROWTH * len(self.orders), needed))
        for name in COLUMNS:
            getattr(found, name)[:count] = getattr(self, name)[:count]
        return found

    def only(self, places: Codes) -> _Room:
        """With the tables at these places, one after another."""
        found = _Room(max(FIRST_ROOM, len(places)))
        for name in COLUMNS:
            getattr(found, name)[: len(places)] = getattr(self, name)[places]
        return found

    def put(self, start: int, tables: Tables) -> None:
        """Tables of one shape from place ``start`` on."""
        count, orders, gaps = tables.coefficients.shape
        places = slice(start, start + count)
        self.coefficients[places, :orders, :gaps] = tables.coefficients
        self.boundaries[places, :orders] = tables.boundaries
        self.orders[places] = orders


def bytes_of_rows(table: Floats) -> list[bytes]:
    """The bytes of each row [n, m], as ``tobytes`` gives them one by one."""
    rows = np.ascontiguousarray(table, np.float64)
    names: list[bytes] = rows.view(f"V{8 * rows.shape[1]}").ravel().tolist()
    return names


class PremiumStore:
    """A memory of tables, not a state: each depends on its key alone. Safe to share between threads."""

    def __init__(self, builder: Builder = build) -> None:
        self._builder = builder
        self._lock = Lock()
        self._places: dict[bytes, int] = {}
        self._room, self._turn = _Room(FIRST_ROOM), 0
        self._most = memory_bytes() // (SHARE * self._room.table_bytes)
        self._kept = self._room.first(0, object())

    @property
    def kept(self) -> Kept:
        """All tables at hand."""
        return self._kept

    def find(self, keys: Floats) -> tuple[Codes, Kept]:
        """Tables of distinct ``keys`` [K, 4] (put's years, rate, yield, range), built where missing.

        Returns their places in the tables returned with them. Threads build at the same time; of a table
        that two of them miss and build, the first is kept.
        """
        names = bytes_of_rows(keys)
        with self._lock:
            if len(self._places) > min(MOST_TABLES, self._most):
                self._forget(min(MOST_TABLES, self._most) // 2)
            missing = self._missing(names)
            if not missing:
                return self._found(names)
        while True:
            built = self._built(keys[missing])
            with self._lock:
                self._make_room(len(missing))
                for rows, tables in built:
                    self._add([names[missing[row]] for row in rows], tables)
                missing = self._missing(names)  # some, if another thread made the store forget
                if not missing:
                    return self._found(names)

    def _found(self, names: list[bytes]) -> tuple[Codes, Kept]:
        places = np.array([self._places[name] for name in names], np.intp)
        self._turn += 1
        self._room.asked[places] = self._turn
        return places, self._kept

    def _missing(self, names: list[bytes]) -> list[int]:
        return [index for index, name in enumerate(names) if name not in self._places]

    def _forget(self, most: int) -> None:
        """Keep so many of those asked for last. They move, so the era ends; who reads it keeps its arrays."""
        asked, names = self._room.asked[: len(self._places)], list(self._places)
        places = np.sort(np.argsort(-asked, kind="stable")[:most])
        self._places = {names[place]: moved for moved, place in enumerate(places.tolist())}
        self._room = self._room.only(places)
        self._kept = self._room.first(len(places), object())

    def _built(self, keys: Floats) -> list[tuple[list[int], Tables]]:
        """Tables of each shape, after the rows of ``keys`` that they are for."""
        years, rates, yields = keys[:, 0], keys[:, 1], keys[:, 2]
        ranges = keys[:, 3].astype(np.intp)
        needed = shapes_for(years, rates, yields, ranges)
        counts = np.bincount(needed, minlength=len(SHAPES)).tolist()
        shapes = list(zip(SHAPES, counts, strict=True))
        order = np.argsort(needed, kind="stable")
        puts = lanes_of_shapes(years[order], rates[order], yields[order], ranges[order], shapes)
        efforts, found, table, lane = efforts_for(puts), [], 0, 0
        for shape, count in shapes:
            rows, lanes = slice(table, table + count), slice(lane, lane + count * shape.vols)
            table, lane = rows.stop, lanes.stop
            if count:
                own = Puts(*(column[lanes] for column in puts))
                found.append((order[rows].tolist(), self._builder(own, efforts[lanes], shape)))
        return found

    def _make_room(self, more: int) -> None:
        count = len(self._places)
        if count + more > len(self._room.orders):
            self._room = self._room.larger(count, count + more)

    def _add(self, names: list[bytes], tables: Tables) -> None:
        count, new = len(self._places), self._missing(names)
        if len(new) < len(names):
            tables = Tables(tables.coefficients[new], tables.boundaries[new])
        self._room.put(count, tables)
        self._places.update({names[row]: count + n for n, row in enumerate(new)})
        self._kept = self._room.first(len(self._places), self._kept.era)

"""Solved finite-difference grids kept by contract and lattice vol, and prices read from them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition
from typing import TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends._numpy_grid_frame import Contracts
from shockgrid.backends._numpy_grid_kinds import per_octave
from shockgrid.backends._numpy_grid_read import READABLE, read_lanes, routes
from shockgrid.backends._numpy_grid_shelf import HIGHEST, LANE_BYTES, LOWEST, Shelf, Wanted
from shockgrid.backends._numpy_grid_solve import solve
from shockgrid.backends._numpy_store import bytes_of_rows
from shockgrid.backends.contract import Series
from shockgrid.backends.memory import memory_bytes
from shockgrid.backends.vol_lattice import STENCIL, first_nodes
from shockgrid.states import States

#: Part of the memory, of the machine or its container, that each of two shelves may fill.
SHARE = 8
AT_ONCE = 2048  #: options read together
PREPARED = 65_536  #: options prepared together: what shares a life and a schedule is solved in one block
CLAIM = 1024  #: contracts that a thread solves before it looks what others have solved meanwhile
#: Grids of contracts from their first lattice nodes on, into an array; see ``_numpy_grid_solve.solve``.
Solver: TypeAlias = Callable[[Contracts, Codes, int, Floats], Floats]
#: Values read from grids; see ``_numpy_grid_read.read_lanes``.
Reader: TypeAlias = Callable[[Floats, Codes, Codes, Contracts, Floats, Floats, Codes], Floats]


class GridStore:
    """A memory of lanes (a contract at a lattice vol): each depends on itself alone. Threads may share it.

    Lanes asked for lately stand on one shelf, older ones on another, ``most_lanes`` on each. When the first
    is full it becomes the older one, whose lanes are given up; one that is asked for again is moved, not
    solved. Threads that miss the same contracts share the work: none is solved by two at a time.
    """

    def __init__(self, solver: Solver = solve) -> None:
        self._solver = solver
        self._changed = Condition()
        self._in_work: set[bytes] = set()  #: contracts whose lanes some thread is solving
        self.most_lanes = memory_bytes() // (SHARE * LANE_BYTES)
        self._shelf, self._older = Shelf(self.most_lanes), Shelf(0)

    def find(
        self, contracts: Contracts, lowest: Codes, highest: Codes, claim: int | None = None
    ) -> tuple[Floats, Codes]:
        """Lanes [any, NODES], and places in them [n, V] of lattice nodes ``lowest`` to ``highest`` [n].

        Beyond the highest, any place. What is in those lanes stays as it is. ``claim`` contracts are solved
        before this thread looks again; None for ``CLAIM``.
        """
        names, wanted, may_forget = _names(contracts), Wanted.between(lowest, highest), True
        while True:
            with self._changed:
                missing, places = self._looked_for(names, wanted, may_forget=may_forget)
                if not missing.any():
                    return self._shelf.lanes, places
                may_forget = False  # else threads with large questions could take turns for ever
                mine = self._claimed(names, missing, claim or CLAIM)
                if not len(mine):
                    self._changed.wait()
                    continue
            self._solve(names, contracts, wanted, mine, missing)

    def solve(self, contracts: Contracts, lowest: Codes, highest: Codes) -> None:
        """Have these at hand; all that no other thread has claimed are solved together."""
        self.find(contracts, lowest, highest, len(lowest))

    def _looked_for(self, names: list[bytes], wanted: Wanted, *, may_forget: bool) -> tuple[Mask, Codes]:
        """Which lanes are not there, and places of those that are, [n, V]."""
        rows = self._shelf.rows(names)
        missing, places = self._shelf.missing(rows, wanted)
        if not missing.any():
            return missing, places
        if may_forget and self._shelf.count and self._shelf.size + missing.sum() > self.most_lanes:
            self._shelf, self._older = Shelf(self.most_lanes), self._shelf
            rows = self._shelf.rows(names)
            missing, _ = self._shelf.missing(rows, wanted)
        self._shelf.take(self._older, names, rows, wanted, missing)
        return self._shelf.missing(rows, wanted)

    def _claimed(self, names: list[bytes], missing: Mask, claim: int) -> Codes:
        """Some contracts [m] that lack lanes and are in no thread's work: from here on in this one's."""
        lacking = np.flatnonzero(missing.any(axis=1)).tolist()
        free = {names[row]: row for row in lacking if names[row] not in self._in_work}
        mine = list(free.items())[:claim]
        self._in_work.update(name for name, _ in mine)
        return np.array([row for _, row in mine], np.intp)

    def _solve(
        self, names: list[bytes], contracts: Contracts, wanted: Wanted, mine: Codes, missing: Mask
    ) -> None:
        """Keep what is missing of this thread's contracts, and leave them to others whatever happens."""
        try:
            own, which = np.nonzero(missing[mine])
            dividends = (contracts.cash[mine[own]] > 0.0).sum(axis=1)
            order = np.argsort(dividends, kind="stable")
            own, which, dividends = mine[own[order]], which[order], dividends[order]
            with self._changed:
                shelf, first = self._shelf, self._shelf.reserved(len(own))
                lanes = shelf.lanes[first : first + len(own)]
            self._solve_into(lanes, contracts.only(own), wanted.nodes[own, which], dividends)
            with self._changed:
                rows = self._shelf.rows([names[row] for row in own])
                columns = wanted.columns[own, which]
                if self._shelf is shelf:
                    shelf.put_reserved(rows, columns, first, lanes)
                else:
                    self._shelf.put(rows, columns, lanes)
        finally:
            with self._changed:
                self._in_work.difference_update(names[row] for row in mine)
                self._changed.notify_all()

    def _solve_into(self, lanes: Floats, contracts: Contracts, nodes: Codes, dividends: Codes) -> None:
        """Lanes with the same number of dividends, which lie together, are solved together."""
        counts, starts = np.unique(dividends, return_index=True)
        for count, start, stop in zip(counts, starts, [*starts[1:], len(dividends)], strict=True):
            part = slice(start, stop)
            own = contracts.only(np.arange(start, stop))
            own = own._replace(ex_years=own.ex_years[:, :count], cash=own.cash[:, :count])
            self._solver(own, nodes[part], 1, lanes[part, None])


def _names(contracts: Contracts) -> list[bytes]:
    """The bytes of each contract's own terms."""
    *terms, ex_years, cash = contracts
    paid = np.stack([ex_years, cash], axis=2).reshape(len(cash), -1)
    table, dividends = np.column_stack([*terms, paid]), (cash > 0.0).sum(axis=1)
    names = np.empty(len(table), object)
    for count in np.unique(dividends).tolist():
        rows = np.flatnonzero(dividends == count)
        names[rows] = bytes_of_rows(table[rows, : len(terms) + 2 * count])
    return names.tolist()


def price_grids(
    series: Series, vols: Floats, states: States, store: GridStore, reader: Reader = read_lanes
) -> Floats:
    """Values [S, n] of American options that need a grid; ``vols`` [R, n] under every rule of ``states``."""
    values = np.empty((len(states.index), len(series)))
    for start in range(0, len(series), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        own, contracts = vols[:, part], _contracts(series.take(part))
        lowest, highest = _nodes(contracts, own)
        lanes, places = store.find(contracts, lowest, highest)
        spots = (series.units * series.spots)[part] * states.spot_factors[:, None]
        values[:, part] = reader(lanes, places, lowest, contracts, spots, own, states.index)
    return values


def prepare_grids(needed: list[tuple[Series, Floats]], store: GridStore) -> None:
    """Solve what options with these vols [R, n] will be read from, all names together: that is faster."""
    parts = []
    for series, vols in needed:
        contracts = _contracts(series)
        parts.append((contracts, *_nodes(contracts, vols)))
    total = sum(int((high - low + 1).sum()) for _, low, high in parts)
    if not 0 < total <= store.most_lanes:
        return
    width = max(contracts.cash.shape[1] for contracts, _, _ in parts)
    columns = zip(*(_widened(contracts, width) for contracts, _, _ in parts), strict=True)
    joined = Contracts(*(np.concatenate(column) for column in columns))
    lowest, highest = (np.concatenate([part[index] for part in parts]) for index in (1, 2))
    for start in range(0, len(lowest), PREPARED):
        rows = np.arange(start, min(start + PREPARED, len(lowest)))
        store.solve(joined.only(rows), lowest[rows], highest[rows])


def _contracts(series: Series) -> Contracts:
    cash = series.units[:, None] * series.ex_cash
    return Contracts(
        series.strikes,
        series.years,
        series.rates,
        series.yields,
        series.is_call,
        np.minimum(series.ex_years, series.years[:, None]),
        cash,
    )


def _widened(contracts: Contracts, width: int) -> Contracts:
    """The same with room for ``width`` dividends: what is missing stands at expiry with no cash."""
    missing = width - contracts.cash.shape[1]
    late = np.repeat(contracts.years[:, None], missing, axis=1)
    return contracts._replace(
        ex_years=np.hstack([contracts.ex_years, late]),
        cash=np.hstack([contracts.cash, np.zeros_like(late)]),
    )


def _nodes(contracts: Contracts, vols: Floats) -> tuple[Codes, Codes]:
    """First and last lattice node [n] needed to read at ``vols`` [R, n]; none where last < first."""
    readable = routes(contracts, vols) == READABLE
    firsts = first_nodes(np.where(readable, vols, 1.0), per_octave(contracts))
    lowest = np.where(readable, firsts, HIGHEST).min(axis=0)
    highest = np.where(readable, firsts + STENCIL - 1, LOWEST).max(axis=0)
    none = ~readable.any(axis=0)
    return np.where(none, 0, lowest), np.where(none, -1, highest)

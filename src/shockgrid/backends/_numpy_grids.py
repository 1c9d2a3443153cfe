"""Solved finite-difference grids kept by contract and lattice vol, and prices read from them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import NamedTuple, TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends._numpy_grid_frame import NODES, Contracts
from shockgrid.backends._numpy_grid_read import READABLE, read_lanes, routes
from shockgrid.backends._numpy_grid_solve import solve
from shockgrid.backends._numpy_store import bytes_of_rows
from shockgrid.backends.contract import Series
from shockgrid.backends.vol_lattice import STENCIL, first_nodes
from shockgrid.states import States

MOST_LANES = 300_000  #: kept at a time, 1.2 kB each
LOWEST, HIGHEST = -128, 64  #: lattice nodes kept: wider than the vols that are read
AT_ONCE = 2048  #: options read together
#: Grids of contracts from their first lattice nodes on; see ``_numpy_grid_solve.solve``.
Solver: TypeAlias = Callable[[Contracts, Codes, int], Floats]
#: Values read from grids; see ``_numpy_grid_read.read_lanes``.
Reader: TypeAlias = Callable[[Floats, Codes, Codes, Contracts, Floats, Floats, Codes], Floats]


class _Wanted(NamedTuple):
    """Lattice nodes that n contracts want, each a run of at most V."""

    nodes: Codes  #: [n, V]
    there: Mask  #: [n, V] false beyond the end of the run
    columns: Codes  #: [n, V] of the nodes in the table of places; beyond the end, the first's

    @classmethod
    def between(cls, lowest: Codes, highest: Codes) -> _Wanted:
        width = int((highest - lowest).max(initial=0)) + 1
        nodes = lowest[:, None] + np.arange(width)
        there = nodes <= highest[:, None]
        return cls(nodes, there, np.where(there, nodes, lowest[:, None]) - LOWEST)


class GridStore:
    """A memory of lanes (a contract at a lattice vol): each depends on itself alone. Threads may share it."""

    def __init__(self, solver: Solver = solve) -> None:
        self._solver = solver
        self._lock = Lock()
        self._forget()

    def _forget(self) -> None:
        self._contracts: dict[bytes, int] = {}
        self._places = np.full((0, HIGHEST - LOWEST), -1, np.int32)
        self._lanes, self._count = np.empty((1024, NODES)), 0

    def find(self, contracts: Contracts, lowest: Codes, highest: Codes) -> tuple[Floats, Codes]:
        """Lanes [any, NODES], and places in them [n, V] of lattice nodes ``lowest`` to ``highest`` [n].

        Beyond the highest, any place. What is in those lanes stays as it is. Threads solve at the same time;
        of a lane that two of them miss and solve, the first is kept.
        """
        wanted = _Wanted.between(lowest, highest)
        with self._lock:
            missing, places = self._missing(contracts, wanted)
            if self._count + int(missing.sum()) > MOST_LANES or len(self._contracts) > MOST_LANES:
                self._forget()
                missing, places = self._missing(contracts, wanted)
            if not missing.any():
                return self._lanes, places
        while True:
            own, which = np.nonzero(missing)
            solved = self._solved(contracts.only(own), wanted.nodes[own, which])
            with self._lock:
                self._add(contracts, wanted, missing, solved)
                missing, places = self._missing(contracts, wanted)
                if not missing.any():  # some are, if another thread made the store forget
                    return self._lanes, places

    def solve(self, contracts: Contracts, lowest: Codes, highest: Codes) -> None:
        """Have these at hand."""
        self.find(contracts, lowest, highest)

    def _missing(self, contracts: Contracts, wanted: _Wanted) -> tuple[Mask, Codes]:
        """Which lanes are not there, and places of those that are, [n, V]."""
        rows = self._numbered(contracts)[:, None]  # first: it makes room for their places
        places = self._places[rows, wanted.columns]
        return wanted.there & (places < 0), np.asarray(places)

    def _add(self, contracts: Contracts, wanted: _Wanted, solved_for: Mask, solved: Floats) -> None:
        """Keep what is solved [L, NODES] and still missing."""
        missing, _ = self._missing(contracts, wanted)
        new = solved[missing[solved_for]]
        own, which = np.nonzero(missing & solved_for)
        first, last = self._count, self._count + len(new)
        self._make_room(last)
        self._lanes[first:last] = new
        self._count = last
        # a contract may stand here twice; solving it twice gives the same bits
        rows = self._numbered(contracts)[own]
        self._places[rows, wanted.columns[own, which]] = np.arange(first, last)

    def _solved(self, contracts: Contracts, nodes: Codes) -> Floats:
        """Lanes [L, NODES]: those with the same number of dividends are solved together."""
        counts, solved = (contracts.cash > 0.0).sum(axis=1), np.empty((len(nodes), NODES))
        for count in np.unique(counts):
            rows = np.flatnonzero(counts == count)
            own = contracts.only(rows)
            own = own._replace(ex_years=own.ex_years[:, :count], cash=own.cash[:, :count])
            solved[rows] = self._solver(own, nodes[rows], 1)[:, 0]
        return solved

    def _numbered(self, contracts: Contracts) -> Codes:
        """A number for each contract, and room for its places."""
        *terms, ex_years, cash = contracts
        paid = np.stack([ex_years, cash], axis=2).reshape(len(cash), -1)
        table, dividends = np.column_stack([*terms, paid]), (cash > 0.0).sum(axis=1)
        numbers = np.empty(len(table), np.intp)
        for count in np.unique(dividends).tolist():
            rows = np.flatnonzero(dividends == count)
            names = bytes_of_rows(table[rows, : len(terms) + 2 * count])
            numbers[rows] = [self._contracts.setdefault(name, len(self._contracts)) for name in names]
        new = len(self._contracts) - len(self._places)
        if new > 0:
            room = np.full((max(new, len(self._places)), HIGHEST - LOWEST), -1, np.int32)
            self._places = np.concatenate([self._places, room])
        return numbers

    def _make_room(self, count: int) -> None:
        if count > len(self._lanes):
            larger = np.empty((max(count, 2 * len(self._lanes)), NODES))
            larger[: self._count] = self._lanes[: self._count]
            self._lanes = larger


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
    if not 0 < total <= MOST_LANES:
        return
    width = max(contracts.cash.shape[1] for contracts, _, _ in parts)
    columns = zip(*(_widened(contracts, width) for contracts, _, _ in parts), strict=True)
    joined = Contracts(*(np.concatenate(column) for column in columns))
    store.solve(joined, *(np.concatenate([part[index] for part in parts]) for index in (1, 2)))


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
    firsts = first_nodes(np.where(readable, vols, 1.0))
    lowest = np.where(readable, firsts, HIGHEST).min(axis=0)
    highest = np.where(readable, firsts + STENCIL - 1, LOWEST).max(axis=0)
    none = ~readable.any(axis=0)
    return np.where(none, 0, lowest), np.where(none, -1, highest)

"""Neighbouring portfolio groups of a plan, laid out once for as long as nobody's positions change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from itertools import accumulate

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.again import FindsAgain, same_terms
from shockgrid.backends.contract import Backend, Series
from shockgrid.engine import Plan
from shockgrid.layout import Layout
from shockgrid.market import Market
from shockgrid.market_series import moved_series, series
from shockgrid.requirement.grouped import Grouped
from shockgrid.states import UNMOVED

RUN_ROWS_KEPT = 4_000_000  #: positions in the runs that are remembered: some 200 MB


class Run:
    """Portfolio groups that follow one upon another."""

    def __init__(self, layout: Layout, groups: tuple[int, int]) -> None:
        self.groups = groups  #: first class group, and the one behind the last
        first, last = layout.group_leaves[list(groups)].tolist()
        self.leaves = slice(first, last)
        self.positions = slice(*layout.leaf_positions[[first, last]].tolist())
        self.columns = slice(*layout.group_columns[list(groups)].tolist())  #: its instruments, as laid out
        self.layout = layout.part(*groups, layout.market)
        self._market = layout.market
        self._series: Series | None = None
        self._values: tuple[Series, Callable[[Series], Floats]] | None = None

    @property
    def size(self) -> int:
        """How many positions it has."""
        return len(self.layout.weights)

    def series(self, market: Market) -> Series:
        """The columns of its instruments in this market; found once for each."""
        known, rows = self._series, self.layout.instruments
        if known is None:
            known = series(market, rows)
        elif market is not self._market:
            known = moved_series(known, self._market, market, rows)
        self._market, self._series = market, known
        return known

    def values(self, market: Market, backend: Backend) -> Floats:
        """The model values [n] of its instruments in this market."""
        columns = self.series(market)
        known = self._values
        if isinstance(backend, FindsAgain) and (known is None or not same_terms(known[0], columns)):
            again = backend.values_again(columns)
            known = self._values = None if again is None else (columns, again)
        if known is not None:
            return known[1](columns)
        found: Floats = backend.get(backend.price(columns, UNMOVED))[0]
        return found

    @cached_property
    def sizes(self) -> Floats:
        """Size of every position: money in the base currency per unit of price."""
        return np.abs(self.layout.weights)

    @cached_property
    def held_sides(self) -> Codes:
        """Place of every position's instrument among those held long, and below them those held short."""
        short = self.layout.weights <= 0.0
        return np.asarray(self.layout.held_places + len(self.layout.instruments) * short, np.intp)

    @cached_property
    def by_leaf(self) -> Grouped:
        """The positions by leaf."""
        starts = self.layout.leaf_positions
        return Grouped(np.repeat(np.arange(len(starts) - 1), np.diff(starts)), len(starts) - 1)


class Runs:
    """The runs of a plan, each laid out when it is first asked for."""

    def __init__(self, plan: Plan) -> None:
        self._layout = plan.relaid()
        self._starts = [0, *accumulate(len(groups) for groups in plan.portfolios)]
        self.leaf_starts = self._layout.group_leaves[self._starts]  #: of each portfolio group, and L
        self.column_starts = self._layout.group_columns[self._starts]  #: first instrument, and H
        self._order = {groups[0].portfolio_group: place for place, groups in enumerate(plan.portfolios)}
        self._known: dict[tuple[int, int], Run] = {}
        self._rows = 0  #: positions in those that are known

    @property
    def names(self) -> list[str]:
        """The portfolio groups, in canonical order."""
        return list(self._order)

    def places(self, names: Collection[str]) -> Codes:
        """The place of these portfolio groups among ``names``, ascending; those of them that the plan has."""
        return np.array(sorted(self._order[name] for name in names if name in self._order), np.intp)

    @property
    def every(self) -> Run:
        """All portfolio groups."""
        return self._run(0, len(self._order))

    def of(self, names: Collection[str]) -> Iterator[Run]:
        """The longest runs of these portfolio groups, those of them that the plan has, in canonical order."""
        places = self.places(names)
        if not len(places):
            return
        for part in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
            yield self._run(int(part[0]), int(part[-1]) + 1)

    def _run(self, first: int, last: int) -> Run:
        known = self._known.get((first, last))
        if known is None:
            known = self._known[first, last] = Run(self._layout, (self._starts[first], self._starts[last]))
            self._rows += known.size
            while self._rows > RUN_ROWS_KEPT and len(self._known) > 1:
                self._rows -= self._known.pop(next(iter(self._known))).size
        return known

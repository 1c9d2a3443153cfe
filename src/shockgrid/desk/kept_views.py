"""The views of holders that are remembered between ticks, by the portfolio groups they hold something in."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from shockgrid.arrays import Codes
from shockgrid.desk.holders import View

VIEW_ROWS_KEPT = 4_000_000  #: positions in the views that are remembered: some 400 MB


class KeptViews:
    """Views by the names of portfolio groups; ``let_go`` is told of each that is not remembered any more."""

    def __init__(self, let_go: Callable[[View], None]) -> None:
        self._let_go = let_go
        self._views: dict[frozenset[str], View] = {}

    def find(self, held: frozenset[str], make: Callable[[], View]) -> View:
        """The view of these portfolio groups' holders, made if it is not there; the oldest ones go."""
        if held not in self._views:
            self._views[held] = make()
            rows = [len(view.plan.positions.instruments) for view in self._views.values()]
            while sum(rows) > VIEW_ROWS_KEPT and len(rows) > 1:
                self._drop([next(iter(self._views))])
                del rows[0]
        return self._views[held]

    def drop_holding(self, codes: Codes) -> None:
        """Forget the views that have one of these margin groups."""
        self._drop([held for held, view in self._views.items() if np.isin(codes, view.codes).any()])

    def clear(self) -> None:
        """Forget all of them."""
        self._drop(list(self._views))

    def _drop(self, names: Iterable[frozenset[str]]) -> None:
        for held in names:
            self._let_go(self._views.pop(held))

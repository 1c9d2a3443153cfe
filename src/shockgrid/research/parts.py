"""One class group ready to be priced on a grid: its series by underlying, and rows of weights over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends.contract import Backend, Series
from shockgrid.engine import ClassGroup
from shockgrid.market import Market
from shockgrid.market_series import series
from shockgrid.research.grids import Grid
from shockgrid.states import States

#: leverage of an underlying -> the states it is priced in
Laid: TypeAlias = Callable[[float], States]


@dataclass(frozen=True)
class Part:
    """The n held instruments of a class group, cut by underlying, and L rows of weights over them."""

    series: tuple[Series, ...]
    leverages: tuple[float, ...]  #: of each underlying
    weights: Any  #: CSR [L, n], quantity x multiplier x FX

    @classmethod
    def of(cls, group: ClassGroup, market: Market, weights: Any) -> Part:
        """The class group with these rows of weights [L, n] in place of its leaves."""
        leverages = tuple(float(market.underlyings.leverages[owner]) for owner, _ in group.sections)
        found = tuple(series(market, group.instruments[rows]) for _, rows in group.sections)
        return cls(found, leverages, weights)

    def of_rows(self, rows: Codes) -> Part:
        """Some of its rows, ascending, with the instruments that they hold and no others."""
        if len(rows) == self.weights.shape[0]:
            return self
        chosen = self.weights[rows]
        held = np.zeros(self.weights.shape[1], np.bool_)
        held[chosen.indices] = True
        return Part(self.series, self.leverages, chosen).of_columns(held)

    def of_columns(self, kept: Mask) -> Part:
        """Some of its instruments [n], under all rows."""
        if kept.all():
            return self
        places = np.cumsum(kept) - 1
        inside = kept[self.weights.indices]
        starts = np.concatenate([[0], np.cumsum(inside)])[self.weights.indptr]
        shape = (self.weights.shape[0], int(kept.sum()))
        own = (self.weights.data[inside], places[self.weights.indices[inside]], starts)
        cuts = np.cumsum([0, *(len(part) for part in self.series)])
        masks = [kept[low:high] for low, high in pairwise(cuts)]
        some = [place for place, mask in enumerate(masks) if mask.any()]
        return Part(
            tuple(self.series[place].take(np.flatnonzero(masks[place])) for place in some),
            tuple(self.leverages[place] for place in some),
            sparse.csr_matrix(own, shape=shape),
        )

    def pnl(self, laid: Laid, count: int, backend: Backend) -> Floats:
        """P&L [L, count] in the states laid over each underlying, gain > 0."""
        if not self.series:
            return np.zeros((self.weights.shape[0], count))
        sections = [(one, laid(lever)) for one, lever in zip(self.series, self.leverages, strict=True)]
        return np.asarray(backend.get(backend.risk_arrays(sections, self.weights)), np.float64)

    def cells(self, grid: Grid, cells: Codes, backend: Backend) -> Floats:
        """P&L [L, len(cells)] in some cells of the grid: the exact figures."""
        return self.pnl(lambda leverage: grid.cells(leverage, cells), len(cells), backend)

"""P&L of one unit of each instrument under one side's scenarios, priced when first asked for."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from shockgrid.arrays import Codes, Floats, run_starts
from shockgrid.market import Market
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.revaluation import risk_arrays

KEPT_ELEMENTS = 2**22  #: doubles of P&L that are remembered: 32 MB
SUMMED_ELEMENTS = 2**18  #: doubles of weighted P&L at a time: 2 MB


class UnitRows:
    """Rows [n, S] of P&L per unit of price, before scenario weights; forgotten once the market changes."""

    def __init__(self) -> None:
        self._market: Market | None = None
        self._rows: Floats = np.zeros((0, 0))
        self._places: Codes = np.zeros(0, np.intp)
        self._count = 0

    def of(self, evaluator: Evaluator, instruments: Codes) -> tuple[Floats, Codes]:
        """Rows, and the place of each of these instruments among them."""
        market = evaluator.plan.market
        if self._market is not market or self._rows.size > KEPT_ELEMENTS:
            self._market, self._count = market, 0
            self._places = np.full(len(market.instruments.symbols), -1, np.intp)
            self._rows = np.zeros((0, len(evaluator.scenarios)))
        places = self._places[instruments]
        if len(places) and places.min() < 0:
            self._price(evaluator, np.unique(instruments[places < 0]))
            places = self._places[instruments]
        return self._rows, places

    def _price(self, evaluator: Evaluator, fresh: Codes) -> None:
        market = evaluator.plan.market
        owners = market.instruments.underlyings[fresh]  # ascending, like the instruments
        starts = np.flatnonzero(run_starts(owners))
        parts = np.split(fresh, starts[1:])
        sections = [(int(owners[start]), part) for start, part in zip(starts, parts, strict=True)]
        ones = sparse.identity(len(fresh), format="csr")
        rows = risk_arrays(sections, market, evaluator.states, ones, evaluator.backend)
        first, self._count = self._count, self._count + len(fresh)
        if self._count > len(self._rows):  # twice as long each time, so that little is copied
            grown = np.empty((max(self._count, 2 * len(self._rows)), rows.shape[1]))
            grown[:first] = self._rows[:first]
            self._rows = grown
        self._rows[first : self._count] = rows
        self._places[fresh] = np.arange(first, self._count)


def leaf_sums(rows: Floats, places: Codes, weights: Floats, leaf_of: Codes, count: int) -> Floats:
    """P&L [count, S] of leaves: their positions' weights times ``rows`` at ``places``, summed in their order.

    ``leaf_of`` ascends. Product and sum are rounded each by itself, as ``kernels/aggregate.h`` does it, one
    position of every leaf at a time, so that a leaf's sum does not depend on any other.
    """
    sums = np.zeros((count, rows.shape[1]))
    starts = np.searchsorted(leaf_of, np.arange(count + 1))
    step = max(1, SUMMED_ELEMENTS // max(1, rows.shape[1]))
    low = 0
    while low < count:
        high = max(low + 1, int(np.searchsorted(starts, starts[low] + step, side="right")) - 1)
        _sum(sums[low:high], rows, places, weights, starts[low : high + 1])
        low = high
    return sums


def _sum(sums: Floats, rows: Floats, places: Codes, weights: Floats, starts: Codes) -> None:
    lengths = np.diff(starts)
    part = slice(int(starts[0]), int(starts[-1]))
    products = rows[places[part]]
    products *= weights[part, None]
    if len(lengths) == 1:
        for product in products:
            sums[0] += product
        return
    firsts = starts[:-1] - starts[0]
    for rank in range(int(lengths.max(initial=0))):
        longer = np.flatnonzero(lengths > rank)
        sums[longer] += products[firsts[longer] + rank]

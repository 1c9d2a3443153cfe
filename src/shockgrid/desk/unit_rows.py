"""P&L of one unit of each instrument under one side's scenarios, priced when first asked for."""

from __future__ import annotations

from typing import Any

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
        self._places: Codes = np.zeros(0, np.intp)  #: [N] of each instrument among the rows, -1 without one
        self._priced: list[Codes] = []  #: instruments that have rows
        self._ones: dict[int, Any] = {}  #: size -> identity matrix
        self._count = 0

    def of(self, evaluator: Evaluator, instruments: Codes) -> tuple[Floats, Codes]:
        """Rows, and the place of each of these instruments among them."""
        market = evaluator.plan.market
        if self._market is not market or self._rows.size > KEPT_ELEMENTS:
            self._forget(market, len(evaluator.scenarios))
        places = self._places[instruments]
        if len(places) and places.min() < 0:
            self._price(evaluator, _distinct(instruments[places < 0]))
            places = self._places[instruments]
        return self._rows, places

    def _forget(self, market: Market, scenarios: int) -> None:
        if len(self._places) == len(market.instruments.symbols):
            for instruments in self._priced:
                self._places[instruments] = -1
        else:
            self._places = np.full(len(market.instruments.symbols), -1, np.intp)
        if self._rows.shape[1] != scenarios or self._rows.size > KEPT_ELEMENTS:
            self._rows = np.zeros((0, scenarios))
        self._market, self._count, self._priced = market, 0, []

    def _price(self, evaluator: Evaluator, fresh: Codes) -> None:
        market = evaluator.plan.market
        owners = market.instruments.underlyings[fresh]  # ascending, like the instruments
        starts = np.flatnonzero(run_starts(owners))
        parts = np.split(fresh, starts[1:])
        sections = [(int(owners[start]), part) for start, part in zip(starts, parts, strict=True)]
        if len(fresh) not in self._ones:
            self._ones[len(fresh)] = sparse.identity(len(fresh), format="csr")
        ones = self._ones[len(fresh)]
        rows = risk_arrays(sections, market, evaluator.states, ones, evaluator.backend)
        first, self._count = self._count, self._count + len(fresh)
        if self._count > len(self._rows):  # twice as long each time, so that little is copied
            grown = np.empty((max(self._count, 2 * len(self._rows)), rows.shape[1]))
            grown[:first] = self._rows[:first]
            self._rows = grown
        self._rows[first : self._count] = rows
        self._places[fresh] = np.arange(first, self._count)
        self._priced.append(fresh)


def _distinct(instruments: Codes) -> Codes:
    """Instruments, each once, ascending."""
    kept = instruments[run_starts(instruments)]
    return kept if (kept[1:] > kept[:-1]).all() else np.unique(kept)


def leaf_sums(rows: Floats, places: Codes, weights: Floats, starts: Codes) -> Floats:
    """P&L [L, S] of leaves: their positions' weights times ``rows`` at ``places``, summed in their order.

    ``starts`` [L + 1] are where the positions of each leaf start. Product and sum are rounded each by itself,
    as ``kernels/aggregate.h`` does it, one position of every leaf at a time, so that a leaf's sum does not
    depend on any other.
    """
    count = len(starts) - 1
    sums = np.zeros((count, rows.shape[1]))
    step = max(1, SUMMED_ELEMENTS // max(1, rows.shape[1]))
    low = 0
    while low < count:
        high = max(low + 1, int(np.searchsorted(starts, starts[low] + step, side="right")) - 1)
        _sum(sums[low:high], rows, places, weights, starts[low : high + 1])
        low = high
    return sums


def _sum(sums: Floats, rows: Floats, places: Codes, weights: Floats, starts: Codes) -> None:
    part = slice(int(starts[0]), int(starts[-1]))
    products = rows[places[part]]
    products *= weights[part, None]
    if len(sums) == 1 and sums.shape[1] > 1:  # a single column would be added up pairwise
        np.add.reduce(products, axis=0, out=sums[0], initial=0.0)
        return
    lengths, firsts = np.diff(starts), starts[:-1] - starts[0]
    for rank in range(int(lengths.max(initial=0))):
        longer = np.flatnonzero(lengths > rank)
        sums[longer] += products[firsts[longer] + rank]

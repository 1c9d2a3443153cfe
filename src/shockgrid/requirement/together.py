"""Class groups priced together: their rows of P&L and one unit of each of their instruments in one call."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from scipy import sparse

from shockgrid.arrays import Floats
from shockgrid.backends.contract import Backend
from shockgrid.engine import ClassGroup, Plan
from shockgrid.market_states import MarketStates
from shockgrid.revaluation import risk_arrays


def rows_and_units(
    groups: Sequence[ClassGroup],
    weights: Sequence[Any],
    plan: Plan,
    states: MarketStates,
    backend: Backend,
    values: Floats,
) -> list[tuple[Floats, Floats]]:
    """P&L [E, S] of the rows of each class group, and [n, S] of one unit of each of its instruments.

    ``weights`` are one CSR matrix [E, n] a class group, over its instruments; ``values`` [N] model values.
    Before scenario weights; units are per unit of price (before quantity, multiplier and FX).
    """
    sections = [(owner, group.instruments[rows]) for group in groups for owner, rows in group.sections]
    matrix = _stacked(weights)
    size = matrix.shape[1]
    every = sparse.vstack([matrix, sparse.eye_array(size, format="csr")], format="csr")
    pnl = risk_arrays(sections, plan.market, states, every, backend, plan.laid, values)
    rows = accumulate((part.shape[0] for part in weights), initial=0)
    units = accumulate((part.shape[1] for part in weights), initial=matrix.shape[0])
    return [
        (pnl[slice(*own)], pnl[slice(*unit)])
        for own, unit in zip(pairwise(rows), pairwise(units), strict=True)
    ]


def _stacked(weights: Sequence[Any]) -> Any:
    """The matrices along the diagonal of one, [sum of E, sum of n]."""
    first = np.cumsum([0, *(part.shape[1] for part in weights)])
    entries = np.cumsum([0, *(part.nnz for part in weights)])
    return sparse.csr_array(
        (
            np.concatenate([part.data for part in weights]),
            np.concatenate([part.indices + low for part, low in zip(weights, first, strict=False)]),
            np.concatenate(
                [[0], *(part.indptr[1:] + low for part, low in zip(weights, entries, strict=False))]
            ),
        ),
        shape=(sum(part.shape[0] for part in weights), int(first[-1])),
    )

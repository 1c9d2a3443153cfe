"""``Backend.worst`` on a device: each leaf's lowest P&L and its scenario come back, its row does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from shockgrid.backends._numpy import WORST_ELEMENTS
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.plain_worst import plain_worst, require_fit

if TYPE_CHECKING:
    from shockgrid.backends._cupy import CupyBackend


def device_worst(backend: CupyBackend, batch: Batch, reduced: int, units: bool) -> Worst:
    """See ``Backend.worst``. Weighted scenarios, and batches of nothing, go by way of rows on the host."""
    if batch.scenario_weights is not None or not len(batch):
        return plain_worst(backend, batch, reduced, units, WORST_ELEMENTS)
    require_fit(batch, reduced)
    leaves, instruments = batch.leaves, batch.instruments
    count, held = leaves.stop - leaves.start, instruments.stop - instruments.start if units else 0
    own = batch.matrix(units=units)
    rows = sparse.vstack([own, -own[count:]], format="csr") if units else own  # held long, then held short
    sections = batch.sections()
    first = [(series, states.block(0, reduced)) for series, states in sections]
    lowest, scenarios = (backend.get(part) for part in backend.lowest(first, rows))
    rest = np.empty((count, 0))
    if reduced < batch.scenarios:
        last = [(series, states.block(reduced, batch.scenarios)) for series, states in sections]
        rest = np.asarray(backend.get(backend.risk_arrays(last, own[:count])))
    losses = np.maximum(-lowest, 0.0) + 0.0
    found = scenarios[:count].astype(np.intp)
    return Worst(losses[:count], found, rest, losses[count : count + held], losses[count + held :])

"""What the leaves of one class group and their positions come to beside the P&L of the leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from scipy import sparse

from shockgrid.arrays import Floats
from shockgrid.engine import ClassGroup, Plan


def minimum_charges(group: ClassGroup, plan: Plan, rate: float) -> Floats:
    """The least charge [L] of each leaf, in the base currency, on its net option contracts."""
    held, table = plan.positions, plan.market.instruments
    if rate == 0.0:
        return np.zeros(len(group.leaves))
    rows = group.instruments
    rates = plan.market.spot_rates()[table.underlyings[rows]]
    per_contract = rate * (table.multipliers[rows] * rates * table.is_option[rows])
    net = sparse.csr_matrix(
        (held.quantities[group.positions], group.position_columns, group.weights.indptr),
        shape=group.weights.shape,
        copy=True,  # summing duplicates works in place
    )
    net.sum_duplicates()
    charges: Floats = abs(net) @ per_contract
    return charges


def stand_alone(
    group: ClassGroup,
    weights: Floats,
    blocks: Iterable[tuple[slice, Floats]],
    losses_of: Callable[[slice, Floats], tuple[Floats, Floats]],
) -> Floats:
    """The loss [P] of each position by itself, in the base currency, not below zero.

    ``weights`` [P] are signed; ``blocks`` cut the instruments and their unit P&L [block, S], of which
    ``losses_of`` finds the losses [block] of one unit held long and of one held short.
    """
    count = len(group.instruments)
    both = np.zeros(2 * count)  # held long, then held short
    long, short = both[:count], both[count:]
    for block, pnl in blocks:
        long[block], short[block] = losses_of(block, pnl)
    losses: Floats = both[group.position_columns + count * (weights <= 0.0)]
    losses *= np.abs(weights)
    return losses

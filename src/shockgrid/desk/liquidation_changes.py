"""Candidates: changes of quantity of margin groups, and what they come to."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.desk.liquidation_copies import runs

SIDES: Final[tuple[Literal["left"], Literal["right"]]] = ("left", "right")


class Changes(NamedTuple):
    """K candidates, each a change of quantities of one margin group; Z single changes, none twice."""

    owners: Codes  #: [K] margin group
    candidates: Codes  #: [Z] ascending
    positions: Codes  #: [Z]
    amounts: Floats  #: [Z] signed change of quantity

    def take(self, chosen: Codes) -> Changes:
        """The candidates at these places, in this order."""
        first, last = (np.searchsorted(self.candidates, chosen, side=side) for side in SIDES)
        places, counts = runs(first, last)
        renumbered = np.repeat(np.arange(len(chosen)), counts)
        return Changes(self.owners[chosen], renumbered, self.positions[places], self.amounts[places])


def unchanged(owners: Codes) -> Changes:
    """These margin groups as they are."""
    nobody = np.zeros(0, np.intp)
    return Changes(owners, nobody, nobody, np.zeros(0))


class Outcomes(NamedTuple):
    """Requirements [K] in the currency of each candidate's margin group."""

    exchange: Floats  #: NaN where the program has no such side
    house: Floats
    tail_losses: Floats  #: loss at the worst of -50 .. +50 %, every name alike; NaN from the sparse way

    @property
    def requirement(self) -> Floats:
        """The greater of both sides."""
        return np.fmax(self.exchange, self.house)

"""Many class groups at once, and the worst loss of each of their leaves.

What a whole-firm question needs is one number a leaf, not a row of them: ``Backend.worst`` sums the rows
[L, S] a tile at a time, reduces and drops them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.contract import Series
from shockgrid.backends.remembered import Remembered
from shockgrid.states import States

#: A price takes about as long as adding so many positions to their leaves.
POSITIONS_A_PRICE = 16


@dataclass(frozen=True)
class Batch:
    """G class groups one after another: their instruments by underlying, their leaves and positions.

    All starts count from the start of the columns, which ``part`` leaves whole. A leaf's positions stand by
    instrument, and are added up in that order.
    """

    series: Series  #: [H]
    section_starts: Codes  #: [K + 1] first instrument of each underlying
    states: tuple[States, ...]  #: the distinct ones, all with the same S
    section_states: Codes  #: [K] into them
    group_sections: Codes  #: [G + 1] first underlying of each class group
    group_leaves: Codes  #: [G + 1] first leaf of each class group
    leaf_positions: Codes  #: [L + 1] first position of each leaf
    columns: NDArray[np.int32]  #: [P] place of its instrument in its class group; ascending in a leaf
    weights: Floats  #: [P] signed quantity x multiplier x FX
    scenario_weights: Floats | None = None  #: [G, S] factors on the P&L; None where all are 1
    #: what a backend need not find again where terms, vols and rules stay as they were
    remembered: Remembered = field(default_factory=Remembered, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.group_sections) - 1

    @property
    def scenarios(self) -> int:
        """S."""
        return len(self.states[0].index) if self.states else 0

    @property
    def leaves(self) -> slice:
        """The leaves of these class groups."""
        return slice(int(self.group_leaves[0]), int(self.group_leaves[-1]))

    @property
    def instruments(self) -> slice:
        """The instruments of these class groups."""
        low, high = self.section_starts[self.group_sections[[0, -1]]]
        return slice(int(low), int(high))

    def matrix(self, *, units: bool) -> Any:
        """CSR weights of the leaves over the instruments; with ``units`` one of each below them."""
        leaves, instruments = self.leaves, self.instruments
        pointers = self.leaf_positions[leaves.start : leaves.stop + 1]
        rows = slice(int(pointers[0]), int(pointers[-1]))
        starts = self.section_starts[self.group_sections] - instruments.start
        positions = np.diff(self.leaf_positions[self.group_leaves])
        columns = self.columns[rows] + np.repeat(starts[:-1], positions)
        size = instruments.stop - instruments.start
        shape = (leaves.stop - leaves.start, size)
        matrix = sparse.csr_array((self.weights[rows], columns, pointers - pointers[0]), shape=shape)
        if not units:
            return matrix
        return sparse.vstack([matrix, sparse.eye_array(size, format="csr")], format="csr")

    def part(self, first: int, last: int) -> Batch:
        """Class groups ``first`` to ``last - 1`` alone."""
        weights = self.scenario_weights
        return replace(
            self,
            group_sections=self.group_sections[first : last + 1],
            group_leaves=self.group_leaves[first : last + 1],
            scenario_weights=None if weights is None else weights[first:last],
        )

    def sections(self) -> list[tuple[Series, States]]:
        """The instruments and states of all underlyings, neighbours with the same states together."""
        low, high = int(self.group_sections[0]), int(self.group_sections[-1])
        changes = np.flatnonzero(np.diff(self.section_states[low:high])) + low + 1
        edges = [low, *changes.tolist(), high] if high > low else []
        return [
            (
                self.series.take(slice(int(self.section_starts[first]), int(self.section_starts[last]))),
                self.states[self.section_states[first]],
            )
            for first, last in pairwise(edges)
        ]

    def cut(self, parts: int) -> list[Batch]:
        """The same in about so many parts of about the same work: prices and sums."""
        positions = self.leaf_positions[self.group_leaves]
        work = self.section_starts[self.group_sections] * POSITIONS_A_PRICE + positions
        goals = np.linspace(work[0], work[-1], parts + 1)[1:-1]
        edges = np.unique(np.concatenate([[0], np.searchsorted(work, goals), [len(self)]]))
        return [self.part(int(low), int(high)) for low, high in pairwise(edges)]


class Worst(NamedTuple):
    """What the leaves and the instruments of a batch come to."""

    losses: Floats  #: [L] the greatest loss of each leaf over the reduced scenarios, not below zero
    scenarios: Codes  #: [L] the scenario it falls in, the lowest on a tie
    rest: Floats  #: [L, S - reduced] P&L in the scenarios that are not reduced, gain > 0
    longs: Floats  #: [H] the greatest loss of one unit of each instrument held long; empty if not asked for
    shorts: Floats  #: [H] and held short

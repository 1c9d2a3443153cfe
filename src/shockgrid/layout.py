"""The columns of a plan, laid out once: all held instruments in canonical order, and where each group stands.

Positions stand by class group, margin group, instrument and account, instruments by class group and their row
in the market. So the instruments of an underlying or of a class group, and the leaves and the positions of a
class group, are each one slice.

    class groups   |        0         |     1     |    ``group_sections``, ``group_leaves``
    underlyings    |   AMD   |  AMD1  |    SPY    |    ``section_starts``
    instruments    | . . . . | . . .  | . . . . . |    ``instruments``, ``series``
    leaves         | A |  B  | C |  D |  A  |  C  |    ``leaves``, ``leaf_positions``
    positions      |. .|. . .| . |. . | . . |. . .|    ``columns``, ``weights``
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.batch import Batch
from shockgrid.backends.contract import Series
from shockgrid.backends.remembered import Remembered
from shockgrid.market import Market
from shockgrid.market_series import series
from shockgrid.market_states import MarketStates


@dataclass(frozen=True)
class Layout:
    """P positions in canonical order: G class groups of K underlyings, H instruments and L leaves."""

    market: Market
    instruments: Codes  #: [H] rows of Market.instruments
    underlyings: Codes  #: [K] rows of Market.underlyings
    section_starts: Codes  #: [K + 1] first instrument of each underlying, and H
    group_sections: Codes  #: [G + 1] first underlying of each class group, and K
    group_leaves: Codes  #: [G + 1] first leaf of each class group, and L
    leaves: Codes  #: [L] margin-group code
    leaf_positions: Codes  #: [L + 1] first position of each leaf, and P
    columns: NDArray[np.int32]  #: [P] place of each position's instrument in its class group
    weights: Floats  #: [P] quantity x multiplier x FX
    #: see ``Batch``; outlives a replaced market, of which it holds nothing that may have changed
    remembered: Remembered = field(default_factory=Remembered, repr=False, compare=False)

    @classmethod
    def of(
        cls, market: Market, families: Codes, margin_groups: Codes, instruments: Codes, weights: Floats
    ) -> Layout:
        """Lay out positions [P] that stand in canonical order; ``families`` are class-group codes."""
        owners = market.instruments.underlyings
        starts = _starts(families)
        leaf_starts = _starts(families, margin_groups)
        family_of = np.full(len(owners), -1, np.intp)
        family_of[instruments] = families
        held = np.flatnonzero(family_of >= 0)
        held = held[np.argsort(family_of[held], kind="stable")]
        places = np.empty(len(owners), np.intp)
        places[held] = np.arange(len(held))
        sections = _starts(family_of[held], owners[held])
        group_columns = _starts(family_of[held])
        sizes = np.diff(starts)
        columns = places[instruments] - np.repeat(group_columns[:-1], sizes)
        return cls(
            market=market,
            instruments=held,
            underlyings=owners[held[sections[:-1]]],
            section_starts=sections,
            group_sections=np.searchsorted(sections, group_columns),
            group_leaves=np.searchsorted(leaf_starts, starts),
            leaves=margin_groups[leaf_starts[:-1]],
            leaf_positions=leaf_starts,
            columns=columns.astype(np.int32),
            weights=weights,
        )

    @cached_property
    def series(self) -> Series:
        """The columns of the held instruments, [H]."""
        return series(self.market, self.instruments)

    @cached_property
    def group_columns(self) -> Codes:
        """[G + 1] first instrument of each class group, and H."""
        return self.section_starts[self.group_sections]

    @cached_property
    def places(self) -> Codes:
        """[N] where each row of Market.instruments is laid out; H for what nobody holds."""
        places = np.full(len(self.market.instruments.symbols), len(self.instruments), np.intp)
        places[self.instruments] = np.arange(len(self.instruments))
        return places

    def take(self, rows: Codes) -> Series:
        """``series`` of these rows of Market.instruments: a slice of what is laid out where they are one."""
        first = int(self.places[rows[0]]) if len(rows) else 0
        part = slice(first, first + len(rows))
        if np.array_equal(self.instruments[part], rows):
            return self.series.take(part)
        return series(self.market, rows)

    @cached_property
    def held_places(self) -> Codes:
        """[P] where each position's instrument is laid out."""
        starts = self.group_columns[:-1]
        sizes = np.diff(self.leaf_positions[self.group_leaves])
        return np.asarray(self.columns + np.repeat(starts, sizes), np.intp)

    def part(self, first: int, last: int, market: Market) -> Layout:
        """Class groups ``first`` to ``last - 1`` alone, over this market: one with the same instruments."""
        sections = slice(*self.group_sections[[first, last]].tolist())
        leaves = slice(*self.group_leaves[[first, last]].tolist())
        columns = slice(*self.section_starts[[sections.start, sections.stop]].tolist())
        rows = slice(*self.leaf_positions[[leaves.start, leaves.stop]].tolist())
        groups = slice(first, last + 1)
        return Layout(
            market=market,
            instruments=self.instruments[columns],
            underlyings=self.underlyings[sections],
            section_starts=self.section_starts[sections.start : sections.stop + 1] - columns.start,
            group_sections=self.group_sections[groups] - sections.start,
            group_leaves=self.group_leaves[groups] - leaves.start,
            leaves=self.leaves[leaves],
            leaf_positions=self.leaf_positions[leaves.start : leaves.stop + 1] - rows.start,
            columns=self.columns[rows],
            weights=self.weights[rows],
        )

    def batch(self, states: MarketStates) -> Batch:
        """All class groups under these states, ready for ``Backend.worst``."""
        found, codes = states.distinct(self.underlyings)
        first = self.underlyings[self.group_sections[:-1]]
        return Batch(
            series=self.series,
            section_starts=self.section_starts,
            states=found,
            section_states=codes,
            group_sections=self.group_sections,
            group_leaves=self.group_leaves,
            leaf_positions=self.leaf_positions,
            columns=self.columns,
            weights=self.weights,
            scenario_weights=states.weights[first] if states.weighted else None,
            remembered=self.remembered,
        )

    def sections(self, group: int) -> tuple[tuple[int, slice], ...]:
        """(underlying, its slice of the class group's instruments) of one class group."""
        low, high = self.group_sections[group], self.group_sections[group + 1]
        cuts = (self.section_starts[low : high + 1] - self.section_starts[low]).tolist()
        owners = self.underlyings[low:high].tolist()
        return tuple((owner, slice(*cut)) for owner, cut in zip(owners, pairwise(cuts), strict=True))


def _starts(*codes: Codes) -> Codes:
    """Where runs of equal codes start, and their length at the end."""
    size = len(codes[0])
    changes = np.zeros(max(size - 1, 0), np.bool_)
    for column in codes:
        changes |= column[1:] != column[:-1]
    first = np.zeros(min(size, 1), np.intp)
    return np.concatenate([first, np.flatnonzero(changes) + 1, np.array([size], np.intp)])

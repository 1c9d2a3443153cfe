"""Who holds what, cut into leaves (margin group x class group) and parts: what one step can change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shockgrid.arrays import Codes
from shockgrid.desk.liquidation_copies import family_codes, portfolio_codes
from shockgrid.engine import Plan


@dataclass(frozen=True)
class Leaves:
    """L leaves in Q parts of M margin groups, all in the order of ``order``.

    A part is what a margin group holds in one portfolio group; where the regime takes one joint worst over
    everything, it is all that the margin group holds.
    """

    order: Codes  #: [P] positions, margin group by margin group, in canonical order
    leaf_of: Codes  #: [P] leaf of each position
    owners: Codes  #: [L] margin group
    classes: Codes  #: [L] class group
    parts: Codes  #: [L]
    starts: Codes  #: [L + 1] first place of each leaf in ``order``, and P
    part_owners: Codes  #: [Q]
    part_leaves: Codes  #: [Q + 1] first leaf of each part, and L
    part_positions: Codes  #: [Q + 1] first place in ``order``, and P
    owner_parts: Codes  #: [M + 1] first part of each margin group, and Q

    @classmethod
    def of(cls, plan: Plan, order: Codes, joint: bool) -> Leaves:
        """Cut a plan; ``order`` are its positions by margin group, in canonical order within each."""
        owners = plan.positions.margin_groups[order]
        classes = family_codes(plan)[order]
        portfolios = np.zeros(len(order), np.intp) if joint else portfolio_codes(plan)[order]
        leaf_starts, leaf_at = _runs_of(owners, classes)
        part_starts, part_at = _runs_of(owners, portfolios)
        leaf_of = np.empty(len(order), np.intp)
        leaf_of[order] = leaf_at
        parts = part_at[leaf_starts]
        part_owners = owners[part_starts]
        return cls(
            order=order,
            leaf_of=leaf_of,
            owners=owners[leaf_starts],
            classes=classes[leaf_starts],
            parts=parts,
            starts=np.append(leaf_starts, len(order)),
            part_owners=part_owners,
            part_leaves=np.searchsorted(parts, np.arange(len(part_starts) + 1)),
            part_positions=np.append(part_starts, len(order)),
            owner_parts=np.searchsorted(part_owners, np.arange(len(plan.margin_groups) + 1)),
        )

    @cached_property
    def _keys(self) -> tuple[Codes, int]:
        """Part and class group of each leaf as one number, ascending, and how far parts are apart."""
        width = int(self.classes.max(initial=0)) + 1
        return self.parts * width + self.classes, width

    def holding(self, parts: Codes, code: int) -> Codes:
        """The leaf of each of these parts in a class group; -1 where there is none."""
        keys, width = self._keys
        wanted = parts * width + code
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[place] == wanted, place, -1)


def _runs_of(first: Codes, second: Codes) -> tuple[Codes, Codes]:
    """Where runs of equal pairs start, and the number of the run of each row."""
    changes = np.ones(len(first), np.bool_)
    changes[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return np.flatnonzero(changes), np.cumsum(changes) - 1

"""What was looked at: steps, candidates with what they come to, and which of them lead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_actions import Actions, sized

SHORTLIST = 6  #: actions of each kind (best score, cheapest cure) looked at in all sizes


@dataclass(frozen=True)
class Step:
    """One action at one size."""

    positions: Codes
    totals: Floats
    levels: int
    level: int
    score: float

    @cached_property
    def amounts(self) -> Floats:
        """Signed change of each position."""
        return sized(self.totals, self.level / self.levels)

    @property
    def smaller(self) -> Floats:
        """The same one size smaller."""
        return sized(self.totals, (self.level - 1) / self.levels)

    def table(self, owner: int = 0) -> Actions:
        """The action as a table of one."""
        starts = np.array([0, len(self.positions)])
        return Actions(np.array([owner]), starts, self.positions, self.totals, np.array([self.levels]))


class Assessed(NamedTuple):
    """What K candidates come to, in the currency of their margin groups."""

    relief: Floats  #: fall of requirement - equity
    weights: Floats  #: what the objective divides by
    costs: Floats
    requirements: Floats
    beyond: Floats  #: excess above the buffer; at least 0 where it cures
    opened: Mask  #: leaves more short options uncovered
    allowed: Mask  #: relieves and opens nothing

    @property
    def cured(self) -> Mask:
        """Whether the excess reaches the buffer."""
        reached: Mask = self.beyond >= 0.0
        return reached


class Found(NamedTuple):
    """Actions looked at, and candidate (action, level) pairs assessed."""

    actions: Actions
    chosen: Codes
    levels: Codes
    assessed: Assessed

    def step(self, candidate: int, score: float) -> Step:
        """One candidate as a step."""
        one = self.actions.take(self.chosen[candidate : candidate + 1])
        return Step(one.positions, one.totals, int(one.levels[0]), int(self.levels[candidate]), score)


def promising(found: Found) -> Codes:
    """The actions that score best and those that cure for least, of each margin group; ascending."""
    count, assessed = len(found.actions.owners), found.assessed
    scores, prices = np.full(count, -np.inf), np.full(count, np.inf)
    good = assessed.allowed
    np.maximum.at(scores, found.chosen[good], (assessed.relief / assessed.weights)[good])
    cures = good & assessed.cured
    np.minimum.at(prices, found.chosen[cures], assessed.weights[cures])
    owners = found.actions.owners
    wanted = np.zeros(count, np.bool_)
    wanted[leading(owners, -scores)] = True
    wanted[leading(owners, prices)] = True
    return np.flatnonzero(wanted)


def leading(owners: Codes, keys: Floats, count: int = SHORTLIST) -> Codes:
    """The ``count`` rows with the least key of each margin group, the first ones on a tie; none at inf."""
    order = np.lexsort((np.arange(len(keys)), keys, owners))
    ranks = np.arange(len(order)) - np.searchsorted(owners[order], owners[order])
    chosen: Codes = order[(ranks < count) & (keys[order] < np.inf)]
    return chosen

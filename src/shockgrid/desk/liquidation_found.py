"""What was looked at: steps, candidates with what they come to, and which of them lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_actions import Actions, sized

AS_GOOD = 1e-2  #: a larger size is taken where its score is within this share of the best
SHORTLIST = 6  #: actions of each kind (best score, cheapest cure) looked at in all sizes
AHEAD = 3  #: steps of a margin group that are foreseen
LONGLIST = 36  #: the same where few margin groups are left, so that the next steps find them known


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
    return _any_of(found, SHORTLIST, _keys(found))


def possible(found: Found) -> Codes:
    """The actions that may become promising as the deficit shrinks: more of them, and those that relieve
    most; ascending."""
    relief, good = np.full(len(found.actions.owners), -np.inf), found.assessed.allowed
    np.maximum.at(relief, found.chosen[good], found.assessed.relief[good])
    return _any_of(found, LONGLIST, (*_keys(found), -relief))


def _keys(found: Found) -> tuple[Floats, Floats]:
    """Of every action its best score, turned round, and the least for which it cures; inf without."""
    count, assessed = len(found.actions.owners), found.assessed
    scores, prices = np.full(count, -np.inf), np.full(count, np.inf)
    good = assessed.allowed
    np.maximum.at(scores, found.chosen[good], (assessed.relief / assessed.weights)[good])
    cures = good & assessed.cured
    np.minimum.at(prices, found.chosen[cures], assessed.weights[cures])
    return -scores, prices


def _any_of(found: Found, count: int, keys: Sequence[Floats]) -> Codes:
    owners = found.actions.owners
    wanted = np.zeros(len(owners), np.bool_)
    for each in keys:
        wanted[leading(owners, each, count)] = True
    return np.flatnonzero(wanted)


def likely(found: Found, parts: Codes, touched: Codes) -> Codes:
    """The candidates with the best scores, one of a part, in the largest size that is as good; ``AHEAD`` of
    each margin group.

    ``parts`` [K] are those of the candidates, ascending; of the ``touched`` ones none is taken.
    """
    assessed = found.assessed
    free = assessed.allowed & ~np.isin(parts, touched)
    scores = np.where(free, assessed.relief / assessed.weights, -np.inf)
    best = leading(parts, -scores, 1)
    best = best[leading(found.actions.owners[found.chosen[best]], -scores[best], AHEAD)]
    same = [
        np.flatnonzero((found.chosen == found.chosen[at]) & (scores >= scores[at] * (1.0 - AS_GOOD)))
        for at in best
    ]
    return np.array([rows[-1] for rows in same], np.intp)


def leading(owners: Codes, keys: Floats, count: int = SHORTLIST) -> Codes:
    """The ``count`` rows with the least key of each margin group, the first ones on a tie; none at inf."""
    if len(keys) > count and owners[0] == owners[-1] and (owners == owners[0]).all():
        most = keys.min() if count == 1 else np.partition(keys, count - 1)[count - 1]
        few = (keys <= most).nonzero()[0]
        first: Codes = few[keys[few].argsort(kind="stable")[:count]]
        return first[keys[first] < np.inf]
    order = np.lexsort((keys, owners))  # stable: the first ones on a tie
    ranks = np.arange(len(order)) - np.searchsorted(owners[order], owners[order])
    chosen: Codes = order[(ranks < count) & (keys[order] < np.inf)]
    return chosen

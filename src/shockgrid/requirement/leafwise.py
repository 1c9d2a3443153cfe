"""Add-ons that follow from a few numbers of each leaf: what a change of one leaf makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.market import Market

Replaced: TypeAlias = Callable[[Codes, Floats], Floats]


class LeafRows(NamedTuple):
    """G leaves (margin group x class group), each as a margin group of its own."""

    size: int  #: G
    tagged: Mapping[str, Floats]  #: tag -> P&L [G, scenarios with that tag], for every tag but "standard"
    uncovered: Any  #: ``add_ons.Uncovered`` of these margin groups for an add-on that asks for it, else None
    market: Market


@dataclass(frozen=True)
class Leafwise:
    """An add-on's figure from numbers of each leaf; a row of NaN is a leaf that holds nothing.

    Attributes
    ----------
    columns : the numbers, [G, c].
    together : columns [G, c], their margin groups [G] ascending and how many there are -> figure [M].
    replaced : the same -> function of leaves [K] and other columns for them [K, c], that gives the figure [K]
        of the leaf's margin group where that leaf alone is another.
    """

    columns: Callable[[LeafRows], Floats]
    together: Callable[[Floats, Codes, int], Floats]
    replaced: Callable[[Floats, Codes, int], Replaced]


@dataclass(frozen=True)
class Apart:
    """An add-on that charges every leaf as if nothing else were held: its figure is the sum of theirs.

    Attributes
    ----------
    holds : whether that is so in a market.
    same : the figure is one and the same number whatever is held, as a factor is.
    """

    holds: Callable[[Market], bool] = lambda market: True
    same: bool = False

    @property
    def way(self) -> Leafwise:
        """The figure from what every leaf would be charged, [G, 1]."""
        return SAME if self.same else summed(lambda rows: np.zeros(rows.size))


def _or_zero(values: Floats) -> Floats:
    return np.where(np.isnan(values), 0.0, values)


def summed(charges: Callable[[LeafRows], Floats]) -> Leafwise:
    """A figure that is the sum of a charge [G] on every leaf."""

    def together(columns: Floats, groups: Codes, size: int) -> Floats:
        sums: Floats = np.bincount(groups, _or_zero(columns[:, 0]), size).astype(np.float64)
        return sums

    def replaced(columns: Floats, groups: Codes, size: int) -> Replaced:
        before, sums = _or_zero(columns[:, 0]), together(columns, groups, size)[groups]

        def figures(leaves: Codes, after: Floats) -> Floats:
            change = _or_zero(after[:, 0]) - before[leaves]
            return np.maximum(sums[leaves] + change, 0.0)

        return figures

    return Leafwise(lambda rows: charges(rows)[:, None], together, replaced)


def _first(columns: Floats, groups: Codes, size: int) -> Floats:
    figure = np.zeros(size)
    figure[groups] = columns[:, 0]
    return figure


def _same(columns: Floats, groups: Codes, size: int) -> Replaced:
    figures = _first(columns, groups, size)[groups]
    return lambda leaves, after: figures[leaves]


SAME = Leafwise(lambda rows: np.zeros((rows.size, 1)), _first, _same)


def largest_in_full(columns: Callable[[LeafRows], Floats], names: int) -> Leafwise:
    """A figure of two columns: the first one of the ``names`` leaves where it is largest (the first leaves on
    a tie), the second one of all others."""

    def ranked(columns: Floats, groups: Codes, size: int, count: int) -> Codes:
        """Leaves [M, count] of each margin group, the largest first; -1 where there are no more."""
        held = np.flatnonzero(~np.isnan(columns[:, 0]))
        order = held[np.lexsort((-columns[held, 0], groups[held]))]
        ranks = np.arange(len(order)) - np.searchsorted(groups[order], groups[order])
        table = np.full((size, count), -1, np.intp)
        kept = ranks < count
        table[groups[order[kept]], ranks[kept]] = order[kept]
        return table

    def together(columns: Floats, groups: Codes, size: int) -> Floats:
        first = ranked(columns, groups, size, names)
        gains = np.append(columns[:, 0] - columns[:, 1], 0.0)[first].sum(axis=1)
        return np.asarray(np.bincount(groups, _or_zero(columns[:, 1]), size) + gains, np.float64)

    def replaced(columns: Floats, groups: Codes, size: int) -> Replaced:
        rest = _or_zero(columns[:, 1])
        base = np.bincount(groups, rest, size)[groups] - rest
        if names == 0:
            return lambda leaves, after: base[leaves] + _or_zero(after[:, 1])
        # of every leaf: the others that count in full without it, and which of them it may take the place of
        most = ranked(columns, groups, size, names + 1)[groups]
        own = most == np.arange(len(groups))[:, None]
        place = np.where(own.any(axis=1), own.argmax(axis=1), names)
        others = np.where(np.arange(names) < place[:, None], most[:, :names], most[:, 1:])
        last, gains = others[:, -1], np.append(columns[:, 0] - columns[:, 1], 0.0)
        certain, least = gains[others[:, :-1]].sum(axis=1), np.append(columns[:, 0], -1.0)[last]

        def figures(leaves: Codes, after: Floats) -> Floats:
            loss, narrow, limit = after[:, 0], after[:, 1], least[leaves]
            # not where the leaf is empty: NaN
            larger = (loss > limit) | ((loss == limit) & (leaves < last[leaves]))
            ending = np.where(larger, loss - narrow, gains[last][leaves])
            return np.asarray(base[leaves] + _or_zero(narrow) + certain[leaves] + ending, np.float64)

        return figures

    return Leafwise(columns, together, replaced)

"""Rows that belong to groups, laid out once so that column after column of them can be summed."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from shockgrid.arrays import Codes, Floats, Mask

FEW = 256  #: rows that are summed before a matrix of them would be made


class Grouped:
    """n rows, each of one of ``size`` groups.

    A group's sum starts at 0 and takes its rows in their order, as ``np.bincount`` does: the same bytes, at
    a third of the time where many columns have the same ``codes``.
    """

    def __init__(self, codes: Codes, size: int) -> None:
        self.codes, self.size = codes, size

    @cached_property
    def _alone(self) -> bool:
        """Whether row i is all that group i has."""
        return len(self.codes) == self.size and bool((self.codes == np.arange(self.size)).all())

    @cached_property
    def _pointers(self) -> Codes:
        return np.concatenate([[0], np.cumsum(np.bincount(self.codes, minlength=self.size))])

    @cached_property
    def _order(self) -> Codes:
        return np.argsort(self.codes, kind="stable")

    @cached_property
    def _matrix(self) -> Any:
        order, pointers = self._order.astype(np.int32), self._pointers.astype(np.int32)
        return sparse.csr_array((np.ones(len(order)), order, pointers), shape=(self.size, len(order)))

    @cached_property
    def _held(self) -> Codes:
        """The groups that have rows."""
        return np.flatnonzero(np.diff(self._pointers))

    @cached_property
    def _place(self) -> Codes:
        """Of each row in order, the place of its group among those that have rows."""
        return np.repeat(np.arange(len(self._held)), np.diff(self._pointers)[self._held])

    def rows(self, groups: Codes) -> Codes:
        """The rows of these groups, ascending; each group once."""
        firsts = self._pointers[groups]
        lengths = self._pointers[groups + 1] - firsts
        count = int(lengths.sum())
        if count == len(self.codes):
            return np.arange(count)
        starts = np.repeat(firsts - np.append(0, np.cumsum(lengths)[:-1]), lengths)
        return np.sort(self._order[starts + np.arange(count)])

    def sums(self, values: Floats) -> Floats:
        """Sum of one number per row for each group, [size]."""
        if len(self.codes) <= FEW:
            return np.asarray(np.bincount(self.codes, values, self.size), np.float64)
        if self._alone:
            return values + 0.0
        found: Floats = self._matrix @ values
        return found

    def first_largest(self, values: Floats, eligible: Mask) -> Codes:
        """Of each group's eligible rows the one with the largest value, the first on a tie; -1 without.

        One row for each group, [size]; ``values`` are >= 0.
        """
        if self.size == 1 and len(values):
            first = int(np.where(eligible, values, -1.0).argmax())
            return np.array([first if eligible[first] and values[first] >= 0.0 else -1])
        if self._alone:
            return np.where(eligible & (values >= 0.0), self.codes, -1)
        winners = np.full(self.size, -1, np.intp)
        if not len(self._held):
            return winners
        ordered = np.where(eligible, values, -1.0).take(self._order)
        largest = np.maximum.reduceat(ordered, self._pointers[self._held])
        best = np.flatnonzero((ordered == largest.take(self._place)) & (ordered >= 0.0))[::-1]
        winners[self._held[self._place[best]]] = self._order[best]  # the last assignment stays: the first row
        return winners

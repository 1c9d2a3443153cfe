"""P&L rows of leaves that are written and added up where they stand: one joint worst over plain rows."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.again import FindsAgain
from shockgrid.desk.runs import Runs
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.fold import MARGIN
from shockgrid.requirement.reducers import Reduced, worst

LINE = 64  #: bytes that are read at a time: rows start at a multiple of it
BEYOND = 256  #: doubles behind the last row that may be read with it


class JointLeaves(NamedTuple):
    """The rows of some margin groups, in canonical order."""

    starts: Codes  #: [n + 1] first row of each, and how many there are
    addresses: NDArray[np.uint64]  #: of each row


class JointRows:
    """Rows [L, S] of all leaves, a block for each portfolio group.

    They serve where the joint row of a margin group is the plain sum of its leaves' rows: no transform, and
    no portfolio group of more than one class group.
    """

    @staticmethod
    def serve(evaluator: Evaluator, executor: Executor | None) -> bool:
        """Whether they do, and the backend writes them."""
        tree, plan, backend = evaluator.regime.tree, evaluator.plan, evaluator.backend
        plain = tree.reducer is worst and tree.height == MARGIN and not (tree.by_expiry or tree.transforms)
        plain = plain and not (evaluator.states.revised or evaluator.scattered)
        if not (plain and executor is None and isinstance(backend, FindsAgain)):
            return False
        alone = all(len(groups) == 1 for groups in plan.portfolios)
        return alone and backend.values_again(plan.relaid().series) is not None

    def __init__(self, evaluator: Evaluator, runs: Runs, owners: Codes) -> None:
        self._evaluator, self._owners = evaluator, owners  #: [L] margin group of each leaf
        self._names, self._starts = runs.names, runs.leaf_starts.tolist()
        self._scenarios = len(evaluator.standard)
        self._blocks = [
            _block(stop - start, self._scenarios)
            for start, stop in zip(self._starts[:-1], self._starts[1:], strict=True)
        ]
        self.addresses = np.zeros(len(owners), np.uint64)
        self._address()

    def take_over(self, kept: JointRows, names: Collection[str]) -> None:
        """The blocks of these portfolio groups, which both have."""
        theirs = dict(zip(kept._names, kept._blocks, strict=True))
        wanted = set(names)
        for place, name in enumerate(self._names):
            if name in wanted:
                self._blocks[place] = theirs[name]
        self._address()

    def index(self, codes: Codes) -> JointLeaves:
        """Where the rows of these margin groups (ascending) stand, for as long as no block is another."""
        own = np.flatnonzero(np.isin(self._owners, codes))
        own = own[np.argsort(self._owners[own], kind="stable")]
        starts = np.append(np.searchsorted(self._owners[own], codes), len(own))
        return JointLeaves(starts, self.addresses[own])

    def worst(self, index: JointLeaves) -> Reduced:
        """What ``reducers.worst`` makes of the sums of these margin groups' rows."""
        backend = self._evaluator.backend
        assert isinstance(backend, FindsAgain)
        return Reduced(*backend.worst_of_sums(index.starts, index.addresses, self._scenarios))

    def sums(self) -> Floats:
        """The joint rows [M, S] of all margin groups."""
        total = np.zeros((len(self._evaluator.plan.margin_groups), self._scenarios))
        for block, start, stop in zip(self._blocks, self._starts[:-1], self._starts[1:], strict=True):
            total[self._owners[start:stop]] += block[:, : self._scenarios]
        return total

    def _address(self) -> None:
        for block, start, stop in zip(self._blocks, self._starts[:-1], self._starts[1:], strict=True):
            first, step = block.ctypes.data, block.strides[0]
            self.addresses[start:stop] = first + step * np.arange(stop - start)


def _block(rows: int, scenarios: int) -> Any:
    """Zeros [rows, S and as many more as make whole lines], the first of them at the start of a line."""
    width = -(-scenarios * 8 // LINE) * LINE // 8
    memory = np.zeros(rows * width + BEYOND + LINE // 8)
    first = -memory.ctypes.data % LINE // 8
    return memory[first : first + rows * width].reshape(rows, width)

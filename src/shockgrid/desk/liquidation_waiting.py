"""Steps that wait for their turn: what each comes to is worked out again only where something has moved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shockgrid.arrays import Codes
from shockgrid.desk.liquidation_actions import joined
from shockgrid.desk.liquidation_found import Assessed, Step
from shockgrid.desk.liquidation_search import Search, State
from shockgrid.desk.liquidation_standing import Changed, Standing


class Waiting:
    """Steps of margin groups, some of which have been taken."""

    def __init__(self, search: Search, owners: Sequence[int], steps: Sequence[Step]) -> None:
        actions = joined([step.table(owner) for owner, step in zip(owners, steps, strict=True)])
        levels = np.array([step.level for step in steps])
        self.search, self.steps, self.owners = search, steps, np.array(owners, np.intp)
        self.changes = actions.changes(np.arange(len(steps)), levels)
        self.open = np.ones(len(steps), np.bool_)
        self.stale = self.open.copy()
        self.changed: Changed | None = None
        self.firsts = actions.positions[actions.starts[:-1]]
        alone = search.ground.in_one_leaf(self.changes).all()
        self.standing: Standing | None = search.ground.standing if alone else None

    def assessed(self, state: State) -> tuple[Codes, Assessed]:
        """The steps that are left and what each comes to from this state."""
        rows = np.flatnonzero(self.open)
        changes = self.changes.take(rows)
        if self.standing is None:
            return rows, self.search.assess(state, changes)
        if self.changed is None:
            self.changed = self.standing.changed(state.quantities, self.changes)
        elif (self.open & self.stale).any():
            stale = np.flatnonzero(self.open & self.stale)
            self.changed.enter(stale, self.standing.changed(state.quantities, self.changes.take(stale)))
        self.stale[:] = False
        return rows, self.search.follow(state, changes, self.changed.take(rows))

    def take(self, row: int) -> Step:
        """Take a step; what it moves makes others stale."""
        self.open[row] = False
        if self.standing is not None:
            parts = self.standing.parts_of(self.firsts)
            self.stale |= parts == parts[row]
        return self.steps[row]

    def leave(self, owner: int) -> list[Step]:
        """Take a margin group's steps out, and say which they are."""
        rows = np.flatnonzero(self.open & (self.owners == owner))
        self.open[rows] = False
        return [self.steps[row] for row in rows.tolist()]

"""What can be done in every part and what it comes to, worked out once for whatever a part may hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.desk.liquidation_actions import Actions, ladder
from shockgrid.desk.liquidation_changes import SIDES, Changes
from shockgrid.desk.liquidation_copies import runs
from shockgrid.desk.liquidation_records import Effects, Grown
from shockgrid.desk.liquidation_standing import Changed, Standing

Provider: TypeAlias = Callable[[Floats, Codes], Actions]  #: quantities [P], positions -> what can be done


class Offered(NamedTuple):
    """Actions, and candidates: some of them at some sizes."""

    standing: Standing
    actions: Actions
    places: Codes  #: [A] where each action is kept
    chosen: Codes  #: [K] action of each candidate
    levels: Codes  #: [K]
    changes: Changes
    changed: Changed


class Menu:
    """Actions of a provider over a plan, remembered by what the parts hold."""

    def __init__(self, standing: Standing, provider: Provider) -> None:
        self.standing, self.provider = standing, provider
        #: by the first row of a part in the records: its first and last action, first and last candidate
        self.ranges = np.full((0, 4), -1)
        #: of every action
        self.most, self.legs = Grown(np.intp), Grown(np.intp)  #: most levels; where legs start, and their end
        self.positions, self.totals = Grown(np.intp), Grown()
        self.ladders = Grown(np.intp)  #: first and last candidate; -1 before it has been asked for
        #: of every candidate
        self.levels, self.changes_at = Grown(np.intp), Grown(np.intp)  #: where changes start, and their end
        self.changing, self.amounts = Grown(np.intp), Grown()  #: positions and amounts
        self.actions, self.leaves, self.opened = Grown(np.intp), Grown(np.intp), Grown(np.bool_)
        self.scans = tuple(Grown() for _ in standing.records)
        self.columns = tuple(tuple(Grown() for _ in records.columns) for records in standing.records)
        self.legs.add(np.zeros(1, np.intp))
        self.changes_at.add(np.zeros(1, np.intp))

    def prepared(self, quantities: Floats, owners: Codes) -> tuple[Codes, Codes]:
        """Have at hand what can be done for these margin groups [ascending] where they stand.

        Their parts, and of each the first row in the records.
        """
        leaves = self.standing.leaves
        parts = runs(leaves.owner_parts[owners], leaves.owner_parts[owners + 1])[0]
        rows = self.standing.rows(quantities)[leaves.part_leaves[parts]]
        if self.standing.count > len(self.ranges):
            more = np.full((2 * self.standing.count - len(self.ranges), 4), -1)
            self.ranges = np.concatenate([self.ranges, more])
        fresh = self.ranges[rows, 0] < 0
        if fresh.any():
            self._add(parts[fresh], rows[fresh], quantities)
        return parts, rows

    def offered(self, quantities: Floats, owners: Codes) -> Offered:
        """What can be done for these margin groups [ascending] where they stand: least and most."""
        parts, rows = self.prepared(quantities, owners)
        first_action, last_action, first, last = self.ranges[rows].T
        places, counts = runs(first_action, last_action)
        legs = self.legs.rows
        inside, starts = runs(legs[first_action], legs[last_action])[0], legs[places]
        sizes = legs[places + 1] - starts
        actions = Actions(
            self.standing.leaves.part_owners[parts].repeat(counts),
            np.append(0, sizes.cumsum()),
            self.positions.rows[inside],
            self.totals.rows[inside],
            self.most.rows[places],
        )
        candidates, each = runs(first, last)
        chosen = self.actions.rows[candidates] + (counts.cumsum() - counts - first_action).repeat(each)
        return self._offered(actions, places, chosen, candidates, self._legs_of(first, last))

    def lacks(self, offered: Offered, wanted: Codes) -> bool:
        """Whether some of these actions have not been asked for in all sizes yet."""
        return bool((self.ladders.rows[offered.places[wanted], 0] < 0).any())

    def learn(self, quantities: Floats, offered: Offered, wanted: Codes) -> None:
        """Work out some of the actions offered at these quantities, in all sizes of the ladder."""
        places = offered.places[wanted]
        fresh = np.flatnonzero(self.ladders.rows[places, 0] < 0)
        if len(fresh) == 0:
            return
        own = offered.actions.take(wanted[fresh])
        chosen, levels = ladder(own.levels)
        ends = len(self.levels.rows) + np.searchsorted(chosen, np.arange(len(fresh) + 1))
        self.ladders.rows[places[fresh]] = np.column_stack([ends[:-1], ends[1:]])
        self._keep(places[fresh[chosen]], levels, own.changes(chosen, levels), quantities)

    def sized(self, quantities: Floats, offered: Offered, wanted: Codes) -> Offered:
        """Some of the actions offered at these quantities, in all sizes of the ladder."""
        self.learn(quantities, offered, wanted)
        places, actions = offered.places[wanted], offered.actions.take(wanted)
        first, last = self.ladders.rows[places].T
        candidates, each = runs(first, last)
        chosen = np.arange(len(places)).repeat(each)
        return self._offered(actions, places, chosen, candidates, self._legs_of(first, last))

    def _legs_of(self, first: Codes, last: Codes) -> Codes:
        """Places of the single changes of the candidates first[0] .. last[0] - 1, first[1] .. and so on."""
        return runs(self.changes_at.rows[first], self.changes_at.rows[last])[0]

    def _offered(
        self, actions: Actions, places: Codes, chosen: Codes, candidates: Codes, legs: Codes
    ) -> Offered:
        sizes = self.changes_at.rows[candidates + 1] - self.changes_at.rows[candidates]
        changes = Changes(
            actions.owners[chosen],
            np.arange(len(chosen)).repeat(sizes),
            self.changing.rows[legs],
            self.amounts.rows[legs],
        )
        effects = tuple(
            Effects(scans.rows[candidates], tuple(column.rows[candidates] for column in columns))
            for scans, columns in zip(self.scans, self.columns, strict=True)
        )
        changed = Changed(self.leaves.rows[candidates], effects, self.opened.rows[candidates])
        return Offered(self.standing, actions, places, chosen, self.levels.rows[candidates], changes, changed)

    def _add(self, parts: Codes, rows: Codes, quantities: Floats) -> None:
        """Work out what can be done in these parts, ascending; ``rows``: the first ones in the records."""
        leaves = self.standing.leaves
        inside = runs(leaves.part_positions[parts], leaves.part_positions[parts + 1])[0]
        actions = self.provider(quantities, leaves.order[inside])
        part_of = leaves.parts[leaves.leaf_of[actions.positions[actions.starts[:-1]]]]
        order = np.argsort(part_of, kind="stable")
        actions, part_of = actions.take(order), part_of[order]
        counts = 1 + (actions.levels > 1)
        firsts = np.cumsum(counts) - counts
        chosen = np.repeat(np.arange(len(counts)), counts)
        levels = actions.levels[chosen]
        levels[firsts] = 1
        first, last = (np.searchsorted(part_of, parts, side=side) for side in SIDES)
        ends = len(self.levels.rows) + np.append(firsts, len(chosen))
        known = len(self.most.rows)
        self.ranges[rows] = np.column_stack([known + first, known + last, ends[first], ends[last]])
        self.most.add(actions.levels)
        self.legs.add(len(self.positions.rows) + actions.starts[1:])
        self.positions.add(actions.positions)
        self.totals.add(actions.totals)
        self.ladders.add(np.full((len(counts), 2), -1))
        self._keep(known + chosen, levels, actions.changes(chosen, levels), quantities)

    def _keep(self, actions: Codes, levels: Codes, changes: Changes, quantities: Floats) -> None:
        """Enter candidates."""
        changed = self.standing.changed(quantities, changes)
        ends = np.searchsorted(changes.candidates, np.arange(1, len(levels) + 1))
        self.changes_at.add(len(self.amounts.rows) + ends)
        columns = (actions, levels, changes.positions, changes.amounts, changed.leaves, changed.opened)
        kept = (self.actions, self.levels, self.changing, self.amounts, self.leaves, self.opened)
        for column, more in zip(kept, columns, strict=True):
            column.add(more)
        for number, effects in enumerate(changed.effects):
            self.scans[number].add(effects.scans)
            for own, found in zip(self.columns[number], effects.columns, strict=True):
                own.add(found)

"""Portfolio groups under every scenario, many of them priced in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Backend
from shockgrid.engine import ClassGroup, Plan
from shockgrid.errors import InputError
from shockgrid.layout import Layout
from shockgrid.requirement.by_expiry import Expiries
from shockgrid.requirement.fold import Leaf, Nodes, Rows
from shockgrid.requirement.reducers import Reduced

#: Doubles of P&L priced in one call (1 MB): each call costs some Python, and the tiles should stay in cache.
PART_ELEMENTS = 2**17
ROWS_AT_ONCE = 3  #: copies of a portfolio group's P&L rows alive at a time: as priced, folded, reduced


class PortfolioResult(NamedTuple):
    """What one portfolio group comes to."""

    leaves: list[Leaf]
    nodes: list[Nodes]  #: empty where the margin group is reduced
    unoffset: list[Nodes]  #: the same without offsets; class groups where the margin group is reduced
    top: list[Rows]  #: the portfolio group's own rows, where the margin group is reduced
    expiries: list[PricedExpiries]  #: of every class group, where the tree asks for them


class PricedExpiries(NamedTuple):
    """Expiry rows of one class group and their P&L [E, other] in scenarios that are not "standard"."""

    expiries: Expiries
    leaves: Codes  #: [E] row of ClassGroup.leaves
    pnl: Floats


class Priced(NamedTuple):
    """A class group under every scenario."""

    own: Floats  #: [L, S] standard
    other: Floats  #: [L, other]
    expiries: PricedExpiries | None = None
    units: Floats | None = None  #: [n, S] standard, of one unit of each instrument before scenario weights


class Part(NamedTuple):
    """A few neighbouring portfolio groups."""

    portfolios: Sequence[Sequence[ClassGroup]]
    groups: tuple[int, int]  #: from and to, of all class groups
    small: bool  #: whether they are priced together; a large one is priced by class group


def parts_of(plan: Plan, scenarios: int) -> list[Part]:
    """All portfolio groups, together as long as their leaves and instruments make so many elements."""
    counts = [0, *accumulate(len(groups) for groups in plan.portfolios)]
    layout = plan.relaid()
    rows = (layout.group_leaves + layout.group_columns)[counts]
    most, edges = max(1, PART_ELEMENTS // scenarios), [0]
    while edges[-1] < len(plan.portfolios):
        stop = int(np.searchsorted(rows, rows[edges[-1]] + most, side="right")) - 1
        edges.append(max(stop, edges[-1] + 1))
    return [
        Part(plan.portfolios[low:high], (counts[low], counts[high]), bool(rows[high] - rows[low] <= most))
        for low, high in pairwise(edges)
    ]


def require_memory(
    plan: Plan, sizes: tuple[int, int], backend: Backend, regime: str, *, rows: bool, joint: bool
) -> None:
    """Compute the memory of the P&L rows before it is taken, and raise InputError where it is not free.

    ``sizes`` are the scenarios that are standard and the others; ``rows`` says whether a portfolio group's
    rows are held, ``joint`` whether one row of each margin group is.
    """
    (standard, other), scenarios = sizes, sum(sizes)
    leaves = [sum(len(group.leaves) for group in groups) for groups in plan.portfolios]
    kept = sum(leaves) * other
    held = ROWS_AT_ONCE * max(leaves, default=0) * scenarios if rows else 0
    needed = 8 * (kept + held + 2 * (len(plan.margin_groups) if joint else 0) * standard)
    free = backend.free_bytes()
    if needed > free:
        problem = (
            f"{scenarios:,} scenarios for {max(leaves, default=0):,} leaves of one portfolio "
            f"group need {needed / 1e9:,.1f} GB, {free / 1e9:,.1f} GB are free: ask for fewer"
        )
        raise InputError(problem, table=regime)


def priced_together(batch: Batch, standard: Codes, other: Codes, backend: Backend) -> list[Priced]:
    """Every class group of a batch from one call for all of them."""
    pnl = backend.get(backend.risk_arrays(batch.sections(), batch.matrix(units=True)))
    leaves = batch.group_leaves - batch.leaves.start
    units = batch.section_starts[batch.group_sections] - batch.instruments.start + leaves[-1]
    rows, ones = pnl[: leaves[-1]], pnl[:, standard]
    if batch.scenario_weights is not None:
        rows = rows * np.repeat(batch.scenario_weights, np.diff(leaves), axis=0)
    own, rest = rows[:, standard], rows[:, other]
    return [
        Priced(own[slice(*leaf)], rest[slice(*leaf)], units=ones[slice(*unit)])
        for leaf, unit in zip(pairwise(leaves), pairwise(units), strict=True)
    ]


def results_of(
    portfolios: Sequence[Sequence[ClassGroup]],
    layout: Layout,
    found: Worst,
    charges_of: Callable[[ClassGroup], Floats],
) -> Iterator[PortfolioResult]:
    """Each of these portfolio groups, which are all that is laid out, from its worst losses."""
    weights, places = layout.weights, layout.held_places
    both = np.concatenate([found.longs, found.shorts])
    alone = np.abs(weights) * both[places + len(found.longs) * (weights <= 0.0)]
    top, first = 0, portfolios[0][0].positions.start if portfolios else 0
    for groups in portfolios:
        leaves, nodes = [], []
        for group in groups:
            rows = slice(top, top + len(group.leaves))
            top = rows.stop
            own = slice(group.positions.start - first, group.positions.stop - first)
            reduced, charges = Reduced(found.losses[rows], found.scenarios[rows]), charges_of(group)
            leaves.append(Leaf(group, reduced, found.rest[rows], charges, alone[own]))
            nodes.append(Nodes(group.name, group.leaves, reduced, charges, group.shown))
        yield PortfolioResult(leaves, nodes, nodes, [], [])

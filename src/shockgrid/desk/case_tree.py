"""The tree of one regime over cases: losses of the nodes that an order touches, all others as they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, run_starts
from shockgrid.desk.cases import Cases
from shockgrid.desk.live import Live
from shockgrid.desk.side import Side
from shockgrid.desk.standing import SidePlaces, Standing
from shockgrid.requirement.fold import PORTFOLIO, Leaf, Rows, folded, gathered, reduced_nodes
from shockgrid.requirement.reducers import Reduced
from shockgrid.requirement.regime import Leaves


class Found(NamedTuple):
    """The leaves of the cases [L]; those in ``rows`` were summed again."""

    leaves: Leaves
    charges: Floats
    rows: Codes
    pnl: Floats  #: [rows, S] in the standard scenarios


class _Group(NamedTuple):
    """What folding asks of a class group."""

    name: str
    product_group: str
    portfolio_group: str
    leaves: Codes  #: cases
    shown: Codes


def _portfolios(
    standing: Standing, cases: Cases, found: Found
) -> Iterator[tuple[Codes, list[Any], list[Rows]]]:
    """For each portfolio group places of its leaves among ``found.rows``, its class groups and their rows."""
    families = standing.families
    own = cases.leaf_families[found.rows]
    portfolios = families.nodes[PORTFOLIO][own]
    starts = np.flatnonzero(run_starts(portfolios))
    for places in np.split(np.arange(len(own)), starts[1:]):
        groups, rows = [], []
        for part in np.split(places, np.flatnonzero(np.diff(own[places])) + 1):
            if not len(part):
                continue
            family = own[part[0]]
            leaves, shown = cases.leaf_cases[found.rows[part]], found.leaves.underlyings[found.rows[part]]
            columns = families.names, families.products, families.portfolios
            name, product, portfolio = (str(names[family]) for names in columns)
            groups.append(_Group(name, product, portfolio, leaves, shown))
            rows.append(Rows(groups[-1].name, leaves, found.pnl[part]))
        if groups:
            yield places, groups, rows


def node_losses(
    side: Side, places: SidePlaces, standing: Standing, live: Live, cases: Cases, found: Found
) -> tuple[Floats, Floats, Codes]:
    """Loss, minimum charge and case of every node of the cases, in canonical order."""
    count, kept, tree = len(cases.groups), side.found.nodes, side.regime.tree
    keys = np.unique(places.nodes[cases.leaf_families] * count + cases.leaf_cases)
    node, owners = np.divmod(keys, max(count, 1))
    known = np.searchsorted(places.node_keys, node * len(live.plan.margin_groups) + cases.groups[owners])
    losses, charges = np.zeros(len(keys)), np.zeros(len(keys))
    if len(kept.losses):
        known = np.minimum(known, len(kept.losses) - 1)  # of a new node any row: it is folded
        losses, charges = kept.losses[known], kept.charges[known]
    for at, groups, rows in _portfolios(standing, cases, found):
        parts = np.split(found.rows[at], np.cumsum([len(group.leaves) for group in groups])[:-1])
        leaves = [
            Leaf(group, _reduced(found, part), found.pnl[:0], found.charges[part], found.pnl[:0, 0])
            for group, part in zip(groups, parts, strict=True)
        ]
        codes = places.nodes[cases.leaf_families[found.rows[at]]].tolist()
        names = [group[tree.height] for group in groups for _ in group.leaves]
        code_of = dict(zip(names, codes, strict=True))
        for part in reduced_nodes(leaves, rows, tree, live.market.offsets, tree.height):
            own = np.searchsorted(keys, code_of[part.name] * count + part.margin_groups)
            losses[own], charges[own] = part.reduced.losses, part.charges
    return losses, charges, owners


def _reduced(found: Found, rows: Codes) -> Reduced:
    return Reduced(found.leaves.losses[rows], found.leaves.scenarios[rows])


def joint_losses(
    side: Side, standing: Standing, live: Live, cases: Cases, found: Found
) -> tuple[Floats, Floats, Codes]:
    """The same where every case is one node."""
    count, tree, offsets = len(cases.groups), side.regime.tree, live.market.offsets
    portfolios = standing.families.nodes[PORTFOLIO][cases.leaf_families]
    pairs = np.unique(portfolios * count + cases.leaf_cases)
    counts = np.bincount(pairs % max(count, 1), minlength=count)
    total = np.zeros((count, len(side.evaluator.standard)))
    transform = tree.transforms.get("portfolio_group")
    for _, groups, rows in _portfolios(standing, cases, found):
        top = folded(groups, rows, tree, offsets, PORTFOLIO)
        for part in (gathered([row], "portfolio_group", "joint", transform, offsets, counts) for row in top):
            total[part.margin_groups] += part.pnl
    charges = np.bincount(cases.leaf_cases, found.charges, count).astype(np.float64)
    return tree.reducer(total).losses, charges, np.arange(count)

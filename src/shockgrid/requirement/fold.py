"""Folding rows of P&L up the tree, child into parent in canonical order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.engine import ClassGroup, Plan
from shockgrid.requirement.reducers import Reduced
from shockgrid.requirement.tree import Node, Transform, Tree, offset_gains

Offsets: TypeAlias = Mapping[tuple[str, str], float]

CLASS, PRODUCT, PORTFOLIO, MARGIN = range(4)  #: heights in the tree, as in tree.LEVELS


class Rows(NamedTuple):
    """P&L rows of one node: row i belongs to margin group ``margin_groups[i]`` (ascending)."""

    name: str
    margin_groups: Codes
    pnl: Floats


class Nodes(NamedTuple):
    """A reduced node: one loss for each margin group that holds something in it."""

    name: str
    margin_groups: Codes
    reduced: Reduced
    charges: Floats  #: sum of its per-contract minimum charges
    underlyings: Codes  #: [n] whose shocks name its scenario: of the row's largest leaf in the node


def gathered(
    children: Sequence[Rows],
    level: str,
    parent: str,
    transform: Transform | None,
    offsets: Offsets,
    counts: Codes | None = None,
) -> Rows:
    """Add the children's rows into their parent, transformed, in the order given.

    ``counts`` [M] is the number of siblings of each margin group where the caller knows of more children
    than it passes.
    """
    if len(children) == 1 and transform is None:
        return children[0]._replace(name=parent)
    if len(children) == 1 and transform is offset_gains and counts is None:  # an only child keeps its row
        return Rows(parent, children[0].margin_groups, children[0].pnl + 0.0)
    groups, places = _together([child.margin_groups for child in children])
    siblings = np.zeros(len(groups), np.intp)
    for child, place in zip(children, places, strict=True):
        siblings[place] += child.pnl.any(axis=1)  # a flat child is no sibling
    if counts is not None:
        siblings = counts[groups]
    total = np.zeros((len(groups), children[0].pnl.shape[1]))
    for child, place in zip(children, places, strict=True):
        if transform is None:
            total[place] += child.pnl
        else:
            node = Node(level, child.name, parent, np.maximum(siblings[place], 1), offsets)
            total[place] += transform(child.pnl, node)
    return Rows(parent, groups, total)


def _together(parts: Sequence[Codes]) -> tuple[Codes, list[Any]]:
    """All margin groups of some ascending lists, ascending, and the place of each list among them."""
    first = parts[0]
    if all(part is first or np.array_equal(part, first) for part in parts[1:]):
        return first, [slice(None)] * len(parts)
    groups = np.unique(np.concatenate(parts))
    return groups, [np.searchsorted(groups, part) for part in parts]


def folded(
    groups: Sequence[ClassGroup], rows: Sequence[Rows], tree: Tree, offsets: Offsets, height: int
) -> list[Rows]:
    """Class-group rows of one portfolio group, folded to CLASS (as they are), PRODUCT or PORTFOLIO."""
    if height == CLASS:
        return list(rows)
    products = []
    pairs = zip(groups, rows, strict=True)
    for product, children in groupby(pairs, key=lambda pair: pair[0].product_group):
        parts = [part for _, part in children]
        products.append(gathered(parts, "class_group", product, tree.transforms.get("class_group"), offsets))
    if height == PRODUCT:
        return products
    transform = tree.transforms.get("product_group")
    return [gathered(products, "product_group", groups[0].portfolio_group, transform, offsets)]


class Leaf(NamedTuple):
    """What the leaves of one class group come to."""

    group: ClassGroup
    reduced: Reduced
    tagged: Floats  #: [L, other] P&L in the scenarios that are not "standard"
    charges: Floats  #: [L] per-contract minimum charges
    stand_alone: Floats  #: [P] loss of each position by itself
    own: Floats | None = None  #: [L, S] P&L in the standard scenarios, where the tree cuts leaves by expiry


def reduced_nodes(
    leaves: Sequence[Leaf], rows: Sequence[Rows], tree: Tree, offsets: Offsets, height: int
) -> list[Nodes]:
    """The nodes of one portfolio group at a height, reduced, with their minimum charges summed."""
    groups = [leaf.group for leaf in leaves]
    names = [(group.name, group.product_group, group.portfolio_group)[height] for group in groups]
    charges = [Rows(leaf.group.name, leaf.group.leaves, leaf.charges[:, None]) for leaf in leaves]
    pairs = zip(
        folded(groups, rows, tree, offsets, height), folded(groups, charges, Tree(), {}, height), strict=True
    )
    nodes = []
    for node, charge in pairs:
        inside = [leaf for leaf, name in zip(leaves, names, strict=True) if name == node.name]
        shown = largest_underlyings(inside, node.margin_groups)
        reduced = inside[0].reduced if height == CLASS else tree.reducer(node.pnl)
        nodes.append(Nodes(node.name, node.margin_groups, reduced, charge.pnl[:, 0], shown))
    return nodes


def largest_underlyings(leaves: Sequence[Leaf], margin_groups: Codes) -> Codes:
    """Of each margin group's leaves, the underlying shown for the one that loses most; -1 without a leaf.

    The first one on a tie. ``margin_groups`` are ascending and hold every leaf's.
    """
    largest, shown = np.full(len(margin_groups), -1.0), np.full(len(margin_groups), -1, np.intp)
    for leaf in leaves:
        place = np.searchsorted(margin_groups, leaf.group.leaves)
        better = leaf.reduced.losses > largest[place]
        largest[place[better]] = leaf.reduced.losses[better]
        shown[place[better]] = leaf.group.shown[better]
    return shown


def portfolio_counts(plan: Plan) -> Codes:
    """How many portfolio groups each margin group holds something in, [M]."""
    counts = np.zeros(len(plan.margin_groups), np.intp)
    for groups in plan.portfolios:
        counts[np.unique(np.concatenate([group.leaves for group in groups]))] += 1
    return counts

"""The margin tree: class group -> product group -> portfolio group -> margin group.

Each node holds a row of P&L per scenario. A transform turns a child's row into what it contributes to its
parent; at one level the rows are reduced to a loss, and losses are added from there up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.doors import number, one_of
from shockgrid.errors import InputError
from shockgrid.requirement.by_expiry import ValueTransform
from shockgrid.requirement.reducers import Reducer, worst

LEVELS = ("class_group", "product_group", "portfolio_group", "margin_group")


class Node(NamedTuple):
    """Where a transform stands: rows of one node, one per margin group that holds something in it."""

    level: str  #: the level of the child
    name: str  #: the child
    parent: str  #: the node its rows are added into
    siblings: Codes  #: [n] children of that parent, this one included, whose row is not flat; of portfolio
    #: groups, all that the margin group holds something in
    offsets: Mapping[tuple[str, str], float]  #: Market.offsets


Transform: TypeAlias = Callable[[Floats, Node], Floats]


@dataclass(frozen=True)
class Tree:
    """How leaves become a margin group's scan.

    Attributes
    ----------
    reduce_at : the level whose rows are reduced; "margin_group" is one joint worst over everything.
    transforms : child level -> transform applied before the child's row is added into its parent.
    reducer : rows [n, S] -> loss and scenario; must scale with the rows (k x pnl gives k x loss).
    minimum_per_unit : charge per contract as a share of its multiplier, on every net option position; a
        node's figure is not below the sum of its charges.
    by_expiry : whether leaves are cut by expiry, so that add-ons see them (``Context.expiries``).
    sides : whether such rows keep options held long and held short apart.
    value_transform : what the options of one expiry add to their leaf, from their P&L and their values, see
        ``by_expiry.ValueTransform``; cuts leaves by expiry.
    """

    reduce_at: str = "class_group"
    transforms: Mapping[str, Transform] = field(default_factory=lambda: MappingProxyType({}))
    reducer: Reducer = worst
    minimum_per_unit: float = 0.0
    by_expiry: bool = False
    sides: bool = False
    value_transform: ValueTransform | None = None

    def __post_init__(self) -> None:
        if self.value_transform is not None:
            object.__setattr__(self, "by_expiry", True)
        one_of(self.reduce_at, LEVELS, "reduce_at")
        least = "a finite charge of at least 0"
        number(self.minimum_per_unit, "minimum_per_unit", least, lambda charge: 0.0 <= charge < np.inf)
        for level in self.transforms:
            if level not in LEVELS[:-1]:
                problem = f"expected one of {', '.join(LEVELS[:-1])}"
                raise InputError(problem, column="transforms", value=level)

    @property
    def height(self) -> int:
        """How many levels lie below the one that is reduced."""
        return LEVELS.index(self.reduce_at)


def offset_gains(pnl: Floats, node: Node) -> Floats:
    """Transform: losses count in full, gains at the offset share of the parent (default 0).

    A margin group that holds only one child of the parent keeps that child's row as it is: "within a product
    group, a certain percentage of a class group's net profit offsets the net loss of the other class groups
    at each underlying price point" (OCC, Customer Portfolio Margin Disclosure Document).
    """
    level = "product" if node.level == "class_group" else "portfolio"
    share = node.offsets.get((level, node.parent), 0.0)
    offset = np.minimum(pnl, 0.0) + share * np.maximum(pnl, 0.0)
    return np.where((node.siblings == 1)[:, None], pnl, offset)

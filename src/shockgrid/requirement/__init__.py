"""The vocabulary of margin regimes: tree, reducers, add-ons, formula, result."""

from shockgrid.requirement.add_ons import concentration, contingency
from shockgrid.requirement.margin import margin
from shockgrid.requirement.reducers import Reduced, Reducer, expected_shortfall, worst
from shockgrid.requirement.regime import AddOn, Context, Program, Regime
from shockgrid.requirement.remarks import Measured, rule
from shockgrid.requirement.result import MarginResult
from shockgrid.requirement.tree import Node, Tree, offset_gains

__all__ = [
    "AddOn",
    "Context",
    "MarginResult",
    "Measured",
    "Node",
    "Program",
    "Reduced",
    "Reducer",
    "Regime",
    "Tree",
    "concentration",
    "contingency",
    "expected_shortfall",
    "margin",
    "offset_gains",
    "rule",
    "worst",
]

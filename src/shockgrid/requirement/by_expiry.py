"""Rows below the leaves: what a leaf holds in one expiry, for rules that look at expiries or at values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy import sparse

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.engine import ClassGroup, Plan
from shockgrid.market import Market


@dataclass(frozen=True)
class Expiries:
    """E rows, one per leaf and (underlying, expiry), options apart from everything else."""

    margin_groups: Codes
    underlyings: Codes  #: row of Market.underlyings
    years: Floats  #: ACT/365F; 0 for anything that does not expire
    discount_factors: Floats  #: of the options; 1 for everything else
    is_option: Mask
    is_long: Mask  #: options held long, where the tree keeps the two sides apart; else true
    values: Floats  #: model value today, base currency

    def take(self, rows: Any) -> Expiries:
        """The same columns for a selection of rows."""
        return Expiries(*(getattr(self, field.name)[rows] for field in fields(self)))


#: P&L [E, S] of option rows, before scenario weights, to what they add to their leaf. Must scale with the
#: rows: k x P&L and k x values give k x the result, for k > 0.
ValueTransform: TypeAlias = Callable[[Floats, Expiries], Floats]


class ExpiryRows(NamedTuple):
    """The expiry rows of one class group."""

    expiries: Expiries
    weights: Any  #: CSR [E, n], quantity x multiplier x FX
    leaf_of: Codes  #: [E] leaf of each row
    leaves: Any  #: CSR [L, E] of ones: the rows that add up to each leaf
    of_position: Codes  #: [P] row of each position


def expiry_rows(group: ClassGroup, plan: Plan, values: Floats, sides: bool) -> ExpiryRows:
    """Cut a class group's leaves by expiry; ``values`` [N] are model values per unit.

    ``sides`` keeps options held long and held short apart.
    """
    own, weights = group.instruments, plan.positions.weights[group.positions]
    terms = instrument_rows(own, plan.market, np.zeros(len(own)))
    keys = np.column_stack([terms.underlyings, terms.years, terms.is_option])
    kinds, kind_of = np.unique(keys, axis=0, return_inverse=True)
    columns = group.position_columns
    long = (weights >= 0.0) | ~terms.is_option[columns] if sides else np.ones(len(weights), np.bool_)
    codes = (group.position_leaves * len(kinds) + kind_of.ravel()[columns]) * 2 + long
    rows, first, of_position = np.unique(codes, return_index=True, return_inverse=True)
    matrix = sparse.csr_matrix((weights, (of_position, group.position_columns)), shape=(len(rows), len(own)))
    leaf_of = rows // 2 // len(kinds)
    up = sparse.csr_matrix(
        (np.ones(len(rows)), (leaf_of, np.arange(len(rows)))), shape=(len(group.leaves), len(rows))
    )
    expiries = replace(
        terms.take(group.position_columns[first]),
        margin_groups=group.leaves[leaf_of],
        is_long=long[first],
        values=np.asarray(matrix @ values[own], np.float64),
    )
    return ExpiryRows(expiries, matrix, leaf_of, up, of_position)


def instrument_rows(instruments: Codes, market: Market, values: Floats) -> Expiries:
    """Every instrument as a row of its own, of no margin group, worth ``values``."""
    table = market.instruments
    return Expiries(
        np.full(len(instruments), -1),
        table.underlyings[instruments],
        table.years[instruments],
        table.discount_factors[instruments],
        table.is_option[instruments],
        values >= 0.0,
        values,
    )


def transformed(pnl: Floats, expiries: Expiries, transform: ValueTransform | None) -> Floats:
    """The rows as they add to their leaves: options through the transform, everything else as it is."""
    if transform is None:
        return pnl
    option = expiries.is_option
    result = pnl.copy()
    result[option] = transform(pnl[option], expiries.take(option))
    return result

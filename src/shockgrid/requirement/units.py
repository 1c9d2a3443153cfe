"""Counts of what margin groups hold, in units of the underlying: what contingency charges are levied on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.engine import Plan
from shockgrid.market import HELD_OUTRIGHT, Market

FUTURES = ("future", "perpetual")


class Held(NamedTuple):
    """Units per row, each of one margin group and one underlying."""

    margin_groups: Codes
    underlyings: Codes
    units: Floats


def position_units(plan: Plan) -> Floats:
    """Signed units of the underlying of every position, [P]."""
    held = plan.positions
    units: Floats = held.quantities * plan.market.instruments.units_per_contract[held.instruments]
    return units


def positions_of(plan: Plan, kinds: tuple[str, ...]) -> Mask:
    """Which positions are of these instrument types, [P]."""
    return np.isin(plan.market.instruments.types.astype(str), kinds)[plan.positions.instruments]


def held_outright(plan: Plan) -> Mask:
    """Which positions are the asset itself, bonds and funds included, [P]."""
    return positions_of(plan, (*HELD_OUTRIGHT, "flat"))


def net_by(plan: Plan, rows: Mask, *columns: Floats | Codes) -> Held:
    """Net units of the chosen positions by margin group, underlying and columns [N] of the instruments."""
    held, table = plan.positions, plan.market.instruments
    kinds, kind_of = np.unique(np.column_stack([table.underlyings, *columns]), axis=0, return_inverse=True)
    # one key for all columns: sorting it takes less time than sorting rows
    keys = held.margin_groups * len(kinds) + kind_of.ravel()[held.instruments]
    found, place = np.unique(keys[rows], return_inverse=True)
    units = np.bincount(place, position_units(plan)[rows], len(found)).astype(np.float64)
    groups, kind = np.divmod(found, max(len(kinds), 1))
    return Held(groups, kinds[kind, 0].astype(np.intp), units)


def net_short_by_strike(plan: Plan) -> Held:
    """max(0, -(calls + puts)) per margin group, underlying, expiry and strike, in units."""
    table = plan.market.instruments
    net = net_by(plan, table.is_option[plan.positions.instruments], table.years, table.strikes)
    return net._replace(units=np.maximum(-net.units, 0.0))


def index_spots(market: Market) -> Floats:
    """Spot of the underlying that gives each one's class group its name, else its own; base currency, [U]."""
    names = market.underlyings
    spots = names.spots * market.spot_rates()
    index = names.codes(names.class_groups)
    return np.where(index >= 0, spots[index], spots) if len(spots) else spots


def with_derivatives(market: Market) -> Floats:
    """1 for the underlyings in a class group that lists an option or a future, 0 for all others, [U]."""
    table, groups = market.instruments, market.underlyings.class_groups
    derived = table.is_option | np.isin(table.types.astype(str), FUTURES)
    return np.isin(groups, np.unique(groups[table.underlyings[derived]].astype(str))).astype(np.float64)

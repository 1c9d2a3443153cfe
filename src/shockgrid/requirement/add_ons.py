"""Add-ons that house rules are composed of: contingency for uncovered shorts, and concentration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, run_starts
from shockgrid.doors import number
from shockgrid.engine import Plan
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.requirement.grouped import Grouped
from shockgrid.requirement.leafwise import LeafRows, largest_in_full, summed
from shockgrid.requirement.regime import AddOn, Context

LARGEST_WHOLE = 2.0**53  #: below it float64 holds every whole number
CONCENTRATION_WIDE, CONCENTRATION_NARROW = "concentration_wide", "concentration_narrow"


def contingency(rate: float = 0.005, mode: str = "added") -> AddOn:
    """Charge on net uncovered short options: rate x spot x uncovered deliverable units.

    Per margin group, underlying and right: long shares cover calls and short shares cover puts, a long
    option of the same right that expires no earlier covers at any strike, longs are matched latest expiry
    first, and nothing is rounded to whole contracts. 10 short calls against 4 higher calls and 300 shares at
    95 and 0.5 %: 300 units x 95 x 0.005 = 142.50. Source: the crypto venues' option contingency and the
    0.5 % of the deliverable that a US broker charges (tastytrade portfolio margin rules).

    Raises InputError for a rate that is negative or not finite.
    """
    number(rate, "contingency rate", "a rate in [0, 1]", lambda share: 0.0 <= share <= 1.0)

    def charges_of(market: Market) -> Floats:
        """Of one unit of each underlying, base currency."""
        return np.asarray(rate * (market.underlyings.spots * market.spot_rates()), np.float64)

    def figure(context: Context) -> Floats:
        found: UncoveredByName = context.known(uncovered_by_name)
        return found.grouped.sums(found.units * charges_of(context.plan.market)[found.underlyings])

    def of_leaves(rows: LeafRows) -> Floats:
        units: Uncovered = rows.uncovered
        amounts = units.units * charges_of(rows.market)[units.underlyings]
        return np.bincount(units.margin_groups, amounts, rows.size).astype(np.float64)

    words = f"{rate:.2%} of the spot value of uncovered short options"
    return AddOn("contingency", figure, mode, words, uncovered_by_name, summed(of_leaves))


class UncoveredByName(NamedTuple):
    """Uncovered short option units of puts and of calls, n rows that are not 0, by margin group."""

    units: Floats
    underlyings: Codes
    grouped: Grouped


def uncovered_by_name(plan: Plan) -> UncoveredByName:
    """What ``contingency`` charges, but for the spots."""
    found = uncovered_units(plan)
    rows = found.units.nonzero()[0]
    grouped = Grouped(found.margin_groups[rows], len(plan.margin_groups))
    return UncoveredByName(found.units[rows], found.underlyings[rows], grouped)


@dataclass(frozen=True)
class Uncovered:
    """Uncovered short option units per (margin group, underlying, right)."""

    margin_groups: np.ndarray[tuple[int], np.dtype[np.intp]]
    underlyings: np.ndarray[tuple[int], np.dtype[np.intp]]
    is_call: np.ndarray[tuple[int], np.dtype[np.bool_]]
    units: Floats


def uncovered_units(plan: Plan) -> Uncovered:
    """Match longs and shares against short options; see ``contingency``.

    With the options of one (margin group, underlying, right) sorted latest expiry first and longs before
    shorts on the same day, the shorts no long covers are the largest running value of (shorts - longs).
    """
    held, table = plan.positions, plan.market.instruments
    rows = held.instruments
    option = table.is_option[rows]
    every = bool(option.all())
    # one key for all three: sorting it takes less time than sorting by each
    width = len(plan.market.underlyings.names)
    keys = 2 * (held.margin_groups * width + table.underlyings[rows]) + table.is_call[rows]
    short, years = -(held.quantities * table.units_per_contract[rows]), table.years[rows]
    if not every:
        keys, short, years = keys[option], short[option], years[option]
    order = np.lexsort((short > 0, -years, keys))
    keys, short = keys[order], np.asarray(short[order], np.float64)
    starts = np.flatnonzero(run_starts(keys))
    if len(starts) == 0:
        none = np.zeros(0, np.intp)
        return Uncovered(none, none, np.zeros(0, bool), np.zeros(0))
    excess: Floats = np.maximum(_highest_sums(short, starts), 0.0)
    names, calls = np.divmod(keys[starts], 2)
    groups, owners = np.divmod(names, width)
    shares = np.zeros(len(groups)) if every else _shares(plan, groups, owners)
    cover = np.where(calls == 1, np.maximum(shares, 0.0), np.maximum(-shares, 0.0))
    return Uncovered(groups, owners, calls == 1, np.maximum(excess - cover, 0.0))


def _highest_sums(values: Floats, starts: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Floats:
    """The highest running sum within each segment."""
    if (values == np.floor(values)).all() and np.abs(values).sum() < LARGEST_WHOLE:
        running = np.cumsum(values)  # whole numbers: exact, whatever else is added up
        before: Floats = running[starts] - values[starts]
        highest: Floats = np.maximum.reduceat(running, starts)
        return highest - before
    return np.asarray(np.maximum.reduceat(_running_sums(values, starts), starts), np.float64)


def _running_sums(values: Floats, starts: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Floats:
    # each segment sums by itself: fractional units must not pick up the rounding of other margin groups
    segments = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(values))))
    return np.asarray(pd.Series(values).groupby(segments).cumsum(), np.float64)


def _shares(plan: Plan, groups: Floats, owners: Floats) -> Floats:
    held, table = plan.positions, plan.market.instruments
    kinds = table.types[held.instruments]
    outright = (kinds == "stock") | (kinds == "etf")
    if not outright.any():
        return np.zeros(len(groups))
    width = len(plan.market.underlyings.names)
    codes = held.margin_groups[outright] * width + table.underlyings[held.instruments[outright]]
    units = (held.quantities * table.units_per_contract[held.instruments])[outright]
    found, owner = np.unique(codes, return_inverse=True)
    sums = np.bincount(owner, units).astype(np.float64)
    wanted = groups * width + owners
    place = np.minimum(np.searchsorted(found, wanted), len(found) - 1)
    return np.where(found[place] == wanted, sums[place], 0.0)


def concentration(names: int = 2) -> AddOn:
    """Floor: the worst class groups at a wide move, all the others at a narrow one.

    Class groups are ranked by their loss over the scenarios tagged ``concentration_wide``; the ``names``
    worst count at that loss, the rest at theirs over ``concentration_narrow``; if the sum is greater than
    the requirement so far, the requirement becomes this sum. Source: Interactive Brokers, notice to
    portfolio margin clients, October 2015 (two groups at +-30 %, the others at +-5 %).

    The regime's scenarios must carry both tags; ``margin()`` raises InputError where they do not.
    """

    def moves(tagged: Mapping[str, Floats]) -> list[Floats]:
        for tag in (CONCENTRATION_WIDE, CONCENTRATION_NARROW):
            if tag not in tagged:
                problem = "concentration needs scenarios with this tag"
                raise InputError(problem, column="tag", value=tag)
        return [
            np.maximum(-reduce(np.minimum, tagged[tag].T), 0.0)
            for tag in (CONCENTRATION_WIDE, CONCENTRATION_NARROW)
        ]

    def figure(context: Context) -> Floats:
        leaves = context.leaves
        wide, narrow = moves(leaves.tagged)
        left, counted = np.ones(len(wide), np.bool_), narrow
        for _ in range(names):
            rows = context.grouped.first_largest(wide, left)
            rows = rows[rows >= 0]
            counted[rows], left[rows] = wide[rows], False
        return context.by_margin_group(counted)

    words = f"the {names} worst class groups at the wide move, all others at the narrow one"
    leafwise = largest_in_full(lambda rows: np.column_stack(moves(rows.tagged)), names)
    return AddOn("concentration", figure, "floor", words, leafwise=leafwise)

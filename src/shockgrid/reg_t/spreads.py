"""Limited-risk sets of options: who may stand in one, and the greatest loss it can make.

FINRA 4210(f)(2)(A)(xxxii) and (H)(i), Regulatory Notice 12-44: all options of one underlying and exercise
style, as many calls long as short and as many puts (counted in units of the underlying), every short expiring
on or before every long. Such a set needs its maximum potential loss: the greatest loss of intrinsic value at
any of its strikes.

Two sets that may be one never need less apart than together, for a greatest loss of a sum is at most the sum
of the greatest losses. So it is enough to look for one set per underlying, exercise style and cut, the date
on or before which its shorts and on or after which its longs expire.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.reg_t.legs import Ints, Legs


@dataclass(frozen=True)
class Spreads:
    """Every set that could be formed, its possible members and its price points, sorted by set.

    Sets are sorted by problem; members within a set by leg, price points by price.
    """

    problems: Codes  #: [R] of each set
    cuts: Floats  #: [R] years
    member_sets: Codes  #: [Z]
    member_legs: Codes  #: [Z]
    member_points: Codes  #: [Z] row of its strike among the price points
    point_sets: Codes  #: [K]
    points: Ints  #: [K] per unit, millionths

    def first_points(self) -> Codes:
        """The lowest price point of every set."""
        return np.searchsorted(self.point_sets, np.arange(len(self.problems)))


def spreads(legs: Legs) -> Spreads:
    """The sets of every problem; a kind of option (call or put) needs a long and a short to be in one."""
    usable = legs.is_option & (legs.multipliers > 0) & (legs.sizes > 0)
    frame = pd.DataFrame(
        {
            "problem": legs.problems,
            "family": legs.families,
            "expiry": legs.expiries,
            "strike": legs.strikes,
            "call": legs.is_call,
            "short": legs.signs < 0,
            "leg": np.arange(len(legs)),
        }
    )[usable]
    cuts = frame.loc[frame["short"], ["problem", "family", "expiry"]].drop_duplicates()
    cuts = cuts.rename(columns={"expiry": "cut"})
    members = cuts.merge(frame, on=["problem", "family"])
    inside = np.where(
        members["short"], members["expiry"] <= members["cut"], members["expiry"] >= members["cut"]
    )
    members = members[inside]
    keys = ["problem", "family", "cut"]
    sides = members.groupby([*keys, "call"], sort=False)["short"].transform("mean")
    members = members[(sides > 0.0) & (sides < 1.0)]
    latest = members["expiry"].where(members["short"], -1.0)
    at_cut = latest.groupby([members[key] for key in keys], sort=False).transform("max") == members["cut"]
    members = members[at_cut].sort_values([*keys, "leg"], kind="stable")
    sets = np.asarray(members.groupby(keys, sort=True).ngroup(), np.intp)
    heads = np.flatnonzero(np.diff(sets, prepend=-1))
    points = pd.DataFrame({"set": sets, "point": members["strike"].to_numpy(np.int64)})
    order = np.asarray(points.groupby(["set", "point"], sort=True).ngroup(), np.intp)
    distinct = points.drop_duplicates().sort_values(["set", "point"])
    return Spreads(
        problems=members["problem"].to_numpy(np.intp)[heads],
        cuts=members["cut"].to_numpy(np.float64)[heads],
        member_sets=sets,
        member_legs=members["leg"].to_numpy(np.intp),
        member_points=order,
        point_sets=distinct["set"].to_numpy(np.intp),
        points=distinct["point"].to_numpy(np.int64),
    )


def greatest_losses(legs: Legs, sets: Spreads, counts: Ints) -> tuple[Ints, Codes]:
    """Maximum potential loss of each set when ``counts`` [Z] of every member stand in it.

    Returns
    -------
    losses : [R] whole numbers of any size, in millionths of the currency.
    points : [R] row of the price point at which the loss is greatest, the lowest on a tie.
    """
    rows = sets.member_legs
    units = (legs.signs[rows] * legs.multipliers[rows] * counts).astype(object)
    firsts, size = sets.first_points(), len(sets.points)
    slopes = np.zeros(size, object)
    np.add.at(slopes, sets.member_points, units)
    puts = ~legs.is_call[rows]
    low = sets.points[firsts[sets.member_sets[puts]]]
    values = np.zeros(size, object)
    above = (legs.strikes[rows[puts]] - low).astype(object)
    np.add.at(values, firsts[sets.member_sets[puts]], units[puts] * above)
    # a set's units add up to nothing, so one running sum serves all sets
    slopes = np.add.accumulate(slopes) if size else slopes
    step = np.diff(sets.points, prepend=0).astype(object)
    step[firsts] = 0
    values = values + step * np.concatenate([np.zeros(min(size, 1), object), slopes[:-1]])
    running = np.add.accumulate(values) if size else values
    base = np.concatenate([np.zeros(min(size, 1), object), running[:-1]])[firsts]
    pnl = running - base[sets.point_sets] if size else running
    return _worst(pnl, sets, firsts)


def _worst(pnl: Ints, sets: Spreads, firsts: Codes) -> tuple[Ints, Codes]:
    if len(firsts) == 0:
        return np.zeros(0, object), firsts
    least = np.minimum.reduceat(pnl, firsts)
    at_least: Mask = np.asarray(pnl == least[sets.point_sets], bool)
    hits = np.flatnonzero(at_least)
    first_hit = hits[np.searchsorted(sets.point_sets[hits], np.arange(len(firsts)))]
    return np.maximum(-least, 0), first_hit

"""Short straddles and strangles: a short put and a short call that share one requirement.

Of a pair, the option with the greater requirement A keeps it, and the other adds only its own value P (Cboe
Margin Manual, edition of 2021-11-30). So a short is either alone, or hides behind a short of the other kind
whose requirement is at least its own, and saves A - P. Who can hide is a matter of order: sorted by falling
requirement, down to every place at most as many contracts hide as have offered to cover above it. That
running balance replaces one variable per pair by two per leg.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Mask
from shockgrid.reg_t.legs import RATE, Ints, Legs


@dataclass(frozen=True)
class Straddles:
    """Chains of short options, sorted by problem and chain; within a chain by falling requirement.

    Every leg stands in two chains: in one calls hide behind puts, in the other puts behind calls.
    """

    problems: Codes  #: [H]
    legs: Codes  #: [H]
    hides: Mask  #: [H] this leg hides in this chain; otherwise it covers
    first: Mask  #: [H] of its chain
    saved: Ints  #: [H] ticks per contract that hides; 0 for those that cover


def straddles(legs: Legs, alone: Ints, prices: Ints) -> Straddles:
    """The chains of every problem: short puts and calls of one deliverable and multiplier, margin accounts.

    ``alone`` and ``prices`` [L] are those of the requirement in question; on equal requirements the put
    counts as the greater.
    """
    short = legs.is_option & (legs.signs < 0) & ~legs.cash_account & (legs.sizes > 0)
    rows = np.flatnonzero(short)
    keys = ["problem", "family", "multiplier"]
    frame = pd.DataFrame(
        {
            "problem": legs.problems[rows],
            "family": legs.families[rows],
            "multiplier": legs.multipliers[rows],
            "order": -alone[rows],
            "call": legs.is_call[rows],
            "leg": rows,
        }
    )
    calls = frame.groupby(keys, sort=False)["call"].transform("mean")
    frame = frame[(calls > 0.0) & (calls < 1.0)]
    both = pd.concat([frame.assign(calls_hide=side) for side in (True, False)], ignore_index=True)
    chain = [*keys, "calls_hide"]
    both = both.sort_values([*chain, "order", "call", "leg"], kind="stable", ignore_index=True)
    hides = (both["call"] == both["calls_hide"]).to_numpy(bool)
    held = both["leg"].to_numpy(np.intp)
    return Straddles(
        problems=both["problem"].to_numpy(np.intp),
        legs=held,
        hides=hides,
        first=~both.duplicated(chain).to_numpy(bool),
        saved=np.where(hides, alone[held] - RATE * prices[held], 0),
    )


def pairs(chains: Straddles, counts: Ints, rows: slice) -> list[tuple[int, int, int]]:
    """Who hides behind whom, as (hidden leg, covering leg, contracts), of the chains in these rows.

    ``counts`` [H] are the contracts of every leg that hide or cover.
    """
    found: list[tuple[int, int, int]] = []
    offered: list[list[int]] = []
    for at in range(rows.start, rows.stop):
        if chains.first[at]:
            offered = []
        leg, wanted = int(chains.legs[at]), int(counts[at])
        if not chains.hides[at]:
            offered.append([leg, wanted])
            continue
        while wanted:
            cover = next(entry for entry in offered if entry[1])
            taken = min(cover[1], wanted)
            found.append((leg, cover[0], taken))
            cover[1], wanted = cover[1] - taken, wanted - taken
    return found

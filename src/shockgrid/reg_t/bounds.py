"""How far the counts of a program can reach."""

from __future__ import annotations

import numpy as np

from shockgrid.reg_t.legs import Ints, Legs
from shockgrid.reg_t.templates import Candidates

MANY = 2**40  #: more than anyone holds


def most(legs: Legs, groups: Candidates, start: int = 0) -> Ints:
    """How many of each group could be formed; ``start`` is the row of the first of ``legs``."""
    held = legs.sizes[np.maximum(groups.legs - start, 0)]
    each = np.where(groups.uses > 0, held // np.maximum(groups.uses, 1), MANY)
    return np.asarray(each.min(axis=1, initial=MANY), np.int64)


def usable(legs: Legs, groups: Candidates, start: int = 0) -> Ints:
    """How much of each leg [L] can be used: not the odd lot of a stock that groups take by the hundred.

    With this bound the relaxed program comes closer to the whole one (a Chvatal-Gomory cut).
    """
    shares = np.zeros(len(legs), np.int64)
    used = groups.uses > 0
    np.gcd.at(shares, (groups.legs - start)[used], groups.uses[used])
    shares = np.where(legs.is_option, 1, np.maximum(shares, 1))
    return np.asarray(legs.sizes // shares * shares, np.int64)

"""Groups of two to four legs that the rules name: stock with options, stock against itself, long boxes.

Amounts are per contract, in ticks, gross of proceeds and without the price of long options. Source: Cboe
Margin Manual, edition of 2021-11-30; NYSE Rule 431(e)(1), retired, for stock long and short.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Mask
from shockgrid.reg_t.amounts import Alone, rate
from shockgrid.reg_t.legs import RATE, Ints, Legs
from shockgrid.reg_t.matching import BOXED_STOCK, LONG_BOX, Part, joined, one, part
from shockgrid.reg_t.rules import RegtRules
from shockgrid.reg_t.stock_groups import with_stock


@dataclass(frozen=True)
class Candidates:
    """C groups that could be formed, sorted by problem."""

    problems: Codes
    kinds: Ints  #: place in NAMES
    legs: Codes  #: [C, 4] rows of Legs, -1 where there are fewer
    uses: Ints  #: [C, 4] contracts or shares of each leg in one group
    initial: Ints  #: requirement of one group
    maintenance: Ints
    caps: Ints  #: how much of the stock's value does not count, at maintenance
    saved_initial: Ints  #: against the legs by themselves
    saved_maintenance: Ints

    def __len__(self) -> int:
        return len(self.problems)

    def take(self, rows: Codes | Mask | slice) -> Candidates:
        """The candidates of these rows."""
        return Candidates(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})


def candidates(legs: Legs, single: Alone, rules: RegtRules) -> Candidates:
    """Every group of a named template that saves something at least at one of the two requirements."""
    found = [
        *with_stock(legs, rules),
        _boxed(legs, rules),
        _long_boxes(legs, rules),
    ]
    kinds = np.concatenate([np.full(len(some.legs), some.kind) for some in found])
    rows = np.concatenate([some.legs for some in found])
    uses = np.concatenate([some.uses for some in found])
    initial, maintenance, caps = (
        np.concatenate([np.asarray(getattr(some, name), np.int64) for some in found])
        for name in ("initial", "maintenance", "caps")
    )
    members = np.maximum(rows, 0)
    saved = (single.initial[members] * uses).sum(axis=1) - initial
    kept_up = (single.maintenance[members] * uses).sum(axis=1) - maintenance - caps
    fits = (legs.sizes[members] >= uses).all(axis=1)
    every = Candidates(
        legs.problems[rows[:, 0]], kinds, rows, uses, initial, maintenance, caps, saved, kept_up
    )
    useful = np.flatnonzero(fits & ((saved > 0) | (kept_up > 0)))
    return every.take(useful[np.lexsort((kinds[useful], every.problems[useful]))])


def _boxed(legs: Legs, rules: RegtRules) -> Part:
    """The same stock long and short in accounts margined together: 5 % of the long and the short's value."""
    stock = ~legs.is_option & (legs.sizes > 0) & ~legs.cash_account
    long, short = joined(legs, [stock & (legs.signs > 0), stock & (legs.signs < 0)], [["problem"]])
    same = legs.instruments[long] == legs.instruments[short]
    long, short = long[same], short[same]
    kept = rate(rules.boxed_stock) * legs.spots[long]
    initial, maintenance = RATE * legs.paid[short] + kept, RATE * legs.spots[short] + kept
    return part(BOXED_STOCK, [long, short], [one(long), one(short)], initial, maintenance)


def _long_boxes(legs: Legs, rules: RegtRules) -> Part:
    """Long box in European cash-settled index options: 50 % of its width is all its net cost that is due."""
    option = legs.is_option & legs.is_index & ~legs.is_american & ~legs.cash_account & (legs.sizes > 0)
    short, call = legs.signs < 0, legs.is_call
    series = ["problem", "family", "expiry", "multiplier"]
    bulls = joined(legs, [option & call & ~short, option & call & short], [series])
    bears = joined(legs, [option & ~call & ~short, option & ~call & short], [series])
    left = _spread_frame(legs, bulls, low=0)
    right = _spread_frame(legs, bears, low=1)
    boxes = left.merge(right, on=["problem", "family", "expiry", "multiplier", "low", "high"])
    rows = [boxes[name].to_numpy(np.intp) for name in ("long_x", "short_x", "long_y", "short_y")]
    width = (boxes["high"] - boxes["low"]).to_numpy(np.int64) * boxes["multiplier"].to_numpy(np.int64)
    amounts = [
        rate(rules.european_box) * width
        + RATE * (prices[rows[1]] + prices[rows[3]] - prices[rows[0]] - prices[rows[2]])
        for prices in (legs.paid, legs.prices)
    ]
    return part(LONG_BOX, rows, [one(row) for row in rows], *amounts)


def _spread_frame(legs: Legs, rows: list[Codes], low: int) -> pd.DataFrame:
    """Pairs of long and short with a lower and a higher strike; ``low`` says which of them is the lower."""
    longs, shorts = rows
    ends = (legs.strikes[longs], legs.strikes[shorts])
    frame = pd.DataFrame(
        {
            "problem": legs.problems[longs],
            "family": legs.families[longs],
            "expiry": legs.expiries[longs],
            "multiplier": legs.multipliers[longs],
            "low": ends[low],
            "high": ends[1 - low],
            "long": longs,
            "short": shorts,
        }
    )
    return frame[frame["low"] < frame["high"]]

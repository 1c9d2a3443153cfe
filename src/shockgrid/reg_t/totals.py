"""From pairings to what every margin group must carry: exact sums, rounded once, half up, to the cent."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.reg_t.amounts import Alone
from shockgrid.reg_t.legs import MICRO, RATE, TICKS, Ints, Legs
from shockgrid.reg_t.pairing import Pairing, saved_by

CENT = TICKS * MICRO // 100  #: of a sum of ticks x millionths of a contract


@dataclass(frozen=True)
class Side:
    """Initial or maintenance requirement of every problem, [Q] whole numbers of ticks x millionths.

    gross : what the rules print: premium of uncovered shorts and proceeds of short sales in it, the full
        price of long options in it.
    proceeds : value of the short options and the short stock.
    caps : how much of covered stock does not count as equity.
    alone : gross - proceeds of the legs by themselves.
    """

    gross: Ints
    proceeds: Ints
    caps: Ints
    alone: Ints
    gaps: Floats

    @property
    def requirement(self) -> Ints:
        """What net liquidating equity, with every option and share marked, must come to."""
        return self.gross - self.proceeds + self.caps


def side_of(legs: Legs, single: Alone, pairing: Pairing, *, initial: bool) -> Side:
    """Add up one requirement over the legs and groups of each problem."""
    size = len(pairing.gaps)
    alone, prices = (single.initial, legs.paid) if initial else (single.maintenance, legs.prices)
    bought = legs.is_option & (legs.signs > 0)
    needed = _summed(legs, alone, size) + _summed(legs, RATE * np.where(bought, prices, 0), size)
    proceeds = _summed(legs, RATE * np.where(legs.signs < 0, prices, 0), size)
    groups, counts = pairing.tables.candidates, pairing.counts.candidates
    caps = np.zeros(size, object)
    if not initial:
        np.add.at(caps, groups.problems, groups.caps.astype(object) * counts * MICRO)
    saved = saved_by(pairing.tables, pairing.counts, size) * MICRO
    return Side(needed - saved - caps, proceeds, caps, needed - proceeds, pairing.gaps)


def _summed(legs: Legs, amounts: Ints, size: int) -> Ints:
    sums = np.zeros(size, object)
    np.add.at(sums, legs.problems, amounts.astype(object) * legs.micro_quantities)
    return sums


def by_group(amounts: Ints, rates: Floats, groups: Codes, size: int) -> Floats:
    """Sums for each margin group in its own currency, to the cent.

    ``rates`` [Q] are the values of one unit of a problem's currency in its margin group's.
    """
    foreign = np.flatnonzero(rates != 1.0)
    amounts = amounts.copy()
    amounts[foreign] = [Fraction(rates[at]) * amounts[at] for at in foreign]
    sums = np.zeros(size, object)
    np.add.at(sums, groups, amounts)
    return cents(sums)


def cents(amounts: Ints) -> Floats:
    """Exact amounts as currency, rounded half up to the cent."""
    return np.array([int((2 * amount + CENT) // (2 * CENT)) / 100.0 for amount in amounts], np.float64)

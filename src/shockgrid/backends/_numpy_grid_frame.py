"""Coordinates of the finite-difference grids: the same for the march backwards and for reading prices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask

NODES = 145
#: Deviations covered beyond strike, drift, dividends and the price where waiting costs nothing, on the side
#: of exercise (where a put's spot may come near its dividends) and on the other.
REACH = (4.5, 4.0)
FARTHEST_TURN = 12.0  #: deviations at most to that price; nodes then stay where they are as the vol moves
#: Part of the life within which the first ex-date of a call is crossed by formula when it is read: of a call
#: without yield, which is exercised at ex-dates alone, and of one with.
SOON = (0.04, 0.02)
#: The formula needs what is held then to be smooth: times this, the part of the life between the first two
#: ex-dates must be at least the square of the part before the first.
ROOM = 0.02


class Contracts(NamedTuple):
    """Columns of n American options, [n] each; they have the same number D >= 0 of dividends.

    Where prices are read, missing ones stand at expiry with no cash; where grids are solved, none is missing.
    """

    strikes: Floats  #: in currency, > 0
    years: Floats  #: to expiry, > 0
    rates: Floats  #: continuous decimals, of any sign
    yields: Floats  #: continuous decimals, of any sign
    is_call: Mask
    ex_years: Floats  #: [n, D] years to the ex-dates, ascending in (0, years]
    cash: Floats  #: [n, D] in currency per unit of the spot, >= 0

    def only(self, rows: Codes) -> Contracts:
        return Contracts._make(column[rows] for column in self)

    def paid(self) -> Floats:
        """Sum of the dividends, [n], in their order: a further column of zeros changes no bit."""
        total = np.zeros(len(self.strikes))
        for column in self.cash.T:
            total += column
        return total


class Frame(NamedTuple):
    """Coordinates of a grid for one contract at one vol; columns of one shape.

    A call is a put with spot and strike, rate and yield exchanged (McDonald and Schroder 1998): let R be
    S / K of a put and K / S of a call, whose rate and yield change sides. With t the part of the life left,
    v = vol sqrt(T) and y = (log R + fall t) / v, values over the discounted strike (call: over the spot less
    yield) obey w_t = w_yy / 2. Node i lies at y = (i - zero) step; exercise pays towards node 0.
    """

    deviations: Floats  #: v
    rates: Floats  #: times years, sides changed
    yields: Floats
    falls: Floats  #: rate - yield - v^2 / 2
    zeros: Floats  #: place of y = 0, in nodes; not an integer
    steps: Floats  #: between nodes, in y


def frame(contracts: Contracts, vols: Floats) -> Frame:
    """Frames [..., n] of the contracts at ``vols`` [..., n].

    Both ends vary smoothly with the vol, so that values at one node can be interpolated in it. The grid
    reaches to the price at which interest and yield on what exercise moves are equal, and to strike plus
    dividends, as ``pricing.heat_layout.layout`` does.
    """
    put = ~contracts.is_call
    deviations = vols * np.sqrt(contracts.years)
    rates = np.where(put, contracts.rates, contracts.yields) * contracts.years
    yields = np.where(put, contracts.yields, contracts.rates) * contracts.years
    turning = rates * yields > 0
    ratio = np.where(turning, yields, 1.0) / np.where(turning, rates, 1.0)
    turns = np.maximum(np.log(ratio), 0.0)
    turns = turns * FARTHEST_TURN * deviations / (turns + FARTHEST_TURN * deviations)
    shifts = np.log1p(contracts.paid() / contracts.strikes)
    half = 0.5 * deviations**2
    below = REACH[0] * deviations + np.maximum(yields - rates, 0.0) + half + turns
    above = REACH[1] * deviations + np.maximum(rates - yields, 0.0)
    below, above = below + np.where(put, 0.0, shifts), above + np.where(put, shifts, 0.0)
    widths = (below + above) / (NODES - 1)
    columns = (deviations, rates, yields, rates - yields - half, below / widths, widths / deviations)
    return Frame(*(_shaped(column, deviations.shape) for column in columns))


def _shaped(column: Floats, shape: tuple[int, ...]) -> Floats:
    return column if column.shape == shape else np.broadcast_to(column, shape)


def crosses_soon(contracts: Contracts) -> tuple[Mask, Mask]:
    """Calls whose first ex-date is near, [n], in two kinds.

    First: the grid leaves out exercise at that ex-date, and ``Crossing`` adds it at reading. Second: the next
    ex-date is so close behind that neither grid nor formula resolves both.
    """
    ex_years = contracts.ex_years
    if ex_years.shape[1] == 0:
        none = np.zeros(len(contracts.strikes), np.bool_)
        return none, none
    part = np.where(contracts.yields > 0, SOON[1], SOON[0])
    soon: Mask = contracts.is_call & (ex_years[:, 0] < part * contracts.years)
    if ex_years.shape[1] == 1:
        return soon, np.zeros_like(soon)
    crowded = (ex_years[:, 1] - ex_years[:, 0]) * ROOM * contracts.years < ex_years[:, 0] ** 2
    crowded &= contracts.is_call & (ex_years[:, 0] < SOON[0] * contracts.years)
    return soon & ~crowded, crowded

"""What ``house_rules`` charges beyond its scan; figures per leaf are in the base currency, [G]."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats, Mask
from shockgrid.market import HELD_OUTRIGHT
from shockgrid.regimes.house_file import HouseRuleParameters
from shockgrid.regimes.house_ranges import NameRanges
from shockgrid.requirement.regime import Context

LOW_CAP, HIGH, SECTOR, EXPECTED, DELTA, VEGA = "low_cap", "high", "sector", "expected", "delta", "vega"
TENTHS = np.arange(1, 21) / 10.0  #: shares of the expected range looked at on each side, up to twice it
DELTA_STEP, VOL_POINT = 0.01, 0.01
MOST_DAYS = 1e6  #: shown where a name has no volume at all


class Side(NamedTuple):
    """One side of the expected range of each leaf."""

    pnr: Floats  #: [G] move at which the leaf alone loses the equity; at least twice EPR where that is shown
    epr: Floats  #: [G]
    loss: Floats  #: [G] worst loss up to EPR
    inside: Mask  #: [G] PNR lies within EPR


class HouseCharges:
    """The figures of ``house_rules``."""

    def __init__(self, numbers: HouseRuleParameters, ranges: NameRanges) -> None:
        self.numbers, self.ranges = numbers, ranges

    def low_cap(self, context: Context) -> Floats:
        """Top-up of small issuers to their rate, [M]."""
        return self._top_up(context, losses(context, LOW_CAP))

    def expected_range(self, context: Context) -> Floats:
        """Top-up to the loss at EPR on every side on which PNR lies within it, [M]."""
        sides = [self.side(context, name) for name in ("down", "up")]
        worst = np.maximum.reduce([np.where(side.inside, side.loss, 0.0) for side in sides])
        return self._top_up(context, worst)

    def sector_crash(self, context: Context) -> Floats:
        """The worst sector's net loss when all of its names fall together, [M]."""
        leaves = context.leaves
        sectors = context.plan.market.underlyings.sectors[leaves.underlyings]
        rows = pd.DataFrame(
            {"group": leaves.margin_groups, "sector": sectors, "pnl": leaves.tagged[SECTOR][:, 0]}
        )
        sums = rows[rows["sector"] != ""].groupby(["group", "sector"])["pnl"].sum()
        return _worst(context, sums.index.get_level_values(0).to_numpy(np.intp), -sums.to_numpy(np.float64))

    def return_to_high(self, context: Context) -> Floats:
        """The worst single name's loss when it goes back to its highest price of the year, [M]."""
        return _worst(context, context.leaves.margin_groups, losses(context, HIGH))

    def liquidity(self, context: Context) -> Floats:
        """Rate on the value of what cannot be sold within the days allowed, [M]."""
        rule, delta = self.numbers.liquidity, np.abs(deltas(context))
        sold = rule.days.value * rule.participation.value * volumes(context)
        beyond = np.nan_to_num(np.maximum(delta - sold, 0.0), nan=0.0)
        return context.by_margin_group(rule.rate.value * beyond * spots(context))

    def crowding(self, context: Context) -> Floats:
        """Rate on the share of a holding that the whole firm holds beyond its limit, same side only, [M]."""
        rule, delta = self.numbers.crowding, deltas(context)
        firm, days = firm_days(context)
        share = np.where(days > rule.days.value, 1.0 - rule.days.value / np.maximum(days, 1e-300), 0.0)
        same = delta * firm > 0.0
        charge = rule.rate.value * np.abs(delta) * spots(context) * share
        return context.by_margin_group(np.where(same, charge, 0.0))

    def borrow(self, context: Context) -> Floats:
        """Rate on shares held short that are dear to borrow, [M]."""
        rule = self.numbers.borrow
        dear = borrow_rates(context) > rule.threshold.value
        plan = context.plan
        worth = plan.positions.weights * context.values[plan.positions.instruments]
        return context.by_position(np.where(dear, rule.rate.value * np.maximum(-worth, 0.0), 0.0))

    def side(self, context: Context, name: str) -> Side:
        """EPR, PNR and the loss at EPR on one side of every leaf."""
        pnl = context.leaves.tagged[EXPECTED]
        half = pnl[:, : len(TENTHS)] if name == "down" else pnl[:, len(TENTHS) :]
        worth = context.equity.at_marks[context.leaves.margin_groups]
        epr = np.abs(self.ranges.expected(name)(context.plan.market))[context.leaves.underlyings]
        lost = np.maximum.accumulate(np.maximum(-half, 0.0), axis=1)
        inner = int(np.count_nonzero(TENTHS <= 1.0))
        crossed = _crossing(lost, np.maximum(worth, 0.0))
        crossed = np.where(worth <= 0.0, np.where(lost[:, inner - 1] > 0.0, 0.0, TENTHS[-1]), crossed)
        return Side(crossed * epr, epr, lost[:, inner - 1], crossed < 1.0)

    @staticmethod
    def _top_up(context: Context, figures: Floats) -> Floats:
        return context.by_margin_group(np.maximum(figures - context.leaves.losses, 0.0))


def losses(context: Context, tag: str) -> Floats:
    """Worst loss of each leaf over the scenarios of a tag, [G]."""
    worst: Floats = np.maximum(-context.leaves.tagged[tag].min(axis=1, initial=0.0), 0.0)
    return worst


def deltas(context: Context) -> Floats:
    """Net units of the shown underlying each leaf moves like, [G]."""
    names, rows = context.plan.market.underlyings, context.leaves.underlyings
    pnl = context.leaves.tagged[DELTA]
    step = 2.0 * DELTA_STEP * names.leverages[rows] * spots(context)
    units: Floats = (pnl[:, 1] - pnl[:, 0]) / step
    return units


def spots(context: Context) -> Floats:
    """Spot of each leaf's shown underlying, base currency, [G]."""
    market = context.plan.market
    return (market.underlyings.spots * market.spot_rates())[context.leaves.underlyings]


def volumes(context: Context) -> Floats:
    """Average daily volume of each leaf's shown underlying, [G]; NaN where none is known."""
    return context.plan.market.underlyings.volumes[context.leaves.underlyings]


def firm_days(context: Context) -> tuple[Floats, Floats]:
    """What all margin groups of the run hold of each leaf's class group: net units, days of volume, [G]."""
    codes = pd.factorize(context.leaves.class_groups)[0]
    firm = np.bincount(codes, deltas(context)).astype(np.float64)[codes] if len(codes) else np.zeros(0)
    return firm, _days(np.abs(firm), volumes(context))


def days_of_volume(context: Context, participation: float) -> Floats:
    """Days it takes to sell each leaf at a share of the volume, [G]; NaN where no volume is known."""
    return _days(np.abs(deltas(context)), participation * volumes(context))


def borrow_rates(context: Context) -> Floats:
    """Stock-borrow rate of every position in shares held short, [P]; NaN for all others."""
    plan = context.plan
    table, names, held = plan.market.instruments, plan.market.underlyings, plan.positions
    outright = np.isin(table.types.astype(str), HELD_OUTRIGHT)[held.instruments]
    rates = names.borrows[table.underlyings[held.instruments]]
    return np.where(outright & (held.quantities < 0.0), rates, np.nan)


def _days(units: Floats, a_day: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        days = np.where(units == 0.0, a_day * 0.0, units / a_day)
    return np.minimum(days, MOST_DAYS)


def _crossing(lost: Floats, worth: Floats) -> Floats:
    """Share of EPR at which a rising loss [G, 20] reaches ``worth``, linear between points; or the last."""
    before = np.hstack([np.zeros((len(lost), 1)), lost])[:, :-1]
    starts = np.concatenate([[0.0], TENTHS[:-1]])
    reached = lost >= worth[:, None]
    first = np.where(reached.any(axis=1), reached.argmax(axis=1), len(TENTHS) - 1)
    rows = np.arange(len(lost))
    rise = lost[rows, first] - before[rows, first]
    part = np.where(rise > 0.0, (worth - before[rows, first]) / np.where(rise > 0.0, rise, 1.0), 1.0)
    share = starts[first] + np.clip(part, 0.0, 1.0) * (TENTHS[first] - starts[first])
    crossed: Floats = np.where(reached.any(axis=1), share, TENTHS[-1])
    return crossed


def _worst(
    context: Context, margin_groups: np.ndarray[tuple[int], np.dtype[np.intp]], figures: Floats
) -> Floats:
    worst = np.zeros(len(context.plan.margin_groups))
    np.maximum.at(worst, margin_groups, figures)
    return worst

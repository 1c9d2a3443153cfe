"""The rules of ``house_rules`` as ``explain`` lists them: measure, limit and distance to trigger."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.regimes.house_charges import (
    EXPECTED,
    LOW_CAP,
    VEGA,
    HouseCharges,
    borrow_rates,
    days_of_volume,
    firm_days,
    losses,
)
from shockgrid.regimes.house_file import BetaTest
from shockgrid.requirement.add_ons import uncovered_units
from shockgrid.requirement.regime import Context
from shockgrid.requirement.remarks import Measured, Remark, rule

BETA = "beta"
Measure: TypeAlias = Callable[[Context], Measured]
PER_EQUITY = 1_000.0  #: of equity, for short units


def remarks(charges: HouseCharges) -> tuple[Remark, ...]:
    """Every rule but the floors, which are listed with their lines."""
    numbers, limits = charges.numbers, charges.numbers.limits
    tests = [
        rule(f"beta_{test.index_move:+.0%}", _beta(test, place), _beta_words(test))
        for place, test in enumerate(numbers.beta.tests)
    ]
    return (
        rule(
            "expected_range", _expected(charges), "PNR, where this name alone takes the equity, against EPR"
        ),
        rule("low_cap", _low_cap, "loss at the rate of a small issuer against the scan"),
        rule("earnings", _earnings(charges), "days to the next earnings; ranges are wider before them"),
        rule("uncovered_shorts", _uncovered, "uncovered short option units pay the contingency"),
        rule("liquidity", _liquidity(charges), "days it takes to sell at a share of the daily volume"),
        rule("crowding", _crowding(charges), "what the whole firm holds, in days of volume"),
        rule("hard_to_borrow", _borrow(charges), "borrow rate of shares held short"),
        rule("vega_limit", _vega(limits.vega.value), "loss at one vol point, names not netted, by equity"),
        rule("short_unit_limit", _short_units(limits.short_units.value), "short options for the equity"),
        rule("notional_limit", _notional(limits.notional.value), "gross notional for the equity"),
        *tests,
    )


def nearest(context: Context, values: Floats, limits: Floats, distances: Floats) -> Measured:
    """Of each margin group's leaves the one closest to the trigger, named by its class group, [M]."""
    leaves, size = context.leaves, len(context.plan.margin_groups)
    order = np.lexsort((distances, leaves.margin_groups))  # NaN last
    owners = leaves.margin_groups[order]
    first = order[np.flatnonzero(np.diff(owners, prepend=-1))]
    figures = np.full((3, size), np.nan)
    subjects = np.full(size, "", object)
    groups = leaves.margin_groups[first]
    figures[:, groups] = values[first], limits[first], distances[first]
    subjects[groups] = leaves.class_groups[first]
    return Measured(figures[0], figures[1], figures[2], subjects)


def _in_equity(context: Context, figures: Floats, multiple: float) -> Measured:
    """Money [M] in the base currency against a multiple of equity, shown in each group's currency."""
    worth = np.maximum(context.equity.at_marks, 0.0)
    held = context.plan.by_margin_group((context.plan.positions.quantities != 0.0).astype(np.float64)) > 0.0
    values, limits = figures / context.rates, multiple * worth / context.rates
    return Measured(values, limits, np.where(held, limits - values, np.nan))


def _expected(charges: HouseCharges) -> Measure:
    def measure(context: Context) -> Measured:
        down, up = (charges.side(context, side) for side in ("down", "up"))
        closer = down.pnr - down.epr <= up.pnr - up.epr
        pnr, epr = np.where(closer, down.pnr, up.pnr), np.where(closer, down.epr, up.epr)
        risky = losses(context, EXPECTED) > 0.0
        return nearest(context, pnr, epr, np.where(risky, pnr - epr, np.nan))

    return measure


def _low_cap(context: Context) -> Measured:
    figure, scan = losses(context, LOW_CAP), context.leaves.losses
    known = ~np.isnan(context.plan.market.underlyings.market_caps[context.leaves.underlyings])
    rates = context.rates[context.leaves.margin_groups]
    return nearest(context, figure / rates, scan / rates, np.where(known, (scan - figure) / rates, np.nan))


def _earnings(charges: HouseCharges) -> Measure:
    def measure(context: Context) -> Measured:
        days = charges.ranges.days_to_earnings(context.plan.market)[context.leaves.underlyings]
        limit = float(charges.numbers.earnings.days.value)
        left = np.where(days >= 0.0, days - limit - 1.0, np.nan)
        return nearest(context, days, np.full(len(days), limit), left)

    return measure


def _uncovered(context: Context) -> Measured:
    found = uncovered_units(context.plan)
    units = context.plan.by_margin_group(found.units, found.margin_groups)
    return Measured(units, np.zeros(len(units)), -units)


def _liquidity(charges: HouseCharges) -> Measure:
    def measure(context: Context) -> Measured:
        rule_ = charges.numbers.liquidity
        days = days_of_volume(context, rule_.participation.value)
        return nearest(context, days, np.full(len(days), rule_.days.value), rule_.days.value - days)

    return measure


def _crowding(charges: HouseCharges) -> Measure:
    def measure(context: Context) -> Measured:
        limit, days = charges.numbers.crowding.days.value, firm_days(context)[1]
        return nearest(context, days, np.full(len(days), limit), limit - days)

    return measure


def _borrow(charges: HouseCharges) -> Measure:
    def measure(context: Context) -> Measured:
        rates, leaves = borrow_rates(context), context.position_leaves()
        most = np.full(len(context.leaves.losses), -1.0)
        np.maximum.at(most, leaves, np.nan_to_num(rates, nan=-1.0))
        most = np.where(most < 0.0, np.nan, most)
        limit = charges.numbers.borrow.threshold.value
        return nearest(context, most, np.full(len(most), limit), limit - most)

    return measure


def _vega(multiple: float) -> Measure:
    def measure(context: Context) -> Measured:
        points = np.abs(context.leaves.tagged[VEGA][:, 0])
        return _in_equity(context, context.by_margin_group(points), multiple)

    return measure


def _short_units(per_thousand: float) -> Measure:
    def measure(context: Context) -> Measured:
        plan = context.plan
        option = plan.market.instruments.is_option[plan.positions.instruments]
        short = context.by_position(np.where(option, np.maximum(-plan.positions.quantities, 0.0), 0.0))
        worth = np.maximum(context.equity.at_marks, 0.0)
        limits = per_thousand * worth / PER_EQUITY
        return Measured(short, limits, np.where(short > 0.0, limits - short, np.nan))

    return measure


def _notional(multiple: float) -> Measure:
    def measure(context: Context) -> Measured:
        return _in_equity(context, context.by_position(np.abs(context.notionals())), multiple)

    return measure


def _beta(test: BetaTest, place: int) -> Measure:
    def measure(context: Context) -> Measured:
        joint = context.by_margin_group(context.leaves.tagged[BETA][:, place])
        return _in_equity(context, np.maximum(-joint, 0.0), test.multiple)

    return measure


def _beta_words(test: BetaTest) -> str:
    move = f"{test.index_move:+.0%}"
    return f"loss when the index moves {move} and every name by its beta, at most {test.multiple:g} x equity"

"""Charges of Derive's PMRM_2 beside the scenarios."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.regimes.derive_file import DeriveParameters
from shockgrid.regimes.feeds import Feeds
from shockgrid.requirement.leafwise import Apart
from shockgrid.requirement.regime import AddOn, Context
from shockgrid.requirement.units import (
    held_outright,
    index_spots,
    net_by,
    net_short_by_strike,
    positions_of,
)

BASIS = "basis"  #: tag of the two spot moves of the forward contingency
WORDS = {
    "forward": "basis contingency: each expiry's worse of two spot moves x (add + mult x years); it competes "
    "with the worst scenario, it is not added to it",
    "factor": "the worst loss x the margin factor, raised in initial margin as the stablecoin loses its peg",
    "perpetual": "|perpetuals| x index x percentage",
    "option": "net short options per strike x index x percentage",
    "collateral": "collateral value x haircut",
    "oracle": "(1 - confidence) x notional where a feed's confidence is below the threshold",
}


def add_ons(numbers: DeriveParameters, feeds: Feeds, *, initial: bool) -> tuple[AddOn, ...]:
    """The lines of maintenance or of initial margin; initial margin has both percentages."""
    kinds = ("maintenance", "initial") if initial else ("maintenance",)
    percent = numbers.percent
    perpetual = sum(getattr(percent.perpetual, kind).value for kind in kinds)
    option = sum(getattr(percent.option, kind).value for kind in kinds)
    haircuts = {name: sum(getattr(row, kind) for kind in kinds) for name, row in numbers.collateral.items()}
    lines = (
        AddOn(
            "forward_contingency",
            lambda context: _forward_top_up(context, numbers),
            words=WORDS["forward"],
            leafwise=Apart(),
        ),
        AddOn(
            "loss_factor",
            lambda context: _factor(context, numbers, initial),
            "factor",
            WORDS["factor"],
            leafwise=Apart(same=True),
        ),
        AddOn(
            "perpetual",
            lambda context: perpetual * _perpetuals(context),
            words=WORDS["perpetual"],
            leafwise=Apart(),
        ),
        AddOn(
            "naked_options",
            lambda context: option * _naked(context),
            words=WORDS["option"],
            of_plan=net_short_by_strike,
            leafwise=Apart(),
        ),
        AddOn(
            "collateral_haircut",
            lambda context: _haircut(context, haircuts),
            words=WORDS["collateral"],
            leafwise=Apart(),
        ),
    )
    if not initial:
        return lines
    charge = AddOn(
        "oracle_confidence",
        lambda context: feeds.charge(
            context, numbers.confidence.threshold.value, numbers.confidence.margin.value
        ),
        words=WORDS["oracle"],
    )
    return (*lines, charge)


def _forward_top_up(context: Context, numbers: DeriveParameters) -> Floats:
    rows, basis = context.expiries, numbers.basis
    lowest = np.minimum(rows.tagged[BASIS].min(axis=1), 0.0) * rows.is_option
    contingency = context.by_leaf(-lowest * (basis.added.value + basis.per_year.value * rows.years))
    return context.by_margin_group(np.maximum(contingency - context.leaves.losses, 0.0))


def _factor(context: Context, numbers: DeriveParameters, initial: bool) -> Floats:
    factor, stable = numbers.loss_factor, 1.0 / context.plan.market.fx.get("USD", 1.0)
    lost = factor.peg.value * max(0.0, factor.peg_threshold.value - stable)
    amount = factor.initial.value + lost if initial else factor.maintenance.value
    return np.full(len(context.plan.margin_groups), amount)


def _perpetuals(context: Context) -> Floats:
    held = net_by(context.plan, positions_of(context.plan, ("perpetual",)))
    worth = np.abs(held.units) * index_spots(context.plan.market)[held.underlyings]
    return context.plan.by_margin_group(worth, held.margin_groups)


def _naked(context: Context) -> Floats:
    short = context.known(net_short_by_strike)
    worth = short.units * index_spots(context.plan.market)[short.underlyings]
    return context.plan.by_margin_group(worth, short.margin_groups)


def _haircut(context: Context, haircuts: dict[str, float]) -> Floats:
    held, names = context.plan.positions, context.plan.market.underlyings.names
    owners = context.plan.market.instruments.underlyings[held.instruments]
    rates = np.array([haircuts.get(str(name), haircuts["default"]) for name in names], np.float64)
    worth = np.abs(held.weights * context.values[held.instruments]) * held_outright(context.plan)
    return context.by_position(worth * rates[owners])

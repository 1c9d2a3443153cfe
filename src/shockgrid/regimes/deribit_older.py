"""Deribit's older portfolio margin (v2) and its standard margin."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shockgrid.arrays import Floats, Mask
from shockgrid.engine import Plan
from shockgrid.regimes.deribit_file import StandardParameters, V2Parameters
from shockgrid.regimes.parameter_files import load
from shockgrid.requirement.leafwise import Apart
from shockgrid.requirement.regime import AddOn, Context, Regime
from shockgrid.requirement.tree import Tree
from shockgrid.requirement.units import (
    FUTURES,
    Held,
    index_spots,
    net_by,
    net_short_by_strike,
    positions_of,
)
from shockgrid.scenarios import ScenarioSet
from shockgrid.vol_rules import TermScaled


def v2(parameters: str | Path | None, default: str, orders: AddOn, note: str) -> Regime:
    """Price x vol grid, net short options per strike, offsetting futures; see ``deribit``."""
    numbers = load(V2Parameters, parameters, default)
    core = (
        AddOn(
            "net_short_options",
            lambda context: numbers.net_short_option.value * _net_short(context),
            words="coin per net short option, calls and puts of a strike netted",
            of_plan=net_short_by_strike,
            leafwise=Apart(),
        ),
        AddOn(
            "offsetting_futures",
            lambda context: numbers.offsetting_futures.value * _offsetting(context),
            words="a share of the futures that offset each other",
            leafwise=Apart(),
        ),
    )
    factor = AddOn(
        "initial_factor",
        lambda context: np.full(len(context.plan.margin_groups), numbers.initial_factor.value),
        "factor",
        "initial margin is a multiple of maintenance margin",
    )
    return Regime(
        name="deribit v2",
        scenarios=_grid(numbers),
        tree=Tree("class_group"),
        add_ons=core,
        initial=(*core, factor, orders),
        side="exchange",
        parameters=numbers.model_dump(mode="json"),
        notes=(note,),
        scan_words="worst case of the price x vol grid",
    )


def _grid(numbers: V2Parameters) -> ScenarioSet:
    """Every price move with the vol up, as it is, and down."""
    moves, vol = numbers.moves.values, numbers.volatility_range.value
    rule = TermScaled(numbers.vega_power.value, numbers.vega_power.value, numbers.floor_days.value)
    spots = [move for move in moves for _ in range(3)]
    return ScenarioSet.by_class_group(
        dict.fromkeys(numbers.currencies, spots),
        dict.fromkeys(numbers.currencies, [vol, 0.0, -vol] * len(moves)),
        dict.fromkeys(numbers.currencies, [1.0] * len(spots)),
        names=[f"price {move:+.3g}, vol {state}" for move in moves for state in ("up", "same", "down")],
        vol_rule=[rule, None, rule] * len(moves),
        averaging_minutes=numbers.averaging_minutes.value,
    )


def _net_short(context: Context) -> Floats:
    short = context.known(net_short_by_strike)
    worth = short.units * index_spots(context.plan.market)[short.underlyings]
    return context.plan.by_margin_group(worth, short.margin_groups)


def _offsetting(context: Context) -> Floats:
    """The lesser of long and short futures of each currency, base currency, [M]."""
    plan = context.plan
    series = _held_futures(plan)
    keys = np.column_stack([series.margin_groups, series.underlyings])
    found, place = np.unique(keys, axis=0, return_inverse=True)
    long, short = (
        np.bincount(place.ravel(), np.maximum(side * series.units, 0.0), len(found)) for side in (1.0, -1.0)
    )
    worth = np.minimum(long, short) * index_spots(plan.market)[found[:, 1]]
    return plan.by_margin_group(worth, found[:, 0])


def standard(parameters: str | Path | None, default: str, orders: AddOn, note: str) -> Regime:
    """Short options position by position, futures at a share of their size; see ``deribit``."""
    numbers = load(StandardParameters, parameters, default)
    nothing = {name: [0.0] for name in numbers.currencies}
    plain = {name: [1.0] for name in numbers.currencies}

    def lines(initial: bool) -> tuple[AddOn, ...]:
        share = numbers.future_initial.value if initial else numbers.future_maintenance.value
        return (
            AddOn(
                "short_options",
                lambda context: _short_options(context, numbers, initial),
                words="max(share - out of the money, least) + mark; maintenance a share + mark",
                leafwise=Apart(),
            ),
            AddOn(
                "futures",
                lambda context: share * _futures(context),
                words="a share of their size",
                leafwise=Apart(),
            ),
        )

    return Regime(
        name="deribit standard",
        scenarios=ScenarioSet.by_class_group(nothing, nothing, plain, names=["today"]),
        tree=Tree("class_group"),
        add_ons=lines(initial=False),
        initial=(*lines(initial=True), orders),
        side="exchange",
        parameters=numbers.model_dump(mode="json"),
        notes=(note,),
        scan_words="standard margin has no scenarios",
    )


def _short_options(context: Context, numbers: StandardParameters, initial: bool) -> Floats:
    """Margin of short options at their mark (model value where there is none), [M]."""
    rule, plan = numbers.short_option, context.plan
    table, rows = plan.market.instruments, plan.positions.instruments
    spots = plan.market.underlyings.spots[table.underlyings[rows]]
    calls: Mask = table.is_call[rows]
    marks = np.where(np.isnan(table.marks[rows]), context.values[rows], table.marks[rows])
    out = np.maximum(np.where(calls, table.strikes[rows] - spots, spots - table.strikes[rows]), 0.0) / spots
    kept = rule.maintenance.value * np.where(calls, 1.0, np.maximum(1.0, marks)) + marks
    first = np.maximum(rule.initial_share.value - out, rule.initial_least.value) + marks
    margins = np.where(calls, first, np.maximum(first, kept)) if initial else kept
    short = np.maximum(-plan.positions.weights, 0.0) * table.is_option[rows]
    return context.by_position(short * np.where(table.is_option[rows], margins, 0.0))


def _futures(context: Context) -> Floats:
    plan = context.plan
    held = _held_futures(plan)
    worth = np.abs(held.units) * index_spots(plan.market)[held.underlyings]
    return plan.by_margin_group(worth, held.margin_groups)


def _held_futures(plan: Plan) -> Held:
    """Net units of each future."""
    return net_by(plan, positions_of(plan, FUTURES), np.arange(len(plan.market.instruments.symbols)))

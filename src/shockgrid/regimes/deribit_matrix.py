"""Deribit's risk matrix: standard and extended scenarios, dampener and offset of gains."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.regimes.deribit_charges import DELTA, STENCIL
from shockgrid.regimes.deribit_file import Currency, V3Parameters
from shockgrid.requirement.tree import Node, Transform
from shockgrid.scenarios import ScenarioSet
from shockgrid.vol_rules import TermScaled


def risk_matrix(numbers: V3Parameters) -> ScenarioSet:
    """Price buckets by vol states, lowest price first, then the extended moves; and moves for deltas."""
    powers = numbers.short_term_vega_power.value, numbers.long_term_vega_power.value
    floor = numbers.min_volatility_for_shock_up.value
    up = TermScaled(*powers, numbers.floor_days.value, floor=floor)
    down = TermScaled(*powers, numbers.floor_days.value)
    shares, moves, known = numbers.buckets.values, numbers.extended.values, numbers.currencies
    still = {name: [0.0] * 4 for name in known}
    standard_spots = {name: np.repeat(shares, 3) * own.price_range.value for name, own in known.items()}
    return ScenarioSet.by_class_group(
        {name: [*spots, *moves] for name, spots in standard_spots.items()},
        {
            name: [*_vols(own) * len(shares), *[own.volatility_range_up.value] * len(moves)]
            for name, own in known.items()
        },
        {name: [1.0] * 3 * len(shares) + _weights(own, moves) for name, own in known.items()},
        names=[
            *[f"bucket {share:+.3g} ranges, vol {vol}" for share in shares for vol in ("up", "same", "down")],
            *[f"extended {move:+.0%}" for move in moves],
        ],
        vol_rule=[*[up, None, down] * len(shares), *[up] * len(moves)],
        averaging_minutes=numbers.averaging_minutes.value,
    ) + ScenarioSet.by_class_group(
        {name: list(STENCIL) for name in known},
        still,
        {name: [1.0] * len(STENCIL) for name in known},
        names=[f"delta {step:+g}" for step in STENCIL],
        tag=DELTA,
        averaging_minutes=numbers.averaging_minutes.value,
    )


def _vols(own: Currency) -> list[float]:
    return [own.volatility_range_up.value, 0.0, -own.volatility_range_down.value]


def _weights(own: Currency, moves: list[float]) -> list[float]:
    """USD P&L of an extended move scaled by range / |move|, turned into coin at the end of the range."""
    span, factor = own.price_range.value, own.extended_table_factor.value
    return [factor * span / abs(move) * (1.0 + move) / (1.0 + np.sign(move) * span) for move in moves]


def dampened(numbers: V3Parameters) -> Transform:
    """Extended rows shrink towards zero, gains of standard rows count in part and up to a limit."""
    count, moves = 3 * len(numbers.buckets.values), np.array(numbers.extended.values)

    def transform(pnl: Floats, node: Node) -> Floats:
        own = numbers.currencies[node.name]
        span = own.price_range.value
        damp = (np.abs(moves) / span - 1.0) * own.extended_dampener.value / (1.0 + np.sign(moves) * span)
        rows, wide = pnl[:, :count], pnl[:, count:]
        gains = np.minimum(own.pnl_offset.value * np.maximum(rows, 0.0), own.max_offsetable_pnl.value)
        shrunk = np.sign(wide) * np.maximum(np.abs(wide) - np.maximum(damp, 0.0), 0.0)
        return np.hstack([np.minimum(rows, 0.0) + gains, shrunk])

    return transform

"""SPAN's charges and credits from composite deltas and risk arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, row_sums
from shockgrid.market import Market
from shockgrid.regimes.span_arrays import RiskArrays
from shockgrid.regimes.span_file import Commodity, SpanParameters, Spread
from shockgrid.requirement.regime import Context
from shockgrid.requirement.spreads import Leg, matched

DELTA = "delta"
STEP = 1e-3  #: of the scan range; the stencil's error is of its fourth power
STENCIL, STENCIL_WEIGHTS = (-2, -1, 1, 2), np.array([1.0, -8.0, 8.0, -1.0]) / 12.0
DAYS_PER_YEAR = 365.0


class Months(NamedTuple):
    """Net composite delta of each leaf in each contract month, in delta units."""

    leaves: Codes
    days: Floats
    deltas: Floats


class Charges:
    """Figures of ``span``, per leaf (margin group and combined commodity) and summed."""

    def __init__(self, numbers: SpanParameters, published: RiskArrays | None) -> None:
        self.numbers, self.published = numbers, published

    def alone(self, market: Market) -> bool:
        """Whether no spread between commodities can be formed: each one is then charged by itself."""
        listed = set(market.underlyings.class_groups.astype(str))
        return not any(all(leg.of in listed for leg in spread.legs) for spread in self.numbers.inter_spreads)

    def intra(self, context: Context) -> Floats:
        """Intra-commodity spread charge, [M]."""
        return context.by_margin_group(self._intra(context))

    def inter(self, context: Context) -> Floats:
        """Inter-commodity spread credit, [M]."""
        return context.by_margin_group(self._inter(context))

    def minimum_top_up(self, context: Context) -> Floats:
        """What lifts each commodity's figure to its short option minimum, [M]."""
        figure = context.leaves.losses + self._intra(context) - self._inter(context)
        return context.by_margin_group(np.maximum(self._minimum(context) - figure, 0.0))

    def net_option_value(self, context: Context) -> Floats:
        """Value of options held long less that of options short, [M]; any sign."""
        held = context.plan.positions
        option = context.plan.market.instruments.is_option[held.instruments]
        return context.by_position(np.where(option, held.weights * context.values[held.instruments], 0.0))

    def months(self, context: Context) -> Months:
        """Composite deltas by contract month: of an underlying's only future, else a row's own expiry."""
        rows, market = context.expiries, context.plan.market
        names, points = market.underlyings, self.numbers.deltas
        leaves, owners = rows.leaves, rows.underlyings
        units = self._each(context, lambda commodity: commodity.delta_unit)[leaves]
        per_unit = self._range(context, leaves, names.spots[owners]) * units * market.spot_rates()[owners]
        weights = np.outer(points.weights, STENCIL_WEIGHTS).ravel() / STEP
        deltas = row_sums(rows.tagged[DELTA], weights) / per_unit + self._published(context, units)
        days = _month_days(context)[owners]
        days = np.where(np.isnan(days), rows.years * DAYS_PER_YEAR, days)
        keys, place = np.unique(np.column_stack([leaves, owners, days]), axis=0, return_inverse=True)
        sums = np.bincount(place.ravel(), deltas, len(keys)).astype(np.float64)
        return Months(keys[:, 0].astype(np.intp), keys[:, 2], sums)

    def _each(self, context: Context, figure: Callable[[Commodity], float]) -> Floats:
        """A figure of each leaf's commodity, [G]."""
        known, default = self.numbers.commodities, self.numbers.commodities["default"]
        names, codes = np.unique(context.leaves.class_groups.astype(str), return_inverse=True)
        return np.array([figure(known.get(str(name), default)) for name in names], np.float64)[codes]

    def _range(self, context: Context, leaves: Codes, spots: Floats) -> Floats:
        """Price scan range at these spots, money per unit of price."""
        share = self._each(context, lambda commodity: commodity.price_range_is == "share")[leaves]
        return self._each(context, lambda commodity: commodity.price_range)[leaves] * np.where(
            share == 1.0, spots, 1.0
        )

    def _published(self, context: Context, units: Floats) -> Floats:
        """Published composite deltas of what each expiry row holds, in delta units."""
        rows, plan = context.expiries, context.plan
        if self.published is None:
            return np.zeros(len(units))
        table, held = plan.market.instruments, plan.positions
        mine = held.instruments
        index = pd.MultiIndex.from_arrays([rows.margin_groups, rows.underlyings, rows.years, rows.is_option])
        keys = [held.margin_groups, table.underlyings[mine], table.years[mine], table.is_option[mine]]
        place = index.get_indexer(pd.MultiIndex.from_arrays(keys))
        deltas = (
            held.quantities * self.published.composite_deltas(table.symbols[mine]) * table.multipliers[mine]
        )
        return np.bincount(place, deltas / units[place], len(units)).astype(np.float64)

    def _commodities(self, context: Context) -> Iterator[tuple[Commodity, Codes]]:
        """Every commodity that spreads within itself, with its leaves."""
        for name, commodity in self.numbers.commodities.items():
            leaves = np.flatnonzero(context.leaves.class_groups == name)
            if commodity.spreads and len(leaves):
                yield commodity, leaves

    def _intra(self, context: Context) -> Floats:
        months, charges = self.months(context), np.zeros(len(context.leaves.losses))
        for commodity, leaves in self._commodities(context):
            own = np.isin(months.leaves, leaves)
            place = np.searchsorted(leaves, months.leaves[own])
            starts = [tier.from_days for tier in commodity.tiers]
            tiers = np.searchsorted(starts, months.days[own], side="right") - 1
            long, short = np.zeros((2, len(leaves), len(starts)))
            np.add.at(long, (place, tiers), np.maximum(months.deltas[own], 0.0))
            np.add.at(short, (place, tiers), np.maximum(-months.deltas[own], 0.0))
            names = [tier.name for tier in commodity.tiers]
            found = matched(long, short, [_legs(spread, names) for spread in commodity.spreads])
            charges[leaves] = row_sums(found.counts, np.array([spread.rate for spread in commodity.spreads]))
        return charges

    def _inter(self, context: Context) -> Floats:
        """Credit of each leaf, [G]: price risk of a future x spreads x ratio x credit rate."""
        leaves, spreads = context.leaves, self.numbers.inter_spreads
        names = [name for name in self.numbers.commodities if name != "default"]
        if not spreads:
            return np.zeros(len(leaves.losses))
        months = self.months(context)
        net = np.bincount(months.leaves, months.deltas, len(leaves.losses)).astype(np.float64)
        columns = pd.Index(names).get_indexer(pd.Index(leaves.class_groups))
        mine = np.flatnonzero(columns >= 0)
        place = leaves.margin_groups[mine], columns[mine]
        deltas, risks, credits_ = np.zeros((3, len(context.plan.margin_groups), len(names)))
        deltas[place], risks[place] = net[mine], self._price_risk(context, net)[mine]
        legs = [_legs(spread, names) for spread in spreads]
        counts = matched(np.maximum(deltas, 0.0), np.maximum(-deltas, 0.0), legs).counts
        for spread, row, formed in zip(spreads, legs, counts.T, strict=True):
            for leg in row:
                credits_[:, leg.column] += risks[:, leg.column] * formed * leg.ratio * spread.rate
        result = np.zeros(len(leaves.losses))
        result[mine] = credits_[place]
        return result

    def _price_risk(self, context: Context, net: Floats) -> Floats:
        """Weighted futures price risk of each leaf, money per unit of delta, >= 0."""
        leaves, market = context.leaves, context.plan.market
        pnl = leaves.pnl if leaves.pnl is not None else np.zeros((len(net), 2))
        rows, pairs = np.arange(len(net)), np.array([row.pair - 1 for row in self.numbers.points.rows])
        worst = -0.5 * (pnl[rows, leaves.scenarios] + pnl[rows, pairs[leaves.scenarios]])
        passing = -0.5 * (pnl[:, 0] + pnl[:, 1])
        risk = np.maximum((worst - passing) / np.where(net == 0.0, np.inf, np.abs(net)), 0.0)
        owners = leaves.underlyings
        units = self._each(context, lambda commodity: commodity.delta_unit) * market.spot_rates()[owners]
        most = self._range(context, rows, market.underlyings.spots[owners]) * units
        capped = self._each(context, lambda commodity: commodity.futures_price_risk == "capped") == 1.0
        fixed = self._each(context, lambda commodity: commodity.futures_price_risk == "scan_range") == 1.0
        return np.where(fixed, most, np.where(capped, np.minimum(risk, most), risk))

    def _minimum(self, context: Context) -> Floats:
        """Short option minimum of each leaf, [G]."""
        held, table = context.plan.positions, context.plan.market.instruments
        # one key for both: sorting it takes less time than sorting rows
        keys = context.position_leaves() * len(table.symbols) + held.instruments
        found, place = np.unique(keys, return_inverse=True)
        leaves, series = np.divmod(found, max(len(table.symbols), 1))
        short = np.maximum(-np.bincount(place, held.quantities, len(found)), 0.0) * table.is_option[series]
        calls, puts = (
            np.bincount(leaves, short * side, len(context.leaves.losses)).astype(np.float64)
            for side in (table.is_call[series], ~table.is_call[series])
        )
        gross = self._each(context, lambda commodity: commodity.short_option_method == "gross") == 1.0
        count = np.where(gross, calls + puts, np.maximum(calls, puts))
        return self._each(context, lambda commodity: commodity.short_option_minimum) * count


def _legs(spread: Spread, names: list[str]) -> list[Leg]:
    return [Leg(names.index(leg.of), leg.ratio, 1 if leg.side == "A" else -1) for leg in spread.legs]


def _month_days(context: Context) -> Floats:
    """Days to the expiry of the only dated future on each underlying, else NaN, [U]."""
    table = context.plan.market.instruments
    dated = table.types.astype(str) == "future"
    count = len(context.plan.market.underlyings.names)
    owners = table.underlyings[dated]
    listed = np.bincount(owners, minlength=count)
    days = np.bincount(owners, table.years[dated] * DAYS_PER_YEAR, count)
    return np.where(listed == 1, days, np.nan).astype(np.float64)

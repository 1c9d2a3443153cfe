"""How far ``house_rules`` moves each name: by its own row, its sector, its type or its vol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats
from shockgrid.engine import Plan
from shockgrid.market import Market
from shockgrid.regimes.house_file import HouseRuleParameters
from shockgrid.regimes.parameter_files import Range, Ranges, strangers

Scale: TypeAlias = Callable[[Market], Floats]
TRADING_DAYS = 252.0
BROAD = ("broad_index", "broad_index_high_cap")


class NameRanges:
    """Scan and expected ranges [U] of a market; the sign is that of the leverage."""

    def __init__(self, numbers: HouseRuleParameters) -> None:
        self.numbers = numbers

    def scan(self, side: str) -> Scale:
        """The scan range on one side, "down" or "up", earnings widening in it."""

        def scale(market: Market) -> Floats:
            names = market.underlyings
            wide = self._by_type(market, self.numbers.ranges, side)
            sectors = {name: getattr(span, side) for name, span in self.numbers.sectors.items()}
            wide = _replaced(wide, names.sectors, sectors)
            own = {name: getattr(row.range, side) for name, row in self.numbers.names.items() if row.range}
            wide = _replaced(wide, names.names, own)
            rule = self.numbers.vol_range
            by_vol = rule.sigmas.value * names.atm_vols * np.sqrt(rule.horizon_days.value / TRADING_DAYS)
            wide = np.fmax(wide, by_vol)
            days = self.days_to_earnings(market)
            near = (days >= 0.0) & (days <= self.numbers.earnings.days.value)
            factor = np.where(near, self.numbers.earnings.factor.value, 1.0)
            ranges: Floats = wide * factor * np.sign(names.leverages)
            return ranges

        return scale

    def expected(self, side: str) -> Scale:
        """The largest one-day range to be expected on one side (EPR)."""

        def scale(market: Market) -> Floats:
            wide = self._by_type(market, self.numbers.expected.ranges, side)
            rows = self.numbers.names.items()
            own = {name: getattr(row.expected, side) for name, row in rows if row.expected}
            return _replaced(wide, market.underlyings.names, own) * np.sign(market.underlyings.leverages)

        return scale

    def days_to_earnings(self, market: Market) -> Floats:
        """Days from the market's date (UTC) to each name's earnings, [U]; NaN where none are known."""
        day = pd.Timestamp(market.as_of).tz_convert("UTC").date()
        known = {name: row.earnings for name, row in self.numbers.names.items() if row.earnings}
        days = {name: float((date - day).days) for name, date in known.items()}
        return _replaced(np.full(len(market.underlyings.names), np.nan), market.underlyings.names, days)

    def strangers(self, plan: Plan) -> tuple[str, ...]:
        """Notes on names and sectors of the file that the market does not have."""
        names = plan.market.underlyings
        rows = strangers("rules for the name", self.numbers.names, names.names)
        return rows + strangers("rules for the sector", self.numbers.sectors, names.sectors)

    def vol_scan(self, market: Market) -> Floats:
        """Relative vol move of each name, [U]."""
        moves = self.numbers.vol_scan
        kinds = market.underlyings.portfolio_types.astype(str)
        choices = [kinds == "equity", np.isin(kinds, BROAD)]
        return np.select(choices, [moves.equity.value, moves.broad_index.value], moves.other.value)

    def low_cap(self, market: Market) -> Floats:
        """Rate of a small issuer, amount / market cap, at most 1, [U]; 0 where no market cap is known."""
        worth = market.underlyings.market_caps * market.spot_rates()
        return np.nan_to_num(np.minimum(self.numbers.low_cap.value / worth, 1.0), nan=0.0)

    @staticmethod
    def betas(market: Market) -> Floats:
        """Beta of each name to the index, [U]; 1 times its leverage where none is known."""
        names = market.underlyings
        return np.where(np.isnan(names.betas), names.leverages, names.betas)

    @staticmethod
    def to_high(market: Market) -> Floats:
        """Rise back to the highest price of the year, [U]; 0 where none is known or the spot is above it."""
        names = market.underlyings
        return np.nan_to_num(np.maximum(names.highs / names.spots - 1.0, 0.0), nan=0.0)

    @staticmethod
    def _by_type(market: Market, ranges: Ranges, side: str) -> Floats:
        rows: dict[str, Range] = dict(ranges)
        kinds = pd.Series(market.underlyings.portfolio_types, dtype=object)
        wide = kinds.map({kind: getattr(span, side) for kind, span in rows.items()}).to_numpy(np.float64)
        return wide * np.abs(market.underlyings.leverages)


def _replaced(
    values: Floats, keys: np.ndarray[tuple[int], np.dtype[np.object_]], own: Mapping[str, float]
) -> Floats:
    """The values [U], those of the keys that have their own replaced."""
    found = pd.Series(keys, dtype=object).map(own).to_numpy(np.float64)
    return np.where(np.isnan(found), values, found)

"""What trading costs: half-spread, fees and impact, each shown by itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.cells import numbers as numbers_of
from shockgrid.cells import shown, texts
from shockgrid.columns import frame_of
from shockgrid.errors import InputError, ParameterError
from shockgrid.market import HELD_OUTRIGHT, Market
from shockgrid.regimes.parameter_files import Number, ParameterFile, load
from shockgrid.symbols import canonical

PARAMETERS = "liquidation-2026-11-20.toml"
TRADING_DAYS = 252.0


class CostParameters(ParameterFile):
    """The numbers of ``trading_costs``."""

    option_half_spread: Number
    share_half_spread: Number
    option_tick: Number
    share_tick: Number
    option_fee: Number
    share_fee: Number
    impact: Number
    daily_vol: Number
    option_volume: Number
    share_volume: Number


@dataclass(frozen=True)
class TradingCosts:
    """What trading one contract or share costs, per unit of price and in money; see ``trading_costs``."""

    numbers: CostParameters
    quotes: pd.DataFrame  #: by symbol: bid, ask, volume; NaN where unknown


class UnitCosts(NamedTuple):
    """Costs [N] of one unit of every instrument of a market, before its multiplier; fees are per contract."""

    buying: Floats  #: ask (or mark and half-spread, up to the tick) less mark
    selling: Floats  #: mark less bid
    fees: Floats
    impacts: Floats  #: of trading a whole day's volume; x sqrt(size / volume)
    volumes: Floats  #: of a day
    ticks: Floats
    wanted: Mask  #: whether anybody bids, as far as is known


def trading_costs(*, quotes: Any = None, parameters: str | Path | None = None) -> TradingCosts:
    """What it costs to close a position or to buy a hedge, as a value.

    A buyer pays the ask, a seller gets the bid. Without a quote the price is the mark and a half-spread that
    is a share of it, moved outward to the tick (of futures none is known). A fee is charged for each contract
    or share, in the base currency. Impact is Y x sigma x sqrt(Q / V) of the price for stocks and
    ETFs (Toth et al., Phys. Rev. X 1, 021006, 2011) and, an assumption, Y x half-spread x sqrt(Q / V) for
    everything else; Q is the size of all accounts together, V the volume of a day.
    Fees and impact of hedging the delta meanwhile, and the cost of waiting, are not modelled.

    Parameters
    ----------
    quotes : frame with symbol and any of bid, ask, volume (of a day); other columns are not looked at.
    parameters : path of a TOML file like liquidation-2026-11-20.toml.

    Raises
    ------
    InputError : quotes without a symbol column, or a symbol twice.
    ParameterError : the file does not hold what it should.
    """
    numbers = load(CostParameters, parameters, PARAMETERS)
    if not (numbers.option_volume.value > 0.0 and numbers.share_volume.value > 0.0):
        problem = f"{parameters}: expected volumes above 0"
        raise ParameterError(problem)
    rows = pd.DataFrame(columns=["symbol"]) if quotes is None else frame_of(quotes, "quotes")
    if "symbol" not in rows.columns:
        problem = "required column is missing"
        raise InputError(problem, table="quotes", column="symbol")
    if rows.columns.has_duplicates:
        problem = "a column name appears twice"
        twice = rows.columns[rows.columns.duplicated()][0]
        raise InputError(problem, table="quotes", column=str(twice))
    names, strange = texts(rows["symbol"])
    _require_all(rows["symbol"], ~strange & (names != ""), "expected a symbol")
    symbols = pd.Index(canonical(names), dtype=object)
    _require_all(rows["symbol"], ~symbols.duplicated(), "already given")
    columns = {name: _amounts(rows, name) for name in ("bid", "ask", "volume")}
    return TradingCosts(numbers, pd.DataFrame(columns, index=symbols))


def _amounts(rows: pd.DataFrame, name: str) -> Floats:
    """A column of numbers, NaN where it is blank; InputError for a cell that is neither."""
    if name not in rows.columns:
        return np.full(len(rows), np.nan)
    values, _, garbled = numbers_of(rows[name])
    _require_all(rows[name], ~garbled, "expected a number")
    return values


def _require_all(column: pd.Series, good: Mask, problem: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        cell = shown(column.iloc[row])
        raise InputError(problem, table="quotes", line=row + 2, column=str(column.name), value=cell)


def unit_costs(costs: TradingCosts, market: Market, prices: Floats) -> UnitCosts:
    """Costs of every instrument [N] at these prices per unit [N], in each instrument's own currency."""
    table, numbers = market.instruments, costs.numbers
    bids, asks, volumes = np.full((3, len(table.symbols)), np.nan)
    if len(costs.quotes):
        quoted = costs.quotes.reindex(table.symbols)
        bids, asks, volumes = (quoted[name].to_numpy(np.float64) for name in ("bid", "ask", "volume"))
    share, option = np.isin(table.types.astype(str), HELD_OUTRIGHT), table.is_option

    def either(shares: Number, others: Number) -> Floats:
        return np.where(share, shares.value, others.value)

    ticks = np.where(share | option, either(numbers.share_tick, numbers.option_tick), 0.0)
    ticks = np.where(table.inverse, 0.0, ticks)
    half = prices * np.where(option, numbers.option_half_spread.value, numbers.share_half_spread.value)
    usable = np.isfinite(bids) & np.isfinite(asks) & (bids <= asks) & (asks > 0.0)
    wanted = ~(usable & (bids == 0.0))
    asks = np.where(usable, asks, _outward(prices + half, ticks, np.ceil))
    bids = np.where(usable, bids, np.maximum(_outward(prices - half, ticks, np.floor), 0.0))
    buying, selling = np.maximum(asks - prices, 0.0), np.maximum(prices - bids, 0.0)
    vols = market.underlyings.atm_vols / np.sqrt(TRADING_DAYS)
    daily = np.where(np.isnan(vols), numbers.daily_vol.value, vols)[table.underlyings]
    impacts = numbers.impact.value * np.where(share, prices * daily, 0.5 * (buying + selling))
    assumed = either(numbers.share_volume, numbers.option_volume)
    return UnitCosts(
        buying,
        selling,
        either(numbers.share_fee, numbers.option_fee),
        impacts,
        np.where(volumes > 0.0, volumes, assumed),
        ticks,
        wanted,
    )


def _outward(prices: Floats, ticks: Floats, rounding: Any) -> Floats:
    """Prices on the tick; a hair is given, so that a price on it stays there."""
    steps = np.where(ticks > 0.0, ticks, 1.0)
    hair = np.where(rounding is np.ceil, -1e-9, 1e-9)
    return np.where(ticks > 0.0, rounding(prices / steps + hair) * steps, prices)


class Bill(NamedTuple):
    """Costs of trades, in the currency of who trades."""

    half_spread: Floats
    fees: Floats
    impact: Floats

    @property
    def total(self) -> Floats:
        """Everything."""
        return self.half_spread + self.fees + self.impact


@dataclass(frozen=True)
class PositionCosts:
    """Costs of one contract or share of every position [P], in its margin group's currency."""

    instruments: Codes
    money: Floats  #: what is traded with it: the price, at least a tick
    buying: Floats
    selling: Floats
    fees: Floats
    impacts: Floats  #: of trading a whole day's volume
    volumes: Floats

    @classmethod
    def of(
        cls, unit: UnitCosts, market: Market, prices: Floats, instruments: Codes, rates: Floats
    ) -> PositionCosts:
        """For positions [P] in ``instruments`` of margin groups whose currency is worth ``rates``."""
        table = market.instruments
        per_unit = (table.multipliers * table.fx_rates)[instruments] / rates
        priced = np.maximum(prices, unit.ticks)[instruments]
        return cls(
            instruments,
            priced * per_unit,
            unit.buying[instruments] * per_unit,
            unit.selling[instruments] * per_unit,
            unit.fees[instruments] / rates,
            unit.impacts[instruments] * per_unit,
            unit.volumes[instruments],
        )

    def pressure(self, amounts: Floats) -> Floats:
        """sqrt(size / volume) [P] of every position's instrument when ``amounts`` [P] are traded together."""
        size = int(self.instruments.max(initial=-1)) + 1
        sizes = np.bincount(self.instruments, np.abs(amounts), size)
        pressure: Floats = np.sqrt(sizes[self.instruments] / self.volumes)
        return pressure

    def bill(self, positions: Codes, amounts: Floats, pressure: Floats) -> Bill:
        """Costs of trading these amounts (bought > 0) of these positions under this pressure [P]."""
        sizes = np.abs(amounts)
        spread = np.where(amounts > 0.0, self.buying[positions], self.selling[positions])
        return Bill(
            sizes * spread,
            sizes * self.fees[positions],
            sizes * (self.impacts * pressure)[positions],
        )

"""What an account holds on one underlying, leg by leg, in whole numbers.

Money is counted in ticks of 1e-10 of the instrument's currency, so that a price of six decimals times a rate
of four is exact; only what is reported is rounded, once, to the cent.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.engine import Plan
from shockgrid.market import HELD_OUTRIGHT, Market

Ints: TypeAlias = NDArray[np.int64]

MICRO = 10**6  #: a price or a quantity carries six decimals, as OCC's edited prices do
RATE = 10**4  #: a rate, times a leverage, carries four decimals
TICKS = MICRO * RATE  #: ticks of one unit of currency
LARGEST_CONTRACT = 5e8  #: value of one contract; beyond it its requirement would not fit into 64 bits
DAYS_A_YEAR = 365.0
BROAD_TYPES = ("broad_index", "broad_index_high_cap")


@dataclass(frozen=True)
class Legs:
    """L legs, sorted by problem (a margin group's holdings in one underlying) and instrument.

    Values are per contract of an option and per share of stock, in millionths of the currency.
    """

    problems: Codes
    margin_groups: Codes
    instruments: Codes
    cash_account: Mask  #: held in an account that may not borrow
    signs: Ints  #: 1 long, -1 short
    micro_quantities: Ints  #: size, in millionths of a contract or share
    sizes: Ints  #: whole contracts or shares of it
    is_option: Mask
    is_call: Mask
    is_american: Mask
    long_dated: Mask  #: an option that expires after the months that give a long value for margin
    is_index: Mask
    is_broad: Mask
    leverages: Floats  #: > 0
    expiries: Floats  #: years
    strikes: Ints  #: per unit
    families: Codes  #: options that may be paired: one deliverable and one exercise style
    multipliers: Ints  #: 0 where it is not whole: such a contract stands alone
    shares: Ints  #: of the underlying that one contract delivers; 0 where it delivers anything else
    spots: Ints  #: underlying x units delivered
    exercise: Ints  #: strike x multiplier
    prices: Ints  #: mark, or model value where there is none, x multiplier; of stock its spot
    paid: Ints  #: the same at the price paid, where it is known

    def __len__(self) -> int:
        return len(self.problems)

    def take(self, rows: Codes | Mask) -> Legs:
        """The legs of these rows."""
        return Legs(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})


def supported(market: Market) -> Mask:
    """Which instruments [N] strategy-based margin speaks of: stocks, ETFs and options settled in money."""
    table = market.instruments
    kinds = table.is_option | np.isin(table.types.astype(str), HELD_OUTRIGHT)
    spots = market.underlyings.spots[table.underlyings] if len(table.symbols) else np.zeros(0)
    largest = np.maximum(table.multipliers * table.strikes, table.units_per_contract * spots)
    marks = np.nan_to_num(table.marks) * table.multipliers
    return kinds & ~table.inverse & (np.maximum(largest, marks) <= LARGEST_CONTRACT)


def legs_of(plan: Plan, values: Floats, cash_accounts: Mask, months: int) -> Legs:
    """Lay out what is held, once identical long and short contracts of a margin group have cancelled.

    Shares held long in one account and short in another stay two legs. ``values`` [N] are model values,
    ``cash_accounts`` [M] says which margin groups may not borrow, ``months`` is the age of a long-dated
    option.
    """
    rows = _net(plan)
    table, names = plan.market.instruments, plan.market.underlyings
    held, sizes = rows["instrument"].to_numpy(np.intp), rows["quantity"].to_numpy(np.float64)
    groups, owners = rows["margin_group"].to_numpy(np.intp), table.underlyings[held]
    option, types = table.is_option[held], names.portfolio_types[owners].astype(str)
    micro = np.rint(np.abs(sizes) * MICRO).astype(np.int64)
    multipliers, units = table.multipliers[held], table.units_per_contract[held]
    prices = np.where(np.isnan(table.marks), values, table.marks)[held]
    prices = np.where(option, prices, names.spots[owners])
    paid = rows["price_paid"].to_numpy(np.float64)
    whole = multipliers == np.rint(multipliers)
    plain = (units == np.rint(units)) & (table.cash_per_contract[held] == 0.0) & option
    return Legs(
        problems=np.asarray(rows.groupby(["margin_group", "underlying"], sort=True).ngroup(), np.intp),
        margin_groups=groups,
        instruments=held,
        cash_account=cash_accounts[groups],
        signs=np.sign(sizes).astype(np.int64),
        micro_quantities=micro,
        sizes=micro // MICRO,
        is_option=option,
        is_call=table.is_call[held],
        is_american=table.is_american[held],
        long_dated=option & (table.years[held] > _years_of(plan, months)),
        is_index=types != "equity",
        is_broad=np.isin(types, BROAD_TYPES),
        leverages=np.abs(names.leverages[owners]),
        expiries=table.years[held],
        strikes=_micros(table.strikes[held]),
        families=_families(table.is_american, multipliers, units, table.cash_per_contract, held),
        multipliers=np.where(whole & option, multipliers, 0.0).astype(np.int64),
        shares=np.where(plain, units, 0.0).astype(np.int64),
        spots=_scaled(names.spots[owners], units),
        exercise=np.where(option, _scaled(table.strikes[held], multipliers), 0),
        prices=_scaled(prices, multipliers),
        paid=_scaled(np.where(np.isnan(paid), prices, paid), multipliers),
    )


def _net(plan: Plan) -> pd.DataFrame:
    held, table = plan.positions, plan.market.instruments
    short = held.quantities < 0.0
    rows = pd.DataFrame(
        {
            "margin_group": held.margin_groups,
            "underlying": table.underlyings[held.instruments],
            "instrument": held.instruments,
            "short": short & ~table.is_option[held.instruments],
            "quantity": held.quantities,
            "cost": held.quantities * held.prices_paid,
        }
    )
    keys = ["margin_group", "underlying", "instrument", "short"]
    net = rows.groupby(keys, sort=True)[["quantity", "cost"]].sum(min_count=1).reset_index()
    mixed = rows.assign(side=short).groupby(keys, sort=True)["side"].nunique().to_numpy() > 1
    lost = rows.assign(lost=rows["cost"].isna()).groupby(keys, sort=True)["lost"].any().to_numpy(bool)
    cost = net["cost"].mask(mixed | lost) / net["quantity"].where(net["quantity"] != 0.0)
    return net.assign(price_paid=cost)[net["quantity"] != 0.0].reset_index(drop=True)


def _families(american: Mask, multipliers: Floats, units: Floats, cash: Floats, held: Codes) -> Codes:
    """Contracts that deliver their multiplier and nothing else are of one kind; others must match exactly."""
    usual = (units == multipliers) & (cash[held] == 0.0)
    kind = pd.DataFrame(
        {
            "american": american[held],
            "multiplier": np.where(usual, 0.0, multipliers),
            "units": np.where(usual, 0.0, units),
            "cash": cash[held],
        }
    )
    return np.asarray(kind.groupby(list(kind.columns), sort=True).ngroup(), np.intp)


def _years_of(plan: Plan, months: int) -> float:
    start = pd.Timestamp(plan.market.as_of)
    return float((start + pd.DateOffset(months=months) - start) / pd.Timedelta(days=DAYS_A_YEAR))


def _micros(values: Floats) -> Ints:
    return np.rint(values * MICRO).astype(np.int64)


def _scaled(values: Floats, units: Floats) -> Ints:
    """Values x units in millionths; exact wherever the units are whole."""
    whole = units == np.rint(units)
    exact = _micros(values) * np.where(whole, units, 0.0).astype(np.int64)
    return np.where(whole, exact, _micros(values * np.where(whole, 0.0, units)))

"""Foreign currency as class groups of its own: cash and positions moved over a range per currency."""

from __future__ import annotations

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats
from shockgrid.regimes.parameter_files import Currencies, Range
from shockgrid.requirement.assemble import group_currencies
from shockgrid.requirement.regime import AddOn, Context
from shockgrid.requirement.remarks import Measured, Remark, rows

NO_VALUE = ("future", "perpetual")  #: what they have gained is settled day by day


def currency_ranges(numbers: Currencies) -> AddOn:
    """Line "currency_ranges": for each currency but the margin group's own, |exposure| x its range, summed.

    Exposure is cash plus the model value of positions in that currency; currencies do not offset each
    other. A long exposure loses when the currency falls, a short one when it rises. Futures have no value
    of their own; contracts settled in coin are left out, as their P&L is.
    Source: SEC Rule 15c3-1a as OCC's Risk Based Haircuts page prints it: major and other currencies.
    """

    def figure(context: Context) -> Floats:
        rows = charged(numbers, context)
        codes = rows["margin_group"].to_numpy(np.intp)
        return context.plan.by_margin_group(rows["charge"].to_numpy(np.float64), codes)

    words = "each foreign currency is a class group of its own, moved over its range"
    return AddOn("currency_ranges", figure, words=words)


def currency_rows(numbers: Currencies) -> Remark:
    """A row of level "currency" for each foreign currency of a margin group: what it is charged, and why."""

    def remark(context: Context) -> pd.DataFrame:
        found = charged(numbers, context)
        codes, size = found["margin_group"].to_numpy(np.intp), len(found)
        rates = context.rates[codes]
        worth = found["exposure"].to_numpy(np.float64) / rates
        words = [
            f"exposure {exposure:,.2f}, moved -{down:.3g} .. +{up:.3g}"
            for exposure, down, up in zip(worth, found["down"], found["up"], strict=True)
        ]
        charges = found["charge"].to_numpy(np.float64) / rates
        nothing, names = np.full(size, np.nan), found["currency"].to_numpy(object)
        frame = rows("currency", "", codes, Measured(charges, nothing, np.zeros(size), "class group"), "")
        return frame.assign(name=names, words=words)

    return remark


def charged(numbers: Currencies, context: Context) -> pd.DataFrame:
    """margin_group (code), currency, exposure, down, up, charge (base currency) of what is foreign."""
    found = exposures(context)
    worth = found["exposure"].to_numpy(np.float64)
    moves = np.array([_range(numbers, name) for name in found["currency"]], float).reshape(-1, 2)
    charges = np.maximum(moves[:, 0] * worth, -moves[:, 1] * worth) + 0.0
    charged_rows: pd.DataFrame = found.assign(down=moves[:, 0], up=moves[:, 1], charge=charges)
    return charged_rows


def _range(numbers: Currencies, currency: str) -> tuple[float, float]:
    chosen: Range = numbers.major if currency in numbers.majors.values else numbers.other
    return chosen.down, chosen.up


def exposures(context: Context) -> pd.DataFrame:
    """margin_group (code), currency, exposure (base currency); one row for each foreign currency held."""
    plan = context.plan
    table, held, market = plan.market.instruments, plan.positions, plan.market
    accounts, owners = plan.book.accounts, plan.account_groups
    money = accounts["currency"].replace("", market.base_currency).to_numpy(object)
    listed = market.underlyings.currencies[table.underlyings]
    codes, names = pd.factorize(np.concatenate([group_currencies(plan), money, listed]))
    own, of_money, of_listed = np.split(codes, np.cumsum([len(plan.margin_groups), len(money)]))
    rates = pd.Series(names).map(market.fx).to_numpy(np.float64)  # NaN where there is none
    abroad = np.flatnonzero((of_money != own[owners]) & ~np.isnan(rates)[of_money])
    cash = accounts["cash"].to_numpy(np.float64)[abroad] * rates[of_money[abroad]]
    counted = ~table.inverse & ~np.isin(table.types.astype(str), NO_VALUE)
    foreign = of_listed[held.instruments] != own[held.margin_groups]
    rows = np.flatnonzero(counted[held.instruments] & foreign)
    mine = held.instruments[rows]
    found = pd.DataFrame(
        {
            "margin_group": np.concatenate([owners[abroad], held.margin_groups[rows]]),
            "currency": names[np.concatenate([of_money[abroad], of_listed[mine]])],
            "exposure": np.concatenate([cash, held.weights[rows] * context.values[mine]]),
        }
    )
    sums: pd.DataFrame = (
        found.groupby(["margin_group", "currency"], sort=True)["exposure"].sum().reset_index()
    )
    return sums

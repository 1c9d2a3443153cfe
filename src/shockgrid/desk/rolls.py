"""A market at a later moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from shockgrid.carry import Dividends
from shockgrid.doors import require_kind
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.market_series import series

SECONDS_PER_YEAR = 365.0 * 86_400.0  #: ACT/365F


def rolled(market: Market, as_of: datetime) -> Market:
    """The same market at a later instant, in UTC: less time to expiry, at the same rates and yields per year.

    A discount factor D becomes D^(T'/T); forwards of options keep their growth per year, those of futures
    their distance from the spot; cash dividends keep their cash and come closer. What expires on the way
    keeps 0 years: it is worth what exercise pays at the spot. A spot without a time is the old instant's.

    Raises
    ------
    InputError : ``as_of`` is no later, or an ex-date lies between the two: the spot drops on
        it, and who knows by how much must hand over the market of the new instant.
    """
    if as_of <= market.as_of:
        problem = f"expected an instant later than {market.as_of.isoformat()}"
        raise InputError(problem, column="as_of", value=as_of.isoformat())
    passed = (as_of - market.as_of) / timedelta(seconds=1) / SECONDS_PER_YEAR
    paid = market.dividends
    if (paid.years <= passed).any():
        name = market.underlyings.names[paid.underlyings[paid.years <= passed][0]]
        problem = f"{name} goes ex before this instant: roll with the market of the new instant"
        raise InputError(problem, column="as_of", value=as_of.isoformat())
    ahead = Dividends(paid.underlyings, paid.years - passed, paid.amounts)
    names, then = market.underlyings, np.datetime64(market.as_of.replace(tzinfo=None), "ns")
    times = np.where(np.isnat(names.spot_times), then, names.spot_times)
    return replace(
        market,
        as_of=as_of,
        dividends=ahead,
        underlyings=replace(names, spot_times=times),
        instruments=_aged(market, passed),
    )


def at_instant(market: Market, as_of: datetime, before: Market) -> Market:
    """Another market, once it is known to be of this instant, no earlier than the one before. InputError."""
    require_kind(market, Market, "market")
    if market.as_of != as_of or as_of < before.as_of:
        problem = f"expected the as_of of the market, no earlier than {before.as_of.isoformat()}"
        raise InputError(problem, column="as_of", value=as_of.isoformat())
    return market


def _aged(market: Market, passed: float) -> Any:
    table = market.instruments
    every = series(market, np.arange(len(table.symbols)))
    left = np.maximum(table.years - passed, 0.0)
    ages = left - table.years
    option = table.is_option
    delivered = np.where(option, table.cash_per_contract / table.multipliers, 0.0)
    growth = np.where(option, np.exp((every.rates - every.yields) * ages), 1.0)
    fixed = np.where(option, np.exp(-every.yields * ages), 1.0)
    return replace(
        table,
        years=left,
        slopes=table.slopes * growth,
        intercepts=(table.intercepts - delivered) * fixed + delivered,
        discount_factors=table.discount_factors * np.exp(-every.rates * ages),
        dividends=table.dividends * np.where(option, np.exp(-every.rates * ages), 1.0),
    )

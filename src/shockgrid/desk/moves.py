"""A market after a tick, and a market at a later moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.carry import Dividends
from shockgrid.errors import InputError
from shockgrid.market import HELD_OUTRIGHT, Market
from shockgrid.market_series import series
from shockgrid.requirement.reliability import GUESSED

SECONDS_PER_YEAR = 365.0 * 86_400.0  #: ACT/365F


@dataclass(frozen=True)
class Moves:
    """New spots of underlyings and new marks and vols of instruments, each row once."""

    underlyings: Codes
    spots: Floats
    spot_times: NDArray[np.datetime64]  #: NaT where not given
    instruments: Codes  #: quoted ones
    marks: Floats  #: NaN where the mark stays
    vols: Floats  #: NaN where the vol stays
    quote_times: NDArray[np.datetime64]


def moved(market: Market, moves: Moves, outright: Mask) -> Market:
    """The market with these spots, marks and vols; forwards move with the spot as they do in a scenario.

    What is its own underlying is marked at the new spot, unless the same moves have a mark for it. An inverse
    future delivers its size over the new spot. Rates, yields and the dividends ahead stay. ``outright`` [N]
    are the instruments that are their own underlying (``own_underlyings``).
    """
    names, table = market.underlyings, market.instruments
    spots, spot_times = names.spots.copy(), names.spot_times.copy()
    spots[moves.underlyings] = moves.spots
    dated = ~np.isnat(moves.spot_times)
    spot_times[moves.underlyings[dated]] = moves.spot_times[dated]
    columns = _quoted(market, spots, moves, outright)
    return replace(
        market,
        underlyings=replace(names, spots=spots, spot_times=spot_times),
        instruments=replace(table, **columns) if columns else table,
    )


def _quoted(market: Market, spots: Floats, moves: Moves, outright: Mask) -> dict[str, Any]:
    """The columns of the instruments that these moves change."""
    table, columns = market.instruments, dict[str, Any]()
    owners = moves.underlyings
    starts = [np.searchsorted(table.underlyings, owners, side) for side in ("left", "right")]
    lengths = starts[1] - starts[0]
    own = np.repeat(starts[0] - np.append(0, np.cumsum(lengths)[:-1]), lengths) + np.arange(lengths.sum())
    follow, coins = own[outright[own]], own[table.inverse[own] & ~table.is_option[own]]
    quoted, implied = ~np.isnan(moves.marks), ~np.isnan(moves.vols)
    dated = ~np.isnat(moves.quote_times)
    rows = moves.instruments

    def changed(name: str, *parts: tuple[Codes, Any]) -> None:
        if any(len(places) for places, _ in parts):
            columns[name] = getattr(table, name).copy()
            for places, values in parts:
                columns[name][places] = values

    of = table.underlyings
    changed("marks", (follow, spots[of[follow]]), (rows[quoted], moves.marks[quoted]))
    changed("vols", (rows[implied], moves.vols[implied]))
    changed("units_per_contract", (coins, table.multipliers[coins] / spots[of[coins]]))
    changed("price_faults", (rows[quoted], ""))
    changed("quote_times", (rows[dated], moves.quote_times[dated]))
    return columns


class Guesses:
    """The flags of a market's rejects that call a spot or a vol a guess, by what they are about."""

    def __init__(self, rejects: pd.DataFrame) -> None:
        flags = rejects["code"].isin(GUESSED).to_numpy(bool)
        tables, keys = rejects["table"].to_numpy(object), rejects["key"].str.strip().to_numpy(object)
        self.rejects = rejects
        self._keys: Texts = np.where(flags, keys, np.array(None, object))
        self._spots, self._vols = tables == "underlyings", tables == "quotes"
        self._spot_names, self._vol_names = set(self._keys[self._spots]), set(self._keys[self._vols])

    def among(self, rejects: pd.DataFrame) -> Guesses:
        """Those of these rejects: of the same ones, found once."""
        return self if rejects is self.rejects else Guesses(rejects)

    def without(self, market: Market, underlyings: Codes, instruments: Codes) -> Market:
        """The market less the flags that called these spots, and the vols of these instruments, a guess."""
        spots = self._spot_names.intersection(market.underlyings.names[underlyings])
        vols = self._vol_names.intersection(market.instruments.symbols[instruments])
        if not spots and not vols:
            return market
        gone = self._spots & np.isin(self._keys, list(spots)) | self._vols & np.isin(self._keys, list(vols))
        return replace(market, rejects=self.rejects[~gone].reset_index(drop=True))


def coins(market: Market) -> Codes:
    """Underlyings that are a currency of their own and settle something in it: their spot is its fx rate."""
    table = market.instruments
    settled = np.unique(table.underlyings[table.inverse])
    known = [name in market.fx for name in market.underlyings.names[settled]]
    return settled[np.array(known, np.bool_)]


def with_coin_rates(market: Market, underlyings: Codes, before: Market) -> Market:
    """The market with the fx rates of these coins at their spots, for the inverse instruments on them too."""
    names, table = market.underlyings, market.instruments
    fx, rates = dict(market.fx), table.fx_rates.copy()
    for code in underlyings.tolist():
        coin = str(names.names[code])
        fx[coin] = float(names.spots[code] * fx[names.currencies[code]])
        own = table.inverse & (table.underlyings == code) & (before.instruments.fx_rates == before.fx[coin])
        rates[own] = fx[coin]
    return replace(market, fx=fx, instruments=replace(table, fx_rates=rates))


def dependents(market: Market, before: Market, moves: Moves) -> set[str]:
    """The portfolio groups that moves, and the fx rates that changed with them, bear on: those of underlyings
    that are moved, that have an instrument quoted, or something settled or priced in such a currency."""
    names, table = market.underlyings, market.instruments
    touched = np.zeros(len(names.names), np.bool_)
    touched[moves.underlyings] = True
    touched[table.underlyings[moves.instruments]] = True
    touched[table.underlyings[table.fx_rates != before.instruments.fx_rates]] = True
    touched |= market.spot_rates() != before.spot_rates()
    return set(names.portfolio_groups[touched].tolist())


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


def own_underlyings(market: Market) -> Mask:
    """Which instruments are worth their underlying's spot, [N]."""
    return np.isin(market.instruments.types.astype(str), HELD_OUTRIGHT)

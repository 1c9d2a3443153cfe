"""A market after a tick."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.market import HELD_OUTRIGHT, Market
from shockgrid.requirement.reliability import GUESSED


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
    own = table.inverse & (table.currencies == market.underlyings.names[table.underlyings])
    own &= table.currencies != market.base_currency  # which is worth 1 by definition
    return np.unique(table.underlyings[own])


def with_coin_rates(market: Market, underlyings: Codes) -> Market:
    """The market with the fx rates of these coins at their spots, for whatever is settled in them too."""
    names, table = market.underlyings, market.instruments
    fx, rates = dict(market.fx), table.fx_rates.copy()
    for code in underlyings.tolist():
        coin = str(names.names[code])
        fx[coin] = float(names.spots[code] * fx[names.currencies[code]])
        rates[table.currencies == coin] = fx[coin]
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


def own_underlyings(market: Market) -> Mask:
    """Which instruments are worth their underlying's spot, [N]."""
    return np.isin(market.instruments.types.astype(str), HELD_OUTRIGHT)

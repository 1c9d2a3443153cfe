"""A market after the rows of a tick: spots, marks and vols as given, and the vols that marks imply."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes
from shockgrid.backends.contract import Backend
from shockgrid.columns import joined_rejects
from shockgrid.desk.moves import Guesses, Moves, coins, moved, own_underlyings
from shockgrid.desk.plain_ticks import Directory
from shockgrid.desk.ticks import implied, kept_vols
from shockgrid.market import Market

_NO_FLAGS = joined_rejects([])


class Requoted(NamedTuple):
    """What rows of a tick make of a market."""

    market: Market
    moves: Moves  #: with the implied vols
    flags: pd.DataFrame  #: marks without a vol
    names: Codes  #: underlyings that are moved or have an instrument quoted
    coins: Codes  #: those of them whose spot is an fx rate


class Requoting:
    """What every tick looks up, found once for as long as the instruments of the market stay the same."""

    def __init__(self, market: Market) -> None:
        self.directory = Directory()
        self._outright, self._coins = own_underlyings(market), coins(market)
        self._guesses = Guesses(market.rejects)

    def after(self, before: Market, moves: Moves, backend: Backend) -> Requoted:
        """The market after these moves; a spot or a vol that is given is no guess any more."""
        market, flags = moved(before, moves, self._outright), _NO_FLAGS
        moves, reasons = implied(moves, market, backend)
        if len(reasons):
            flags = kept_vols(moves, reasons, market)
            market = moved(before, moves, self._outright)
        self._guesses, fresh = self._guesses.among(before.rejects), ~np.isnan(moves.vols)
        market = self._guesses.without(market, moves.underlyings, moves.instruments[fresh])
        names, turned = moves.underlyings, self._coins
        if len(moves.instruments):
            names = np.union1d(names, market.instruments.underlyings[moves.instruments])
        if len(turned):
            turned = np.intersect1d(moves.underlyings, turned)
        return Requoted(market, moves, flags, names, turned)

"""Published risk arrays, in place of the model's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats, Texts
from shockgrid.columns import Door
from shockgrid.errors import InputError
from shockgrid.shocks import digest

TABLE = "risk arrays"


@dataclass(frozen=True, eq=False)
class RiskArrays:
    """Losses of one contract long and its composite delta, by symbol; a loss is > 0 as SPAN files have it."""

    losses: pd.DataFrame  #: symbol -> loss_1 .. loss_S, money, weights of extreme moves in them already
    deltas: pd.Series  #: symbol -> composite delta, contracts

    @classmethod
    def read(cls, source: Any, count: int) -> RiskArrays:
        """Check a frame of symbol, loss_1 .. loss_S, composite_delta. Raises InputError for a bad row."""
        names = [f"loss_{place}" for place in range(1, count + 1)]
        door = Door(TABLE, source, required=("symbol", *names, "composite_delta"), key="symbol")
        symbols = door.text("symbol")
        columns = {name: door.number(name) for name in names}
        deltas = door.number("composite_delta")
        door.unique(symbols, "symbol")
        if door.bad.any():
            first = door.rejects().iloc[0]
            problem, line = str(first["message"]), int(first["line"])
            raise InputError(problem, table=TABLE, line=line, column=first["column"], value=first["value"])
        index = pd.Index(symbols, name="symbol")
        return cls(pd.DataFrame(columns, index=index), pd.Series(deltas, index=index))

    def scenarios(self, weights: list[float]) -> list[KnownLoss]:
        """One source of P&L for each scenario; ``weights`` are those the engine applies again."""
        return [KnownLoss(self.losses.iloc[:, place], weight) for place, weight in enumerate(weights)]

    def no_delta(self, count: int) -> list[KnownLoss]:
        """Sources of no P&L, for scenarios from which the deltas of all other symbols are taken."""
        return [KnownLoss(self.deltas * 0.0, 1.0)] * count

    def composite_deltas(self, symbols: Texts) -> Floats:
        """[n], contracts; 0 for symbols without an array."""
        return self.deltas.reindex(symbols).fillna(0.0).to_numpy(np.float64)


@dataclass(frozen=True, eq=False)
class KnownLoss:
    """One column of the arrays."""

    losses: pd.Series
    weight: float

    def __call__(self, symbols: Texts) -> Floats:
        """P&L per contract before the scenario's weight, gain > 0; NaN for unknown symbols."""
        return -self.losses.reindex(symbols).to_numpy(np.float64) / self.weight

    def digest(self) -> str:
        """SHA-256 of symbols and losses."""
        return digest(tuple(self.losses.index), self.losses.to_numpy(np.float64), self.weight)

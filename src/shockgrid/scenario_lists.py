"""Scenarios as lists: joint ones, where every underlying has its own shock, and historical vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Texts
from shockgrid.columns import frame_of
from shockgrid.errors import InputError
from shockgrid.market import Market

TABLE = "scenarios"


@dataclass(frozen=True)
class ListedShocks:
    """Market -> shocks [U, S], from rows of (scenario, underlying, value)."""

    scenarios: Codes  #: [rows] scenario of each row
    underlyings: Texts  #: [rows]
    values: Floats  #: [rows]
    count: int  #: S
    unlisted: float  #: shock of an underlying a scenario does not name
    strict: bool  #: whether an underlying the market does not know is refused

    def __call__(self, market: Market) -> Floats:
        rows = market.underlyings.codes(self.underlyings)
        known = rows >= 0
        if self.strict and not known.all():
            problem = "expected an underlying of the market"
            stranger = self.underlyings[~known][0]
            raise InputError(problem, table=TABLE, column="underlying", value=stranger)
        table = np.full((len(market.underlyings.names), self.count), self.unlisted)
        table[rows[known], self.scenarios[known]] = self.values[known]
        return table


def joint_shocks(frame: Any) -> tuple[list[str], ListedShocks, ListedShocks]:
    """Names, spot shocks and vol shocks of a list of joint scenarios; see ``ScenarioSet.joint``."""
    rows = frame_of(frame, TABLE)
    for column in ("scenario", "underlying", "spot_shock"):
        if column not in rows.columns:
            problem = "required column is missing"
            raise InputError(problem, table=TABLE, column=column)
    repeated = np.flatnonzero(rows.duplicated(["scenario", "underlying"]))
    if len(repeated):
        problem = "this (scenario, underlying) was already given"
        raise InputError(problem, table=TABLE, line=int(repeated[0]) + 2)
    order, names = pd.factorize(rows["scenario"].astype(str))
    owners = rows["underlying"].to_numpy(object)
    spots = rows["spot_shock"].to_numpy(np.float64)
    vols = rows["vol_shock"].to_numpy(np.float64) if "vol_shock" in rows.columns else np.zeros(len(rows))
    spot, vol = (ListedShocks(order, owners, values, len(names), 0.0, True) for values in (spots, vols))
    return [str(name) for name in names], spot, vol


def historical_shocks(frame: Any) -> tuple[list[str], ListedShocks, ListedShocks]:
    """Names, spot shocks and (zero) vol shocks of historical vectors; see ``ScenarioSet.history``."""
    table = frame_of(frame, "history")
    dates, names = table.shape
    order = np.repeat(np.arange(dates), names)
    owners = np.tile(table.columns.to_numpy(object), dates)
    returns = table.to_numpy(np.float64).ravel()
    spot = ListedShocks(order, owners, returns, dates, np.nan, False)
    vol = ListedShocks(order[:0], owners[:0], returns[:0], dates, 0.0, False)
    return [str(date) for date in table.index], spot, vol

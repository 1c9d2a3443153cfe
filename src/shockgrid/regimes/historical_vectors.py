"""Joint historical moves of spots and vols, as they were or scaled to today's variance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats
from shockgrid.columns import frame_of
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.scenarios import ScenarioSet
from shockgrid.shocks import Scale, digest

DEFAULT = "default"
FEWEST = 2


@dataclass(frozen=True, eq=False)
class History:
    """Log returns of the days that every series has: dates [S], spots [S, names], vols [S, names]."""

    spots: pd.DataFrame
    vols: pd.DataFrame | None

    @classmethod
    def of(cls, spots: Any, vols: Any, days: int | None) -> History:
        """From levels by date. Raises InputError for levels that are not > 0 or too few common dates."""
        if days is not None and days < FEWEST:
            problem = f"expected at least {FEWEST} days"
            raise InputError(problem, column="days", value=days)
        frames = [_levels(spots, "spots")] + ([] if vols is None else [_levels(vols, "vols")])
        dates = frames[0].dropna().index
        for frame in frames[1:]:
            dates = dates.intersection(frame.dropna().index)
        wanted = dates.sort_values()[-(days + 1) :] if days else dates.sort_values()
        if len(wanted) < FEWEST + 1:
            problem = f"expected at least {FEWEST + 1} dates with every series"
            raise InputError(problem, table="history", value=len(wanted))
        returns = [_log_returns(frame.loc[wanted]) for frame in frames]
        return cls(returns[0], returns[1] if len(returns) > 1 else None)

    def filtered(self, decay: float) -> History:
        """Every return times today's deviation over that of its own day."""
        return History(
            _filtered(self.spots, decay), None if self.vols is None else _filtered(self.vols, decay)
        )

    def scenarios(self, scale: float, proxies: Mapping[str, str], vol_of: Mapping[str, str]) -> ScenarioSet:
        """One scenario a day; returns times ``scale``, then turned into simple ones."""
        names = [str(date.date()) if hasattr(date, "date") else str(date) for date in self.spots.index]
        spot = Moves(self.spots * scale, dict(proxies))
        vol = None if self.vols is None else Moves(self.vols * scale, dict(vol_of))
        plain = ScenarioSet.points(np.zeros(len(names)), names=names, leveraged=False)
        moves = Joint(spot, vol)
        parts = (spot.digest(), "" if vol is None else vol.digest())
        if vol is None:
            return replace(plain, spot=moves, digest=digest(*parts))
        return replace(plain, spot=moves, vol=vol.filled, digest=digest(*parts))


@dataclass(frozen=True, eq=False)
class Moves:
    """Log returns [S] by series, and which series a name goes by where it is not its own."""

    rows: pd.DataFrame
    series_of: Mapping[str, str]
    scales: ClassVar[tuple[Scale, ...]] = ()

    def __call__(self, market: Market) -> Floats:
        """Simple returns [U, S], NaN for names without a series."""
        names = [str(name) for name in market.underlyings.names]
        usual = self.series_of.get(DEFAULT, "")
        chosen = [self.series_of.get(name, name if name in self.rows.columns else usual) for name in names]
        moves: Floats = np.expm1(self.rows.reindex(columns=chosen).to_numpy(np.float64)).T
        return moves

    def filled(self, market: Market) -> Floats:
        """The same with 0 where there is no series; ``Joint`` refuses such names when they are held."""
        return np.nan_to_num(self(market), nan=0.0)

    def digest(self) -> str:
        """SHA-256 of what it was made from."""
        series = sorted(self.series_of.items())
        return digest(tuple(self.rows.columns), self.rows.to_numpy(np.float64).copy(), series)


@dataclass(frozen=True, eq=False)
class Joint:
    """Spot moves, NaN also where a name has no history of vols although vols move."""

    spot: Moves
    vol: Moves | None
    scales: ClassVar[tuple[Scale, ...]] = ()

    def __call__(self, market: Market) -> Floats:
        """[U, S]."""
        spots = self.spot(market)
        return spots if self.vol is None else np.where(np.isnan(self.vol(market)), np.nan, spots)


def _log_returns(levels: pd.DataFrame) -> pd.DataFrame:
    returns = np.diff(np.log(levels.to_numpy(np.float64)), axis=0)
    return pd.DataFrame(returns, index=levels.index[1:], columns=levels.columns)


def _filtered(returns: pd.DataFrame, decay: float) -> pd.DataFrame:
    """r_t x s_T / s_t with s_t^2 = decay s_(t-1)^2 + (1 - decay) r_(t-1)^2, from the mean of the squares.

    Source: J. Hull and A. White, Incorporating volatility updating into the historical simulation method for
    value-at-risk, Journal of Risk 1(1), 1998; decay of RiskMetrics, 1996.
    """
    squares = returns.to_numpy(np.float64) ** 2
    variances = np.empty((len(squares) + 1, squares.shape[1]))
    variances[0] = squares.mean(axis=0)
    for day, square in enumerate(squares):
        variances[day + 1] = decay * variances[day] + (1.0 - decay) * square
    still = variances == 0.0
    ratios = np.sqrt(variances[-1] / np.where(still, 1.0, variances)[:-1])
    return returns * np.where(still[:-1], 1.0, ratios)


def _levels(source: Any, table: str) -> pd.DataFrame:
    frame = frame_of(source, table)
    for column in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[column]):
            problem = "expected levels as numbers; dates belong into the index (set_index)"
            raise InputError(problem, table=table, column=str(column))
    levels = frame.astype(np.float64)
    if levels.index.has_duplicates:
        problem = "a date stands there twice"
        raise InputError(problem, table=table, value=str(levels.index[levels.index.duplicated()][0]))
    odd = np.argwhere(~((levels > 0.0) & (levels < np.inf) | levels.isna()).to_numpy())
    if len(odd):
        row, place = odd[0]
        problem = f"expected a finite level > 0 on {levels.index[row]}"
        name = str(levels.columns[place])
        raise InputError(problem, table=table, column=name, value=str(levels.iloc[row, place]))
    return levels

"""Does margin cover what happens next? Margin of a day against the worst of the days after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from shockgrid.arrays import Floats, Mask
from shockgrid.errors import InputError
from shockgrid.research.coverage import (
    BASEL_DAYS,
    SIZE,
    basel_zone,
    block_bootstrap,
    chi_square_p,
    fails_from,
    independence_statistic,
    kupiec,
    kupiec_statistic,
    one_sided_p,
    power,
)

#: days of stress that a reader asks for by name: first and last day
WINDOWS: Final = {"March 2020": ("2020-02-20", "2020-04-07"), "August 2024": ("2024-07-31", "2024-08-16")}
BLOCK_DAYS, DRAWS, SEED = 20, 2_000, 1
CLUSTER_DAYS: Final = 2_500  #: below it Christoffersen's test rarely sees clusters that are there
RULE_NOTE = (
    "a fixed range of shocks is a rule, not a model of 99 %: its coverage is measured here, not promised"
)
CLUSTER_NOTE = (
    "fewer than 2,500 days: Christoffersen's test rejects true clusters in less than half of all cases and "
    "independent exceptions far less often than its nominal 5 %"
)


@dataclass(frozen=True)
class Backtest:
    """Exceptions of margin, and what they say.

    Attributes
    ----------
    accounts : one row per account: observations (non-overlapping), exceptions, coverage, one_sided_p,
        fails_from, verdict ("pass" or "fail" by the exact one-sided binomial test, 5 %), power_2x and
        power_3x (its power where the true rate is twice and three times the nominal), then information:
        kupiec_p, kupiec_power_2x, christoffersen_p, joint_p, basel_zone of the last 250 days,
        overlapping_exceptions, largest_shortfall, mean_shortfall (of exceptions, money) and
        largest_in_margins (loss beyond margin over margin).
    pooled : exception rate over all accounts and days with its 90 % interval from a date-block bootstrap.
    margins, worst_pnl, exceptions : [days, accounts] frames behind them.
    level, horizon : nominal coverage, days of the close-out.     notes : what a reader must know.
    """

    accounts: pd.DataFrame
    pooled: pd.Series
    margins: pd.DataFrame
    worst_pnl: pd.DataFrame
    exceptions: pd.DataFrame
    level: float
    horizon: int
    notes: tuple[str, ...]

    def windows(self, windows: Mapping[str, tuple[str, str]] = WINDOWS) -> pd.DataFrame:
        """Exceptions of named stretches of days, all accounts: window, days, cells, exceptions, rate,
        largest_in_margins. A window without days has NaN."""
        rows = []
        for name, (first, last) in windows.items():
            part, margins = self.exceptions.loc[first:last], self.margins.loc[first:last]
            beyond = (-self.worst_pnl.loc[first:last] - margins) / margins.where(margins > 0.0)
            cells = part.size
            rows.append(
                {
                    "window": name,
                    "days": len(part),
                    "cells": cells,
                    "exceptions": int(part.to_numpy().sum()),
                    "rate": part.to_numpy().mean() if cells else np.nan,
                    "largest_in_margins": beyond.max().max() if cells else np.nan,
                }
            )
        return pd.DataFrame(rows)

    def by_vol(self, vols: Any, buckets: int = 4) -> pd.DataFrame:
        """Exception rate by volatility on the day of the margin: vol_low, vol_high, cells, exceptions, rate.

        ``vols`` is one number per day (a series on the same days), cut into buckets of equally many days.
        """
        aligned = pd.Series(vols).reindex(self.exceptions.index)
        if aligned.isna().any():
            problem = "expected a vol for every day of the back-test"
            raise InputError(problem, column="vols", value=str(aligned.index[aligned.isna()][0]))
        cut = pd.qcut(aligned.rank(method="first"), buckets, labels=False).to_numpy()
        rows = []
        for bucket in range(buckets):
            part = self.exceptions.to_numpy()[cut == bucket]
            level = aligned.to_numpy()[cut == bucket]
            rows.append((level.min(), level.max(), part.size, int(part.sum()), part.mean()))
        return pd.DataFrame(rows, columns=["vol_low", "vol_high", "cells", "exceptions", "rate"])

    def procyclicality(self) -> pd.DataFrame:
        """How margin itself moved, per account: peak_to_trough and the largest rise over 1, 5 and 30 days, as
        a share of the margin before it. Frozen positions are assumed the same on every day."""
        margins = self.margins.where(self.margins > 0.0)
        rises = {f"rise_{days}": (margins / margins.shift(days) - 1.0).max() for days in (1, 5, 30)}
        return pd.DataFrame({"peak_to_trough": margins.max() / margins.min(), **rises})

    def __repr__(self) -> str:
        failed = int((self.accounts["verdict"] == "fail").sum())
        return (
            f"Backtest: {len(self.margins):,} days, {len(self.accounts):,} accounts, close-out "
            f"{self.horizon} days, {failed} fail at {self.level:.1%}; exception rate "
            f"{self.pooled['rate']:.2%} [{self.pooled['low']:.2%}, {self.pooled['high']:.2%}]"
        )


def backtest(
    margins: Any,
    pnl: ArrayLike,
    *,
    level: float = 0.99,
    block: int = BLOCK_DAYS,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Backtest:
    """Compare margin of each day D with the worst P&L of D+1 .. D+n, positions frozen on D.

    Parameters
    ----------
    margins : frame of requirements, money >= 0; one row per day in order (dates as index), one column per
        account. The days should be consecutive: n of them apart, windows no longer overlap.
    pnl : P&L of the frozen positions from D to D+1, .., D+n, gain > 0: array [days, accounts, n], or [days,
        accounts] for n = 1. ``shockgrid.research.replay`` makes both from price and vol histories.
    level : nominal coverage; exceptions (loss above margin) are expected on (1 - level) of the days.
    block, draws, seed : of the date-block bootstrap.

    The windows of n > 1 days overlap, so the verdict counts every n-th day; ``overlapping_exceptions`` counts
    all. The verdict is the exact one-sided binomial test: too much margin is no failure.

    Raises
    ------
    InputError : shapes do not fit, a number is not finite, a margin is negative, days are not in order.
    """
    table = _checked_margins(margins, level)
    paths = np.asarray(pnl, np.float64)
    paths = paths[:, :, None] if paths.ndim == 2 else paths
    if paths.shape[:2] != table.shape or paths.shape[-1] == 0 or not np.isfinite(paths).all():
        problem = f"expected finite P&L of shape {(*table.shape, 'n')}"
        raise InputError(problem, column="pnl", value=paths.shape)
    worst = pd.DataFrame(paths.min(axis=2), table.index, table.columns)
    exceptions = -worst > table
    rates = block_bootstrap(exceptions.to_numpy(), min(block, len(table)), draws, seed)
    low, high = np.quantile(rates, [0.05, 0.95])
    pooled = {"rate": exceptions.to_numpy().mean(), "low": low, "high": high, "nominal": 1.0 - level}
    horizon = paths.shape[2]
    known = _known(-(-len(table) // horizon), 1.0 - level)
    columns = zip(exceptions.to_numpy().T, table.to_numpy().T, worst.to_numpy().T, strict=True)
    rows = [_row(*column, level, horizon, known) for column in columns]
    notes = (RULE_NOTE, CLUSTER_NOTE) if len(table) < CLUSTER_DAYS else (RULE_NOTE,)
    accounts = pd.DataFrame(rows, index=table.columns)
    return Backtest(accounts, pd.Series(pooled), table, worst, exceptions, level, horizon, notes)


def _checked_margins(margins: Any, level: float) -> pd.DataFrame:
    table = pd.DataFrame(margins).astype(np.float64)
    if not 0.5 < level < 1.0:
        problem = "expected a level above 0.5 and below 1"
        raise InputError(problem, column="level", value=level)
    if table.empty or not table.index.is_monotonic_increasing or table.index.has_duplicates:
        problem = "expected at least one account, and days in ascending order, each once"
        raise InputError(problem, table="margins")
    odd = ~(np.isfinite(table.to_numpy()) & (table.to_numpy() >= 0.0))
    if odd.any():
        day, account = np.argwhere(odd)[0]
        problem = f"expected a finite amount >= 0 on {table.index[day]}"
        raise InputError(problem, table="margins", column=str(table.columns[account]))
    return table


def _known(days: int, rate: float) -> dict[str, float]:
    """What the number of days alone decides."""
    return {
        "fails_from": fails_from(days, rate, SIZE),
        "power_2x": power(days, 2.0 * rate, rate),
        "power_3x": power(days, 3.0 * rate, rate),
        "kupiec_power_2x": kupiec(days, rate).power(2.0 * rate),
    }


def _row(
    exceptions: Mask, margins: Floats, worst: Floats, level: float, horizon: int, known: dict[str, float]
) -> dict[str, Any]:
    apart, rate = exceptions[::horizon], 1.0 - level
    days, count = len(apart), int(apart.sum())
    pof, independence = float(kupiec_statistic(count, days, rate)), independence_statistic(apart)
    beyond = (-worst - margins)[exceptions]
    relative = beyond / np.where(margins[exceptions] > 0.0, margins[exceptions], np.nan)
    recent = apart[-BASEL_DAYS:]
    return {
        "observations": days,
        "exceptions": count,
        "coverage": 1.0 - count / days,
        "one_sided_p": one_sided_p(count, days, rate),
        "verdict": "fail" if count >= known["fails_from"] else "pass",
        **known,
        "kupiec_p": chi_square_p(pof, 1),
        "christoffersen_p": chi_square_p(independence, 1),
        "joint_p": chi_square_p(pof + independence, 2),
        "basel_zone": basel_zone(int(recent.sum()), len(recent), rate),
        "overlapping_exceptions": int(exceptions.sum()),
        "largest_shortfall": float(beyond.max(initial=0.0)),
        "mean_shortfall": float(beyond.mean()) if len(beyond) else 0.0,
        "largest_in_margins": float(np.nanmax(relative)) if np.isfinite(relative).any() else 0.0,
    }

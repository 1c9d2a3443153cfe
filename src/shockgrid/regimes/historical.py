"""Historical simulation: what the book would have lost on each day of a history, all names together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.errors import InputError
from shockgrid.regimes.historical_file import HistoricalParameters
from shockgrid.regimes.historical_vectors import History
from shockgrid.regimes.parameter_files import load
from shockgrid.requirement.reducers import Reduced, Reducer, expected_shortfall
from shockgrid.requirement.regime import AddOn, Context, Regime
from shockgrid.requirement.tree import Tree
from shockgrid.scenarios import ScenarioSet

PARAMETERS = "historical-2026-11-20.toml"
STRESS = "stress"
Measure = Literal["expected_shortfall", "value_at_risk"]
METHODS = ("inverted_cdf", "linear", "higher", "lower", "hazen", "weibull", "median_unbiased")
NOTE = (
    "historical: the days of one history, all names moved together as they moved then; {measure} at "
    "{level:.4g} over {count} days{how}; {vols}"
)


def historical(
    spots: Any,
    vols: Any = None,
    *,
    measure: Measure = "expected_shortfall",
    quantile: str = "inverted_cdf",
    filtered: bool = False,
    days: int | None = None,
    proxies: Mapping[str, str] | None = None,
    vol_of: Mapping[str, str] | None = None,
    parameters: str | Path | None = None,
) -> Regime:
    """Historical or filtered historical simulation as a value; one joint reduction over the margin group.

    Each scenario is one day: every name's spot and vol by what they moved on it. Filtered, each return is
    scaled by today's exponentially weighted deviation over that of its day (Hull and White, 1998). The
    requirement is the measure, but at least ``stress_share`` of the worst stress loss (line "stress").

    Parameters
    ----------
    spots : frame of levels, adjusted for splits and dividends: one row per date (index), one column per
        underlying. Days that a series lacks are left out for all, and the next move spans them.
    vols : the same of implied vols, or of an index of them (VIX), in any unit: relative moves are taken.
        None holds vols.
    measure : "expected_shortfall", the mean loss of the worst (1 - level) share of the days, the last one in
        part (Acerbi and Tasche, 2002); or "value_at_risk", the quantile ``level`` of the losses.
    quantile : how value at risk reads a quantile of n losses, by NumPy's names for the types of Hyndman and
        Fan (1996). "inverted_cdf" is the smallest loss that at least ``level`` of the days do not exceed: of
        100 days at 99 %, the second largest.
    filtered : whether returns are scaled.     days : the last so many days only.
    proxies : underlying -> column of ``spots``, for names without a history of their own; the proxy's
        moves count as they are.
    vol_of : underlying -> column of ``vols``; "default" for all that are not named and have none.
    parameters : path of a TOML file like historical-2026-11-20.toml.

    A held underlying without a history, of vols too where vols move, is an error at ``margin()``: it must
    not read as "does not move". Not covered: moves of the skew and of rates, horizons beyond the square
    root of time, liquidity.

    Raises
    ------
    InputError : a level is not above 0, a date stands twice, too few dates, or no such measure.
    ParameterError : the file does not hold what it should.
    """
    numbers = load(HistoricalParameters, parameters, PARAMETERS)
    level = numbers.level.value
    reducers: dict[str, Reducer] = {
        "expected_shortfall": expected_shortfall(level),
        "value_at_risk": value_at_risk(level, quantile),
    }
    if measure not in reducers:
        problem = f"expected one of {', '.join(reducers)}"
        raise InputError(problem, column="measure", value=measure)
    past = History.of(spots, vols, days)
    moved = past.filtered(numbers.decay.value) if filtered else past
    scale = float(np.sqrt(numbers.horizon_days.value))
    scenarios = moved.scenarios(scale, proxies or {}, vol_of or {}) + _stresses(numbers)
    share = numbers.stress_share.value
    words = f"no less than {share:.0%} of the worst stress of all names together"
    chosen = {"measure": measure, "quantile": quantile, "filtered": filtered, "days": len(past.spots)}
    how = f", quantile by {quantile}" if measure == "value_at_risk" else ", the last day in part"
    held = "vols held" if vols is None else "vols moved as they did then"
    name, count = measure.replace("_", " "), len(past.spots)
    return Regime(
        name="historical",
        scenarios=scenarios,
        tree=Tree(reduce_at="margin_group", reducer=reducers[measure]),
        add_ons=(AddOn("stress", lambda context: share * joint_loss(context, STRESS), "floor", words),),
        side="house",
        parameters={"defaults": numbers.model_dump(mode="json"), "chosen": chosen},
        notes=(NOTE.format(measure=name, level=level, count=count, how=how, vols=held),),
        scan_words=f"{name} at {level:.4g} of the joint P&L of {count} days",
    )


def _stresses(numbers: HistoricalParameters) -> ScenarioSet:
    moves = numbers.stress.moves
    spots, vols = [move.spot for move in moves], [move.vol for move in moves]
    return ScenarioSet.points(spots, vols, names=[move.name for move in moves], tag=STRESS)


def value_at_risk(level: float, method: str = "inverted_cdf") -> Reducer:
    """Reducer: the quantile ``level`` of the losses, not below zero, and the day closest to it.

    Raises InputError for a level outside [0, 1) or an unknown way to read a quantile.
    """
    if not 0.0 <= level < 1.0:
        problem = "expected a level in [0, 1)"
        raise InputError(problem, column="level", value=level)
    if method not in METHODS:
        problem = f"expected one of {', '.join(METHODS)}"
        raise InputError(problem, column="quantile", value=method)

    return Quantile(level, method)


@dataclass(frozen=True)
class Quantile:
    """See ``value_at_risk``."""

    level: float
    method: str

    def __call__(self, pnl: Floats) -> Reduced:
        """The quantile of the losses, and the day closest to it."""
        quantiles = self._quantiles(pnl)
        scenarios = np.argmin(np.abs(-pnl - quantiles[:, None]), axis=1)
        return Reduced(np.maximum(quantiles, 0.0) + 0.0, scenarios)

    def shares(self, pnl: Floats) -> Floats:
        """The weights of the two days the quantile lies between, [n, S]; of one day where it is its loss."""
        rows = np.arange(len(pnl))
        order = np.argsort(-pnl, axis=1, kind="stable")
        losses = np.take_along_axis(-pnl, order, axis=1)
        quantiles = self._quantiles(pnl)[:, None]
        above = np.minimum((losses < quantiles).sum(axis=1), pnl.shape[1] - 1)
        below = np.maximum(above - 1, 0)
        low, high = losses[rows, below], losses[rows, above]
        apart = np.where(high > low, high - low, 1.0)
        upper = np.where(high > low, (quantiles[:, 0] - low) / apart, 1.0)
        shares = np.zeros(pnl.shape)
        shares[rows, order[rows, below]] = 1.0 - upper
        shares[rows, order[rows, above]] += upper
        return shares

    def _quantiles(self, pnl: Floats) -> Floats:
        # the stubs take the name of a method as a literal alone; it was checked when the regime was made
        quantiles: Floats = np.quantile(-pnl, self.level, axis=1, method=self.method)  # type: ignore[call-overload]
        return quantiles


def joint_loss(context: Context, tag: str) -> Floats:
    """Worst joint loss of each margin group over the scenarios of a tag, [M]."""
    pnl = context.leaves.tagged[tag]
    sums = [context.by_margin_group(column) for column in pnl.T]
    losses: Floats = np.maximum(-np.min(sums, axis=0), 0.0) + 0.0
    return losses

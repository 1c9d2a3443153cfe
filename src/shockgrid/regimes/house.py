"""A house stress grid: any price x vol shocks, contingency for uncovered shorts, concentration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from shockgrid.arrays import Floats
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.regimes.parameter_files import HouseParameters, Span, load
from shockgrid.requirement.add_ons import CONCENTRATION_NARROW, CONCENTRATION_WIDE, concentration, contingency
from shockgrid.requirement.regime import AddOn, Regime
from shockgrid.requirement.tree import Tree
from shockgrid.scenarios import ScenarioSet

PARAMETERS = "house-2026-11-20.toml"
TRADING_DAYS = 252.0
JOINT_NOTE = (
    "house: one joint worst over all names: one market factor, no stock-specific risk; "
    "requirement_zero_offsets is the independent sum"
)


def house(
    *,
    spot: ArrayLike | None = None,
    vol: ArrayLike | None = None,
    vol_mode: str = "relative",
    term_power: float = 0.0,
    sigmas: float | None = None,
    horizon_days: float = 1.0,
    scenarios: ScenarioSet | None = None,
    joint: bool = False,
    contingency_rate: float | None = None,
    contingency_mode: str = "added",
    concentrated: bool = True,
    minimum_per_unit: float = 0.0,
    parameters: str | Path | None = None,
) -> Regime:
    """A house regime as a value; every default comes from a parameter file with its source.

    Parameters
    ----------
    spot, vol : price shocks (fractions) and vol shocks (decimals); each price with each vol.
        Default 31 prices -20 .. +20 %, 7 vols -30 .. +30 %.
    vol_mode : "relative" (vol x (1 + y)) or "absolute" (vol + y).
    term_power : vol shocks are multiplied by (30 / days) ** term_power; 0 for none.
    sigmas, horizon_days : when given, every underlying's price shocks are stretched so that the largest is
        sigmas x atm_vol_dec x sqrt(horizon_days / 252); of a leverage only the sign applies on top.
    scenarios : a scenario set of one's own (a joint list, a history) instead of the grid.
    joint : False, the default: each class group's own worst, summed. True: one joint worst over everything.
    contingency_rate, contingency_mode : see ``contingency``; 0 for none. "added" or "floor".
    concentrated : whether the two worst groups at +-30 % and the rest at +-5 % are a floor.
    minimum_per_unit : smallest charge per option contract as a share of its multiplier.
    parameters : path of a TOML file like house-2026-11-20.toml with other defaults.

    Raises
    ------
    InputError : a shock is not finite or unusable.
    ParameterError : the file does not hold what it should.
    """
    numbers = load(HouseParameters, parameters, PARAMETERS)
    spots = _line(numbers.spot) if spot is None else np.asarray(spot, float)
    vols = _line(numbers.vol) if vol is None else np.asarray(vol, float)
    scale = None if sigmas is None else _sigma_scale(float(np.abs(spots).max()), sigmas, horizon_days)
    grid = scenarios or ScenarioSet.grid(
        spots, vols, vol_mode, term_power=term_power, spot_scale=scale, leveraged=scale is None
    )
    rate = numbers.contingency.value if contingency_rate is None else contingency_rate
    wide, narrow = numbers.concentration_wide.value, numbers.concentration_narrow.value
    add_ons: list[AddOn] = []
    if concentrated:
        grid += ScenarioSet.points([-wide, wide], tag=CONCENTRATION_WIDE)
        grid += ScenarioSet.points([-narrow, narrow], tag=CONCENTRATION_NARROW)
        add_ons.append(concentration(numbers.concentration_names.value))
    if rate:
        add_ons.append(contingency(rate, contingency_mode))
    chosen = {
        "spot": np.atleast_1d(spots).tolist(),
        "vol": np.atleast_1d(vols).tolist(),
        "vol_mode": vol_mode,
        "term_power": term_power,
        "sigmas": sigmas,
        "horizon_days": horizon_days,
        "own_scenarios": list(scenarios.names) if scenarios else None,
        "joint": joint,
        "contingency_rate": rate,
        "contingency_mode": contingency_mode,
        "concentrated": concentrated,
        "minimum_per_unit": minimum_per_unit,
    }
    return Regime(
        name="house",
        scenarios=grid,
        tree=Tree(reduce_at="margin_group" if joint else "class_group", minimum_per_unit=minimum_per_unit),
        add_ons=tuple(add_ons),
        side="house",
        parameters={"defaults": numbers.model_dump(mode="json"), "chosen": chosen},
        notes=(JOINT_NOTE,) if joint else (),
    )


def _line(span: Span) -> Floats:
    # rounded, so that the middle of a symmetric line is no move at all rather than 1e-17
    return np.round(np.linspace(*span.values, span.count), 12) + 0.0


def _sigma_scale(widest: float, sigmas: float, horizon_days: float) -> Callable[[Market], Floats]:
    if not widest > 0.0:
        problem = "sigma-scaled ranges need at least one price shock other than 0"
        raise InputError(problem, column="spot", value=widest)

    def scale(market: Market) -> Floats:
        # NaN where no vol is given: refused if such a name is held
        vols = market.underlyings.atm_vols * np.sign(market.underlyings.leverages)
        stretched: Floats = sigmas * vols * np.sqrt(horizon_days / TRADING_DAYS) / widest
        return stretched

    return scale

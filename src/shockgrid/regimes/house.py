"""A house stress grid: any price x vol shocks, contingency for uncovered shorts, concentration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shockgrid.arrays import Floats
from shockgrid.doors import number, require_kind
from shockgrid.doors import numbers as array_of
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.regimes.parameter_files import HouseParameters, Span, load
from shockgrid.requirement.add_ons import CONCENTRATION_NARROW, CONCENTRATION_WIDE, concentration, contingency
from shockgrid.requirement.regime import Regime
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
    scenarios : a scenario set of one's own (a joint list, a history) instead of the grid; the six choices
        above are refused beside it.
    joint : False, the default: each class group's own worst, summed. True: one joint worst over everything.
    contingency_rate, contingency_mode : see ``contingency``; 0 for none. "added" or "floor".
    concentrated : whether the two worst groups at +-30 % and the rest at +-5 % are a floor.
    minimum_per_unit : smallest charge per option contract as a share of its multiplier.
    parameters : path of a TOML file like house-2026-11-20.toml with other defaults.

    Not covered: margin of its own for a sector, a small issuer or a crowded name; ``house_rules`` has those.

    Raises
    ------
    InputError : a shock, rate or range is not finite, negative or unusable.
    ParameterError : the file does not hold what it should.

    Source: no rule book's, a firm's choice (20 November 2026); contingency after the crypto venues and a US
    broker, concentration after Interactive Brokers' notice of October 2015. Each number's is in the file.
    """
    numbers = load(HouseParameters, parameters, PARAMETERS)
    number(horizon_days, "horizon_days", "a finite number above 0", lambda days: 0.0 < days < np.inf)
    for name, flag in (("joint", joint), ("concentrated", concentrated)):
        require_kind(flag, bool, name)
    grid_choices = {
        "spot": spot,
        "vol": vol,
        "vol_mode": vol_mode,
        "term_power": term_power,
        "sigmas": sigmas,
        "horizon_days": horizon_days,
    }
    standard = _standard(numbers, scenarios, grid_choices)
    rate = numbers.contingency.value if contingency_rate is None else contingency_rate
    number(rate, "contingency_rate", "a rate in [0, 1]", lambda share: 0.0 <= share <= 1.0)
    add_ons = [contingency(rate, contingency_mode)] if rate else []
    if concentrated:
        wide, narrow = numbers.concentration_wide.value, numbers.concentration_narrow.value
        standard += ScenarioSet.points([-wide, wide], tag=CONCENTRATION_WIDE)
        standard += ScenarioSet.points([-narrow, narrow], tag=CONCENTRATION_NARROW)
        add_ons.insert(0, concentration(numbers.concentration_names.value))
    chosen = {
        **{name: np.asarray(value).tolist() for name, value in grid_choices.items()},
        "own_scenarios": None if scenarios is None else list(scenarios.names),
        "joint": joint,
        "contingency_rate": rate,
        "contingency_mode": contingency_mode,
        "concentrated": concentrated,
        "minimum_per_unit": minimum_per_unit,
    }
    return Regime(
        name="house",
        scenarios=standard,
        tree=Tree(reduce_at="margin_group" if joint else "class_group", minimum_per_unit=minimum_per_unit),
        add_ons=tuple(add_ons),
        side="house",
        parameters={"defaults": numbers.model_dump(mode="json"), "chosen": chosen},
        notes=(JOINT_NOTE,) if joint else (),
        scan_words="one joint worst over all class groups"
        if joint
        else "the worst of each class group, summed",
    )


def _standard(
    numbers: HouseParameters, scenarios: ScenarioSet | None, choices: Mapping[str, Any]
) -> ScenarioSet:
    """The scenarios that go through the tree: the user's own, or the grid of the choices."""
    if scenarios is not None:
        require_kind(scenarios, ScenarioSet, "scenarios")
        plain = {"vol_mode": "relative", "term_power": 0.0, "horizon_days": 1.0}
        given = [name for name, value in choices.items() if value is not None and value != plain.get(name)]
        if given:
            problem = "a scenario set of one's own leaves no room for a grid"
            raise InputError(problem, column=given[0], value=choices[given[0]])
        return scenarios
    spot, vol, sigmas = choices["spot"], choices["vol"], choices["sigmas"]
    spots = _line(numbers.spot) if spot is None else array_of(spot, "spot")
    vols = _line(numbers.vol) if vol is None else array_of(vol, "vol")
    widest = float(np.abs(spots).max(initial=0.0))
    scale = None if sigmas is None else _sigma_scale(widest, sigmas, choices["horizon_days"])
    return ScenarioSet.grid(
        spots,
        vols,
        choices["vol_mode"],
        term_power=choices["term_power"],
        spot_scale=scale,
        leveraged=scale is None,
    )


def _line(span: Span) -> Floats:
    # rounded, so that the middle of a symmetric line is no move at all rather than 1e-17
    return np.round(np.linspace(*span.values, span.count), 12) + 0.0


def _sigma_scale(widest: float, sigmas: float, horizon_days: float) -> Callable[[Market], Floats]:
    number(sigmas, "sigmas", "a finite number above 0", lambda size: 0.0 < size < np.inf)
    if not widest > 0.0:
        problem = "sigma-scaled ranges need at least one price shock other than 0"
        raise InputError(problem, column="spot", value=widest)

    def scale(market: Market) -> Floats:
        # NaN where no vol is given: refused if such a name is held
        vols = market.underlyings.atm_vols * np.sign(market.underlyings.leverages)
        stretched: Floats = sigmas * vols * np.sqrt(horizon_days / TRADING_DAYS) / widest
        return stretched

    return scale

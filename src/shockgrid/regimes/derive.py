"""Derive's portfolio margin manager, version 2 (PMRM_2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.regimes.derive_charges import BASIS, add_ons
from shockgrid.regimes.derive_file import DeriveParameters
from shockgrid.regimes.feeds import Feeds
from shockgrid.regimes.parameter_files import load
from shockgrid.requirement.by_expiry import Expiries, ValueTransform
from shockgrid.requirement.regime import Regime
from shockgrid.requirement.tree import Tree
from shockgrid.requirement.units import with_derivatives
from shockgrid.scenarios import ScenarioSet
from shockgrid.vol_rules import Rotated, TermScaled, VolRule

PARAMETERS = "derive-2026-01-21.toml"
NOTE = (
    "derive is an estimate: the venue's own number is what its contract computes from its feeds and its "
    "parameters on chain; a collateral that the parameter file does not name counts nothing"
)


def derive(parameters: str | Path | None = None, *, confidences: Any = None) -> Regime:
    """Portfolio margin of Derive (formerly Lyra), manager PMRM_2, as a value.

    A coin is a class group: its options, futures and perpetual, and whatever collateral cancels its risk
    (the ``groups`` table says so). Collateral outside does not move. The market's base currency is the
    stablecoin; where the fx table has USD, what a dollar is worth says how far the peg is lost. A perpetual
    with a price of its own is an underlying of its own in the coin's class group.

    ``requirement`` is maintenance margin, ``initial_requirement`` initial margin: what equity at model values
    (mark-to-market plus cash) must cover. Equity less either is Derive's own net margin, >= 0 if healthy.

    Not covered: the shortened check of a trusted risk assessor, caps on open interest, the auction. Several
    coins in one account are separate managers and are summed.

    Parameters
    ----------
    parameters : path of a TOML file like derive-2026-01-21.toml to replace its numbers.
    confidences : frame of oracle confidences in [0, 1]: underlying, confidence and, for the least of an
        expiry's forward, rate and vol feeds, expiry_utc; feeds that are not named are fully trusted.

    Raises
    ------
    ParameterError : the file does not hold what it should; names the path inside it.
    InputError : a confidence outside [0, 1]; at ``margin()`` a held contract settled in coin.

    Source: github.com/derivexyz/v2-core at 7736900 (21 January 2026), PMRM_2.sol and PMRMLib_2.sol.
    """
    numbers = load(DeriveParameters, parameters, PARAMETERS)
    feeds = Feeds.read(confidences)
    basis = numbers.basis
    spots = [basis.up.value - 1.0, basis.down.value - 1.0]
    scenarios = _scenarios(numbers) + ScenarioSet.points(
        spots,
        tag=BASIS,
        leveraged=False,
        spot_scale=with_derivatives,
        averaging_minutes=numbers.averaging_minutes.value,
    )
    return Regime(
        name="derive",
        scenarios=scenarios,
        tree=Tree("class_group", value_transform=_discounted(numbers)),
        add_ons=add_ons(numbers, feeds, initial=False),
        initial=add_ons(numbers, feeds, initial=True),
        side="exchange",
        parameters={"numbers": numbers.model_dump(mode="json"), "confidences": feeds.record},
        notes=(NOTE,),
        covers=lambda market: ~market.instruments.inverse,
        scan_words="the worst of the scenarios, each expiry's shocked value discounted against the holder",
    )


def _scenarios(numbers: DeriveParameters) -> ScenarioSet:
    vol, skew = numbers.vol, numbers.skew
    powers = (vol.short_power.value, vol.long_power.value, vol.floor_days.value)
    shape = [each.value for each in (skew.least_width, skew.width_factor, skew.vol_level, skew.vol_slope)]
    rules: dict[str, tuple[VolRule | None, float]] = {
        "up": (TermScaled(*powers, floor=vol.least_up.value), vol.up.value),
        "none": (None, 0.0),
        "down": (TermScaled(*powers), -vol.down.value),
        "linear": (Rotated(False, skew.linear_slope.value, *shape), skew.linear_cap.value),
        "abs": (Rotated(True, skew.abs_slope.value, *shape), skew.abs_cap.value),
    }
    rows = numbers.scenarios.rows
    return ScenarioSet.points(
        [row.spot - 1.0 for row in rows],
        [rules[row.vol][1] for row in rows],
        names=[f"spot x {row.spot:g}, vol {row.vol}" for row in rows],
        weight=[row.weight for row in rows],
        vol_rule=[rules[row.vol][0] for row in rows],
        averaging_minutes=numbers.averaging_minutes.value,
        leveraged=False,
        spot_scale=with_derivatives,
    )


def _discounted(numbers: DeriveParameters) -> ValueTransform:
    """A shocked expiry's value is discounted if an asset, marked up if a debt; a rotation always costs."""
    held, owed = numbers.discount.long, numbers.discount.short
    rotated = np.array([row.vol in ("linear", "abs") for row in numbers.scenarios.rows])

    def transform(pnl: Floats, expiries: Expiries) -> Floats:
        years, factors = expiries.years, expiries.discount_factors
        growth = np.maximum(-np.log(factors), 0.0)  # rate x years
        low = held.base.value * np.exp(-(growth * held.rate_factor.value + years * held.rate_added.value))
        high = owed.base.value * np.exp(growth * owed.rate_factor.value + years * owed.rate_added.value)
        high = np.minimum(1.0 / factors, high)
        shocked = pnl + expiries.values[:, None]
        result = np.where(shocked >= 0.0, low[:, None], high[:, None]) * shocked - expiries.values[:, None]
        return np.where(rotated, -np.abs(result), result)

    return transform

"""House rules as US brokers publish them, composed: ranges, vol scans, stresses, charges, limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.regimes.currencies import currency_ranges, currency_rows
from shockgrid.regimes.house_charges import (
    DELTA,
    DELTA_STEP,
    EXPECTED,
    HIGH,
    LOW_CAP,
    SECTOR,
    TENTHS,
    VEGA,
    VOL_POINT,
    HouseCharges,
)
from shockgrid.regimes.house_file import HouseRuleParameters
from shockgrid.regimes.house_limits import BETA, remarks
from shockgrid.regimes.house_ranges import NameRanges
from shockgrid.regimes.parameter_files import load
from shockgrid.requirement.add_ons import CONCENTRATION_NARROW, CONCENTRATION_WIDE, concentration, contingency
from shockgrid.requirement.regime import AddOn, Regime
from shockgrid.requirement.tree import Tree
from shockgrid.scenarios import ScenarioSet

PARAMETERS = "house-rules-2026-11-20.toml"
VOL_STATES = (-1.0, 0.0, 1.0)  #: in vol scans
NOTE = (
    "house-rules is nobody's rule book: rules of several brokers side by side, many of their numbers a "
    "choice; crowding looks at all accounts of the run"
)


def house_rules(parameters: str | Path | None = None) -> Regime:
    """A broker's house regime as a value: every rule's numbers, and single names' own, from one file.

    Scan: each name's range (by its own row, else its sector, else its portfolio type x leverage; never less
    than sigmas x vol x sqrt(days / 252); wider before earnings) x three vols by portfolio type, which
    ``vol_with_price`` moves against the price; each class group's own worst. On top, in this order:
    "low_cap" and "expected_range" raise single class groups, "concentration", "sector_crash" and
    "return_to_high" are floors on the whole, "contingency", "liquidity", "crowding", "hard_to_borrow" and
    "currency_ranges" are added. Index moves by beta and the limits on vega, short options and notional charge
    nothing: ``explain`` lists them, like every other rule, as passed or failed with the distance to the
    trigger. A limit that fails means closing trades only.

    Reads sector, beta, market_cap, adv, high_52w, borrow_dec and atm_vol_dec of the underlyings table. Where
    one is blank its rule does not speak of that name, but for beta, which is then 1. Class groups of several
    names are sold, borrowed and capped as the one that is shown. Not covered: sticky delta, ranges that go by
    the VIX, exposure fees, the 5-day median of the highest price (the table's own is used).

    Parameters
    ----------
    parameters : path of a TOML file like house-rules-2026-11-20.toml; ``[sectors.NAME]`` and ``[names.NAME]``
        hold ranges, expected ranges and dates of earnings.

    Raises
    ------
    ParameterError : the file does not hold what it should; names the path inside it.

    Source: Interactive Brokers (notices of 2015, 2021, 2022), tastytrade (portfolio margin rules), Schwab and
    TD Ameritrade (EPR and PNR, futures stress test); each number's source is in the file.
    """
    numbers = load(HouseRuleParameters, parameters, PARAMETERS)
    ranges = NameRanges(numbers)
    charges = HouseCharges(numbers, ranges)
    return Regime(
        name="house-rules",
        scenarios=_scenarios(numbers, ranges),
        tree=Tree(reduce_at="class_group", minimum_per_unit=numbers.minimum_per_unit.value),
        add_ons=(
            AddOn(
                "low_cap", charges.low_cap, words="a small issuer at the greater of its range and its rate"
            ),
            AddOn(
                "expected_range", charges.expected_range, words="where PNR lies within EPR, the loss at EPR"
            ),
            concentration(numbers.concentration.names.value),
            AddOn(
                "sector_crash", charges.sector_crash, "floor", "all names of the worst sector fall at once"
            ),
            AddOn("return_to_high", charges.return_to_high, "floor", "the worst name at its year's high"),
            contingency(numbers.contingency.value),
            AddOn("liquidity", charges.liquidity, words="what cannot be sold within the days allowed"),
            AddOn("crowding", charges.crowding, words="what the firm holds beyond its days of volume"),
            AddOn("hard_to_borrow", charges.borrow, words="shares held short that are dear to borrow"),
            *([] if numbers.fx is None else [currency_ranges(numbers.fx)]),
        ),
        side="house",
        parameters=numbers.model_dump(mode="json"),
        notes=(NOTE,),
        plan_notes=ranges.strangers,
        scan_words="the worst of each class group over its ranges and vol scans",
        remarks=(*remarks(charges), *([] if numbers.fx is None else [currency_rows(numbers.fx)])),
    )


def _scenarios(numbers: HouseRuleParameters, ranges: NameRanges) -> ScenarioSet:
    """The scan, then the scenarios of each rule under a tag of their own."""
    shares = np.round(np.linspace(*numbers.points.values, numbers.points.count), 12) + 0.0
    standard = _scanned(numbers, ranges, "down", shares[shares <= 0.0])
    standard += _scanned(numbers, ranges, "up", shares[shares > 0.0])
    wide, narrow = numbers.concentration.wide.value, numbers.concentration.narrow.value
    crash, beta = numbers.sector_crash, numbers.beta
    moves = [test.index_move for test in beta.tests]
    down, up = ranges.expected("down"), ranges.expected("up")
    return (
        standard
        + ScenarioSet.points([-wide, wide], tag=CONCENTRATION_WIDE)
        + ScenarioSet.points([-narrow, narrow], tag=CONCENTRATION_NARROW)
        + ScenarioSet.points(-TENTHS, tag=EXPECTED, spot_scale=down, leveraged=False)
        + ScenarioSet.points(TENTHS, tag=EXPECTED, spot_scale=up, leveraged=False)
        + ScenarioSet.points([-1.0, 1.0], tag=LOW_CAP, spot_scale=ranges.low_cap, leveraged=False)
        + ScenarioSet.points([1.0], tag=HIGH, spot_scale=ranges.to_high, leveraged=False)
        + ScenarioSet.points([crash.spot], crash.vol, tag=SECTOR)
        + ScenarioSet.points(moves, beta.vol, tag=BETA, spot_scale=ranges.betas, leveraged=False)
        + ScenarioSet.points([-DELTA_STEP, DELTA_STEP], tag=DELTA)
        + ScenarioSet.points([0.0], VOL_POINT, "absolute", tag=VEGA)
    )


def _scanned(numbers: HouseRuleParameters, ranges: NameRanges, side: str, shares: Floats) -> ScenarioSet:
    """Each share of the range on one side with three vols, which move against the price."""
    along = 0.0 if numbers.vol_with_price is None else numbers.vol_with_price.value
    prices = np.repeat(shares, len(VOL_STATES))
    vols = np.tile(VOL_STATES, len(shares)) - along * prices
    return ScenarioSet.points(
        prices, vols, spot_scale=ranges.scan(side), vol_scale=ranges.vol_scan, leveraged=False
    )

"""The file of ``house_rules``: every rule with its numbers, and single names with theirs."""

from __future__ import annotations

import datetime

from pydantic import BaseModel, ConfigDict, Field

from shockgrid.regimes.parameter_files import (
    Count,
    Currencies,
    Number,
    ParameterFile,
    Range,
    Ranges,
    Sourced,
    Span,
)


class Part(BaseModel):
    """A table of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class VolScan(Part):
    """Relative vol moves, up and down, at every price point."""

    equity: Number
    broad_index: Number
    other: Number


class VolRange(Part):
    """A range is never narrower than sigmas x vol x sqrt(days / 252)."""

    sigmas: Number
    horizon_days: Number


class Earnings(Part):
    """Ranges are multiplied from so many days before a name's earnings until they are out."""

    days: Count
    factor: Number


class Concentration(Part):
    """So many class groups at the wide move, the others at the narrow one."""

    wide: Number
    narrow: Number
    names: Count


class Expected(Part):
    """The largest one-day range to be expected, where a name does not say its own."""

    ranges: Ranges


class BetaTest(Part):
    """An index move and how many times the equity it may cost."""

    index_move: float = Field(ge=-1.0, le=1.0)
    multiple: float = Field(gt=0.0)


class BetaTests(Sourced):
    """Moves of the index that every name follows by its beta."""

    tests: list[BetaTest] = Field(min_length=1)
    vol: float = Field(ge=-1.0, le=10.0)


class SectorCrash(Sourced):
    """One move of all names of a sector."""

    spot: float = Field(ge=-1.0, le=0.0)
    vol: float = Field(ge=-1.0, le=10.0)


class Liquidity(Part):
    """What cannot be sold in so many days at a share of the daily volume."""

    participation: Number
    days: Number
    rate: Number


class Crowding(Part):
    """What the firm holds of a name, in days of its volume."""

    days: Number
    rate: Number


class Borrow(Part):
    """Shares that are dear to borrow."""

    threshold: Number
    rate: Number


class Limits(Part):
    """What an account may hold for its equity."""

    vega: Number
    short_units: Number
    notional: Number


class Name(Sourced):
    """What is decided for one name."""

    range: Range | None = None
    expected: Range | None = None
    earnings: datetime.date | None = None


class HouseRuleParameters(ParameterFile):
    """The numbers of ``house_rules``."""

    points: Span
    ranges: Ranges
    vol_range: VolRange
    vol_scan: VolScan
    vol_with_price: Number | None = None
    earnings: Earnings
    concentration: Concentration
    contingency: Number
    minimum_per_unit: Number
    low_cap: Number
    expected: Expected
    sector_crash: SectorCrash
    beta: BetaTests
    liquidity: Liquidity
    crowding: Crowding
    borrow: Borrow
    limits: Limits
    fx: Currencies | None = None
    sectors: dict[str, Range] = Field(default_factory=dict)
    names: dict[str, Name] = Field(default_factory=dict)

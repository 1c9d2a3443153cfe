"""What the parameter file of ``span`` holds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shockgrid.regimes.parameter_files import Number, ParameterFile, Sourced

Positive = Annotated[float, Field(gt=0.0)]
Move = Annotated[float, Field(ge=-10.0, le=10.0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Point(_Table):
    """One scenario: price move in scan ranges, vol move in vol ranges, weight, and its pair (from 1)."""

    price: Move
    vol: Move
    weight: Annotated[float, Field(ge=0.0, le=1.0)]
    pair: Annotated[int, Field(ge=1)]


class Points(Sourced):
    """The scenarios, in the order of a risk array."""

    rows: list[Point] = Field(min_length=1)

    @model_validator(mode="after")
    def _paired(self) -> Points:
        for place, row in enumerate(self.rows):
            if row.pair > len(self.rows):
                problem = f"row {place}: there is no scenario {row.pair}"
                raise ValueError(problem)
        return self


class DeltaPoints(Sourced):
    """Price moves in scan ranges at which the delta is taken, and their probabilities."""

    moves: list[Move] = Field(min_length=1)
    weights: list[Annotated[float, Field(ge=0.0, le=1.0)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_weight_each(self) -> DeltaPoints:
        if len(self.moves) != len(self.weights):
            problem = f"{len(self.moves)} moves but {len(self.weights)} weights"
            raise ValueError(problem)
        return self


class Leg(_Table):
    """A leg of a spread: a tier or a commodity, delta per spread, side A or B."""

    of: str
    ratio: Positive
    side: Literal["A", "B"]


class Spread(Sourced):
    """A spread: within a commodity at a charge in money, between commodities at a credit rate."""

    legs: list[Leg] = Field(min_length=2)
    rate: Annotated[float, Field(ge=0.0)]

    @model_validator(mode="after")
    def _two_sides(self) -> Spread:
        if len({leg.side for leg in self.legs}) != 2:
            problem = "a spread needs legs on both sides"
            raise ValueError(problem)
        return self


class Tier(_Table):
    """Contract months from so many days to expiry on, up to the next tier."""

    name: str
    from_days: Annotated[float, Field(ge=0.0)]


class Commodity(Sourced):
    """One combined commodity. Ranges are money per unit of price, or shares of the price."""

    price_range: Positive
    price_range_is: Literal["money", "share"]
    vol_range: Positive
    delta_unit: Positive  #: money per unit of price of the contract that deltas are counted in
    short_option_minimum: Annotated[float, Field(ge=0.0)]  #: money per contract short
    short_option_method: Literal["gross", "max"]
    futures_price_risk: Literal["normal", "capped", "scan_range"] = "normal"
    tiers: list[Tier] = Field(default_factory=lambda: [Tier(name="all", from_days=0.0)], min_length=1)
    spreads: list[Spread] = Field(default_factory=list)

    @model_validator(mode="after")
    def _known_tiers(self) -> Commodity:
        days, names = [tier.from_days for tier in self.tiers], [tier.name for tier in self.tiers]
        if days != sorted(set(days)) or days[0] != 0.0 or len(set(names)) != len(names):
            problem = "tiers need names of their own and ascending days, the first from 0"
            raise ValueError(problem)
        strange = [leg.of for spread in self.spreads for leg in spread.legs if leg.of not in names]
        if strange:
            problem = f"no tier named {strange[0]}"
            raise ValueError(problem)
        return self


class SpanParameters(ParameterFile):
    """The numbers of ``span``."""

    points: Points
    deltas: DeltaPoints
    vol_mode: Literal["relative", "absolute"]
    look_ahead_days: Number
    initial_factor: Number
    commodities: dict[str, Commodity]
    inter_spreads: list[Spread] = Field(default_factory=list)

    @model_validator(mode="after")
    def _known_commodities(self) -> SpanParameters:
        if "default" not in self.commodities:
            problem = "commodities: expected an entry named default"
            raise ValueError(problem)
        legs = [leg.of for spread in self.inter_spreads for leg in spread.legs]
        strange = [name for name in legs if name not in self.commodities or name == "default"]
        if strange:
            problem = f"inter_spreads: no commodity named {strange[0]}"
            raise ValueError(problem)
        return self

"""The file of ``historical``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shockgrid.regimes.parameter_files import Number, ParameterFile, Sourced


class Fraction(Sourced):
    """A number in [0, 1) and where it comes from."""

    value: float = Field(ge=0.0, lt=1.0)


class Move(BaseModel):
    """One stress of all names."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    spot: float = Field(ge=-1.0, le=10.0)
    vol: float = Field(ge=-1.0, le=10.0)


class Moves(Sourced):
    """Stresses."""

    moves: list[Move] = Field(min_length=1)


class HistoricalParameters(ParameterFile):
    """The numbers of ``historical``."""

    level: Fraction
    decay: Fraction
    horizon_days: Number
    stress: Moves
    stress_share: Number

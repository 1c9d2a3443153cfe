"""What the parameter file of ``derive`` holds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from shockgrid.regimes.parameter_files import Number, ParameterFile, Signed, Sourced

Multiplier = Annotated[float, Field(ge=0.0, le=10.0)]
Haircut = Annotated[float, Field(ge=0.0, le=1.0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Move(_Table):
    """One scenario: spot x multiplier, what the vols do, weight of its P&L (the dampening factor)."""

    spot: Multiplier
    vol: Literal["up", "none", "down", "linear", "abs"]
    weight: Multiplier = 1.0


class Moves(Sourced):
    """The scenarios, at most 40; a skew shock cannot be combined with a spot move."""

    rows: list[Move] = Field(min_length=1, max_length=40)

    @field_validator("rows")
    @classmethod
    def _still(cls, rows: list[Move]) -> list[Move]:
        for place, row in enumerate(rows):
            if row.vol in ("linear", "abs") and row.spot != 1.0:
                problem = f"row {place}: a skew shock needs spot = 1"
                raise ValueError(problem)
        return rows


class Vol(_Table):
    """Vol shocks by time to expiry."""

    up: Number
    down: Number
    short_power: Number
    long_power: Number
    floor_days: Number
    least_up: Number


class Skew(_Table):
    """Rotations of the smile, see ``vol_rules.Rotated``."""

    linear_cap: Number
    linear_slope: Signed
    abs_cap: Number
    abs_slope: Signed
    least_width: Number
    width_factor: Number
    vol_level: Signed
    vol_slope: Signed


class Side(_Table):
    """base x exp(-+ years x (rate x rate_factor + rate_added))."""

    base: Number
    rate_factor: Number
    rate_added: Number


class Discount(_Table):
    """Static discounts of an expiry's shocked value, as an asset (long) and as a debt (short)."""

    long: Side
    short: Side


class Basis(_Table):
    """Forward contingency."""

    up: Number
    down: Number
    added: Number
    per_year: Number


class LossFactor(_Table):
    """Factors on the worst loss."""

    maintenance: Number
    initial: Number
    peg: Number
    peg_threshold: Number


class Both(_Table):
    """A percentage of maintenance margin and what initial margin has on top."""

    maintenance: Number
    initial: Number


class Percent(_Table):
    """Contingencies as shares of the index value."""

    perpetual: Both
    option: Both


class Confidence(_Table):
    """When a feed is doubted, and what that costs."""

    threshold: Number
    margin: Number


class Collateral(Sourced):
    """Haircuts on the value of one collateral; initial margin takes both."""

    maintenance: Haircut
    initial: Haircut


class DeriveParameters(ParameterFile):
    """The numbers of ``derive``."""

    scenarios: Moves
    averaging_minutes: Number
    vol: Vol
    skew: Skew
    discount: Discount
    basis: Basis
    loss_factor: LossFactor
    percent: Percent
    confidence: Confidence
    collateral: dict[str, Collateral]

    @field_validator("collateral")
    @classmethod
    def _has_default(cls, rows: dict[str, Collateral]) -> dict[str, Collateral]:
        if "default" not in rows:
            problem = "expected an entry named default"
            raise ValueError(problem)
        return rows

"""What the parameter files of ``deribit`` hold, one form for each version of the rule."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from shockgrid.regimes.parameter_files import Number, ParameterFile, Sourced


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Moves(Sourced):
    """Price moves, as shares of the range or of the price."""

    values: list[Annotated[float, Field(ge=-1.0, le=10.0)]] = Field(min_length=1)


class Extended(Moves):
    """Moves beyond the range, each weighted by range / |move|."""

    @field_validator("values")
    @classmethod
    def _moving(cls, values: list[float]) -> list[float]:
        if 0.0 in values:
            problem = "a move of 0 has no weight"
            raise ValueError(problem)
        return values


class Choice(Sourced):
    """One of two readings of the rule."""

    value: Literal["whole", "excess"]


class Currency(_Table):
    """The current model's parameters of one currency, named as the venue's API names them."""

    price_range: Number
    volatility_range_up: Number
    volatility_range_down: Number
    extended_table_factor: Number
    extended_dampener: Number  #: USD
    pnl_offset: Number
    max_offsetable_pnl: Number  #: USD
    annualised_move_risk: Number
    min_annualised_move: Number
    delta_total_liq_shock_threshold: Number  #: USD
    max_delta_shock: Number
    m_inc: Number  #: per coin


class V3Parameters(ParameterFile):
    """The numbers of the current model."""

    buckets: Moves
    extended: Extended
    short_term_vega_power: Number
    long_term_vega_power: Number
    min_volatility_for_shock_up: Number
    floor_days: Number
    delta_shock_on: Choice
    averaging_minutes: Number
    mm_factor: Number
    currencies: dict[str, Currency]


class V2Parameters(ParameterFile):
    """The numbers of the older model, in force until 2024."""

    moves: Moves
    volatility_range: Number
    vega_power: Number
    floor_days: Number
    averaging_minutes: Number
    net_short_option: Number  #: coin per net short option and strike
    offsetting_futures: Number
    initial_factor: Number
    currencies: list[str] = Field(min_length=1)


class Short(_Table):
    """Charges on short options, coin per unit."""

    initial_share: Number
    initial_least: Number
    maintenance: Number


class StandardParameters(ParameterFile):
    """The numbers of standard margin, position by position."""

    short_option: Short
    future_initial: Number
    future_maintenance: Number
    currencies: list[str] = Field(min_length=1)

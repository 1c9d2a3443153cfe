"""Parameter files: numbers with their source, effective date and confidence, checked by pydantic."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shockgrid.doors import require_kind
from shockgrid.errors import ParameterError

Confidence = Literal["rule", "exchange", "third_party", "unconfirmed"]
Share = Annotated[float, Field(gt=0.0, le=1.0)]
Sessions = Annotated[int, Field(ge=1, le=250)]
Amount = Annotated[float, Field(ge=0.0)]


class Sourced(BaseModel):
    """Whatever says where it comes from and how sure we are of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    source: str = Field(min_length=3)
    confidence: Confidence


class Number(Sourced):
    """One number and where it comes from."""

    value: float = Field(ge=0.0)


class Signed(Sourced):
    """One number of any sign and where it comes from."""

    value: float


class Count(Sourced):
    """A whole number and where it comes from."""

    value: int = Field(ge=0)


class Points(Sourced):
    """Shares of a range at which the valuation points lie."""

    values: list[Annotated[float, Field(ge=-1.0, le=1.0)]] = Field(min_length=1)


class Span(Sourced):
    """A line of equally spaced shocks."""

    values: tuple[float, float]
    count: int = Field(ge=1, le=10_000)


class Range(Sourced):
    """How far a portfolio type is moved, as positive fractions."""

    down: Share
    up: Annotated[float, Field(gt=0.0, le=5.0)]


class ParameterFile(BaseModel):
    """What every parameter file begins with."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    effective: datetime.date
    proposed_by: str | None = None
    approved_by: str | None = None

    @model_validator(mode="after")
    def _two_people(self) -> Self:
        """Whoever proposes numbers does not approve them; a file that ships has neither."""
        names = [(name or "").strip().casefold() for name in (self.proposed_by, self.approved_by)]
        if names[1] and names[0] == names[1]:
            problem = "approved_by is the one who proposed it: expected somebody else"
            raise ValueError(problem)
        if names[1] and not names[0]:
            problem = "approved_by without proposed_by"
            raise ValueError(problem)
        return self


class Ranges(BaseModel):
    """A range for each portfolio type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    equity: Range
    narrow_index: Range
    broad_index: Range
    broad_index_high_cap: Range


class Names(Sourced):
    """A list of names."""

    values: list[str]


class Currencies(BaseModel):
    """How far foreign currencies are moved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    major: Range
    other: Range
    majors: Names


class TimsParameters(ParameterFile):
    """The numbers of ``tims``; ``own_ranges`` by underlying or class group, before the portfolio type's."""

    points: Points
    ranges: Ranges
    minimum_per_unit: Number
    own_ranges: dict[str, Range] = Field(default_factory=dict)
    fx: Currencies | None = None


class HouseParameters(ParameterFile):
    """The default numbers of ``house``."""

    spot: Span
    vol: Span
    contingency: Number
    concentration_wide: Number
    concentration_narrow: Number
    concentration_names: Count


Model = TypeVar("Model", bound=BaseModel)
Parameters = TypeVar("Parameters", bound=ParameterFile)


def strangers(what: str, named: Iterable[str], *known: Iterable[str]) -> tuple[str, ...]:
    """A note where a file speaks of names that the market does not have: a slip must not go unseen."""
    missing = sorted(set(named) - {str(name) for names in known for name in names})
    return (f"{what} {', '.join(missing)}: the market has none",) if missing else ()


def load(model: type[Parameters], path: str | Path | None, default: str) -> Parameters:
    """Read and check a parameter file; ``default`` is the one that ships with the package.

    Raises
    ------
    ParameterError : the file is not TOML, or a value is missing, unknown or out of range; names the path.
    """
    if path is not None:
        require_kind(path, (str, Path), "parameters", "the path of a file, or None")
    shown = str(path) if path is not None else default
    source = Path(path) if path is not None else resources.files("shockgrid.regimes") / "parameters" / default
    return checked(model, source, shown)


def checked(model: type[Model], source: Path | Traversable, shown: str) -> Model:
    """A TOML file as a model; ParameterError, naming ``shown``, the path inside it and the value."""
    try:
        return model.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problem = f"{shown}: {error}"
        raise ParameterError(problem) from error
    except ValidationError as error:
        found = (
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']} (got {fault['input']!r})"
            for fault in error.errors()
        )
        problem = f"{shown}: {'; '.join(found)}"
        raise ParameterError(problem) from error

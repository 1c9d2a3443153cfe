"""Policies: which regimes and limits apply to which program; and regimes by name."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shockgrid.doors import require_kind
from shockgrid.errors import ParameterError
from shockgrid.regimes.deribit import deribit
from shockgrid.regimes.derive import derive
from shockgrid.regimes.governance import in_force, read_overrides
from shockgrid.regimes.house import house
from shockgrid.regimes.house_rules import house_rules
from shockgrid.regimes.parameter_files import checked
from shockgrid.regimes.span import span
from shockgrid.regimes.tims import tims
from shockgrid.requirement.overrides import overridden
from shockgrid.requirement.regime import Program, Regime

BUILT_IN: Mapping[str, Callable[..., Regime]] = {
    "tims": tims,
    "rbh_bd": partial(tims, account="broker_dealer"),
    "rbh_mm": partial(tims, account="market_maker"),
    "house": house,
    "house-rules": house_rules,
    "derive": derive,
    "span": span,
    "deribit": deribit,
    "deribit-v2": partial(deribit, "v2"),
    "deribit-standard": partial(deribit, "standard"),
}


@dataclass(frozen=True)
class Policy:
    """Programs by name; "default" serves accounts whose program is blank."""

    programs: Mapping[str, Program]

    def __post_init__(self) -> None:
        require_kind(self.programs, Mapping, "programs", "a mapping of names to programs")
        for name, program in self.programs.items():
            require_kind(name, str, "programs", "the name of a program")
            require_kind(program, Program, f"programs[{name}]")

    @classmethod
    def from_toml(cls, path: str | Path, as_of: datetime | None = None) -> Policy:
        """Read a policy file: one table ``[programs.NAME]`` each, with exchange, house (a regime by name or
        "path/to/file.py:name", relative to the policy file), minimum_equity and call_profile.

        Before them may stand ``parameters``, a folder of dated and approved parameter files for the built-in
        regimes (``governance.in_force``), and ``overrides``, a CSV of what is changed for single accounts
        on the house side (``Overrides``); both relative to the policy file.

        Parameters
        ----------
        path : the policy file.
        as_of : the market's moment; ``parameters`` asks for it.

        Raises
        ------
        ParameterError : the file is not TOML, or names what is not there, or what is not in force.
        InputError : a bad row of the overrides.
        """
        source = Path(path)
        table = checked(_PolicyFile, source, str(path))
        files = _parameter_files(table, source, as_of)
        names = dict.fromkeys(name for row in table.programs.values() for name in (row.exchange, row.house))
        known = {name: load_regime(name, source.parent, files.get(name)) for name in names if name}
        houses = dict(known)
        if table.overrides is not None:
            rows = read_overrides(source.parent / table.overrides)
            names = dict.fromkeys(row.house for row in table.programs.values())
            houses = {name: overridden(known[name], rows) for name in names if name}
        return cls(
            {
                name: Program(
                    known.get(row.exchange or ""),
                    houses.get(row.house or ""),
                    row.minimum_equity,
                    row.call_profile,
                )
                for name, row in table.programs.items()
            }
        )


def _parameter_files(table: _PolicyFile, source: Path, as_of: datetime | None) -> dict[str, Path]:
    """The file in force of every built-in regime the policy names."""
    if table.parameters is None:
        return {}
    if as_of is None:
        problem = f"{source}: parameters: dated files need the market's as_of"
        raise ParameterError(problem)
    named = {name for row in table.programs.values() for name in (row.exchange, row.house) if name}
    folder = source.parent / table.parameters
    return {name: in_force(folder, name, as_of) for name in sorted(named & set(BUILT_IN))}


class _ProgramRow(BaseModel):
    model_config = ConfigDict(extra="forbid")

    exchange: str | None = None
    house: str | None = None
    minimum_equity: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    call_profile: Literal["eod_batch", "intraday_with_approval", "automatic"] = "eod_batch"


class _PolicyFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    programs: dict[str, _ProgramRow] = Field(min_length=1)
    parameters: str | None = None
    overrides: str | None = None

    @model_validator(mode="after")
    def _house_for_overrides(self) -> Self:
        without = [name for name, row in self.programs.items() if row.house is None]
        if self.overrides is not None and without:
            problem = f"overrides change the house requirement: program {without[0]} has no house regime"
            raise ValueError(problem)
        return self


def load_regime(name: str, folder: str | Path = ".", parameters: Path | None = None) -> Regime:
    """A regime by name ("tims", "house", ...) or from a file of one's own ("path/to/file.py:name").

    The file is Python and is run. ``name`` in it is a Regime or a function without arguments that makes one.
    ``parameters`` is a parameter file in place of a built-in regime's own.

    Raises
    ------
    ParameterError : no such name, file or regime.
    """
    if name in BUILT_IN:
        return BUILT_IN[name](parameters=parameters)
    path, colon, attribute = name.rpartition(":")
    if not colon or not path.endswith(".py"):
        problem = f"{name}: expected {', '.join(BUILT_IN)} or path/to/file.py:name"
        raise ParameterError(problem)
    source = Path(folder) / path
    if not source.is_file():
        problem = f"{source}: no such file"
        raise ParameterError(problem)
    spec = importlib.util.spec_from_file_location(f"shockgrid_regime_{source.stem}", source)
    if spec is None or spec.loader is None:
        problem = f"{source}: not a Python file"
        raise ParameterError(problem)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        found = getattr(module, attribute, None)
        regime = found() if callable(found) else found
    except (
        Exception,
        SystemExit,
    ) as error:  # a user's file may raise anything; it is named, and the cause is kept
        problem = f"{source}: {type(error).__name__}: {error}"
        raise ParameterError(problem) from error
    if not isinstance(regime, Regime):
        problem = f"{source}: {attribute} is no Regime and no function that makes one"
        raise ParameterError(problem)
    return regime

"""Policies: which regimes and limits apply to which program; and regimes by name."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shockgrid.errors import ParameterError
from shockgrid.regimes.deribit import deribit
from shockgrid.regimes.derive import derive
from shockgrid.regimes.house import house
from shockgrid.regimes.parameter_files import faults
from shockgrid.regimes.span import span
from shockgrid.regimes.tims import tims
from shockgrid.requirement.regime import Program, Regime

BUILT_IN: Mapping[str, Callable[[], Regime]] = {
    "tims": tims,
    "house": house,
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

    @classmethod
    def from_toml(cls, path: str | Path) -> Policy:
        """Read a policy file: one table ``[programs.NAME]`` each, with exchange, house (a regime by name or
        "path/to/file.py:name", relative to the policy file), minimum_equity and call_profile.

        Raises
        ------
        ParameterError : the file is not TOML, or names what is not there.
        """
        source = Path(path)
        try:
            table = _PolicyFile.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            problem = f"{path}: {error}"
            raise ParameterError(problem) from error
        except ValidationError as error:
            problem = f"{path}: {faults(error)}"
            raise ParameterError(problem) from error
        known: dict[str, Regime] = {}

        def regime(name: str | None) -> Regime | None:
            if name is None:
                return None
            if name not in known:
                known[name] = load_regime(name, source.parent)
            return known[name]

        return cls(
            {
                name: Program(regime(row.exchange), regime(row.house), row.minimum_equity, row.call_profile)
                for name, row in table.programs.items()
            }
        )


class _ProgramRow(BaseModel):
    model_config = ConfigDict(extra="forbid")

    exchange: str | None = None
    house: str | None = None
    minimum_equity: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    call_profile: Literal["eod_batch", "intraday_with_approval", "automatic"] = "eod_batch"


class _PolicyFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    programs: dict[str, _ProgramRow] = Field(min_length=1)


def load_regime(name: str, folder: str | Path = ".") -> Regime:
    """A regime by name ("tims", "house", ...) or from a file of one's own ("path/to/file.py:name").

    The file is Python and is run. ``name`` in it is a Regime or a function without arguments that makes one.

    Raises
    ------
    ParameterError : no such name, file or regime.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]()
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

"""The numbers of strategy-based margin, from a parameter file to exact whole numbers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from shockgrid.errors import ParameterError
from shockgrid.regimes.parameter_files import Count, Number, ParameterFile, load

Variant = Literal["cboe_manual", "ib"]

PARAMETERS: dict[Variant, str] = {"cboe_manual": "regt-cboe-2021-11-30.toml", "ib": "regt-ib-2026-11-20.toml"}

NAMES: dict[Variant, str] = {"cboe_manual": "regt", "ib": "regt-ib"}


class RegtParameters(ParameterFile):
    """The numbers of ``regt``; the files say what each is."""

    variant: Variant
    stock_initial: Number
    stock_maintenance: Number
    short_stock_maintenance: Number
    short_stock_floor: Number
    cheap_stock: Number
    cheap_stock_maintenance: Number
    cheap_stock_floor: Number
    boxed_stock: Number
    naked: Number
    naked_broad: Number
    naked_minimum: Number
    naked_floor: Number
    hedged_strike: Number
    long_dated_rate: Number
    long_dated_months: Count
    european_box: Number
    covered_call_premium: Number
    minimum_equity: Number


@dataclass(frozen=True)
class RegtRules:
    """The numbers by name, decimals and dollars; see the parameter file for source and confidence.

    ``variant`` chooses between two forms of a rule where firms differ: of covered calls, conversions,
    reversals and collars (``templates``).
    """

    variant: Variant
    stock_initial: float
    stock_maintenance: float
    short_stock_maintenance: float
    short_stock_floor: float
    cheap_stock: float
    cheap_stock_maintenance: float
    cheap_stock_floor: float
    boxed_stock: float
    naked: float
    naked_broad: float
    naked_minimum: float
    naked_floor: float
    hedged_strike: float
    long_dated_rate: float
    long_dated_months: int
    european_box: float
    covered_call_premium: float
    minimum_equity: float
    parameters: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """As it is asked for by name: regt or regt-ib."""
        return NAMES[self.variant]

    def fingerprint(self) -> str:
        """SHA-256 of name and parameters."""
        text = json.dumps([self.name, self.parameters], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def regt_rules(variant: Variant = "cboe_manual", parameters: str | Path | None = None) -> RegtRules:
    """The rules as a value.

    Parameters
    ----------
    variant : "cboe_manual", the Cboe Margin Manual; or "ib", as Interactive Brokers is believed to charge.
    parameters : path of a TOML file like regt-cboe-2021-11-30.toml, to replace its numbers and variant.

    Raises
    ------
    ParameterError : no such variant, or the file does not hold what it should; names the path inside it.
    """
    if variant not in PARAMETERS:
        problem = f"{variant}: expected one of {', '.join(PARAMETERS)}"
        raise ParameterError(problem)
    read = load(RegtParameters, parameters, PARAMETERS[variant])
    numbers = {
        name: getattr(read, name).value
        for name in RegtParameters.model_fields
        if name not in (*ParameterFile.model_fields, "variant")
    }
    return RegtRules(variant=read.variant, **numbers, parameters=read.model_dump(mode="json"))

"""Margin regimes, each a short composition of the vocabulary in ``requirement``."""

from shockgrid.regimes.deribit import deribit
from shockgrid.regimes.derive import derive
from shockgrid.regimes.historical import historical
from shockgrid.regimes.house import house
from shockgrid.regimes.house_rules import house_rules
from shockgrid.regimes.imported import imported
from shockgrid.regimes.policy import Policy, load_regime
from shockgrid.regimes.span import span
from shockgrid.regimes.tims import tims

__all__ = [
    "Policy",
    "deribit",
    "derive",
    "historical",
    "house",
    "house_rules",
    "imported",
    "load_regime",
    "span",
    "tims",
]

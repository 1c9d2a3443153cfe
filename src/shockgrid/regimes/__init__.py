"""Margin regimes, each a short composition of the vocabulary in ``requirement``."""

from shockgrid.regimes.deribit import deribit
from shockgrid.regimes.derive import derive
from shockgrid.regimes.house import house
from shockgrid.regimes.policy import Policy, load_regime
from shockgrid.regimes.span import span
from shockgrid.regimes.tims import tims

__all__ = ["Policy", "deribit", "derive", "house", "load_regime", "span", "tims"]

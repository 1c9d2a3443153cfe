"""Margin regimes, each a short composition of the vocabulary in ``requirement``."""

from shockgrid.regimes.house import house
from shockgrid.regimes.policy import Policy, load_regime
from shockgrid.regimes.tims import tims

__all__ = ["Policy", "house", "load_regime", "tims"]

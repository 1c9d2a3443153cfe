"""Regimes side by side over one book, and what a change of regime does to it."""

from shockgrid.comparison.compare import Comparison, compare
from shockgrid.comparison.impact import Impact, impact

__all__ = ["Comparison", "Impact", "compare", "impact"]

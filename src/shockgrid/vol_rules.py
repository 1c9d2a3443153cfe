"""Vol rules beyond one shock for all: by time to expiry with two powers, and rotations of the smile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from shockgrid.arrays import Floats

DAYS_PER_YEAR = 365.0
NARROWEST = 1e-12  #: a width of nothing reaches the cap at once, without a division by zero
REFERENCE_DAYS = 30.0  #: the time to expiry at which a vol shock counts once


class Terms(Protocol):
    """What a vol rule sees of n options: the columns of ``Series`` with these names."""

    @property
    def spots(self) -> Floats:
        """[n] current spot."""

    @property
    def slopes(self) -> Floats:
        """[n] forward per unit of spot."""

    @property
    def intercepts(self) -> Floats:
        """[n] fixed part of the forward."""

    @property
    def strikes(self) -> Floats:
        """[n], > 0 for options."""

    @property
    def years(self) -> Floats:
        """[n] ACT/365F to expiry."""

    @property
    def vols(self) -> Floats:
        """[n] decimals."""


class VolRule(Protocol):
    """(live options, shock) -> their vols [n] under that vol shock; a frozen value, so that it hashes.

    Each vol depends on its own option alone: which options are handed over together is not fixed.
    """

    def __call__(self, terms: Terms, shock: float) -> Floats:
        """The shocked vols."""

    def __hash__(self) -> int:
        """Equal rules are priced together."""


VolRules: TypeAlias = tuple[VolRule | None, ...]


@dataclass(frozen=True)
class TermScaled:
    """vol x (1 + shock x (30 / max(days, floor_days)) ** power), clipped to [floor, cap].

    ``short_power`` holds up to 30 days, ``long_power`` beyond. Source: the vol shocks of Deribit, Derive and
    Paradex, which share this form.
    """

    short_power: float
    long_power: float
    floor_days: float = 1.0
    floor: float = 0.0
    cap: float = np.inf

    def __call__(self, terms: Terms, shock: float) -> Floats:
        """The shocked vols, [n]."""
        days = terms.years * DAYS_PER_YEAR
        powers = np.where(days <= REFERENCE_DAYS, self.short_power, self.long_power)
        scale = (REFERENCE_DAYS / np.maximum(days, self.floor_days)) ** powers
        return np.clip(terms.vols * (1.0 + shock * scale), self.floor, self.cap)


@dataclass(frozen=True)
class Rotated:
    """vol x max(1 + m, 0), where m grows with the log-moneyness k = ln(strike / forward) up to a cap.

    With t the years to expiry, cap = shock + cap_slope x sqrt(t), width = max(least_width, width_factor x
    sqrt(t) x (vol_level + vol_slope x sqrt(t))), m = sign(k) x min(|k| x cap / width, cap). One side of the
    smile rises and the other falls; ``wings`` takes |k| for k, and both rise. Source: derivexyz/v2-core,
    PMRMLib_2 (skew shocks LINEAR and ABS).
    """

    wings: bool
    cap_slope: float
    least_width: float
    width_factor: float
    vol_level: float
    vol_slope: float

    def __call__(self, terms: Terms, shock: float) -> Floats:
        """The rotated vols, [n]."""
        root = np.sqrt(terms.years)
        cap = shock + self.cap_slope * root
        width = root * self.width_factor * (self.vol_level + root * self.vol_slope)
        forwards = terms.slopes * terms.spots + terms.intercepts
        defined = (terms.strikes > 0.0) & (forwards > 0.0)
        ratios = np.where(defined, terms.strikes, 1.0) / np.where(defined, forwards, 1.0)
        moneyness = np.abs(np.log(ratios)) if self.wings else np.log(ratios)
        width = np.maximum(width, max(self.least_width, NARROWEST))
        size = np.minimum(np.abs(moneyness) * cap / width, cap)
        moves = np.where(moneyness >= 0.0, size, -size)
        return terms.vols * np.maximum(1.0 + moves, 0.0)

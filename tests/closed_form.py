"""Black and Scholes in three lines, for figures worked by hand."""

from __future__ import annotations

from math import exp, log, sqrt

from scipy.special import ndtr


def call(spot: float, strike: float, vol: float, days: float, rate: float = 0.05) -> float:
    deviation = vol * sqrt(days / 365)
    upper = (log(spot / strike) + rate * days / 365) / deviation + deviation / 2
    return float(spot * ndtr(upper) - strike * exp(-rate * days / 365) * ndtr(upper - deviation))

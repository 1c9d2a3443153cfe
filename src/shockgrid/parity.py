"""Forwards and discount factors of European options from put-call parity of their own quotes."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask, Texts

FEWEST_PAIRS = 3  #: two pairs fit any line
TUKEY_REACH = 4.685  #: residuals beyond it, in scales, count nothing; 95 % efficient under normal errors
MAD_TO_SCALE = 1.4826  #: a normal error's standard deviation over its median absolute size
SMALLEST_SHARE = 0.01  #: a spread below this part of the expiry's median counts no more than that
SMALLEST_SPREAD, SMALLEST_SCALE = 1e-9, 1e-6  #: of the strike, and of a spread: below them is rounding
DISCOUNT_FACTORS = (0.5, 1.05)  #: outside, what was fitted is no discount factor
TIGHTEST = 0.25  #: share of the pairs, those with the narrowest quotes, from which one fit starts
MOST_ROUNDS, FORGIVING_ROUNDS = 100, 4
STEP_TOLERANCE = 1e-13


@dataclass(frozen=True)
class ParityFits:
    """One row per expiry, in the order of the codes given: arrays [G]."""

    forwards: Floats  #: price per unit; NaN where there is a reason
    discount_factors: Floats  #: NaN where there is a reason
    errors: Floats  #: standard error of the discount factor; NaN where there is a reason
    pairs: NDArray[np.int64]  #: strikes whose call and put are both quoted on two sides
    used: NDArray[np.int64]  #: pairs with a weight above zero at the end
    residuals: Floats  #: median absolute residual of the pairs used, price per unit; NaN beside a reason
    within: Floats  #: share of all pairs that the line meets inside their quotes; NaN beside a reason
    reasons: Texts  #: "", ``too_few_pairs`` or ``no_discount_factor``

    def frame(self) -> pd.DataFrame:
        """The columns as a DataFrame."""
        return pd.DataFrame({column.name: getattr(self, column.name) for column in fields(self)})


def fit_parity(
    expiries: Codes, strikes: Floats, is_call: Mask, bids: Floats, asks: Floats, count: int
) -> ParityFits:
    """The line C - P = D (F - K) through the quotes of every expiry at once.

    Parameters
    ----------
    expiries : code in 0 .. count - 1 of what every option [n] settles in: an expiry instant of one
        underlying. AM and PM series of one date have different forwards, so different codes.
    strikes, bids, asks : price per unit [n]; a missing quote is NaN or 0.
    is_call : [n]. An option that stands there twice is taken the first time.
    count : number of expiries G.

    Returns
    -------
    ParityFits [G]. An expiry has a reason instead of numbers where fewer than ``FEWEST_PAIRS`` strikes
    have both sides of both options quoted (``too_few_pairs``), or where the line's slope is outside
    ``DISCOUNT_FACTORS`` or its forward not above zero (``no_discount_factor``).

    Notes
    -----
    A difference of mids is off by up to half of the two spreads, so a pair starts at a weight of
    1 / spread^2, which favours strikes near the money. Iteratively reweighted least squares with Tukey's
    biweight then drops stale pairs: P. Huber and E. Ronchetti, "Robust Statistics", 2nd ed. (2009),
    sections 4.8 and 7.8. The scale of the residuals is their weighted median, so that a majority of
    placeholder quotes, hundreds of ticks wide, does not decide what is usual. Of three starts the one that
    ends with the smallest scale is kept.
    """
    groups, at, values, spreads = _pairs(expiries, strikes, is_call, bids, asks)
    pairs = np.bincount(groups, minlength=count)
    enough = pairs >= FEWEST_PAIRS
    kept = enough[groups]
    groups, at, values, spreads = groups[kept], at[kept], values[kept], spreads[kept]
    same = np.ones(len(groups))
    floors = SMALLEST_SHARE * _medians(groups, spreads, same, count)[groups]
    sizes = np.maximum(spreads, np.maximum(floors, SMALLEST_SPREAD * at))
    centres = _medians(groups, at, same, count)
    lines = _robust_lines(groups, at - centres[groups], values, sizes, count)
    intercepts, slopes, errors, weights = lines
    factors = -slopes
    with np.errstate(divide="ignore", invalid="ignore"):
        forwards = intercepts / factors + centres
    low, high = DISCOUNT_FACTORS
    sound = enough & (factors >= low) & (factors <= high) & (forwards > 0.0)
    gaps = np.abs(values - intercepts[groups] - slopes[groups] * (at - centres[groups]))
    met = np.bincount(groups, gaps <= 0.5 * spreads + SMALLEST_SPREAD * at, count)
    reasons = np.where(enough, np.where(sound, "", "no_discount_factor"), "too_few_pairs").astype(object)

    def shown(numbers: Floats) -> Floats:
        return np.where(sound, numbers, np.nan)

    return ParityFits(
        forwards=shown(forwards),
        discount_factors=shown(factors),
        errors=shown(errors),
        pairs=pairs.astype(np.int64),
        used=np.bincount(groups, weights > 0.0, count).astype(np.int64),
        residuals=shown(_medians(groups, gaps, (weights > 0.0).astype(np.float64), count)),
        within=shown(met / np.maximum(pairs, 1)),
        reasons=reasons,
    )


def _pairs(
    expiries: Codes, strikes: Floats, is_call: Mask, bids: Floats, asks: Floats
) -> tuple[Codes, Floats, Floats, Floats]:
    """Expiry, strike, call mid less put mid, sum of both spreads of every pair; by expiry and strike."""
    quotes = pd.DataFrame({"expiry": expiries, "strike": strikes, "bid": bids, "ask": asks})
    two_sided = (bids > 0.0) & (asks >= bids)
    keys = ["expiry", "strike"]
    calls = quotes[two_sided & is_call].drop_duplicates(keys)
    puts = quotes[two_sided & ~is_call].drop_duplicates(keys)
    both = calls.merge(puts, on=keys, suffixes=("_call", "_put")).sort_values(keys)
    ask_call, bid_call, ask_put, bid_put = (
        both[name].to_numpy(np.float64) for name in ("ask_call", "bid_call", "ask_put", "bid_put")
    )
    values = 0.5 * (bid_call + ask_call) - 0.5 * (bid_put + ask_put)
    spreads = (ask_call - bid_call) + (ask_put - bid_put)
    return both["expiry"].to_numpy(np.intp), both["strike"].to_numpy(np.float64), values, spreads


def _medians(groups: Codes, values: Floats, weights: Floats, count: int, share: float = 0.5) -> Floats:
    """The smallest value of every group [G] that has ``share`` of its weight up to it; NaN without weight."""
    order = np.lexsort((values, groups))
    group, running = groups[order], np.cumsum(weights[order])
    totals = np.bincount(groups, weights, count)
    before = np.concatenate([[0.0], np.cumsum(totals)])[:-1]
    reached = np.flatnonzero((running - before[group] >= share * totals[group]) & (totals[group] > 0.0))
    medians = np.full(count, np.nan)
    first = reached[::-1]  # the last to be written is the first to reach the share
    medians[group[first]] = values[order][first]
    return medians


def _robust_lines(
    groups: Codes, at: Floats, values: Floats, sizes: Floats, count: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Intercept, slope and error of the slope per group [G], and the last weight of every pair."""
    plain = 1.0 / sizes**2
    tight = sizes <= _medians(groups, sizes, np.ones(len(sizes)), count, TIGHTEST)[groups]
    best: tuple[Floats, ...] = ()
    for start in (plain, plain**2, plain * tight):
        found = _descended(groups, at, values, sizes, start, count)
        if best:
            better = ~(found[0] >= best[0])
            pairs = (*[better] * 4, better[groups])
            best = tuple(np.where(take, new, old) for take, new, old in zip(pairs, found, best, strict=True))
        else:
            best = found
    _, intercepts, slopes, errors, weights = best
    squares = weights * (values - intercepts[groups] - slopes[groups] * at) ** 2
    used = np.bincount(groups, weights > 0.0, count)
    variances = np.bincount(groups, squares, count) / np.maximum(used - 2, 1)
    return intercepts, slopes, errors * np.sqrt(variances), weights


def _descended(
    groups: Codes, at: Floats, values: Floats, sizes: Floats, start: Floats, count: int
) -> tuple[Floats, ...]:
    """Reweighted from one start: scale, intercept, slope and its unit error per group, weight per pair."""
    plain = 1.0 / sizes**2
    weights, scales = start, np.full(count, np.inf)
    intercepts, slopes, errors = _lines(groups, at, values, weights, count)
    for round_ in range(MOST_ROUNDS):
        standard = np.abs(values - intercepts[groups] - slopes[groups] * at) / sizes
        scales = np.maximum(MAD_TO_SCALE * _medians(groups, standard, plain, count), SMALLEST_SCALE)
        # the first rounds forgive more, so that a poor start is not taken for the truth
        reach = TUKEY_REACH * max(1, FORGIVING_ROUNDS - round_) * scales
        weights = plain * (1.0 - np.minimum(standard / reach[groups], 1.0) ** 2) ** 2
        before = slopes
        intercepts, slopes, errors = _lines(groups, at, values, weights, count)
        if round_ >= FORGIVING_ROUNDS and not (np.abs(slopes - before) > STEP_TOLERANCE).any():
            break
    sound = (-slopes >= DISCOUNT_FACTORS[0]) & (-slopes <= DISCOUNT_FACTORS[1])
    return np.where(sound, scales, np.inf), intercepts, slopes, errors, weights


def _lines(
    groups: Codes, at: Floats, values: Floats, weights: Floats, count: int
) -> tuple[Floats, Floats, Floats]:
    """Weighted least squares per group: intercept, slope, and the slope's error for a unit of variance."""

    def total(numbers: Floats) -> Floats:
        return np.asarray(np.bincount(groups, numbers, count), np.float64)

    with np.errstate(divide="ignore", invalid="ignore"):
        mass = total(weights)
        mean_at, mean_value = total(weights * at) / mass, total(weights * values) / mass
        away = at - mean_at[groups]
        spread = total(weights * away**2)
        slopes = total(weights * away * (values - mean_value[groups])) / spread
        errors = np.where(spread > 0.0, 1.0 / np.sqrt(spread), np.nan)
        return mean_value - slopes * mean_at, slopes, errors

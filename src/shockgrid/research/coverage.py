"""Counting statistics of a back-test, all exact or as published; nothing here knows a margin rule."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.errors import InputError

SIZE: Final = 0.05  #: of every test
CHI_SQUARE_1 = 3.841458820694124  #: 95 % point, one degree of freedom
#: where yellow and red begin: cumulative probabilities of 95 % and 99.99 % (Basel Committee, "Supervisory
#: framework for the use of 'backtesting' ...", January 1996, table 2), at 5 and 10 exceptions of 250 at 1 %
GREEN, YELLOW = 0.95, 0.9999
BASEL_DAYS: Final = 250


def fails_from(days: int, rate: float = 0.01, size: float = SIZE) -> int:
    """Fewest exceptions that the exact one-sided binomial test of size ``size`` calls too many.

    >>> [fails_from(days) for days in (250, 500, 1000, 2500)]
    [6, 10, 16, 34]
    """
    from scipy.stats import binom

    return int(binom.isf(size, days, rate)) + 1


def one_sided_p(exceptions: int, days: int, rate: float = 0.01) -> float:
    """Probability of so many exceptions or more at the nominal rate."""
    from scipy.stats import binom

    return float(binom.sf(exceptions - 1, days, rate))


def power(days: int, true_rate: float, rate: float = 0.01, size: float = SIZE) -> float:
    """Probability that the one-sided test fails margin whose exceptions come at ``true_rate``."""
    return one_sided_p(fails_from(days, rate, size), days, true_rate)


def kupiec_statistic(exceptions: Any, days: int, rate: float = 0.01) -> Floats:
    """-2 ln of the likelihood ratio of the nominal rate to the observed one; chi-square, 1 degree.

    Source: P. Kupiec, "Techniques for verifying the accuracy of risk measurement models", J. Derivatives 3
    (1995).
    """
    from scipy.special import xlogy

    count = np.asarray(exceptions, np.float64)
    seen = count / days
    under = xlogy(count, rate) + xlogy(days - count, 1.0 - rate)
    free = xlogy(count, seen) + xlogy(days - count, 1.0 - seen)
    return np.asarray(2.0 * (free - under) + 0.0)


class Kupiec(NamedTuple):
    """The two-sided test at 5 %: what it accepts, and how often it is wrong."""

    lowest: int  #: fewest exceptions accepted
    highest: int  #: most exceptions accepted
    size: float  #: true probability of rejecting margin of the nominal rate
    days: int

    def power(self, true_rate: float) -> float:
        """Probability of rejecting margin whose exceptions come at ``true_rate``."""
        from scipy.stats import binom

        inside = binom.cdf(self.highest, self.days, true_rate) - binom.cdf(
            self.lowest - 1, self.days, true_rate
        )
        return float(1.0 - inside)


def kupiec(days: int, rate: float = 0.01) -> Kupiec:
    """Kupiec's proportion-of-failures test as it really is at this number of days.

    >>> kupiec(250)[:2], round(kupiec(250).size, 3)
    ((1, 6), 0.095)
    """
    counts = np.arange(days + 1)
    accepted = counts[kupiec_statistic(counts, days, rate) <= CHI_SQUARE_1]
    found = Kupiec(int(accepted[0]), int(accepted[-1]), 0.0, days)
    return found._replace(size=found.power(rate))


def independence_statistic(exceptions: Mask) -> float:
    """-2 ln of the likelihood ratio of independence to a first-order Markov chain; chi-square, 1 degree.

    Source: P. Christoffersen, "Evaluating interval forecasts", International Economic Review 39 (1998).
    """
    from scipy.special import xlogy

    before, after = exceptions[:-1], exceptions[1:]
    counts = np.zeros((2, 2))
    np.add.at(counts, (before.astype(np.intp), after.astype(np.intp)), 1.0)
    rows = counts.sum(axis=1, keepdims=True)
    chain = xlogy(counts, counts / np.where(rows > 0.0, rows, 1.0)).sum()
    both = counts.sum(axis=0)
    free = xlogy(both, both / max(both.sum(), 1.0)).sum()
    return float(max(2.0 * (chain - free), 0.0))


def chi_square_p(statistic: float, degrees: int) -> float:
    """Probability of a larger chi-square value."""
    from scipy.stats import chi2

    return float(chi2.sf(statistic, degrees))


def basel_zone(exceptions: int, days: int = BASEL_DAYS, rate: float = 0.01) -> str:
    """ "green", "yellow" or "red" by the probability of so many exceptions or fewer.

    >>> [basel_zone(count) for count in (4, 5, 9, 10)]
    ['green', 'yellow', 'yellow', 'red']
    """
    from scipy.stats import binom

    reached = binom.cdf(exceptions, days, rate)
    return "green" if reached < GREEN else "yellow" if reached < YELLOW else "red"


def block_bootstrap(exceptions: Mask, block: int, draws: int, seed: int) -> Floats:
    """Exception rates [draws] of tables [days, accounts] resampled by circular blocks of whole days.

    Accounts on one day are not independent, so days are drawn, never single cells. Source: D. Politis, J.
    Romano, "A circular block-resampling procedure for stationary data", in Exploring the Limits of Bootstrap
    (Wiley 1992).

    Raises InputError for a block that is not between 1 and the number of days.
    """
    days = len(exceptions)
    if not 1 <= block <= days:
        problem = f"expected a block of 1 to {days} days"
        raise InputError(problem, column="block", value=block)
    rng = np.random.default_rng(seed)
    counts = exceptions.mean(axis=1)
    starts: Codes = rng.integers(0, days, (draws, -(-days // block)))
    rows = (starts[:, :, None] + np.arange(block)) % days
    return np.asarray(counts[rows.reshape(draws, -1)[:, :days]].mean(axis=1))

"""Tests of coverage: the published tables, sums by hand, simulated books."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import shockgrid as sg
from shockgrid.research.coverage import (
    basel_zone,
    block_bootstrap,
    chi_square_p,
    fails_from,
    independence_statistic,
    kupiec,
    kupiec_statistic,
    power,
)

#: days, rate, accepted from, to, true size, power at 2 % (7.5 % for 5 %), at 3 %, one-sided fails from; as
#: computed independently when the back-test was designed, printed to these digits
PRINTED = [
    (250, 0.01, 1, 6, 0.095, 0.24, 0.63, 6),
    (500, 0.01, 2, 9, 0.071, 0.54, 0.93, 10),
    (1000, 0.01, 5, 16, 0.055, 0.78, 1.00, 16),
    (2500, 0.01, 16, 35, 0.044, 0.98, 1.00, 34),
    (250, 0.05, 7, 19, 0.059, 0.42, None, 19),
]
DIGIT = 0.005


@pytest.mark.parametrize(("days", "rate", "low", "high", "size", "twice", "thrice", "fails"), PRINTED)
def test_the_printed_table(
    days: int, rate: float, low: int, high: int, size: float, twice: float, thrice: float | None, fails: int
) -> None:
    found = kupiec(days, rate)
    assert (found.lowest, found.highest) == (low, high)
    assert found.size == pytest.approx(size, abs=0.0005)
    assert found.power(0.02 if rate == 0.01 else 0.075) == pytest.approx(twice, abs=DIGIT)
    if thrice is not None:
        assert found.power(0.03) == pytest.approx(thrice, abs=DIGIT)
    assert fails_from(days, rate) == fails
    # the definition, by summation
    tail = [sum(binom.pmf(range(count, days + 1), days, rate)) for count in (fails - 1, fails)]
    assert tail[0] > 0.05 >= tail[1]


def test_no_exceptions_fail_kupiec_but_not_the_verdict() -> None:
    """The two-sided test calls 0 exceptions of 250 a failure (statistic 2 x 250 x ln(1 / 0.99) = 5.03)."""
    assert float(kupiec_statistic(0, 250)) == pytest.approx(500 * np.log(1 / 0.99))
    assert chi_square_p(float(kupiec_statistic(0, 250)), 1) < 0.05
    days = pd.date_range("2020-01-01", periods=250)
    found = sg.backtest(pd.DataFrame({"safe": 100.0}, index=days), np.zeros((250, 1)))
    assert found.accounts.loc["safe", "verdict"] == "pass"
    assert found.accounts.loc["safe", "kupiec_p"] < 0.05


def test_kupiec_by_hand() -> None:
    """7 of 250 at 1 %: 2 ln((0.028^7 x 0.972^243) / (0.01^7 x 0.99^243)) = 5.497."""
    by_hand = 2 * (7 * np.log(0.028 / 0.01) + 243 * np.log(0.972 / 0.99))
    assert float(kupiec_statistic(7, 250)) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(5.497, abs=0.0005)


def test_christoffersen_by_hand() -> None:
    """0 1 1 0 0 0 1 0: of the four zeros followed by something two lead to 1, of three ones one does."""
    marks = np.array([0, 1, 1, 0, 0, 0, 1, 0], bool)
    free = 2 * np.log(0.5) + 2 * np.log(0.5) + np.log(1 / 3) + 2 * np.log(2 / 3)
    same = 3 * np.log(3 / 7) + 4 * np.log(4 / 7)
    assert independence_statistic(marks) == pytest.approx(2 * (free - same))
    assert independence_statistic(np.zeros(9, bool)) == 0.0


def test_basel_zones() -> None:
    zones = [basel_zone(count) for count in (0, 4, 5, 9, 10)]
    assert zones == ["green", "green", "yellow", "yellow", "red"]


def test_the_verdict_on_simulated_books() -> None:
    """1,000 books of right margin: at most 5 % fail. With true rate 3 % and 500 days: at least 90 % do."""
    rng = np.random.default_rng(7)
    for days in (250, 500, 1000):
        assert (rng.binomial(days, 0.01, 1000) >= fails_from(days)).mean() <= 0.05 + 0.02
        assert binom.sf(fails_from(days) - 1, days, 0.01) <= 0.05
    gains = rng.standard_normal((500, 1000))
    right, wrong = (
        sg.backtest(pd.DataFrame(np.full(gains.shape, quantile)), gains, draws=10).accounts["verdict"]
        for quantile in (2.3263478740408408, 1.8807936081512509)  # of a normal: 1 % and 3 %
    )
    assert (right == "pass").mean() >= 0.95
    assert (wrong == "fail").mean() >= 0.90
    assert power(500, 0.03) == pytest.approx(0.93, abs=DIGIT)


@pytest.mark.parametrize(("days", "share"), [(500, 0.10), (2500, 0.48)])
def test_what_christoffersen_sees_of_clusters(days: int, share: float) -> None:
    """Constant margin on GARCH(0.10, 0.88) with t5 shocks, 400 runs: printed shares, 3.5 standard errors."""
    rng = np.random.default_rng(3)
    shocks = rng.standard_t(5, (days + 500, 400)) * np.sqrt(3 / 5)
    variances, returns = np.ones(400), np.empty(shocks.shape)
    for day in range(len(shocks)):
        returns[day] = np.sqrt(variances) * shocks[day]
        variances = 0.02 + 0.10 * returns[day] ** 2 + 0.88 * variances
    kept = returns[500:]
    exceptions = kept < np.quantile(kept, 0.01)
    seen = np.mean([chi_square_p(independence_statistic(run), 1) < 0.05 for run in exceptions.T])
    assert seen == pytest.approx(share, abs=3.5 * np.sqrt(share * (1 - share) / 400))


def test_days_are_drawn_not_cells() -> None:
    """100 accounts that are one: the interval is that of one account, not a tenth of it."""
    rng = np.random.default_rng(5)
    one = rng.random(1000) < 0.02
    alike = block_bootstrap(np.tile(one[:, None], 100), 1, 2000, 1)
    single = block_bootstrap(one[:, None], 1, 2000, 1)
    assert alike.std() == pytest.approx(single.std(), rel=1e-9)
    assert single.std() == pytest.approx(np.sqrt(one.mean() * (1 - one.mean()) / 1000), rel=0.1)
    with pytest.raises(sg.InputError, match="block"):
        block_bootstrap(one[:, None], 1001, 10, 1)

"""American values of the NumPy backend where earlier tables went wrong."""

from dataclasses import replace

import numpy as np
import pytest
from test_numpy_american import ANYWHERE, BACKEND, USUAL, drawn, miss, options, truth


def test_a_put_on_what_earns_is_never_worth_more_than_its_strike():
    """Below the boundary, where its European value rises faster than exercise: at a yield under 0."""
    spots = 100.0 * np.array([0.0, 1e-9, 0.01, 0.1, 0.3, 0.5, 0.6])
    for years, vol, rate, dividend_yield in ((0.09, 0.15, 0.009, -0.005), (11.9, 0.22, 0.008, -0.03)):
        series = options(spots, 267.0, years, vol, rate, dividend_yield, False)
        assert np.array_equal(BACKEND.base(series)[:5], 267.0 - spots[:5])
        assert np.abs(BACKEND.base(series) - truth(series)).max() < USUAL * 100.0
        call = options(267.0, np.maximum(spots, 0.01), years, vol, dividend_yield, rate, True)
        assert np.abs(BACKEND.base(call) - truth(call)).max() < USUAL * 267.0


@pytest.mark.parametrize("is_call", [False, True])
def test_a_spot_that_falls_fast_to_the_boundary(is_call):
    """Vols of 0.5-10 % and a yield above the rate: exercise is reached from far more than six deviations."""
    series = drawn(300, seed=17, vols=(0.005, 0.1), years=(1.0, 10.0), rates=(0.02, 0.1), yields=(0.1, 0.25))
    if is_call:
        series = options(
            series.spots, 100.0, series.years, series.vols, series.yields, series.rates, np.ones(300, bool)
        )
    else:
        series = replace(series, is_call=np.zeros(300, np.bool_))
    assert miss(series).max() < ANYWHERE


def test_a_call_on_nothing_shortly_before_an_ex_date():
    """Warnings are errors: no infinity may enter the crossing of the ex-date."""
    series = options(
        [0.0, 100.0], [90.0, 110.0], 0.5, 0.3, 0.05, 0.0, True, np.full((2, 1), 0.005), np.ones((2, 1))
    )
    values = BACKEND.base(series)
    assert values[0] == 0.0 < values[1]

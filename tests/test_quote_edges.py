"""Quotes at expiry, and the largest gap between a price and its spot."""

from __future__ import annotations

import numpy as np
import pytest
from books import book, market, option
from test_quote_times import CALLS, HOUR, NOW, RATE, before, price, told, vols

import shockgrid as sg
from shockgrid.quote_times import LARGEST_GAP, LARGEST_VOL_ERROR


def test_at_expiry_no_vol_is_needed() -> None:
    """Worth its intrinsic value of 5, whatever the times of its price and its spot."""
    spots = {"A": {"spot": 100.0, "spot_utc": NOW}}
    rows = [option("C95", "A", "C", 95.0, 0), CALLS[1]]
    for ago, codes in ((59, set()), (61, {("quotes", "C95", "W_STALE")})):
        quotes = [
            {"symbol": "C95", "mark": 7.0, "quote_utc": before(minutes=ago)},
            {"symbol": "C100", "vol": 0.2},
        ]
        priced = market(rows, spots, quotes, max_age=HOUR)
        result = sg.margin(book([("one", "C95", 1)]), priced, sg.tims())
        assert set(told(result)) == codes
        assert result.accounts["equity_at_model"].item() == 500.0


@pytest.mark.parametrize("days", [2.0, 30.0, 365.0])
def test_the_largest_gap_is_worth_the_error_it_is_named_for(days: float) -> None:
    """A spot one standard deviation of the gap away moves the implied vol at the money by 10 %."""
    vol, strike = 0.2, 100.0 * np.exp(RATE * days / 365.0)
    step = vol * np.sqrt(LARGEST_GAP * days / 365.0)
    mark = price(100.0, strike, days, vol)
    found = {}
    for name, spot in (("down", 100.0 * np.exp(-step)), ("up", 100.0 * np.exp(step))):
        rows = [option("S", "A", "C", strike, days)]
        found[name] = vols(market(rows, {"A": spot}, [{"symbol": "S", "mark": mark}], rate=RATE))["S"]
    error = 0.5 * (found["down"] - found["up"]) / vol
    # the delta at the money is N(vol sqrt(T) / 2), 8 % above the half of the formula after a year
    assert error == pytest.approx(LARGEST_VOL_ERROR, rel=0.1)

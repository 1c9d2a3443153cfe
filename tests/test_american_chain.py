"""A real American chain on the eve of an ex-date: SPY on 14 September 2023, about 1.58 the next morning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chains import RATE

import shockgrid as sg
from shockgrid.backends import NumpyBackend
from shockgrid.calibration import calibrated
from shockgrid.io.vendors import convert
from shockgrid.market_series import series
from shockgrid.pricing.certain import certain_values

DIVIDEND = 1.58
#: Of the spot: the bar of the design for values with cash dividends.
ON_GRIDS = 5e-5
#: Of the spot: what implied vols are held to, and the most that two tables of one price may differ by.
REPRICING, SEAM = 1e-10, 1e-5


@pytest.fixture(scope="module")
def eve(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> sg.Market:
    """SPY with its dividend, every vol its quote's own, implied or filled."""
    paid = tmp_path_factory.mktemp("spy") / "dividends.csv"
    frame = pd.DataFrame({"underlying": ["SPY"], "ex_date": ["2023-09-15"], "amount": [DIVIDEND]})
    frame.to_csv(paid, index=False)
    file = shared / "data" / "cboe-delayed-quotes" / "spy_quotedata_2023-09-14.csv"
    found = convert("cboe", [file], rate=RATE, dividends=paid)
    tables = dict(found.tables)
    first = [tables.pop(name) for name in ("instruments", "underlyings", "quotes", "curve")]
    market = sg.Market.from_frames(*first, dividends=tables["dividends"], as_of=found.as_of)
    return calibrated(market, NumpyBackend())


def test_deep_calls_are_worth_exercise_before_the_ex_date_and_flagged(eve: sg.Market) -> None:
    table, rows = eve.instruments, np.flatnonzero(eve.instruments.is_option)
    options = series(eve, rows)
    deep = options.is_call & (options.strikes < 0.9 * options.spots) & (options.years > 0.0)
    deep &= options.years < 60 / 365
    flags = eve.rejects[eve.rejects["code"] == "W_CLAMPED"]
    flagged = pd.Series(table.symbols[rows]).isin(flags["key"]).to_numpy() & deep
    assert flagged.sum() > 0.5 * deep.sum() > 100
    clamped = options.take(flagged)
    values, gains = NumpyBackend().base(clamped), clamped.spots - clamped.strikes
    interest = clamped.strikes * -np.expm1(-RATE * clamped.ex_years[:, 0])
    exercised = gains + interest  # the strike is paid on the ex-date's eve, not now
    assert (values >= gains).all()
    assert np.abs(values - exercised).max() < ON_GRIDS * clamped.spots[0]
    waiting = certain_values(
        clamped.spots - DIVIDEND,
        clamped.strikes,
        clamped.years,
        clamped.rates,
        clamped.yields,
        clamped.is_call,
        american=False,
    )
    late = clamped.years > 20 / 365
    assert late.any()
    assert (values - waiting)[late].min() > 0.3 * DIVIDEND, "the escrowed European value misses the exercise"


def test_prices_that_have_a_vol_are_given_back(eve: sg.Market) -> None:
    table = eve.instruments
    doubted = eve.rejects[eve.rejects["code"].isin(["W_CLAMPED", "W_FILLED"])]["key"]
    blank = ~np.isnan(table.marks) & table.is_option & ~pd.Series(table.symbols).isin(doubted).to_numpy()
    rows = np.flatnonzero(blank & (table.years > 0.0))[::5]
    options, marks = series(eve, rows), table.marks[rows]
    vols, reasons = NumpyBackend().implied(options, marks)
    solved = reasons == ""
    assert solved.mean() > 0.9
    again = NumpyBackend().base(replace(options.take(solved), vols=vols[solved]))
    assert (np.abs(again - marks[solved]) <= SEAM * options.spots[solved]).all()
    close = np.abs(again - marks[solved]) <= REPRICING * options.spots[solved]
    assert close.mean() > 0.99

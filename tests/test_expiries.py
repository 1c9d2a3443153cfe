"""Expiry instants against dates one can look up: holidays, early closes, daylight saving."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from shockgrid.expiries import expiry_instants, is_session, last_close, new_york


@pytest.mark.parametrize(
    ("date", "opens", "closes"),
    [
        ("2023-09-15", "2023-09-15T13:30", "2023-09-15T20:00"),
        ("2023-11-24", "2023-11-24T14:30", "2023-11-24T18:00"),  # the Friday after Thanksgiving, 13:00
        ("2019-04-19", "2019-04-18T13:30", "2019-04-18T20:00"),  # Good Friday falls to the Thursday
        ("2026-04-03", "2026-04-02T13:30", "2026-04-02T20:00"),  # Good Friday again
        ("2023-03-10", "2023-03-10T14:30", "2023-03-10T21:00"),  # standard time, and two days later
        ("2023-03-13", "2023-03-13T13:30", "2023-03-13T20:00"),  # daylight saving time
        ("2023-11-03", "2023-11-03T13:30", "2023-11-03T20:00"),
        ("2023-11-06", "2023-11-06T14:30", "2023-11-06T21:00"),
        ("2014-12-20", "2014-12-19T14:30", "2014-12-19T21:00"),  # a Saturday, as symbols were before 2015
        ("2025-01-09", "2025-01-08T14:30", "2025-01-08T21:00"),  # a day of mourning
    ],
)
def test_open_and_close(date: str, opens: str, closes: str) -> None:
    found = expiry_instants([date, date], [True, False])
    assert found.tolist() == np.array([opens, closes], "datetime64[ns]").tolist()


def test_what_the_calendar_does_not_know_is_nat() -> None:
    dates = np.array(["NaT", "1980-01-04", "2050-01-07", "2023-09-15"], "datetime64[D]")
    assert np.isnat(expiry_instants(dates, False)).tolist() == [True, True, True, False]
    assert last_close(pd.Timestamp("1980-01-04", tz="UTC")) is None
    assert len(expiry_instants(np.zeros(0, "datetime64[ns]"), True)) == 0


def test_one_instant_a_date_however_often_it_stands_there() -> None:
    dates = np.array(["2023-09-15", "2023-11-24"] * 3, "datetime64[ns]")
    morning = np.array([True, True, False, False, True, True])
    single = [expiry_instants([date], flag)[0] for date, flag in zip(dates, morning, strict=True)]
    assert (expiry_instants(dates, morning) == np.array(single)).all()


def test_the_last_close() -> None:
    sunday = pd.Timestamp("2023-08-20T22:42", tz="America/New_York")
    labor_day = pd.Timestamp("2023-09-04T14:56", tz="America/New_York")
    assert last_close(sunday) == new_york("2023-08-18")
    assert last_close(labor_day) == new_york("2023-09-01")
    assert last_close(new_york("2023-08-18")) == new_york("2023-08-18")
    assert last_close(new_york("2023-08-18", "15:59")) == new_york("2023-08-17")


def test_sessions() -> None:
    assert is_session(["2019-05-27", "2019-05-28", "2023-08-20"]).tolist() == [False, True, False]

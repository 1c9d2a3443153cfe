"""The usual tick, read without the door, says what the door says; what is not usual is left to the door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import AS_OF
from desk_world import QUOTED, SPOTS, priced
from hypothesis import given
from hypothesis import strategies as st
from small_desk import CALL, desk

import shockgrid as sg
from shockgrid.calibration import calibrated
from shockgrid.cells import instants
from shockgrid.desk import ticks
from shockgrid.desk.plain_ticks import Directory, plain_ticks

MARKET = calibrated(priced(), sg.get_backend("numpy"))
NUMBERS = st.floats(0.0, 200.0) | st.sampled_from([0.0, -1.0, np.nan, np.inf, 1e13, None, "7", True])
NAMES = st.sampled_from([*SPOTS, "nobody", " X", "", None, 7])
SYMBOLS = st.sampled_from([*QUOTED, "BTC-PERP", "XF", "X", "nobody", None])
MOMENTS = st.sampled_from(
    [
        AS_OF,
        AS_OF.to_pydatetime(),
        (AS_OF - pd.Timedelta(hours=1)).isoformat(),
        AS_OF - pd.Timedelta(seconds=1),
        AS_OF + pd.Timedelta(hours=1),
        pd.NaT,
        None,
        "",
        "soon",
        7,
    ]
)
SPOT_ROWS = st.fixed_dictionaries({"underlying": NAMES, "spot": NUMBERS}, optional={"quote_utc": MOMENTS})
QUOTE_ROWS = st.fixed_dictionaries(
    {"symbol": SYMBOLS},
    optional={**{name: NUMBERS for name in ("bid", "ask", "mark", "vol", "spot")}, "quote_utc": MOMENTS},
)
ROWS = st.lists(SPOT_ROWS, min_size=1, max_size=4) | st.lists(QUOTE_ROWS, min_size=1, max_size=4)
USUAL: list[dict[str, Any]] = [
    {"underlying": ["X", "Y", "X"], "spot": [101.0, 97.0, 102]},
    {"symbol": QUOTED[:2], "bid": [1.0, 2.0], "ask": [1.5, 2.0]},
    {"symbol": ["X", QUOTED[0]], "mark": [101.0, 3.0], "vol": [0.5, 0.4], "spot": [100.5, 100.5]},
    {"symbol": [QUOTED[3]], "vol": np.array([0.25])},
    {"underlying": ["X", "Y"], "spot": [101.0, 97.0], "quote_utc": [AS_OF, AS_OF - pd.Timedelta(hours=1)]},
    {"symbol": [QUOTED[0]], "mark": [3.0], "quote_utc": pd.Series([AS_OF]).dt.as_unit("us")},
    {"symbol": [QUOTED[0]] * 2, "vol": [0.3, 0.4], "quote_utc": [AS_OF.isoformat(), ""]},
]


def read_by_the_door(rows: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    with monkeypatch.context() as patched:
        patched.setattr(ticks, "plain_ticks", lambda *_: None)
        return ticks.read_ticks(rows, MARKET, AS_OF, AS_OF)


def assert_same(found: Any, expected: Any) -> None:
    assert found.late == expected.late
    pd.testing.assert_frame_equal(found.rejects, expected.rejects)
    for name, column in vars(expected.moves).items():
        np.testing.assert_array_equal(getattr(found.moves, name), column)


def refusal(read: Callable[[], Any]) -> str:
    """What the caller is told where nothing is read; "" where something is."""
    try:
        read()
    except sg.InputError as error:
        return str(error)
    return ""


@given(rows=ROWS)
def test_whatever_comes_is_read_as_the_door_reads_it(rows: list[dict[str, Any]]) -> None:
    frame, patch = pd.DataFrame(rows), pytest.MonkeyPatch()
    refused = refusal(lambda: read_by_the_door(frame, patch))
    assert refusal(lambda: ticks.read_ticks(frame, MARKET, AS_OF, AS_OF)) == refused
    if not refused:
        assert_same(ticks.read_ticks(frame, MARKET, AS_OF, AS_OF), read_by_the_door(frame, patch))


@pytest.mark.parametrize("columns", USUAL, ids=[", ".join(columns) for columns in USUAL])
def test_the_usual_goes_past_the_door_as_a_frame_and_as_columns(
    columns: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read_by_the_door(pd.DataFrame(columns), monkeypatch)
    for rows in (columns, pd.DataFrame(columns)):
        assert plain_ticks(rows, MARKET, Directory()) is not None
        assert_same(ticks.read_ticks(rows, MARKET, AS_OF, AS_OF), expected)


def test_a_column_of_times_is_read_like_its_text() -> None:
    """In any unit and zone, blank where it is blank, garbled beyond the years that are taken."""
    known = [
        "1899-12-31T23:59:59",
        "1900-01-01",
        "2026-11-20T21:00:00.123456",
        "2199-12-31",
        "2200-01-01",
        None,
    ]
    for unit in ("s", "ms", "us"):
        naive = pd.Series(pd.to_datetime(known, format="ISO8601")).dt.as_unit(unit)
        for column in (naive, naive.dt.tz_localize("UTC"), naive.dt.tz_localize("Asia/Tokyo")):
            words = pd.Series(
                [None if pd.isna(value) else value.isoformat() for value in column], dtype=object
            )
            for found, expected in zip(instants(column), instants(words), strict=True):
                np.testing.assert_array_equal(found, expected)


def test_columns_that_the_door_has_to_see() -> None:
    """A bad row in a mapping of columns is named as in a frame; columns of two lengths are refused."""
    live = desk()
    assert len(live.tick({"underlying": ["X", "Q"], "spot": [101.0, 1.0]})) == 1
    assert live.rejects[["line", "key", "code"]].to_numpy().tolist() == [[3, "Q", "E_UNDERLYING"]]
    for columns in (
        {"underlying": ["X"], "spot": [1.0, 2.0]},
        {"symbol": CALL, "vol": 0.2},
        {"underlying": "XY", "spot": [90.0, 40.0]},
        {"underlying": ["X", "Y"], "spot": 90.0},
        {"underlying": iter(["X"]), "spot": [90.0]},
        {"underlying": ["X"], "spot": [90.0], "quote_utc": [AS_OF, AS_OF]},
        {"underlying": ["X"], "spot": [90.0], "quote_utc": AS_OF},
        {"underlying": ["X"], "spot": [90.0], "quote_utc": np.zeros((1, 1), "datetime64[ns]")},
    ):
        with pytest.raises(sg.InputError, match="one length"):
            live.tick(columns)


def test_rows_of_columns_are_by_place_whatever_else_they_say() -> None:
    """Labels of a column move nothing, beside a bad row neither; a number that is masked is none."""
    names, spots = ["X", "Y", "Q"], pd.Series([90.0, 40.0, 7.0], index=[1, 0, 2])
    for count in (2, 3):
        live = desk()
        live.tick({"underlying": pd.Series(names[:count]), "spot": spots[:count]})
        assert live.market.underlyings.spots.tolist() == [90.0, 40.0]
    live = desk()
    live.tick({"underlying": ["X", "Y"], "spot": np.ma.array([90.0, 40.0], mask=[False, True])})
    assert live.market.underlyings.spots.tolist() == [90.0, 50.0]
    assert live.rejects["code"].tolist() == ["E_NONFINITE"]


def test_a_changed_market_has_its_own_names() -> None:
    directory, names = Directory(), np.array(["A", "B"], object)
    assert directory.find("symbol", names, ["B", "C", ""]).tolist() == [1, -1, -1]
    assert directory.find("symbol", np.array(["B"], object), ["B", "A"]).tolist() == [0, -1]

"""Frames at every door: any cell, any type of column, columns that are missing or there twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from books import AS_OF
from door_world import (
    ACCOUNTS,
    BOOK,
    CALL,
    FILL,
    MARKET,
    ORDER,
    POSITIONS,
    TABLES,
    desk,
)

import shockgrid as sg
from shockgrid.desk.liquidation_costs import trading_costs

LIVE = desk()
FRAMES: dict[str, tuple[Callable[[Any], Any], pd.DataFrame]] = {
    "positions": (lambda frame: sg.Book.from_frames(frame, ACCOUNTS), POSITIONS),
    "accounts": (lambda frame: sg.Book.from_frames(POSITIONS, frame), ACCOUNTS),
    **{
        name: (lambda frame, name=name: sg.Market.from_frames(**{**TABLES, name: frame}), table)
        for name, table in {
            **{name: TABLES[name] for name in ("instruments", "underlyings", "curve")},
            "quotes": pd.DataFrame([{"symbol": "X", "mark": 1.0}]),
            "dividends": pd.DataFrame([{"underlying": "X", "ex_date": "2026-12-01", "amount": 1.0}]),
            "fx": pd.DataFrame([{"currency": "EUR", "rate": 1.1}]),
            "groups": pd.DataFrame([{"underlying": "X", "class_group": "X"}]),
            "offsets": pd.DataFrame([{"level": "product", "group": "X", "offset_dec": 0.1}]),
        }.items()
    },
    "joint": (sg.ScenarioSet.joint, pd.DataFrame([{"scenario": "s", "underlying": "X", "spot_shock": 0.1}])),
    "history": (sg.ScenarioSet.history, pd.DataFrame({"X": [0.1, -0.1]})),
    "tick": (LIVE.tick, pd.DataFrame([{"underlying": "X", "spot": 101.0}])),
    "trade": (LIVE.trade, pd.DataFrame([FILL])),
    "what_ifs": (LIVE.what_ifs, pd.DataFrame([{"case": "c", **FILL}])),
    "costs": (lambda frame: trading_costs(quotes=frame), pd.DataFrame([{"symbol": CALL, "bid": 3.0}])),
}  # fmt: skip
CELLS = [np.nan, None, pd.NaT, pd.NA, "zzz", "", -1.0, np.inf, True, b"x", 1j, [1], {}, {1}, (1, 2), 10**400]
CELLS += [datetime(2026, 12, 1), datetime(2026, 12, 1, tzinfo=UTC), AS_OF.date(), timedelta(1)]


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_is_taken_or_refused_and_never_breaks(name: str) -> None:
    """Any cell in any column, columns that are missing, twice there or misspelled."""
    door, frame = FRAMES[name]
    for column in frame.columns:
        for cell in CELLS:
            cells = pd.Series([cell, *frame[column].iloc[1:]], index=frame.index, dtype=object)
            taken_or_refused(door, frame.assign(**{column: cells}))
        for wrong in (
            frame.rename(columns={column: f"{column}_"}),
            pd.concat([frame, frame[[column]]], axis=1),
        ):
            with pytest.raises(sg.InputError):
                door(wrong) if name not in ("history", "costs") else refused_at_margin(door, wrong)
        taken_or_refused(door, frame.drop(columns=column))
        taken_or_refused(door, frame.rename(columns={column: 3}))
    taken_or_refused(door, frame.iloc[:0])
    taken_or_refused(door, pd.DataFrame())


@pytest.mark.parametrize("name", FRAMES)
def test_a_column_may_be_of_any_type_that_holds_the_same(name: str) -> None:
    door, frame = FRAMES[name]
    same = [frame.convert_dtypes(), frame.convert_dtypes(dtype_backend="pyarrow")]
    same += [frame.set_axis([7] * len(frame)), pa.Table.from_pandas(frame, preserve_index=False)]
    if name != "history":  # a history holds numbers
        same += [frame.astype("category"), frame.astype(object)]
    for like in same:
        door(like)


def taken_or_refused(door: Callable[[Any], Any], frame: Any) -> None:
    with suppress(sg.ShockgridError):  # any other error is what this is about
        door(frame)


def refused_at_margin(door: Callable[[Any], Any], frame: pd.DataFrame) -> None:
    """A history may have any column, and so may quotes: what they lack is found out where it is used."""
    found = door(frame)
    if isinstance(found, sg.ScenarioSet):
        sg.margin(BOOK, MARKET, sg.house(scenarios=found), backend="numpy")
    problem = "nothing to refuse"
    raise sg.InputError(problem)


def test_orders_and_fills_come_in_the_same_shapes() -> None:
    """A frame, a list of mappings, a mapping of columns, a single order, an Arrow table: all the same."""
    rows = [{**FILL, "quantity": 2.0}, {**FILL, "symbol": CALL, "quantity": -1.0}]
    frame = pd.DataFrame(rows)
    shapes: list[Any] = [rows, tuple(rows), frame.to_dict("list"), pa.Table.from_pandas(frame)]
    traded, asked = desk(), desk()
    traded.trade(frame)
    told = asked.what_if("A", frame.drop(columns="account")).frame
    for shape in shapes:
        live = desk()
        live.trade(shape)
        pd.testing.assert_frame_equal(live.accounts, traded.accounts, check_exact=True)
    for shape in (
        [{k: v for k, v in row.items() if k != "account"} for row in rows],
        frame.drop(columns="account").to_dict("list"),
    ):
        pd.testing.assert_frame_equal(asked.what_if("A", shape).frame, told, check_exact=True)
    single = desk()
    single.trade(rows[0])
    assert single.book.positions["quantity"].tolist() == [102.0, -1.0]
    assert asked.what_if("A", ORDER).premium == asked.what_if("A", [ORDER]).premium
    nothing = asked.what_if("A", [])
    assert (nothing.after.excess, nothing.premium) == (nothing.before.excess, 0.0)

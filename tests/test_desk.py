"""The desk: whatever happens, its figures are those of a full calculation, to the last byte."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from desk_world import EXCHANGE, HOUSE, REGIMES, UPDATES, apply, coin_market, full, held, priced
from every_backend import BACKENDS
from firm import changed
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.desk.changes import COLUMNS
from shockgrid.desk.side_worst import WorstColumns

BOOK, MARKET = held(), priced()
WATCHED = ["margin_group", "requirement", "equity_at_marks", "equity_at_model", "excess", "reliability"]
few = settings(max_examples=5, deadline=None, phases=(Phase.explicit, Phase.generate))
FASTEST = next((name for name in BACKENDS if name != "numpy"), "numpy")
#: every regime on the fastest kernels, two of them on NumPy, one on the other instruction sets
CASES = [
    pytest.param(regime, backend, id=f"{name}, {kind}")
    for name, regime in REGIMES.items()
    for kind, backend in BACKENDS.items()
    if kind == FASTEST or name == "policy" or (kind == "numpy" and name == "joint")
]


@pytest.mark.parametrize(("regime", "backend"), CASES)
@few
@given(updates=st.lists(UPDATES, min_size=1, max_size=6))
def test_after_any_updates_it_is_a_full_calculation(regime: Any, backend: Any, updates: list[Any]) -> None:
    desk = sg.Desk(BOOK, MARKET, regime, backend=backend)
    before = desk.accounts
    for update in updates:
        told = apply(desk, update)
        after = desk.accounts
        columns = [
            "margin_group",
            "requirement",
            "equity_at_marks",
            "equity_at_model",
            "excess",
            "reliability",
        ]
        assert set(told["margin_group"]) == changed(before[columns], after[columns])
        before = after
    expected = full(desk)
    pd.testing.assert_frame_equal(before, expected, check_exact=True)
    assert changed(before, expected) == set()


VENUES = {"deribit": sg.regimes.deribit(), "deribit, standard": sg.regimes.deribit("standard")}


@pytest.mark.parametrize("regime", VENUES.values(), ids=VENUES.keys())
def test_so_it_is_under_a_venue_with_charges_of_its_own(regime: Any) -> None:
    symbols = ["BTC-C", "BTC-PERP"]
    listed = BOOK.positions[BOOK.positions["symbol"].isin(symbols)]
    desk = sg.Desk(replace(BOOK, positions=listed.reset_index(drop=True)), coin_market(), regime)
    updates: list[Any] = [
        ("tick", {"symbol": "BTC-C", "vol": 0.9}),
        ("trade", {"account": "A1", "symbol": "BTC-C", "quantity": -7.0, "price": 0.01}),
        ("trade", {"account": "A3", "symbol": "BTC-C", "quantity": 4.0, "price": 0.01}),
        ("tick", {"underlying": "BTC", "spot": 55_000.0}),
        ("tick", {"symbol": "BTC-C", "mark": 0.02}),
        ("roll", pd.Timedelta(days=1)),
    ]
    for update in updates:
        assert len(apply(desk, update)) > 0
        pd.testing.assert_frame_equal(desk.accounts, full(desk), check_exact=True)


def test_a_desk_that_may_remember_little_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shockgrid.desk.kept_views.VIEW_ROWS_KEPT", 1)
    monkeypatch.setattr("shockgrid.desk.runs.RUN_ROWS_KEPT", 1)
    desk = sg.Desk(BOOK, MARKET, REGIMES["policy"])
    for name in ("X", "Y", "X", "Z", "X"):
        desk.tick(pd.DataFrame([{"underlying": name, "spot": 97.0}]))
    pd.testing.assert_frame_equal(desk.accounts, full(desk), check_exact=True)


def test_joint_rows_that_are_added_up_one_by_one_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shockgrid.desk.joint.PART_ELEMENTS", 1)
    desk = sg.Desk(BOOK, MARKET, REGIMES["joint"])
    desk.tick({"underlying": ["X", "Z"], "spot": [97.0, 101.0]})
    desk.trade(pd.DataFrame([{"account": "A3", "symbol": "YC90_3.0", "quantity": -7.0, "price": 6.0}]))
    pd.testing.assert_frame_equal(desk.accounts, full(desk), check_exact=True)
    pd.testing.assert_frame_equal(
        desk.result().groups, sg.margin(desk.book, desk.market, REGIMES["joint"]).groups, check_exact=True
    )


def test_a_coin_s_spot_leaves_names_in_other_currencies_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all portfolio groups only the coin's own is priced again; an account in coin is worth more."""
    desk = sg.Desk(BOOK, MARKET, HOUSE)
    seen: list[Any] = []
    build = WorstColumns.redo

    def watched(self: WorstColumns, names: Any, *, resized: bool) -> bool:
        seen.extend(names)
        return build(self, names, resized=resized)

    monkeypatch.setattr(WorstColumns, "redo", watched)
    told = desk.tick({"underlying": ["BTC"], "spot": [66_000.0]})
    assert seen == ["BTC"]
    assert "C" in set(told["margin_group"])
    pd.testing.assert_frame_equal(desk.accounts, full(desk), check_exact=True)


def test_changes_are_read_like_a_frame() -> None:
    desk = sg.Desk(BOOK, MARKET, HOUSE)
    told = desk.tick({"underlying": ["X"], "spot": [97.0]})
    assert len(told) == len(told.frame) > 0
    assert list(told.columns) == list(COLUMNS)
    before, after = told["excess_before"], told.set_index("margin_group")["excess_after"]
    assert (before.to_numpy() != after.to_numpy()).any()
    frame = told.frame.copy()
    desk.tick({"underlying": ["X"], "spot": [95.0]})
    pd.testing.assert_frame_equal(told.frame, frame)
    with pytest.raises(AttributeError, match="no_such"):
        told.no_such()


@pytest.mark.parametrize("regime", [HOUSE, EXCHANGE])
def test_a_result_stays_what_it_was(regime: Any) -> None:
    desk = sg.Desk(BOOK, MARKET, regime)
    result, expected = desk.result(), sg.margin(desk.book, desk.market, regime)
    desk.tick({"underlying": ["X", "Y"], "spot": [70.0, 120.0]})
    for account in ("A0", "A1", "A2"):
        pd.testing.assert_frame_equal(result.explain(account), expected.explain(account), check_exact=True)
    pd.testing.assert_frame_equal(result.groups, expected.groups, check_exact=True)
    pd.testing.assert_frame_equal(result.positions, expected.positions, check_exact=True)

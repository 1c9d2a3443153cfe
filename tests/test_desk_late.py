"""What a desk works out only once it is asked for: the same bytes, whenever that is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from desk_world import EXCHANGE, HOUSE, REGIMES, UPDATES, apply, full, held, priced
from every_backend import BACKENDS
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.desk.account_columns import AccountColumns
from shockgrid.requirement.assemble import BRIEF

BOOK, MARKET = held(), priced()
few = settings(max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate))
FASTEST = next((name for name in BACKENDS if name != "numpy"), "numpy")
CASES = [
    pytest.param(regime, BACKENDS[kind], id=f"{name}, {kind}")
    for name, regime in REGIMES.items()
    for kind in dict.fromkeys((FASTEST, "numpy"))
    if kind == FASTEST or name == "house"
]


@pytest.mark.parametrize(("regime", "backend"), CASES)
@few
@given(updates=st.lists(UPDATES, min_size=4, max_size=10))
def test_nobody_looks_until_the_end(regime: Any, backend: Any, updates: list[Any]) -> None:
    desk = sg.Desk(BOOK, MARKET, regime, backend=backend)
    for update in updates:
        apply(desk, update)
    pd.testing.assert_frame_equal(desk.accounts, full(desk), check_exact=True)
    pd.testing.assert_frame_equal(desk.accounts, full(desk), check_exact=True)


@few
@given(updates=st.lists(UPDATES, min_size=1, max_size=5))
def test_the_brief_columns_are_up_to_date_before_anybody_looks(updates: list[Any]) -> None:
    desk = sg.Desk(BOOK, MARKET, REGIMES["policy"])
    for update in updates:
        apply(desk, update)
        expected = full(desk)
        for name in BRIEF:
            np.testing.assert_array_equal(desk._live.columns[name], expected[name].to_numpy(), err_msg=name)


def test_the_world_is_as_it_says() -> None:
    """Nothing of it is turned away: a future that was is what nobody tests."""
    assert set(MARKET.rejects["code"]) == {"W_NO_VOL"}
    assert "XF" in MARKET.instruments.symbols


def test_a_result_is_whole_though_nobody_looked_before() -> None:
    desk = sg.Desk(BOOK, MARKET, HOUSE)
    desk.tick({"underlying": ["X", "Y"], "spot": [91.0, 99.0]})
    result, expected = desk.result(), sg.margin(desk.book, desk.market, HOUSE)
    pd.testing.assert_frame_equal(result.accounts, expected.accounts, check_exact=True)
    pd.testing.assert_frame_equal(result.explain("M0"), expected.explain("M0"), check_exact=True)


def test_a_view_that_is_let_go_before_anybody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shockgrid.desk.kept_views.VIEW_ROWS_KEPT", 1)
    desk = sg.Desk(BOOK, MARKET, REGIMES["policy"])
    for name in ("X", "Y", "Z"):
        desk.tick({"underlying": [name], "spot": [97.0]})
    pd.testing.assert_frame_equal(desk.accounts, full(desk), check_exact=True)


def test_the_rest_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    write = AccountColumns._write
    monkeypatch.setattr(
        AccountColumns,
        "_write",
        lambda self, view, now: (written.append(view.codes.tolist()), write(self, view, now)),
    )
    desk = sg.Desk(BOOK, MARKET, HOUSE)
    told = desk.tick({"underlying": ["D"], "spot": [97.0]})
    assert written == []
    assert desk.accounts is not None
    assert len(written) == 1
    assert set(told["margin_group"]) <= set(desk.accounts["margin_group"].iloc[written[0]])
    assert len(written) == 1


def refused_below(spot: float) -> sg.Regime:
    """A regime with a formula of its own that gives no amount where X stands below a spot."""

    def initial(context: Any) -> Any:
        amount = 1.0 if context.plan.market.underlyings.spots[-2] >= spot else np.nan
        return np.full(len(context.plan.margin_groups), amount)

    charge = sg.requirement.AddOn("charge", initial)
    return sg.Regime("own", EXCHANGE.scenarios, initial=(charge,))


def test_a_function_of_one_s_own_refuses_at_the_tick_and_not_at_the_reading() -> None:
    names = MARKET.underlyings.names.tolist()
    assert names[-2] == "Y"
    desk = sg.Desk(BOOK, MARKET, refused_below(90.0))
    before = desk.accounts
    with pytest.raises(sg.errors.InputError, match="finite amount"):
        desk.tick({"underlying": ["Y"], "spot": [80.0]})
    pd.testing.assert_frame_equal(desk.accounts, before, check_exact=True)
    desk.tick({"underlying": ["Y"], "spot": [91.0]})
    pd.testing.assert_frame_equal(desk.accounts, full(desk), check_exact=True)


def test_a_position_is_opened_while_others_wait() -> None:
    """M1 gets its first coin, ahead of all other leaves: all of them move."""
    desk = sg.Desk(BOOK, MARKET, HOUSE)
    desk.tick({"underlying": ["Y"], "spot": [91.0]})
    leaves = len(desk._live.sides[0].found.leaves.losses)
    fill = {"account": ["A1"], "symbol": ["BTC-C"], "quantity": [2.0], "price": [0.1]}
    desk.trade(pd.DataFrame(fill))
    assert len(desk._live.sides[0].found.leaves.losses) == leaves + 1
    pd.testing.assert_frame_equal(desk.accounts, full(desk), check_exact=True)

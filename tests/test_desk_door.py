"""What comes through the desk's door: values by hand, bad rows by name, fills and cash."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book
from desk_world import priced
from small_desk import BACKEND, CALL, CENT, HELD, PLAIN, PUT, desk, row

import shockgrid as sg
from shockgrid.reg_t import regt_rules


def test_between_quotes_the_model_moves_and_the_mark_stays() -> None:
    """X from 100 to 110: 100 shares gain 1,000 either way; at marks the call still stands at 3.50, at model
    value it is worth what the 30 % call at a spot of 110 is."""
    live = desk()
    told = live.tick(pd.DataFrame([{"underlying": "X", "spot": 110.0}]))
    assert told["margin_group"].tolist() == ["A"]
    assert told["equity_at_marks_after"].iloc[0] == pytest.approx(1000.0 + 11_000.0 - 350.0, abs=CENT)
    years, factor = 30.0 / 365.0, np.exp(-0.05 * 30.0 / 365.0)
    model = sg.price_european(
        forwards=110.0 / factor,
        strikes=100.0,
        expiries=years,
        vols=0.3,
        discount_factors=factor,
        is_call=True,
    )
    assert told["equity_at_model_after"].iloc[0] == pytest.approx(12_000.0 - 100.0 * float(model), abs=CENT)


def test_a_new_quote_moves_the_mark_and_the_vol() -> None:
    live = desk()
    live.tick(pd.DataFrame([{"symbol": CALL, "bid": 4.0, "ask": 4.4}]))
    assert row(live)["equity_at_marks"] == pytest.approx(11_000.0 - 420.0, abs=CENT)
    assert row(live)["equity_at_model"] == pytest.approx(11_000.0 - 420.0, abs=CENT)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"underlying": "X", "spot": np.nan}, "E_NONFINITE"),
        ({"underlying": "X", "spot": np.inf}, "E_NONFINITE"),
        ({"underlying": "X", "spot": 0.0}, "E_RANGE"),
        ({"underlying": "X", "spot": -1.0}, "E_RANGE"),
        ({"underlying": "Q", "spot": 1.0}, "E_UNDERLYING"),
        ({"symbol": "Q", "vol": 0.2}, "E_INSTRUMENT"),
        ({"symbol": CALL, "bid": 4.0, "ask": 3.0}, "E_CROSSED"),
        ({"symbol": CALL, "vol": -0.1}, "E_RANGE"),
        ({"symbol": CALL}, "E_NONFINITE"),
        ({"spot": 100.0}, "E_MISSING"),
        ({"underlying": "X", "spot": 100.0, "quote_utc": "yesterday"}, "E_TYPE"),
    ],
)
def test_a_bad_row_is_named_and_the_rest_goes_through(bad: dict[str, object], code: str) -> None:
    clean, live = desk(), desk()
    good = {"underlying": "Y", "spot": 51.0}
    clean.tick(pd.DataFrame([good]))
    live.tick(pd.DataFrame([bad, good]))
    assert live.rejects[["line", "code", "sequence"]].to_numpy().tolist() == [[2, code, 1]]
    pd.testing.assert_frame_equal(live.accounts, clean.accounts, check_exact=True)


def test_a_mark_that_no_vol_gives_keeps_the_last_one() -> None:
    live = desk()
    before = live.market.instruments.vols.copy()
    live.tick(pd.DataFrame([{"symbol": CALL, "mark": 300.0}]))
    assert live.rejects["code"].tolist() == ["W_VOL_KEPT"]
    assert live.rejects["key"].tolist() == [CALL]
    np.testing.assert_array_equal(live.market.instruments.vols, before)
    assert row(live)["equity_at_marks"] == pytest.approx(11_000.0 - 30_000.0, abs=CENT)


@pytest.mark.parametrize("regime", ["tims", regt_rules()])
def test_what_is_no_regime_is_refused_as_by_margin(regime: Any) -> None:
    held = book([("A", "X", 100.0)])
    with pytest.raises(sg.InputError, match="expected a Regime or a Policy"):
        sg.Desk(held, priced(), regime, backend=BACKEND)


def test_an_update_that_is_refused_never_happened() -> None:
    """A column nobody knows; and an add-on that cannot do with a spot above 150."""

    def figure(context: Any) -> np.ndarray:
        high = float(context.plan.market.underlyings.spots.max()) > 150.0
        return np.full(len(context.plan.margin_groups), np.nan if high else 1.0)

    rule = sg.Regime(
        "touchy", sg.ScenarioSet.grid([-0.1, 0.1]), add_ons=(sg.requirement.AddOn("touchy", figure),)
    )
    live = sg.Desk(book(HELD), PLAIN, rule, backend=BACKEND)
    before = live.accounts
    for rows in ({"underlyin": "X", "spot": 1.0}, {"underlying": "X", "spot": 200.0}):
        with pytest.raises(sg.InputError):
            live.tick(pd.DataFrame([rows]), sequence=1)
        assert (live.sequence, live.dropped, len(live.rejects)) == (0, 0, 0)
        pd.testing.assert_frame_equal(live.accounts, before, check_exact=True)
    assert len(live.tick(pd.DataFrame([{"underlying": "X", "spot": 101.0}]), sequence=1)) == 1
    full = sg.margin(live.book, live.market, rule, backend=BACKEND).accounts
    pd.testing.assert_frame_equal(live.accounts, full, check_exact=True)


def test_fills_move_quantities_and_cash() -> None:
    """Selling 2 calls at 4 brings 800; a future bought at 101 pays nothing, and half of it sold at 103
    realises 2 x 50; what is left is worth the spot of 100 less 101."""
    live = desk()
    live.trade(pd.DataFrame([{"account": "A", "symbol": CALL, "quantity": -2.0, "price": 4.0}]))
    assert live.book.accounts.set_index("account").loc["A", "cash"] == pytest.approx(1800.0)
    fills = [
        {"account": "B", "symbol": "XF", "quantity": 2.0, "price": 101.0},
        {"account": "B", "symbol": "XF", "quantity": -1.0, "price": 103.0},
    ]
    live.trade(pd.DataFrame(fills))
    assert live.book.accounts.set_index("account").loc["B", "cash"] == pytest.approx(1100.0)
    assert row(live, "B")["equity_at_model"] == pytest.approx(1100.0 + 500.0 + 50.0 * (100.0 - 101.0))
    live.trade(pd.DataFrame([{"account": "B", "symbol": "XF", "quantity": -3.0, "price": 99.0}]))
    assert live.book.accounts.set_index("account").loc["B", "cash"] == pytest.approx(1000.0)
    assert row(live, "B")["equity_at_model"] == pytest.approx(1000.0 + 500.0 - 2 * 50.0 * (100.0 - 99.0))


def test_a_fair_fill_changes_no_equity_and_a_bad_one_puts_its_account_in_doubt() -> None:
    live = desk()
    before = row(live)["equity_at_marks"]
    told = live.trade(
        pd.DataFrame(
            [
                {"account": "A", "symbol": PUT, "quantity": 3.0, "price": 3.2},
                {"account": "B", "symbol": "nothing", "quantity": 3.0, "price": 3.2},
                {"account": "nobody", "symbol": PUT, "quantity": 3.0, "price": 3.2},
            ]
        )
    )
    assert row(live)["equity_at_marks"] == pytest.approx(before, abs=1e-9)
    assert live.rejects["code"].tolist() == ["E_INSTRUMENT", "E_ACCOUNT"]
    assert told.set_index("margin_group").loc["B", "reliability_after"] == "PARTIAL"
    assert told.set_index("margin_group").loc["A", "reliability_after"] == "OK"


def test_deposits() -> None:
    live = desk()
    told = live.deposit("A", 25.0)
    assert (told["excess_after"] - told["excess_before"]).tolist() == pytest.approx([25.0])
    for account, amount, code in (("Z", 1.0, "E_ACCOUNT"), ("A", float("nan"), "E_NONFINITE")):
        assert live.deposit(account, amount).empty
        assert live.rejects["code"].iloc[-1] == code


def test_a_coin_is_worth_its_spot() -> None:
    """0.1 coin of cash at 61,000 and at 66,000."""
    coins = pd.DataFrame([{"account": "C", "cash": 0.1, "currency": "BTC"}])
    none = pd.DataFrame({"account": ["C"], "symbol": ["X"], "quantity": [0.0]})
    live = sg.Desk(sg.Book.from_frames(none, coins), priced(), sg.tims(), backend=BACKEND)
    result = live.result()
    assert result.in_base("equity_at_marks").sum() == pytest.approx(6_100.0)
    live.tick(pd.DataFrame([{"underlying": "BTC", "spot": 66_000.0}]))
    assert live.result().in_base("equity_at_marks").sum() == pytest.approx(6_600.0)


def test_the_result_explains_itself() -> None:
    live = desk()
    live.tick(pd.DataFrame([{"underlying": "X", "spot": 90.0}]))
    result = live.result()
    full = sg.margin(live.book, live.market, live.regime_or_policy, backend=BACKEND)
    pd.testing.assert_frame_equal(result.explain("A"), full.explain("A"), check_exact=True)
    pd.testing.assert_frame_equal(result.positions, full.positions, check_exact=True)
    pd.testing.assert_frame_equal(result.rejects, full.rejects)
    assert result.binding_runs == full.binding_runs

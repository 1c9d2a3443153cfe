"""What a shock does to a market: dividends, parity forwards, sigma ranges, histories."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, expiry, market, option, requirement, stock

import shockgrid as sg

CENT = 0.005
PRICED = market([stock("X"), stock("Y")], {"X": 100.0, "Y": 50.0})


def test_cash_dividends_stay_fixed_under_a_spot_shock() -> None:
    """The forward is (S - PV of dividends) x growth at every spot: checked at +-15 % against the formula."""
    dividends = pd.DataFrame([{"underlying": "X", "ex_date": "2027-02-01", "amount": 3.0}])
    priced = market(
        [option("XP", "X", "P", 100.0, 120)],
        {"X": 100.0},
        [{"symbol": "XP", "vol": 0.3}],
        dividends=dividends,
    )
    result = sg.margin(book([("A", "XP", -1)]), priced, sg.tims())
    drop = pd.Timestamp("2027-02-01", tz="America/New_York")
    present = 3.0 * np.exp(-0.05 * ((drop - AS_OF) / pd.Timedelta(days=365)))
    discount = np.exp(-0.05 * 120 / 365)

    def put(spot: float) -> float:
        return float(
            sg.price_european(
                forwards=(spot - present) / discount,
                strikes=100.0,
                expiries=120 / 365,
                vols=0.3,
                discount_factors=discount,
                is_call=False,
            )
        )

    by_hand = [100 * (put(100.0) - put(100.0 * (1 + x))) for x in (-0.15, 0.15)]
    pnl = result.scenarios("A")["pnl"].to_numpy()
    assert pnl[[0, -1]] == pytest.approx(by_hand, abs=1e-8)


def test_a_parity_forward_scales_net_of_dividends() -> None:
    """A given forward F0 at spot S moves to F0 x (S' - D) / (S - D), D the present value of dividends."""
    dividends = pd.DataFrame([{"underlying": "X", "ex_date": "2026-12-01", "amount": 40.0}])
    forwards = pd.DataFrame([{"underlying": "X", "expiry_utc": expiry(30), "forward": 62.0}])
    rows = [option("XC", "X", "C", 60.0, 30)]
    quotes = [{"symbol": "XC", "vol": 0.5}]
    priced = market(rows, {"X": 100.0}, quotes, dividends=dividends, forwards=forwards, rate=0.0)
    crash = sg.house(spot=[-0.5, -0.7], vol=[0.0], concentrated=False, contingency_rate=0.0)
    pnl = sg.margin(book([("A", "XC", 1)]), priced, crash).scenarios("A")["pnl"].to_numpy()
    known = {"strikes": 60.0, "expiries": 30 / 365, "vols": 0.5, "discount_factors": 1.0, "is_call": True}
    base = float(sg.price_european(forwards=62.0, **known))
    half = float(sg.price_european(forwards=62.0 * (50 - 40) / (100 - 40), **known))
    assert pnl == pytest.approx([100 * (half - base), -100 * base], abs=1e-8)


def test_scenario_sets_that_do_not_fit_are_refused() -> None:
    held = book([("A", "X", 1), ("B", "Y", 1)])
    history = pd.DataFrame({"X": [-0.1, 0.05]}, index=["2020-03-16", "2020-03-17"])
    regime = sg.Regime("history", sg.ScenarioSet.history(history))
    with pytest.raises(sg.InputError, match=r"no shock for this underlying.*'Y'"):
        sg.margin(held, PRICED, regime)
    assert requirement(sg.margin(book([("A", "X", 10)]), PRICED, regime)) == pytest.approx(100.0)
    with pytest.raises(sg.InputError, match="atm_vol_dec"):
        sg.margin(held, PRICED, sg.house(sigmas=3.0))
    typo = pd.DataFrame({"scenario": ["a"], "underlying": ["XX"], "spot_shock": [-0.1]})
    with pytest.raises(sg.InputError, match="XX"):
        sg.margin(held, PRICED, sg.house(scenarios=sg.ScenarioSet.joint(typo)))
    for wrong in ({"spot": [-1.5]}, {"spot": [np.nan]}, {"vol_mode": "rel"}):
        with pytest.raises(sg.InputError):
            sg.house(**wrong)  # type: ignore[arg-type]


def test_a_sigma_range_of_an_inverse_fund_moves_against_the_market() -> None:
    """Under one joint worst a fund and its inverse of the same vol offset each other in full."""
    row = {"spot": 100.0, "atm_vol_dec": 0.2}
    priced = market([stock("F"), stock("I")], {"F": row, "I": {**row, "leverage": -1.0}})
    regime = sg.house(sigmas=5.0, vol=[0.0], joint=True, concentrated=False, contingency_rate=0.0)
    result = sg.margin(book([("A", "F", 10), ("A", "I", 10)]), priced, regime)
    assert requirement(result) == pytest.approx(0.0, abs=CENT)
    move = 5.0 * 0.2 * np.sqrt(1 / 252)
    assert requirement(result, column="requirement_zero_offsets") == pytest.approx(2 * 1000 * move, abs=CENT)


def test_history_uses_each_names_own_return() -> None:
    history = pd.DataFrame({"X": [-0.1, 0.05], "Y": [0.2, -0.3]}, index=["crash", "turn"])
    regime = sg.Regime("history", sg.ScenarioSet.history(history), sg.requirement.Tree("margin_group"))
    result = sg.margin(book([("A", "X", 100), ("A", "Y", 100)]), PRICED, regime)
    assert requirement(result) == pytest.approx(0.3 * 5000 - 0.05 * 10000, abs=CENT)
    assert result.explain("A").set_index("level").loc["requirement", "scenario"] == 1

"""Flat-rate names (bonds, funds, collateral): a haircut by table, whichever way the market moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from books import book, market, requirement, stock

import shockgrid as sg
from shockgrid.regimes import load_regime

BOND: dict[str, Any] = {"symbol": "BOND", "underlying": "BOND", "type": "flat"}
FUND: dict[str, Any] = {"symbol": "FUND", "underlying": "FUND", "type": "flat"}
SPOTS: dict[str, Any] = {
    "BOND": {"spot": 980.0, "haircut_dec": 0.06},
    "FUND": {"spot": 1.0, "haircut_dec": 0.01},
    "X": 100.0,
}
MARKET = market([BOND, FUND, stock("X")], SPOTS)


@pytest.mark.parametrize("name", ["tims", "rbh_bd", "rbh_mm", "house", "house-rules", "span"])
def test_the_haircut_is_the_requirement(name: str) -> None:
    """6 % of a bond worth 980 and 1 % of a money-market fund, long or short, with no offset between them."""
    held = book([("L", "BOND", 10), ("S", "BOND", -10), ("F", "BOND", 10), ("F", "FUND", 5_000)])
    result = sg.margin(held, MARKET, load_regime(name))
    assert (result.accounts["reliability"] == "OK").all()
    for account, expected in (("L", 588.0), ("S", 588.0), ("F", 638.0)):
        assert requirement(result, account) == pytest.approx(expected)
    assert requirement(result, "F", "equity_at_marks") == pytest.approx(9_800.0 + 5_000.0)


def test_a_venue_that_does_not_know_it_counts_nothing_for_it() -> None:
    """Derive's file names no bond: its default haircut takes the whole value."""
    result = sg.margin(book([("A", "BOND", 10)]), MARKET, sg.regimes.derive())
    assert requirement(result) == pytest.approx(9_800.0)
    assert requirement(result, column="collateral_haircut") == pytest.approx(9_800.0)


def test_it_loses_the_same_in_every_scenario_that_moves() -> None:
    held = book([("A", "BOND", 1)])
    pnl = sg.margin(held, MARKET, sg.house(concentrated=False)).scenarios("A")
    moved = pnl["price_shock"] != 0.0
    assert np.allclose(np.abs(pnl.loc[moved, "pnl"]), 58.8)
    assert (pnl.loc[~moved, "pnl"] == 0.0).all()


def test_what_does_not_fit_is_turned_away() -> None:
    plain = market([BOND, stock("X")], {"BOND": 980.0, "X": {"spot": 100.0, "haircut_dec": 0.1}})
    codes = plain.rejects.set_index("key")["code"].to_dict()
    assert codes == {"BOND": "E_UNSUPPORTED", "X": "E_MISMATCH"}
    odd = market([BOND], {"BOND": {"spot": 980.0, "haircut_dec": 1.5}})
    found = odd.rejects[odd.rejects["table"] == "underlyings"].iloc[0]
    assert found[["key", "column", "code"]].tolist() == ["BOND", "haircut_dec", "E_RANGE"]


def test_strategy_based_margin_does_not_guess() -> None:
    result = sg.regt(book([("A", "BOND", 1)]), MARKET)
    assert result.accounts["reliability"].iloc[0] == "PARTIAL"

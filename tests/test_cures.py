"""Cures: what is listed, in which order, and how it is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from books import book
from liquidation_books import BACKEND, in_deficit, random_holdings
from liquidation_books import SMALL as MARKET

import shockgrid as sg
from shockgrid.desk.liquidation_truth import revalued
from shockgrid.requirement import Program

ROUNDING = 1e-6  #: of currency: sums of figures of 1e5 in another order
REGIMES = {
    "policy": sg.Policy({"default": Program(sg.tims(), sg.house())}),
    "span": sg.regimes.span(),
    "derive": sg.regimes.derive(),
}


@pytest.mark.parametrize("name", list(REGIMES))
def test_what_cures_comes_first_and_every_way_is_what_the_judge_says(name: str) -> None:
    rng, regime = np.random.default_rng(4), REGIMES[name]
    for _ in range(4):
        holdings = random_holdings(rng, int(rng.integers(2, 8)), 7)
        held = in_deficit(holdings, MARKET, regime, float(rng.uniform(0.05, 0.9)))
        found = sg.cures(held, MARKET, regime, backend=BACKEND)
        rows = found.cures
        cures = rows["cures"].astype(bool)
        assert cures.is_monotonic_decreasing
        assert rows.loc[cures, "outlay"].is_monotonic_increasing
        assert rows.loc[~cures, "excess_after"].is_monotonic_decreasing
        before = held.positions.set_index(["account", "symbol"])["quantity"]
        for way in rows[rows["cure"] != "deposit"].itertuples():
            assert way.freed > 0.0
            legs = found.steps[found.steps["cure"] == way.cure]
            moved = legs.groupby(["account", "symbol"])["quantity"].sum()
            after = before.reindex(moved.index).fillna(0.0) + moved
            told = revalued(held, MARKET, regime, "A", after.to_dict(), backend=BACKEND)
            assert way.excess_after == pytest.approx(told.excess - way.costs, abs=ROUNDING)


def test_a_way_that_frees_nothing_is_none() -> None:
    """Everything is halted: nothing can be closed, and no option can be bought."""
    held = in_deficit([("A", "AAA", -5.0), ("A", "BBBC1-30", -3.0)], MARKET, sg.tims(), 0.4)
    found = sg.cures(held, MARKET, sg.tims(), halted=["AAA", "BBB"], backend=BACKEND)
    assert found.cures["cure"].tolist() == ["deposit"]
    assert len(found.steps) == 0
    text = found.explain("A")
    assert "closings: nothing that trades frees margin" in text
    assert "hedge: no listed option frees margin" in text


def test_what_is_not_enough_follows_what_cures_and_says_what_is_left() -> None:
    """50,000 of debt against one lot of 10,000: closed, it leaves 40,000 and the costs."""
    held = book([("A", "AAA", 1.0)], [{"account": "A", "cash": -50_000.0}])
    found = sg.cures(held, MARKET, sg.tims(), backend=BACKEND)
    ways = found.cures.set_index("cure")
    assert found.cures["cure"].iloc[0] == "deposit"
    assert ways.loc["closings", "freed"] == pytest.approx(1500.0)  # 15 % of 10,000
    assert ways.loc["closings", "excess_after"] == pytest.approx(-40_000.0 - ways.loc["closings", "costs"])
    assert "not enough, excess -40,005." in found.explain("A")


def test_a_book_without_deficit_has_the_same_columns() -> None:
    short = in_deficit([("A", "AAA", 5.0)], MARKET, sg.tims(), 0.3)
    fine = book([("A", "AAA", 5.0)], [{"account": "A", "cash": 1e6}])
    nobody = sg.Book.from_frames(
        pd.DataFrame(columns=["account", "symbol", "quantity"]), pd.DataFrame(columns=["account", "cash"])
    )
    some, *others = (sg.cures(held, MARKET, sg.tims(), backend=BACKEND) for held in (short, fine, nobody))
    for found in others:
        assert len(found.cures) == len(found.steps) == len(found.left_alone) == 0
        for name in ("cures", "steps", "left_alone"):
            assert getattr(found, name).columns.tolist() == getattr(some, name).columns.tolist()

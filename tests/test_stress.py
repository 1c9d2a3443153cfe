"""Reverse stress and the firm's own loss, each against a sum written out by hand."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, stock
from closed_form import call

import shockgrid as sg
from shockgrid.engine import plan
from shockgrid.research.firm_loss import firm_loss
from shockgrid.research.grids import Grid
from shockgrid.research.moved import shocked
from shockgrid.research.stress import (
    Curve,
    crossing,
    distance_to_breach,
    margin_after_stress,
    missed_between_points,
    nearest_breach,
)

PARAMETERS = Path(sg.__file__).parent / "regimes" / "parameters"
SEARCH = 2e-6  #: a price shock is narrowed down to this
CENT = 0.005


def shares(cash: float) -> tuple[sg.Book, sg.Market]:
    """100 A at 100 and -50 B at 200 with some cash."""
    accounts = [{"account": "one", "cash": cash}]
    held = book([("one", "A", 100.0), ("one", "B", -50.0)], accounts)
    spots = {"A": {"spot": 100.0, "atm_vol_dec": 0.3}, "B": {"spot": 200.0, "atm_vol_dec": 0.2}}
    return held, market([stock("A"), stock("B")], spots)


def test_distance_to_breach_by_hand() -> None:
    """Equity 5,000; A and B ask 15 % of 10,000 each, so the excess is 2,000: A breaches after falling 20 %,
    B after rising 20 %, and together they cancel. The equity is gone at 50 %."""
    held, priced = shares(5_000.0)
    result = sg.margin(held, priced, sg.tims())
    table = distance_to_breach(held, priced, result, "one").set_index("name")
    assert table.loc["A", "breach_down"] == pytest.approx(-0.2, abs=SEARCH)
    assert table.loc["B", "breach_up"] == pytest.approx(0.2, abs=SEARCH)
    assert np.isnan(table.loc["A", "breach_up"])
    assert table.loc["A", "equity_gone_down"] == pytest.approx(-0.5, abs=SEARCH)
    assert table.loc["A", "in_scan_ranges"] == pytest.approx(0.2 / 0.15, abs=1e-4)
    assert table.loc["B", "in_sigmas"] == pytest.approx(0.2 / (0.2 / sqrt(252)), abs=1e-3)
    assert np.isnan(table.loc["all names together", "nearest"])


def test_distance_by_an_index_move() -> None:
    """Long 10,000 of A at beta 2, short 10,000 of B at 0.5: 15,000 x the move. An excess of 2,000 is gone
    at -2 / 15, the equity of 5,000 at -1 / 3."""
    held, _ = shares(5_000.0)
    spots = {"A": {"spot": 100.0, "beta": 2.0}, "B": {"spot": 200.0, "beta": 0.5}}
    priced = market([stock("A"), stock("B")], spots)
    table = distance_to_breach(held, priced, sg.margin(held, priced, sg.tims()), "one").set_index("name")
    row = table.loc["all names by beta"]
    assert row["breach_down"] == pytest.approx(-2 / 15, abs=SEARCH)
    assert row["equity_gone_down"] == pytest.approx(-1 / 3, abs=SEARCH)
    assert np.isnan(row["breach_up"])
    assert (
        "all names by beta"
        not in distance_to_breach(*shares(5_000.0), sg.margin(*shares(5_000.0), sg.tims()), "one")
        .set_index("name")
        .index
    )


def test_an_account_in_breach_is_at_no_distance() -> None:
    held, priced = shares(1_000.0)
    result = sg.margin(held, priced, sg.tims())
    table = distance_to_breach(held, priced, result, "one").set_index("name")
    assert table.loc["A", "nearest"] == 0.0
    assert table.loc["A", "equity_gone_down"] == pytest.approx(-0.1, abs=SEARCH)


def test_where_a_short_call_loses_an_amount() -> None:
    priced = market([option("C", "XYZ", "C", 100.0, 30)], {"XYZ": 95.0}, [{"symbol": "C", "vol": 0.3}])
    found = crossing(Curve(plan(book([("A", "C", -1.0)]), priced), None, 0.0, sg.get_backend("auto")), 500.0)
    loss = 100.0 * (call(95.0 * (1 + found.up), 100.0, 0.3, 30) - call(95.0, 100.0, 0.3, 30))
    assert loss == pytest.approx(500.0, abs=0.05)
    assert np.isnan(found.down)


def test_the_nearest_breach_on_a_surface() -> None:
    """100 shares at 100 lose 1,000 at -10 %, whatever the vol does."""
    held, priced = shares(0.0)
    grid = Grid(np.linspace(-0.2, 0.2, 41), np.linspace(-0.5, 0.5, 11))
    surface = sg.pnl_surface(held, priced, grid, account="one", symbol="A")
    price, vol, distance = nearest_breach(surface, 1_000.0 - 1e-9, price_unit=0.15, vol_unit=0.3)
    assert (price, vol) == (pytest.approx(-0.1), pytest.approx(0.0, abs=1e-15))
    assert distance == pytest.approx(0.1 / 0.15)
    assert np.isnan(nearest_breach(surface, 1e9, price_unit=0.15, vol_unit=0.3)[2])
    with pytest.raises(sg.InputError, match="above 0"):
        nearest_breach(surface, 1.0, price_unit=0.0, vol_unit=1.0)


def test_margin_after_stress_by_hand() -> None:
    """10 % up: A is worth 11,000 and B -11,000; the points ask 15 % of each anew."""
    held, priced = shares(5_000.0)
    row = margin_after_stress(held, priced, sg.tims(), "one", [0.1]).iloc[0]
    assert (row["equity"], row["requirement"]) == (pytest.approx(5_000.0), pytest.approx(3_300.0))
    assert row["excess"] == pytest.approx(1_700.0)
    with pytest.raises(sg.InputError, match="above -1"):
        shocked(priced, -1.0)
    only_a = shocked(priced, 0.1, class_groups=["A"])
    assert only_a.underlyings.spots.tolist() == [pytest.approx(110.0), 200.0]


def test_missed_between_points() -> None:
    """A short butterfly around 104.5 is worst between the points at +3 % and +6 %; shares miss nothing."""
    strikes = {"L": 100.0, "M": 104.5, "H": 109.0}
    rows = [option(name, "XYZ", "C", strike, 2) for name, strike in strikes.items()]
    priced = market(
        [*rows, stock("Z")], {"XYZ": 100.0, "Z": 10.0}, [{"symbol": s, "vol": 0.2} for s in "LMH"]
    )
    held = book([("A", "L", -10.0), ("A", "M", 20.0), ("A", "H", -10.0), ("A", "Z", 100.0)])
    table = missed_between_points(sg.margin(held, priced, sg.tims())).set_index("class_group")
    assert table.loc["Z", "missed"] == pytest.approx(0.0, abs=1e-9)
    prices = 100.0 * (1.0 + np.linspace(-0.15, 0.15, 401))
    signs = {"L": -10.0, "M": 20.0, "H": -10.0}

    def pnl(spot: float) -> float:
        gains = [
            signs[name] * 100.0 * (call(spot, strike, 0.2, 2) - call(100.0, strike, 0.2, 2))
            for name, strike in strikes.items()
        ]
        return sum(gains)

    points = [pnl(100.0 * (1 + 0.03 * k)) for k in range(-5, 6) if k]
    assert table.loc["XYZ", "regime_worst"] == pytest.approx(-min(points), abs=CENT)
    assert table.loc["XYZ", "dense_worst"] == pytest.approx(-min([*map(pnl, prices), *points]), abs=CENT)
    assert table.loc["XYZ", "missed"] > 100.0
    assert 0.03 < table.loc["XYZ", "price_shock"] < 0.06


def test_what_cannot_be_spanned_is_refused() -> None:
    held, priced = shares(0.0)
    weighted = sg.house(scenarios=sg.ScenarioSet.points([-0.1, 0.1], weight=[1.0, 0.5]))
    with pytest.raises(sg.InputError, match="unweighted"):
        missed_between_points(sg.margin(held, priced, weighted))
    groups = pd.DataFrame({"underlying": ["A", "B"], "class_group": "S"})
    rows = [{"scenario": "one", "underlying": "A", "spot_shock": -0.1}]
    joint = sg.house(scenarios=sg.ScenarioSet.joint(pd.DataFrame(rows)))
    merged = market([stock("A"), stock("B")], {"A": 100.0, "B": 200.0}, groups=groups)
    with pytest.raises(sg.InputError, match="move together"):
        missed_between_points(sg.margin(held, merged, joint))
    assert missed_between_points(sg.margin(book([]), priced, sg.tims())).empty


def test_the_firms_own_loss_by_hand() -> None:
    """A falls by half: the long one owes 5,000 - 1,000 = 4,000, its short neighbour is fine; up by half the
    short one (equity 2,000) owes 3,000. Calls and cash follow from 15 % of 10,000."""
    accounts = [{"account": "long", "cash": -9_000.0}, {"account": "short", "cash": 12_000.0}]
    held = book([("long", "A", 100.0), ("short", "A", -100.0)], accounts)
    priced = market([stock("A")], {"A": 100.0})
    result = sg.margin(held, priced, sg.tims())
    found = firm_loss(held, priced, sg.ScenarioSet.grid([-0.5, 0.0, 0.5]), result)
    assert found.scenarios["firm_loss"].tolist() == pytest.approx([4_000.0, 0.0, 3_000.0])
    assert found.scenarios["defaults"].tolist() == [1, 0, 1]
    assert found.scenarios["calls"].tolist() == [1, 1, 1]
    assert found.scenarios["cash_called"].tolist() == pytest.approx([5_500.0, 500.0, 4_500.0])
    assert found.worst == 0
    assert found.accounts["margin_group"].tolist() == ["long", "short"]
    assert found.accounts["worst_shortfall"].tolist() == pytest.approx([4_000.0, 3_000.0])
    assert found.names.to_dict("list") == {"class_group": ["A"], "pnl": [pytest.approx(-5_000.0)]}
    with pytest.raises(sg.InputError, match="margin groups differ"):
        firm_loss(held.select(["long"]), priced, sg.ScenarioSet.grid([0.0]), result)

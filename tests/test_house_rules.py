"""Ranges and vol scans of a house one by one, against brokers' published examples and sums by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, market, option, stock
from house_world import CENT, OWN, one, regime, row, rules, scan

import shockgrid as sg
from shockgrid.regimes import house_rules, load_regime


def test_a_range_goes_by_name_then_sector_then_type(tmp_path: Path) -> None:
    """10 shares at 100: -25 % / +20 % by type, -50 % / +100 % by sector, +-40 % by name."""
    wide = {"down": 0.5, "up": 1.0, **OWN}
    own = {"range": {"down": 0.4, "up": 0.4, **OWN}, **OWN}
    found = regime(tmp_path, sectors={"biotech": wide}, names={"Z": own})
    held = market(
        [stock(name) for name in "XYZ"],
        {"X": 100.0, "Y": {"spot": 100.0, "sector": "biotech"}, "Z": {"spot": 100.0, "sector": "biotech"}},
    )
    sizes = [(f"{name}{size:+d}", name, size) for name in "XYZ" for size in (10, -10)]
    result = sg.margin(book(sizes), held, found)
    expected = {"X+10": 250, "X-10": 200, "Y+10": 500, "Y-10": 1000, "Z+10": 400, "Z-10": 400}
    for account, loss in expected.items():
        assert scan(result, account) == pytest.approx(loss)


def test_a_range_is_never_less_than_five_deviations() -> None:
    for vol, expected in ((0.5, 250.0), (1.0, 1000 * 5.0 * 1.0 / np.sqrt(252.0))):
        result = sg.margin(book([("A", "X", 10)]), one(atm_vol_dec=vol), house_rules())
        assert scan(result) == pytest.approx(expected)


@pytest.mark.parametrize(("days", "expected", "left"), [(0, 375.0, -4.0), (3, 375.0, -1.0), (4, 250.0, 0.0)])
def test_ranges_are_half_as_wide_again_before_earnings(
    tmp_path: Path, days: int, expected: float, left: float
) -> None:
    date = f"{AS_OF + pd.Timedelta(days=days):%Y-%m-%d}"
    result = sg.margin(
        book([("A", "X", 10)]), one(), regime(tmp_path, names={"X": {"earnings": date, **OWN}})
    )
    assert scan(result) == pytest.approx(expected)
    assert rules(result).loc["earnings", "distance"] == left
    assert bool(rules(result).loc["earnings", "passed"]) == (left >= 0.0)


@pytest.mark.parametrize(("kind", "move"), [("equity", 0.15), ("broad_index", 0.75), ("narrow_index", 1.50)])
def test_vols_are_scanned_by_type_at_every_price(tmp_path: Path, kind: str, move: float) -> None:
    """A range of nothing leaves the vol: a long call loses what it is worth less at 1 - 15, 75, 150 %."""
    still = {"down": 1e-9, "up": 1e-9, **OWN}
    found = regime(tmp_path, ranges={kind: still}, vol_range={"sigmas": {"value": 0.0}})
    spots = {"X": {"spot": 100.0, "portfolio_type": kind}}
    priced = market([option("O", "X", "C", 95.0, 60.0)], spots, [{"symbol": "O", "vol": 0.4}], rate=0.0)
    terms = {"forwards": 100.0, "strikes": 95.0, "expiries": 60 / 365, "discount_factors": 1.0}
    values = sg.price_european(**terms, is_call=True, vols=[0.4, 0.4 * max(1.0 - move, 0.0)])
    result = sg.margin(book([("A", "O", 1)]), priced, found)
    assert scan(result) == pytest.approx(100 * (values[0] - values[1]), abs=1e-4)  # 1e-9 of 10,000, and delta


def test_vols_move_against_the_price_where_a_house_says_so(tmp_path: Path) -> None:
    """A vol scan of 15 % and half of it along with the price: -15 .. +15 % about +7.5 % at the low end."""
    found = regime(tmp_path, vol_with_price={"value": 0.5})
    rows = sg.margin(book([("A", "X", 1)]), one(), found).scenarios("A").groupby("price_shock")["vol_shock"]
    low, still, high = ((move - 0.15, move, move + 0.15) for move in (0.075, 0.0, -0.075))
    for price, expected in ((-0.25, low), (0.0, still), (0.20, high)):
        assert rows.get_group(price).tolist() == pytest.approx(expected)
    shipped = sg.margin(book([("A", "X", 1)]), one(), regime(tmp_path)).scenarios("A")
    assert shipped["vol_shock"].unique().tolist() == [-0.15, 0.0, 0.15]


def test_a_rule_for_a_name_that_is_not_there_is_noted(tmp_path: Path) -> None:
    wide = {"down": 0.5, "up": 1.0, **OWN}
    found = regime(tmp_path, names={"XX": {"range": wide, **OWN}}, sectors={"biotech": wide})
    notes = sg.margin(book([("A", "X", 1)]), one(sector="oil"), found).notes
    assert "rules for the name XX: the market has none" in notes
    assert "rules for the sector biotech: the market has none" in notes


def test_schwab_s_example_of_epr_and_pnr(tmp_path: Path) -> None:
    """Equity 100,000, EPR 30 %: 4,000 shares have PNR 25 %, so 120,000; 3,000 have 33.3 %, so 45,000."""
    found = regime(tmp_path, ranges={"equity": {"down": 0.15, "up": 0.15}})
    for shares, pnr, expected in ((4_000, 0.25, 120_000.0), (3_000, 1 / 3, 45_000.0)):
        cash = [{"account": "A", "cash": 100_000.0 - 100.0 * shares}]
        result = sg.margin(book([("A", "X", shares)], cash), one(), found)
        assert scan(result) + row(result)["expected_range"] == pytest.approx(expected)
        rule = rules(result).loc["expected_range"]
        assert rule[["value", "limit", "distance"]].to_list() == pytest.approx([pnr, 0.30, pnr - 0.30])
        assert (rule["subject"], bool(rule["passed"])) == ("X", pnr > 0.30)


def test_each_side_of_the_expected_range_stands_by_itself(tmp_path: Path) -> None:
    """A short of 4,000 shares: PNR is 25 % upwards; EPR of 20 % up and 90 % down leaves it alone."""
    own = {"expected": {"down": 0.9, "up": 0.2, **OWN}, **OWN}
    found = regime(tmp_path, names={"X": own})
    cash = [{"account": "A", "cash": 500_000.0}]
    result = sg.margin(book([("A", "X", -4_000)], cash), one(), found)
    assert row(result)["expected_range"] == 0.0
    assert rules(result).loc["expected_range", "distance"] == pytest.approx(0.05)


def test_an_account_without_equity_is_inside_every_range() -> None:
    cash = [{"account": "A", "cash": -2_000.0}]
    result = sg.margin(book([("A", "X", 10)], cash), one(), house_rules())
    assert row(result)["expected_range"] == pytest.approx(0.30 * 1_000 - 0.25 * 1_000)
    assert rules(result).loc["expected_range", "value"] == 0.0


def test_every_line_has_words_and_every_rule_a_distance() -> None:
    columns = {
        "adv": 1e6,
        "market_cap": 1e9,
        "high_52w": 130.0,
        "beta": 1.0,
        "borrow_dec": 0.02,
        "sector": "oil",
    }
    priced = market(
        [stock("X"), option("O", "X", "C", 105.0, 30.0)],
        {"X": {"spot": 100.0, "atm_vol_dec": 0.4, **columns}},
        [{"symbol": "O", "vol": 0.4}],
    )
    result = sg.margin(book([("A", "X", -50), ("A", "O", -3)]), priced, load_regime("house-rules"))
    shown = result.explain("A")
    assert shown.loc[shown["level"] == "line", "amount"].sum() == pytest.approx(
        row(result)["requirement"], abs=CENT
    )
    own = {add_on.name for add_on in result.regimes["house"].add_ons}
    lines = shown[(shown["level"] == "line") & shown["name"].isin(own)]
    assert (lines["words"] != "").all()
    listed = shown[shown["level"] == "rule"]
    expected = {"concentration", "sector_crash", "return_to_high", "liquidity", "crowding", "low_cap"}
    expected |= {"vega_limit", "hard_to_borrow", "expected_range", "beta_-20%", "notional_limit"}
    assert expected <= set(listed["name"])
    assert ((listed["distance"] >= 0.0) == listed["passed"]).all()
    assert np.isfinite(listed[["amount", "limit", "distance"]].to_numpy(float)).all()


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"ranges": {"equity": {"down": 0.0}}}, r"ranges\.equity\.down"),
        ({"names": {"X": {"range": {"down": 2.0, "up": 0.1, **OWN}, **OWN}}}, r"names\.X\.range\.down"),
        ({"limits": {"vega": {"value": -1.0}}}, r"limits\.vega\.value"),
        ({"wisdom": 1.0}, "wisdom"),
    ],
)
def test_a_bad_file_is_refused_by_path(tmp_path: Path, changes: dict[str, Any], path: str) -> None:
    with pytest.raises(sg.errors.ParameterError, match=path):
        regime(tmp_path, **changes)

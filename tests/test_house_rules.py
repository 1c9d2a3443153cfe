"""House rules one by one, against brokers' published examples and sums written out by hand."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, market, option, stock
from toml_text import written

import shockgrid as sg
from shockgrid.regimes import house_rules, load_regime
from shockgrid.requirement.explain import SCAN_LINES

CENT = 0.005
SHIPPED = resources.files("shockgrid.regimes") / "parameters" / "house-rules-2026-11-20.toml"
OWN = {"source": "a firm of one", "confidence": "unconfirmed"}


def merged(table: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The table with the changes laid over it, level by level."""
    both = dict(table)
    for name, value in changes.items():
        nested = isinstance(value, dict) and isinstance(both.get(name), dict)
        both[name] = merged(both[name], value) if nested else value
    return both


def regime(folder: Path, **changes: Any) -> sg.Regime:
    table = merged(tomllib.loads(SHIPPED.read_text()), changes)
    table["effective"] = str(table["effective"])
    path = folder / "house-rules.toml"
    path.write_text(written(table))
    return house_rules(path)


def one(name: str = "X", spot: float = 100.0, **columns: Any) -> sg.Market:
    return market([stock(name)], {name: {"spot": spot, **columns}})


def row(result: sg.MarginResult, account: str = "A") -> Any:
    return result.accounts.set_index("margin_group").loc[account]


def scan(result: sg.MarginResult, account: str = "A") -> float:
    return float(row(result, account)[list(SCAN_LINES)].sum())


def rules(result: sg.MarginResult, account: str = "A") -> Any:
    found = result.rules
    return found[found["margin_group"] == account].set_index("name")


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


@pytest.mark.parametrize(("cap", "rate"), [(715e6, 500 / 715), (400e6, 1.0), (10e9, 0.25)])
def test_a_small_issuer_is_charged_its_rate(cap: float, rate: float) -> None:
    """IB: the greater of the concentration rate and 500M / market cap; at 500M and below all of it."""
    result = sg.margin(book([("A", "X", 1_000)]), one(market_cap=cap), house_rules())
    assert scan(result) + row(result)["low_cap"] == pytest.approx(rate * 100_000)


def test_ib_s_example_of_two_assets_of_a_small_issuer(tmp_path: Path) -> None:
    """Market cap 715M, equal values, rates of 100 % and 30 %: the new rates make 85 %."""
    names = {
        name: {"range": {"down": rate, "up": rate, **OWN}, **OWN} for name, rate in (("X", 1.0), ("Y", 0.3))
    }
    spots = {name: {"spot": 100.0, "market_cap": 715e6} for name in "XY"}
    priced = market([stock("X"), stock("Y")], spots)
    result = sg.margin(book([("A", "X", 10), ("A", "Y", 10)]), priced, regime(tmp_path, names=names))
    share = (scan(result) + row(result)["low_cap"]) / 2_000.0
    assert share == pytest.approx((1.0 + 500 / 715) / 2)
    assert round(share, 2) == 0.85


def test_a_sector_falls_as_one() -> None:
    """Three names of 25,000: scans 18,750, two at 30 % and one at 5 % 16,250, the sector's crash 22,500."""
    spots = {name: {"spot": 100.0, "sector": "oil"} for name in "XYZ"} | {
        "B": {"spot": 100.0, "sector": "it"}
    }
    priced = market([stock(name) for name in spots], spots)
    result = sg.margin(
        book([("A", name, 250) for name in "XYZ"] + [("C", "X", 250), ("C", "B", 250)]), priced, house_rules()
    )
    assert row(result)["sector_crash"] == pytest.approx(22_500 - 18_750)
    assert row(result, "C")["sector_crash"] == 0.0  # 7,500 of one sector below 15,000 of both at 30 %
    assert rules(result).loc["sector_crash", "distance"] == pytest.approx(18_750 - 22_500)


def test_a_short_pays_for_the_way_back_to_the_high() -> None:
    """100 shares short at 100, high 180: 8,000 against 3,000 under the concentration rule."""
    result = sg.margin(book([("A", "X", -100)]), one(high_52w=180.0), house_rules())
    assert row(result)["return_to_high"] == pytest.approx(8_000 - 3_000)
    assert row(result)["requirement"] == pytest.approx(8_000)
    long = sg.margin(book([("A", "X", 100)]), one(high_52w=180.0), house_rules())
    assert row(long)["return_to_high"] == 0.0


def test_what_takes_long_to_sell_is_charged() -> None:
    """10,000 shares, 10,000 a day: a tenth of the volume for three days sells 3,000; 5 % on 7,000 x 100."""
    result = sg.margin(book([("A", "X", 10_000)]), one(adv=10_000.0), house_rules())
    assert row(result)["liquidity"] == pytest.approx(35_000.0)
    assert rules(result).loc["liquidity", ["value", "limit", "distance"]].to_list() == pytest.approx(
        [10, 3, -7]
    )
    blank = sg.margin(book([("A", "X", 10_000)]), one(), house_rules())
    assert row(blank)["liquidity"] == 0.0
    assert "liquidity" not in rules(blank).index


def test_a_name_the_firm_is_crowded_in_costs_the_crowd() -> None:
    """Net 25,000 of 10,000 a day, 2.5 days against 2: a fifth of each long at 5 %; the short pays nothing."""
    held = book([("A", "X", 10_000), ("B", "X", 20_000), ("C", "X", -5_000)])
    result = sg.margin(held, one(adv=10_000.0), house_rules())
    charges = result.accounts.set_index("margin_group")["crowding"]
    assert charges.to_dict() == pytest.approx({"A": 10_000.0, "B": 20_000.0, "C": 0.0})
    assert rules(result, "C").loc["crowding", "distance"] == pytest.approx(-0.5)


def test_shares_that_are_dear_to_borrow() -> None:
    held = book([("A", "X", -100), ("B", "X", 100)])
    for rate, charge in ((0.25, 1_000.0), (0.10, 0.0), (0.01, 0.0)):
        result = sg.margin(held, one(borrow_dec=rate), house_rules())
        assert row(result)["hard_to_borrow"] == pytest.approx(charge)
        assert row(result, "B")["hard_to_borrow"] == 0.0
        assert rules(result).loc["hard_to_borrow", "distance"] == pytest.approx(0.10 - rate)


def test_index_moves_by_beta_are_limits_by_equity() -> None:
    """1,000 shares at 100, beta 1.5, equity 12,000: -20 % costs 30,000 of 24,000, -12 % 18,000 of 12,000."""
    cash = [{"account": "A", "cash": -88_000.0}]
    result = sg.margin(book([("A", "X", 1_000)], cash), one(beta=1.5), house_rules())
    found = rules(result)
    assert found.loc["beta_-20%", ["value", "limit"]].to_list() == pytest.approx([30_000, 24_000])
    assert found.loc["beta_-12%", ["value", "limit"]].to_list() == pytest.approx([18_000, 12_000])
    assert found.loc["beta_+10%", "value"] == 0.0
    assert not found.loc[["beta_-20%", "beta_-12%"], "passed"].any()


def test_limits_on_vega_short_options_and_notional() -> None:
    """Ten short calls, equity 3,000: two contracts a thousand; 20 times the equity; 2 % of it a vol point."""
    call = option("O", "X", "C", 100.0, 365.0)
    priced = market([call], {"X": 100.0}, [{"symbol": "O", "vol": 0.2, "mark": 8.0}], rate=0.0)
    cash = [{"account": "A", "cash": 11_000.0}]
    result = sg.margin(book([("A", "O", -10)], cash), priced, house_rules())
    found = rules(result)
    assert found.loc["short_unit_limit", ["value", "limit"]].to_list() == pytest.approx([10, 6])
    assert found.loc["notional_limit", ["value", "limit"]].to_list() == pytest.approx([100_000, 60_000])
    terms = {"forwards": 100.0, "strikes": 100.0, "expiries": 1.0, "discount_factors": 1.0, "is_call": True}
    values = sg.price_european(**terms, vols=[0.2, 0.21])
    assert found.loc["vega_limit", "value"] == pytest.approx(1_000 * (values[1] - values[0]))
    assert found.loc["vega_limit", "limit"] == pytest.approx(60.0)
    assert found.loc["uncovered_shorts", "value"] == pytest.approx(1_000.0)
    assert row(result)["contingency"] == pytest.approx(0.005 * 100_000)


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

"""What a house adds to its scans: issuers, sectors, liquidity, crowding, borrowing, limits by equity."""

from __future__ import annotations

from pathlib import Path

import pytest
from books import book, market, option, stock
from house_world import OWN, one, regime, row, rules, scan

import shockgrid as sg
from shockgrid.regimes import house_rules


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

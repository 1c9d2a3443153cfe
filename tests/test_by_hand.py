"""Numbers worked by hand or printed by their source, each reached through margin()."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, requirement, stock

import shockgrid as sg

CENT = 0.005  # printed to the cent

CALL = "XYZ_CALL"


def short_call(days: float, vol: float, rate: float = 0.05) -> sg.Market:
    return market(
        [stock("XYZ"), option(CALL, "XYZ", "C", 100.0, days)],
        {"XYZ": 95.0},
        [{"symbol": CALL, "vol": vol}],
        rate=rate,
    )


def test_short_call_at_all_ten_points() -> None:
    """The P&L at -15, -12, .. -3, +3, .. +15 %: Black-Scholes differences worked with 50 digits."""
    result = sg.margin(book([("A", CALL, -1)]), short_call(30, 0.30), sg.tims())
    printed = [151.33, 147.14, 136.55, 113.71, 70.91, -105.51, -248.67, -428.39, -640.11, -877.26]
    assert result.scenarios("A")["pnl"].to_numpy() == pytest.approx(printed, abs=CENT)
    assert requirement(result) == pytest.approx(877.26, abs=CENT)


def test_covered_call_nets_within_its_class() -> None:
    """1,425 of the shares less 151.33 of the call, against 1,425 + 877.26 for the two by themselves."""
    result = sg.margin(book([("A", CALL, -1), ("A", "XYZ", 100)]), short_call(30, 0.30), sg.tims())
    assert requirement(result) == pytest.approx(1273.67, abs=CENT)
    assert requirement(result, column="stand_alone_sum") == pytest.approx(2302.26, abs=CENT)
    assert requirement(result, column="hedge_benefit") == pytest.approx(1273.67 - 2302.26, abs=2 * CENT)


def pair() -> tuple[sg.Book, sg.Market]:
    """Long 100 A at 150, short 1 B 50-call at 2.00, S_B = 50, r = 0 (any expiry: 90 days)."""
    priced = market(
        [stock("A"), stock("B"), option("B50", "B", "C", 50.0, 90)],
        {"A": 150.0, "B": 50.0},
        [{"symbol": "B50", "mark": 2.00}],
        rate=0.0,
    )
    return book([("A", "A", 100), ("A", "B50", -1)]), priced


def joint_rows() -> sg.ScenarioSet:
    moves = [(-0.15, -0.15, 0.20), (0.15, 0.15, 0.20), (-0.10, 0.20, 0.30), (0.0, 0.10, -0.15)]
    rows = [
        {"scenario": f"row {k + 1}", "underlying": name, "spot_shock": spot, "vol_shock": vol}
        for k, (a, b, vol) in enumerate(moves)
        for name, spot in (("A", a), ("B", b))
    ]
    return sg.ScenarioSet.joint(pd.DataFrame(rows))


def test_second_table() -> None:
    held, priced = pair()
    plain = {"contingency_rate": 0.0, "concentrated": False}
    joint = sg.margin(held, priced, sg.house(scenarios=joint_rows(), joint=True, **plain))
    assert requirement(joint) == pytest.approx(2326.26, abs=CENT)
    assert requirement(joint, column="worst_scenario") == 2
    option_pnl = joint.scenarios("A").query("class_group == 'B'")["pnl"].to_numpy()
    assert option_pnl == pytest.approx([177.34, -589.15, -826.26, -329.59], abs=CENT)
    assert requirement(sg.margin(held, priced, sg.tims())) == pytest.approx(2819.99, abs=CENT)
    common = sg.house(spot=[-0.15, 0.15], vol=[0.0], joint=True, **plain)
    assert requirement(sg.margin(held, priced, common)) == pytest.approx(2060.24, abs=CENT)
    independent = sg.margin(held, priced, common).accounts["requirement_zero_offsets"].iloc[0]
    assert independent == pytest.approx(2819.99, abs=CENT)


def test_concentration_overlay() -> None:
    """0.30 x 160k + 0.05 x 40k = 50,000 tops up 0.15 x 200k; 0.30 x 50k + 0.05 x 150k = 22,500 does not."""
    regime = sg.house(spot=[-0.15, 0.15], vol=[0.0], contingency_rate=0.0)
    uneven = {"X": 100_000, "Y": 60_000, "Z": 40_000}
    even = {f"N{k}": 25_000 for k in range(8)}
    for longs, expected, top_up in ((uneven, 50_000.0, 20_000.0), (even, 30_000.0, 0.0)):
        priced = market([stock(name) for name in longs], dict.fromkeys(longs, 1.0))
        result = sg.margin(book([("A", name, size) for name, size in longs.items()]), priced, regime)
        assert requirement(result) == pytest.approx(expected, abs=CENT)
        assert requirement(result, column="concentration") == pytest.approx(top_up, abs=CENT)


def contingency_book() -> tuple[sg.Book, sg.Market]:
    """10 short calls against 4 higher calls and 300 shares at 95."""
    priced = market(
        [stock("XYZ"), option("C100", "XYZ", "C", 100.0, 30), option("C110", "XYZ", "C", 110.0, 30)],
        {"XYZ": 95.0},
        [{"symbol": "C100", "vol": 0.3}, {"symbol": "C110", "vol": 0.3}],
    )
    return book([("A", "C100", -10), ("A", "C110", 4), ("A", "XYZ", 300)]), priced


def test_contingency_on_uncovered_shorts() -> None:
    """3 contracts x 100 x 95 x 0.5 % = 142.50; as a floor it only tops up."""
    held, priced = contingency_book()
    result = sg.margin(held, priced, sg.house(concentrated=False))
    assert requirement(result, column="contingency") == pytest.approx(142.50, abs=CENT)
    floor = sg.margin(held, priced, sg.house(concentrated=False, contingency_mode="floor"))
    assert requirement(floor, column="contingency") == 0.0
    scan = requirement(result) - 142.50
    assert requirement(floor) == pytest.approx(scan, abs=CENT)


def test_group_offsets() -> None:
    """Class A -5,000 and class B +4,000 at the worst point, offset 100, 90, 75 and 0 %.

    10,000 / 0.15 and 8,000 / 0.15 of stock give 5,000 and 4,000 at half the range... spelled out: long A
    worth 33,333.33 loses 5,000 at -15 %, short B worth 26,666.67 gains 4,000 there.
    """
    groups = pd.DataFrame({"underlying": ["A", "B"], "product_group": ["pair", "pair"]})
    for share, expected in ((1.0, 1000.0), (0.9, 1400.0), (0.75, 2000.0), (0.0, 5000.0)):
        offsets = pd.DataFrame([{"level": "product", "group": "pair", "offset_dec": share}])
        priced = market([stock("A"), stock("B")], {"A": 100 / 3, "B": 80 / 3}, groups=groups, offsets=offsets)
        result = sg.margin(book([("A", "A", 1000), ("A", "B", -1000)]), priced, sg.tims())
        assert requirement(result) == pytest.approx(expected, abs=CENT)
        assert requirement(result, column="requirement_zero_offsets") == pytest.approx(5000.0, abs=CENT)
        assert requirement(result, column="stand_alone_sum") == pytest.approx(9000.0, abs=CENT)
        assert requirement(result, column="offset_benefit") == pytest.approx(expected - 9000.0, abs=CENT)


def test_what_nets_to_nothing_is_no_sibling() -> None:
    """A flat pair or a zero quantity in a third class group of the family changes nothing."""
    groups = pd.DataFrame(
        {"underlying": ["A", "B", "C"], "product_group": ["P", "Q", "P"], "portfolio_group": ["F", "F", "F"]}
    )
    offsets = pd.DataFrame(
        [
            {"level": "product", "group": "P", "offset_dec": 0.5},
            {"level": "portfolio", "group": "F", "offset_dec": 0.5},
        ]
    )
    spots = {"A": 100.0, "B": 100.0, "C": 100.0}
    priced = market([stock(name) for name in spots], spots, groups=groups, offsets=offsets)
    accounts = [{"account": name, "cash": 0.0, "margin_group": "M"} for name in ("one", "two")]
    pair = [("one", "A", -1000.0), ("one", "B", 1000.0)]
    alone = sg.margin(book(pair, accounts), priced, sg.tims())
    assert requirement(alone, "M") == pytest.approx(15000 - 0.5 * 15000, abs=CENT)
    for more in ([("one", "C", 5.0), ("two", "C", -5.0)], [("one", "C", 0.0)]):
        flat = sg.margin(book([*pair, *more], accounts), priced, sg.tims())
        assert requirement(flat, "M") == requirement(alone, "M")


def test_leveraged_and_inverse_funds() -> None:
    """The range of the tracked index times the leverage (FINRA RN 09-53); an inverse moves against it."""
    priced = market(
        [stock("SPXL", "etf"), stock("SH", "etf")],
        {
            "SPXL": {"spot": 100.0, "portfolio_type": "broad_index_high_cap", "leverage": 3.0},
            "SH": {"spot": 100.0, "portfolio_type": "broad_index_high_cap", "leverage": -1.0},
        },
    )
    held = book([("A", "SPXL", 100), ("B", "SH", 100), ("C", "SH", -100)])
    result = sg.margin(held, priced, sg.tims())
    assert requirement(result, "A") == pytest.approx(100 * 100 * 3 * 0.08, abs=CENT)
    assert requirement(result, "B") == pytest.approx(100 * 100 * 0.06, abs=CENT)
    assert requirement(result, "C") == pytest.approx(100 * 100 * 0.08, abs=CENT)


def test_minimum_per_contract() -> None:
    """Long 100 puts and 100 calls far from the money: 200 x 37.50 = 7,500; a flat pair costs nothing.

    Cboe, Margin Requirement Examples for Sample Options-based Positions, 2007.
    """
    rows = [option("FAR_P", "XYZ", "P", 10.0, 30), option("FAR_C", "XYZ", "C", 900.0, 30)]
    quotes = [{"symbol": "FAR_P", "vol": 0.3}, {"symbol": "FAR_C", "vol": 0.3}]
    priced = market(rows, {"XYZ": 100.0}, quotes)
    result = sg.margin(book([("A", "FAR_P", 100), ("A", "FAR_C", 100)]), priced, sg.tims())
    assert requirement(result) == pytest.approx(7500.0, abs=CENT)
    accounts = [{"account": name, "cash": 0.0, "margin_group": "M"} for name in ("one", "two")]
    flat = sg.margin(book([("one", "FAR_C", 5), ("two", "FAR_C", -5)], accounts), priced, sg.tims())
    assert requirement(flat, "M") == 0.0


def test_sigma_scaled_ranges() -> None:
    """k x sigma x sqrt(days / 252): 5 x 0.32 x sqrt(10 / 252) on a stock at 100."""
    priced = market([stock("XYZ")], {"XYZ": {"spot": 100.0, "atm_vol_dec": 0.32}})
    regime = sg.house(sigmas=5.0, horizon_days=10.0, vol=[0.0], concentrated=False, contingency_rate=0.0)
    result = sg.margin(book([("A", "XYZ", 100)]), priced, regime)
    assert requirement(result) == pytest.approx(100 * 100 * 5 * 0.32 * np.sqrt(10 / 252), abs=CENT)


def test_term_scaled_vol_shocks() -> None:
    """A vol shock of 30 % relative on a 120-day option at power 0.5 is 15 % on its vol."""
    rows, quotes = [option("C120", "XYZ", "C", 100.0, 120)], [{"symbol": "C120", "vol": 0.4}]
    priced = market(rows, {"XYZ": 100.0}, quotes)
    plain = {"spot": [0.0], "concentrated": False, "contingency_rate": 0.0}
    scaled = sg.margin(book([("A", "C120", -1)]), priced, sg.house(vol=[0.30], term_power=0.5, **plain))
    by_hand = sg.margin(book([("A", "C120", -1)]), priced, sg.house(vol=[0.15], **plain))
    assert requirement(scaled) == pytest.approx(requirement(by_hand), abs=1e-9)
    assert requirement(scaled) > 0.0

"""Sixteen things that a margin engine must not take for granted, each a rule that some venue has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, requirement, stock
from span_world import MULTIPLIER, commodity, file, world
from test_deribit import future
from test_deribit import world as coin_world
from test_span import CALL, published
from test_venue_properties import COIN_MARKET, LINEAR_MARKET

import shockgrid as sg
from shockgrid.requirement import Context, Measured, rule
from shockgrid.vol_rules import Rotated

ROUNDING = 1e-6
TWO = market([stock("A"), stock("B")], {"A": 100.0, "B": 50.0})


def vector(held: dict[str, float], priced: sg.Market, regime: sg.Regime) -> np.ndarray:
    """P&L of one account by scenario, class groups summed."""
    result = sg.margin(book([("A", *item) for item in held.items()]), priced, regime)
    return result.scenarios("A").groupby("scenario")["pnl"].sum().to_numpy()


def lines(held: dict[str, float], priced: sg.Market, regime: sg.Regime) -> pd.Series:
    return sg.margin(book([("A", *item) for item in held.items()]), priced, regime).accounts.iloc[0]


def test_1_names_move_by_amounts_of_their_own() -> None:
    moves = pd.DataFrame({"scenario": ["s", "s"], "underlying": ["A", "B"], "spot_shock": [-0.10, 0.20]})
    assert vector({"A": 1, "B": 1}, TWO, sg.Regime("joint", sg.ScenarioSet.joint(moves))) == pytest.approx(
        0.0
    )


def test_2_moves_are_neither_symmetric_nor_per_cent(tmp_path: Path) -> None:
    tims = sg.tims().scenarios.spot(
        market([stock("I")], {"I": {"spot": 1.0, "portfolio_type": "broad_index_high_cap"}})
    )
    assert (tims.min(), tims.max()) == (-0.08, 0.06)
    points = commodity(price_range=20.0), commodity(price_range=20.0)
    regime = sg.regimes.span(file(tmp_path, commodities=dict(zip(("SP", "ND"), points, strict=True))))
    for name in ("SPZ", "ND"):  # 410 and 800: 20 points of 500 either way
        assert requirement(sg.margin(book([("A", name, 1)]), world(), regime)) == pytest.approx(
            20 * MULTIPLIER
        )


def test_3_vols_move_by_points_and_turn() -> None:
    call = option("O", "A", "C", 120.0, 90.0)
    priced = market([call], {"A": 100.0}, [{"symbol": "O", "vol": 0.3}], rate=0.0)
    rule = Rotated(False, 0.0, 0.01, 4.0, 0.6, 0.0)
    turned = sg.Regime("turned", sg.ScenarioSet.points([0.0], [0.25], vol_rule=rule))
    added = sg.Regime("added", sg.ScenarioSet.points([0.0], [0.07], "absolute"))
    years = 90 / 365
    move = min(np.log(1.2) * 0.25 / (np.sqrt(years) * 4 * 0.6), 0.25)
    terms: dict[str, Any] = {
        "forwards": 100.0, "strikes": 120.0, "expiries": years, "discount_factors": 1.0, "is_call": True,
    }  # fmt: skip
    base = sg.price_european(**terms, vols=0.3)
    for regime, vol in ((turned, 0.3 * (1 + move)), (added, 0.37)):
        expected = 100 * (sg.price_european(**terms, vols=vol) - base)
        assert vector({"O": 1}, priced, regime) == pytest.approx([float(expected)], abs=ROUNDING)


def test_4_a_contingency_competes_with_the_scenarios(tmp_path: Path) -> None:
    """Derive: what binds is the greater of the worst scenario and the forward contingency, not their sum."""
    far = {"C50000_90": 1, "P50000_90": -1, "DATED": -1}
    row = lines(far, LINEAR_MARKET, sg.regimes.derive())
    scan = row[["stand_alone_sum", "hedge_benefit", "offset_benefit", "minimum"]].sum()
    forward = 0.045 * 61_500.0 * (0.5 + 2.0 * 90 / 365)  # of a forward, discounted below
    factor = np.exp(-0.05 * 90 / 365)
    assert scan + row["forward_contingency"] == pytest.approx(max(scan, forward * factor), rel=1e-6)


def test_5_charges_stand_inside_and_outside_the_factor() -> None:
    """Deribit's 0.8 is on worst case and roll shock; Derive's on the worst loss alone."""
    coin = lines({"PERP": 100}, COIN_MARKET, sg.regimes.deribit())
    core = coin["requirement"] - coin["mm_factor"]
    assert coin["requirement"] == pytest.approx(0.8 * core)
    assert coin["roll_shock"] > 0.0
    stable = lines({"PERP": 1}, LINEAR_MARKET, sg.regimes.derive())
    assert stable["requirement"] == pytest.approx(0.8 * 0.18 * 600_000 + 0.03 * 600_000)


def test_6_transforms_are_not_linear() -> None:
    """A hedge in another expiry does not undo a discount that depends on the sign of each expiry's value."""
    derive = sg.regimes.derive()
    near, far = {"C70000_20": 3}, {"C50000_90": -3}
    both = vector(near | far, LINEAR_MARKET, derive)
    parts = vector(near, LINEAR_MARKET, derive) + vector(far, LINEAR_MARKET, derive)
    assert both == pytest.approx(parts)
    one_expiry = {"C70000_90": 3}
    mixed = vector(one_expiry | far, LINEAR_MARKET, derive)
    assert not np.allclose(
        mixed, vector(one_expiry, LINEAR_MARKET, derive) + vector(far, LINEAR_MARKET, derive)
    )
    skew = [place for place, name in enumerate(derive.scenarios.names) if name.endswith(("linear", "abs"))]
    assert (both[skew] <= 0.0).all()


def test_7_a_published_array_counts_losses_as_positive(tmp_path: Path) -> None:
    arrays = published([-100.0] + [0.0] * 15)
    pnl = vector({CALL: 2}, world(), sg.regimes.span(file(tmp_path), arrays=arrays))
    assert pnl == pytest.approx([-200.0] + [0.0] * 15)


def test_8_a_reducer_says_which_scenario(tmp_path: Path) -> None:
    row = lines({"SPZ": 1}, world(), sg.regimes.span(file(tmp_path)))
    assert row["worst_scenario"] == 12  # the whole range down, vols up: first of its pair


def test_9_each_requirement_has_its_own_worst_scenario() -> None:
    """Initial and maintenance share one scan; two rules side by side do not."""
    up = sg.Regime("up", sg.ScenarioSet.points([-0.01, 0.5]), side="exchange")
    down = sg.Regime("down", sg.ScenarioSet.points([-0.2, 0.0]))
    policy = sg.Policy({"default": sg.Program(up, down)})
    result = sg.margin(book([("A", "A", 1)]), TWO, policy)
    assert result.accounts.loc[0, ["exchange_requirement", "house_requirement"]].tolist() == pytest.approx(
        [1, 20]
    )
    assert result.accounts.loc[0, "worst_scenario"] == 0


def test_9_initial_margin_has_scenarios_of_its_own() -> None:
    """A short share: maintenance falls at +10 %, initial, over a set of its own, is worst at +40 %."""

    def initial_loss(context: Context) -> np.ndarray:
        worst = np.maximum(-context.leaves.tagged["initial"].min(axis=1), 0.0)
        return context.by_margin_group(worst)

    def measured(context: Context) -> Measured:
        tagged = context.leaves.tagged["initial"]
        names = np.array(["-20 %", "+40 %"], object)[tagged.argmin(axis=1)]
        figure = initial_loss(context)
        return Measured(figure, figure, figure * 0.0, names)

    scenarios = sg.ScenarioSet.points([-0.3, 0.1]) + sg.ScenarioSet.points([-0.2, 0.4], tag="initial")
    regime = sg.Regime(
        "both",
        scenarios,
        initial=(
            sg.requirement.AddOn("initial_scan", initial_loss, "floor", "the worst of the initial scenarios"),
        ),
        remarks=(rule("initial_scan", measured, "its own worst scenario"),),
    )
    result = sg.margin(book([("A", "A", -1)]), TWO, regime)
    row = result.accounts.iloc[0]
    assert (row["requirement"], row["initial_requirement"]) == (pytest.approx(10.0), pytest.approx(40.0))
    assert row["worst_scenario"] == 1
    assert result.rules["subject"].tolist() == ["+40 %"]


def test_10_gains_do_not_count_in_full() -> None:
    """TIMS: a product group without an offset; SPAN: commodities never net."""
    held = {"A": 1, "B": -2}
    groups = pd.DataFrame({"underlying": ["A", "B"], "product_group": ["P", "P"]})
    grouped = market([stock("A"), stock("B")], {"A": 100.0, "B": 50.0}, groups=groups)
    assert lines(held, grouped, sg.tims())["requirement"] == pytest.approx(15.0)
    joint = sg.house(spot=[-0.15, 0.15], vol=[0.0], joint=True, contingency_rate=0.0, concentrated=False)
    assert lines(held, grouped, joint)["requirement"] == pytest.approx(0.0, abs=ROUNDING)


def test_11_time_passes_in_a_scenario() -> None:
    """SPAN looks a day ahead: a call that expires within it is worth its intrinsic value."""
    priced = market(
        [option("O", "A", "C", 100.0, 0.5)], {"A": 101.0}, [{"symbol": "O", "vol": 0.5}], rate=0.0
    )
    aged = sg.Regime("aged", sg.ScenarioSet.points([0.0], roll_days=1.0))
    value = sg.price_european(
        forwards=101.0, strikes=100.0, expiries=0.5 / 365, vols=0.5, discount_factors=1.0, is_call=True
    )
    assert vector({"O": 1}, priced, aged) == pytest.approx([100 * (1.0 - float(value))], abs=ROUNDING)


def test_12_pnl_is_in_coin() -> None:
    """An inverse perpetual loses q s / (1 + s) coin, so that half the price costs the whole size."""
    half = sg.Regime("half", sg.ScenarioSet.points([-0.5]))
    held = sg.Book.from_frames(
        pd.DataFrame([{"account": "A", "symbol": "PERP", "quantity": 6_000.0}]),
        pd.DataFrame([{"account": "A", "cash": 0.0, "currency": "BTC"}]),
    )
    assert requirement(sg.margin(held, COIN_MARKET, half)) == pytest.approx(1.0)


def test_13_the_mark_is_not_the_model() -> None:
    """P&L starts from the model, so that no shock is no loss; equity is shown at both."""
    quotes = [{"symbol": "O", "vol": 0.3, "mark": 9.0}]
    priced = market([option("O", "A", "C", 100.0, 90.0)], {"A": 100.0}, quotes)
    row = lines({"O": 1}, priced, sg.Regime("still", sg.ScenarioSet.points([0.0])))
    assert row["equity_at_marks"] == pytest.approx(900.0)
    assert abs(row["equity_at_model"] - row["equity_at_marks"]) > 100.0
    assert row["requirement"] == 0.0


@pytest.mark.parametrize("cancels", [True, False])
def test_14_the_asset_itself_is_collateral_or_a_hedge(cancels: bool) -> None:
    """Derive: a coin held against a short perpetual, in the coin's class group or beside it."""
    rows = [
        {"symbol": "PERP", "underlying": "BTC", "type": "perpetual", "multiplier": 1.0},
        stock("WRAPPED", "etf"),
    ]
    groups = pd.DataFrame({"underlying": ["WRAPPED"], "class_group": ["BTC" if cancels else "WRAPPED"]})
    priced = market(rows, {"BTC": 60_000.0, "WRAPPED": 60_000.0}, groups=groups)
    pnl = vector({"PERP": -1, "WRAPPED": 1}, priced, sg.regimes.derive())
    assert (pnl.min() == pytest.approx(0.0, abs=ROUNDING)) == cancels


@pytest.mark.parametrize("minutes", [15.0, 45.0])
def test_15_what_is_settled_on_an_average_moves_less_at_the_end(minutes: float) -> None:
    """A quarter of an hour before a half-hour average ends, half of a deep call's move is left."""
    call = option("O", "A", "C", 1.0, minutes / 1440)
    priced = market([call], {"A": 100.0}, [{"symbol": "O", "vol": 0.3}], rate=0.0)
    averaged = sg.Regime("averaged", sg.ScenarioSet.points([-0.1, 0.0], averaging_minutes=30.0))
    share = min(minutes / 30.0, 1.0)
    assert vector({"O": 1}, priced, averaged) == pytest.approx([-1000.0 * share, 0.0], abs=ROUNDING)


@pytest.mark.parametrize("minutes", [15.0, 45.0])
def test_15_what_delivers_coin_by_an_average_moves_less_too(minutes: float) -> None:
    """An inverse future, 10 USD a contract: at -10 % and half of the average fixed, F falls by 5 % of it."""
    rows = [future("LAST", days=minutes / 1440)]
    priced = coin_world(rows, 60_000.0, [], {minutes / 1440: 60_000.0})
    averaged = sg.Regime("averaged", sg.ScenarioSet.points([-0.1, 0.0], averaging_minutes=30.0))
    falls = 60_000.0 * (1.0 - 0.1 * min(minutes / 30.0, 1.0))
    in_coin = 600.0 * 10.0 * (1.0 / 60_000.0 - 1.0 / falls)
    expected = [in_coin * 60_000.0, 0.0]  # coin at today's rate
    assert vector({"LAST": 600.0}, priced, averaged) == pytest.approx(expected, abs=ROUNDING)


def test_16_marginal_margin_is_not_additive() -> None:
    held = {"A": 10, "O": -1}
    priced = market(
        [stock("A"), option("O", "A", "C", 100.0, 60.0)], {"A": 100.0}, [{"symbol": "O", "vol": 0.3}]
    )
    result = sg.margin(book([("A", *item) for item in held.items()]), priced, sg.house(concentrated=False))
    scan = result.accounts[["stand_alone_sum", "hedge_benefit", "offset_benefit"]].sum(axis=1).iloc[0]
    assert result.positions["euler"].sum() == pytest.approx(scan)
    assert abs(result.positions["leave_one_out"].sum() - scan) > 1.0

"""The figures beside the requirement, each by hand: ladder, stress, group sums, minimums, tree, table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, expiry, market, option, requirement, stock, tables

import shockgrid as sg

CENT = 0.005
GROUPS = pd.DataFrame({"underlying": ["A", "B"], "product_group": ["P", "P"]})
SPOTS = {"A": 100.0, "B": {"spot": 50.0, "leverage": -2.0}}
PRICED = market(
    [stock("A"), stock("B"), option("AC", "A", "C", 400.0, 30)], SPOTS, [{"symbol": "AC", "vol": 0.3}]
)
TEN = sg.ScenarioSet.grid([0.1])
HELD = book([("one", "A", 10), ("one", "AC", -2), ("two", "B", 10), ("three", "A", -1)])


def row(result: sg.MarginResult, name: str) -> pd.Series:
    return result.accounts.set_index("margin_group").loc[name]


def test_the_ladder_and_the_stress() -> None:
    """10 shares at 100 lose 1,000 x the fall; 10 of an inverse double fund at 50 lose 1,000 x the rise."""
    result = sg.margin(HELD, PRICED, sg.tims())
    groups = result.groups.set_index("margin_group")
    for step in (10, 20, 30, 40, 50):
        assert groups.loc["one", f"loss_down_{step}"] == pytest.approx(10.0 * step, abs=0.2)  # less the call
        assert groups.loc["two", f"loss_up_{step}"] == pytest.approx(min(2 * 5.0 * step, 500.0), abs=CENT)
        assert groups.loc["two", f"loss_down_{step}"] == 0.0
        assert groups.loc["three", f"loss_up_{step}"] == pytest.approx(1.0 * step, abs=CENT)
    assert row(result, "two")["loss_up_25"] == pytest.approx(250.0, abs=CENT)
    assert row(result, "one")["loss_down_25"] == pytest.approx(250.0, abs=0.2)
    assert row(result, "one")["loss_up_25"] == 0.0


def test_group_figures() -> None:
    """Two far calls by themselves cost next to nothing, their minimum is 75, the shares alone lose 150."""
    groups = sg.margin(HELD, PRICED, sg.tims()).groups.set_index("margin_group")
    assert groups.loc["one", "minimum"] == pytest.approx(75.0, abs=CENT)
    assert groups.loc["one", "stand_alone_sum"] == pytest.approx(150.0, abs=0.1)
    assert groups.loc["one", "scan"] == pytest.approx(150.0, abs=0.1)
    assert groups.loc["one", "worst_scenario"] == 0
    assert groups.loc["one", "worst_price_shock"] == -0.15


def test_the_tree_shows_the_reduced_node() -> None:
    tree = sg.margin(HELD, PRICED, sg.tims()).explain("one").set_index("level")
    node = tree.loc["portfolio_group (reduced)"]
    assert node["amount"] == pytest.approx(150.0, abs=0.1)
    assert node["minimum"] == pytest.approx(75.0, abs=CENT)
    assert (node["scenario"], node["price_shock"]) == (0, -0.15)


def test_the_scenario_table_shows_the_range_of_shocks() -> None:
    table = sg.margin(HELD, PRICED, sg.tims()).scenario_table
    assert table["side"].unique().tolist() == ["exchange"]
    assert table["lowest_spot_shock"].iloc[0] == pytest.approx(-0.15)
    assert table["highest_spot_shock"].iloc[0] == pytest.approx(0.30)  # the inverse double fund
    assert (table[["lowest_vol_shock", "highest_vol_shock"]] == 0.0).all(axis=None)


def test_the_shock_shown_is_that_of_what_the_account_holds() -> None:
    """Whoever else holds the inverse fund of the class group does not change what a long of the ETF shows."""
    kind = {"portfolio_type": "broad_index_high_cap"}
    spots = {"SPY": {"spot": 100.0, **kind}, "SDS": {"spot": 20.0, "leverage": -2.0, **kind}}
    groups = pd.DataFrame({"underlying": ["SPY", "SDS"], "class_group": ["SP", "SP"]})
    priced = market([stock("SPY", "etf"), stock("SDS", "etf")], spots, groups=groups)
    alone = sg.margin(book([("a", "SPY", 100)]), priced, sg.tims())
    beside = sg.margin(book([("a", "SPY", 100), ("b", "SDS", 1)]), priced, sg.tims())
    for result in (alone, beside):
        assert row(result, "a")["worst_price_shock"] == -0.08
    assert row(beside, "b")["worst_price_shock"] == pytest.approx(-0.12)  # the index up 6 %
    hedged = sg.margin(book([("a", "SPY", 100), ("a", "SDS", 250)]), priced, sg.tims())
    assert row(hedged, "a")[["requirement", "loss_down_25", "loss_up_25"]].max() == pytest.approx(
        0.0, abs=CENT
    )


def test_vols_of_joined_sets_stay_as_they_are() -> None:
    both = sg.ScenarioSet.grid([0.1], [0.2]) + sg.ScenarioSet.grid([-0.1], [-0.3], "absolute")
    assert both.vol(PRICED)[0].tolist() == [0.2, -0.3]
    assert both.relative.tolist() == [True, False]


def test_progress_is_told_of_every_portfolio_group() -> None:
    told: list[tuple[int, int]] = []
    sg.margin(HELD, PRICED, sg.tims(), progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_cash_in_the_deliverable() -> None:
    """An adjusted call at expiry: 50 shares at 150 and 1,000 in cash against 100 x 80."""
    rows = [option("C1", "A", "C", 80.0, 0, units_per_contract=50, cash_per_contract=1000.0)]
    priced = market(rows, {"A": 150.0}, [{"symbol": "C1", "vol": 0.3}])
    held = sg.margin(book([("one", "C1", 1)]), priced, sg.tims())
    assert row(held, "one")["equity_at_model"] == pytest.approx(50 * 150 + 1000 - 8000, abs=CENT)
    assert requirement(held, "one") == pytest.approx(500.0, abs=CENT)


def test_a_perpetual_moves_with_the_spot() -> None:
    perpetual = {"symbol": "PERP", "underlying": "A", "type": "perpetual", "multiplier": 2}
    result = sg.margin(book([("one", "PERP", 3)]), market([perpetual], {"A": 100.0}), sg.tims())
    assert requirement(result, "one") == pytest.approx(3 * 2 * 15.0, abs=CENT)
    assert row(result, "one")["equity_at_marks"] == 0.0


def test_rates_are_flat_beyond_the_curve_and_log_linear_inside() -> None:
    """z = 2 % at 100 days, 4 % at 200: discount exponents -0.02 x 100/365 .. -0.04 x 200/365 in between."""
    frames = tables([option(f"C{day}", "A", "C", 100.0, day) for day in (50, 150, 400)], {"A": 100.0})
    frames["quotes"] = pd.DataFrame([{"symbol": f"C{day}", "vol": 0.3} for day in (50, 150, 400)])
    frames["curve"] = pd.DataFrame({"currency": "USD", "days": [100, 200], "zero_rate_dec": [0.02, 0.04]})
    table = sg.Market.from_frames(**frames, as_of=AS_OF.to_pydatetime()).instruments
    exponents = dict(zip(table.symbols, -np.log(table.discount_factors) * 365, strict=True))
    expected = {"C50": 0.02 * 50, "C150": (0.02 * 100 + 0.04 * 200) / 2, "C400": 0.04 * 400}
    assert exponents == pytest.approx(expected, rel=1e-12)


def codes(priced: sg.Market) -> dict[str, str]:
    return dict(zip(priced.rejects["code"], priced.rejects["key"], strict=True))


@pytest.mark.parametrize(
    ("more", "code", "key"),
    [
        ({"forwards": [{"underlying": "A", "expiry_utc": expiry(9), "forward": 100.0}]}, "W_UNUSED", "A"),
        ({"groups": [{"underlying": "Z", "class_group": "A"}]}, "W_UNUSED", "Z"),
        ({"offsets": [{"level": "product", "group": "Z", "offset_dec": 0.5}]}, "W_UNUSED", "Z"),
        (
            {"dividends": [{"underlying": "A", "ex_date": "2027-01-04", "amount": 1.0}] * 2},
            "W_DUPLICATE",
            "A",
        ),
        (
            {
                "groups": [
                    {"underlying": "A", "class_group": "K", "product_group": "P"},
                    {"underlying": "B", "class_group": "K", "product_group": "Q"},
                ]
            },
            "E_GROUP",
            "B",
        ),
    ],
)
def test_rows_that_meet_nothing_are_seen(more: dict[str, Any], code: str, key: str) -> None:
    frames = {name: pd.DataFrame(rows) for name, rows in more.items()}
    assert codes(market([stock("A"), stock("B")], SPOTS, **frames)) == {code: key}


def test_odd_vols_rates_and_bids_are_flagged_and_used() -> None:
    rows = [option("LOW", "A", "C", 100.0, 30), option("NOBID", "A", "C", 120.0, 30)]
    quotes = [{"symbol": "LOW", "vol": 0.001}, {"symbol": "NOBID", "bid": 0.0, "ask": 0.50}]
    spots = {"A": {"spot": 100.0, "yield_dec": 1.5}, "B": {"spot": 1.0, "yield_dec": 0.01}}
    priced = market(rows, spots, quotes)
    assert codes(priced) == {"W_VOL": "LOW", "W_NO_BID": "NOBID", "W_RATE": "A"}
    result = sg.margin(book([("one", "NOBID", -1)]), priced, sg.tims())
    assert row(result, "one")["reliability"] == "STALE"
    assert row(result, "one")["equity_at_marks"] == pytest.approx(-25.0, abs=CENT)  # the middle of 0 and 0.50


@pytest.mark.parametrize("column", ["yield_dec", "borrow_dec", "atm_vol_dec"])
def test_a_column_of_per_cents_is_refused(column: str) -> None:
    with pytest.raises(sg.InputError, match="per cent"):
        market([stock("A")], {"A": {"spot": 100.0, column: 30.0}})


def test_sums_over_the_firm_are_in_the_base_currency() -> None:
    priced = market([stock("A")], {"A": 100.0}, fx=pd.DataFrame([{"currency": "JPY", "rate": 0.01}]))
    accounts = [{"account": "j", "cash": 0.0, "currency": "JPY"}, {"account": "u", "cash": 0.0}]
    result = sg.margin(book([("j", "A", 100), ("u", "A", 100)], accounts), priced, sg.tims())
    assert result.accounts["requirement"].tolist() == pytest.approx([150_000.0, 1500.0])
    assert result.accounts["currency"].tolist() == ["JPY", "USD"]
    assert result.in_base("requirement").sum() == pytest.approx(3000.0)
    assert "3,000.00" in repr(result)


def test_dense_grids_that_do_not_fit_are_refused_with_the_number() -> None:
    from shockgrid.backends import get_backend

    small = get_backend("numpy")
    small.free_bytes = lambda: 1000  # type: ignore[method-assign]
    with pytest.raises(sg.InputError, match="GB are free"):
        sg.margin(HELD, PRICED, sg.tims(), backend=small)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: sg.margin(HELD, PRICED, "tims"),  # type: ignore[arg-type]
        lambda: sg.margin(HELD, PRICED, sg.tims),  # type: ignore[arg-type]
        lambda: sg.margin(PRICED, HELD, sg.tims()),  # type: ignore[arg-type]
        lambda: sg.margin(HELD, PRICED, sg.Regime("r", TEN, formula=lambda f: -1 - f["scan"])),
        lambda: sg.margin(HELD, PRICED, sg.Regime("r", TEN, formula=lambda f: f["scan"] * np.nan)),
        lambda: sg.margin(HELD, PRICED, sg.Regime("r", TEN, add_ons=(sg.requirement.concentration(),))),
        lambda: sg.Regime("r", TEN, add_ons=(sg.requirement.contingency(), sg.requirement.contingency())),
        lambda: sg.Regime("r", TEN, add_ons=(sg.requirement.AddOn("minimum", lambda c: c),)),
        lambda: sg.Program(sg.house(), None),
        lambda: sg.house(spot=[-20, 20]),
        lambda: sg.house(spot=[0, 20]),
        lambda: sg.house(contingency_rate=-1.0),
        lambda: sg.house(minimum_per_unit=-1.0),
        lambda: sg.house(sigmas=0.0),
        lambda: sg.house(scenarios=sg.ScenarioSet.grid([0.1]), spot=[0.2]),
        lambda: sg.ScenarioSet.points([0.1], weight=np.nan),
        lambda: sg.ScenarioSet.points([0.1], vol_floor=2.0, vol_cap=1.0),
        lambda: sg.ScenarioSet.points([0.1, 0.2], names=["one"]),
        lambda: sg.ScenarioSet.joint(pd.DataFrame({"scenario": [1], "underlying": ["A"], "vol_shok": [0.1]})),
        lambda: sg.ScenarioSet.history(pd.DataFrame({"date": ["2020-03-16"], "A": [-0.1]})),
    ],
)  # fmt: skip
def test_nonsense_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(sg.InputError):
        wrong()


def test_a_fingerprint_knows_the_scenarios() -> None:
    def own(shock: float) -> str:
        frame = pd.DataFrame({"scenario": [1], "underlying": ["A"], "spot_shock": [shock]})
        return sg.house(scenarios=sg.ScenarioSet.joint(frame)).fingerprint()

    assert own(-0.1) == own(-0.1) != own(-0.2)

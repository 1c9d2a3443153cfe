"""How good plans are: against every combination of sizes, against simpler rules, and as cures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from books import book
from liquidation_books import (
    BACKEND,
    POLICY,
    cheapest,
    free,
    in_deficit,
    random_holdings,
    short_firm,
    small_market,
)

import shockgrid as sg
from shockgrid.desk.cures_hedge import hedge_book
from shockgrid.desk.liquidation_baselines import BASELINES
from shockgrid.desk.liquidation_truth import revalued

MEDIAN_GAP, GAP_95 = 0.02, 0.05  #: of the least that can be traded
BOOKS = 24
CENT = 0.01


def test_plans_trade_hardly_more_than_the_least_that_cures() -> None:
    rng, gaps = np.random.default_rng(5), []
    priced, regime = small_market(), sg.house()
    for _ in range(BOOKS):
        holdings = random_holdings(rng, int(rng.integers(2, 6)), 5)
        held = in_deficit(holdings, priced, regime, float(rng.uniform(0.02, 0.5)))
        plan = sg.liquidation_plan(
            held, priced, regime, buffer=0.0, costs=free(), baselines=False, backend=BACKEND
        )
        row, least = plan.accounts.iloc[0], cheapest(held, priced, regime)
        assert (row["status"] == "cured") == np.isfinite(least)
        if np.isfinite(least):
            gaps.append(row["traded"] / least - 1.0)
    assert len(gaps) > BOOKS // 2
    assert min(gaps) > -1e-9, "nothing beats the enumeration"
    assert np.median(gaps) <= MEDIAN_GAP
    assert np.quantile(gaps, 0.95) <= GAP_95


@pytest.fixture(scope="module")
def firm() -> tuple[sg.Book, sg.Market]:
    return short_firm(16)


@pytest.fixture(scope="module")
def plan(firm: tuple[sg.Book, sg.Market]) -> object:
    return sg.liquidation_plan(*firm, POLICY, backend=BACKEND)


def test_no_simpler_rule_gets_more_out_of_a_dollar(plan: sg.desk.liquidation.LiquidationPlan) -> None:
    rows = plan.accounts
    assert len(rows) >= 12
    assert (rows["status"] == "cured").all()
    needed = rows["buffer"] - rows["excess_before"]
    for rule in BASELINES:
        other = rows[f"{rule}_useful_per_dollar"]
        assert ((rows["useful_per_dollar"] >= other * (1.0 - 1e-9)) | rows[f"{rule}_uncovers"]).all()
        assert needed.sum() / rows["traded"].sum() > needed.sum() / rows[f"{rule}_traded"].sum()
        assert rows["freed"].sum() / rows["traded"].sum() > (
            rows[f"{rule}_freed"].sum() / rows[f"{rule}_traded"].sum()
        )


def test_a_baseline_is_what_its_name_says() -> None:
    priced = small_market()
    held = in_deficit([("A", "AAA", 4.0), ("A", "BBB", 9.0), ("A", "CCC", -1.0)], priced, sg.tims(), 0.5)
    row = sg.liquidation_plan(
        held, priced, sg.tims(), buffer=0.0, costs=free(), backend=BACKEND
    ).accounts.iloc[0]
    # 15 % of 40,000 + 36,000 + 25,000 = 15,150; half of it is missing: 7,575 / 0.15 = 50,500 of shares
    assert row["requirement_before"] == pytest.approx(15_150.0)
    assert row["largest_first_traded"] == pytest.approx(40_000.0 + 3 * 4_000.0)
    assert row["pro_rata_cured"]
    assert row["pro_rata_traded"] >= 50_500.0
    assert row["traded"] == pytest.approx(52_000.0), "lots of 10,000, 4,000 and 25,000: nothing lies between"


def test_every_account_of_the_firm_agrees_with_margin(
    firm: tuple[sg.Book, sg.Market], plan: sg.desk.liquidation.LiquidationPlan
) -> None:
    held, market = firm
    moved = plan.steps.groupby(["account", "symbol"])["quantity"].sum()
    rows = held.positions.set_index(["account", "symbol"])
    after = (rows["quantity"] + moved.reindex(rows.index).fillna(0.0)).reset_index()
    assert (after["quantity"] * rows["quantity"].to_numpy() >= 0.0).all()
    told = sg.margin(
        sg.Book.from_frames(after[after["quantity"] != 0.0], held.accounts), market, POLICY, backend=BACKEND
    ).accounts.set_index("margin_group")["requirement"]
    found = plan.accounts.set_index("margin_group")["requirement_after"]
    pd.testing.assert_series_equal(told.reindex(found.index), found, check_names=False, check_exact=True)


def test_cures_of_the_firm(firm: tuple[sg.Book, sg.Market]) -> None:
    names = sorted(set(firm[0].accounts["margin_group"]))[:2]
    found = sg.cures(*firm, POLICY, accounts=names, backend=BACKEND)
    rows = found.cures
    assert rows.groupby("margin_group")["cure"].apply(set).map(len).eq(3).all()
    curing = rows[rows["cures"].astype(bool)]
    assert (curing[curing["cure"] == "deposit"]["outlay"] > 0.0).all()
    assert (curing.groupby("margin_group")["outlay"].diff().fillna(0.0) >= 0.0).all(), "cheapest first"
    closings = rows[rows["cure"] == "closings"]
    assert closings["cures"].astype(float).mean() >= 0.99, "all of them can be cured by closing"
    hedges = found.steps[found.steps["cure"] == "hedge"]
    assert len(hedges) > 0
    assert (hedges["quantity"] > 0.0).all()
    owner = names[0]
    legs = hedges[hedges["margin_group"] == owner]
    now = firm[0].positions.set_index(["account", "symbol"])["quantity"]
    new = {
        (leg.account, leg.symbol): float(now.get((leg.account, leg.symbol), 0.0) + leg.quantity)
        for leg in legs.groupby(["account", "symbol"], as_index=False)["quantity"].sum().itertuples()
    }
    told = revalued(*firm, POLICY, owner, new, backend=BACKEND)
    row = rows[(rows["margin_group"] == owner) & (rows["cure"] == "hedge")].iloc[0]
    assert row["excess_after"] == pytest.approx(told.excess - row["costs"], abs=CENT)
    assert owner in found.explain(owner)


def test_a_naked_call_is_hedged_by_the_call_above_it() -> None:
    """One short call at 100; every call and put on AAA is listed: the hedge must cap the upside."""
    priced = small_market()
    held = in_deficit([("A", "AAAC1-30", -2.0)], priced, sg.tims(), 0.3)
    found = sg.cures(held, priced, sg.tims(), buffer=0.0, costs=free(), backend=BACKEND)
    legs = found.steps[found.steps["cure"] == "hedge"]
    assert legs["symbol"].str.startswith("AAAC").all()
    hedge = found.cures.set_index("cure").loc["hedge"]
    assert bool(hedge["cures"])
    assert hedge["outlay"] == pytest.approx(hedge["traded"] + hedge["costs"])


def test_the_hedge_looks_at_every_listed_series_of_what_is_held() -> None:
    priced = small_market()
    wide = hedge_book(book([("A", "AAAC1-30", -2.0), ("B", "CCC", 1.0)]), priced)
    counts = wide.positions.groupby("account")["symbol"].nunique().to_dict()
    assert counts == {"A": 20, "B": 21}, "2 expiries x 5 strikes x 2 rights, and B's shares"
    assert wide.positions["quantity"].abs().sum() == 3.0

"""A Deribit market to margin in three commands, and one account of it by hand, in USD and in coin."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from chains import coin_file, invoke, priced

import shockgrid as sg
from shockgrid.io.tables import read_book, read_market
from shockgrid.io.vendors import convert


@pytest.fixture(scope="module")
def firm(coins: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Convert, synth and run, in one command each."""
    folder = tmp_path_factory.mktemp("deribit")
    market, drawn = folder / "market", folder / "book"
    for arguments in (
        ("convert", "deribit", coin_file(coins, "deribit", 22), "--out", market),
        ("synth", market, "--accounts", "200", "--seed", "1", "--out", drawn),
        (
            "run",
            "--market",
            market,
            "--book",
            drawn,
            "--policy",
            drawn / "policy.toml",
            "--out",
            folder / "run",
        ),
    ):
        done = invoke(*arguments)
        assert done.exit_code == 0, done.output
    return folder


def test_a_deribit_firm_in_three_commands(firm: Path) -> None:
    accounts = pd.read_parquet(firm / "run" / "accounts.parquet")
    assert len(accounts) == 200
    assert set(accounts["reliability"]) == {"OK"}
    assert 0.01 <= (accounts["excess"] < 0).mean() <= 0.03
    positions = pd.read_parquet(firm / "book" / "positions.parquet")
    assert (positions.groupby("symbol")["quantity"].sum() == 0).all()
    assert set(positions["symbol"].str[:3]) == {"BTC", "ETH"}
    again = invoke("rerun", firm / "run", "--out", firm / "again")
    assert again.exit_code == 0, again.output


def tims_by_hand(held: pd.DataFrame) -> float:
    """Ten points over +-15 %, each coin's own worst, 0.375 USD a coin at least; USD at today's spot."""
    total = 0.0
    for _, rows in held.groupby("underlying"):
        worst = 0.0
        for shock in (-0.15, -0.12, -0.09, -0.06, -0.03, 0.03, 0.06, 0.09, 0.12, 0.15):
            forwards = rows["forward"] * (1.0 + shock)
            moved = sg.price_european(
                forwards=forwards,
                strikes=rows["strike"],
                expiries=rows["years"],
                vols=rows["vol"],
                discount_factors=1.0,
                is_call=(rows["right"] == "C").to_numpy(),
            )
            coins_lost = rows["quantity"] * (rows["value"] - moved / forwards)
            worst = max(worst, float((coins_lost * rows["spot"]).sum()))
        total += max(worst, 0.375 * float(rows["quantity"].abs().sum()))
    return total


def test_one_account_by_hand_in_usd_and_in_coin(firm: Path, coins: Path) -> None:
    found = convert("deribit", [coin_file(coins, "deribit", 22)])
    listed = priced(found).drop(columns="error")
    listed["years"] = (pd.to_datetime(listed["expiry_utc"]) - found.as_of) / pd.Timedelta(days=365)
    positions = pd.read_parquet(firm / "book" / "positions.parquet").merge(listed, on="symbol")
    counts = Counter(positions.drop_duplicates(["account", "underlying"])["account"])
    account = max(counts, key=lambda name: (counts[name], name))
    assert counts[account] == 2, "an account that holds both coins"
    held = positions[positions["account"] == account]
    cash = pd.read_parquet(firm / "book" / "accounts.parquet").set_index("account").loc[account, "cash"]
    shown = pd.read_parquet(firm / "run" / "accounts.parquet").set_index("margin_group").loc[account]
    by_hand = tims_by_hand(held)
    assert shown["exchange_requirement"] == pytest.approx(by_hand, rel=1e-9)
    marked = float((held["quantity"] * held["mark"] * held["spot"]).sum())
    assert shown["equity_at_marks"] == pytest.approx(cash + marked, abs=0.01)  # cash is in whole cents
    rate = float(found.tables["fx"].set_index("currency").loc["BTC", "rate"])
    rows = pd.DataFrame([{"account": account, "cash": cash / rate, "currency": "BTC"}])
    own = read_book(firm / "book").positions
    book = sg.Book.from_frames(own[own["account"] == account][["account", "symbol", "quantity"]], rows)
    in_coin = sg.margin(book, read_market(firm / "market"), sg.tims()).accounts.iloc[0]
    assert in_coin["currency"] == "BTC"
    assert in_coin["requirement"] == pytest.approx(by_hand / rate, rel=1e-9)
    assert in_coin["excess"] == pytest.approx((cash + marked - by_hand) / rate, rel=1e-9)


def test_the_venues_own_rule_over_the_same_firm(firm: Path) -> None:
    """By name on the command line: its lines add up, and a later run gives the same bytes."""
    tables = ("--market", firm / "market", "--book", firm / "book")
    done = invoke("run", *tables, "--regime", "deribit", "--out", firm / "venue")
    assert done.exit_code == 0, done.output
    accounts = pd.read_parquet(firm / "venue" / "accounts.parquet")
    assert set(accounts["reliability"]) == {"OK"}
    own = ["stand_alone_sum", "hedge_benefit", "offset_benefit", "minimum"]
    lines = accounts[[*own, "roll_shock", "delta_shock", "mm_factor"]].sum(axis=1)
    assert lines.to_numpy() == pytest.approx(accounts["requirement"].to_numpy(), rel=1e-9)
    expected = 1.25 * accounts["requirement"].to_numpy()
    assert accounts["initial_requirement"].to_numpy() == pytest.approx(expected, rel=1e-9)
    again = invoke("rerun", firm / "venue", "--out", firm / "venue again")
    assert again.exit_code == 0, again.output
    shown = invoke("explain", firm / "venue", str(accounts["margin_group"].iloc[0]))
    assert "initial requirement" in shown.output

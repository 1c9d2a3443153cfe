"""Venue regimes at the edges: nothing held, a row that cannot be priced, a series that expires now."""

from __future__ import annotations

import pandas as pd
import pytest
from test_deribit import coin_option, future
from test_deribit import world as coin_world
from test_venue_properties import COIN_MARKET, LINEAR_MARKET

import shockgrid as sg
from shockgrid.regimes import load_regime

NAMES = ("derive", "span", "deribit", "deribit-v2", "deribit-standard")
venues = pytest.mark.parametrize("name", NAMES)


def market_of(name: str) -> sg.Market:
    return COIN_MARKET if name.startswith("deribit") else LINEAR_MARKET


def held(*rows: tuple[str, str, float]) -> sg.Book:
    frame = pd.DataFrame(list(rows), columns=["account", "symbol", "quantity"])
    return sg.Book.from_frames(
        frame, pd.DataFrame([{"account": "A", "cash": 5.0}, {"account": "B", "cash": 0.0}])
    )


@venues
def test_an_account_that_holds_nothing_needs_nothing(name: str) -> None:
    empty = sg.margin(held(), market_of(name), load_regime(name)).accounts
    assert empty["requirement"].tolist() == [0.0, 0.0]
    assert empty["initial_requirement"].tolist() == [0.0, 0.0]
    beside = sg.margin(held(("B", "PERP", 10.0)), market_of(name), load_regime(name))
    assert beside.accounts["requirement"].iloc[0] == 0.0
    assert beside.accounts["requirement"].iloc[1] > 0.0
    assert beside.explain("A")["amount"].fillna(0.0).eq(0.0).all()


@venues
def test_an_unknown_series_leaves_others_alone(name: str) -> None:
    alone = sg.margin(held(("B", "PERP", 10.0)), market_of(name), load_regime(name)).accounts
    beside = sg.margin(
        held(("A", "NO SUCH", -1.0), ("B", "PERP", 10.0)), market_of(name), load_regime(name)
    ).accounts
    assert beside["reliability"].tolist() == ["UNRELIABLE", "OK"]
    assert beside["requirement"].iloc[1] == alone["requirement"].iloc[1]


@pytest.mark.parametrize("name", ["deribit", "deribit-v2"])
def test_series_that_expire_now(name: str) -> None:
    rows = [
        coin_option("NOW", "C", 50_000.0, 0.0),
        coin_option("LATER", "C", 50_000.0, 5.0),
        future("P", "perpetual"),
    ]
    quotes = [{"symbol": row["symbol"], "vol": 0.5} for row in rows[:2]]
    priced = coin_world(rows, 60_000.0, quotes, {0.0: 60_000.0, 5.0: 60_000.0})
    result = sg.margin(held(("A", "NOW", -1.0), ("B", "LATER", -1.0)), priced, load_regime(name))
    assert result.accounts["reliability"].tolist() == ["OK", "OK"]
    assert result.accounts["requirement"].iloc[1] > result.accounts["requirement"].iloc[0] >= 0.0

"""What must hold for any book under the venue regimes: order, splitting, scaling, no shock, adding up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book
from hypothesis import given, settings
from hypothesis import strategies as st
from span_world import every_charge, world
from test_deribit import coin_option, future
from test_deribit import world as coin_world

import shockgrid as sg
from shockgrid.requirement.explain import SCAN_LINES

#: Sums of a few P&L of up to 1e6 in another order, and deltas from a stencil.
ROUNDING = 1e-5

FORWARDS = {20: 60_500.0, 90: 61_500.0}
COINS = [
    future("PERP", "perpetual"), future("DATED", days=90),
    *(coin_option(f"{right}{strike}_{days}", right, strike, days)
      for right in "CP" for strike in (50_000, 70_000) for days in FORWARDS),
]  # fmt: skip
VOLS = [
    {"symbol": row["symbol"], "vol": 0.5 + 0.02 * k} for k, row in enumerate(COINS) if row["type"] == "option"
]
LINEAR_COINS = [{**row, "inverse": False, "currency": "USD"} for row in COINS]
COIN_MARKET, LINEAR_MARKET = (coin_world(rows, 60_000.0, VOLS, FORWARDS) for rows in (COINS, LINEAR_COINS))
COIN_NAMES = [row["symbol"] for row in COINS]
SPAN_NAMES = ["SPZ", "SPH", "ND", "SPZ C410", "SPZ P400", "SPH C420"]


@pytest.fixture(scope="module")
def span(tmp_path_factory: pytest.TempPathFactory) -> sg.Regime:
    return every_charge(tmp_path_factory.mktemp("span"))


MAKERS: dict[str, tuple[sg.Market, list[str], Callable[[], sg.Regime] | None]] = {
    "derive": (LINEAR_MARKET, COIN_NAMES, sg.regimes.derive),
    "deribit v3": (COIN_MARKET, COIN_NAMES, sg.regimes.deribit),
    "deribit v2": (COIN_MARKET, COIN_NAMES, lambda: sg.regimes.deribit("v2")),
    "deribit standard": (COIN_MARKET, COIN_NAMES, lambda: sg.regimes.deribit("standard")),
    "span": (world(), SPAN_NAMES, None),
}
#: a threshold and a dampener in USD: twice the book is not twice the margin
NOT_HOMOGENEOUS = ("deribit v3",)
few = settings(max_examples=4)
venues = pytest.mark.parametrize("venue", MAKERS)


def setting(venue: str, span: sg.Regime) -> tuple[sg.Market, list[str], sg.Regime]:
    market, names, maker = MAKERS[venue]
    return market, names, span if maker is None else maker()


def holdings(data: st.DataObject, names: list[str]) -> dict[str, int]:
    sizes = st.integers(-9, 9).filter(bool)
    return data.draw(st.dictionaries(st.sampled_from(names), sizes, min_size=1, max_size=6))


def rows(held: dict[str, Any]) -> list[tuple[str, str, float]]:
    return [("A", symbol, quantity) for symbol, quantity in held.items()]


def asked(held: sg.Book, market: sg.Market, regime: sg.Regime) -> pd.Series:
    row = sg.margin(held, market, regime).accounts.iloc[0]
    assert row["reliability"] == "OK"
    return row[["requirement", "initial_requirement"]].astype(float)


def same(one: pd.Series, other: pd.Series) -> bool:
    return bool(np.allclose(one, other, rtol=1e-9, atol=ROUNDING))


@venues
@few
@given(data=st.data())
def test_order_does_not_matter(venue: str, span: sg.Regime, data: st.DataObject) -> None:
    market, names, regime = setting(venue, span)
    held = rows(holdings(data, names))
    shuffled = data.draw(st.permutations(held))
    one = sg.margin(book(held), market, regime)
    other = sg.margin(book(shuffled), market, regime)
    pd.testing.assert_frame_equal(one.accounts, other.accounts, check_exact=True)


@venues
@few
@given(data=st.data())
def test_splitting_over_accounts_does_not_matter(venue: str, span: sg.Regime, data: st.DataObject) -> None:
    market, names, regime = setting(venue, span)
    held = holdings(data, names)
    halves = [(account, symbol, size / 2) for symbol, size in held.items() for account in ("A1", "A2")]
    accounts = [{"account": name, "cash": 0.0, "margin_group": "A"} for name in ("A1", "A2")]
    assert same(asked(book(rows(held)), market, regime), asked(book(halves, accounts), market, regime))


@venues
@few
@given(data=st.data(), factor=st.integers(2, 9))
def test_it_scales_with_the_book(venue: str, span: sg.Regime, data: st.DataObject, factor: int) -> None:
    market, names, regime = setting(venue, span)
    held = holdings(data, names)
    one = asked(book(rows(held)), market, regime)
    many = asked(book(rows({name: factor * size for name, size in held.items()})), market, regime)
    if venue in NOT_HOMOGENEOUS:
        # dampener and offset only ever take off; the threshold of 20 million is far away
        assert (many <= factor * one + ROUNDING).all()
    else:
        assert same(many, factor * one)


@venues
@few
@given(data=st.data())
def test_what_is_not_shocked_loses_nothing(venue: str, span: sg.Regime, data: st.DataObject) -> None:
    """Scenarios that move neither price nor vol, before transforms and without days passing."""
    market, names, regime = setting(venue, span)
    states = regime.scenarios.only("standard")
    still = [
        place
        for place in range(len(states))
        if not states.spot(market)[:, place].any() and not states.vol(market)[:, place].any()
    ]
    if venue == "span":
        assert (regime.scenarios.roll_days == 1.0).all()
        return
    assert still
    plain = sg.Regime("plain", states)
    pnl = sg.margin(book(rows(holdings(data, names))), market, plain).scenarios("A")
    assert (pnl[pnl["scenario"].isin(still)]["pnl"] == 0.0).all()


@venues
@few
@given(data=st.data())
def test_the_lines_add_up_and_have_words(venue: str, span: sg.Regime, data: st.DataObject) -> None:
    market, names, regime = setting(venue, span)
    result = sg.margin(book(rows(holdings(data, names))), market, regime)
    explained = result.explain("A")
    row = result.accounts.iloc[0]
    sums = explained.groupby("level")["amount"].sum()
    assert np.isclose(sums["line"], row["requirement"], rtol=1e-9, atol=ROUNDING)
    assert np.isclose(sums["initial line"], row["initial_requirement"], rtol=1e-9, atol=ROUNDING)
    assert row["initial_requirement"] >= row["requirement"] - ROUNDING
    own = explained[(explained["level"] == "line") & ~explained["name"].isin([*SCAN_LINES])]
    named = own[own["name"].isin([add_on.name for add_on in regime.add_ons])]
    assert (named["words"] != "").all()


@venues
def test_contributions_agree_with_runs_without_the_row(venue: str, span: sg.Regime) -> None:
    """leave_one_out is the fall of the scan, before add-ons, when the row is taken out of the book."""
    market, names, regime = setting(venue, span)
    held = dict(zip(names, (3, -2, 5, -4, 2, -1), strict=False))
    result = sg.margin(book(rows(held)), market, regime)

    def scan(found: sg.MarginResult) -> float:
        return float(found.accounts[list(SCAN_LINES)].sum(axis=1).sum())

    shares = result.positions.set_index("symbol")
    for name in held:
        rest = {other: size for other, size in held.items() if other != name}
        fall = scan(result) - scan(sg.margin(book(rows(rest)), market, regime))
        assert shares.loc[name, "leave_one_out"] == pytest.approx(fall, rel=1e-9, abs=ROUNDING)
    if venue != "deribit v3":  # a dampener takes off what no position owns
        assert shares["euler"].sum() == pytest.approx(scan(result), rel=1e-6, abs=ROUNDING)

"""What must hold for any book under every regime and backend: order, splitting, scaling, no shock, parity."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, stock
from hypothesis import given, settings
from hypothesis import strategies as st
from test_venue_properties import MAKERS

import shockgrid as sg
from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.regimes import load_regime
from shockgrid.requirement.explain import SCAN_LINES

ROUNDING = 1e-6  #: sums of a few P&L of up to 1e6 in another order
PARITY = 1e-12  #: of gross notional, between backends
NAMES = ["X", "Y", "XC", "XP", "YC", "BOND"]
GROSS = 9 * 100 * 6 * 100.0
LEGS = [
    stock("X"), stock("Y"), {"symbol": "BOND", "underlying": "BOND", "type": "flat"},
    option("XC", "X", "C", 105.0, 40.0, style="american"),
    option("XP", "X", "P", 95.0, 80.0),
    option("YC", "Y", "C", 50.0, 40.0),
]  # fmt: skip
SPOTS = {
    "X": {"spot": 100.0, "sector": "oil", "beta": 1.2, "market_cap": 9e8, "high_52w": 130.0},
    "Y": {"spot": 50.0, "sector": "oil", "borrow_dec": 0.2},
    "BOND": {"spot": 98.0, "haircut_dec": 0.06},
}  # fmt: skip
GROUPS = pd.DataFrame({"underlying": ["X", "Y"], "portfolio_group": ["G", "G"]})
OFFSETS = pd.DataFrame({"level": ["portfolio"], "group": ["G"], "offset_dec": [0.5]})
MARKET = market(
    LEGS,
    SPOTS,
    [{"symbol": name, "vol": vol} for name, vol in (("XC", 0.4), ("XP", 0.45), ("YC", 0.3))],
    groups=GROUPS,
    offsets=OFFSETS,
)


def past() -> sg.Regime:
    """Forty days of one seed; the bond goes by Y."""
    draws = np.random.default_rng(7).normal(0.0, 0.02, (41, 3)).cumsum(axis=0)
    levels = pd.DataFrame(
        np.exp(draws), columns=["X", "Y", "V"], index=pd.bdate_range("2026-09-01", periods=41)
    )
    vols = levels[["V"]]
    return sg.regimes.historical(
        levels[["X", "Y"]], vols, filtered=True, vol_of={"default": "V"}, proxies={"BOND": "Y"},
        measure="value_at_risk", quantile="linear",
    )  # fmt: skip


def shortfall() -> sg.Regime:
    """The same days, the mean of the worst of them."""
    days = past().scenarios.only("standard")
    return sg.Regime(
        "shortfall",
        days,
        sg.requirement.Tree("margin_group", reducer=sg.requirement.expected_shortfall(0.93)),
    )


def arrays() -> sg.Regime:
    rows = [{"symbol": "XC", **{f"pnl_{k}": 40.0 * (k - 5.5) for k in range(1, 11)}}]
    return sg.regimes.imported(pd.DataFrame(rows))


BY_NAME = ("tims", "rbh_bd", "rbh_mm", "house", "house-rules")
REGIMES: dict[str, Callable[[], sg.Regime]] = {
    **{name: partial(load_regime, name) for name in BY_NAME},
    "historical": past,
    "imported": arrays,
}
few = settings(max_examples=2)
regimes = pytest.mark.parametrize("name", REGIMES)
backends = pytest.mark.parametrize("engine", ["numpy", "native"])


@cache
def backend(name: str) -> Backend:
    try:
        return get_backend(name)
    except sg.errors.BackendUnavailable:
        pytest.skip(f"no {name} backend here")


@cache
def regime(name: str) -> sg.Regime:
    return REGIMES[name]()


def holdings(data: st.DataObject) -> dict[str, int]:
    sizes = st.integers(-9, 9).filter(bool)
    return data.draw(st.dictionaries(st.sampled_from(NAMES), sizes, min_size=1, max_size=6))


def rows(held: dict[str, int], factor: float = 1.0, account: str = "A") -> list[tuple[str, str, float]]:
    return [(account, symbol, factor * size) for symbol, size in held.items()]


def asked(held: sg.Book, name: str, engine: str) -> float:
    result = sg.margin(held, MARKET, regime(name), backend=backend(engine))
    row = result.accounts.iloc[0]
    assert row["reliability"] == "OK"
    return float(row["requirement"])


@regimes
@backends
@few
@given(data=st.data())
def test_order_and_splitting_do_not_matter(name: str, engine: str, data: st.DataObject) -> None:
    held = holdings(data)
    one = asked(book(rows(held)), name, engine)
    assert asked(book(data.draw(st.permutations(rows(held)))), name, engine) == one
    accounts = [{"account": part, "cash": 0.0, "margin_group": "A"} for part in ("A1", "A2")]
    halves = rows(held, 0.5, "A1") + rows(held, 0.5, "A2")
    assert asked(book(halves, accounts), name, engine) == pytest.approx(one, abs=ROUNDING)


@regimes
@backends
@few
@given(data=st.data(), factor=st.integers(2, 9))
def test_it_scales_with_the_book(name: str, engine: str, data: st.DataObject, factor: int) -> None:
    held = holdings(data)
    one, many = (asked(book(rows(held, size)), name, engine) for size in (1.0, float(factor)))
    assert many == pytest.approx(factor * one, abs=ROUNDING)


@regimes
@backends
@few
@given(data=st.data())
def test_no_shock_is_no_loss(name: str, engine: str, data: st.DataObject) -> None:
    """Every scenario that moves nothing, and a set of nothing but such a scenario."""
    held, found = book(rows(holdings(data))), regime(name)
    states = found.scenarios.only("standard")
    still = ~states.spot(MARKET).any(axis=0) & ~states.vol(MARKET).any(axis=0)
    pnl = sg.margin(held, MARKET, found, backend=backend(engine)).scenarios("A")
    assert (pnl[pnl["scenario"].isin(np.flatnonzero(still))]["pnl"] == 0.0).all()
    nothing = sg.Regime("still", sg.ScenarioSet.points([0.0]), tree=found.tree)
    row = sg.margin(held, MARKET, nothing, backend=backend(engine)).accounts.iloc[0]
    assert row[[*SCAN_LINES[:3]]].sum() == 0.0


@regimes
@few
@given(data=st.data())
def test_lines_add_up_and_backends_agree(name: str, data: st.DataObject) -> None:
    held = book(rows(holdings(data)))
    results = [
        sg.margin(held, MARKET, regime(name), backend=backend(engine)) for engine in ("numpy", "native")
    ]
    for result in results:
        shown = result.explain("A")
        lines = shown.loc[shown["level"] == "line", "amount"].sum()
        silent = shown[(shown["words"] == "") & (shown["amount"] != 0.0)]["level"].unique()
        assert set(silent) <= {"requirement", "class_group"}
        assert lines == pytest.approx(result.accounts["requirement"].iloc[0], abs=ROUNDING)
    one, other = (result.accounts["requirement"].iloc[0] for result in results)
    assert abs(one - other) <= PARITY * GROSS


@regimes
def test_the_split_at_the_active_scenarios_adds_up(name: str) -> None:
    """Also where the figure is a mean over several of them, or lies between two."""
    held = book([("A", symbol, size) for symbol, size in zip(NAMES, (3, -2, 5, -4, 2, -1), strict=True)])
    for own in (regime(name), *([shortfall()] if name == "historical" else [])):
        result = sg.margin(held, MARKET, own)
        row = result.accounts.iloc[0]
        scan = row[["stand_alone_sum", "hedge_benefit", "offset_benefit"]].sum()
        assert result.positions["euler"].sum() == pytest.approx(scan, abs=ROUNDING)
        assert scan > 0.0


@pytest.mark.parametrize("venue", MAKERS)
def test_venues_agree_on_both_backends(venue: str) -> None:
    priced, names, maker = MAKERS[venue]
    maker = maker or sg.regimes.span
    held = book([("A", name, size) for name, size in zip(names, (3, -2, 5, -4, 2, -1), strict=False)])
    one, other = (
        sg.margin(held, priced, maker(), backend=backend(engine)).accounts["requirement"].iloc[0]
        for engine in ("numpy", "native")
    )
    assert one == pytest.approx(other, rel=1e-9)  # deltas of the venues come from stencils

"""Dense grids of books with funds on an index, cash dividends, another currency."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, stock
from test_surface import DENSE, two_names

import shockgrid as sg
from shockgrid.research.grids import Grid


def test_funds_merged_with_their_index() -> None:
    """SPX, SPY and an inverse fund in one class group: what holds the fund is priced in every cell."""
    rows = [stock("SPY", "etf"), option("SX", "SPX", "C", 4500, 30), option("SY", "SPY", "P", 440, 20)]
    rows += [stock("INV", "etf"), option("IP", "INV", "P", 10, 20)]
    spots = {"SPX": 4500.0, "SPY": 450.0, "INV": {"spot": 10.0, "leverage": -3.0}}
    merged = {"class_group": "S", "product_group": "S", "portfolio_group": "S"}
    groups = pd.DataFrame([{"underlying": name, **merged} for name in spots])
    priced = market(rows, spots, [{"symbol": name, "vol": 0.2} for name in ("SX", "SY", "IP")], groups=groups)
    held = book(
        [("q", "SX", -3.0), ("q", "SY", 20.0), ("q", "SPY", 300.0), ("r", "IP", -7.0), ("r", "SX", 1.0)]
    )
    close, truth = (sg.worst_exact(held, priced, DENSE, method=m) for m in ("compressed", "direct"))
    assert close.accounts.equals(truth.accounts)
    assert close.groups["method"].tolist() == ["compressed", "direct"]
    mixed, every = (
        sg.pnl_surface(held, priced, DENSE, account="r", method=m) for m in ("compressed", "direct")
    )
    assert mixed.method == "compressed"
    assert np.abs(mixed.pnl - every.pnl).max() <= mixed.bound
    assert mixed.worst_cell == every.worst_cell


def test_cash_dividends() -> None:
    """A forward net of cash is still smooth; the American options beside it are priced in every cell."""
    paid = pd.DataFrame({"underlying": "A", "ex_date": ["2026-12-01"], "amount": [2.0]})
    rows = [option("C", "A", "C", 100, 30), option("AP", "A", "P", 120, 200, style="american")]
    priced = market(rows, {"A": 100.0}, [{"symbol": s, "vol": 0.3} for s in ("C", "AP")], dividends=paid)
    held, grid = book([("q", "C", -3.0), ("q", "AP", -2.0)]), Grid(DENSE.spots[::2], DENSE.vols[::2])
    close, every = (sg.pnl_surface(held, priced, grid, method=m) for m in ("compressed", "direct"))
    assert close.bound > 0.0
    assert np.abs(close.pnl - every.pnl).max() <= close.bound
    assert close.worst_cell == every.worst_cell


def test_an_account_in_another_currency() -> None:
    held, priced = two_names()
    accounts = pd.DataFrame({"account": ["one"], "cash": [0.0], "currency": ["EUR"]})
    euro = sg.Book.from_frames(held.positions[["account", "symbol", "quantity"]], accounts)
    rates = pd.DataFrame({"currency": ["EUR"], "rate": [1.25]})
    rows = [stock("A")]
    priced = market(rows, {"A": 100.0}, fx=rates)
    surface = sg.pnl_surface(euro, priced, DENSE, account="one", symbol="A")
    assert surface.currency == "EUR"
    assert surface.worst_loss == pytest.approx(4500.0 / 1.25)
    worst = sg.worst_exact(euro, priced, DENSE).accounts.set_index("margin_group").loc["one"]
    assert worst["worst_loss"] == pytest.approx(4500.0 / 1.25)

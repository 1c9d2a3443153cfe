"""A coin's rate follows its spot, for what is settled in that coin and for nothing else."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from books import book
from coins import FX, PERPETUAL, SPOT, coin_option, world
from rich.console import Console

import shockgrid as sg
from shockgrid.cli_explain import print_explanation
from shockgrid.cli_frames import print_frame
from shockgrid.cli_views import money
from shockgrid.minor_units import minor_digits

WRAPPED = coin_option("BTC-W", "C", currency="WBTC")
RATES = pd.concat([FX, pd.DataFrame([{"currency": "WBTC", "rate": SPOT}])])
HELD = [("A", "BTC-C", -2.0), ("A", "BTC-PERPETUAL", 30.0), ("B", "BTC-W", 3.0)]


def test_another_coin_of_the_same_rate_stays_where_it_is() -> None:
    """One wrapped coin is worth what a coin is until somebody says otherwise: 50,000, BTC at 55,000."""
    quotes = [{"symbol": symbol, "vol": 0.6} for symbol in ("BTC-C", "BTC-W")]
    priced = world([coin_option("BTC-C", "C"), PERPETUAL, WRAPPED], quotes, fx=RATES)
    live = sg.Desk(book(HELD), priced, sg.tims(), backend="numpy")
    live.tick({"underlying": ["BTC"], "spot": [1.1 * SPOT]})
    table = live.market.instruments
    assert live.market.fx == {"USD": 1.0, "BTC": pytest.approx(55_000.0), "WBTC": SPOT}
    assert table.fx_rates.tolist() == [live.market.fx[name] for name in table.currencies]
    full = sg.margin(live.book, live.market, sg.tims(), backend="numpy").accounts
    pd.testing.assert_frame_equal(live.accounts, full, check_exact=True)


def test_the_base_currency_is_worth_one_whatever_its_spot() -> None:
    """A firm that counts in BTC: a dollar is 1 / 50,000 of it, and BTC is 1."""
    dollar = pd.DataFrame([{"currency": "USD", "rate": 1.0 / SPOT}])
    quotes = [{"symbol": "BTC-C", "vol": 0.6}]
    priced = world([coin_option("BTC-C", "C"), PERPETUAL], quotes, fx=dollar, base_currency="BTC")
    live = sg.Desk(book(HELD[:2]), priced, sg.tims(), backend="numpy")
    live.tick({"underlying": ["BTC"], "spot": [1.1 * SPOT]})
    assert live.market.fx["BTC"] == 1.0
    full = sg.margin(live.book, live.market, sg.tims(), backend="numpy").accounts
    pd.testing.assert_frame_equal(live.accounts, full, check_exact=True)


def printed(frame: pd.DataFrame) -> str:
    out = Console(width=200, record=True, file=StringIO())
    print_frame(out, frame, "amounts")
    return out.export_text()


def test_amounts_on_the_screen_have_the_digits_of_their_currency() -> None:
    """0.00123456 BTC is no 0.00; a yen has no sen, a dollar two cents."""
    names, amounts = ["BTC", "JPY", "USD", ""], [0.00123456, 1234.0, 1234.5, 2.0]
    shown = printed(pd.DataFrame({"currency": names, "cash": amounts}))
    assert [line.split()[-1] for line in shown.splitlines() if line.strip()][-4:] == [
        "0.00123456", "1,234", "1,234.50", "2.00",
    ]  # fmt: skip
    assert money(-0.000000001, minor_digits("BTC")) == "0.00000000"


def test_explain_shows_coin_as_exactly_as_it_is_kept(monkeypatch: Any, capsys: Any) -> None:
    """An account of a few thousandths of a coin."""
    rows = [{"account": "A", "cash": 0.00123456, "currency": "BTC"}]
    priced = world([coin_option("BTC-C", "C")], [{"symbol": "BTC-C", "vol": 0.6}])
    held = book([("A", "BTC-C", 0.01)], rows)
    result = sg.margin(held, priced, sg.tims(), backend="numpy")
    tables = {name: getattr(result, name) for name in ("accounts", "positions", "groups", "rules", "rejects")}
    monkeypatch.setattr("shockgrid.cli_explain.read_run_table", lambda folder, name: tables[name])
    print_explanation(Path("run"), "A")
    row = result.accounts.iloc[0]
    assert 0.0 < row["requirement"] < 0.005
    told = capsys.readouterr().out
    for name in ("requirement", "equity_at_marks", "excess"):
        assert f"{row[name]:.8f}" in told, told

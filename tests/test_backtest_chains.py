"""Back-tests on the quotes of real chains, day after day: SPX in May 2019, bitcoin options in August 2026."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chains import coin_file

import shockgrid as sg
from shockgrid.io.vendors import convert
from shockgrid.regimes import deribit

SESSIONS = ("20190506", "20190507", "20190508", "20190509")
EXPIRY = "06/21/2019"
SPX = {
    "straddle": {"SPX190621C02925000": -1.0, "SPX190621P02925000": -1.0},
    "put": {"SPX190621P02850000": -1.0},
    "spread": {"SPX190621P02900000": 1.0, "SPX190621P02850000": -1.0},
}


def book(accounts: dict[str, dict[str, float]]) -> sg.Book:
    rows = [(name, symbol, size) for name, held in accounts.items() for symbol, size in held.items()]
    positions = pd.DataFrame(rows, columns=["account", "symbol", "quantity"])
    return sg.Book.from_frames(positions, pd.DataFrame({"account": list(accounts), "cash": 0.0}))


def requirements(held: sg.Book, market: sg.Market, regime: sg.Regime) -> pd.Series:
    found = sg.margin(held, market, regime).accounts
    assert set(found["reliability"]) == {"OK"}
    return found.set_index("margin_group")["requirement"]


def test_four_sessions_of_spx(shared: Path, tmp_path: Path) -> None:
    """SPX went 2920.72, 2872.01, 2889.76, 2870.72 (SOURCE.md): 1.7 % at most, well within 8 % down and 6 %
    up. A tenth of the margin is another matter: the short put gains vol and lost index on 05-07."""
    margins, marks = [], []
    for session in SESSIONS:
        table = pd.read_csv(shared / "data" / "spx-eod-2019" / f"SPX_{session}.csv.gz", dtype=str)
        table = table[table["expiration"] == EXPIRY]
        table.to_csv(tmp_path / f"SPX_{session}.csv", index=False)
        quotes = table.set_index("optionroot")[["bid", "ask"]].astype(float)
        marks.append(quotes.mean(axis=1))
        found = convert("spx-eod", [tmp_path / f"SPX_{session}.csv"], rate=0.025)
        market = sg.Market.from_frames(**found.tables, as_of=found.as_of.to_pydatetime())
        margins.append(requirements(book(SPX), market, sg.tims()))
    days = pd.to_datetime(list(SESSIONS))
    asked = pd.DataFrame(margins, index=days)[list(SPX)]
    worth = pd.DataFrame(
        [
            {
                name: 100.0 * sum(size * mark[symbol] for symbol, size in held.items())
                for name, held in SPX.items()
            }
            for mark in marks
        ],
        index=days,
    )
    pnl = worth.diff().iloc[1:].to_numpy()
    full, tenth = (sg.backtest(asked.iloc[:-1] * share, pnl) for share in (1.0, 0.1))
    assert full.exceptions.to_numpy().sum() == 0
    assert (full.accounts["verdict"] == "pass").all()
    assert tenth.exceptions.loc["2019-05-06", "put"]
    assert (asked["spread"] <= 5_000.0).all(), "no more than the strikes are apart"


def test_two_days_of_bitcoin_options(coins: Path) -> None:
    """Margin of 2026-08-20 and 21 against the marks of the next day, in coin as the venue pays."""
    accounts = {"strangle": {"BTC-25SEP26-80000-C": -1.0, "BTC-25SEP26-60000-P": -1.0}}
    margins, worth = [], []
    for day in (20, 21, 22):
        file = coin_file(coins, "deribit", day)
        found = convert("deribit", [file])
        market = sg.Market.from_frames(**found.tables, as_of=found.as_of.to_pydatetime())
        margins.append(requirements(book(accounts), market, deribit()))
        rows = pd.read_csv(file).set_index("instrument")
        worth.append(
            -sum(
                rows.loc[symbol, "mark_price"] * rows.loc[symbol, "underlying_price"]
                for symbol in accounts["strangle"]
            )
        )
    asked = pd.DataFrame(margins[:-1], index=pd.to_datetime(["2026-08-20", "2026-08-21"]))
    found = sg.backtest(asked, np.diff(worth)[:, None])
    assert found.exceptions.to_numpy().sum() == 0
    assert found.worst_pnl["strangle"].tolist() == pytest.approx(np.diff(worth).tolist())

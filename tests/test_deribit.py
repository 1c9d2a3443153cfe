"""Deribit: published vectors and margins in coin, the older model, standard margin."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book, expiry, market, option

import shockgrid as sg
from shockgrid.regimes import load_regime
from shockgrid.requirement.tree import Node

SIZE = 10.0  # USD of one future


def future(symbol: str, kind: str = "future", days: float | None = None) -> dict[str, Any]:
    row = {
        "symbol": symbol, "underlying": "BTC", "type": kind, "currency": "BTC", "inverse": True,
        "multiplier": SIZE,
    }  # fmt: skip
    return row if days is None else {**row, "expiry_utc": expiry(days)}


def coin_option(symbol: str, right: str, strike: float, days: float = 20.0) -> dict[str, Any]:
    return option(symbol, "BTC", right, strike, days, currency="BTC", inverse=True, multiplier=1.0)


def world(
    rows: list[dict[str, Any]], spot: float, quotes: list[dict[str, Any]], forwards: dict[float, float]
) -> sg.Market:
    listed = [{"underlying": "BTC", "expiry_utc": expiry(days), "forward": f} for days, f in forwards.items()]
    return market(
        rows, {"BTC": spot}, quotes, forwards=pd.DataFrame(listed),
        fx=pd.DataFrame([{"currency": "BTC", "rate": spot}]),
    )  # fmt: skip


def coin_book(holdings: dict[str, float]) -> sg.Book:
    return book(
        [("A", *item) for item in holdings.items()], [{"account": "A", "cash": 0.0, "currency": "BTC"}]
    )


def rows_of(shared: Path) -> pd.DataFrame:
    return pd.read_csv(shared / "oracles" / "pm_deribit.csv", comment="#", dtype=str)


def missed(rows: pd.DataFrame, figure: Any) -> dict[str, Any]:
    """The rows whose figure is not within their tolerance."""
    found = {}
    for row in rows.to_dict("records"):
        got = figure(row)
        if not abs(got - float(row["expected"])) <= float(row["tol"]):
            found[row["id"]] = (row["metric"], got, row["expected"])
    return found


PERPETUAL, DATED = "BTC-PERPETUAL", "BTC-28JUN24"
INDEX, MARKS = 65666.19, {PERPETUAL: 65910.57, DATED: 67371.75}
COINS = {PERPETUAL: 0.314538364, DATED: -0.001187534}
ORDERS = 0.06 + 0.000018212
DAYS = 11.0  # 17 to 28 June 2024


def simulated(held: dict[str, float]) -> sg.MarginResult:
    """The example; sizes are in USD, so that coins are size / the price that P&L starts from."""
    priced = world(
        [future(PERPETUAL, "perpetual"), future(DATED, days=DAYS)], INDEX, [], {DAYS: MARKS[DATED]}
    )
    starts = {PERPETUAL: INDEX, DATED: MARKS[DATED]}
    contracts = {name: coins * starts[name] / SIZE for name, coins in held.items()}
    return sg.margin(coin_book(contracts), priced, sg.regimes.deribit(order_margins={"A": ORDERS}))


def test_every_row_of_the_simulation(shared: Path) -> None:
    rows = rows_of(shared)
    rows = rows[rows["case"] == "BTC perp+future"]
    results = {name: simulated({name: coins}) for name, coins in COINS.items()}
    whole = simulated(COINS)
    lines = whole.accounts.iloc[0]
    regime = sg.regimes.deribit()
    aggregate = regime.tree.transforms["class_group"]

    def vector(result: sg.MarginResult) -> np.ndarray:
        return result.scenarios("A").set_index("scenario")["pnl"].to_numpy()

    def figure(row: dict[str, Any]) -> float:
        place = re.search(r"standard ([-+][\d.]+)", row["metric"])
        if place:
            bucket = 3 * (round(float(place[1]) / 0.04) + 4)
            if row["metric"].startswith("initial_risk_vector"):
                name = row["metric"].split()[1]
                return float(vector(results[name])[bucket])
            node = Node("class_group", "BTC", "BTC", np.ones(1, np.intp), {})
            return float(aggregate(vector(whole)[None, :] * INDEX, node)[0, bucket]) / INDEX
        core = -lines["mm_factor"] / 0.2
        return {
            "worst_case (BTC)": core - lines["roll_shock"] - lines["delta_shock"],
            "roll_shock (BTC)": lines["roll_shock"],
            "risk_matrix_margin (BTC)": core,
            "initial_margin (BTC)": lines["initial_requirement"],
            "maintenance_margin (BTC)": lines["requirement"],
        }[row["metric"]]

    assert not missed(rows, figure)


def test_offsetting_futures_of_the_older_model(shared: Path) -> None:
    rows = rows_of(shared)
    rows = rows[rows["case"] == "future offset contingency"]
    priced = world([future("A", days=10), future("B", days=40)], 50_000.0, [], {10: 50_000.0, 40: 50_000.0})

    def figure(row: dict[str, Any]) -> float:
        long, short = (float(text) for text in re.findall(r"(?:long|short) (\d+)", row["inputs"]))
        contracts = {"A": long * 50_000.0 / SIZE, "B": -short * 50_000.0 / SIZE}
        result = sg.margin(coin_book(contracts), priced, sg.regimes.deribit("v2"))
        return float(result.accounts["offsetting_futures"].iloc[0])

    assert len(rows)
    assert not missed(rows, figure)


def test_standard_margin(shared: Path) -> None:
    rows = rows_of(shared)
    rows = rows[rows["case"] == "standard margin short option"]

    def figure(row: dict[str, Any]) -> float:
        found = re.match(r"type=(\w) K=(\d+) F=(\d+) mark=([\d.]+) BTC, size ([\d.]+)", row["inputs"])
        assert found
        strike, spot, mark, size = (float(text) for text in found.groups()[1:])
        priced = world(
            [coin_option("O", found[1], strike)],
            spot,
            [{"symbol": "O", "mark": mark, "vol": 0.5}],
            {20: spot},
        )
        line = sg.margin(coin_book({"O": -size}), priced, sg.regimes.deribit("standard")).accounts.iloc[0]
        initial = row["metric"].startswith("initial")
        return float(line["initial_requirement" if initial else "requirement"])

    assert not missed(rows, figure)


def test_no_row_of_the_file_is_left_out(shared: Path) -> None:
    known = {"BTC perp+future", "future offset contingency", "standard margin short option"}
    assert set(rows_of(shared)["case"]) == known


def by_hand(right: str, strike: float, days: float, vol: float, spot: float, forward: float) -> np.ndarray:
    """Coin P&L of one option in the 27 standard scenarios and the 8 extended ones, BTC's parameters."""

    def worth(move: float, shocked: float) -> float:
        moved = forward * (1.0 + move)
        value = sg.price_european(
            forwards=moved, strikes=strike, expiries=days / 365, vols=shocked, discount_factors=1.0,
            is_call=right == "C",
        )  # fmt: skip
        return float(value) / moved

    scale = (30.0 / days) ** (0.30 if days < 30 else 0.13)
    up, down = max(vol * (1 + 0.5 * scale), 0.5), vol * (1 - 0.25 * scale)
    today = worth(0.0, vol)
    rows = [worth(0.16 * step / 4, state) - today for step in range(-4, 5) for state in (up, vol, down)]
    for move in (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0):
        end = 1.0 + np.sign(move) * 0.16
        rows.append((worth(move, up) - today) * 0.16 / abs(move) * (1.0 + move) / end)
    return np.array(rows)


@pytest.mark.parametrize(("right", "days", "vol"), [("C", 5.0, 0.3), ("P", 20.0, 0.7), ("P", 200.0, 0.5)])
def test_an_option_vector_by_hand(right: str, days: float, vol: float) -> None:
    spot, forward, strike = 60_000.0, 60_400.0, 58_000.0
    priced = world(
        [coin_option("O", right, strike, days)], spot, [{"symbol": "O", "vol": vol}], {days: forward}
    )
    pnl = sg.margin(coin_book({"O": -3.0}), priced, sg.regimes.deribit()).scenarios("A")["pnl"].to_numpy()
    expected = -3.0 * by_hand(right, strike, days, vol, spot, forward)
    assert pnl == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_older_model_by_hand() -> None:
    """10 calls long and 20 puts short of one strike are 10 net short: 0.01 coin each."""
    rows = [coin_option("C", "C", 60_000.0), coin_option("P", "P", 60_000.0)]
    quotes = [{"symbol": row["symbol"], "vol": 0.6} for row in rows]
    priced = world(rows, 60_000.0, quotes, {20: 60_000.0})
    line = sg.margin(coin_book({"C": 10.0, "P": -20.0}), priced, sg.regimes.deribit("v2")).accounts.iloc[0]
    assert line["net_short_options"] == pytest.approx(0.1)
    assert line["initial_requirement"] == pytest.approx(1.3 * line["requirement"])


@pytest.mark.parametrize("change", [{"version": "v9"}, {"order_margins": {"A": -1.0}}])
def test_wrong_choices_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(sg.InputError):
        sg.regimes.deribit(**change)


def test_a_currency_without_parameters_and_a_foreign_base_are_refused() -> None:
    rows = [{**future("P", "perpetual"), "underlying": "SOL"}]
    fx = pd.DataFrame([{"currency": "BTC", "rate": 60_000.0}])
    sol = market(rows, {"SOL": 100.0}, fx=fx)
    with pytest.raises(sg.InputError, match="SOL"):
        sg.margin(coin_book({"P": 1.0}), sol, sg.regimes.deribit())
    rows = [future("P", "perpetual")]
    base = sg.Market.from_frames(
        pd.DataFrame(rows), pd.DataFrame([{"underlying": "BTC", "spot": 5e4}]), pd.DataFrame({"symbol": []}),
        pd.DataFrame([{"currency": "EUR", "days": 30, "zero_rate_dec": 0.0}]), fx=fx,
        as_of="2026-11-20T21:00Z", base_currency="EUR",
    )  # fmt: skip
    with pytest.raises(sg.InputError, match="USD"):
        sg.margin(coin_book({"P": 1.0}), base, sg.regimes.deribit())


@pytest.mark.parametrize("version", ["v3", "v2", "standard"])
def test_what_is_not_settled_in_coin_is_refused(version: str) -> None:
    """The conversion at the end of the range is of P&L in coin; a contract in dollars has none."""
    rows = [{**future("P", "perpetual"), "currency": "USD", "inverse": False}]
    linear = market(rows, {"BTC": 60_000.0})
    with pytest.raises(sg.InputError, match=r"does not cover this instrument .*'P'"):
        sg.margin(coin_book({"P": 1.0}), linear, sg.regimes.deribit(version))


@pytest.mark.parametrize("name", ["derive", "span", "deribit", "deribit-v2", "deribit-standard"])
def test_regimes_by_name(name: str) -> None:
    regime = load_regime(name)
    assert regime.side == "exchange"
    assert any("estimate" in note for note in regime.notes)
    assert regime.fingerprint() == load_regime(name).fingerprint()

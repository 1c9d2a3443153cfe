"""Strategy-based margin as Cboe, Lean, Interactive Brokers and textbooks print it, row by row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from books import market, option, stock

import shockgrid as sg
from shockgrid.reg_t import RegtResult, RegtRules, regt_rules

NEAR, STEP = 30.0, 30.0  # days to the first label of a row and between labels; none is nine months away
BROKER = ("lean_rule", "ib_live", "ib_approx")
FLOAT_NOISE = 1e-9  # premium taken off in float64
UNCOVERED = ("short option", "short straddle or strangle")


class Leg(NamedTuple):
    """``quantity:type:strike:expiry:price`` of one leg; type S is shares."""

    quantity: float
    kind: str
    strike: float
    label: str
    price: float

    @classmethod
    def read(cls, text: str) -> Leg:
        quantity, kind, strike, label, price = text.strip().split(":")
        return cls(float(quantity), kind, float(strike or 1.0), label, float(price))


def rows_of(shared: Path) -> list[dict[str, Any]]:
    frame = pd.read_csv(shared / "oracles" / "regt.csv", comment="#", dtype=str, keep_default_na=False)
    return frame.to_dict("records")


def days(labels: list[str]) -> dict[str, float]:
    """Days to each expiry: months where the label says so, dates in their order and distance."""
    dates = pd.to_datetime(pd.Series([label for label in labels if "-" in label]))
    found = {label: NEAR + STEP * at for at, label in enumerate(sorted(set(labels)))}
    found |= {label: NEAR + (pd.Timestamp(label) - dates.min()).days for label in labels if "-" in label}
    return found | {label: 30.4375 * float(label[1:-1]) for label in labels if label.endswith("m")}


def laid_out(row: dict[str, Any]) -> tuple[sg.Book, sg.Market]:
    legs = [Leg.read(text) for text in row["legs"].split("|")]
    index, until = (
        row["class"].endswith("index"),
        days([Leg.read(text).label for text in row["legs"].split("|")]),
    )
    held, instruments, quotes = [], [stock("X")], []
    for leg in legs:
        symbol = "X" if leg.kind == "S" else f"X {leg.kind} {leg.strike:g} {leg.label}"
        held.append(("A", symbol, leg.quantity, leg.price))
        if leg.kind != "S":
            style = "european" if index else "american"
            instruments.append(option(symbol, "X", leg.kind, leg.strike, until[leg.label], style=style))
            quotes.append({"symbol": symbol, "mark": leg.price, "vol": 0.2})
    leverage = float(row["params"].removeprefix("leverage=")) if "leverage" in row["params"] else 1.0
    kind = row["class"] if index else "equity"
    spots = {"X": {"spot": float(row["underlying_price"]), "portfolio_type": kind, "leverage": leverage}}
    positions = pd.DataFrame(held, columns=["account", "symbol", "quantity", "price_paid"])
    accounts = pd.DataFrame([{"account": "A", "cash": 0.0, "program": row["account"]}])
    return sg.Book.from_frames(positions, accounts), market(instruments, spots, quotes)


def rules_of(row: dict[str, Any]) -> RegtRules:
    rules = regt_rules("ib" if row["method"] in BROKER else "cboe_manual")
    if not row["params"].startswith("stock_margin="):
        return rules
    share = float(row["params"].removeprefix("stock_margin=").rstrip("%")) / 100
    return replace(rules, stock_initial=share, stock_maintenance=share, short_stock_maintenance=share)


def measured(row: dict[str, Any], result: RegtResult) -> float:
    """The figure in the convention of the row; see the head of the file."""
    account = result.accounts.iloc[0]
    legs = [Leg.read(text) for text in row["legs"].split("|")]
    options = [leg for leg in legs if leg.kind != "S"]
    bought = 100 * sum(leg.price * leg.quantity for leg in options if leg.quantity > 0)
    if row["measure"] == "initial_gross":
        return float(account["initial_gross"])
    if row["measure"] == "initial_net_of_proceeds":
        return float(account["initial_requirement"])
    shorted = -sum(leg.price * leg.quantity for leg in legs if leg.kind == "S" and leg.quantity < 0)
    if row["measure"] == "initial_without_premium":
        return float(account["initial_gross"] - shorted - bought)
    if row["measure"] == "maintenance":
        return float(account["maintenance_gross"])
    if row["measure"] == "maintenance_without_premium":
        return float(account["maintenance_gross"] + account["capped_stock"] - shorted - bought)
    assert row["measure"] == "requirement"
    uncovered = result.explain("A", initial=True)["group"].isin(UNCOVERED).any()
    only_options = len(options) == len(legs)
    net = only_options and (row["account"] == "cash" or not uncovered)
    return float(account["initial_requirement" if net else "initial_gross"])


def test_every_row(shared: Path) -> None:
    missed = {}
    for row in rows_of(shared):
        held, priced = laid_out(row)
        result = sg.regt(held, priced, rules_of(row), cash_programs=["cash"])
        got, expected = measured(row, result), float(row["expected"])
        assert result.accounts["gap"].iloc[0] == 0.0
        percent = row["tol"].endswith("%")
        limit = abs(expected) * float(row["tol"][:-1]) / 100 if percent else float(row["tol"])
        if not abs(got - expected) <= limit + FLOAT_NOISE:
            missed[row["id"]] = (row["method"], row["legs"], row["measure"], got, expected, row["tol"])
    assert not missed

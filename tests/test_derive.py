"""Derive's own test portfolios: every scenario, initial and maintenance margin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import AS_OF
from coins import world
from derive_cases import cases, expiry, parameters, tables
from toml_text import written

import shockgrid as sg

#: The venue's numbers are printed to 18 digits; ours differ by rounding of sums that nearly cancel.
EXACT = 1e-9


def close(found: Any, expected: Any) -> bool:
    """Within EXACT of the expected size, or of 1."""
    return bool(np.allclose(found, expected, rtol=EXACT, atol=EXACT))


def margined(case: dict[str, Any], folder: Path) -> sg.MarginResult:
    path = folder / "derive.toml"
    path.write_text(written(parameters(case)), encoding="utf-8")
    book, market, confidences = tables(case["Scenario"])
    return sg.margin(book, market, sg.regimes.derive(path, confidences=confidences))


def expected_pnl(case: dict[str, Any]) -> list[float]:
    """The printed P&L in the order of the scenarios."""
    result, listed = case["Result"], case["Parameters"]["Scenarios"]
    skews = {row[0]: float(row[-1]) for row in result["skew_losses"]}
    plain = iter([*result["reg_losses"], *result["tail_losses"]])
    return [
        skews[row["VolShockDirection"]] if row["VolShockDirection"] in skews else float(next(plain)[-1])
        for row in listed
    ]


def test_every_case(shared: Path, tmp_path: Path) -> None:
    missed = {}
    for case in cases(shared):
        result = margined(case, tmp_path)
        row, expected = result.accounts.iloc[0], case["Result"]
        assert row["reliability"] == "OK", case["case"]
        pnl = result.scenarios("A")
        sums = pnl.groupby("scenario")["pnl"].sum().to_numpy() if len(pnl) else np.zeros(1)
        checks = {
            "scenarios": close(sums, expected_pnl(case) if len(pnl) else 0.0),
            "maintenance": close(row["equity_at_model"] - row["requirement"], expected["MM"]),
            "initial": close(row["equity_at_model"] - row["initial_requirement"], expected["IM"]),
        }
        if not all(checks.values()):
            missed[case["case"]] = checks
    assert not missed


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("scenarios", "rows", [{"spot": 1.1, "vol": "abs", "weight": 1.0}]), "scenarios.rows"),
        (("vol", "up", {"value": -1.0, "source": "a test", "confidence": "rule"}), "vol.up.value"),
        (("collateral", "default", {"maintenance": 2.0}), "collateral.default.maintenance"),
        (("basis", "sideways", {"value": 1.0}), "basis.sideways"),
    ],
)
def test_a_wrong_file_is_refused_by_path(
    shared: Path, tmp_path: Path, change: tuple[str, str, Any], named: str
) -> None:
    table, column, value = change
    numbers = parameters(cases(shared)[0])
    numbers[table] = {**numbers[table], column: value}
    path = tmp_path / "derive.toml"
    path.write_text(written(numbers), encoding="utf-8")
    with pytest.raises(sg.errors.ParameterError, match=named):
        sg.regimes.derive(path)


def test_a_confidence_out_of_range_is_refused() -> None:
    with pytest.raises(sg.InputError, match="confidence"):
        sg.regimes.derive(confidences=pd.DataFrame([{"underlying": "BTC", "confidence": 1.5}]))


def test_the_last_half_hour() -> None:
    """A future is half fixed a quarter of an hour before settlement: half of its move is left."""
    rows = [
        {"symbol": "F", "underlying": "BTC", "type": "future", "multiplier": 1.0, "expiry_utc": expiry(900)}
    ]
    market = sg.Market.from_frames(
        pd.DataFrame(rows), pd.DataFrame([{"underlying": "BTC", "spot": 60_000.0}]),
        pd.DataFrame({"symbol": []}), pd.DataFrame([{"currency": "USD", "days": 30, "zero_rate_dec": 0.0}]),
        as_of=AS_OF.to_pydatetime(),
    )  # fmt: skip
    book = sg.Book.from_frames(
        pd.DataFrame([{"account": "A", "symbol": "F", "quantity": 1.0}]),
        pd.DataFrame([{"account": "A", "cash": 0.0}]),
    )
    pnl = sg.margin(book, market, sg.regimes.derive()).scenarios("A")["pnl"]
    assert pnl.iloc[0] == pytest.approx(0.5 * 0.18 * 60_000.0)


def test_the_hash_follows_the_numbers() -> None:
    feeds = pd.DataFrame([{"underlying": "BTC", "confidence": 0.5}])
    assert sg.regimes.derive().fingerprint() == sg.regimes.derive().fingerprint()
    assert sg.regimes.derive().fingerprint() != sg.regimes.derive(confidences=feeds).fingerprint()


def test_contracts_settled_in_coin_are_refused() -> None:
    held = sg.Book.from_frames(
        pd.DataFrame([{"account": "A", "symbol": "BTC-PERPETUAL", "quantity": 1.0}]),
        pd.DataFrame([{"account": "A", "cash": 0.0}]),
    )
    with pytest.raises(sg.InputError, match="BTC-PERPETUAL"):
        sg.margin(held, world(), sg.regimes.derive())

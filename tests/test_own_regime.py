"""A regime written outside the package, through public names only, under 40 lines of code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, requirement, stock

import shockgrid as sg
from shockgrid.regimes import load_regime

FILE = Path(__file__).parent / "regimes" / "my_regime.py"
EXACT = 1e-9  # same arithmetic in another order


def firm() -> tuple[sg.Book, sg.Market]:
    groups = pd.DataFrame({"underlying": ["X", "Y"], "product_group": ["XY", "XY"]})
    priced = market(
        [stock("X"), stock("Y"), option("XC", "X", "C", 105.0, 60)],
        {"X": 100.0, "Y": 50.0},
        [{"symbol": "XC", "vol": 0.4}],
        groups=groups,
    )
    return book([("A", "X", 300), ("A", "XC", -3), ("A", "Y", -1000), ("B", "Y", 10)]), priced


def test_it_is_short_and_uses_public_names_only() -> None:
    tree = ast.parse(FILE.read_text(encoding="utf-8"))
    code = [
        line
        for line in ast.unparse(tree).splitlines()
        if line.strip() and not line.strip().startswith(('"""', "'"))
    ]
    assert len(code) < 40
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"numpy", "shockgrid"}
    used = set(re.findall(r"\bsg\.((?:requirement\.)?\w+)", ast.unparse(tree)))
    assert used <= {*sg.__all__, *(f"requirement.{name}" for name in sg.requirement.__all__)}


def test_its_requirement_by_hand() -> None:
    held, priced = firm()
    result = sg.margin(held, priced, load_regime(f"{FILE}:damped_shortfall"))
    spot, vol = np.repeat(np.linspace(-0.2, 0.2, 5), 2), np.tile([0.0, 0.25], 5)
    discount = np.exp(-0.05 * 60 / 365)

    def call(spots: np.ndarray, vols: np.ndarray) -> np.ndarray:
        return sg.price_european(
            forwards=spots / discount,
            strikes=105.0,
            expiries=60 / 365,
            vols=vols,
            discount_factors=discount,
            is_call=True,
        )

    base = call(np.array([100.0]), np.array([0.4]))
    x = 300 * 100 * spot - 300 * (call(100 * (1 + spot), 0.4 * (1 + vol)) - base)
    y = -1000 * 50 * spot
    joint = sum(np.where(leg > 0, leg / (1 + np.maximum(leg, 0) / 10_000), leg) for leg in (x, y))
    shortfall = max(0.0, -np.sort(joint)[:2].mean())
    notional = 0.01 * (300 * 100 + 300 * 100 + 1000 * 50)
    expected = max(shortfall, notional) + 0.25 * min(shortfall, notional)
    assert shortfall > 0.0
    assert requirement(result) == pytest.approx(expected, abs=EXACT * 50_000)
    lines = ["stand_alone_sum", "hedge_benefit", "offset_benefit", "minimum", "notional", "formula"]
    row = result.accounts.set_index("margin_group").loc["A"]
    assert row[lines].sum() == pytest.approx(expected, abs=EXACT * 50_000)
    assert row["worst_scenario"] == int(np.argmin(joint))


def test_a_file_that_is_not_a_regime_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.py"
    path.write_text("nothing = 1\n")
    for name in (f"{path}:nothing", f"{path}:absent", f"{tmp_path}/none.py:x", "timms"):
        with pytest.raises(sg.errors.ParameterError):
            load_regime(name)

"""Class groups priced many in one call, one by one, and by blocks of instruments: the same bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, stock
from every_backend import BACKENDS

import shockgrid as sg
from shockgrid.calibration import calibrated
from shockgrid.engine import model_values, plan, unit_blocks
from shockgrid.regimes import load_regime
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.together import rows_and_units

KINDS = [("C", 95.0, 20.0, "american"), ("P", 105.0, 60.0, "american"), ("C", 110.0, 60.0, "european")]
NAMES = ("X", "Y", "Z", "V")
LEGS = [
    *(stock(name) for name in NAMES),
    *(
        option(f"{name}{place}", name, right, strike, days, style=style)
        for name in NAMES
        for place, (right, strike, days, style) in enumerate(KINDS)
    ),
]
QUOTES = [{"symbol": f"{name}{place}", "vol": 0.3 + 0.05 * place} for name in NAMES for place in range(3)]
#: X and Y in one class group; V pays a dividend and is levered, so its shocks are its own
MARKET = market(
    LEGS,
    {"X": 100.0, "Y": 100.0, "Z": 100.0, "V": {"spot": 100.0, "leverage": 2.0}},
    QUOTES,
    groups=pd.DataFrame({"underlying": ["X", "Y"], "class_group": ["XY", "XY"]}),
    dividends=pd.DataFrame([{"underlying": "V", "ex_date": "2026-12-15", "amount": 1.5}]),
)
SYMBOLS = [row["symbol"] for row in LEGS]
BOOK = book(
    [
        (account, symbol, (-1) ** place * (1 + place % 5))
        for account in "AB"
        for place, symbol in enumerate(SYMBOLS)
        if account == "A" or place % 3
    ]
)


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS.keys())
@pytest.mark.parametrize("name", ["span", "derive", "tims"])
def test_how_many_are_priced_in_one_call_changes_no_byte(
    name: str, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = sg.get_backend(backend)

    def found() -> list[pd.DataFrame]:
        result = sg.margin(BOOK, MARKET, load_regime(name), backend=engine)
        return [result.accounts, result.groups, result.positions]

    many = found()
    monkeypatch.setattr("shockgrid.requirement.priced.PART_ELEMENTS", 1)
    one_by_one = found()
    monkeypatch.setattr("shockgrid.requirement.evaluate.UNIT_TILE_ELEMENTS", 0)
    monkeypatch.setattr("shockgrid.engine.UNIT_TILE_ELEMENTS", 1)
    for other in (one_by_one, found()):
        for frame, same in zip(many, other, strict=True):
            pd.testing.assert_frame_equal(frame, same, check_exact=True)


def test_rows_and_units_are_those_of_each_class_group_alone() -> None:
    engine = sg.get_backend("numpy")
    whole = plan(BOOK, calibrated(MARKET, engine))
    evaluator = Evaluator(whole, load_regime("derive"), engine, model_values(whole, engine))
    groups = list(whole.class_groups())
    cuts = [evaluator.rows.expiry_rows(group) for group in groups]
    weights = [cut.weights for cut in cuts]
    states, values = evaluator.standard_states, evaluator.values
    together = rows_and_units(groups, weights, whole, states, engine, values)
    for group, cut, (rows, units) in zip(groups, cuts, together, strict=True):
        np.testing.assert_array_equal(rows, evaluator.rows.raw_rows(group, cut))
        for block, pnl in unit_blocks(group, whole.market, states, engine):
            np.testing.assert_array_equal(units[block], pnl)


def test_neighbours_with_other_shocks_keep_theirs() -> None:
    """The levered fund moves twice as far as its neighbours; by hand 2 x 15 % of 100."""
    held = book([("A", "X", 1), ("B", "V", 1)])
    rule = sg.ScenarioSet.points([-0.15], roll_days=1.0)
    result = sg.margin(held, MARKET, sg.Regime("one", rule)).accounts.set_index("margin_group")
    assert result["requirement"].to_dict() == pytest.approx({"A": 15.0, "B": 30.0})

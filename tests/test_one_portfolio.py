"""One portfolio group by itself, without rows, is the one with rows, to the last byte."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
from desk_world import held, priced
from every_backend import BACKENDS

import shockgrid as sg
from shockgrid import whole_firm
from shockgrid.calibration import calibrated
from shockgrid.desk.runs import Runs
from shockgrid.desk.side_rows import FoldedRows
from shockgrid.desk.side_worst import WorstColumns
from shockgrid.engine import model_values, plan
from shockgrid.requirement.evaluate import Evaluator


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS.keys())
def test_a_portfolio_group_without_rows_is_the_one_with_them(backend: Any) -> None:
    engine = sg.get_backend(backend)
    whole = plan(held(), calibrated(priced(), engine))
    evaluator = Evaluator(whole, sg.house(minimum_per_unit=0.375), engine, model_values(whole, engine))
    assert WorstColumns.serve(evaluator)
    columns = WorstColumns(evaluator, Runs(whole))
    for groups in whole.portfolios:
        columns.redo([groups[0].portfolio_group], resized=True)
    columns.settle()
    folded = FoldedRows(evaluator)
    folded.build(None, ())
    for known, found in zip(folded.results(), columns.results(), strict=True):
        for one, other in zip(known.leaves, found.leaves, strict=True):
            for column in ("tagged", "charges", "stand_alone"):
                np.testing.assert_array_equal(getattr(other, column), getattr(one, column))
            np.testing.assert_array_equal(other.reduced.losses, one.reduced.losses)
            np.testing.assert_array_equal(other.reduced.scenarios, one.reduced.scenarios)
    for part in ("leaves", "nodes", "unoffset"):
        for name, column in vars(getattr(folded.found, part)).items():
            np.testing.assert_equal(getattr(getattr(columns.found, part), name), column)
    np.testing.assert_array_equal(columns.found.stand_alone, folded.found.stand_alone)
    np.testing.assert_array_equal(columns.found.charges, folded.found.charges)


def test_neighbours_run_together() -> None:
    """Of the portfolio groups BTC, D, X and YZ the last has two class groups."""
    runs = Runs(plan(held(), priced()))
    names = runs.names
    assert [run.groups for run in runs.of([names[3], names[0], names[1], "nobody"])] == [(0, 2), (3, 5)]
    assert next(runs.of(names)) is runs.every
    assert list(runs.of(["nobody"])) == []


def test_a_part_of_a_layout_is_that_of_its_positions_alone() -> None:
    whole = plan(held(), priced())
    layout, first = whole.layout, 0
    for groups in whole.portfolios:
        part = layout.part(first, first + len(groups), whole.market)
        first += len(groups)
        rows = slice(groups[0].positions.start, groups[-1].positions.stop)
        np.testing.assert_array_equal(part.leaves, np.concatenate([group.leaves for group in groups]))
        np.testing.assert_array_equal(part.instruments[part.held_places], whole.positions.instruments[rows])
        np.testing.assert_array_equal(part.weights, whole.positions.weights[rows])
        assert part.group_leaves[-1] == len(part.leaves)
        assert part.leaf_positions[-1] == len(part.weights)
        assert part.section_starts[-1] == len(part.instruments)


def test_threads_that_share_the_leaves_of_one_class_group_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(whole_firm, "SMALLEST_SHARE", 0)
    engine = sg.get_backend("auto")
    whole = plan(held(), calibrated(priced(), engine))
    states = Evaluator(whole, sg.house(), engine, model_values(whole, engine)).states
    for run in Runs(whole).of(["X"]):
        batch = run.layout.batch(states)
        alone = whole_firm.worst_of(batch, 217, engine, units=True)
        with ThreadPoolExecutor(2) as pool:
            shared = whole_firm.worst_of(batch, 217, engine, units=True, executor=pool)
        assert len(whole_firm._leaf_shares(batch)) > 1
        for one, other in zip(alone, shared, strict=True):
            np.testing.assert_array_equal(other, one)


def test_a_desk_with_threads_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_firm, "SMALLEST_SHARE", 0)
    with ThreadPoolExecutor(2) as pool:
        desk = sg.Desk(held(), priced(), sg.house(), executor=pool)
        for name, spot in (("X", 97.0), ("Y", 96.0), ("BTC", 60_000.0)):
            desk.tick({"underlying": [name], "spot": [spot]})
    full = sg.margin(desk.book, desk.market, desk.regime_or_policy)
    pd.testing.assert_frame_equal(desk.accounts, full.accounts, check_exact=True)

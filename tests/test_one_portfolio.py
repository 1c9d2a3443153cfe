"""One portfolio group by itself, without rows, is the one with rows, to the last byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from desk_world import held, priced
from every_backend import BACKENDS

import shockgrid as sg
from shockgrid.calibration import calibrated
from shockgrid.engine import model_values, plan
from shockgrid.requirement.evaluate import Evaluator


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS.keys())
def test_a_portfolio_group_without_rows_is_the_one_with_them(backend: Any) -> None:
    engine = sg.get_backend(backend)
    whole = plan(held(), calibrated(priced(), engine))
    evaluator = Evaluator(whole, sg.house(minimum_per_unit=0.375), engine, model_values(whole, engine))
    assert evaluator.reducible
    for place, groups in enumerate(whole.portfolios):
        with_rows, without = evaluator.portfolio(groups), evaluator.portfolio_at(place)
        for known, found in zip(with_rows.leaves, without.leaves, strict=True):
            for column in ("tagged", "charges", "stand_alone"):
                np.testing.assert_array_equal(getattr(found, column), getattr(known, column))
            np.testing.assert_array_equal(found.reduced.losses, known.reduced.losses)
            np.testing.assert_array_equal(found.reduced.scenarios, known.reduced.scenarios)


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

"""A plan laid out once: its class groups are slices, and what was replaced is laid out anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pytest
from every_backend import BACKENDS
from small_firm import laid, same_bytes

import shockgrid as sg
from shockgrid.backends import NumpyBackend, Series
from shockgrid.backends.remembered import Remembered
from shockgrid.engine import Plan, model_values, plan
from shockgrid.market_series import series
from shockgrid.market_states import MarketStates
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.states import States
from shockgrid.whole_firm import worst_losses


@pytest.fixture
def small_firm() -> Plan:
    return laid()


def same_columns(left: Series, right: Series) -> bool:
    """Of a slice and of columns laid out alone, which have no room for the dividends of others."""
    used = right.ex_years.shape[1]
    assert np.isinf(left.ex_years[:, used:]).all()
    assert (left.ex_cash[:, used:] == 0.0).all()
    left = replace(left, ex_years=left.ex_years[:, :used], ex_cash=left.ex_cash[:, :used])
    pairs = ((getattr(left, field.name), getattr(right, field.name)) for field in fields(Series))
    return all(same_bytes(*(np.ascontiguousarray(column) for column in pair)) for pair in pairs)


def test_every_class_group_is_a_slice_of_the_layout(small_firm: Plan) -> None:
    layout, market = small_firm.layout, small_firm.market
    assert len(layout.instruments) == len(np.unique(small_firm.positions.instruments))
    for place, group in enumerate(small_firm.class_groups()):
        part = slice(*layout.group_columns[place : place + 2])
        assert layout.instruments[part].tolist() == group.instruments.tolist()
        assert layout.leaves[slice(*layout.group_leaves[place : place + 2])].tolist() == group.leaves.tolist()
        held = small_firm.positions.instruments[group.positions]
        assert group.instruments[group.position_columns].tolist() == held.tolist()
        owners = small_firm.positions.margin_groups[group.positions]
        assert group.leaves[group.position_leaves].tolist() == owners.tolist()
        for underlying, rows in group.sections:
            own = group.instruments[rows]
            assert set(market.instruments.underlyings[own]) == {underlying}
            assert same_columns(layout.take(own), series(market, own))


def test_rows_that_are_no_slice_are_laid_out_anew(small_firm: Plan) -> None:
    layout = small_firm.layout
    scattered = layout.instruments[[7, 3, 4]]
    assert same_columns(layout.take(scattered), series(small_firm.market, scattered))
    unheld = np.setdiff1d(np.arange(len(small_firm.market.instruments.symbols)), layout.instruments)[:3]
    assert same_columns(layout.take(unheld), series(small_firm.market, unheld))
    assert len(layout.take(layout.instruments[:0])) == 0


def test_a_plan_whose_market_was_replaced_sees_the_new_one(small_firm: Plan) -> None:
    """Spots up 10 %: what was laid out for the old market is not taken."""
    names = small_firm.market.underlyings
    risen = replace(small_firm.market, underlyings=replace(names, spots=1.1 * names.spots))
    ticked = replace(small_firm, market=risen)
    assert small_firm.laid is small_firm.layout
    assert ticked.laid is None
    backend = NumpyBackend()
    assert same_bytes(model_values(ticked, backend), model_values(plan(small_firm.book, risen), backend))
    result = sg.margin(small_firm.book, risen, sg.house(), backend=backend)
    evaluator = Evaluator(ticked, sg.house(), backend, model_values(ticked, backend))
    found = [leaf for groups in ticked.portfolios for leaf in evaluator.portfolio(groups).leaves]
    assert same_bytes(
        np.concatenate([leaf.reduced.losses for leaf in found]), result.runs[0].evaluation.leaves.losses
    )


def test_a_plan_whose_positions_were_replaced_is_laid_out_anew(small_firm: Plan) -> None:
    """All quantities doubled: no leaf keeps its old weights."""
    held, backend = small_firm.positions, BACKENDS["numpy"]
    doubled = replace(held, quantities=2.0 * held.quantities, weights=2.0 * held.weights)
    states = MarketStates.of(sg.house().scenarios, small_firm.market)
    once = worst_losses(small_firm, states, backend)
    twice = worst_losses(replace(small_firm, positions=doubled), states, backend)
    assert same_bytes(twice.losses, 2.0 * once.losses)  # a power of two rounds nothing


class Hinted(NumpyBackend):
    """Counts how often it is told what will be priced."""

    hints = 0

    def prepare(self, sections: Sequence[tuple[Series, States]]) -> None:
        self.hints += 1
        super().prepare(sections)


def test_a_tick_needs_no_new_hint_and_another_vol_does(small_firm: Plan) -> None:
    """Another spot and the same terms, then all vols up by a tenth of a point, then other scenarios."""
    backend, laid = Hinted(), replace(small_firm.layout, remembered=Remembered())
    firm, market = replace(small_firm, layout=laid), small_firm.market
    risen = replace(market, underlyings=replace(market.underlyings, spots=1.1 * market.underlyings.spots))
    table = market.instruments
    wilder = replace(market, instruments=replace(table, vols=table.vols + 0.001))
    asked = []
    for over in (market, market, risen, wilder, wilder):
        ticked = replace(firm, market=over)
        found = worst_losses(ticked, MarketStates.of(sg.house().scenarios, over), backend)
        fresh = plan(small_firm.book, over)
        expected = worst_losses(fresh, MarketStates.of(sg.house().scenarios, over), NumpyBackend())
        assert same_bytes(found.losses, expected.losses)
        asked.append(backend.hints)
    still = MarketStates.of(sg.ScenarioSet.points([-0.1, 0.0, 0.1]), wilder)
    assert same_bytes(
        worst_losses(ticked, still, backend).losses, worst_losses(fresh, still, NumpyBackend()).losses
    )
    assert [*asked, backend.hints] == [1, 1, 1, 2, 2, 3]

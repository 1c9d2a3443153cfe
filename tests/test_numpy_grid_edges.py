"""Edges of the grids by name: what is priced from a grid, what by other means, and never a NaN."""

import numpy as np
import pytest
from grid_cases import GRID, contracts_of, truth_of, values_of

from shockgrid.backends import _numpy_grid_read as reader
from shockgrid.backends._numpy_grid_frame import NODES
from shockgrid.backends._numpy_grid_read import BOUND, READABLE, SURE, TRUTH, read, routes
from shockgrid.pricing.dividends import with_dividends

EDGES = {
    "ex-date a minute from now": {"dates": [2e-6, 0.3]},
    "ex-date a minute before expiry": {"dates": [0.2, 0.5 - 2e-6]},
    "ex-date at expiry": {"dates": [0.2, 0.5]},
    "ex-date hours before expiry": {"dates": [0.2, 0.499]},
    "two ex-dates at once": {"dates": [0.2, 0.2]},
    "two ex-dates tomorrow": {"dates": [0.002, 0.003]},
    "dividend above the spot": {"cash": [150.0, 1.0]},
    "dividend of nothing": {"cash": [0.0, 0.0]},
    "minutes to expiry": {"years": 1e-5, "dates": [4e-6, 8e-6]},
    "vol next to 0": {"vol": 1e-4},
    "vol 0.5 %": {"vol": 0.005},
    "vol 400 %": {"vol": 4.0, "years": 0.9},
    "wild": {"vol": 4.0, "years": 4.0},
    "spot nine decades below": {"spot": 1e-7, "cash": [1e-9, 1e-9]},
    "spot nine decades above": {"spot": 1e11},
    "rate below 0": {"rate": -0.03},
    "yield below 0": {"dividend_yield": -0.03},
    "both below 0": {"rate": -0.01, "dividend_yield": -0.04},
    "rate of 30 %": {"rate": 0.3},
    "twelve dividends": {"dates": np.arange(1, 13) / 25.0, "cash": np.full(12, 0.5)},
}


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("is_call", [True, False])
def test_edges(name, is_call):
    edge = {"spot": 100.0, "years": 0.5, "vol": 0.3, "rate": 0.04, "dividend_yield": 0.0}
    edge |= {"dates": [0.2, 0.4], "cash": [1.0, 1.0]} | EDGES[name]
    carry = (edge["years"], edge["rate"], edge["dividend_yield"], is_call)
    contracts = contracts_of(100.0, *carry, edge["dates"], edge["cash"])
    spots = edge["spot"] * np.array([[0.8], [0.97], [1.0], [1.05], [1.2]])
    vols = np.array([[edge["vol"]]])
    values, expected = values_of(contracts, spots, vols), truth_of(contracts, spots, vols)
    assert np.isfinite(values).all()
    assert (np.abs(values - expected)[:, 0] <= GRID * np.maximum(spots, 100.0)).all()


def test_routes():
    contracts = contracts_of(100.0, [0.0, 1.0, 1.0, 1.0, 1.0], 0.04, 0.0, False, [0.5], [1.0])
    vols = np.array([[0.3, 0.0, 0.3, 7.0, 30.0]])
    assert routes(contracts, vols).tolist() == [[SURE, SURE, READABLE, TRUTH, BOUND]]
    far = contracts_of(100.0, 1e-6, 0.04, 0.0, False, [5e-7], [40.0])
    assert routes(far, np.array([[0.1]])) == TRUTH
    crowded = contracts_of(100.0, 1.0, 0.04, 0.0, [True, False], [0.01, 0.012], [1.0, 1.0])
    assert routes(crowded, np.full((1, 2), 0.3)).tolist() == [[TRUTH, READABLE]]


def test_without_time_or_vol_and_with_too_much():
    dead = contracts_of(100.0, 0.0, 0.04, 0.0, [True, False])
    index, firsts, grids = np.zeros((1, 2), np.intp), np.zeros(2, np.intp), np.zeros((2, 4, NODES))
    spots = np.array([[110.0, 70.0]])
    assert read(grids, firsts, dead, spots, np.full((1, 2), 0.3), index).tolist() == [[10.0, 30.0]]
    still = contracts_of(100.0, 1.0, 0.05, 0.0, [True, False], [0.5], [20.0])
    calm = read(grids, firsts, still, spots, np.zeros((1, 2)), index)
    slow = with_dividends(spots, 100.0, 1.0, 0.0, 0.05, 0.0, [True, False], [0.5], [20.0])
    np.testing.assert_allclose(calm, slow, rtol=1e-14)
    bound = read(grids, firsts, still, spots, np.full((1, 2), 30.0), index)
    assert bound.tolist() == [[110.0, 100.0]]


def test_the_slow_pricer_answers_where_the_mask_says(monkeypatch):
    crowded = contracts_of(100.0, 1.0, 0.04, 0.0, True, [0.01, 0.012], [1.0, 1.0])
    spots, vols = np.array([[101.0]]), np.array([[0.3]])
    assert values_of(crowded, spots, vols) == truth_of(crowded, spots, vols)
    monkeypatch.setattr(reader, "with_dividends", lambda spot, *_: np.full_like(spot, 77.0))
    assert values_of(crowded, spots, vols) == 77.0


@pytest.mark.parametrize("is_call", [True, False])
def test_a_dividend_that_moves_no_node_moves_no_value(is_call):
    """Taken at expiry, it leaves every node where it was, but for rounding: at the ends too, at any vol."""
    contracts = contracts_of(100.0, np.full(200, 0.5), 0.0, 0.0, is_call, [0.2, 0.5 - 2e-6], [1.0, 1.0])
    vols = np.exp(np.linspace(np.log(0.05), np.log(1.5), 200))[None]
    spots = 100.0 * np.exp(np.linspace(-3.0, 3.0, 25))[:, None] * np.ones(200)
    rises = np.diff(values_of(contracts, spots, vols)[:, 0], axis=0) * (1.0 if is_call else -1.0)
    assert rises.min() >= -GRID * 100.0
    assert (rises <= np.diff(spots, axis=0) + GRID * 100.0).all()

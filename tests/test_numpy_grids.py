"""Finite-difference grids of the NumPy backend against the slow pricer, published rows and QuantLib."""

from pathlib import Path

import american_reference
import numpy as np
import pandas as pd
import pytest
from grid_cases import GRID, contracts_of, node_runs, truth_of, values_of
from hypothesis import given, settings
from hypothesis import strategies as st

from shockgrid.backends._numpy_grid_frame import crosses_soon
from shockgrid.backends._numpy_grid_read import READABLE, read, routes
from shockgrid.backends._numpy_grid_solve import (
    CROWDED,
    FEWEST_STEPS,
    SHORTEST_STEPS,
    STEPS,
    solve,
    steps_between,
)
from shockgrid.backends.vol_lattice import first_nodes, is_on_lattice, node_vols, node_weights
from shockgrid.errors import InputError
from shockgrid.pricing.certain import certain_values

#: In units of spot: the worst put of the kind that ``solve`` tells of, one in some hundreds; 1.0e-4 was seen.
RARE = 1.1e-4
#: Of strike, for monotony: interpolation in spot and vol is cubic.
RIPPLE = 2e-6


def drawn(count, dividends, seed):
    """Contracts, spots [1, n] and vols [1, n]: the ranges of the design's bar."""
    rng = np.random.default_rng(seed)
    years = np.exp(rng.uniform(np.log(1 / 365), np.log(3.0), count))
    vols = np.exp(rng.uniform(np.log(0.05), 0.0, count))
    spots = 100.0 * np.exp(rng.uniform(-0.6, 0.6, count))
    ex_years = np.sort(rng.uniform(0, 1, (count, dividends)), axis=1) * years[:, None]
    cash = rng.uniform(0.001, 0.03, (count, dividends)) * spots[:, None]
    rates, yields = rng.uniform(0, 0.1, count), rng.uniform(0, 0.05, count) * (rng.random(count) < 0.5)
    contracts = contracts_of(100.0, years, rates, yields, rng.random(count) < 0.5, ex_years, cash)
    return contracts, spots[None], vols[None]


@pytest.mark.parametrize("dividends", [1, 2, 4, 12])
def test_random_draws(dividends):
    contracts, spots, vols = drawn(150, dividends, 70 + dividends)
    misses = np.abs(values_of(contracts, spots, vols) - truth_of(contracts, spots, vols)) / spots
    assert misses.max() <= GRID
    assert (routes(contracts, vols) == READABLE).mean() > 0.9


def test_published_rows(shared: Path):
    rows = pd.read_csv(shared / "oracles" / "american_discrete_div.csv", comment="#")
    rows = rows[(rows["model"] == "spot") & (rows["style"] == "A")]
    assert len(rows) > 5
    for row in rows.itertuples():
        pairs = np.array([pair.split(":") for pair in row.divs.split(";")], float)
        terms = (row.K, row.days / 365.0, row.r, row.q, row.type == "C", pairs[:, 0] / 365.0, pairs[:, 1])
        value = values_of(contracts_of(*terms), np.array([[row.S]]), np.array([[row.sigma]]))[0, 0, 0]
        assert abs(value - row.verify) <= GRID * row.S, row.id
        assert abs(value - row.expected) <= row.tol, row.id


@pytest.mark.parametrize("regime", ["cash dividend", "two boundaries", "no early exercise", "earning put"])
def test_against_quantlib(regime):
    rows = pd.read_parquet(american_reference.FILE).query("regime == @regime")
    count = len(rows)
    assert count == american_reference.REGIMES[regime][0]
    columns = (rows[name].to_numpy() for name in ("strikes", "days", "rates", "yields", "is_call"))
    strikes, days, *rest = columns
    paid = rows[["ex_days"]].to_numpy() / 365.0, rows[["cash"]].to_numpy()
    dividends = paid if regime == "cash dividend" else ((), ())
    spots, vols = rows["spots"].to_numpy()[None], rows["vols"].to_numpy()[None]
    values = values_of(contracts_of(strikes, days / 365.0, *rest, *dividends), spots, vols)[0, 0]
    assert (np.abs(values - rows["prices"].to_numpy()) <= GRID * spots[0]).all()


@pytest.mark.parametrize("is_call", [True, False])
def test_two_boundaries(is_call):
    """Put with yield < rate <= 0, and the call that mirrors it; the truth is ``pricing.american``."""
    rng = np.random.default_rng(8)
    rates = -rng.uniform(0, 0.04, 500) * (rng.random(500) < 0.8)
    yields = rates - rng.uniform(0.002, 0.06, 500)
    carry = (yields, rates) if is_call else (rates, yields)
    contracts = contracts_of(100.0, np.exp(rng.uniform(-2.5, 1.0, 500)), *carry, is_call)
    spots = 100.0 * np.exp(rng.uniform(-0.4, 0.4, (1, 500)))
    vols = np.exp(rng.uniform(np.log(0.1), 0.0, (1, 500)))
    misses = np.abs(values_of(contracts, spots, vols) - truth_of(contracts, spots, vols)) / spots[:, None]
    assert misses.max() <= GRID


def test_where_two_boundaries_meet():
    """Options on which a grid of 145 nodes and a lattice of 8 vols to a doubling miss by 6e-5 to 7e-5."""
    terms = [
        (1.27, -0.0012, -0.0445, False, 69.3, 0.261),
        (2.30, -0.0579, -0.0112, True, 124.6, 0.165),
        (2.39, -0.0065, -0.0532, False, 74.3, 0.215),
        (1.89, -0.0600, -0.0044, True, 112.3, 0.127),
    ]
    years, rates, yields, is_call, spots, vols = (np.array(column) for column in zip(*terms, strict=True))
    contracts = contracts_of(100.0, years, rates, yields, is_call)
    values, expected = (price(contracts, spots[None], vols[None]) for price in (values_of, truth_of))
    assert (np.abs(values - expected) <= GRID * spots).all()


@pytest.mark.parametrize(("dividends", "days"), [(2, 3.0), (2, 0.5), (5, 0.5), (5, 10.0)])
def test_ex_dates_in_clusters(dividends, days):
    """All within ``days`` of each other, anywhere in lives of 0.1 to 3 years."""
    count, rng = 80, np.random.default_rng(dividends + int(10 * days))
    years, vols = (
        np.exp(rng.uniform(np.log(low), np.log(high), count)) for low, high in ((0.1, 3.0), (0.08, 0.8))
    )
    spots = 100.0 * np.exp(rng.uniform(-0.4, 0.4, count))
    length = days / 365.0
    firsts = rng.uniform(0.05, 0.9, count) * (years - length)
    ex_years = firsts[:, None] + np.sort(rng.uniform(0.0, length, (count, dividends)), axis=1)
    cash = rng.uniform(0.001, 0.03, (count, dividends)) * spots[:, None]
    rates, yields = rng.uniform(0, 0.1, count), rng.uniform(0, 0.05, count) * (rng.random(count) < 0.5)
    contracts = contracts_of(100.0, years, rates, yields, rng.random(count) < 0.5, ex_years, cash)
    misses = np.abs(
        values_of(contracts, spots[None], vols[None]) - truth_of(contracts, spots[None], vols[None])
    )
    misses = (misses / spots)[0, 0]
    assert misses[contracts.is_call].max() <= GRID
    assert (misses > GRID).sum() <= 1
    assert misses.max() <= RARE


def test_a_scenario_grid_of_a_chain():
    """One solution serves every spot and vol: 9 x 5 scenarios of ten options with two dividends."""
    strikes, calls = np.repeat([80.0, 90.0, 100.0, 110.0, 125.0], 2), np.tile([True, False], 5)
    contracts = contracts_of(strikes, 0.5, 0.04, 0.0, calls, [0.1, 0.35], [0.8, 0.8])
    spots = 100.0 * np.linspace(0.8, 1.2, 9)[:, None] * np.ones(10)
    vols = 0.3 * np.linspace(0.7, 1.3, 5)[:, None] * np.linspace(1.2, 0.9, 10)
    misses = np.abs(values_of(contracts, spots, vols) - truth_of(contracts, spots, vols)) / spots[:, None]
    assert misses.max() <= GRID


@pytest.mark.parametrize("days", [0.01, 1.0, 5.0, 12.0])
def test_calls_shortly_before_an_ex_date(days):
    """The kink of exercise is narrower than the nodes, in spot and in vol, and still where it belongs."""
    contracts = contracts_of(100.0, 1.0, 0.02, 0.0, np.ones(3, bool), [days / 365, 0.3], [2.0, 2.0])
    assert crosses_soon(contracts)[0].all()
    spots = 100.0 * np.linspace(0.9, 1.5, 25)[:, None] * np.ones(3)
    vols = np.array([0.2, 0.35, 0.5]) * np.array([[0.93], [1.06]])
    misses = np.abs(values_of(contracts, spots, vols) - truth_of(contracts, spots, vols)) / spots[:, None]
    assert misses.max() <= GRID


def test_no_lane_sees_the_others():
    """Bit for bit: alone, among others, in another order, in a run of more nodes."""
    contracts, spots, vols = drawn(60, 2, 5)
    firsts, count = node_runs(contracts, vols)
    grids = solve(contracts, firsts, count)
    order = np.random.default_rng(1).permutation(60)
    assert np.array_equal(solve(contracts.only(order), firsts[order], count), grids[order])
    wide = solve(contracts, firsts - 1, count + 2)
    assert np.array_equal(wide[:, 1:-1], grids)
    index = np.zeros((1, 2), np.intp)
    values = read(grids, firsts, contracts, spots, vols, index)
    assert np.array_equal(read(wide, firsts - 1, contracts, spots, vols, index), values)
    for row in range(0, 60, 7):
        one, rows = slice(row, row + 1), np.array([row])
        alone = solve(contracts.only(rows), firsts[one], count)
        assert np.array_equal(alone[0], grids[row])
        value = read(alone, firsts[one], contracts.only(rows), spots[:, one], vols[:, one], index)
        assert np.array_equal(value[:, 0], values[:, row])


terms = st.fixed_dictionaries(
    {
        "years": st.floats(0.02, 3.0),
        "rates": st.sampled_from([0.0, 0.03, 0.08]),
        "yields": st.sampled_from([0.0, 0.02]),
        "is_call": st.booleans(),
        "parts": st.lists(st.floats(0.06, 0.98), min_size=0, max_size=4, unique=True),
        "paid": st.floats(0.0, 4.0),
        "vol": st.floats(0.08, 0.9),
    }
)


@settings(max_examples=25)
@given(terms)
def test_bounds_and_monotony(term):
    """At least exercise now and at any fixed date (Jensen); monotone in spot with a slope of at most 1."""
    parts = np.sort(np.array(term["parts"], float))
    dates, paid = term["years"] * parts, np.full(len(parts), term["paid"])
    carry = (term["years"], term["rates"], term["yields"], term["is_call"])
    contracts = contracts_of(100.0, *carry, dates, paid)
    ladder = np.linspace(50.0, 170.0, 121)
    vols = np.array([[term["vol"]]])
    values = values_of(contracts, ladder[:, None], vols)[:, 0, 0]
    sign = 1.0 if term["is_call"] else -1.0
    assert (values >= np.maximum(sign * (ladder - 100.0), 0.0)).all()
    pairs = [(np.asarray(date), np.asarray(cash)) for date, cash in zip(dates, paid, strict=True)]
    carried = [np.asarray(term[name]) for name in ("years", "rates", "yields")]
    sure = certain_values(ladder, np.asarray(100.0), *carried, term["is_call"], pairs)
    assert (values >= sure - GRID * ladder).all()
    slopes = sign * np.diff(values)
    assert slopes.min() >= -100.0 * RIPPLE
    assert slopes.max() <= 1.0 + 100.0 * RIPPLE


def test_a_vol_outside_the_solved_nodes_is_refused():
    contracts, spots, vols = drawn(3, 1, 2)
    firsts, count = node_runs(contracts, vols)
    grids = solve(contracts, firsts, count)
    vols[0, 1] *= 2.0
    with pytest.raises(InputError, match="outside the nodes that were solved"):
        read(grids, firsts, contracts, spots, vols, np.zeros((1, 2), np.intp))


def test_the_lattice():
    vols = np.exp(np.random.default_rng(4).uniform(-7, 2, (3, 50)))
    firsts = first_nodes(vols)
    assert (node_vols(firsts + 1) <= vols * (1 + 1e-14)).all()
    assert (node_vols(firsts + 2) >= vols * (1 - 1e-14)).all()
    weights = node_weights(vols, firsts)
    logs = np.log(node_vols(firsts + np.arange(4)[:, None, None]))
    for power in range(4):
        read_back = (weights * logs**power).sum(axis=0)
        np.testing.assert_allclose(read_back, np.log(vols) ** power, rtol=1e-12, atol=1e-12)
    lowest, count = node_runs(contracts_of(100.0, np.ones(50), 0.0, 0.0, True), vols)
    assert (firsts >= lowest).all()
    assert (firsts + 4 <= lowest + count).all()


def test_steps_of_a_schedule():
    """As many in each stretch, by hand 24 / (D + 1) or 5; by the roots where ex-dates lie together."""
    for dividends, even in ((0, 24), (1, 12), (2, 8), (4, 5), (12, 5)):
        ends = np.linspace(0.0, 1.0, dividends + 2)[1:, None]
        assert steps_between(ends).tolist() == [[even]] * (dividends + 1)
    # roots 0.6, 0.02, 0.7997: 24 / 1.4197 = 16.9 times each, at least 2
    assert steps_between(np.array([[0.36], [0.3604], [1.0]])).tolist() == [[10.0], [2.0], [14.0]]
    # roots 0.2 and 0.9798: 24 / 1.1798 = 20.3 times each
    assert steps_between(np.array([[0.04], [1.0]])).tolist() == [[4.0], [20.0]]


@given(st.lists(st.floats(1e-4, 1.0, exclude_max=True), max_size=8))
def test_steps_whatever_the_schedule(left):
    """No stretch falls behind its share by the roots by more than CROWDED, and none gets nothing."""
    ends = np.append(np.sort(np.array(left, float)), 1.0)[:, None]
    steps, roots = steps_between(ends)[:, 0], np.sqrt(np.diff(ends[:, 0], prepend=0.0))
    fair = max(STEPS, FEWEST_STEPS * len(ends)) * roots / roots.sum()
    assert (steps >= np.maximum(SHORTEST_STEPS, fair / CROWDED - 0.5)).all()
    assert steps.sum() <= max(STEPS, FEWEST_STEPS * len(ends)) + SHORTEST_STEPS * len(ends)


def test_a_finer_lattice_is_read_the_same_way():
    vols = np.array([0.1, 0.27, 1.9])
    firsts = first_nodes(vols, 16)
    assert ((node_vols(firsts + 1, 16) <= vols) & (vols <= node_vols(firsts + 2, 16))).all()
    logs = np.log(node_vols(firsts + np.arange(4)[:, None], 16))
    read_back = (node_weights(vols, firsts, 16) * logs**3).sum(axis=0)
    np.testing.assert_allclose(read_back, np.log(vols) ** 3, rtol=1e-12)
    assert is_on_lattice(np.array([2.0**-7.5, 0.3, 2.0**3.5]), 16).tolist() == [True, True, False]
    assert is_on_lattice(np.array([2.0**-15, 0.3, 2.0**7])).tolist() == [True, True, False]

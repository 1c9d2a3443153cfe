"""Every backend against the plain formula, and against itself under every way of cutting the work."""

from dataclasses import replace

import numpy as np
import pytest
from every_backend import MAKERS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array, vstack

from shockgrid.backends.contract import Series
from shockgrid.pricing import european
from shockgrid.states import States

#: What we hold ourselves to for values, in units of spot; the plain formula takes as much again.
ERROR_PER_SPOT = 2e-14
#: A sum of signed values loses an ulp of its gross amount a term.
ERROR_PER_GROSS = 1e-13


@pytest.fixture(scope="module", params=list(MAKERS))
def make(request):
    return MAKERS[request.param]


@pytest.fixture(scope="module")
def backend(make):
    return make()


def random_series(count, seed=1, linear_share=0.2):
    rng = np.random.default_rng(seed)
    years = np.exp(rng.uniform(np.log(0.5 / 365), np.log(5.0), count))
    is_option = rng.random(count) >= linear_share
    return Series(
        spots=rng.uniform(50, 200, count),
        slopes=np.exp(rng.uniform(-0.05, 0.05, count)),
        intercepts=np.where(rng.random(count) < 0.3, rng.uniform(-60, 0, count), 0.0),
        strikes=np.where(is_option, rng.uniform(50, 200, count), 1.0),
        years=np.where(rng.random(count) < 0.05, 0.0, years),
        vols=np.where(rng.random(count) < 0.05, 0.0, rng.uniform(0.02, 3.0, count)),
        discount_factors=np.where(is_option, rng.uniform(0.7, 1.05, count), 1.0),
        is_option=is_option,
        is_call=rng.random(count) < 0.5,
        is_american=np.zeros(count, np.bool_),
        **unused_by_europeans(count),
        inverse=np.zeros(count, np.bool_),
    )


def unused_by_europeans(count):
    none = np.empty((count, 0))
    zeros = np.zeros(count)
    return {"units": np.ones(count), "rates": zeros, "yields": zeros, "ex_years": none, "ex_cash": none}


def joint_list(count, seed=2, rules=40):
    """Scenarios that pair any spot factor with any of many vol rules, in no order."""
    rng = np.random.default_rng(seed)
    return States(
        spot_factors=np.concatenate([[1.0, 0.0], rng.uniform(0.1, 2.0, rules - 2)]),
        vol_shocks=np.concatenate([[0.0], rng.uniform(-1.2, 1.5, rules - 1)]),
        relative=np.concatenate([[True], rng.random(rules - 1) < 0.5]),
        term_powers=rng.choice([0.0, 0.3, 0.5], rules),
        vol_floors=np.concatenate([[0.0], rng.choice([0.0, 0.1], rules - 1)]),
        vol_caps=np.concatenate([[np.inf], rng.choice([np.inf, 1.5], rules - 1)]),
        index=rng.integers(0, rules, (count, 2)),
    )


def grid(spots, vols):
    pairs = np.stack(np.meshgrid(np.arange(spots), np.arange(vols), indexing="ij"), axis=-1)
    return States(
        spot_factors=np.linspace(0.8, 1.2, spots),
        vol_shocks=np.linspace(-0.3, 0.3, vols),
        relative=np.ones(vols, np.bool_),
        term_powers=np.zeros(vols),
        vol_floors=np.zeros(vols),
        vol_caps=np.full(vols, np.inf),
        index=pairs.reshape(-1, 2),
    )


def unmoved():
    return replace(grid(1, 1), spot_factors=np.ones(1), vol_shocks=np.zeros(1))


def plain_values(series, states):
    """The rule of ``States`` and ``Series`` one scenario at a time."""
    values = np.empty((len(states.index), len(series)))
    for row, (price, rule) in enumerate(states.index):
        forwards = series.slopes * series.spots * states.spot_factors[price] + series.intercepts
        scale = (30 / np.maximum(365 * series.years, 1)) ** states.term_powers[rule]
        move = states.vol_shocks[rule] * scale
        vols = series.vols * (1 + move) if states.relative[rule] else series.vols + move
        vols = np.minimum(np.maximum(vols, states.vol_floors[rule]), states.vol_caps[rule])
        options = european.black(
            forwards, series.strikes, series.years, vols, series.discount_factors, series.is_call
        )
        values[row] = np.where(series.is_option, options, forwards)
    return values


def same_bytes(left, right):
    return left.shape == right.shape and left.tobytes() == right.tobytes()


@pytest.mark.parametrize("states", [joint_list(300), grid(31, 7), grid(3, 1)], ids=["joint", "grid", "few"])
def test_values_are_those_of_the_plain_formula(backend, states):
    series = random_series(150)
    values = backend.price(series, states)
    assert values.shape == (len(states.index), 150)
    errors = np.abs(values - plain_values(series, states)) / series.spots
    assert errors.max() < ERROR_PER_SPOT


@pytest.mark.parametrize("cap", [True, False])
@pytest.mark.parametrize("power", [0.0, 0.5])
@pytest.mark.parametrize("relative", [True, False])
def test_vol_rules_by_hand(backend, relative, power, cap):
    series = random_series(1, linear_share=0.0)
    series = replace(series, years=np.array([120 / 365]), vols=np.array([0.2]), intercepts=np.zeros(1))
    states = replace(
        unmoved(),
        vol_shocks=np.array([0.5]),
        relative=np.array([relative]),
        term_powers=np.array([power]),
        vol_caps=np.array([0.22 if cap else np.inf]),
    )
    move = 0.5 * (30 / 120) ** power
    shocked = 0.2 * (1 + move) if relative else 0.2 + move
    by_hand = replace(series, vols=np.array([min(shocked, 0.22) if cap else shocked]))
    np.testing.assert_allclose(backend.price(series, states)[0], backend.base(by_hand), rtol=1e-14)


def test_spot_below_the_value_of_cash_dividends_is_not_clipped(backend):
    series = replace(
        random_series(2, linear_share=0.0),
        intercepts=np.full(2, -30.0),
        slopes=np.ones(2),
        spots=np.full(2, 100.0),
        is_call=np.array([True, False]),
    )
    states = replace(unmoved(), spot_factors=np.array([0.2]))
    call, put = backend.price(series, states)[0]
    assert call == 0.0
    assert put == pytest.approx(series.discount_factors[1] * (series.strikes[1] + 10.0), rel=1e-15)


@given(st.integers(1, 900), st.integers(1, 70), st.integers(1, 60))
@settings(max_examples=25)
def test_bytes_do_not_depend_on_blocks_or_company(backend, make, block, count, scenarios):
    series, states = random_series(70), joint_list(60)
    whole = backend.price(series, states)
    part, few = series.take(slice(0, count)), states.block(0, scenarios)
    cut = make(block_elements=block).price(part, few)
    assert same_bytes(cut, np.ascontiguousarray(whole[:scenarios, :count]))


def test_each_instrument_alone_has_the_same_bytes(backend):
    series, states = random_series(40), joint_list(50)
    whole = backend.price(series, states)
    for column in range(40):
        alone = backend.price(series.take([column]), states)
        assert same_bytes(alone[:, 0].copy(), whole[:, column].copy())


def test_row_order_moves_values_and_changes_no_bit(backend):
    series, states = random_series(60), joint_list(50)
    order = np.random.default_rng(5).permutation(60)
    shuffled = backend.price(series.take(order), states)
    assert same_bytes(shuffled, np.ascontiguousarray(backend.price(series, states)[:, order]))


def sections_and_weights(leaves=23, seed=3):
    parts = [(random_series(31, 4), joint_list(90, 5)), (random_series(17, 6), joint_list(90, 7, rules=25))]
    weights = random_array((leaves, 48), density=0.2, rng=np.random.default_rng(seed), format="csr")
    weights.data = np.round((weights.data - 0.5) * 20) * 100
    return parts, csr_array(weights)


def test_risk_arrays_are_the_obvious_sums(backend):
    sections, weights = sections_and_weights()
    result = backend.risk_arrays(sections, weights)
    moves = np.hstack([plain_values(*part) - plain_values(part[0], unmoved()) for part in sections])
    dense = weights.toarray()
    gross = np.abs(dense) @ np.concatenate([part[0].spots for part in sections])
    for leaf in range(dense.shape[0]):
        for scenario in range(moves.shape[0]):
            total = sum(dense[leaf, k] * moves[scenario, k] for k in range(moves.shape[1]))
            assert abs(result[leaf, scenario] - total) <= ERROR_PER_GROSS * gross[leaf]


def test_sums_run_in_column_order_whatever_the_order_in_the_matrix(backend):
    sections, weights = sections_and_weights()
    backwards = weights.copy()
    for row in range(weights.shape[0]):
        part = slice(*weights.indptr[row : row + 2])
        backwards.indices[part] = weights.indices[part][::-1]
        backwards.data[part] = weights.data[part][::-1]
    backwards.has_sorted_indices = False
    assert same_bytes(backend.risk_arrays(sections, backwards), backend.risk_arrays(sections, weights))


@pytest.mark.parametrize("tile", [1, 48, 500, 48 * 90 - 1, 10**7])
@pytest.mark.parametrize("block", [7, 32_768])
def test_bytes_of_risk_arrays_do_not_depend_on_tiles(backend, make, tile, block):
    sections, weights = sections_and_weights()
    other = make(tile_elements=tile, block_elements=block)
    assert same_bytes(other.risk_arrays(sections, weights), backend.risk_arrays(sections, weights))


def test_a_leaf_does_not_depend_on_other_leaves_or_instruments(backend):
    sections, weights = sections_and_weights()
    whole = backend.risk_arrays(sections, weights)
    alone = backend.risk_arrays(sections, weights[[4]])
    assert same_bytes(alone, whole[[4]])
    extra = (random_series(9, 11), joint_list(90, 12))
    wider = csr_array((weights.data, weights.indices, weights.indptr), shape=(weights.shape[0], 57))
    assert same_bytes(backend.risk_arrays([*sections, extra], wider), whole)
    more = csr_array(vstack([weights, weights]))
    assert same_bytes(backend.risk_arrays(sections, more)[23:], whole)


def test_zero_shock_is_exactly_zero(backend):
    series = random_series(200)
    still = replace(
        unmoved(), vol_shocks=np.zeros(2), relative=np.array([True, False]), term_powers=np.array([0.0, 0.5])
    )
    still = replace(
        still, vol_floors=np.zeros(2), vol_caps=np.full(2, np.inf), index=np.array([[0, 0], [0, 1], [0, 0]])
    )
    weights = random_array((30, 200), density=0.3, rng=np.random.default_rng(1), format="csr") * -1e6
    result = backend.risk_arrays([(series, still)], weights)
    assert (result == 0).all()
    assert not np.signbit(result).any()


def test_nothing_to_sum(backend):
    series, states = random_series(5), joint_list(20)
    assert backend.risk_arrays([(series, states)], csr_array((0, 5))).shape == (0, 20)
    empty = backend.risk_arrays([(series.take([]), states)], csr_array((3, 0)))
    assert same_bytes(empty, np.zeros((3, 20)))
    assert backend.risk_arrays([(series, states.block(0, 0))], csr_array((3, 5))).shape == (3, 0)
    assert backend.price(series.take([]), states).shape == (20, 0)


def test_put_and_get_leave_arrays_alone(backend):
    array = np.arange(3.0)
    assert backend.put(array) is array
    assert backend.get(array) is array
    assert backend.free_bytes() > 0

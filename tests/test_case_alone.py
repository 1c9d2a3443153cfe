"""One case found by itself: to the last bit what is found for it among many."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from desk_world import ACCOUNTS, HOUSE, held, priced
from hypothesis import given, settings
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.backends import NumpyBackend
from shockgrid.desk.case_alone import case_alone
from shockgrid.desk.case_columns import CaseDesk
from shockgrid.desk.cases import Orders, cases_of
from shockgrid.desk.unit_rows import leaf_sums

LIVE = sg.Desk(held(), priced(), HOUSE, backend=NumpyBackend())
SYMBOLS = LIVE.market.instruments.symbols.tolist()
MEMBERS = [row["account"] for row in ACCOUNTS if row["margin_group"] == "M0"]
ORDERS = st.tuples(
    st.sampled_from(MEMBERS), st.sampled_from(SYMBOLS), st.integers(-9, 9).filter(bool), st.floats(0.5, 200.0)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ORDERS, min_size=1, max_size=6))
def test_a_case_alone_is_the_case_among_others(wanted: list[tuple[str, str, int, float]]) -> None:
    """Positions that are there and new ones, the same one several times, in several accounts of a group."""
    desk: CaseDesk = LIVE._setting().desk
    live, standing = desk.live, desk.standing
    rows = live.accounts_index
    group = int(live.plan.account_groups[rows.get_loc(MEMBERS[0])])
    orders = Orders(
        np.zeros(len(wanted), np.intp),
        np.array([rows.get_loc(account) for account, *_ in wanted]),
        np.array([SYMBOLS.index(symbol) for _, symbol, *_ in wanted]),
        np.array([float(size) for *_, size, _ in wanted]),
        np.array([price for *_, price in wanted]),
    )
    alone = case_alone(live, standing, group, orders)
    among = cases_of(live, standing, np.array([group]), orders)
    for mine, theirs in zip(_columns(alone), _columns(among), strict=True):
        np.testing.assert_array_equal(mine, theirs, strict=True)


def _columns(cases: Any) -> list[Any]:
    return [*cases[:5], *cases[6:], *vars(cases.positions).values()]


@pytest.mark.parametrize("scenarios", [1, 2, 9, 221])
@pytest.mark.parametrize("lengths", [[1], [3], [40], [300], [2, 0, 7], [40, 1, 300]])
def test_a_leaf_is_added_up_in_the_order_of_its_positions(scenarios: int, lengths: list[int]) -> None:
    rng = np.random.default_rng(len(lengths) + scenarios)
    rows = rng.normal(size=(50, scenarios)) * 10.0 ** rng.integers(-6, 6, (50, 1))
    rows[0] = -0.0
    starts = np.append(0, np.cumsum(lengths))
    places, weights = rng.integers(0, 50, starts[-1]), rng.normal(size=starts[-1])
    expected = np.zeros((len(lengths), scenarios))
    for leaf, (first, last) in enumerate(pairwise(starts)):
        for position in range(first, last):
            expected[leaf] = expected[leaf] + rows[places[position]] * weights[position]
    found = leaf_sums(rows, places, weights, starts)
    assert (found.view(np.int64) == expected.view(np.int64)).all()

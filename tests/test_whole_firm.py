"""A plan laid out once and walked as a whole: the same bytes as one class group at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import plain_margin as plain
import pytest
from every_backend import BACKENDS
from small_firm import laid, same_bytes

import shockgrid as sg
from shockgrid.backends import Backend, NumpyBackend
from shockgrid.engine import Plan, model_values, plan
from shockgrid.errors import InputError
from shockgrid.market_states import MarketStates
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.priced import PortfolioResult
from shockgrid.whole_firm import worst_by_tile, worst_losses

#: Sums of a few dozen P&L of up to 1e6 in another order, of prices that differ by some ulps.
RELATIVE, ROUNDING = 1e-9, 1e-6


@pytest.fixture
def small_firm() -> Plan:
    return laid()


def assert_same(left: PortfolioResult, right: PortfolioResult) -> None:
    for one, other in zip(left.leaves, right.leaves, strict=True):
        assert one.group is other.group
        assert one.own is other.own is None
        pairs = [(*one.reduced, one.tagged, one.charges, one.stand_alone)]
        pairs += [(*other.reduced, other.tagged, other.charges, other.stand_alone)]
        assert all(map(same_bytes, *pairs))
    for kind in ("nodes", "unoffset"):
        for own, others in zip(getattr(left, kind), getattr(right, kind), strict=True):
            assert own.name == others.name
            columns = [
                (node.margin_groups, *node.reduced, node.charges, node.underlyings) for node in (own, others)
            ]
            assert all(map(same_bytes, *columns))
    assert left.top == right.top == []
    assert left.expiries == right.expiries == []


REGIMES = {
    "house": sg.house(),
    "a minimum, no concentration": sg.house(minimum_per_unit=0.375, concentrated=False),
    "sigma-scaled": sg.house(sigmas=3.0),
    "few": sg.house(spot=[-0.1, 0.0, 0.1], vol=[0.0]),
}


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
@pytest.mark.parametrize("regime", REGIMES.values(), ids=REGIMES)
def test_one_walk_has_the_bytes_of_the_rows(small_firm: Plan, regime: sg.Regime, backend: Backend) -> None:
    """Both ways to what the portfolio groups come to, by any number of threads."""
    evaluator = Evaluator(small_firm, regime, backend, model_values(small_firm, backend))
    assert evaluator.reducible
    found, rows = evaluator.run(None, None)
    assert rows is None
    with ThreadPoolExecutor(3) as pool:
        threaded, _ = evaluator.run(pool, None)
    for groups, left, other in zip(small_firm.portfolios, found, threaded, strict=True):
        right = evaluator.portfolio(groups)
        assert_same(left, right)
        assert_same(other, right)


@pytest.mark.parametrize("name", ["joint", "tims", "own reducer", "by expiry", "scattered"])
def test_what_needs_rows_takes_rows(small_firm: Plan, name: str) -> None:
    grid = sg.ScenarioSet.grid([-0.1, 0.1], [0.0])
    regime = {
        "joint": sg.house(joint=True),
        "tims": sg.tims(),
        "own reducer": sg.Regime(
            "own", grid, sg.requirement.Tree(reducer=sg.requirement.expected_shortfall(0.5))
        ),
        "by expiry": sg.Regime("own", grid, sg.requirement.Tree(by_expiry=True)),
        "scattered": sg.Regime("own", sg.ScenarioSet.points([-0.3, 0.3], tag="wide") + grid),
    }[name]
    backend = BACKENDS["numpy"]
    assert not Evaluator(small_firm, regime, backend, model_values(small_firm, backend)).reducible


def test_progress_counts_portfolio_groups(small_firm: Plan) -> None:
    seen: list[tuple[int, int]] = []
    backend = BACKENDS["numpy"]
    evaluator = Evaluator(small_firm, sg.house(), backend, model_values(small_firm, backend))
    evaluator.run(None, lambda done, total: seen.append((done, total)))
    count = len(small_firm.portfolios)
    assert seen == [(done, count) for done in range(1, count + 1)]


def test_the_bare_question_against_plain_loops() -> None:
    """Each leaf of the firm of the plain loops, from every price by hand."""
    held = plain.holdings(2)
    book, market = plain.laid_out(held)
    firm, spots, vols = plan(book, market), [-0.2, -0.1, 0.0, 0.1, 0.2], [-0.3, 0.0, 0.3]
    states = MarketStates.of(sg.ScenarioSet.grid(spots, vols), market)
    found = worst_losses(firm, states, NumpyBackend())
    grid = [(spot, vol) for spot in spots for vol in vols]
    names = [group.name for group in firm.class_groups() for _ in group.leaves]
    keys = zip(firm.margin_groups[firm.layout.leaves], names, strict=True)
    expected = {
        (group, name): loss
        for group in {plain.MARGIN_GROUPS[account] for account, _, _ in held}
        for name, loss in plain.class_worst(plain.of_group(held, group), grid).items()
    }
    assert dict(zip(keys, found.losses, strict=True)) == pytest.approx(expected, rel=RELATIVE, abs=ROUNDING)


def test_scenarios_that_revise_instruments_are_refused(small_firm: Plan) -> None:
    scenarios = sg.ScenarioSet.points([-0.1, 0.1])
    aged = replace(scenarios, roll_days=np.array([1.0, 1.0]))
    with pytest.raises(InputError, match="need rows"):
        worst_losses(small_firm, MarketStates.of(aged, small_firm.market), NumpyBackend())


def test_tiles_of_accounts_have_the_bytes_of_the_whole(small_firm: Plan) -> None:
    names, backend = list(small_firm.margin_groups), BACKENDS["numpy"]
    scenarios = sg.house().scenarios
    whole = worst_losses(small_firm, MarketStates.of(scenarios, small_firm.market), backend)
    classes = np.repeat(
        [group.name for group in small_firm.class_groups()], np.diff(small_firm.layout.group_leaves)
    )
    owners = small_firm.margin_groups[small_firm.layout.leaves]
    expected = dict(zip(zip(owners, classes, strict=True), zip(*whole[:2], strict=True), strict=True))
    found = {}
    books = (small_firm.book.select(names[low : low + 7]) for low in range(0, len(names), 7))
    with ThreadPoolExecutor(2) as pool:
        for tile, part in worst_by_tile(books, small_firm.market, scenarios, backend, executor=pool):
            places = np.repeat(
                np.arange(len(tile.layout.group_leaves) - 1), np.diff(tile.layout.group_leaves)
            )
            own = np.array([group.name for group in tile.class_groups()], object)[places]
            keys = zip(tile.margin_groups[tile.layout.leaves], own, strict=True)
            found |= dict(zip(keys, zip(*part[:2], strict=True), strict=True))
    assert found == expected


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
def test_a_firm_that_holds_nothing(small_firm: Plan, backend: Backend) -> None:
    empty = plan(small_firm.book.select([]), small_firm.market)
    states = MarketStates.of(sg.house().scenarios, small_firm.market)
    with ThreadPoolExecutor(2) as pool:
        for executor in (None, pool):
            found = worst_losses(empty, states, backend, reduced=217, units=True, executor=executor)
            assert [len(column) for column in found] == [0] * 5


def test_a_margin_group_in_two_tiles_is_refused(small_firm: Plan) -> None:
    names = list(small_firm.margin_groups)
    books = (small_firm.book.select(part) for part in (names[:5], names[4:9]))
    tiles = worst_by_tile(books, small_firm.market, sg.house().scenarios, BACKENDS["numpy"])
    next(tiles)
    with pytest.raises(InputError, match="all accounts of a margin group in one book") as error:
        next(tiles)
    assert error.value.value == names[4]

"""A plan laid out once and walked as a whole: the same bytes as one class group at a time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import numpy as np
import plain_margin as plain
import pytest
from every_backend import BACKENDS

import shockgrid as sg
from shockgrid.arrays import Floats
from shockgrid.backends import Backend, NumpyBackend, Series
from shockgrid.backends.remembered import Remembered
from shockgrid.engine import Plan, model_values, plan
from shockgrid.errors import InputError
from shockgrid.io.synthetic import synthetic_tables
from shockgrid.market_series import series
from shockgrid.market_states import MarketStates
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.priced import PortfolioResult
from shockgrid.states import States
from shockgrid.whole_firm import worst_by_tile, worst_losses

#: Sums of a few dozen P&L of up to 1e6 in another order, of prices that differ by some ulps.
RELATIVE, ROUNDING = 1e-9, 1e-6


@pytest.fixture(scope="module")
def small_firm() -> Plan:
    """30 accounts over 40 names with levered products, indexes, dividends and American options."""
    tables = synthetic_tables(accounts=30, underlyings=40, seed=3)
    market = dict(tables.market)
    first = [market.pop(name) for name in ("instruments", "underlyings", "quotes", "curve")]
    priced = sg.Market.from_frames(*first, **market, as_of=tables.as_of)
    return plan(sg.Book.from_frames(tables.book["positions"], tables.book["accounts"]), priced)


def same_bytes(left: Floats, right: Floats) -> bool:
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


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


class Crowded(NumpyBackend):
    """A machine with a kilobyte left."""

    def free_bytes(self) -> int:
        return 10**3


def test_what_does_not_fit_is_refused_before_it_is_taken(small_firm: Plan) -> None:
    scenarios, backend = sg.house().scenarios, Crowded()
    with pytest.raises(InputError, match=r"leaves of [\d,]+ series need .* GB, 0.0 GB are free"):
        worst_losses(small_firm, MarketStates.of(scenarios, small_firm.market), backend)
    with pytest.raises(InputError, match=r"a book of [\d,]+ positions need"):
        next(worst_by_tile([small_firm.book], small_firm.market, scenarios, backend))

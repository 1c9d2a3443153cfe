"""Changes of one class group followed by themselves: against full revaluation, over states and regimes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book, market, option, stock
from hypothesis import given, settings
from hypothesis import strategies as st
from liquidation_books import SPOTS, VOLS, random_holdings, series, small_market
from span_world import commodity, file, spread

import shockgrid as sg
from shockgrid.backends import NumpyBackend
from shockgrid.desk.liquidation_actions import Actions, closings, ladder, sized
from shockgrid.desk.liquidation_changes import Changes
from shockgrid.desk.liquidation_cover import cover_of, opens_risk
from shockgrid.desk.liquidation_ground import Ground
from shockgrid.desk.liquidation_menu import Menu
from shockgrid.requirement import Program
from shockgrid.requirement.leafwise import largest_in_full, summed

TOLERANCE = 1e-9  #: of a requirement: sums in another order
BACKEND = NumpyBackend()
GROUPS = pd.DataFrame(
    [
        {"underlying": "AAA", "class_group": "AAA", "product_group": "AB", "portfolio_group": "ALL"},
        {"underlying": "BBB", "class_group": "BBB", "product_group": "AB", "portfolio_group": "ALL"},
        {"underlying": "CCC", "class_group": "CCC", "product_group": "CCC", "portfolio_group": "ALL"},
    ]
)
OFFSETS = pd.DataFrame(
    [
        {"level": "product", "group": "AB", "offset_dec": 0.9},
        {"level": "portfolio", "group": "ALL", "offset_dec": 0.4},
    ]
)


def grouped_market() -> sg.Market:
    """All three names in one portfolio group, two of them in one product group, gains offset in part."""
    listed = series()
    quotes = [{"symbol": row["symbol"], "vol": VOLS[row["underlying"]]} for row in listed]
    shares = [{**stock(name), "multiplier": 100} for name in SPOTS]
    return market([*shares, *listed], dict(SPOTS), quotes, groups=GROUPS, offsets=OFFSETS)


MARKETS = {"apart": small_market(), "grouped": grouped_market()}
REGIMES = {
    "tims": sg.tims(),
    "house": sg.house(minimum_per_unit=0.375),
    "policy": sg.Policy({"default": Program(sg.tims(), sg.house())}),
    "joint": sg.house(joint=True, minimum_per_unit=0.375),
    "product": sg.Regime(
        "product", sg.ScenarioSet.grid([-0.2, 0.0, 0.2], [0.0, 0.3]), sg.requirement.Tree("product_group")
    ),
}


def family(seed: int) -> sg.Book:
    """Margin groups M (accounts A and B, which may hold the same series) and C."""
    rng = np.random.default_rng(seed)
    rows = [(name, symbol, quantity) for name in "ABC" for _, symbol, quantity in random_holdings(rng, 5, 6)]
    groups = {"A": "M", "B": "M", "C": "C"}
    accounts = [{"account": name, "cash": 0.0, "margin_group": group} for name, group in groups.items()]
    return book(rows, accounts)


def candidates(ground: Ground, quantities: Any, rng: np.random.Generator) -> Changes:
    """Closings at random sizes."""
    actions = closings(ground, quantities, ground.by_owner, np.ones(len(quantities), bool))
    chosen = np.sort(rng.choice(len(actions.owners), min(60, len(actions.owners)), replace=False))
    return actions.changes(chosen, rng.integers(1, actions.levels[chosen] + 1))


def part_closed(quantities: Any, rng: np.random.Generator) -> Any:
    """Some positions halved, some closed."""
    share = rng.choice([0.0, 0.5, 1.0], len(quantities), p=[0.5, 0.2, 0.3])
    return quantities - np.sign(quantities) * np.ceil(np.abs(quantities) * share)


@settings(max_examples=12)
@given(st.integers(0, 10**6), st.sampled_from(list(REGIMES)), st.sampled_from(list(MARKETS)))
def test_a_change_of_one_class_group_is_what_full_revaluation_says(seed: int, name: str, world: str) -> None:
    rng = np.random.default_rng(seed)
    ground = Ground.of(family(seed), MARKETS[world], REGIMES[name], BACKEND)
    standing, quantities = ground.standing, ground.plan.positions.quantities
    assert standing is not None
    for _ in range(3):
        if not quantities.any():
            break
        changes = candidates(ground, quantities, rng)
        assert ground.in_one_leaf(changes).all()
        found, told = ground.sparse(quantities, changes), ground.dense(quantities, changes)
        for side in ("exchange", "house"):
            np.testing.assert_allclose(
                getattr(found, side), getattr(told, side), rtol=TOLERANCE, atol=TOLERANCE
            )
        risky = opens_risk(ground, quantities, changes, cover_of(ground, quantities))
        np.testing.assert_array_equal(standing.changed(quantities, changes).opened, risky)
        everyone = np.arange(len(ground.rates))
        nobody = np.zeros(0, np.intp)
        here = ground.dense(quantities, Changes(everyone, nobody, nobody, np.zeros(0))).requirement
        stood = ground.standing_at(standing, quantities, everyone).requirement
        np.testing.assert_allclose(stood, here, rtol=TOLERANCE, atol=TOLERANCE)
        quantities = part_closed(quantities, rng)


@settings(max_examples=6)
@given(st.integers(0, 10**6))
def test_bought_options_are_what_full_revaluation_says(seed: int) -> None:
    """A hedge buys series that are held at 0, and more of those that are held long."""
    rng = np.random.default_rng(seed)
    held = family(seed)
    fresh = pd.DataFrame({"account": "C", "symbol": [row["symbol"] for row in series()], "quantity": 0.0})
    rows = pd.concat([held.positions, fresh.assign(price_paid=np.nan, line=0)])
    rows = rows.drop_duplicates(["account", "symbol"]).sort_values(["account", "symbol"], ignore_index=True)
    wide = replace(held, positions=rows)
    ground = Ground.of(wide, MARKETS["apart"], REGIMES["policy"], BACKEND)
    positions, quantities = ground.plan.positions, ground.plan.positions.quantities
    option = ground.plan.market.instruments.is_option[positions.instruments]
    buyable = np.flatnonzero(option & (quantities >= 0.0))
    chosen = np.sort(rng.choice(buyable, 20, replace=False))
    owners, every = positions.margin_groups[chosen], np.arange(20)
    changes = Changes(owners, every, chosen, rng.integers(1, 5, 20).astype(float))
    found, told = ground.sparse(quantities, changes), ground.dense(quantities, changes)
    np.testing.assert_allclose(found.requirement, told.requirement, rtol=TOLERANCE)
    assert ground.standing is not None
    assert not ground.standing.changed(quantities, changes).opened.any()


def test_which_regimes_it_serves(tmp_path: Path) -> None:
    """Commodities that may form a spread are not charged apart; some house rules look at everything held."""
    pair = {name: commodity(price_range_is="share", price_range=0.1) for name in ("AAA", "BBB")}
    legs = spread(0.5, ("AAA", 1.0, "A"), ("BBB", 1.0, "B"))
    spreading = sg.regimes.span(file(tmp_path, commodities=pair, inter_spreads=[legs]))
    others = {"spread": spreading, "rules": sg.regimes.house_rules()}
    apart = {"span": sg.regimes.span(), "derive": sg.regimes.derive(), **REGIMES}
    served = {
        name: Ground.of(family(1), MARKETS["apart"], regime, BACKEND).standing is not None
        for name, regime in {**others, **apart}.items()
    }
    assert served == {**dict.fromkeys(others, False), **dict.fromkeys(apart, True)}


def test_what_is_remembered_is_what_is_worked_out_anew() -> None:
    """A menu asked at one state, at another and at the first again offers what a fresh one does."""
    rng = np.random.default_rng(3)
    ground = Ground.of(family(3), MARKETS["apart"], REGIMES["policy"], BACKEND)
    everything = np.ones(len(ground.plan.positions.quantities), bool)

    def provider(quantities: Any, rows: Any) -> Actions:
        return closings(ground, quantities, rows, everything)

    assert ground.standing is not None
    menu, owners = Menu(ground.standing, provider), np.arange(len(ground.rates))
    first = ground.plan.positions.quantities
    second = part_closed(first, rng)
    menu.offered(first, owners)
    for quantities in (second, first.copy()):
        fresh_ground = Ground.of(family(3), MARKETS["apart"], REGIMES["policy"], BACKEND)
        assert fresh_ground.standing is not None
        fresh = Menu(fresh_ground.standing, provider)
        pair = [each.offered(quantities, owners) for each in (menu, fresh)]
        wanted = np.arange(0, len(pair[0].actions.owners), 3)
        pair += [
            each.sized(quantities, offered, wanted) for each, offered in zip((menu, fresh), pair, strict=True)
        ]
        for mine, other in (pair[:2], pair[2:]):
            for left, right in zip(mine.changes, other.changes, strict=True):
                np.testing.assert_array_equal(left, right)
            for one, two in zip(mine.changed.effects, other.changed.effects, strict=True):
                np.testing.assert_allclose(one.scans, two.scans, atol=TOLERANCE * 1e5)
            np.testing.assert_array_equal(mine.changed.opened, other.changed.opened)


def test_the_ladder_by_hand() -> None:
    """Of 4: 1 (the halves round up), 1/3, 1/2, 2/3, 3/4 and so on of it, 4; of 1: 1."""
    actions, levels = ladder(np.array([4, 1]))
    assert actions.tolist() == [0, 0, 0, 0, 1]
    assert levels.tolist() == [1, 2, 3, 4, 1]
    assert sized(np.array([-10.5]), 1.0).tolist() == [-10.5]


def by_hand(columns: Any, groups: Any, size: int, names: int) -> list[float]:
    """The first column of the ``names`` largest, the second one of all others, leaf by leaf."""
    sums = []
    for group in range(size):
        rows = [row for row in columns[groups == group] if not np.isnan(row[0])]
        rows = sorted(rows, key=lambda row: -row[0])  # a stable sort: the first one on a tie
        sums.append(sum(row[0] for row in rows[:names]) + sum(row[1] for row in rows[names:]))
    return sums


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 3))
def test_the_largest_in_full_after_one_leaf_is_another(seed: int, names: int) -> None:
    """With many ties and leaves that hold nothing."""
    rng = np.random.default_rng(seed)
    groups = np.sort(rng.integers(0, 3, 9))
    columns = rng.integers(0, 4, (9, 2)).astype(float)
    columns[rng.random(9) < 0.2] = np.nan
    way = largest_in_full(lambda rows: columns, names)
    assert way.together(columns, groups, 3).tolist() == pytest.approx(by_hand(columns, groups, 3, names))
    leaves = rng.integers(0, 9, 12)
    after = rng.integers(0, 4, (12, 2)).astype(float)
    after[rng.random(12) < 0.2] = np.nan
    found = way.replaced(columns, groups, 3)(leaves, after)
    for at, leaf in enumerate(leaves):
        other = columns.copy()
        other[leaf] = after[at]
        assert found[at] == pytest.approx(by_hand(other, groups, 3, names)[groups[leaf]])


def test_a_sum_over_leaves_after_one_is_another() -> None:
    groups, columns = np.array([0, 0, 1]), np.array([[1.0], [np.nan], [5.0]])
    way = summed(lambda rows: columns[:, 0])
    assert way.together(columns, groups, 3).tolist() == [1.0, 5.0, 0.0]
    after = np.array([[4.0], [2.0], [np.nan]])
    assert way.replaced(columns, groups, 3)(np.array([0, 1, 2]), after).tolist() == [4.0, 3.0, 0.0]


def test_fractions_of_contracts_uncover_nothing_by_rounding() -> None:
    """0.1 + 0.2 long against 0.3 short: closing 0.1 of both legs leaves as much uncovered as before."""
    rows = [
        option("S", "U", "C", 110.0, 30),
        option("L", "U", "C", 120.0, 60),
        option("K", "U", "C", 130.0, 60),
    ]
    priced = market(rows, {"U": 100.0}, [{"symbol": name, "vol": 0.4} for name in "SLK"])
    ground = Ground.of(
        book([("A", "S", -0.3), ("A", "L", 0.1), ("A", "K", 0.2)]), priced, sg.house(), BACKEND
    )
    symbols = priced.instruments.symbols[ground.plan.positions.instruments]
    place = {str(symbol): at for at, symbol in enumerate(symbols)}
    legs = [(0, "S", 0.1), (0, "L", -0.1), (1, "L", -0.1), (2, "S", 0.3)]
    at, names, amounts = (np.array(column) for column in zip(*legs, strict=True))
    changes = Changes(np.zeros(3, np.intp), at, np.array([place[name] for name in names]), amounts)
    assert ground.standing is not None
    quantities = ground.plan.positions.quantities
    assert ground.standing.changed(quantities, changes).opened.tolist() == [False, True, False]

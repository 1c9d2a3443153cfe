"""Many changes at once against the judge: one margin group rewritten and margined by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from books import book
from hypothesis import given, settings
from hypothesis import strategies as st
from liquidation_books import SPOTS, random_holdings, series, small_market

import shockgrid as sg
from shockgrid.backends import NumpyBackend
from shockgrid.desk.liquidation_changes import Changes
from shockgrid.desk.liquidation_ground import Ground
from shockgrid.desk.liquidation_truth import revalued
from shockgrid.regimes import load_regime
from shockgrid.requirement import Program

MY_REGIME = Path(__file__).parent / "regimes" / "my_regime.py"
TOLERANCE = 1e-9  #: of a requirement: sums over portfolio groups in another order
BACKEND = NumpyBackend()
MARKET = small_market()
REGIMES = {
    "tims": sg.tims(),
    "house": sg.house(),
    "policy": sg.Policy({"default": Program(sg.tims(), sg.house())}),
    "joint": sg.house(joint=True),
    "span": sg.regimes.span(),
    "own": load_regime(f"{MY_REGIME}:damped_shortfall"),
}


def drawn(seed: int) -> tuple[sg.Book, list[tuple[int, dict[str, float]]]]:
    """Two accounts, and changes of one position or of a whole underlying of either."""
    rng = np.random.default_rng(seed)
    held = [(name, symbol, quantity) for name in "AB" for _, symbol, quantity in random_holdings(rng, 6, 5)]
    wanted = []
    for _ in range(4):
        owner = int(rng.integers(2))
        own = [(symbol, quantity) for name, symbol, quantity in held if name == "AB"[owner]]
        first = own[int(rng.integers(len(own)))]
        together = [row for row in own if row[0][:3] == first[0][:3]] if rng.random() < 0.5 else [first]
        share = rng.choice([0.2, 0.5, 1.0])
        wanted.append((owner, {symbol: -float(np.trunc(size * share)) for symbol, size in together}))
    return book(held), wanted


def as_changes(ground: Ground, wanted: list[tuple[int, dict[str, float]]]) -> Changes:
    held, symbols = ground.plan.positions, ground.plan.market.instruments.symbols
    place = {
        (int(owner), str(symbols[instrument])): at
        for at, (owner, instrument) in enumerate(zip(held.margin_groups, held.instruments, strict=True))
    }
    rows = [
        (at, place[owner, symbol], amount)
        for at, (owner, amounts) in enumerate(wanted)
        for symbol, amount in amounts.items()
    ]
    candidates, positions, amounts = (np.array(column) for column in zip(*rows, strict=True))
    return Changes(np.array([owner for owner, _ in wanted]), candidates, positions, amounts.astype(float))


def judged(held: sg.Book, regime: Any, backend: Any, owner: int, amounts: dict[str, float]) -> Any:
    now = held.positions[held.positions["account"] == "AB"[owner]].set_index("symbol")["quantity"]
    new = {("AB"[owner], symbol): float(now[symbol] + amount) for symbol, amount in amounts.items()}
    return revalued(held, MARKET, regime, "AB"[owner], new, backend=backend)


@pytest.mark.parametrize("name", list(REGIMES))
def test_candidates_have_the_bytes_of_the_judge(name: str) -> None:
    held, wanted = drawn(1)
    ground = Ground.of(held, MARKET, REGIMES[name], BACKEND)
    changes, quantities = as_changes(ground, wanted), ground.plan.positions.quantities
    ways = {way: getattr(ground, way)(quantities, changes) for way in ("dense", "full", "sparse")}
    for at, (owner, amounts) in enumerate(wanted):
        told = judged(held, REGIMES[name], BACKEND, owner, amounts)
        for way in ("dense", "full"):
            exact = (ways[way].exchange[at], ways[way].house[at])
            np.testing.assert_array_equal(exact, (told.exchange_requirement, told.house_requirement))
        assert ways["sparse"].requirement[at] == pytest.approx(told.requirement, rel=TOLERANCE)
        assert ground.equity[owner] == told.equity


def test_the_fast_way_is_taken_where_it_holds() -> None:
    held, _ = drawn(3)
    used = {name: len(Ground.of(held, MARKET, regime, BACKEND).screens) for name, regime in REGIMES.items()}
    assert used == {"tims": 1, "house": 1, "policy": 2, "joint": 0, "span": 0, "own": 0}


def test_native_kernels_give_the_bytes_of_their_own_judge() -> None:
    try:
        native = sg.get_backend("native")
    except sg.errors.BackendUnavailable as error:
        pytest.skip(str(error))
    held, wanted = drawn(4)
    ground = Ground.of(held, MARKET, REGIMES["policy"], native)
    found = ground.full(ground.plan.positions.quantities, as_changes(ground, wanted))
    for at, (owner, amounts) in enumerate(wanted):
        assert found.requirement[at] == judged(held, REGIMES["policy"], native, owner, amounts).requirement


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.sampled_from(["tims", "house"]))
def test_a_closed_position_is_as_if_it_had_never_been_there(seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    held = random_holdings(rng, 5, 4)
    ground = Ground.of(book(held), MARKET, REGIMES[name], BACKEND)
    account, symbol, quantity = held[int(rng.integers(5))]
    changes = as_changes(ground, [(0, {symbol: -quantity})])
    rest = [row for row in held if row != (account, symbol, quantity)]
    bare = sg.margin(book(rest), MARKET, REGIMES[name], backend=BACKEND).accounts.iloc[0]
    assert ground.full(ground.plan.positions.quantities, changes).requirement[0] == bare["requirement"]


def test_the_judge_buys_what_is_not_held() -> None:
    held = book([("A", "AAA", 2)])
    listed = next(row["symbol"] for row in series() if row["underlying"] == "AAA" and row["right"] == "P")
    both = book([("A", "AAA", 2), ("A", listed, 2)])
    told = revalued(held, MARKET, sg.tims(), "A", {("A", listed): 2.0}, backend=BACKEND)
    full = sg.margin(both, MARKET, sg.tims(), backend=BACKEND).accounts.iloc[0]
    assert told.requirement == full["requirement"]
    assert told.equity == 2 * 100 * SPOTS["AAA"]
    with pytest.raises(sg.InputError, match="no such account"):
        revalued(held, MARKET, sg.tims(), "Z", {}, backend=BACKEND)
    with pytest.raises(sg.InputError, match="not an account of this margin group"):
        revalued(held, MARKET, sg.tims(), "A", {("Z", listed): 1.0}, backend=BACKEND)

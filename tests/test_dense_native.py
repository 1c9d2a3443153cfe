"""Surfaces searched in the native library: the figure and cell of every leaf as if all cells were priced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from books import book, market, option, stock
from every_backend import required_sets
from hypothesis import given, settings
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.backends import NativeBackend
from shockgrid.backends.dense import FindsWorstCells, Surfaces
from shockgrid.engine import Plan, plan
from shockgrid.research.chebyshev import lobatto, lobatto_coefficients, polynomials
from shockgrid.research.compressed import Compression
from shockgrid.research.firm_cells import direct_cells, surfaces, worst_cells
from shockgrid.research.grids import Grid
from shockgrid.research.resolution import DENSE

GRID = Grid(np.linspace(-0.15, 0.15, 141), np.linspace(-0.3, 0.3, 43))
SETS = required_sets()
NATIVE = NativeBackend(SETS[0])


def random_plan(seed: int, days: tuple[float, ...] = (0.1, 0.3, 0.7, 2, 7, 30, 200), names: int = 5) -> Plan:
    """Accounts two to a margin group, in names of up to nine series: mixed, long alone, short alone.

    Every fifth name also lists an American put, which the library leaves alone.
    """
    rng = np.random.default_rng(seed)
    rows, quotes, held = [], [], []
    for name in (f"N{place}" for place in range(names)):
        rows.append(stock(name))
        symbols = [name]
        for place in range(int(rng.integers(1, 10))):
            symbol, strike = f"{name}_{place}", float(np.round(100 * np.exp(rng.uniform(-0.4, 0.4)), 2))
            style = "american" if name.endswith("4") and place == 0 else "european"
            right = "P" if style == "american" else "CP"[rng.integers(2)]
            terms = right, strike, float(rng.choice(days))
            rows.append(option(symbol, name, *terms, style=style))
            quotes.append({"symbol": symbol, "vol": float(rng.uniform(0.05, 1.0))})
            symbols.append(symbol)
        for account in range(int(rng.integers(1, 7))):
            some = rng.choice(symbols, int(rng.integers(1, len(symbols) + 1)), replace=False)
            sign = (None, 1.0, -1.0)[account % 3]
            sizes = rng.integers(1, 21, len(some)) * (sign or rng.choice([-1.0, 1.0], len(some)))
            held += [(f"A{account}", symbol, float(size)) for symbol, size in zip(some, sizes, strict=True)]
    accounts = [{"account": f"A{k}", "cash": 0.0, "margin_group": f"M{k // 2}"} for k in range(6)]
    return plan(
        book(held, accounts), market(rows, dict.fromkeys((r["underlying"] for r in rows), 100.0), quotes)
    )


def of_plan(whole: Plan, grid: Grid = GRID) -> Surfaces:
    layout, compression = whole.layout, Compression(grid)
    limits = compression.limits(whole.market, layout.instruments)
    return surfaces(layout, limits.without_early(), compression)


def test_coefficients_of_a_polynomial() -> None:
    """3 T_0 - 2 T_5 + T_16 from its values at 17 points."""
    points = lobatto(17)
    expected = np.zeros(17)
    expected[[0, 5, 16]] = 3.0, -2.0, 1.0
    found = (polynomials(17, points) @ expected) @ lobatto_coefficients(17)
    assert found == pytest.approx(expected, abs=1e-14)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 100_000), prices=st.integers(2, 140), vols=st.integers(1, 40), absolute=st.booleans()
)
def test_every_leaf_is_as_if_all_cells_were_priced(seed: int, prices: int, vols: int, absolute: bool) -> None:
    spots, moves = np.linspace(-0.2, 0.15, prices), np.linspace(-0.03, 0.4, vols)
    grid = Grid(spots, moves, "absolute" if absolute else "relative", 0.3)
    whole = random_plan(seed, names=3)
    found, truth = worst_cells(whole, grid, NATIVE), direct_cells(whole, grid, NATIVE)
    assert found.pnl.tobytes() == truth.pnl.tobytes()
    assert found.cells.tolist() == truth.cells.tolist()


def test_every_instruction_set_gives_the_same_bytes() -> None:
    whole = random_plan(3)
    truth = direct_cells(whole, GRID, NATIVE)
    for name in SETS:
        found = worst_cells(whole, GRID, NativeBackend(name))
        assert found.pnl.tobytes() == truth.pnl.tobytes()
        assert found.cells.tolist() == truth.cells.tolist()


def test_what_the_library_is_given_and_leaves_alone() -> None:
    """Every level is met, and leaves that hold an American put are not searched."""
    assert isinstance(NATIVE, FindsWorstCells)
    given_levels: set[int] = set()
    for seed in range(12):
        whole = random_plan(seed)
        laid = of_plan(whole)
        given_levels |= set(laid.levels.tolist())
        found = NATIVE.worst_cells(laid)
        american = whole.market.instruments.is_american[whole.layout.instruments][whole.layout.held_places]
        holds = np.logical_or.reduceat(american, whole.layout.leaf_positions[:-1])
        assert not laid.smooth[holds].any()
        assert (found.candidates[~laid.smooth] == -1).all()
        assert (found.candidates[laid.smooth] > 0).all()
    assert given_levels == set(range(-1, DENSE + 1))


def test_too_many_candidates_are_left_to_the_caller() -> None:
    """A far call loses its premium in most cells: more than ten are within twice the bound of the lowest."""
    rows, quotes = [option("C", "A", "C", 150.0, 1)], [{"symbol": "C", "vol": 0.2}]
    whole = plan(book([("q", "C", 1.0)]), market(rows, {"A": 100.0}, quotes))
    assert NATIVE.worst_cells(replace(of_plan(whole), most_candidates=10)).candidates.tolist() == [-1]
    assert NATIVE.worst_cells(of_plan(whole)).candidates[0] > 10


def test_numbers_that_are_none_are_refused() -> None:
    whole = random_plan(1, days=(30,))
    laid = of_plan(whole)
    vols = laid.series.vols.copy()
    vols[0] = np.nan
    with pytest.raises(sg.InputError, match="vols"):
        NATIVE.worst_cells(replace(laid, series=replace(laid.series, vols=vols)))
    with pytest.raises(sg.InputError, match="beyond the range"):
        NATIVE.worst_cells(replace(laid, weights=np.full(len(laid.weights), np.inf)))

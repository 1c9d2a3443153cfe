"""Dense surfaces: direct against margin's own walk, compressed against direct, the exact worst cell."""

from __future__ import annotations

import numpy as np
import pytest
from books import book, market, option, stock
from dense_books import random_book, random_grid
from every_backend import BACKENDS
from hypothesis import given, settings
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.engine import class_risk_arrays, plan
from shockgrid.market_states import MarketStates
from shockgrid.research.chebyshev import lift, lobatto, polynomials, roots, to_coefficients
from shockgrid.research.compressed import Compression
from shockgrid.research.direct import direct_worst
from shockgrid.research.grids import Grid
from shockgrid.research.parts import Part
from shockgrid.research.search import exact_worst

DENSE = Grid(np.linspace(-0.15, 0.15, 161), np.linspace(-0.3, 0.3, 61))
STILL = market([stock("A")], {"A": 100.0})
SUM = 1e-12  #: of gross notional: the same products added in another order


def two_names() -> tuple[sg.Book, sg.Market]:
    rows = [stock("A"), stock("B"), option("AC", "A", "C", 105.0, 30), option("AP", "A", "P", 95.0, 7)]
    rows += [option("BC", "B", "C", 55.0, 60), option("BX", "B", "P", 45.0, 60, style="american")]
    quotes = [
        {"symbol": name, "vol": vol}
        for name, vol in zip(("AC", "AP", "BC", "BX"), (0.3, 0.4, 0.5, 0.6), strict=True)
    ]
    spots = {"A": 100.0, "B": {"spot": 50.0, "leverage": 1.0}}
    held = [("one", "A", 300), ("one", "AC", -5), ("one", "AP", -3), ("one", "BC", -2), ("two", "BX", -4)]
    return book([*held, ("two", "AP", 6)]), market(rows, spots, quotes)


def test_interpolation_is_exact_for_polynomials() -> None:
    points = np.linspace(-1.0, 1.0, 37)
    values = lobatto(17) ** 9 @ lift(17, points)
    assert values == pytest.approx(points**9, abs=1e-13)
    fitted = polynomials(9, points) @ to_coefficients(9) @ roots(9) ** 7
    assert fitted == pytest.approx(points**7, abs=1e-13)
    assert lobatto(33)[::2] == pytest.approx(lobatto(17), abs=1e-15)


@pytest.mark.parametrize("name", BACKENDS)
def test_direct_is_what_the_engine_says_of_the_same_scenarios(name: str) -> None:
    """Against risk arrays of a ScenarioSet.grid, summed over the account's class groups."""
    held, priced = two_names()
    grid = Grid(np.linspace(-0.2, 0.2, 9), np.linspace(-0.3, 0.3, 5))
    backend = BACKENDS[name]
    whole = plan(held.select(["one"]), priced)
    states = MarketStates.of(grid.scenarios(), priced)
    expected = sum(class_risk_arrays(group, priced, states, backend)[0] for group in whole.class_groups())
    surface = sg.pnl_surface(held, priced, grid, account="one", method="direct", backend=backend)
    assert surface.pnl.ravel() == pytest.approx(expected, abs=SUM * 1e5)
    assert surface.method == "direct"
    assert surface.bound == 0.0
    row, column = surface.worst_cell
    assert row * 5 + column == int(np.argmin(expected))


def test_a_surface_by_hand() -> None:
    """300 shares at 100 lose 15 % of 30,000; a group, a symbol and the firm are sums of their parts."""
    held, priced = two_names()
    shares = sg.pnl_surface(held, priced, DENSE, account="one", symbol="A")
    assert shares.worst_loss == pytest.approx(4500.0, abs=1e-9)
    assert shares.worst_cell == (0, 0)
    one, two, firm = (sg.pnl_surface(held, priced, DENSE, account=name) for name in ("one", "two", None))
    assert one.pnl + two.pnl == pytest.approx(firm.pnl, abs=one.bound + two.bound + firm.bound)
    groups = [sg.pnl_surface(held, priced, DENSE, account="one", group=name).pnl for name in "AB"]
    assert sum(groups) == pytest.approx(one.pnl, abs=one.bound)
    assert one.equity == pytest.approx(
        sg.margin(held, priced, sg.tims()).accounts.set_index("margin_group").loc["one", "equity_at_marks"]
    )
    assert np.isnan(firm.equity)


@pytest.mark.parametrize("seed", range(40))
def test_the_bound_holds_and_the_worst_cell_is_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    held, priced = random_book(rng, seed % 4, american=seed % 10 == 9)
    grid = random_grid(rng)
    direct, close = (
        sg.pnl_surface(held, priced, grid, account="A", method=method) for method in ("direct", "compressed")
    )
    assert np.abs(close.pnl - direct.pnl).max() <= close.bound
    assert close.worst_cell == direct.worst_cell
    assert close.worst_loss == direct.worst_loss
    leaf, truth = (sg.worst_exact(held, priced, grid, method=method) for method in ("compressed", "direct"))
    columns = ["margin_group", "class_group", "worst_loss", "scenario", "price_shock", "vol_shock"]
    assert leaf.groups[columns].equals(truth.groups[columns])
    assert leaf.accounts.equals(truth.accounts)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_whole_firm_on_every_backend(name: str) -> None:
    held, priced = two_names()
    close, truth = (
        sg.worst_exact(held, priced, DENSE, method=method, backend=BACKENDS[name])
        for method in ("compressed", "direct")
    )
    assert close.accounts.equals(truth.accounts)
    assert (close.groups["method"] == "compressed").all()
    total = close.groups.groupby("margin_group")["worst_loss"].sum()
    assert close.accounts.set_index("margin_group")["worst_loss"].to_dict() == pytest.approx(total.to_dict())


def test_flat_long_only_books() -> None:
    """Options that are worth nothing in most of the grid lose their premium in thousands of cells: the lowest
    index of the lowest figure is still found."""
    rows = [option(f"C{k}", "XYZ", "C", 100.0 + 10 * k, 1 + k) for k in range(1, 5)]
    quotes = [{"symbol": f"C{k}", "vol": 0.2} for k in range(1, 5)]
    priced = market(rows, {"XYZ": 100.0}, quotes)
    held = book([("A", f"C{k}", 3.0 * k) for k in range(1, 5)])
    close, truth = (sg.worst_exact(held, priced, DENSE, method=m) for m in ("compressed", "direct"))
    assert close.accounts.equals(truth.accounts)
    assert close.groups["candidates"].iloc[0] > 1000


def test_a_candidate_cap_falls_back_to_direct() -> None:
    priced = market([option("C", "XYZ", "C", 150.0, 1)], {"XYZ": 100.0}, [{"symbol": "C", "vol": 0.2}])
    (group,) = plan(book([("A", "C", 1.0)]), priced).class_groups()
    part, compression = Part.of(group, priced, group.weights), Compression(DENSE)
    backend = sg.get_backend("numpy")
    capped = exact_worst(part, compression.limits(priced, group.instruments), compression, backend, cap=10)
    truth = direct_worst(part, DENSE, backend)
    assert capped.direct.all()
    assert capped.bounds.tolist() == [0.0]
    assert (capped.pnl.tolist(), capped.cells.tolist()) == (truth.pnl.tolist(), truth.cells.tolist())


def test_what_the_table_does_not_know_is_priced_in_every_cell() -> None:
    rows = [stock("L"), option("LC", "L", "C", 100.0, 30)]
    priced = market(rows, {"L": {"spot": 100.0, "leverage": 2.0}}, [{"symbol": "LC", "vol": 0.3}])
    held = book([("A", "LC", -1.0)])
    levered = sg.pnl_surface(held, priced, DENSE, account="A", method="compressed")
    plain = sg.pnl_surface(held, priced, Grid(DENSE.spots, DENSE.vols, leveraged=False), account="A")
    assert (levered.method, plain.method) == ("direct", "compressed")
    capped = Grid(DENSE.spots, DENSE.vols, vol_cap=0.35)
    assert sg.pnl_surface(held, priced, capped, account="A", method="compressed").method == "direct"
    from_zero = Grid(np.linspace(-1.0, 0.5, 161), DENSE.vols)
    assert sg.pnl_surface(held, priced, from_zero, account="A", method="compressed").method == "direct"


def test_shares_on_a_very_wide_grid() -> None:
    """From -99.9 % to + 900 % the exponential of the log price is too long for a few nodes."""
    priced = market([stock("A"), option("C", "A", "C", 100, 90)], {"A": 100.0}, [{"symbol": "C", "vol": 0.5}])
    held, wide = book([("q", "A", 100.0), ("q", "C", -2.0)]), Grid(np.linspace(-0.999, 9.0, 201), DENSE.vols)
    close, every = (sg.pnl_surface(held, priced, wide, method=m) for m in ("compressed", "direct"))
    assert close.method == "compressed"
    assert np.abs(close.pnl - every.pnl).max() <= close.bound
    assert close.worst_cell == every.worst_cell


def test_many_rows_are_searched_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    held, priced = two_names()
    whole = sg.worst_exact(held, priced, DENSE, method="compressed")
    monkeypatch.setattr("shockgrid.research.search.COEFFICIENTS_AT_ONCE", 1)
    monkeypatch.setattr("shockgrid.research.search.ROWS_AT_ONCE", 1)
    assert sg.worst_exact(held, priced, DENSE, method="compressed").groups.equals(whole.groups)


def test_auto_says_which() -> None:
    held, priced = two_names()
    assert sg.pnl_surface(held, priced, ([-0.1, 0.0, 0.1], [0.0]), account="one").method == "direct"
    assert sg.pnl_surface(held, priced, DENSE, account="one").method == "compressed"


@settings(max_examples=25)
@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=6, unique=True))
def test_a_grid_has_its_cells_in_scenario_order(spots: list[float]) -> None:
    grid = Grid(np.sort(spots), np.array([-0.1, 0.0, 0.2]))
    listed = MarketStates.of(grid.scenarios(), STILL).states(0)
    own = grid.cells(1.0, np.arange(grid.size))
    assert own.spot_factors[own.index[:, 0]].tolist() == listed.spot_factors[listed.index[:, 0]].tolist()
    assert own.vol_shocks[own.index[:, 1]].tolist() == listed.vol_shocks[listed.index[:, 1]].tolist()


def test_refusals_name_what_is_wrong() -> None:
    held, priced = two_names()
    with pytest.raises(sg.InputError, match="strictly ascending"):
        Grid(np.array([0.1, -0.1]), np.zeros(1))
    with pytest.raises(sg.InputError, match="spots"):
        sg.pnl_surface(held, priced, ([-2.0, 0.0], [0.0]))
    with pytest.raises(sg.InputError, match="pair"):
        sg.worst_exact(held, priced, "fine")  # type: ignore[arg-type]
    with pytest.raises(sg.InputError, match="no such account"):
        sg.pnl_surface(held, priced, DENSE, account="three")
    with pytest.raises(sg.InputError, match="nothing that can be priced"):
        sg.pnl_surface(held, priced, DENSE, account="one", group="C")
    with pytest.raises(sg.InputError, match="method"):
        sg.pnl_surface(held, priced, DENSE, method="quick")


def test_what_cannot_be_priced_is_counted() -> None:
    _, priced = two_names()
    held = book([("one", "A", 100.0), ("one", "NOPE", -1.0), ("two", "NOPE", 1.0)])
    surface = sg.pnl_surface(held, priced, DENSE, account="one")
    assert surface.worst_loss == pytest.approx(1500.0)
    assert surface.unpriced == 1
    assert "1 positions cannot be priced" in repr(surface)
    accounts = sg.worst_exact(held, priced, DENSE).accounts
    assert accounts[["worst_loss", "unpriced"]].to_numpy().tolist() == [[pytest.approx(1500.0), 1], [0.0, 1]]


def test_an_empty_firm_has_no_worst_losses() -> None:
    _, priced = two_names()
    found = sg.worst_exact(book([], []), priced, DENSE)
    assert len(found.groups) == len(found.accounts) == 0

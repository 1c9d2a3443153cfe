"""The exact worst loss of every account of a firm on a dense grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.doors import require_kind
from shockgrid.engine import Plan, plan
from shockgrid.market import Market
from shockgrid.requirement.assemble import group_currencies, group_rates
from shockgrid.research.firm_cells import direct_cells, worst_cells
from shockgrid.research.grids import Grid, GridLike
from shockgrid.research.search import Found
from shockgrid.research.surface import chosen_method


@dataclass(frozen=True)
class WorstLosses:
    """Exact worst losses on a grid.

    Attributes
    ----------
    groups : one row per margin group and class group: worst_loss (>= 0), price_shock and vol_shock of its
        cell, scenario (the cell's index, the lowest on a tie), bound of the interpolated surface it was found
        on, candidates priced exactly, method. Amounts in the margin group's currency.
    accounts : one row per margin group: worst_loss, the sum over its class groups, each at its own worst;
        scenario, price_shock and vol_shock of the largest of them; unpriced, the positions that cannot be
        priced and are no part of it (``margin`` charges them).
    grid, backend : what it was computed on, and with.
    """

    groups: pd.DataFrame
    accounts: pd.DataFrame
    grid: Grid
    backend: str

    def __repr__(self) -> str:
        rows, cells = self.grid.shape
        direct = int((self.groups["method"] == "direct").sum())
        return (
            f"WorstLosses: {len(self.accounts):,} margin groups, {len(self.groups):,} leaves on "
            f"{rows} x {cells} cells; {direct:,} leaves direct"
        )


def worst_exact(
    book: Book, market: Market, grid: GridLike, *, method: str = "auto", backend: str | Backend = "auto"
) -> WorstLosses:
    """The worst cell of every margin group in every class group, figure and cell as if all were priced.

    Parameters
    ----------
    grid : a ``shockgrid.research.grids.Grid``, or a pair (price shocks, vol shocks).
    method : "direct" prices every cell; "compressed" bounds each leaf's interpolated surface, and prices the
        cells that may be the worst; both give the same bits as long as the bounds hold, which are measured
        and doubled (``interpolation_error``, ``exercise_error``). "auto" chooses by the size of the grid.

    Each class group takes its own worst cell and the losses are added, as under the independent sum of
    ``house``; contingency, minimums and other add-ons are no part of it. A leaf that holds what has no
    error bound (see ``pnl_surface``) or has too many candidates is priced in every cell; ``groups`` says so.
    The native backend searches all surfaces of European options in one call.

    Raises
    ------
    InputError : an unknown method or an unusable grid.
    BackendUnavailable : a backend asked for by name cannot run here.
    """
    require_kind(book, Book, "book")
    engine = get_backend(backend)
    return worst_of(plan(book, calibrated(market, engine)), Grid.of(grid), engine, method=method)


def worst_of(whole: Plan, grid: Grid, backend: Backend, *, method: str = "auto") -> WorstLosses:
    """The same for a plan that is there already, of a calibrated market."""
    search = direct_cells if chosen_method(method, grid) == "direct" else worst_cells
    found = search(whole, grid, backend)
    return WorstLosses(*_named(_frame(whole, found, grid), whole), grid, backend.name)


def _frame(whole: Plan, found: Found, grid: Grid) -> pd.DataFrame:
    """One row per leaf, margin groups as codes, base currency."""
    layout = whole.relaid()
    prices, vols = np.divmod(found.cells, grid.shape[1])
    names = np.array([group.name for group in whole.class_groups()], object)
    return pd.DataFrame(
        {
            "margin_group": layout.leaves,
            "class_group": names.repeat(np.diff(layout.group_leaves)),
            "worst_loss": np.maximum(-found.pnl, 0.0) + 0.0,
            "scenario": found.cells,
            "price_shock": grid.spots[prices],
            "vol_shock": grid.vols[vols],
            "bound": found.bounds,
            "candidates": found.candidates,
            "method": np.where(found.direct, "direct", "compressed").astype(object),
        }
    )


def _named(groups: pd.DataFrame, whole: Plan) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both frames by name and in the margin groups' currencies; ``groups`` come with codes, base currency."""
    codes = groups["margin_group"].to_numpy(np.intp)
    rates = group_rates(whole)
    for column in ("worst_loss", "bound"):
        groups[column] = groups[column] / rates[codes]
    largest = groups.sort_values("worst_loss", ascending=False, kind="stable").drop_duplicates("margin_group")
    shown = largest.set_index("margin_group")[["scenario", "price_shock", "vol_shock"]]
    losses = np.bincount(codes, groups["worst_loss"], len(whole.margin_groups))
    accounts = pd.DataFrame(
        {
            "margin_group": whole.margin_groups,
            "currency": group_currencies(whole),
            "worst_loss": losses.astype(np.float64),
        }
    )
    accounts = accounts.join(shown)
    accounts["scenario"] = accounts["scenario"].fillna(-1).astype(np.int64)
    owners = whole.book.accounts.set_index("account")["margin_group"]
    lost = whole.unpriced["account"].map(owners).value_counts()
    accounts["unpriced"] = accounts["margin_group"].map(lost).fillna(0).astype(np.int64)
    groups = groups.sort_values(["margin_group", "class_group"], kind="stable", ignore_index=True)
    return groups.assign(margin_group=whole.margin_groups[groups["margin_group"]]), accounts

"""Slopes of a surface, and the same surface when the smile moves with the spot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend, Series
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.engine import ClassGroup, plan
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.market_series import series
from shockgrid.research.grids import Grid, GridLike
from shockgrid.research.surface import Surface, margin_group_of, pnl_surface
from shockgrid.states import UNMOVED

PER_CENT = 0.01


@dataclass(frozen=True)
class Greeks:
    """Slopes of a P&L surface in every cell, [P, V]: money per 1 % of today's price, per 1 % twice, and per
    vol shock of 0.01 in the grid's mode. Second-order differences between neighbouring cells.
    """

    delta: Floats
    gamma: Floats
    vega: Floats | None  #: None on a grid of fewer than three vols


def greeks(surface: Surface) -> Greeks:
    """Delta, gamma and vega of a surface by differences. Raises InputError with fewer than three prices."""
    grid, pnl = surface.grid, surface.pnl
    if len(grid.spots) < 3:
        problem = "expected at least three prices"
        raise InputError(problem, table="grid", column="spots", value=len(grid.spots))
    delta = np.gradient(pnl, grid.spots, axis=0, edge_order=2)
    gamma = np.gradient(delta, grid.spots, axis=0, edge_order=2)
    vega = None
    if len(grid.vols) > 2:
        vega = np.gradient(pnl, grid.vols, axis=1, edge_order=2) * PER_CENT
    return Greeks(delta * PER_CENT, gamma * PER_CENT**2, vega)


def sticky_sides(
    book: Book, market: Market, grid: GridLike, *, account: str, backend: str | Backend = "auto"
) -> Mapping[str, Surface]:
    """An account's surface under both readings of a spot move: {"sticky strike": ..., "sticky delta": ...}.

    Sticky strike keeps each option's own vol. Sticky delta keeps the smile in moneyness: after a spot shock s
    an option of strike K has the vol that today's smile of its expiry has at K / (1 + s), linear in ln K
    between the listed strikes and flat beyond; the grid's vol shock then applies on top. Every cell is
    priced, one call for each price: for grids of tens of prices.

    Raises
    ------
    InputError : as for ``pnl_surface``; a price shock of -100 %.
    """
    laid, engine = Grid.of(grid), get_backend(backend)
    if laid.spots[0] <= -1.0:
        problem = "expected price shocks above -1"
        raise InputError(problem, table="grid", column="spots", value=float(laid.spots[0]))
    strike = pnl_surface(book, market, laid, account=account, method="direct", backend=engine)
    whole = plan(book.select([margin_group_of(book, account)]), calibrated(market, engine))
    total = np.zeros(laid.shape)
    for group in whole.class_groups():
        total += _moving_smile(group, whole.market, laid, engine)
    rate = whole.market.fx[strike.currency]
    return {"sticky strike": strike, "sticky delta": replace(strike, pnl=total / rate + 0.0)}


def _moving_smile(group: ClassGroup, market: Market, grid: Grid, backend: Backend) -> Floats:
    pnl = np.zeros(grid.shape)
    weights = np.bincount(group.position_columns, np.asarray(group.weights.data), len(group.instruments))
    for underlying, rows in group.sections:
        held = group.instruments[rows]
        own, leverage = series(market, held), float(market.underlyings.leverages[underlying])
        today = np.asarray(backend.get(backend.price(own, UNMOVED)))[0]
        for place, shock in enumerate(grid.spots):
            moved = replace(own, vols=_smile_vols(market, underlying, own, held, shock * leverage))
            index = np.column_stack([np.full(len(grid.vols), place), np.arange(len(grid.vols))])
            states = grid.states(leverage, index, grid.spots, grid.vols)
            values = np.asarray(backend.get(backend.price(moved, states)))
            pnl[place] += (values - today) @ weights[rows]
    return pnl


def _smile_vols(market: Market, underlying: int, own: Series, held: Codes, shock: float) -> Floats:
    """Vols of the held options after a spot shock, read off today's smiles."""
    table = market.instruments
    listed = np.flatnonzero((table.underlyings == underlying) & table.is_option & (table.strikes > 0.0))
    vols = own.vols.copy()
    for years in np.unique(own.years[own.is_option]):
        smile = listed[table.years[listed] == years]
        strikes, places = np.unique(table.strikes[smile], return_inverse=True)
        means = np.bincount(places, table.vols[smile]) / np.bincount(places)
        mine = np.flatnonzero(own.is_option & (own.years == years) & (table.strikes[held] > 0.0))
        logs = np.log(table.strikes[held[mine]])
        base = np.interp(logs, np.log(strikes), means)
        moved = np.interp(logs - np.log1p(max(shock, -0.99)), np.log(strikes), means)
        # what sets an option apart from its smile (the other right, say) stays with it
        vols[mine] = np.maximum(own.vols[mine] + moved - base, 0.0)
    return vols

"""The P&L surface of an account, a class group, a position or the whole firm on a dense grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.doors import one_of, require_kind
from shockgrid.engine import ClassGroup, Plan, plan
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.requirement.assemble import group_currencies, group_rates
from shockgrid.research.compressed import Compression, bounds
from shockgrid.research.direct import direct_pnl
from shockgrid.research.grids import Grid, GridLike
from shockgrid.research.parts import Part
from shockgrid.research.resolution import DIRECT
from shockgrid.research.search import CANDIDATE_CAP

METHODS = ("auto", "direct", "compressed")
#: cells from which on nodes are fewer than cells by enough to be worth their fixed cost
WORTH_COMPRESSING: Final = 4_000


@dataclass(frozen=True, eq=False)
class Surface:
    """P&L on a grid of price and vol shocks, every name moved by the same shock.

    Attributes
    ----------
    name : what it is of.     currency : of the amounts.
    grid : the shocks.
    pnl : [P, V] gain > 0; of ``grid.spots`` and ``grid.vols``. The lowest value and its cell are exact as
        long as ``bound`` holds.
    method : "direct", every cell priced; or "compressed", from few nodes.
    bound : no cell is further than this from the value that pricing it would give; 0 where direct. Measured
        offline and doubled, not proved: ``interpolation_error`` and ``exercise_error`` say how.
    equity : what the account is worth at marks; NaN for anything but an account.
    candidates : cells priced exactly to find the worst; all of them where direct.
    unpriced : positions that cannot be priced and are no part of it; ``margin`` charges them.
    """

    name: str
    currency: str
    grid: Grid
    pnl: Floats
    method: str
    bound: float
    equity: float
    candidates: int
    unpriced: int

    @property
    def worst_cell(self) -> tuple[int, int]:
        """Price row and vol column of the lowest P&L, the lowest cell index on a tie."""
        row, column = divmod(int(np.argmin(self.pnl)), self.pnl.shape[1])
        return row, column

    @property
    def worst_loss(self) -> float:
        """The greatest loss, >= 0."""
        return max(0.0, -float(self.pnl.min())) + 0.0

    @property
    def worst_shocks(self) -> tuple[float, float]:
        """Price shock and vol shock of the worst cell."""
        row, column = self.worst_cell
        return float(self.grid.spots[row]), float(self.grid.vols[column])

    def frame(self) -> pd.DataFrame:
        """One row per cell: price_shock, vol_shock, pnl."""
        prices, vols = np.meshgrid(self.grid.spots, self.grid.vols, indexing="ij")
        return pd.DataFrame(
            {"price_shock": prices.ravel(), "vol_shock": vols.ravel(), "pnl": self.pnl.ravel()}
        )

    def __repr__(self) -> str:
        price, vol = self.worst_shocks
        left_out = f"; {self.unpriced} positions cannot be priced" if self.unpriced else ""
        return (
            f"Surface of {self.name}: {self.pnl.shape[0]} x {self.pnl.shape[1]} cells, {self.method}, worst "
            f"loss {self.worst_loss:,.2f} {self.currency} at price {price:+.2%}, vol {vol:+.2%}{left_out}"
        )


def pnl_surface(
    book: Book,
    market: Market,
    grid: GridLike,
    *,
    account: str | None = None,
    group: str | None = None,
    symbol: str | None = None,
    method: str = "auto",
    backend: str | Backend = "auto",
) -> Surface:
    """P&L in every cell of a dense grid, and the exact worst cell.

    Every name moves by the same price shock: one market factor. ``worst_exact`` gives each its own worst.

    Parameters
    ----------
    grid : a ``shockgrid.research.grids.Grid``, or a pair (price shocks, vol shocks).
    account : its margin group alone; in that group's currency. Without one, the whole firm in the base
        currency.
    group : one class group alone.     symbol : one instrument alone.
    method : "direct" prices every cell. "compressed" prices nodes, carries the sums to the cells with an
        error of at most ``Surface.bound``, and prices the cells that may be the worst exactly. "auto" chooses
        by the size of the grid; ``Surface.method`` says which.

    American options with cash dividends on the way, coin-settled contracts, levered funds, vols that meet a
    floor or cap, and whatever else has no error bound, are priced in every cell under either.

    Raises
    ------
    InputError : no such account, group or symbol is held; an unknown method; an unusable grid.
    BackendUnavailable : a backend asked for by name cannot run here.
    """
    require_kind(book, Book, "book")
    for name, wanted in (("account", account), ("group", group), ("symbol", symbol)):
        if wanted is not None:
            require_kind(wanted, str, name)
    laid, engine = Grid.of(grid), get_backend(backend)
    chosen = chosen_method(method, laid)
    own = book if account is None else book.select([margin_group_of(book, account)])
    whole = plan(own, calibrated(market, engine))
    parts = net_parts(whole, group, symbol)
    rate, currency, equity = 1.0, whole.market.base_currency, np.nan
    if account is not None:
        rate, currency = float(group_rates(whole)[0]), str(group_currencies(whole)[0])
        equity = _equity(whole, engine) / rate
    name = ", ".join(str(part) for part in (account, group, symbol) if part is not None) or "the firm"
    nothing = np.zeros(laid.shape)
    lost = len(whole.unpriced)
    blank = Surface(name, currency, laid, nothing, chosen, 0.0, equity, laid.size, lost)
    if chosen == "compressed":
        return _compressed(blank, parts, whole.market, rate, engine)
    return _direct(blank, parts, rate, engine)


def chosen_method(method: str, grid: Grid) -> str:
    """ "direct" or "compressed". Raises InputError for an unknown method."""
    one_of(method, METHODS, "method")
    if method == "auto":
        return "compressed" if grid.size >= WORTH_COMPRESSING else "direct"
    return method


def margin_group_of(book: Book, account: str) -> str:
    """The margin group of an account, or the one of that name. InputError where there is neither."""
    owners = book.accounts.set_index("account")["margin_group"]
    if account in owners.index:
        return str(owners.loc[account])
    if (owners == account).any():
        return account
    problem = "no such account or margin group"
    raise InputError(problem, table="accounts", column="account", value=account)


def _equity(whole: Plan, backend: Backend) -> float:
    from shockgrid.engine import model_values
    from shockgrid.requirement.equity import equity

    return float(equity(whole, model_values(whole, backend)).at_marks[0])


class Net(NamedTuple):
    """Net holdings of one class group."""

    part: Part
    instruments: Codes  #: rows of Market.instruments


def net_parts(whole: Plan, group: str | None, symbol: str | None) -> list[Net]:
    """The net holdings of what was asked for, class group by class group in canonical order."""
    kept = np.ones(len(whole.positions.weights), np.bool_)
    if symbol is not None:
        kept = whole.market.instruments.symbols[whole.positions.instruments] == symbol
    parts = [
        _part(found, whole, kept) for found in whole.class_groups() if group is None or found.name == group
    ]
    held = [net for net in parts if len(net.instruments)]
    if not held and (group is not None or symbol is not None):
        problem = "nothing that can be priced is held there"
        raise InputError(problem, column="symbol" if symbol else "group", value=symbol or group)
    return held


def _part(found: ClassGroup, whole: Plan, kept: Mask) -> Net:
    own = np.where(kept[found.positions], whole.positions.weights[found.positions], 0.0)
    net = np.bincount(found.position_columns, own, len(found.instruments))
    part = Part.of(found, whole.market, sparse.csr_matrix(net[None, :]))
    return Net(part.of_columns(net != 0.0), found.instruments[net != 0.0])


def _direct(blank: Surface, nets: Sequence[Net], rate: float, backend: Backend) -> Surface:
    total = np.zeros(blank.grid.size)
    for part, _ in nets:
        total += direct_pnl(part, blank.grid, backend)[0]
    return replace(blank, pnl=(total / rate + 0.0).reshape(blank.grid.shape), method="direct")


def _compressed(
    blank: Surface, nets: Sequence[Net], market: Market, rate: float, backend: Backend
) -> Surface:
    grid, compression = blank.grid, Compression(blank.grid)
    total, bound, smooth = np.zeros(grid.shape), 0.0, False
    by_count: dict[int, Floats] = {}
    held = [net.instruments for net in nets]
    limits, first = compression.limits(market, np.concatenate([np.zeros(0, np.intp), *held])), 0
    for part, instruments in nets:
        found = compression.resolved(limits.take(slice(first, first + len(instruments))))
        first += len(instruments)
        direct = found.levels == DIRECT
        if direct.any():
            total += direct_pnl(part.of_columns(direct), grid, backend).reshape(grid.shape)
        if not direct.all():
            smooth = True
            rows = compression.coefficients(part, found, backend)[0]
            by_count[found.vol_count] = by_count.get(found.vol_count, 0.0) + rows
        bound += float(bounds(part, found)[0])
    if not smooth:
        return _direct(blank, nets, rate, backend)
    for count, rows in by_count.items():
        total += rows.T @ compression.axes(count).values.T
    cells = np.flatnonzero(total.ravel() <= total.min() + 2.0 * bound)
    if len(cells) > CANDIDATE_CAP:
        return _direct(blank, nets, rate, backend)
    exact = np.zeros(len(cells))
    for part, _ in nets:
        exact += part.cells(grid, cells, backend)[0]
    total.ravel()[cells] = exact
    return replace(blank, pnl=total / rate + 0.0, bound=bound / rate, candidates=len(cells))

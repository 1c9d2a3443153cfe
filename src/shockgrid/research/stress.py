"""Reverse stress: how far until an account breaches or has lost its equity, and what the points miss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from shockgrid.arrays import Floats
from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.engine import ClassGroup, Plan, plan
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.requirement.assemble import group_rates
from shockgrid.requirement.margin import margin
from shockgrid.requirement.regime import Regime
from shockgrid.requirement.result import MarginResult, Run
from shockgrid.research.compressed import Compression
from shockgrid.research.grids import Grid
from shockgrid.research.moved import shocked
from shockgrid.research.parts import Part
from shockgrid.research.search import exact_worst
from shockgrid.research.surface import Surface, margin_group_of, net_parts

WIDEST: Final = 0.9  #: price shocks looked at, up and down
STEPS: Final = 181  #: prices of a search, twice narrowed down to the cell where the loss is first reached
NARROWINGS: Final = 3
TOGETHER: Final = "all names together"
BY_BETA: Final = "all names by beta"
TRADING_DAYS: Final = 252.0


class Crossing(NamedTuple):
    """The nearest price shock at which a loss is reached; NaN where it is not within ``WIDEST``."""

    down: float
    up: float


class Curve:
    """P&L of an account against a price shock: of all names, of one class group, or of an index.

    With ``by_beta`` a name moves by its beta times the shock; by its leverage where none is known.
    """

    def __init__(
        self, whole: Plan, group: str | None, vol: float, backend: Backend, *, by_beta: bool = False
    ) -> None:
        nets = net_parts(whole, group, None)
        names, owners = whole.market.underlyings, whole.market.instruments.underlyings
        factors = np.where(np.isnan(names.betas), names.leverages, names.betas)
        self._parts = [
            replace(part, leverages=tuple(factors[pd.unique(owners[held])].tolist())) if by_beta else part
            for part, held in nets
        ]
        self._vol, self._backend, self._rate = vol, backend, float(group_rates(whole)[0])

    def __call__(self, prices: Floats) -> Floats:
        """P&L [n] at ascending price shocks, in the account's currency."""
        grid = Grid(prices, np.array([self._vol]))
        cells, total = np.arange(len(prices)), np.zeros(len(prices))
        for part in self._parts:
            total += part.cells(grid, cells, self._backend)[0]
        return total / self._rate


def crossing(curve: Callable[[Floats], Floats], loss: float) -> Crossing:
    """Nearest price shocks, down and up, at which a curve has lost ``loss``; accurate to 1e-6.

    0 where the loss is there without a move. The curve is looked at every 0.5 %: a dip narrower than that, of
    options about to expire, may fall between.
    """
    return Crossing(*(_first(curve, loss, side) for side in (-1.0, 1.0)))


def _first(curve: Callable[[Floats], Floats], loss: float, side: float) -> float:
    near, far = 0.0, WIDEST
    for _ in range(NARROWINGS):
        steps = np.linspace(near, far, STEPS)
        values = curve(np.sort(side * steps))
        reached = (values if side > 0 else values[::-1]) <= -loss
        if not reached.any():
            return float("nan")
        place = int(np.argmax(reached))
        if place == 0:
            return side * float(steps[0]) + 0.0
        near, far = float(steps[place - 1]), float(steps[place])
    return side * far


def distance_to_breach(
    book: Book,
    market: Market,
    result: MarginResult,
    account: str,
    *,
    vol: float = 0.0,
    backend: str | Backend = "auto",
) -> pd.DataFrame:
    """How far prices must move before an account's excess is gone, and before its equity is.

    Parameters
    ----------
    result : margin of this book and market; its requirement is held where it is (``margin_after_stress``
        computes it anew).
    vol : relative vol shock that comes with every move.

    Returns
    -------
    One row for all names together, one for all by their betas (an index move; where a beta is known), and one
    per class group moved alone, nearest breach first: name,
    breach_down, breach_up, equity_gone_down, equity_gone_up (price shocks as fractions, NaN beyond 90 %),
    then nearest (the smaller breach, in size), in_scan_ranges (over the widest price shock of the regime for
    that name) and in_sigmas (over the daily sigma of its atm_vol_dec, NaN where that is not given); both NaN
    where all names move.

    Raises
    ------
    InputError : no such account.
    """
    own = margin_group_of(book, account)
    row = result.accounts[result.accounts["margin_group"] == own].iloc[0]
    run = result.runs[result.binding_runs[own]]
    states, names = run.evaluation.states, market.underlyings
    engine = get_backend(backend)
    whole = plan(book.select([own]), calibrated(market, engine))
    groups = list(result.groups.loc[result.groups["margin_group"] == own, "class_group"])
    rows = []
    held = np.unique(whole.market.instruments.underlyings[whole.positions.instruments])
    all_names = (TOGETHER, BY_BETA) if (~np.isnan(names.betas[held])).any() else (TOGETHER,)
    for label in (*all_names, *groups):
        group = None if label in all_names else label
        curve = Curve(whole, group, vol, engine, by_beta=label == BY_BETA)
        breach, gone = (crossing(curve, float(row[name])) for name in ("excess", "equity_at_marks"))
        nearest = np.nanmin([*np.abs(breach), np.inf])
        mine = np.ones(len(names.names), np.bool_) if group is None else names.class_groups == group
        reach = np.nan if group is None else float(np.nanmax(np.abs(states.spot_shocks[mine])))
        sigma = np.nan if group is None else float(names.atm_vols[mine][0]) / np.sqrt(TRADING_DAYS)
        shown = float(nearest) if np.isfinite(nearest) else np.nan
        rows.append((label, *breach, *gone, shown, shown / (reach or np.nan), shown / (sigma or np.nan)))
    columns = ["name", "breach_down", "breach_up", "equity_gone_down", "equity_gone_up"]
    frame = pd.DataFrame(rows, columns=[*columns, "nearest", "in_scan_ranges", "in_sigmas"])
    return frame.sort_values("nearest", kind="stable", ignore_index=True)


def nearest_breach(surface: Surface, loss: float, *, price_unit: float, vol_unit: float) -> tuple[float, ...]:
    """The nearest cell of a surface that loses at least ``loss``: price shock, vol shock, distance.

    Distance is the root of the sum of squares of price shock / price_unit and vol shock / vol_unit (scan
    ranges, or sigmas). NaN three times where no cell does.
    """
    if not (price_unit > 0.0 and vol_unit > 0.0):
        problem = "expected units above 0"
        raise InputError(problem, column="price_unit", value=(price_unit, vol_unit))
    far = np.hypot.outer(surface.grid.spots / price_unit, surface.grid.vols / vol_unit)
    far = np.where(surface.pnl <= -loss, far, np.inf)
    row, column = np.unravel_index(int(np.argmin(far)), far.shape)
    if not np.isfinite(far[row, column]):
        return (np.nan, np.nan, np.nan)
    return float(surface.grid.spots[row]), float(surface.grid.vols[column]), float(far[row, column])


def margin_after_stress(
    book: Book,
    market: Market,
    regime: Regime,
    account: str,
    prices: ArrayLike,
    *,
    vol: float = 0.0,
    backend: str | Backend = "auto",
) -> pd.DataFrame:
    """Requirement and equity of an account in the market after a common move, both computed anew.

    One row per price shock: price_shock (fraction), requirement (>= 0), equity (at model values), excess =
    equity - requirement, all in the account's currency.
    """
    own = book.select([margin_group_of(book, account)])
    rows = []
    for price in np.atleast_1d(np.asarray(prices, np.float64)):
        found = margin(own, shocked(market, float(price), vol), regime, backend=backend).accounts.iloc[0]
        equity, requirement = float(found["equity_at_model"]), float(found["requirement"])
        rows.append((float(price), requirement, equity, equity - requirement))
    return pd.DataFrame(rows, columns=["price_shock", "requirement", "equity", "excess"])


def missed_between_points(result: MarginResult, *, prices: int = 401, vols: int = 41) -> pd.DataFrame:
    """What a regime's own points leave out: the dense worst loss less the regime's, leaf by leaf.

    The dense grid spans the regime's range of price and vol shocks for each class group, its own points among
    the prices and vols, so ``missed`` is never below zero but for rounding. Amounts in the base currency.

    Returns
    -------
    One row per regime, margin group and class group: regime, margin_group, class_group, regime_worst and
    dense_worst (losses, >= 0), missed (their difference), price_shock and vol_shock of the dense worst.

    Raises
    ------
    InputError : the regime's scenarios do more than move prices and vols, are weighted, mix vol rules or go
        through a value transform; or the members of a class group do not move together.
    """
    frames = [_missed(run, group, prices, vols) for run in result.runs for group in run.plan.class_groups()]
    columns = ["regime", "margin_group", "class_group", "regime_worst", "dense_worst", "missed"]
    nothing = pd.DataFrame(columns=[*columns, "price_shock", "vol_shock"])
    return pd.concat(frames, ignore_index=True) if frames else nothing


def _missed(run: Run, group: ClassGroup, prices: int, vols: int) -> pd.DataFrame:
    market, backend = run.plan.market, run.evaluator.backend
    compression = Compression(_span(run, group, prices, vols))
    grid, part = compression.grid, Part.of(group, market, group.weights)
    found = exact_worst(part, compression.limits(market, group.instruments), compression, backend)
    own = np.maximum(-run.evaluator.rows.of_leaves(group).min(axis=1), 0.0)
    dense, (rows, columns) = np.maximum(-found.pnl, 0.0), np.divmod(found.cells, grid.shape[1])
    return pd.DataFrame(
        {
            "regime": run.evaluation.regime.name,
            "margin_group": run.plan.margin_groups[group.leaves],
            "class_group": group.name,
            "regime_worst": own,
            "dense_worst": dense,
            "missed": dense - own,
            "price_shock": grid.spots[rows],
            "vol_shock": grid.vols[columns],
        }
    )


def _span(run: Run, group: ClassGroup, prices: int, vols: int) -> Grid:
    """A dense grid over the range a regime lays on a class group, its own shocks among the axes."""
    states, scenarios = run.evaluation.states, run.evaluation.states.scenarios
    rules = ("term_powers", "relative", "vol_floors", "vol_caps")
    mixed = any(len(np.unique(getattr(scenarios, name))) > 1 for name in rules)
    if states.revised or states.weighted or mixed or run.evaluation.regime.tree.value_transform is not None:
        problem = "expected scenarios that move prices and vols alone, by one vol rule, unweighted"
        raise InputError(problem, table=run.evaluation.regime.name, column="scenarios")
    leverages = run.plan.market.underlyings.leverages
    first = int(group.shown[0])
    spot, vol = states.spot_shocks[first] / leverages[first], states.vol_shocks[first]
    for other, _ in group.sections:
        moves = np.maximum(spot * leverages[other], -1.0)
        same = np.allclose(moves, states.spot_shocks[other], atol=1e-12)
        if not (same and np.array_equal(vol, states.vol_shocks[other])):
            problem = "expected all members of a class group to move together"
            raise InputError(problem, column="class_group", value=group.name)
    axis = np.union1d(np.linspace(spot.min(), spot.max(), prices), spot)
    vol_axis = np.union1d(np.linspace(vol.min(), vol.max(), vols if vol.max() > vol.min() else 1), vol)
    mode = "relative" if scenarios.relative[0] else "absolute"
    limits = float(scenarios.vol_floors[0]), float(scenarios.vol_caps[0])
    return Grid(axis, vol_axis, mode, float(scenarios.term_powers[0]), *limits)

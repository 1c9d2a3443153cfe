"""liquidation_plan(): what to close, in which order, so that a deficient account is covered again."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Mask
from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.desk.liquidation_actions import closings
from shockgrid.desk.liquidation_baselines import BASELINES, baseline
from shockgrid.desk.liquidation_costs import PositionCosts, TradingCosts, trading_costs, unit_costs
from shockgrid.desk.liquidation_frames import (
    SHOWN_LAST,
    STEP_COLUMNS,
    account_columns,
    account_frame,
    no_rows,
    step_frame,
)
from shockgrid.desk.liquidation_ground import Ground
from shockgrid.desk.liquidation_menu import Menu
from shockgrid.desk.liquidation_result import WORDS, LiquidationPlan
from shockgrid.desk.liquidation_search import OBJECTIVES, Search, started
from shockgrid.desk.liquidation_settled import settled
from shockgrid.doors import number, one_of, require_kind, texts
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.requirement import MarginResult, Regime, margin
from shockgrid.requirement.margin import require_kinds
from shockgrid.requirement.regime import HasPrograms

UNSURE = ("PARTIAL", "UNRELIABLE")
NOTES = (
    "prices are marks of the snapshot; a trade at the mark changes no equity, costs are subtracted apart",
    "not modelled: opening hours, price limits, orders that fill in part, hedging while the orders run",
)


def liquidation_plan(
    book: Book,
    market: Market,
    regime_or_policy: Regime | HasPrograms,
    *,
    accounts: Iterable[str] | None = None,
    objective: str = "per_dollar_traded",
    buffer: float = 0.01,
    costs: TradingCosts | None = None,
    halted: Iterable[str] = (),
    baselines: bool = True,
    backend: str | Backend = "auto",
) -> LiquidationPlan:
    """Ordered steps that bring each deficient margin group back to an excess of ``buffer``.

    At every step single positions, pairs of legs and whole structures of one class group are revalued in full
    at many sizes; relief is what the requirement falls by less what the step costs. The best score, relief
    over what the objective divides by, goes first, in the largest size that is as good; the last step is the
    cheapest one that cures; then every step is cut to the smallest size with which the plan still cures. No
    step raises ``requirement - equity``, none leaves more short options uncovered (the shares of a covered
    call and the long leg of a spread are not sold first), and quantities only shrink. No rule prescribes an
    order of liquidation; score and invariants are this project's choice.

    Parameters
    ----------
    accounts : accounts or margin groups to look at; None for the whole book.
    objective : ``per_dollar_traded`` (market value traded), ``per_cost`` (half-spread, fees and impact) or
        ``fewest_orders`` (a combination closed together is one).
    buffer : excess to reach, as a share of the requirement before, >= 0. Where closing does not reach it, the
        plan ends the deficit for the least and closes nothing more for a buffer that is out of reach
        (``short_of_buffer``); where the deficit does not end either, everything that relieves is closed.
    costs : see ``shockgrid.desk.liquidation_costs.trading_costs``; None for its defaults, of which most are
        assumptions.
    halted : symbols, or underlyings with all their series, that do not trade. Options at their expiry and
        longs whose quote bids 0 are not traded either.
    baselines : whether the simpler rules are computed beside the plan.
    backend : as in ``margin``.

    Margin groups that are PARTIAL or UNRELIABLE are listed and never planned.

    Raises
    ------
    InputError : no such account, objective or halted name, or a buffer below 0.
    """
    _require(objective, buffer)
    require_kind(baselines, bool, "baselines")
    charged = trading_costs() if costs is None else costs
    opening = opened(book, market, regime_or_policy, accounts, backend)
    if len(opening.planned) == 0:
        columns = account_columns(baselines)
        rows = opening.idle.reindex(columns=columns) if len(opening.idle) else no_rows(columns)
        return LiquidationPlan(rows, no_rows(STEP_COLUMNS), objective, NOTES, opening.owners)
    ground = Ground.of(opening.part, opening.market, regime_or_policy, opening.backend)
    search = closing_search(ground, charged, objective, buffer, named(halted, "halted"))
    asked = search.buffers
    plans, search = settled(search)
    steps, everyone = step_frame(search, plans), np.arange(len(opening.planned))
    rules = {rule: baseline(search, everyone, rule) for rule in BASELINES} if baselines else {}
    frame = account_frame(search, plans, steps, rules, asked)
    shown = opening.result.accounts.set_index("margin_group")
    for column in SHOWN_LAST:
        frame[column] = shown[column].reindex(frame["margin_group"]).to_numpy(object)
    rows = pd.concat([frame, opening.idle], ignore_index=True) if len(opening.idle) else frame
    rows = rows.sort_values("margin_group", kind="stable", ignore_index=True)
    rows = rows.reindex(columns=account_columns(baselines))
    return LiquidationPlan(rows, steps, objective, NOTES, opening.owners)


class Opening(NamedTuple):
    """Who is in deficit, and what there is to plan with."""

    result: MarginResult
    market: Market  #: calibrated
    backend: Backend
    planned: list[str]  #: margin groups in deficit whose figures can be trusted
    part: Book  #: of those
    idle: pd.DataFrame  #: all others that were asked for, with what is known of them
    owners: dict[str, str]  #: account -> margin group


def opened(
    book: Book,
    market: Market,
    regime_or_policy: Regime | HasPrograms,
    accounts: Iterable[str] | None,
    backend: str | Backend,
) -> Opening:
    """Margin the book, or these accounts of it, and tell who is in deficit."""
    require_kinds(book, market, regime_or_policy)
    engine = get_backend(backend)
    priced = calibrated(market, engine)
    part = book if accounts is None else book.select(_groups(book, accounts))
    result = margin(part, priced, regime_or_policy, backend=engine)
    planned, idle = _sorted_out(result, everyone=accounts is not None)
    owners = dict(zip(part.accounts["account"], part.accounts["margin_group"], strict=True))
    return Opening(result, priced, engine, planned, part.select(planned), idle, owners)


def closing_search(
    ground: Ground, costs: TradingCosts, objective: str, buffer: float, halted: frozenset[str]
) -> Search:
    """A search whose actions close what is held. Raises InputError for costs that are none."""
    require_kind(costs, TradingCosts, "costs", "what trading_costs gives, or None")
    market, held = ground.plan.market, ground.plan.positions
    own, wanted = position_costs(ground, costs)
    tradable = tradable_instruments(market, halted)[held.instruments] & (wanted | (held.quantities < 0.0))
    provider = partial(closings, ground, tradable=tradable)
    start = started(ground)
    menu = None if ground.standing is None else Menu(ground.standing, provider)
    pressure = np.zeros(len(held.quantities))
    buffers = buffer * start.requirements
    return Search(ground, own, pressure, buffers, objective, tradable, provider, menu, start)


def named(names: Iterable[str], argument: str) -> frozenset[str]:
    """Names as a set; a single text is one name. Raises InputError for anything but texts."""
    return frozenset(texts(names, argument))


def position_costs(ground: Ground, costs: TradingCosts) -> tuple[PositionCosts, Mask]:
    """What trading costs, and for which positions [P] anybody bids."""
    market, held = ground.plan.market, ground.plan.positions
    unit = unit_costs(costs, market, ground.prices)
    rates = ground.rates[held.margin_groups]
    own = PositionCosts.of(unit, market, ground.prices, held.instruments, rates)
    return own, unit.wanted[held.instruments]


def tradable_instruments(market: Market, halted: frozenset[str]) -> Mask:
    """Which instruments [N] trade: not halted, nor their underlying, nor at their expiry.

    Raises InputError for a halted name that the market does not have.
    """
    table = market.instruments
    strangers = sorted(halted.difference(table.symbols, market.underlyings.names))
    if strangers:
        problem = "no such symbol or underlying"
        raise InputError(problem, column="halted", value=strangers[0])
    stopped = table.is_option & (table.years <= 0.0)
    if halted:
        names = pd.Series(market.underlyings.names, dtype=object).isin(halted).to_numpy(bool)
        stopped |= pd.Series(table.symbols, dtype=object).isin(halted).to_numpy(bool)
        stopped |= names[table.underlyings]
    return ~stopped


def _require(objective: str, buffer: float) -> None:
    one_of(objective, OBJECTIVES, "objective")
    require_buffer(buffer)


def require_buffer(buffer: float) -> None:
    """Raises InputError for what is no finite share of at least 0."""
    number(buffer, "buffer", "a finite share of at least 0", lambda share: 0.0 <= share < np.inf)


def _groups(book: Book, accounts: Iterable[str]) -> set[str]:
    owners = book.accounts.set_index("account")["margin_group"]
    groups, known = set(), set(owners)
    for account in sorted(named(accounts, "accounts")):
        if account not in owners.index and account not in known:
            problem = "no such account or margin group"
            raise InputError(problem, table="accounts", column="account", value=account)
        groups.add(str(owners[account]) if account in owners.index else account)
    return groups


def _sorted_out(result: MarginResult, *, everyone: bool) -> tuple[list[str], pd.DataFrame]:
    """Margin groups to plan for, and rows of those that are left alone."""
    rows = result.accounts
    short, unsure = result.short().to_numpy(bool), rows["reliability"].isin(UNSURE).to_numpy(bool)
    left = rows["reliability"].astype(str) + ": a person decides"
    idle = pd.DataFrame(
        {
            "margin_group": rows["margin_group"],
            "status": np.where(short, "not_planned", "no_deficit"),
            "reason": np.where(short, f"{WORDS['not_planned']}: " + left, WORDS["no_deficit"]),
            "equity": rows["equity_at_marks"],
            "requirement_before": rows["requirement"],
            "binding_before": rows["binding"],
            "excess_before": rows["excess"],
            "steps": 0,
            "orders": 0,
            "currency": rows["currency"],
            "reliability": rows["reliability"],
        }
    )
    kept = (short & unsure) | (~short & everyone)
    return rows.loc[short & ~unsure, "margin_group"].tolist(), idle[kept].reset_index(drop=True)

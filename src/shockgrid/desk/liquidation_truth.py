"""The judge of every plan: one margin group after any change of its quantities, by full revaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.requirement import Regime, margin
from shockgrid.requirement.regime import HasPrograms


@dataclass(frozen=True)
class Revalued:
    """One margin group, in its own currency."""

    exchange_requirement: float  #: NaN where the policy has no such side
    house_requirement: float
    requirement: float
    binding: str
    equity: float  #: at marks; a trade at the mark leaves it as it is, costs are the caller's
    excess: float


def revalued(
    book: Book,
    market: Market,
    regime_or_policy: Regime | HasPrograms,
    account: str,
    quantities: Mapping[tuple[str, str], float],
    *,
    backend: str | Backend = "auto",
) -> Revalued:
    """The requirement of an account's margin group once it holds other quantities.

    Slow and obvious: the margin group's part of the book is rewritten and handed to ``margin``. A market that
    has been calibrated is not calibrated again.

    Parameters
    ----------
    account : an account, or a margin group by its own name.
    quantities : (account, symbol) -> new quantity, signed; 0 closes the position. Whatever is not named
        stays as it is; a symbol that is not held yet is bought or sold.

    Raises
    ------
    InputError : no such account, or a named account that is not of this margin group.
    """
    own = _part(book, account)
    before = margin(own, market, regime_or_policy, backend=backend).accounts.iloc[0]
    after = margin(_changed(own, quantities), market, regime_or_policy, backend=backend).accounts.iloc[0]
    equity, requirement = float(before["equity_at_marks"]), float(after["requirement"])
    return Revalued(
        exchange_requirement=float(after["exchange_requirement"]),
        house_requirement=float(after["house_requirement"]),
        requirement=requirement,
        binding=str(after["binding"]),
        equity=equity,
        excess=equity - requirement,
    )


def _part(book: Book, account: str) -> Book:
    owners = book.accounts.set_index("account")["margin_group"]
    group = str(owners[account]) if account in owners.index else account
    if group not in set(owners):
        problem = "no such account or margin group"
        raise InputError(problem, table="accounts", column="account", value=account)
    return book.select([group])


def _changed(own: Book, quantities: Mapping[tuple[str, str], float]) -> Book:
    named = pd.Series(quantities, dtype=float)
    for account, _ in quantities:
        if account not in set(own.accounts["account"]):
            problem = "not an account of this margin group"
            raise InputError(problem, table="accounts", column="account", value=account)
    held = own.positions.set_index(["account", "symbol"])
    new = [pair for pair in quantities if pair not in held.index]
    fresh = pd.DataFrame({"quantity": 0.0, "price_paid": float("nan"), "line": 0}, index=pd.Index(new))
    rows = pd.concat([held, fresh]) if new else held
    rows.index = pd.MultiIndex.from_tuples(rows.index, names=["account", "symbol"])
    moved = rows["quantity"].copy()
    moved.loc[named.index] = named.to_numpy()
    rows = rows.assign(quantity=moved)[moved != 0.0].sort_index().reset_index()
    return replace(own, positions=rows)

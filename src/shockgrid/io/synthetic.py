"""The built-in synthetic firm: canonical tables from one seed, and equity that leaves a few in deficit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.errors import InputError
from shockgrid.io.synthetic_book import build_book
from shockgrid.io.synthetic_market import build_market
from shockgrid.io.synthetic_names import AS_OF
from shockgrid.market import Market
from shockgrid.regimes import Policy, house, tims
from shockgrid.requirement import Program, Regime, margin

DEFICIT_SHARE: Final = 0.02  #: of all margin groups
DEFICIT_RANGE: Final = (0.01, 0.25)  #: of the requirement
TYPICAL_EXCESS: Final = 0.8  #: median excess, as a share of the larger of requirement and SMALLEST_SCALE
SMALLEST_SCALE: Final = 100_000.0


@dataclass(frozen=True)
class SyntheticTables:
    """A firm as canonical tables (design: one frame per file of ``market/`` and ``book/``).

    Attributes
    ----------
    market : instruments, quotes, underlyings, curve, dividends, groups, offsets. Offsets are illustrative.
    as_of : ISO instant with its zone, fixed: 10:30 New York on an expiry day.
    base_currency : USD.
    book : positions (account, symbol, quantity) and accounts (cash 0 until ``draw_equity``).
    structures : what was planted: account, underlying, structure, contracts. See ``synthetic_book``.
    """

    market: dict[str, pd.DataFrame]
    as_of: str
    base_currency: str
    book: dict[str, pd.DataFrame]
    structures: pd.DataFrame


def synthetic_tables(*, accounts: int = 2000, underlyings: int = 150, seed: int = 1) -> SyntheticTables:
    """Draw a firm. The same arguments give the same bytes; no clock is read.

    Parameters
    ----------
    accounts : number of accounts; about 100 positions each on the mean, market makers far above it.
    underlyings : 8 index names and the rest single names; about 133 option series each.
    seed : of the one random generator.

    Raises
    ------
    InputError : fewer than one account, or a number of underlyings that cannot be drawn.
    """
    rng = np.random.default_rng(seed)
    market = build_market(rng, underlyings)
    positions, account_rows, structures = build_book(rng, market, accounts)
    return SyntheticTables(
        market=market.tables,
        as_of=AS_OF,
        base_currency="USD",
        book={"positions": positions, "accounts": account_rows},
        structures=structures,
    )


def draw_equity(margin_rows: pd.DataFrame, accounts: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """The accounts table with cash that puts about 2 % of the margin groups in deficit.

    Parameters
    ----------
    margin_rows : margin_group, equity_at_marks and requirement of a margin run in which every cash was 0.
    accounts : the accounts table of that run; the cash of a group goes to its first account.
    seed : of the draw.

    Returns
    -------
    ``accounts`` with ``cash`` in whole cents. A deficit is 1 to 25 % of the requirement; every other group
    has an excess of lognormal size. Groups without a requirement are never in deficit.

    Raises
    ------
    InputError : a margin group has no margin row, or one that is not a finite number.
    """
    groups = accounts["margin_group"].where(accounts["margin_group"] != "", accounts["account"])
    firsts = ~groups.duplicated()
    names = groups[firsts]
    rows = margin_rows.set_index("margin_group")[["equity_at_marks", "requirement"]].reindex(names)
    unusable = names[~np.isfinite(rows.to_numpy(float)).all(axis=1)]
    if len(unusable):
        problem = "expected finite equity_at_marks and requirement for every margin group"
        raise InputError(problem, table="accounts", column="margin_group", value=unusable.iloc[0])
    rng = np.random.default_rng(seed)
    requirements = rows["requirement"].to_numpy(float)
    scale = np.maximum(requirements, SMALLEST_SCALE)
    excesses = scale * rng.lognormal(np.log(TYPICAL_EXCESS), 0.8, len(rows))
    margined = np.flatnonzero(requirements >= 1.0)
    count = min(round(DEFICIT_SHARE * len(rows)), len(margined))
    short = rng.choice(margined, count, replace=False)
    excesses[short] = -requirements[short] * rng.uniform(*DEFICIT_RANGE, count)
    cash = np.zeros(len(accounts))
    cash[firsts.to_numpy()] = (requirements + excesses - rows["equity_at_marks"].to_numpy(float)).round(2)
    return accounts.assign(cash=cash + 0.0)


def synthetic_policy() -> Policy:
    """The policy of the synthetic firm: both programs of its accounts under ``tims`` and ``house``.

    Customers need 100,000 of equity, the FINRA 4210(g) floor of a firm that monitors in real time.
    """
    exchange, own = tims(), house()
    return Policy(
        {
            "portfolio_margin": Program(exchange, own, minimum_equity=100_000.0),
            "market_maker": Program(exchange, own),
        }
    )


def synthetic_firm(
    *,
    accounts: int = 2000,
    seed: int = 1,
    policy: Regime | Policy | None = None,
    backend: str | Backend = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Book, Market]:
    """A firm ready to be margined: 1-3 % of its margin groups are in deficit under ``policy``.

    The book is margined once at zero cash, then ``draw_equity`` sets the cash.

    Parameters
    ----------
    accounts, seed : as in ``synthetic_tables``.
    policy : regime or policy that the deficits are drawn under; ``synthetic_policy()`` when None.
    backend, progress : passed to ``margin``.
    """
    tables = synthetic_tables(accounts=accounts, seed=seed)
    market = Market.from_frames(
        **tables.market, as_of=tables.as_of, base_currency=tables.base_currency, max_age=None
    )
    positions, account_rows = tables.book["positions"], tables.book["accounts"]
    chosen = synthetic_policy() if policy is None else policy
    first = margin(
        Book.from_frames(positions, account_rows), market, chosen, backend=backend, progress=progress
    )
    return Book.from_frames(positions, draw_equity(first.accounts, account_rows, seed=seed)), market

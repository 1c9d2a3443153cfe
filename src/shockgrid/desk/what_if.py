"""What orders would do to an account, before they are sent. Nothing here touches a desk's state.

Every case is a copy of its account's whole margin group under a name of its own; the orders are booked into
the copy as fills would be, and all copies are margined together. There is no second code path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.contract import Backend
from shockgrid.book import LARGEST_QUANTITY, Book
from shockgrid.desk.fills import booked, read_fills
from shockgrid.desk.spans import account_starts, accounts_in, book_of
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.market_series import series
from shockgrid.requirement.margin import margin
from shockgrid.requirement.regime import HasPrograms, Regime
from shockgrid.states import UNMOVED

FIGURES = ("exchange_requirement", "house_requirement", "requirement", "equity_at_marks", "excess")
BASELINE = ""  #: the case without orders
_CUT = "\x1f"  #: between case and account: no text of a table holds it
SAMPLES = 64  #: sizes tried at once by ``max_size``
CHOICES = ("none", "buys", "sells", "all")


@dataclass(frozen=True)
class Setting:
    """Where a what-if takes place."""

    book: Book
    market: Market
    regime: Regime | HasPrograms
    backend: Backend
    starts: Codes  #: the ``account_starts`` of the book

    def of(self, account: str) -> Setting:
        """The same with the book of the account's margin group alone; InputError for an unknown account."""
        own = self.book.accounts["account"] == account
        if not own.any():
            problem = "no such account"
            raise InputError(problem, table="accounts", column="account", value=account)
        group = self.book.accounts.loc[own, "margin_group"].iloc[0]
        book = book_of(self.book, accounts_in(self.book, [group]), self.starts)
        return replace(self, book=book, starts=account_starts(book))


def what_ifs(setting: Setting, orders: Any) -> pd.DataFrame:
    """One row per case: the figures of its account's margin group before and after its orders.

    Parameters
    ----------
    orders : case, account, symbol, quantity (bought > 0) and optionally price per unit; without one the
        instrument's mark, its model value where it has none. The orders of a case are of one margin group.

    Returns
    -------
    frame : case, margin_group, for each of ``FIGURES`` its value before and after, and ``premium``, the cash
        that the orders bring in (> 0) or cost; in the margin group's currency.

    Raises
    ------
    InputError : an order cannot be booked, or the orders of a case are of two margin groups.
    """
    frame = _read(setting, orders)
    groups = setting.book.accounts.set_index("account")["margin_group"]
    cases = frame.assign(margin_group=frame["account"].map(groups))
    pairs = cases[["case", "margin_group"]].drop_duplicates(ignore_index=True)
    if pairs["case"].duplicated().any():
        problem = "the orders of a case must be of one margin group"
        raise InputError(problem, column="case", value=pairs.loc[pairs["case"].duplicated(), "case"].iloc[0])
    alone = pd.DataFrame({"case": BASELINE, "margin_group": pairs["margin_group"].unique()})
    copies = _copies(setting, pd.concat([alone, pairs], ignore_index=True))
    named = cases.assign(account=cases["case"] + _CUT + cases["account"])
    fills = read_fills(named[["account", "symbol", "quantity", "price"]], copies, setting.market)
    if len(fills.rejects):
        bad = fills.rejects.iloc[0]
        raise InputError(bad["message"], table="orders", line=int(bad["line"]), column=bad["column"])
    after = booked(copies, setting.market, fills, account_starts(copies))
    result = margin(after, setting.market, setting.regime, backend=setting.backend)
    rates = after.accounts["currency"].map({**setting.market.fx, "": 1.0}).fillna(1.0).to_numpy(np.float64)
    premium = (after.accounts["cash"] - copies.accounts["cash"]) * rates
    in_base = premium.groupby(after.accounts["margin_group"]).sum()
    own = result.accounts.set_index("margin_group")["currency"].map(setting.market.fx)
    return _told(pairs, result.accounts, in_base / own)


def what_if(setting: Setting, account: str, orders: Any) -> pd.DataFrame:
    """The one row of ``what_ifs`` for one account's orders (symbol, quantity and optionally price)."""
    return what_ifs(setting.of(account), pd.DataFrame(orders).assign(case="orders", account=account))


def working_orders(setting: Setting, account: str, orders: Any) -> pd.DataFrame:
    """The worst that can come of orders that may or may not be filled, class group by class group.

    For each class group: none of its orders, all buys, all sells, or all of them, whichever leaves the least
    excess while no other group's are filled; then all those choices together. Rows: class_group ("" for all
    together), filled, and the columns of ``what_ifs``.
    """
    own = setting.of(account)
    table = pd.DataFrame(orders).reset_index(drop=True).assign(account=account)
    names, instruments = own.market.underlyings, own.market.instruments
    rows = pd.Index(instruments.symbols).get_indexer(pd.Index(table["symbol"]))
    if (rows < 0).any():
        problem = "expected a symbol of the market"
        raise InputError(problem, table="orders", column="symbol", value=table["symbol"][rows < 0].iloc[0])
    table["class_group"] = names.class_groups[instruments.underlyings[rows]]
    cases = [
        part.assign(case=f"{group}{_CUT}{choice}")
        for group, whole in table.groupby("class_group")
        for choice in CHOICES
        if len(part := _filled(whole, choice))
    ]
    told = what_ifs(own, pd.concat(cases, ignore_index=True).drop(columns="class_group"))
    told[["class_group", "filled"]] = told["case"].str.split(_CUT, expand=True)
    worst = told.loc[told.groupby("class_group")["excess"].idxmin()]
    chosen = worst[worst["excess"] < worst["excess_before"]]
    together = [
        _filled(table[table["class_group"] == row.class_group], str(row.filled))
        for row in chosen.itertuples()
    ]
    if not together:
        return told.drop(columns="case")
    joined = pd.concat(together, ignore_index=True).assign(case="worst").drop(columns="class_group")
    last = what_ifs(own, joined).assign(class_group="", filled="worst")
    return pd.concat([told, last], ignore_index=True).drop(columns="case")


def max_size(setting: Setting, account: str, symbol: str, side: str, *, largest: int = 1_000_000) -> int:
    """The largest whole quantity of an order that leaves no deficit; 0 where there is none.

    Sizes are sampled, never bisected: a short call may cure a deficit and a larger one bring it back. The
    answer is exact where the sizes that leave no deficit are all those between two, as they are while
    requirements are convex in the size; and no size above it is acceptable among those tried.

    Raises InputError for a side that is neither buy nor sell, or an unknown account or symbol.
    """
    if side not in ("buy", "sell"):
        problem = "expected buy or sell"
        raise InputError(problem, column="side", value=side)
    own, sign = setting.of(account), 1.0 if side == "buy" else -1.0
    largest = min(largest, int(LARGEST_QUANTITY) // 2)
    tried: dict[int, float] = {}
    low, high = 1, largest
    while True:
        wanted = [size for size in _sizes(low, high) if size not in tried]
        if not wanted:
            break
        tried |= dict(zip(wanted, _excesses(own, account, symbol, sign, wanted), strict=True))
        low, high = _bracket(tried)
    return max((size for size, excess in tried.items() if excess >= 0.0), default=0)


def _bracket(tried: dict[int, float]) -> tuple[int, int]:
    """The sizes next to the largest good one; without a good one, those about the one that is nearest."""
    sizes = np.array(sorted(tried))
    excesses = np.array([tried[size] for size in sizes.tolist()])
    good = np.flatnonzero(excesses >= 0.0)
    at = int(good[-1]) if len(good) else int(excesses.argmax())
    first = at if len(good) else max(at - 1, 0)
    return int(sizes[first]), int(sizes[min(at + 1, len(sizes) - 1)])


def _sizes(low: int, high: int) -> list[int]:
    """Up to ``SAMPLES`` sizes from low to high, closer together at the lower end where they span much."""
    if high - low < SAMPLES:
        return list(range(low, high + 1))
    spread = np.geomspace if high > 4 * low else np.linspace
    return sorted({round(size) for size in spread(low, high, SAMPLES).tolist()})


def _excesses(own: Setting, account: str, symbol: str, sign: float, sizes: Sequence[int]) -> list[float]:
    orders = pd.DataFrame({"case": [f"{size}" for size in sizes], "account": account, "symbol": symbol})
    told = what_ifs(own, orders.assign(quantity=[sign * size for size in sizes]))
    excesses: list[float] = told["excess"].tolist()
    return excesses


def _read(setting: Setting, orders: Any) -> pd.DataFrame:
    frame = pd.DataFrame(orders).reset_index(drop=True)
    for column in ("case", "account", "symbol", "quantity"):
        if column not in frame:
            problem = "required column is missing"
            raise InputError(problem, table="orders", column=column)
    frame = frame.assign(case=frame["case"].astype(str))
    if "price" not in frame:
        frame = frame.assign(price=np.nan)
    return frame.assign(price=frame["price"].fillna(pd.Series(_fair(setting, frame["symbol"]))))


def _fair(setting: Setting, symbols: pd.Series) -> Floats:
    """Mark of each symbol, its model value where there is none; 0 where it is unknown."""
    table = setting.market.instruments
    known, place = np.unique(symbols.to_numpy(object).astype(str), return_inverse=True)
    rows = pd.Index(table.symbols).get_indexer(pd.Index(known.astype(object)))
    prices = np.zeros(len(known))
    held = rows[rows >= 0]
    if len(held):
        model = setting.backend.get(setting.backend.price(series(setting.market, held), UNMOVED))[0]
        marks = table.marks[held]
        prices[rows >= 0] = np.where(np.isnan(marks), table.coin_values(model, held), marks)
    return prices[place]


def _copies(setting: Setting, pairs: pd.DataFrame) -> Book:
    """A book with a copy of each margin group for each case, every name led by the case."""
    book = setting.book
    groups = book_of(book, accounts_in(book, pairs["margin_group"].unique()), setting.starts)
    accounts = pairs.merge(groups.accounts, on="margin_group")
    positions = accounts[["case", "account"]].merge(groups.positions, on="account")
    unread = accounts[["case", "account"]].merge(groups.unread, on="account")
    accounts, positions, unread = (
        frame.assign(account=frame["case"] + _CUT + frame["account"]).drop(columns="case")
        for frame in (
            accounts.assign(margin_group=accounts["case"] + _CUT + accounts["margin_group"]),
            positions,
            unread,
        )
    )
    accounts = accounts.sort_values("account", kind="stable", ignore_index=True)[list(book.accounts.columns)]
    partial = accounts["account"].str.partition(_CUT)[2].isin(book.partial)
    return replace(
        book,
        accounts=accounts,
        account_lines=np.zeros(len(accounts), np.int64),
        positions=positions.sort_values(["account", "symbol"], kind="stable", ignore_index=True),
        unread=unread.reset_index(drop=True),
        partial=frozenset(accounts["account"][partial]),
    )


def _filled(orders: pd.DataFrame, choice: str) -> pd.DataFrame:
    quantities = orders["quantity"].to_numpy(np.float64)
    wanted = {"none": quantities != quantities, "buys": quantities > 0.0, "sells": quantities < 0.0}
    chosen: pd.DataFrame = orders[wanted.get(choice, quantities != 0.0)]
    return chosen


def _told(pairs: pd.DataFrame, accounts: pd.DataFrame, premium: pd.Series) -> pd.DataFrame:
    figures = accounts.set_index("margin_group")[list(FIGURES)]
    before = figures.loc[(BASELINE + _CUT + pairs["margin_group"]).to_numpy(object)].reset_index(drop=True)
    names = (pairs["case"] + _CUT + pairs["margin_group"]).to_numpy(object)
    after = figures.loc[names].reset_index(drop=True)
    columns = {"case": pairs["case"], "margin_group": pairs["margin_group"]}
    for name in FIGURES:
        columns[f"{name}_before"], columns[name] = before[name], after[name]
    return pd.DataFrame({**columns, "premium": premium.loc[names].to_numpy()})

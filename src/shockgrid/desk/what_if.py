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

from shockgrid.arrays import Codes, Floats, Texts
from shockgrid.backends.contract import Backend
from shockgrid.book import LARGEST_QUANTITY, Book
from shockgrid.desk.copies import CUT, Came, copied, figured
from shockgrid.desk.fills import booked, read_fills
from shockgrid.desk.spans import account_starts, book_of
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.market_series import series
from shockgrid.requirement.equity import account_rates
from shockgrid.requirement.regime import HasPrograms, Regime
from shockgrid.states import UNMOVED

FIGURES = ("exchange_requirement", "house_requirement", "requirement", "equity_at_marks", "excess")
BASELINE = "-"  #: leads the copies without orders; a number leads those of each case
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
    owners: Codes  #: [A] code of the margin group of each account
    names: pd.Index  #: [A] of the accounts

    def of(self, account: str) -> Setting:
        """The same with the book of the account's margin group alone; InputError for an unknown account."""
        place = self.names.get_indexer(pd.Index([account], dtype=object))[0]
        if place < 0:
            problem = "no such account"
            raise InputError(problem, table="accounts", column="account", value=account)
        rows = np.flatnonzero(self.owners == self.owners[place])
        book, owners = book_of(self.book, rows, self.starts), np.zeros(len(rows), np.intp)
        return replace(self, book=book, starts=account_starts(book), owners=owners, names=self.names[rows])


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
    accounts = np.asarray(setting.names.get_indexer(pd.Index(frame["account"], dtype=object)), np.intp)
    owners = np.where(accounts >= 0, setting.owners[accounts], -1)
    numbers, names = pd.factorize(frame["case"].to_numpy(object))
    cases = numbers.astype(str).astype(object)
    first = ~pd.MultiIndex.from_arrays([cases, owners]).duplicated()
    told, groups = cases[first], owners[first]
    twice = pd.Index(told).duplicated()
    if twice.any():
        problem = "the orders of a case must be of one margin group"
        raise InputError(problem, column="case", value=names[int(told[twice][0])])
    known = np.unique(groups[groups >= 0])
    wanted = np.concatenate([known, groups[groups >= 0]])
    led = np.concatenate([np.full(len(known), BASELINE, object), told[groups >= 0]])
    copies = copied(setting.book, setting.starts, setting.owners, led, wanted)
    named = frame.assign(account=cases + CUT + frame["account"].to_numpy(object))
    fills = read_fills(named[["account", "symbol", "quantity", "price"]], copies, setting.market)
    if len(fills.rejects):
        bad = fills.rejects.iloc[0]
        raise InputError(bad["message"], table="orders", line=int(bad["line"]), column=bad["column"])
    after = booked(copies, setting.market, fills, account_starts(copies))
    came = figured(after, setting.market, setting.regime, setting.backend)
    rates = account_rates(came.plan)
    paid = (after.accounts["cash"] - copies.accounts["cash"]).to_numpy(np.float64)
    in_base = paid * np.where(np.isnan(rates), 1.0, rates)
    premium = came.plan.by_margin_group(in_base, came.plan.account_groups) / came.rates
    owned = setting.book.accounts["margin_group"].to_numpy(object)
    return _told(told, names, owned[_first_of(setting.owners, groups)], came, premium)


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
        part.assign(case=f"{group}{CUT}{choice}")
        for group, whole in table.groupby("class_group")
        for choice in CHOICES
        if len(part := _filled(whole, choice))
    ]
    told = what_ifs(own, pd.concat(cases, ignore_index=True).drop(columns="class_group"))
    told[["class_group", "filled"]] = told["case"].str.split(CUT, expand=True)
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


def _filled(orders: pd.DataFrame, choice: str) -> pd.DataFrame:
    quantities = orders["quantity"].to_numpy(np.float64)
    wanted = {"none": quantities != quantities, "buys": quantities > 0.0, "sells": quantities < 0.0}
    chosen: pd.DataFrame = orders[wanted.get(choice, quantities != 0.0)]
    return chosen


def _first_of(owners: Codes, groups: Codes) -> Codes:
    """An account of each of these margin groups."""
    firsts = np.zeros(int(owners.max(initial=-1)) + 1, np.intp)
    firsts[owners] = np.arange(len(owners))
    return firsts[groups]


def _told(cases: Texts, names: Texts, groups: Texts, came: Came, premium: Floats) -> pd.DataFrame:
    index = pd.Index(came.plan.margin_groups, dtype=object)
    before, after = (index.get_indexer(pd.Index(led + CUT + groups)) for led in (BASELINE, cases))
    columns: dict[str, Any] = {"case": names[cases.astype(np.intp)], "margin_group": groups}
    for name in FIGURES:
        columns[f"{name}_before"], columns[name] = came.columns[name][before], came.columns[name][after]
    return pd.DataFrame({**columns, "premium": premium[after]})

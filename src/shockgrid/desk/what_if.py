"""What orders would do to an account, before they are sent. Nothing here touches a desk's state.

Every case is a copy of its account's whole margin group with the orders booked into it as fills would be.
What no order touches is read from the desk's figures, the rest is summed and goes through the regime's own
functions (``case_columns``). Regimes whose leaves are cut by expiry, or whose scenarios revise instruments or
are more than ``case_side.MOST_SCENARIOS``, go by a book of copies (``what_if_copies``). Both ways give the
bytes of ``margin()`` over the book with the orders in it.

A single what-if is short calls of NumPy on a few numbers each (``case_alone`` books its orders); where it
takes its time is in benchmarks/README.md. Nothing is priced where what it touches was asked about since the
last tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.book import LARGEST_QUANTITY
from shockgrid.desk.case_columns import FIGURES, CaseDesk
from shockgrid.desk.cases import Orders
from shockgrid.desk.orders import in_sizes, read_cases, read_orders
from shockgrid.desk.what_if_copies import columns_by_copies
from shockgrid.doors import refused, whole_number
from shockgrid.requirement.regime import HasPrograms, Regime

SAMPLES = 64  #: sizes tried at once by ``max_size``
POSITIONS_AT_ONCE = 2**19  #: of all cases that are worked out together: some 100 MB
CHOICES = ("buys", "sells", "all")


class Setting(NamedTuple):
    """Where a what-if takes place."""

    desk: CaseDesk
    regime: Regime | HasPrograms

    def columns(self, groups: Codes, orders: Orders) -> dict[str, Floats]:
        """See ``CaseDesk.columns``; by copies where that cannot be asked."""
        desk = self.desk
        live, standing = desk.live, desk.standing
        if not desk.direct() or _unpriced(desk, orders).any():
            return columns_by_copies(live, standing, self.regime, desk.backend, groups, orders)
        if len(groups) == 1:
            return desk.columns(groups, orders)
        ends = np.cumsum(standing.starts[groups + 1] - standing.starts[groups])
        if not len(groups) or ends[-1] <= POSITIONS_AT_ONCE:
            return desk.columns(groups, orders)
        parts = []
        for number in np.unique(ends // POSITIONS_AT_ONCE):
            chosen = ends // POSITIONS_AT_ONCE == number
            own = chosen[orders.cases]
            part = Orders(*(column[own] for column in orders))
            cases = (np.cumsum(chosen) - 1)[part.cases]
            parts.append(desk.columns(groups[chosen], part._replace(cases=cases)))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class Amounts(NamedTuple):
    """Figures of a margin group, in its currency; NaN for a side without a regime."""

    exchange_requirement: float
    house_requirement: float
    requirement: float
    equity_at_marks: float
    excess: float


@dataclass(frozen=True)
class WhatIf:
    """What orders would do to one margin group."""

    margin_group: str
    before: Amounts
    after: Amounts
    premium: float  #: cash that the orders bring in (> 0) or cost, in the margin group's currency

    @property
    def frame(self) -> pd.DataFrame:
        """One row: margin_group, each figure ``..._before`` and ``..._after``, premium."""
        row: dict[str, Any] = {"margin_group": self.margin_group}
        for name, before, after in zip(FIGURES, self.before, self.after, strict=True):
            row |= {f"{name}_before": before, f"{name}_after": after}
        return pd.DataFrame([{**row, "premium": self.premium}])


def what_if(setting: Setting, account: str, orders: Any) -> WhatIf:
    """The figures of an account's margin group before and after its orders.

    ``orders`` : a list of mappings or a frame with symbol, quantity (bought > 0) and optionally price per
    unit; without one the instrument's mark, its model value where it has none.

    Raises
    ------
    InputError : no such account, a column is unknown, or an order cannot be booked.
    """
    desk = setting.desk
    code, read = read_orders(desk, account, orders)
    groups = np.array([code], np.intp)
    after = setting.columns(groups, read)
    before = desk.before(groups)
    return WhatIf(
        desk.live.plan.margin_groups[code],
        Amounts(*[before[name].item() for name in FIGURES]),
        Amounts(*[after[name].item() for name in FIGURES]),
        float(after["premium"][0]),
    )


def what_ifs(setting: Setting, orders: Any) -> pd.DataFrame:
    """One row per case: the figures of its account's margin group before and after its orders.

    Parameters
    ----------
    orders : case, account, and the columns of ``what_if``. The orders of a case are of one margin group.

    Returns
    -------
    frame : case, margin_group, each of ``FIGURES`` as ``..._before`` and ``..._after``, and ``premium``, the
        cash that the orders bring in (> 0) or cost; in the margin group's currency.

    Raises
    ------
    InputError : a column is unknown, an order cannot be booked, or the orders of a case are of two margin
        groups.
    """
    cases, groups, read = read_cases(setting.desk, orders)
    return pd.DataFrame({"case": cases, **_told(setting, groups, read)})


def working_orders(setting: Setting, account: str, orders: Any) -> pd.DataFrame:
    """The worst that can come of orders that may or may not be filled, class group by class group.

    For each class group: none of its orders, all buys, all sells, or all of them, whichever leaves the least
    excess while no other group's are filled; then all those choices together. Rows: class_group ("" for all
    together), filled, and the columns of ``what_ifs`` but for its case.
    """
    desk = setting.desk
    owner, read = read_orders(desk, account, orders)
    names = desk.live.market.underlyings.class_groups
    group_of = names[desk.live.market.instruments.underlyings[read.instruments]]
    kinds = [
        (group, choice, rows)
        for group in sorted(set(group_of))
        for choice in CHOICES
        if (rows := (group_of == group) & _filled(read.quantities, choice)).any()
    ]
    orders_of = _joined(read, [rows for *_, rows in kinds])
    told = pd.DataFrame(_told(setting, np.full(len(kinds), owner), orders_of))
    told = told.assign(class_group=[group for group, *_ in kinds], filled=[choice for _, choice, _ in kinds])
    worst = told.loc[told.groupby("class_group")["excess_after"].idxmin()]
    chosen = worst.index[worst["excess_after"] < worst["excess_before"]]
    if not len(chosen):
        return told
    together = np.logical_or.reduce([kinds[place][2] for place in chosen])
    last = pd.DataFrame(_told(setting, np.array([owner]), _joined(read, [together])))
    return pd.concat([told, last.assign(class_group="", filled="worst")], ignore_index=True)


def max_size(setting: Setting, account: str, symbol: str, side: str, *, largest: int = 1_000_000) -> int:
    """The largest whole quantity of an order that leaves no deficit; 0 where there is none.

    Sizes are sampled, never bisected: a short call may cure a deficit and a larger one bring it back. The
    answer is exact where the sizes that leave no deficit are all those between two, as they are while
    requirements are convex in the size; and no size above it is acceptable among those tried.

    Raises InputError for a side that is neither buy nor sell, an unknown account or symbol, or a ``largest``
    that is no whole number of at least 1.
    """
    most = min(whole_number(largest, "largest", least=1), int(LARGEST_QUANTITY) // 2)
    if not isinstance(side, str) or side not in ("buy", "sell"):
        expected = "buy or sell"
        raise refused(expected, "side", side)
    sign = 1.0 if side == "buy" else -1.0
    owner, order = read_orders(setting.desk, account, [{"symbol": symbol, "quantity": 1.0}])
    tried: dict[int, float] = {}
    low, high = 1, most
    while True:
        wanted = [size for size in _sizes(low, high) if size not in tried]
        if not wanted:
            break
        read = in_sizes(order, [sign * size for size in wanted])
        excesses = setting.columns(np.full(len(wanted), owner), read)["excess"]
        tried |= dict(zip(wanted, excesses.tolist(), strict=True))
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


def _unpriced(desk: CaseDesk, orders: Orders) -> Mask:
    """Which orders are in a position that is held and cannot be priced."""
    lost, live = desk.live.plan.unpriced, desk.live
    if not len(lost):
        return np.zeros(len(orders.cases), np.bool_)
    names = live.accounts_index.to_numpy(object)[orders.accounts]
    wanted = pd.MultiIndex.from_arrays([names, live.market.instruments.symbols[orders.instruments]])
    return np.asarray(wanted.isin(pd.MultiIndex.from_arrays([lost["account"], lost["symbol"]])))


def _joined(orders: Orders, parts: list[Mask]) -> Orders:
    """A case for each of these selections of the orders."""
    rows = [np.flatnonzero(part) for part in parts]
    cases = np.repeat(np.arange(len(rows)), [len(part) for part in rows])
    every = np.concatenate([np.zeros(0, np.intp), *rows])
    return Orders(*(column[every] for column in orders))._replace(cases=cases)


def _filled(quantities: Floats, choice: str) -> Mask:
    wanted: Mask = {"buys": quantities > 0.0, "sells": quantities < 0.0, "all": quantities != 0.0}[choice]
    return wanted


def _told(setting: Setting, groups: Codes, orders: Orders) -> dict[str, Any]:
    """The columns of ``what_ifs`` but for its case."""
    after, before = setting.columns(groups, orders), setting.desk.before(groups)
    columns: dict[str, Any] = {"margin_group": setting.desk.live.plan.margin_groups[groups]}
    for name in FIGURES:
        columns[f"{name}_before"], columns[f"{name}_after"] = before[name], after[name]
    return {**columns, "premium": after["premium"]}

"""The general path of a what-if: copies with the orders booked as fills, margined as any book is.

For regimes that ``case_side.direct`` says no to, and orders in positions that cannot be priced as they are.
"""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.contract import Backend
from shockgrid.columns import joined_rejects
from shockgrid.desk.case_columns import FIGURES
from shockgrid.desk.cases import Orders
from shockgrid.desk.copies import copied, figured
from shockgrid.desk.fills import Fills, booked
from shockgrid.desk.live import Live
from shockgrid.desk.spans import account_starts
from shockgrid.desk.standing import Standing
from shockgrid.requirement.equity import account_rates
from shockgrid.requirement.regime import HasPrograms, Regime


def columns_by_copies(
    live: Live,
    standing: Standing,
    regime: Regime | HasPrograms,
    backend: Backend,
    groups: Codes,
    orders: Orders,
) -> dict[str, Floats]:
    """What ``CaseDesk.columns`` gives, for any regime."""
    names = np.array([f"{case:09d}" for case in range(len(groups))], object)
    copies = copied(live.plan.book, live.starts, live.plan.account_groups, names, groups)
    counts = standing.account_starts[groups + 1] - standing.account_starts[groups]
    places = (np.cumsum(counts) - counts)[orders.cases] + standing.ranks[orders.accounts]
    columns = (orders.instruments, orders.quantities, orders.prices)
    fills = Fills(places, *columns, frozenset(), joined_rejects([]), np.arange(len(places)))
    after = booked(copies, live.market, fills, account_starts(copies))
    came = figured(after, live.market, regime, backend)
    rates = account_rates(came.plan)
    paid = (after.accounts["cash"] - copies.accounts["cash"]).to_numpy(np.float64)
    in_base = paid * np.where(np.isnan(rates), 1.0, rates)
    premium = came.plan.by_margin_group(in_base, came.plan.account_groups) / came.rates
    return {**{name: came.columns[name] for name in FIGURES}, "premium": premium}

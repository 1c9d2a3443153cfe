"""Portfolio margin beside strategy-based margin, in both conventions of premium."""

from __future__ import annotations

import pandas as pd

from shockgrid.errors import InputError
from shockgrid.reg_t.result import RegtResult
from shockgrid.requirement import MarginResult


def freed_capital(portfolio: MarginResult, strategy: RegtResult) -> pd.DataFrame:
    """What portfolio margin needs, what Regulation T needs, and what the difference frees, by margin group.

    Net of premium both requirements stand against the same equity, with every option and share marked. Gross
    of premium, as the Cboe Margin Manual prints it, the value of short options and short stock is in both.
    The difference is the same either way. Any two sides of one ``compare`` are set against each other by
    ``Comparison.freed``.

    Columns: margin_group, currency, equity_at_marks, portfolio_margin, regt, freed_capital (> 0: portfolio
    margin needs less), freed_share (of regt; NaN where that is 0), portfolio_margin_gross, regt_gross,
    regt_initial, regt_gap, reliability (the worse of the two).

    Raises
    ------
    InputError : the results are not of the same margin groups.
    """
    left = portfolio.accounts.set_index("margin_group")
    right = strategy.accounts.set_index("margin_group")
    if list(left.index) != list(right.index):
        problem = "expected two results of one book"
        raise InputError(problem, table="accounts", column="margin_group")
    freed = right["requirement"] - left["requirement"]
    order = ["OK", "STALE", "PARTIAL", "UNRELIABLE"]
    ranks = pd.concat([side["reliability"].map(order.index) for side in (left, right)], axis=1).max(axis=1)
    caps = right["requirement"] + right["proceeds"]
    frame = pd.DataFrame(
        {
            "currency": right["currency"],
            "equity_at_marks": right["equity_at_marks"],
            "portfolio_margin": left["requirement"],
            "regt": right["requirement"],
            "freed_capital": freed,
            "freed_share": (freed / right["requirement"]).where(right["requirement"] > 0.0),
            "portfolio_margin_gross": left["requirement"] + right["proceeds"],
            "regt_gross": caps,
            "regt_initial": right["initial_requirement"],
            "regt_gap": right["gap"],
            "reliability": ranks.map(dict(enumerate(order))),
        }
    )
    return frame.reset_index()

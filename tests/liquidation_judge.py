"""A plan against the judge: every step is what one margin run after another says."""

from __future__ import annotations

from typing import Any

import pytest
from liquidation_books import BACKEND, SMALL, in_deficit

import shockgrid as sg
from shockgrid.desk.liquidation_baselines import BASELINES
from shockgrid.desk.liquidation_truth import revalued

ROUNDING = 1e-6  #: of currency: sums of figures of 1e5 in another order
HALF_CENT = 0.005


def judged(plan: Any, held: sg.Book, priced: sg.Market, regime: Any, account: str = "A") -> Any:
    """The account's row, once every step has been found to be what one margin run after another says."""
    row = plan.accounts.set_index("margin_group").loc[account]
    own = held.select([account])
    now = own.positions.set_index(["account", "symbol"])["quantity"].to_dict()
    told = revalued(held, priced, regime, account, {}, backend=BACKEND)
    assert row["requirement_before"] == told.requirement
    spent, last = 0.0, told.excess
    for _, legs in plan.steps[plan.steps["margin_group"] == account].groupby("step"):
        for leg in legs.itertuples():
            old = now[leg.account, leg.symbol]
            now[leg.account, leg.symbol] = old + leg.quantity
            assert abs(old + leg.quantity) < abs(old)
            assert (old + leg.quantity) * old >= 0.0
        told = revalued(held, priced, regime, account, now, backend=BACKEND)
        spent += legs[["half_spread", "fees", "impact"]].to_numpy().sum()
        step = legs.iloc[0]
        assert step["requirement_after"] == pytest.approx(told.requirement, abs=ROUNDING)
        assert step["excess_after"] == pytest.approx(told.excess - spent, abs=ROUNDING)
        assert step["excess_after"] >= last + HALF_CENT - ROUNDING
        last = float(step["excess_after"])
    assert row["requirement_after"] == told.requirement
    assert row["excess_after"] == pytest.approx(told.excess - spent, abs=ROUNDING)
    reached = row["excess_after"] >= row["buffer"] - 0.01
    status = "cured" if reached else ("short_of_buffer" if row["excess_after"] >= -0.01 else "cannot_cure")
    assert row["status"] == status
    for rule in BASELINES:
        assert (
            row["useful_per_dollar"] >= row[f"{rule}_useful_per_dollar"] * (1.0 - 1e-9)
            or (row[f"{rule}_uncovers"])
        )
    return row


def planned(holdings: Any, regime: Any, share: float = 0.4, priced: sg.Market = SMALL, **more: Any) -> Any:
    held = in_deficit([("A", *row) for row in holdings], priced, regime, share)
    plan = sg.liquidation_plan(held, priced, regime, backend=BACKEND, **more)
    return judged(plan, held, priced, regime), plan

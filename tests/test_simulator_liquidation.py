"""The judge of liquidations sees a plan that is not what it should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pandas as pd
import pytest
from books import AS_OF

from shockgrid.desk import simulator_liquidation
from shockgrid.desk.liquidation_result import LiquidationPlan
from shockgrid.desk.simulator_liquidation import Floor

PRICES = {"AAA": 10_000}
Tamper = Callable[[LiquidationPlan], LiquidationPlan]


def floor(lacking: float, *holdings: tuple[str, float]) -> Floor:
    """One account that lacks a share of what it needs."""
    drawn = Floor.drawn(Random(1), PRICES, AS_OF.to_pydatetime())
    rows = pd.DataFrame([("b0", *row) for row in holdings], columns=["account", "symbol", "quantity"])
    book = type(drawn.book).from_frames(rows, pd.DataFrame([{"account": "b0", "cash": 0.0}]))
    bare = simulator_liquidation.margin(book, drawn.market, drawn.regime, backend="numpy").accounts.iloc[0]
    cash = bare["requirement"] * (1.0 - lacking) - bare["equity_at_marks"]
    return replace(drawn, book=replace(book, accounts=book.accounts.assign(cash=float(cash))))


def tampered(monkeypatch: pytest.MonkeyPatch, how: Tamper) -> None:
    """The desk gets plans with a fault planted in them."""
    whole = simulator_liquidation.liquidation_plan
    monkeypatch.setattr(
        simulator_liquidation, "liquidation_plan", lambda *given, **more: how(whole(*given, **more))
    )


def leg(plan: LiquidationPlan, step: int, symbol: str, quantity: float) -> pd.DataFrame:
    """A leg as the plan writes them, free of cost."""
    like = plan.steps.iloc[[0]].assign(step=step, symbol=symbol, quantity=quantity, price=1.0)
    return like.assign(half_spread=0.0, fees=0.0, impact=0.0)


CONDOR = (("AAAC3", -5.0), ("AAAC4", 5.0), ("AAAP1", -5.0), ("AAAP0", 5.0))
COVERED = (("AAA", 5.0), ("AAAC3", -5.0))


@pytest.mark.parametrize("holdings", [CONDOR, COVERED, (("AAAC3", -4.0), ("AAA", 9.0))])
@pytest.mark.parametrize("lacking", [0.1, 0.7, 1.1])
def test_the_plan_itself_is_accepted(lacking: float, holdings: tuple[tuple[str, float], ...]) -> None:
    ends = floor(lacking, *holdings).liquidated()
    assert ends in ({"cured": 1}, {"short_of_buffer": 1}, {"cannot_cure": 1})
    assert (lacking > 1.0) == (ends["cannot_cure"] == 1)


def test_a_protective_leg_that_goes_first_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The long calls sold, then the short ones bought: legged out of, through what naked shorts need."""

    def first(plan: LiquidationPlan) -> LiquidationPlan:
        steps = [leg(plan, 1, "AAAC4", -5.0), leg(plan, 2, "AAAC3", 5.0)]
        return replace(plan, steps=pd.concat(steps, ignore_index=True))

    tampered(monkeypatch, first)
    with pytest.raises(AssertionError, match=r"b0, step 1: lacking [0-9.]+ before"):
        floor(0.5, *CONDOR).liquidated()


def test_a_covered_call_that_loses_its_shares_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Selling the shares at the mark frees what they need, and leaves five calls naked."""

    def uncover(plan: LiquidationPlan) -> LiquidationPlan:
        return replace(plan, steps=leg(plan, 1, "AAA", -5.0).assign(price=100.0))

    tampered(monkeypatch, uncover)
    with pytest.raises(AssertionError, match=r"step 1: 5 shorts uncovered, 0 before"):
        floor(0.5, *COVERED).liquidated()


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        (lambda steps: steps.assign(quantity=-steps["quantity"]), "goes from"),
        (lambda steps: steps.assign(quantity=10.0 * steps["quantity"]), "goes from"),
        (lambda steps: steps.assign(fees=steps["fees"] + 1e6), "lacking [0-9.]+ before"),
        (lambda steps: steps[:0], "is cured, lacking"),
    ],
)
def test_steps_that_are_wrong_are_seen(
    monkeypatch: pytest.MonkeyPatch, how: Callable[[pd.DataFrame], pd.DataFrame], problem: str
) -> None:
    tampered(monkeypatch, lambda plan: replace(plan, steps=how(plan.steps)))
    with pytest.raises(AssertionError, match=problem):
        floor(0.5, *CONDOR).liquidated()


def test_a_shortfall_that_is_not_said_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(plan: LiquidationPlan) -> LiquidationPlan:
        return replace(plan, accounts=plan.accounts.assign(shortfall_left=0.0))

    tampered(monkeypatch, silent)
    with pytest.raises(AssertionError, match=r"b0 lacks [0-9.]+, the plan says 0.00"):
        floor(1.1, *CONDOR).liquidated()


def test_an_account_that_is_forgotten_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    tampered(monkeypatch, lambda plan: replace(plan, accounts=plan.accounts[:0]))
    with pytest.raises(AssertionError, match="has no plan"):
        floor(0.5, *CONDOR).liquidated()

"""The simulated firm on a live desk: ticked, traded and paid there, and held against exact sums."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats
from shockgrid.desk.calls_amounts import to_units
from shockgrid.desk.calls_states import DIGITS
from shockgrid.desk.desk import Desk
from shockgrid.desk.simulator_world import (
    ACCOUNTS,
    EXCHANGE_PERCENT,
    HOUSE_PERCENT,
    MINIMUM_CENTS,
    NAMES,
    PROFILES,
    World,
)
from shockgrid.regimes import house, tims
from shockgrid.regimes.policy import Policy
from shockgrid.requirement.regime import Program

HALF_A_CENT = 0.005


class Firm:
    """A desk that holds what a ``World`` holds."""

    def __init__(self, world: World) -> None:
        self._desk = Desk(*world.tables(), _policy(), backend="numpy")

    def follow(self, world: World) -> None:
        """Take the world's prices, then every trade and payment since, in their order."""
        spots = [{"underlying": name, "spot": world.prices[name] / 100.0} for name in NAMES]
        self._desk.tick(pd.DataFrame(spots), at=world.moment)
        for account, name, count in world.taken():
            if name:
                price = world.prices[name] / 100.0
                fill = {"account": account, "symbol": name, "quantity": float(count), "price": price}
                self._desk.trade(pd.DataFrame([fill]))
            else:
                self._desk.deposit(account, count / 100.0)
        rejects = self._desk.rejects
        assert not len(rejects), f"the desk has turned away {rejects.iloc[0].to_dict()}"

    def accounts(self, world: World) -> pd.DataFrame:
        """The desk's accounts frame; figures that the world doubts are PARTIAL."""
        frame = self._desk.accounts
        doubted = frame["margin_group"].isin(world.doubted)
        return frame.assign(reliability=frame["reliability"].mask(doubted, "PARTIAL"))

    def reconciled(self, world: World) -> None:
        """To the cent: both sides and equity of each account are the world's; in every scenario of either
        regime accounts sum to class groups, which are what all shares together gain or lose.
        """
        frame = self._desk.accounts.set_index("margin_group")
        for account in ACCOUNTS:
            exact = {
                "exchange_requirement": world.requirement(account, EXCHANGE_PERCENT),
                "house_requirement": world.requirement(account, HOUSE_PERCENT),
                "equity_at_marks": world.equity(account),
            }
            for name, cents in exact.items():
                found = int(to_units(frame.loc[account, name], DIGITS))
                assert found == cents, f"{account} needs {cents} cents of {name}, the desk says {found}"
        sums: dict[tuple[str, str], Floats] = defaultdict(lambda: np.zeros(1))
        shocks: dict[tuple[str, str], Floats] = {}
        for run in self._desk.result().runs:
            for group in run.plan.class_groups():
                key = run.evaluation.regime.name, group.name
                sums[key] = sums[key] + run.evaluator.rows.of_leaves(group).sum(axis=0)
                shocks[key] = run.evaluator.standard_states.spot_shocks[int(group.shown[0])]
        for (regime, name), pnl in sums.items():
            together = sum(world.shares[account][name] for account in ACCOUNTS) * world.prices[name] / 100.0
            apart = float(np.abs(pnl - together * shocks[regime, name]).max())
            assert apart < HALF_A_CENT, f"accounts and class group {name} differ by {apart} under {regime}"


def _policy() -> Policy:
    """What the world's integers say: 15 and 25 % of every holding, a program for each call profile."""
    share = HOUSE_PERCENT / 100.0
    own = house(spot=[-share, share], vol=[0.0], contingency_rate=0.0, concentrated=False)
    return Policy(
        {
            profile: Program(tims(), own, minimum_equity=MINIMUM_CENTS / 100.0, call_profile=profile)
            for profile in sorted(set(PROFILES.values()))
        }
    )
